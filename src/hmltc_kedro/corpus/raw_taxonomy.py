"""From the raw files of classes, hierarchy and keywords to a checked taxonomy."""

from __future__ import annotations

import re
from collections.abc import Set

from hmltc_kedro.corpus.raw_files import RawTable
from hmltc_kedro.errors import InputError
from hmltc_kedro.graph import find_cycle
from hmltc_kedro.taxonomy import Taxonomy

MAX_LEVELS = 256
"""Classes on a path. What is printed and stored of a path grows with it; known taxonomies have some thirty levels."""


def build_taxonomy(classes: RawTable, hierarchy: RawTable, keywords: RawTable) -> Taxonomy:
    """Return the checked taxonomy of the three raw files; `keywords` may not exist.

    Raises:
        InputError: with file and line, for an empty file, a class id twice or with a comma, an unnamed class, an
            edge to an unknown class, a repeated edge, a self-loop, a cycle, more than `MAX_LEVELS` levels, or keywords
            that name no class or two.
    """
    class_pairs = _check_classes(classes)
    known = {class_id for class_id, _ in class_pairs}
    edges = _check_hierarchy(hierarchy, known, classes.path)
    taxonomy = Taxonomy.from_edges(class_pairs, list(edges), _check_keywords(keywords, class_pairs))
    _check_depth(taxonomy, edges, hierarchy)
    return taxonomy


def _check_depth(taxonomy: Taxonomy, edges: dict[tuple[str, str], int], table: RawTable) -> None:
    if taxonomy.depth <= MAX_LEVELS:
        return
    longest = taxonomy.longest_paths
    child = int((longest == MAX_LEVELS + 1).argmax())
    parent = max(taxonomy.parents[child], key=longest.__getitem__)
    line = edges[taxonomy.class_ids[parent], taxonomy.class_ids[child]]
    raise InputError(
        f"{table.at(line)}: this edge ends a path of {MAX_LEVELS + 1} classes, and the longest has {taxonomy.depth:,}; "
        f"a taxonomy has at most {MAX_LEVELS} levels, remove some between its root and its leaves"
    )


def _check_classes(table: RawTable) -> list[tuple[str, str]]:
    table.raise_problems()
    rows = table.rows
    if rows.empty:
        raise InputError(f"{table.path}:1: no classes; write <class_id>TAB<class_name> lines")
    problems = [
        f"{table.at(n)}: class {k!r} has no id or no name; write <class_id>TAB<class_name>"
        for n, k, v in zip(rows["line"], rows["key"], rows["value"], strict=True)
        if not k or not v
    ]
    problems += [
        f"{table.at(n)}: class id {k!r} has a comma in it; label lists are separated by commas, write it without"
        for n, k in zip(rows["line"], rows["key"], strict=True)
        if "," in k
    ]
    repeated = rows[rows["key"].duplicated()]
    first = rows.drop_duplicates("key").set_index("key")["line"]
    problems += [
        f"{table.at(n)}: class id {k!r} is already on line {first[k]}; give each class its own id"
        for n, k in zip(repeated["line"], repeated["key"], strict=True)
    ]
    if problems:
        raise InputError.from_problems(problems)
    return list(zip(rows["key"], rows["value"], strict=True))


def _check_hierarchy(table: RawTable, known: set[str], classes_path: str) -> dict[tuple[str, str], int]:
    """Return the line of each (parent, child) edge."""
    table.raise_problems()
    problems = []
    seen: dict[tuple[str, str], int] = {}
    for line, parent, child in zip(table.rows["line"], table.rows["key"], table.rows["value"], strict=True):
        for class_id in (parent, child):
            if class_id not in known:
                problems.append(
                    f"{table.at(line)}: class {class_id!r} is not in {classes_path}; add it there or remove the edge"
                )
        if parent == child:
            problems.append(f"{table.at(line)}: class {parent!r} is its own parent; remove the line")
        elif (parent, child) in seen:
            problems.append(f"{table.at(line)}: the edge is already on line {seen[parent, child]}; remove one")
        seen.setdefault((parent, child), line)
    if problems:
        raise InputError.from_problems(problems)
    if cycle := find_cycle(seen):
        line = max(seen[edge] for edge in zip(cycle, cycle[1:], strict=False))
        raise InputError(
            f"{table.at(line)}: this edge closes a cycle: {' -> '.join(cycle)}; "
            "a taxonomy is acyclic, remove one of these edges"
        )
    return seen


def _check_keywords(table: RawTable, classes: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Resolve each line by class name, or by class id where the name is not unique."""
    table.raise_problems()
    by_name: dict[str, list[str]] = {}
    for class_id, name in classes:
        by_name.setdefault(_close_colons(name), []).append(class_id)
    by_id = {_close_colons(class_id): class_id for class_id, _ in classes}
    known = by_name.keys() | by_id.keys()
    problems = []
    result: dict[str, list[str]] = {}
    first: dict[str, int] = {}
    for line, start, rest in zip(table.rows["line"], table.rows["key"], table.rows["value"], strict=True):
        key, value = _split_owner(f"{start}:{rest}", known)
        named = by_name.get(key, [])
        if len(named) > 1:
            problems.append(
                f"{table.at(line)}: {len(named)} classes are called {key!r}; "
                f"write the class id in place of the name, one of {', '.join(named)}"
            )
            continue
        if not named and key not in by_id:
            problems.append(f"{table.at(line)}: there is no class {key!r}; correct the name or remove the line")
            continue
        class_id = named[0] if named else by_id[key]
        if class_id in result:
            problems.append(
                f"{table.at(line)}: class {key!r} already has keywords on line {first[class_id]}; join the two lines"
            )
        first.setdefault(class_id, line)
        words = (w.replace("_", " ").strip() for w in value.split(","))
        result[class_id] = list(dict.fromkeys(w for w in words if w))
    if problems:
        raise InputError.from_problems(problems)
    return result


def _split_owner(line: str, known: Set[str]) -> tuple[str, str]:
    """Cut `<name>:<keywords>` after the longest name or id that is known: names may hold a colon, and so may keywords.

    Where none is known it is cut at the first colon.
    """
    cuts = [place for place, sign in enumerate(line) if sign == ":"]
    fitting = (place for place in reversed(cuts) if _close_colons(line[:place]) in known)
    place = next(fitting, cuts[0])
    return _close_colons(line[:place]), line[place + 1 :]


def _close_colons(name: str) -> str:
    """Return a name without spaces around it and beside its colons, which a line may have and the name not."""
    return re.sub(r"\s*:\s*", ":", name.strip())
