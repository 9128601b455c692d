"""The one exception users meet."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any


class InputError(ValueError):
    """Something the user gave is wrong, and the message says where and how to mend it.

    The command line prints the message alone; a traceback would add nothing to it.
    """

    @classmethod
    def from_problems(cls, problems: Sequence[str], show: int = 10) -> "InputError":
        """Return one error that lists the first `show` of `problems`, one a line."""
        lines = list(problems[:show])
        if len(problems) > show:
            lines.append(f"... and {len(problems) - show} more of this kind")
        return cls("\n".join(lines))


def import_extra(package: str, extra: str, purpose: str) -> Any:
    """Return a package that one of the project's extras installs.

    Args:
        package: its name, as it is imported.
        extra: of the project that brings it.
        purpose: what needs it, for the message.

    Raises:
        InputError: it is not installed.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        name = package.partition(".")[0]
        if error.name != name:  # another one that it needs itself
            raise
        raise InputError(f"{purpose} needs the package {name}; pip install 'hmltc_kedro[{extra}]'") from None
