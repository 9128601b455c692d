"""`%load_ext hmltc_kedro.notebook`: the catalog in a notebook, without log lines and with one line for what is missing.

It is Kedro's own extension, loaded with the project's logging from whatever folder the notebook lies in.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """Load Kedro's extension; IPython calls this."""
    above = (folder / "conf" / "logging.yml" for folder in (Path.cwd(), *Path.cwd().parents))
    if config := next((path for path in above if path.is_file()), None):
        # Before Kedro is imported, which looks for it in the current folder alone.
        os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(config))
    logging.disable(logging.INFO)  # whatever level `%reload_kedro` sets
    warnings.filterwarnings("ignore", "IProgress not found")  # bars are drawn with letters then
    from kedro.ipython import load_ipython_extension

    load_ipython_extension(shell)
    shell.set_custom_exc((Exception,), show_error)


def show_error(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: int | None = None
) -> None:
    """Show an entry that was not made, or wrong input, in one message; anything else as IPython does."""
    message = explain_error(error, shell.user_ns)
    if message is None:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    else:
        print(f"Error: {message}", file=sys.stderr)


def explain_error(error: BaseException, names: dict[str, Any]) -> str | None:
    """Return what a person has to know of an error, or None if it is none of theirs.

    Args:
        error: what a cell has raised.
        names: of the notebook; `context` is Kedro's.
    """
    from hmltc_kedro.hooks import explain_missing

    trace = error.__traceback__
    while trace is not None:
        place = trace.tb_frame.f_locals
        catalog: Any = place.get("self")
        name = place.get("ds_name")
        if isinstance(name, str) and trace.tb_frame.f_code.co_name == "load" and hasattr(catalog, "get"):
            dataset = catalog.get(name)
            if dataset is None:
                return f"there is no entry `{name}`; catalog.keys() has the names"
            if not dataset.exists():
                loader = names["context"].config_loader
                return explain_missing(name, dataset, {"env": loader.env, "runtime_params": loader.runtime_params})
        trace = trace.tb_next
    # By name: `%reload_kedro` imports the package again, and with it another class of this name.
    return str(error) if type(error).__name__ == "InputError" else None
