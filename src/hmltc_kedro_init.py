"""What Kedro calls before it imports any plugin, in every environment that has this package.

It is no module of the package, which must not be imported yet: a project's own `src` is not on the path so early.
"""

from __future__ import annotations

import warnings
from typing import Any

ADVICE = "Add type hints to the `predict` method"
"""How MLflow's advice on a class of kedro-mlflow's own begins, which each `kedro` command would print."""


def silence_mlflow() -> None:
    """Show no such advice. A filter would not do: MLflow puts one of its own before it as it is imported."""
    show = warnings.showwarning

    def show_others(message: Warning | str, *where: Any, **more: Any) -> None:
        if ADVICE not in str(message):
            show(message, *where, **more)

    warnings.showwarning = show_others
