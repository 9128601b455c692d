"""The one exception users meet."""

from collections.abc import Sequence


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
