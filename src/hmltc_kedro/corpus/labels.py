"""What people know about documents: `labels.csv`, checked, as label sets that are unions of root-to-node paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

import pandas as pd

from hmltc_kedro.corpus.raw_files import Columns, RawTable
from hmltc_kedro.corpus.tensors import document_keys
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy

COLUMNS = Columns(("split", "doc_id"), ("classes",), guarded=True)
"""Of `labels.csv`."""

SPLITS = ("train", "test")

MAX_SHOWN = 5
"""Paths that a message offers."""

DECIMAL = re.compile(r"(\d+)\.0+")
"""A whole number as programs write it that took an id for a quantity."""


def read_labels(raw: RawTable, documents: pd.DataFrame, taxonomy: Taxonomy, *, is_sample: bool = False) -> pd.DataFrame:
    """Return the label sets that people gave: split, doc_id, class_ids (path-consistent, parents first).

    Args:
        raw: keys `<split>/<doc_id>`, values as `ClassReader` reads them; no rows where there is no file.
        documents: columns split and doc_id.
        taxonomy: the classes.
        is_sample: whether there are more train documents, for the message.

    Raises:
        InputError: one line a problem: an unreadable record, an unknown split or document, a document twice, or
            classes that are no union of paths.
    """
    known = set(document_keys(documents["split"], documents["doc_id"])) if len(raw.rows) else set()
    reader = ClassReader(taxonomy)
    problems: list[str] = []
    first: dict[str, int] = {}
    label_sets: list[set[int]] = []
    for line, key, value, problem in raw.rows[["line", "key", "value", "problem"]].itertuples(index=False):
        if key == "/" and not value and pd.isna(problem):  # spreadsheets keep rows that were emptied
            continue
        found = [str(problem)] if pd.notna(problem) else _check_document(key, known, first, is_sample)
        if pd.isna(problem):
            first.setdefault(key, line)
            classes, wrong = reader.read(value)
            label_sets.append(classes)
            found += wrong
        problems += [f"{raw.at(line)}: {text}" for text in found]
    if problems:
        raise InputError.from_problems(problems)
    pairs = [key.split("/", 1) for key in first]
    ids = taxonomy.to_label_sets(taxonomy.to_matrix([taxonomy.class_ids[c] for c in s] for s in label_sets))
    return pd.DataFrame(
        {
            "split": pd.Series([split for split, _ in pairs], dtype="str"),
            "doc_id": pd.Series([doc_id for _, doc_id in pairs], dtype="str"),
            "class_ids": pd.Series(ids, dtype="object"),
        }
    )


def _check_document(key: str, known: set[str], first: dict[str, int], is_sample: bool) -> list[str]:
    split, _, doc_id = key.partition("/")
    if split not in SPLITS:
        return [f"unknown split {split!r}; write {' or '.join(SPLITS)}"]
    if not doc_id:
        return ["no document id; write the id of a document"]
    if key in first:
        return [f"document {doc_id!r} of {split} is already on line {first[key]}; join the two, with ; between classes"]
    if key in known:
        return []
    decimal = DECIMAL.fullmatch(doc_id)
    if decimal and f"{split}/{decimal[1]}" in known:
        return [f"document {doc_id!r} is {decimal[1]!r} written as a number; write {decimal[1]}, ids are text"]
    other = next((s for s in SPLITS if f"{s}/{doc_id}" in known), None)
    mend = f"{other} has one: correct the split, or the id" if other else "correct the id or remove the line"
    sample = " (or none in the sample that ingest.max_documents draws)" if is_sample and split == "train" else ""
    return [f"{split} has no document {doc_id!r}{sample}; {mend}"]


def normalise_name(name: str) -> str:
    """Return a class name with single spaces in place of underscores."""
    return " ".join(name.replace("_", " ").split())


class ClassReader:
    """Reads label sets that people wrote, and writes them so that people can read them.

    A set is one or several parts with `;` between them. A part is a class id, a class name (spaces or underscores; in
    any case of letters where that leaves one class), or a path of ids and names, `a > b > c`, that begins at a root.
    Whatever is an id means that class. A class gets the way to a root added where there is only one; where there are
    several, one of them has to be in the set by the other parts.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        """Gather the names."""
        self.taxonomy = taxonomy
        self._by_name: dict[str, list[int]] = {}
        self._by_letters: dict[str, list[int]] = {}
        for c, name in enumerate(taxonomy.names):
            self._by_name.setdefault(normalise_name(name), []).append(c)
            self._by_letters.setdefault(normalise_name(name).casefold(), []).append(c)

    def read(self, text: str) -> tuple[set[int], list[str]]:
        """Return the classes that `text` means, a union of paths, and what is wrong with it.

        The classes are of no use unless nothing is wrong.
        """
        # The whole first: a name may hold a semicolon.
        parts = [text] if self._find(text) else [part for part in map(str.strip, text.split(";")) if part]
        if not parts:
            return set(), ["no class; write one or several, with ; between them, or remove the line"]
        classes: set[int] = set()
        problems: list[str] = []
        for part in parts:
            found, wrong = self._read_part(part)
            classes |= found
            problems += wrong
        if not problems:
            problems = self._explain_loose(classes)
        return classes, problems

    def write(self, paths: Iterable[Sequence[int]]) -> str:
        """Return paths as `read` reads them: by names, or by ids where names would mean another path or several."""
        return "; ".join(self._write_path(path) for path in paths)

    # ------------------------------------------------------------------ reading

    def _find(self, text: str) -> list[int]:
        """Return the classes that an id or a name may mean."""
        if text in self.taxonomy.index:
            return [self.taxonomy.index[text]]
        name = normalise_name(text)
        return self._by_name.get(name) or self._by_letters.get(name.casefold(), [])

    def _read_part(self, part: str) -> tuple[set[int], list[str]]:
        found = self._find(part)
        if not found and ">" in part:
            return self._read_path(part)
        if not found:
            return set(), [self._explain_unknown(part)]
        if len(found) > 1:
            shown = self._show_paths(self.taxonomy.iterate_paths(found))
            return set(), [f"{len(found)} classes are called {part!r}; write the path: {shown}"]
        ways = list(islice(self.taxonomy.iterate_paths(found), 2))
        return set(ways[0]) if len(ways) == 1 else set(found), []

    def _read_path(self, part: str) -> tuple[set[int], list[str]]:
        """Follow the steps of a path, with every class that a name may mean."""
        steps = [step.strip() for step in part.split(">")]
        if not all(steps):
            return set(), [f"{part!r} has an empty step; write a > b > c"]
        meant = [self._find(step) for step in steps]
        if unknown := [step for step, found in zip(steps, meant, strict=True) if not found]:
            return set(), [self._explain_unknown(unknown[0], part)]
        paths, n_paths, n_steps = self._follow(meant)
        if not n_steps:
            shown = self._show_paths(self.taxonomy.iterate_paths(meant[0]))
            return set(), [f"{part!r} begins at {steps[0]!r}, which is no root; begin with {shown}"]
        if n_steps < len(steps):
            shown = self._show_paths(self.taxonomy.iterate_paths(meant[n_steps]))
            what = f"{steps[n_steps]!r} is not a child of {steps[n_steps - 1]!r}"
            return set(), [f"in {part!r}, {what}; correct the path, the ways to it: {shown}"]
        if n_paths > 1:
            return set(), [f"{part!r} may be {n_paths:,} paths; write it by ids: {self._show_ids(paths)}"]
        return set(paths[0]), []

    def _follow(self, meant: Sequence[Sequence[int]]) -> tuple[list[tuple[int, ...]], int, int]:
        """Return the first paths whose steps are among the classes meant at each, their number, the steps taken.

        Paths are counted class by class: one name at every step may stand for more paths than can be listed.
        """
        parents = self.taxonomy.parents
        ways = [{c: 1 for c in meant[0] if self.taxonomy.is_root[c]}]  # to each class that a step can end in
        for found in meant[1:]:
            if not ways[-1]:
                break
            counts = {c: sum(ways[-1].get(p, 0) for p in parents[c]) for c in found}
            ways.append({c: n for c, n in counts.items() if n})
        if not ways[-1]:
            return [], 0, len(ways) - 1
        paths: list[tuple[int, ...]] = [()]
        for step in reversed(ways):  # from the end: each way that is begun there is one from a root
            longer = ((c, *path) for path in paths for c in step if not path or c in parents[path[0]])
            paths = list(islice(longer, MAX_SHOWN + 1))
        return paths, sum(ways[-1].values()), len(meant)

    def _explain_unknown(self, text: str, path: str = "") -> str:
        decimal = DECIMAL.fullmatch(text)
        if decimal and decimal[1] in self.taxonomy.index:
            return f"class {text!r} is {decimal[1]!r} written as a number; write {decimal[1]}, ids are text"
        place = f", in {path!r}" if path else ""
        return f"unknown class {text!r}{place}; use an id or a name of classes.txt"

    def _explain_loose(self, classes: set[int]) -> list[str]:
        """Return one line for each class to which no way from a root lies in the set."""
        chained: set[int] = set()
        problems = []
        for c in self.taxonomy.topological_order:
            if c not in classes:
                continue
            if self.taxonomy.is_root[c] or not chained.isdisjoint(self.taxonomy.parents[c]):
                chained.add(c)
            else:
                shown = self._show_paths(self.taxonomy.iterate_paths([c]))
                problems.append(f"several ways lead to {self.taxonomy.spoken_name(c)!r}; write the path: {shown}")
        return problems

    # ------------------------------------------------------------------ writing

    def _write_path(self, path: Sequence[int]) -> str:
        names = [self.taxonomy.spoken_name(c) for c in path]
        written = " > ".join(names)
        plain = not any(mark in name for name in names for mark in ";>")
        whole = self._find(written)  # a class may be called `a > b`
        followed = self._follow([self._find(name) for name in names])
        if plain and followed == ([tuple(path)], 1, len(path)) and whole in ([], list(path)):
            return written
        return " > ".join(self.taxonomy.class_ids[c] for c in path)

    def _show_paths(self, paths: Iterable[Sequence[int]]) -> str:
        some = list(islice(paths, MAX_SHOWN + 1))
        shown = ", or ".join(f"`{self._write_path(path)}`" for path in some[:MAX_SHOWN])
        return f"{shown}, or others" if len(some) > MAX_SHOWN else shown

    def _show_ids(self, paths: Sequence[Sequence[int]]) -> str:
        shown = (f"`{' > '.join(self.taxonomy.class_ids[c] for c in path)}`" for path in paths[:MAX_SHOWN])
        return ", or ".join(shown) + (", or others" if len(paths) > MAX_SHOWN else "")
