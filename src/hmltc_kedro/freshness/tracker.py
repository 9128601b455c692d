"""What each entry would be made from now, beside what its record says it was made from."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hmltc_kedro.freshness.code import identify_code
from hmltc_kedro.freshness.digests import Stamp, content_digest, remember, take_stamp, trace_digests
from hmltc_kedro.freshness.records import (
    Content,
    Making,
    Record,
    explain_making,
    find_record,
    flatten,
    read_record,
    write_record,
)
from hmltc_kedro.freshness.rows import describe_file

logger = logging.getLogger(__name__)


Node = Any
"""One of Kedro's, which this package does not import; `name`, `func`, `inputs`, `outputs` and `tags` are read."""

Catalog = Any
"""Kedro's; datasets are taken from it with `get`."""


@dataclass(frozen=True)
class State:
    """How an entry stands.

    Attributes:
        stage: tags of the node that makes it.
        node: that makes it.
        entry: its name; None for a node that writes nothing.
        state: `stale` if it would be made differently now, or may be because something it depends on is stale.
        reasons: why it is not fresh, in words; of an entry that is missing, what has changed besides.
        path: where it lies.
        shape: rows and columns.
        size: in bytes.
        age: seconds since it was written.
    """

    stage: str
    node: str
    entry: str | None
    state: Literal["fresh", "stale", "missing"]
    reasons: tuple[str, ...]
    path: Path | None = None
    shape: str = ""
    size: int | None = None
    age: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "reasons": list(self.reasons), "path": str(self.path) if self.path else None}


class Tracker:
    """Compares entries with their records, and writes the records.

    An entry counts if it lies in a local file or directory; a node that makes or reads any other is never fresh. An
    input that no file holds and no node makes is a resource: its dataset says what it is with a method `identify`,
    which returns plain values by name.

    Nothing here fails because of what lies on the disk: what cannot be read counts as missing, what cannot be
    understood as another.

    Args:
        nodes: in an order in which they can run.
        catalog: of their entries.
    """

    def __init__(self, nodes: Sequence[Node], catalog: Catalog) -> None:
        """Look at nothing yet."""
        self.nodes = list(nodes)
        self._catalog = catalog
        self._made = {entry for node in self.nodes for entry in node.outputs}
        self._code: dict[str, dict[str, str]] = {}
        self._records: dict[Path, tuple[Stamp, Record | None]] = {}

    # ------------------------------------------------------------------ entries

    def find_path(self, entry: str) -> Path | None:
        """Return where an entry lies, or would; None if it is in no local file."""
        dataset = None if _is_parameter(entry) else self._catalog.get(entry)
        if dataset is None:
            return None
        found = dataset.find_file() if hasattr(dataset, "find_file") else None  # a raw file may have several endings
        path = found or dataset._describe().get("filepath")
        return Path(str(path)) if path is not None and "://" not in str(path) else None

    def describe(self, entry: str) -> Content:
        """Return what an entry holds; what one that was deleted would hold is known from its record."""
        path, digest, record = self._look_at(entry)
        if record is not None and record.content.digest == digest:
            return record.content
        if path is None or not digest:
            return Content(digest)
        try:
            separator = self._catalog.get(entry)._describe().get("separator")
            return Content(digest, *describe_file(path, separator, self._find_words(entry)))
        except Exception as error:  # not what its name says; the digest is enough
            logger.warning("%s: changes of its rows cannot be told (%s)", path, error)
            return Content(digest)

    def _look_at(self, entry: str) -> tuple[Path | None, str, Record | None]:
        """Return where an entry lies, its digest without needless reading, and the record of one that is made here."""
        path = self.find_path(entry)
        if path is None:
            return None, "", None
        record = self._read(find_record(path)) if entry in self._made else None  # its digests are known then
        return path, _take_digest(path) or (record.content.digest if record is not None else ""), record

    def _find_words(self, entry: str) -> dict[str, Any]:
        """Return what the catalog says of an entry's freshness."""
        return (getattr(self._catalog.get(entry), "metadata", None) or {}).get("freshness") or {}

    def _find_untracked(self, node: Node) -> list[str]:
        """Return why a node has to run whatever the records say."""
        names = [name for name in [*node.inputs, *node.outputs] if name in self._made and self.find_path(name) is None]
        return [f"`{name}` lies in no local file" for name in names]

    # ------------------------------------------------------------------ what nodes make entries from

    def find_code(self, node: Node) -> dict[str, str]:
        """Return the identity of a node's code, with that which reads its inputs and writes its outputs."""
        if node.name not in self._code:
            names = [(name, "load") for name in node.inputs] + [(name, "save") for name in node.outputs]
            used = [(name, method) for name, method in names if self.find_path(name) is not None]
            try:
                methods = [(type(self._catalog.get(name)), method) for name, method in used]
                self._code[node.name] = identify_code(node.func, *methods)
            except Exception as error:
                logger.warning("%s: its code cannot be read (%s)", node.name, error)
                self._code[node.name] = {":code that cannot be read": str(time.time_ns())}  # like no other
        return self._code[node.name]

    def find_inputs(self, node: Node, with_rows: bool = False) -> dict[str, Content]:
        """Return what the entries hold that a node reads; resources and parameters are none of them.

        Nor is what says `freshness: {counts: false}` in the catalog: a record of how long things took.
        """
        names = [name for name in node.inputs if self.find_path(name) is not None]
        names = [name for name in names if self._find_words(name).get("counts", True)]
        return {name: self.describe(name) if with_rows else Content(self._look_at(name)[1]) for name in names}

    def find_settings(self, node: Node) -> dict[str, Any]:
        """Return the parameters of a node and the identity of its resources, by dotted name."""
        settings: dict[str, Any] = {}
        for name in node.inputs:
            dataset = self._catalog.get(name)
            if _is_parameter(name):
                settings |= flatten(name.removeprefix("params:"), dataset.load())
            elif hasattr(dataset, "identify"):
                settings |= flatten(name, dataset.identify())
        return settings

    # ------------------------------------------------------------------ records

    def write(self, node: Node, entry: str | None, inputs: Mapping[str, Content]) -> None:
        """Write the record of an entry that a node has just saved.

        Args:
            node: whose turn it is.
            entry: its output; None for a node that has none.
            inputs: what they held when the node read them.
        """
        self.forget(node, entry)  # it is about what was there before
        target = self._find_records(node).get(entry)
        if target is None or not target.parent.is_dir():
            return
        with trace_digests() as seen:
            making = Making(dict(inputs), self.find_settings(node), self.find_code(node))
            for name in inputs:
                self._look_at(name)
            content = self.describe(entry) if entry is not None else Content("")
        write_record(Record(making, content, seen), target)

    def forget(self, node: Node, entry: str | None) -> None:
        """Remove the record of an entry that a node is about to replace."""
        if target := self._find_records(node).get(entry):
            target.unlink(missing_ok=True)

    def find_unrecorded(self, entries: Iterable[str]) -> dict[str, Path]:
        """Return where those entries lie that are in a file and have no record."""
        paths = {entry: self.find_path(entry) for entry in sorted(entries)}
        known = self._find_known(paths)
        return {entry: path for entry, path in paths.items() if path is not None and entry not in known}

    def find_foreign(self, entries: Iterable[str]) -> dict[str, Path]:
        """Return the records that say another content than lies there, by entry."""
        records = self._find_known(entries)
        return {
            entry: find_record(path)
            for entry, (path, record) in records.items()
            if _take_digest(path) not in ("", record.content.digest)
        }

    def find_mixed(self, entries: Iterable[str]) -> list[tuple[str, str, Path]]:
        """Return which of some entries that are read together do not belong together.

        They do where all that they were made from, directly or not, held the same each time, and what is one of them
        itself holds that now.

        Returns:
            An entry, what it was made from that holds something else now, and the record that says so.
        """
        now = {entry: digest for entry in sorted(entries) if (digest := self._find_digest(entry))}
        known = self._find_known(now)
        traces = {entry: self._trace(record) for entry, (_, record) in known.items()}
        versions = {entry: {digest} for entry, digest in now.items()}
        for trace in traces.values():
            for other, digest in trace.items():
                versions.setdefault(other, set()).add(digest)
        return [
            (entry, other, find_record(known[entry][0]))
            for entry, trace in traces.items()
            for other, digest in trace.items()
            if len(versions[other]) > 1 and digest != self._find_digest(other)
        ]

    def _find_digest(self, entry: str) -> str:
        path = self.find_path(entry)
        return "" if path is None else _take_digest(path)

    def _find_known(self, entries: Iterable[str]) -> dict[str, tuple[Path, Record]]:
        """Return path and record of those entries that have one and whose freshness counts."""
        paths = {name: self.find_path(name) for name in sorted(entries) if self._find_words(name).get("counts", True)}
        known = ((name, path, self._read(find_record(path))) for name, path in paths.items() if path is not None)
        return {name: (path, record) for name, path, record in known if record is not None}

    def trace_settings(self, entries: Iterable[str]) -> dict[str, Any]:
        """Return the settings that entries and all that they were made from were made with, by dotted name.

        They are known as far as the records lead; of two values of one setting the nearest counts.
        """
        settings: dict[str, Any] = {}
        for _, record in self._find_known(entries).values():
            for each in self._follow(record):
                settings = {**each.making.settings, **settings}
        return settings

    def _trace(self, record: Record) -> dict[str, str]:
        """Return the digests of all that an entry was made from, as far as the records lead: the nearest counts."""
        digests: dict[str, str] = {}
        for each in self._follow(record):
            digests = {**{name: content.digest for name, content in each.making.inputs.items()}, **digests}
        return digests

    def _follow(self, record: Record) -> Iterator[Record]:
        """Yield a record and those of all that its entry was made from, as far as they lead, the nearest first."""
        digests: dict[str, str] = {}
        records = [record]
        for each in records:  # grows while it is gone through
            new = {name: content.digest for name, content in each.making.inputs.items() if name not in digests}
            digests |= new
            above = self._find_known(new).items()
            records += [other for name, (_, other) in above if other.content.digest == digests[name]]
            yield each

    def _find_records(self, node: Node) -> dict[str | None, Path]:
        """Return where the records of a node's outputs lie that are in files.

        That of a node without outputs is under None, and lies beside its last input, one that is made if any.
        """
        paths = {name: path for name in node.outputs or node.inputs if (path := self.find_path(name)) is not None}
        if node.outputs:
            return {entry: find_record(path) for entry, path in paths.items()}
        beside = [path for name, path in paths.items() if name in self._made] or list(paths.values())
        return {None: find_record(beside[-1], re.sub(r"[^\w.-]+", "_", node.name))} if beside else {}

    def _read(self, path: Path) -> Record | None:
        try:
            stamp = take_stamp(path)
        except OSError:
            return None
        known = self._records.get(path)
        if known is None or known[0] != stamp:
            record = read_record(path)
            remember(record.seen if record is not None else {})
            known = self._records[path] = stamp, record
        return known[1]

    # ------------------------------------------------------------------ states

    def explain(self, node: Node) -> list[str]:
        """Return why a node has to run, by what lies there now; [] if all it makes is fresh."""
        words = self._find_untracked(node)
        for entry, (is_there, reasons) in self._judge(node).items():
            words += [*([] if is_there else [f"`{entry}` is missing"]), *reasons]
        return list(dict.fromkeys(words))

    def find_states(self) -> list[State]:
        """Return the state of every entry that the nodes make, in their order."""
        for node in self.nodes:  # digests that any record knows
            for path in self._find_records(node).values():
                self._read(path)
        origins: dict[str, list[str]] = {}
        states = []
        for node in self.nodes:
            above = list(dict.fromkeys(origin for name in node.inputs for origin in origins.get(name, [])))
            for entry, (is_there, reasons) in self._judge(node).items():
                if entry is not None and (reasons or above or not self._look_at(entry)[1]):
                    origins[entry] = above or [entry]
                if is_there and above and not reasons:
                    reasons = ["depends on " + ", ".join(f"`{name}`" for name in above)]
                states.append(self._describe_state(node, entry, is_there, reasons))
        return states

    def _judge(self, node: Node) -> dict[str | None, tuple[bool, list[str]]]:
        """Return of each of a node's records whether its entry is there, and what has changed since it was made."""
        judged: dict[str | None, tuple[bool, list[str]]] = {}
        making = Making(self.find_inputs(node), self.find_settings(node), self.find_code(node))
        for entry, target in self._find_records(node).items():
            path, record = self.find_path(entry) if entry is not None else None, self._read(target)
            digest = _take_digest(path) if path is not None else ""
            words = self._find_untracked(node)
            if record is not None:
                words += ["the file is not the one that was made"] if digest not in ("", record.content.digest) else []
                function = getattr(node.func, "__name__", node.name)
                words += explain_making(record.making, making, self.describe, function)
            elif path is None or digest:
                words.append("no record that it ran" if path is None else "no record of how it was made")
            judged[entry] = path is None or digest != "", words
        return judged

    def _describe_state(self, node: Node, entry: str | None, is_there: bool, reasons: list[str]) -> State:
        word: Literal["fresh", "stale", "missing"] = "missing" if not is_there else "stale" if reasons else "fresh"
        path = self.find_path(entry) if entry is not None else None
        state = State(", ".join(sorted(node.tags)), node.name, entry, word, tuple(reasons), path)
        if path is None or entry is None or not is_there:
            return state
        try:
            files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
            shape = self.describe(entry).shape or (f"{len(files)} files" if path.is_dir() else "")
            written = max((file.stat().st_mtime for file in files), default=path.stat().st_mtime)
            size = sum(file.stat().st_size for file in files)
            return replace(state, shape=shape, size=size, age=max(time.time() - written, 0.0))
        except OSError:  # it went away meanwhile
            return state


def _is_parameter(entry: str) -> bool:
    return entry == "parameters" or entry.startswith("params:")


def _take_digest(path: Path) -> str:
    """Return the digest of what lies there; empty if nothing does, or nothing that can be read."""
    try:
        return content_digest(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        logger.warning("%s cannot be read and counts as missing (%s)", path, error)
        return ""


def count_states(states: Iterable[State]) -> Mapping[str, int]:
    """Return how many entries are fresh, stale and missing."""
    counts = dict.fromkeys(("fresh", "stale", "missing"), 0)
    for state in states:
        counts[state.state] += 1
    return counts
