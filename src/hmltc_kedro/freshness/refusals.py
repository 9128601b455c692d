"""Entries that no node may use, by what the records say of them: one line each."""

from __future__ import annotations

from collections.abc import Iterable

from hmltc_kedro.display import show_path
from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.tracker import Tracker


def check_together(entries: Iterable[str], tracker: Tracker) -> None:
    """Refuse entries that something else than a run has changed, or that were made from others than lie there now.

    What would be made of them is no result of any run, and would look like one.

    Raises:
        InputError: one line an entry.
    """
    entries = set(entries)
    foreign, mixed = tracker.find_foreign(entries), tracker.find_mixed(entries)
    problems = {entry: ("was changed since a run made it", record) for entry, record in foreign.items()}
    for entry, other, record in mixed:
        problems.setdefault(entry, (f"was made from another `{other}` than there is now", record))
    if problems:
        mend = "`kedro refresh` makes it again; to use it as it is, remove"
        lines = [f"entry `{entry}` {what}; {mend} {show_path(record)}" for entry, (what, record) in problems.items()]
        raise InputError.from_problems(lines)


def blame_unrecorded(error: Exception, node: str, entries: Iterable[str], tracker: Tracker) -> None:
    """Name those of a node's inputs of which no record says that a run made them, where the node fails.

    Raises:
        InputError: there are such inputs.
    """
    if unknown := tracker.find_unrecorded(entries):
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        where = ", ".join(f"`{entry}` ({show_path(path)})" for entry, path in unknown.items())
        raise InputError(
            f"node `{node}` cannot use what it reads ({reason}), and no record says that a run made {where}; "
            "`kedro refresh` makes it again"
        ) from error
