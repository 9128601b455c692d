"""A raw dataset out of a file of classes and a pile of documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hmltc_kedro.atomic import write_folder
from hmltc_kedro.corpus.class_lists import ClassList
from hmltc_kedro.corpus.class_sources import CLASSES, HIERARCHY, KEYWORDS, read_classes
from hmltc_kedro.corpus.document_pile import Pile, read_pile
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy


@dataclass(frozen=True, eq=False)
class NewDataset:
    """What was made of what."""

    classes: ClassList
    taxonomy: Taxonomy
    pile: Pile
    parts: Mapping[str, pd.DataFrame]

    def describe(self) -> list[str]:
        """Return lines for people."""
        taxonomy, parts = self.taxonomy, self.parts
        shape = f"{len(taxonomy):,} of {self.classes.path} ({self.classes.form}), "
        shape += (
            f"{taxonomy.n_edges:,} edges, {taxonomy.depth} levels, {len(taxonomy.roots)} roots"
            if taxonomy.n_edges
            else "without a hierarchy"
        )
        first = self.pile.documents.iloc[0]
        text = first["text"] if len(first["text"]) <= 60 else first["text"][:57] + "..."
        lines = [
            f"classes    {shape}",
            f"documents  {len(parts['train']):,} train and {len(parts['test']):,} test ({self.pile.form})",
            f"the first  id {first['doc_id']}: {text}",
        ]
        remarks = {
            "classes with several parents": sum(len(parents) > 1 for parents in taxonomy.parents),
            "classes with other names, which are their keywords": len(self.classes.keywords),
            "names of several classes, which their parents tell apart": sum(
                n > 1 for n in Counter(taxonomy.names).values()
            ),
            "texts of several lines, which are one now": self.pile.n_joined,
        }
        return lines + [f"remark     {text}: {number:,}" for text, number in remarks.items() if number]


def make_dataset(
    target: Path,
    classes: Path,
    documents: Path,
    test_share: float = 0.2,
    seed: int = 42,
    id_column: str | None = None,
    text_columns: Sequence[str] = ("text",),
) -> NewDataset:
    """Write the raw files of a dataset; all of them or none, and never over what is there.

    Args:
        target: folder of the raw dataset, which is made.
        classes: see `class_sources.read_classes`.
        documents: see `document_pile.read_pile`.
        test_share: what part of the documents is `test`: those to label and to look at.
        seed: of the draw.
        id_column: of a table of documents.
        text_columns: of a table of documents.

    Raises:
        InputError: the dataset is there already, the share is none, or a file is not in order.
    """
    taken = InputError(f"{target}: there already; give another name, or move it away")
    if target.exists():
        raise taken
    if not 0 < test_share < 1:
        raise InputError(f"test share {test_share}: give a number between 0 and 1")
    found = read_classes(classes)
    taxonomy = found.build_taxonomy()
    pile = read_pile(documents, id_column, text_columns)
    made = NewDataset(found, taxonomy, pile, pile.split(test_share, seed))
    with write_folder(target) as part:
        _write_files(part, made)
        if target.exists():
            raise taken
    return made


def _write_files(folder: Path, made: NewDataset) -> None:
    taxonomy, ids = made.taxonomy, made.taxonomy.class_ids
    edges = ((ids[p], ids[c]) for c, parents in enumerate(taxonomy.parents) for p in parents)
    write_lines(folder / CLASSES, zip(ids, taxonomy.names, strict=True), "\t")
    write_lines(folder / HIERARCHY, edges, "\t")
    if keywords := made.classes.keywords:
        words = ((class_id, ",".join(found)) for class_id, found in keywords.items())
        write_lines(folder / KEYWORDS, words, ":")
    for split, documents in made.parts.items():
        rows = zip(documents["doc_id"], documents["text"], strict=True)
        write_lines(folder / split / f"{split}_corpus.txt", rows, "\t")


def write_lines(path: Path, rows: Iterable[tuple[str, str]], separator: str) -> None:
    """Write `<key><separator><value>` lines, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        handle.writelines(f"{key}{separator}{value}\n" for key, value in rows)
