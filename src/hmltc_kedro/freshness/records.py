"""What an entry was made from, kept in a small hidden file beside it, and what has changed since, in words."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hmltc_kedro import display
from hmltc_kedro.atomic import write_file
from hmltc_kedro.freshness.code import explain_code
from hmltc_kedro.freshness.digests import Seen
from hmltc_kedro.freshness.rows import Rows, explain_rows

FORMAT = 2
"""Of the files; one of another is not read."""

DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Content:
    """What an entry holds.

    Attributes:
        digest: of the content; empty where there is none.
        shape: rows and columns, for people.
        rows: digests of the rows of a small table.
    """

    digest: str
    shape: str = ""
    rows: Rows | None = None


@dataclass(frozen=True)
class Making:
    """What the outputs of a node are made from.

    Attributes:
        inputs: by entry.
        settings: parameters and the identity of resources (encoder, language model), by dotted name.
        code: digests of the code that the node reaches, by `module:name`.
    """

    inputs: dict[str, Content]
    settings: dict[str, Any]
    code: dict[str, str]


@dataclass(frozen=True)
class Record:
    """How an entry was made.

    Attributes:
        making: from what.
        content: what came out.
        seen: digests of files with their stamps, so that the next process need not read them.
    """

    making: Making
    content: Content
    seen: Seen = field(default_factory=dict)


RECORD = TypeAdapter(Record)


def find_record(path: Path, node: str = "") -> Path:
    """Return where the record of the entry at `path` lies, or of a node that writes nothing and reads `path`."""
    return path.with_name(f".{node or path.name}.made.json")


def write_record(record: Record, path: Path) -> None:
    """Write a record, moved into place when complete."""
    folder = path.parent.resolve()
    seen = [(kind, _relate(file, folder), *known) for (kind, file), known in record.seen.items()]
    values = {"format": FORMAT, **RECORD.dump_python(record, exclude={"seen"}), "seen": seen}
    with write_file(path) as temporary:
        temporary.write_text(json.dumps(values, ensure_ascii=False), "utf-8")


def read_record(path: Path) -> Record | None:
    """Return a record; None where there is none that this version can read."""
    try:
        values = json.loads(path.read_text("utf-8"))
        if values.pop("format") != FORMAT:
            return None
        folder = path.parent.resolve()
        values["seen"] = {(kind, os.path.normpath(folder / file)): known for kind, file, *known in values["seen"]}
        return RECORD.validate_python(values)
    except Exception:  # however it was damaged: the entry is made again, and so is its record
        return None


def _relate(file: Path, folder: Path) -> str:
    """Return a file's path from the record's folder, so that a project can be moved."""
    try:
        return os.path.relpath(file, folder)
    except ValueError:  # another drive
        return str(file)


# ---------------------------------------------------------------------- differences


def flatten(name: str, value: Any) -> dict[str, Any]:
    """Return a parameter's values by dotted name, as JSON gives them back: `train.fine_tuning.epochs`: 3."""
    return dict(display.flatten({name: json.loads(json.dumps(value, default=_simplify))}))


def _simplify(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump()
    return sorted(value, key=repr) if isinstance(value, set | frozenset) else str(value)


def explain_making(old: Making, new: Making, describe: Callable[[str], Content], function: str) -> list[str]:
    """Return what changed between two makings, in words; [] if nothing did.

    Args:
        old: what the entry was made from.
        new: what it would be made from now; only the digests of the inputs are looked at.
        describe: gives an input with its rows, where they are needed.
        function: name of the node's function.
    """
    words = []
    for name, content in new.inputs.items():
        before = old.inputs.get(name)
        if before is None:
            words.append(f"`{name}` is a new input")
        elif before.digest != content.digest:
            words += _explain_input(name, before, describe(name) if content.digest else content)
    words += [f"`{name}` is no longer an input" for name in old.inputs if name not in new.inputs]
    words += explain_settings(old.settings, new.settings)
    if changed := explain_code(old.code, new.code):
        helpers = [name for name in changed if name != function]
        shown = ", ".join(helpers[:3]) + (f" and {len(helpers) - 3} more" if len(helpers) > 3 else "")
        words.append(f"code of {function} changed" + (f" ({shown})" if helpers else ""))
    return words


def _explain_input(name: str, old: Content, new: Content) -> list[str]:
    if not old.digest or not new.digest:
        return [f"`{name}` {'was' if new.digest else 'is'} missing"]
    words = explain_rows(old.rows, new.rows) if old.rows is not None and new.rows is not None else []
    sizes = f": {old.shape} -> {new.shape}" if old.shape != new.shape else ""
    return [f"{text} (`{name}`)" for text in words] or [f"`{name}` changed{sizes}"]


def explain_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return which settings changed: `train.fine_tuning.epochs 3 -> 5`, `encoder.weights changed`."""
    words = []
    for name in [*new, *(name for name in old if name not in new)]:
        if name not in old:
            words.append(f"{name} is new: {_show(new[name])}")
        elif name not in new:
            words.append(f"{name} is gone, it was {_show(old[name])}")
        elif old[name] != new[name]:
            digests = all(isinstance(v, str) and DIGEST.fullmatch(v) for v in (old[name], new[name]))
            words.append(f"{name} changed" if digests else f"{name} {_show(old[name])} -> {_show(new[name])}")
    return words


def _show(value: Any) -> str:
    """Return a value as YAML would have it."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value}".replace("inf", ".inf")
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
