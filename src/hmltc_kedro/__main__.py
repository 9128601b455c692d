"""`hmltc_kedro` and `python -m hmltc_kedro`: the project's commands, for an installed package."""

import logging
import sys
from collections.abc import Sequence
from typing import Any

from hmltc_kedro.errors import InputError, import_extra


def main(args: Sequence[str] | None = None, **kwargs: Any) -> Any:
    """Run a command of the project; without the name of one it is `run`.

    Args:
        args: what is typed after the program's name; that of this process if it is left out.
        kwargs: of `click.Command.main`.
    """
    try:
        kedro = import_extra("kedro.framework.project", "kedro", "a command")
    except InputError as error:
        sys.exit(f"Error: {error}")
    kedro.configure_project("hmltc_kedro")
    logging.getLogger("kedro_viz").setLevel(logging.ERROR)  # it misses a repository to write its statistics to
    from hmltc_kedro.cli import cli

    words = list(sys.argv[1:] if args is None else args)
    if words[:1] != ["--help"] and not {*words[:1]} & cli.commands.keys():
        words.insert(0, "run")
    kwargs.setdefault("standalone_mode", not hasattr(sys, "ps1"))
    return cli(words, prog_name="hmltc_kedro", **kwargs)


if __name__ == "__main__":
    main()
