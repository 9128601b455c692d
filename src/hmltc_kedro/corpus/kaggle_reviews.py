"""Reviews of the set that Amazon-531 was drawn from, as Kaggle has it, laid out as the dataset `amazon531_kaggle`.

The set is https://www.kaggle.com/datasets/kashnitsky/hierarchical-text-classification. Classes, hierarchy and keywords
are TELEClass' (see `amazon531`), and the texts get the look of the benchmark's. Of `train_40k.csv` only texts are read:
no stage may know the labels of a training document, not even to choose it. `val_10k.csv` gives the test documents and
their gold labels.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from textwrap import shorten

from hmltc_kedro.atomic import write_folder
from hmltc_kedro.corpus.amazon531 import (
    CLASSES,
    GOLD,
    HIERARCHY,
    KEYWORDS,
    PAPER,
    TEST,
    TRAIN,
    Counts,
    SourceFile,
    check_counts,
)
from hmltc_kedro.corpus.new_dataset import write_lines
from hmltc_kedro.corpus.raw_files import Columns, read_csv_records, read_header, read_text_table
from hmltc_kedro.corpus.raw_taxonomy import build_taxonomy
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy

DATASET = "amazon531_kaggle"
"""Not `amazon531`: these are other documents of the same corpus, and figures on them are not the benchmark's."""

FILES = {"train": "train_40k.csv", "test": "val_10k.csv"}
"""By split."""

TEXTS = ("Title", "Text")

CATEGORIES = ("Cat1", "Cat2", "Cat3")

ClassesBelow = Mapping[tuple[str | None, str], str]
"""A class's id by its parent's, None for a root, and its own name: one name may be in several places."""

NO_CLASS = ("", "unknown")
"""What stands for a third class where there is none."""

TOKEN = re.compile(r"""n't\b|'(?:s|m|d|ll|re|ve)\b|\.+|[,!?()"']|[a-z0-9]+?(?=n't\b)|[a-z0-9]+""")
"""What is a token of the benchmark's texts, in lower case; all else, such as `-`, `/`, `&`, `$` and `%`, parts tokens.

Found on 13,140 of its texts, none of which these rules change. They are not those of `augmentation/style`, which brings
clean prose near any corpus: here decimals are parted (`2 . 5 oz`), and exclamation marks (`! !`), but no dots (`...`).
"""


class Fate(Enum):
    """What becomes of a review; the value says why."""

    TEXT = "as texts without labels"
    THREE = "with three classes"
    TWO = "with two classes: there is no third"
    CUT = "with two classes: the third is not below the second in the hierarchy"
    NO_TEXT = "without a text"
    NO_ROOT = "whose first class is no root of the hierarchy"
    NO_EDGE = "whose second class is not below the first in the hierarchy"


DROPPED = (Fate.NO_TEXT, Fate.NO_ROOT, Fate.NO_EDGE)


@dataclass(frozen=True, eq=False)
class Reviews:
    """What is in a file.

    Attributes:
        path: of the file.
        texts: (doc_id, text) of the reviews that are kept; a document's id is its number in the file, from 0.
        labels: (doc_id, class ids with commas) of the same; none for training documents.
        fates: the lines on which the reviews of each fate begin.
    """

    path: Path
    texts: list[tuple[str, str]] = field(default_factory=list)
    labels: list[tuple[str, str]] = field(default_factory=list)
    fates: dict[Fate, list[int]] = field(default_factory=lambda: {fate: [] for fate in Fate})

    def describe(self) -> list[str]:
        """Return lines for people: how many there are, and how many of each fate."""
        total = sum(map(len, self.fates.values()))
        lines = [f"{self.path.name}: {total:,} reviews, {len(self.texts):,} kept"]
        for fate, found in self.fates.items():
            if found:
                verb = "dropped" if fate in DROPPED else "kept"
                where = f" (the first on line {found[0]:,})" if fate not in (Fate.TEXT, Fate.THREE) else ""
                lines.append(f"  {verb:7} {len(found):6,} {fate.value}{where}")
        return lines


@dataclass(frozen=True, eq=False)
class Prepared:
    """What `prepare_reviews` made."""

    counts: Counts
    parts: Mapping[str, Reviews]

    def describe(self) -> list[str]:
        """Return lines for people."""
        return [str(self.counts), *(line for part in self.parts.values() for line in part.describe())]


def holds_reviews(folder: Path) -> bool:
    """Tell whether a folder has a file of Kaggle's, and so is meant to be its copy."""
    return any((folder / name).is_file() for name in FILES.values())


def prepare_reviews(source: Path, prepared: Path, target: Path, expected: Counts = PAPER) -> Prepared:
    """Write the raw files of a dataset; all of them or none, and never over what is there.

    Args:
        source: folder with `train_40k.csv` and `val_10k.csv`. It may hold `labels.txt`, `label_hierarchy.txt` and
            `train/llm_enrichment.txt` of TELEClass as well.
        prepared: folder of the raw dataset amazon531, whose taxonomy is taken where `source` has none.
        target: folder of the raw dataset, which is made.
        expected: how many classes and edges there must be.

    Raises:
        InputError: the dataset is there already, a file or column is missing, a line cannot be read or would be refused
            by `ingest`, the taxonomy is not of the expected size, or no review of a file can be kept.
    """
    taken = InputError(f"{target}: there already; move it away or delete it")
    if target.exists():
        raise taken
    if missing := [source / name for name in FILES.values() if not (source / name).is_file()]:
        wanted = "get it from https://www.kaggle.com/datasets/kashnitsky/hierarchical-text-classification"
        raise InputError.from_problems([f"{path}: no such file; {wanted}" for path in missing])
    files = _find_taxonomy(source, prepared)
    taxonomy = _read_taxonomy(files, expected)
    parts = {"train": read_reviews(source / FILES["train"]), "test": read_reviews(source / FILES["test"], taxonomy)}
    with write_folder(target) as folder:
        _write_files(folder, files, parts)
        if target.exists():
            raise taken
    counts = Counts(len(taxonomy), taxonomy.n_edges, *(len(part.texts) for part in parts.values()))
    return Prepared(counts, parts)


def _find_taxonomy(source: Path, prepared: Path) -> dict[SourceFile, Path]:
    """Return where classes, hierarchy and keywords lie: beside the reviews, or in the dataset amazon531."""
    tables = (CLASSES, HIERARCHY, KEYWORDS)
    places = ({file: source / file.name for file in tables}, {file: prepared / file.raw_name for file in tables})
    for files in places:
        if any(path.is_file() for path in files.values()):
            if missing := [path for path in files.values() if not path.is_file()]:
                raise InputError.from_problems([f"{path}: no such file; copy TELEClass' there" for path in missing])
            return files
    names = ", ".join(file.name for file in tables)
    raise InputError(
        f"{source}: no classes: {names} of TELEClass' data/Amazon-531 are not there, and {prepared} is not prepared; "
        "copy these files beside the reviews, or run `kedro prepare-amazon531` on TELEClass' folder first"
    )


def _read_taxonomy(files: Mapping[SourceFile, Path], expected: Counts) -> Taxonomy:
    tables = {file: read_text_table(path, file.separator) for file, path in files.items()}
    # Not the keywords: those of the dataset amazon531 may have been edited.
    check_counts({file: tables[file] for file in (CLASSES, HIERARCHY)}, expected)
    return build_taxonomy(tables[CLASSES], tables[HIERARCHY], tables[KEYWORDS])


def read_reviews(path: Path, taxonomy: Taxonomy | None = None) -> Reviews:
    """Return the reviews of a CSV file of Kaggle's, tokenised.

    Args:
        path: the file, with the columns Title and Text.
        taxonomy: read labels as well, by the names in the columns Cat1, Cat2 and Cat3: a path from a root, of which
            the first two classes are kept where the third is none, or not below the second.

    Raises:
        InputError: a column is missing, a line cannot be read, or no review can be kept.
    """
    columns = _choose_columns(path, TEXTS if taxonomy is None else TEXTS + CATEGORIES)
    below = None if taxonomy is None else _index_names(taxonomy)
    found, problems = Reviews(path), []
    for number, (line, record, problem) in enumerate(read_csv_records(path, columns)):
        if problem:
            problems.append(f"{path}:{line}: {problem}")
            continue
        text = tokenise(" ".join(record[name] for name in TEXTS))
        fate, class_ids = _judge(text, record, below)
        found.fates[fate].append(line)
        if fate not in DROPPED:
            found.texts.append((str(number), text))
        if class_ids:
            found.labels.append((str(number), ",".join(class_ids)))
    if problems:
        raise InputError.from_problems(problems)
    if not found.texts:
        reasons = [" ".join(line.split()) for line in found.describe()[1:]]
        raise InputError("; ".join([f"{path}:1: no review to keep", *reasons, f"give Kaggle's {path.name}"]))
    return found


def tokenise(text: str) -> str:
    """Return a text in the form of the benchmark's: lower case, a space between tokens (`TOKEN`).

    HTML entities stay undecoded, as there: `&#34;` is the word `34`.
    """
    return " ".join(TOKEN.findall(text.lower()))


def _choose_columns(path: Path, names: Sequence[str]) -> Columns:
    """Return these columns; where one is missing, the message says which ones there are."""
    there = shorten(", ".join(read_header(path)), 200, placeholder=" ...") or "none"
    return Columns((), tuple(names), owner=f"there are: {there}; Kaggle's {path.name} has")


def _index_names(taxonomy: Taxonomy) -> ClassesBelow:
    ids, names = taxonomy.class_ids, [_simplify(name) for name in taxonomy.names]
    below: dict[tuple[str | None, str], str] = {(None, names[c]): ids[c] for c in taxonomy.roots}
    for parent, children in enumerate(taxonomy.children):
        below.update({(ids[parent], names[c]): ids[c] for c in children})
    return below


def _simplify(name: str) -> str:
    """Return a class's name without capitals and with one space for what is neither letter nor digit."""
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))


def _judge(text: str, record: Mapping[str, str], below: ClassesBelow | None) -> tuple[Fate, tuple[str, ...]]:
    """Return the fate of a review and its classes' ids, none without `below` and for a review that is dropped."""
    if not text:
        return Fate.NO_TEXT, ()
    if below is None:
        return Fate.TEXT, ()
    first, second, third = (_simplify(record[name]) for name in CATEGORIES)
    if (root := below.get((None, first))) is None:
        return Fate.NO_ROOT, ()
    if (child := below.get((root, second))) is None:
        return Fate.NO_EDGE, ()
    if third in NO_CLASS:
        return Fate.TWO, (root, child)
    last = below.get((child, third))
    return (Fate.CUT, (root, child)) if last is None else (Fate.THREE, (root, child, last))


def _write_files(folder: Path, taxonomy: Mapping[SourceFile, Path], parts: Mapping[str, Reviews]) -> None:
    for file, path in taxonomy.items():
        shutil.copyfile(path, folder / file.raw_name)
    for file, rows in ((TRAIN, parts["train"].texts), (TEST, parts["test"].texts), (GOLD, parts["test"].labels)):
        write_lines(folder / file.raw_name, rows, file.separator)
