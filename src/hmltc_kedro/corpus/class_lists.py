"""Classes as people have them, read into the tables of a raw dataset.

A flat list, an indented tree, paths `a > b > c`, nested YAML or JSON, a table of parents and children: all but the last
say of each class the names on its way from a root, and two ways are two classes, whatever their names. In a table a
name is one class, which may have several parents. `ontologies` reads SKOS and OBO.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hmltc_kedro.corpus.raw_files import Columns, RawTable, make_rows, read_csv_table, read_text_table
from hmltc_kedro.corpus.raw_taxonomy import MAX_LEVELS, build_taxonomy
from hmltc_kedro.errors import InputError
from hmltc_kedro.graph import find_cycle
from hmltc_kedro.taxonomy import Taxonomy

Line = tuple[int, str]
"""A line of a file, from 1, and its text."""

Way = tuple[int, tuple[str, ...]]
"""The line that says it, and names from a root to a class."""

Edge = tuple[int, str, str]
"""The line that says it, a parent and a child."""

NO_TAB = "the line has no TAB"
"""How `read_text_table` begins what it says of a line that has one field, which is nothing amiss here."""

BULLET = re.compile(r"^(\s*)(?:[-*\u2022]\s+)?(.*)$")
"""Indentation and name of a line; lists are often pasted with their bullets."""


@dataclass(frozen=True)
class ClassList:
    """What a file says of classes.

    Attributes:
        path: of the file.
        form: how they are written there, for people.
        classes: (line, id, name), in the order of the file.
        edges: (line, id of the parent, id of the child).
        keywords: of classes that have some, by id.
    """

    path: str
    form: str
    classes: Sequence[tuple[int, str, str]]
    edges: Sequence[Edge]
    keywords: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def build_taxonomy(self) -> Taxonomy:
        """Return the checked taxonomy; see `raw_taxonomy.build_taxonomy`."""
        taxonomy = build_taxonomy(
            _to_table(self.path, self.classes), _to_table(self.path, self.edges), _to_table("", ())
        )
        return taxonomy.with_keywords(self.keywords)


def _to_table(path: str, rows: Sequence[tuple[int, str, str]]) -> RawTable:
    frame = make_rows([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows], [None] * len(rows))
    return RawTable(path, frame)


def read_listed(path: Path) -> ClassList:
    """Read a file of classes that is CSV, YAML, JSON or else text, by its ending.

    Raises:
        InputError: with file and line, for a name that is empty or has a `>`, a class twice under one parent, a cycle,
            more than `raw_taxonomy.MAX_LEVELS` levels, or another form than the ending says.
    """
    suffix = path.suffix.lower()
    return _read_table(path) if suffix == ".csv" else number_ways(path, *NESTED.get(suffix, _read_text)(path))


def list_nested(source: str, text: str) -> ClassList:
    """Return the classes of names within each other, as YAML or JSON; `source` is what messages call it."""
    return number_ways(source, "names within each other", _walk_nested(source, text))


def list_paths(source: str, paths: Iterable[str]) -> ClassList:
    """Return the classes of names or of paths `a > b > c`; `source` is what messages call it."""
    return number_ways(source, "paths", ((line, tuple(path.split(">"))) for line, path in enumerate(paths, start=1)))


def clean_name(name: str, where: str) -> str:
    """Return a name as `classes.txt` has it, with underscores for spaces.

    Raises:
        InputError: there is nothing in it, or a sign that stands for something else.
    """
    if not name.strip():
        raise InputError(f"{where}: a class without a name; write one or remove it")
    if ">" in name:
        raise InputError(
            f"{where}: class {name.strip()!r} has a > in its name, which stands between classes; write it without"
        )
    return "_".join(name.split())


def number_ways(path: Path | str, form: str, ways: Iterable[Way]) -> ClassList:
    """Return the classes that ways lead to, and those on them, with numbers for ids.

    Raises:
        InputError: a way is said twice, or has too many classes.
    """
    lines: dict[tuple[str, ...], int] = {}
    ids: dict[tuple[str, ...], str] = {}
    classes, edges = [], []
    for line, names in ways:
        way = tuple(clean_name(name, f"{path}:{line}") for name in names)
        if way in lines:
            shown = " > ".join(way)
            raise InputError(f"{path}:{line}: class {shown!r} is already on line {lines[way]}; remove one or rename it")
        if len(way) > MAX_LEVELS:
            raise InputError(f"{path}:{line}: a class on level {len(way)}; a taxonomy has at most {MAX_LEVELS} levels")
        lines[way] = line
        for end in range(1, len(way) + 1):
            here = way[:end]
            if here in ids:
                continue
            ids[here] = str(len(ids))
            classes.append((line, ids[here], here[-1]))
            if end > 1:
                edges.append((line, ids[here[:-1]], ids[here]))
    return ClassList(str(path), form, classes, edges)


# ---------------------------------------------------------------------- text


def _read_text(path: Path) -> tuple[str, Iterator[Way]]:
    lines = _read_lines(path)
    arrow = next((line for line, text in lines if ">" in text), None)
    indented = next((line for line, text in lines if text[0].isspace()), None)
    if arrow and indented:
        raise InputError(f"{path}:{max(arrow, indented)}: both indentation and > in one file; write a tree or paths")
    if arrow:
        return "paths", ((line, tuple(BULLET.sub(r"\2", text).split(">"))) for line, text in lines)
    if indented:
        return "indented tree", _walk_tree(path, lines)
    tab = next((line for line, text in lines if "\t" in text.strip()), None)
    if tab:
        raise InputError(f"{path}:{tab}: a TAB within the line; write the name alone, ids are given")
    return "flat list", ((line, (BULLET.sub(r"\2", text),)) for line, text in lines)


def _read_lines(path: Path) -> list[Line]:
    """Return the lines that are not blank.

    Raises:
        InputError: the file is no text in UTF-8.
    """
    rows = read_text_table(path, "\t").rows
    wrong = rows["problem"].notna() & ~rows["problem"].str.startswith(NO_TAB, na=False)
    RawTable(str(path), rows[wrong]).raise_problems()
    lines = enumerate(re.split("\r\n|\r|\n", path.read_text("utf-8-sig")), start=1)
    return [(number, text) for number, text in lines if text.strip()]


def _walk_tree(path: Path, lines: Sequence[Line]) -> Iterator[Way]:
    """Yield the way to the class of each line; deeper indentation is a child, the same a sibling."""
    above: list[tuple[str, str]] = []  # indentation and name of the classes that the line may be below
    for line, text in lines:
        indent, name = BULLET.sub(r"\1", text), BULLET.sub(r"\2", text)
        if "\t" in name.strip():
            raise InputError(f"{path}:{line}: a TAB within the name; write the name alone, ids are given")
        beside = None
        while above and len(above[-1][0]) >= len(indent):
            beside = above.pop()[0]
        fits = indent == beside if beside is not None else not above or indent.startswith(above[-1][0])
        if not fits:
            raise InputError(
                f"{path}:{line}: indented as no line above it; children stand deeper than their parent, all of them "
                "alike, with TABs or with spaces"
            )
        above.append((indent, name))
        yield line, tuple(name for _, name in above)


# ---------------------------------------------------------------------- YAML and JSON


def _read_yaml(path: Path) -> tuple[str, Iterator[Way]]:
    return "nested YAML", _walk_nested(path, _read_whole(path))


def _read_json(path: Path) -> tuple[str, Iterator[Way]]:
    text = _read_whole(path)
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON ({error.msg}); correct it") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deep; a taxonomy has at most {MAX_LEVELS} levels") from None
    # JSON is YAML but for TABs, which it has between values alone; YAML's reader knows the lines.
    return "nested JSON", _walk_nested(path, text.replace("\t", " "))


NESTED: dict[str, Callable[[Path], tuple[str, Iterator[Way]]]] = {
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".json": _read_json,
}


def _read_whole(path: Path) -> str:
    return "".join(f"{text}\n" for _, text in _pad(_read_lines(path)))


def _pad(lines: Iterable[Line]) -> Iterator[Line]:
    """Put the blank lines back, so that numbers of lines stay."""
    before = 0
    for number, text in lines:
        yield from ((blank, "") for blank in range(before + 1, number))
        yield number, text
        before = number


def _walk_nested(path: Path | str, text: str) -> Iterator[Way]:
    """Yield the way to each class of mappings, lists and names within each other.

    A mapping has names and what is below each; or it is one class, with `name` and `children`.
    """
    import yaml

    try:
        alias = next((event for event in yaml.parse(text) if isinstance(event, yaml.AliasEvent)), None)
        if alias:
            raise InputError(f"{path}:{alias.start_mark.line + 1}: a reference (*); write the classes out")
        top = yaml.compose(text, yaml.SafeLoader)
        if top is not None:
            yield from _walk_node(path, top, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(f"{place}: not YAML ({error.problem or error.context}); correct it") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())}); correct it") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deep; a taxonomy has at most {MAX_LEVELS} levels") from None


def _walk_node(path: Path | str, node: Any, above: tuple[str, ...]) -> Iterator[Way]:
    import yaml

    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        if node.tag != "tag:yaml.org,2002:null":
            yield line, (*above, _read_scalar(node))
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _walk_node(path, item, above)
    else:
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise InputError(f"{path}:{key.start_mark.line + 1}: no name of a class; write a name")
        keys = {key.value: value for key, value in node.value}
        if isinstance(keys.get("name"), yaml.ScalarNode) and ("children" in keys or len(keys) == 1):
            node_name, below = keys["name"], keys.get("children")
            yield node_name.start_mark.line + 1, (*above, _read_scalar(node_name))
            if below is not None:
                yield from _walk_node(path, below, (*above, _read_scalar(node_name)))
            return
        for key, value in node.value:
            yield key.start_mark.line + 1, (*above, _read_scalar(key))
            yield from _walk_node(path, value, (*above, _read_scalar(key)))


def _read_scalar(node: Any) -> str:
    """Return a name as it is written: `no` and `007` are names. JSON writes rare signs as two halves."""
    text: str = node.value
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# ---------------------------------------------------------------------- parents and children


def _read_table(path: Path) -> ClassList:
    """Read a CSV of parents and children by name; without a parent a class is a root."""
    table = read_csv_table(path, Columns(("parent",), ("child",), owner="a table of classes has"))
    table.raise_problems()
    rows = zip(table.rows["line"], table.rows["key"], table.rows["value"], strict=True)
    edges: dict[tuple[str, str], int] = {}
    first: dict[str, int] = {}
    for line, *cells in rows:
        where = table.at(line)
        parent, child = (clean_name(cell, where) if i or cell else "" for i, cell in enumerate(cells))
        if parent == child:
            raise InputError(f"{where}: class {child!r} is its own parent; remove the line")
        if (parent, child) in edges:
            below = f"below {parent!r}" if parent else "a root"
            raise InputError(f"{where}: class {child!r} is already {below} on line {edges[parent, child]}; remove one")
        edges[parent, child] = line
        for name in filter(None, (parent, child)):
            first.setdefault(name, line)
    real = {edge: line for edge, line in edges.items() if edge[0]}
    check_cycles(str(path), real)
    ids = {name: str(number) for number, name in enumerate(first)}
    classes = [(line, ids[name], name) for name, line in first.items()]
    listed = [(line, ids[parent], ids[child]) for (parent, child), line in real.items()]
    return ClassList(str(path), "parents and children", classes, listed)


def check_cycles(path: str, edges: Mapping[tuple[str, str], int | None]) -> None:
    """Refuse edges by name that lead back to where they come from; each with its line, where there are lines."""
    if cycle := find_cycle(edges):
        lines = [edges[edge] for edge in zip(cycle, cycle[1:], strict=False)]
        place = f"{path}:{max(filter(None, lines))}" if any(lines) else path
        raise InputError(
            f"{place}: this edge closes a cycle: {' -> '.join(cycle)}; a taxonomy is acyclic, remove one of these edges"
        )
