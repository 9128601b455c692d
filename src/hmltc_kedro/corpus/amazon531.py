"""Amazon-531 as TELEClass publishes it: checked, and laid out as the dataset `amazon531`.

The published folder, `data/Amazon-531` of https://github.com/yzhan238/TELEClass, holds the tables of
`data/01_raw/<dataset>` under other names and in the same form. So its files are read and checked by what `ingest`
reads and checks them with, and copied byte by byte: what is written here ingests.
"""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hmltc_kedro.atomic import write_file
from hmltc_kedro.corpus.gold_labels import read_gold_labels
from hmltc_kedro.corpus.raw_documents import build_documents
from hmltc_kedro.corpus.raw_files import RawTable, read_text_table
from hmltc_kedro.corpus.raw_taxonomy import build_taxonomy
from hmltc_kedro.errors import InputError

MEND = "get the folder data/Amazon-531 of https://github.com/yzhan238/TELEClass again"


@dataclass(frozen=True)
class Counts:
    """How large the dataset is."""

    classes: int
    edges: int
    train_documents: int
    test_documents: int

    def __str__(self) -> str:
        return (
            f"{self.classes:,} classes, {self.edges:,} edges, "
            f"{self.train_documents:,} training and {self.test_documents:,} test documents"
        )


PAPER = Counts(classes=531, edges=568, train_documents=29_487, test_documents=19_658)
"""The size the paper and TELEClass report."""


@dataclass(frozen=True)
class SourceFile:
    """A published file.

    Attributes:
        name: in the published folder.
        raw_name: in the folder of the raw dataset.
        content: what its lines are, for messages.
        count: the field of `Counts` that says how many there are.
        separator: between key and value.
    """

    name: str
    raw_name: str
    content: str
    count: str
    separator: str = "\t"


CLASSES = SourceFile("labels.txt", "classes.txt", "classes", "classes")


HIERARCHY = SourceFile("label_hierarchy.txt", "class_hierarchy.txt", "edges", "edges")


KEYWORDS = SourceFile(
    "train/llm_enrichment.txt", "class_related_keywords.txt", "classes with keywords", "classes", separator=":"
)


TRAIN = SourceFile("train/corpus.txt", "train/train_corpus.txt", "documents", "train_documents")


TEST = SourceFile("test/corpus.txt", "test/test_corpus.txt", "documents", "test_documents")


GOLD = SourceFile("test/doc2labels.txt", "test/doc2labels.txt", "documents with labels", "test_documents")


FILES = (CLASSES, HIERARCHY, KEYWORDS, TRAIN, TEST, GOLD)
"""All that is read. `train/doc2labels.txt` is not: no stage may know the labels of a training document."""


@dataclass(frozen=True)
class Prepared:
    """What `prepare` found and did; the names are those in the target folder."""

    counts: Counts
    written: tuple[str, ...]
    unchanged: tuple[str, ...]


def prepare(source: Path, target: Path, expected: Counts = PAPER) -> Prepared:
    """Check a copy of the published folder and write it as a raw dataset.

    Nothing is written unless everything is in order. A file that is there already is left alone if it is the same
    and refused if it differs: it may hold edited keywords. A file appears whole or not at all; after an interruption
    the same call writes what is missing.

    Args:
        source: folder with `labels.txt`, `label_hierarchy.txt`, `train/llm_enrichment.txt`, `train/corpus.txt`,
            `test/corpus.txt` and `test/doc2labels.txt`.
        target: folder of the raw dataset; made if need be.
        expected: how many of each there must be.

    Raises:
        InputError: a missing folder or file, a line that `ingest` would refuse, a count that is not the expected one,
            or a file in the target that differs.
    """
    _check_presence(source)
    _check_content({file: read_text_table(source / file.name, file.separator) for file in FILES}, expected)
    missing = [file for file in FILES if not (target / file.raw_name).exists()]
    present = [file for file in FILES if file not in missing]
    problems = [
        f"{target / file.raw_name}: there already and not the same as {source / file.name}; move it away or delete it"
        for file in present
        if not filecmp.cmp(source / file.name, target / file.raw_name, shallow=False)
    ]
    if problems:
        raise InputError.from_problems(problems)
    _copy_into_place({source / file.name: target / file.raw_name for file in missing})
    return Prepared(expected, tuple(f.raw_name for f in missing), tuple(f.raw_name for f in present))


def _check_presence(source: Path) -> None:
    if not source.is_dir():
        raise InputError(
            f"{source}: no such folder; give the folder data/Amazon-531 of a TELEClass clone, "
            "or one with Kaggle's train_40k.csv and val_10k.csv"
        )
    if missing := [source / file.name for file in FILES if not (source / file.name).is_file()]:
        raise InputError.from_problems(
            [f"{path}: no such file; give the folder data/Amazon-531 of a TELEClass clone" for path in missing]
        )


def _check_content(tables: Mapping[SourceFile, RawTable], expected: Counts) -> None:
    """Raise an InputError for what is wrong, the likeliest cause first.

    Unreadable lines, then counts, then meaning: a class list cut short would otherwise be reported as a hierarchy
    full of unknown classes.
    """
    check_counts(tables, expected)
    taxonomy = build_taxonomy(tables[CLASSES], tables[HIERARCHY], tables[KEYWORDS])
    corpora = {"train": tables[TRAIN], "test": tables[TEST]}
    documents, rejected = build_documents(corpora, skip_invalid=True)
    if len(rejected):
        columns = (rejected[c] for c in ("split", "line", "reason"))
        raise InputError.from_problems([f"{corpora[s].at(n)}: {r}" for s, n, r in zip(*columns, strict=True)])
    test_ids = set(documents.loc[documents["split"] == "test", "doc_id"])
    read_gold_labels(tables[GOLD], taxonomy, test_ids)


def check_counts(tables: Mapping[SourceFile, RawTable], expected: Counts) -> None:
    """Raise an InputError for unreadable lines, and for tables that have not as many lines as they should."""
    for table in tables.values():
        table.raise_problems()
    wrong = [
        f"{table.path}: {len(table.rows):,} {file.content} where Amazon-531 has {wanted:,}; {MEND}"
        for file, table in tables.items()
        if len(table.rows) != (wanted := getattr(expected, file.count))
    ]
    if wrong:
        raise InputError.from_problems(wrong)


def _copy_into_place(files: Mapping[Path, Path]) -> None:
    """Copy to temporary names beside the targets first, so that all files appear at once or nearly so."""
    with ExitStack() as stack:
        for source, final in files.items():
            shutil.copyfile(source, stack.enter_context(write_file(final)))
