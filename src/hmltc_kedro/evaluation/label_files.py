"""Two files of labels against each other: `python -m hmltc_kedro.metrics GOLD PREDICTIONS`."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hmltc_kedro.corpus.csv_cells import restore_cell
from hmltc_kedro.corpus.raw_files import read_text_table
from hmltc_kedro.errors import InputError
from hmltc_kedro.evaluation.scores import evaluate_hierarchy, evaluate_sets
from hmltc_kedro.taxonomy import Taxonomy

CSV_HEADERS = {(a, b) for a in ("id", "doc_id") for b in ("labels", "label")}


def read_label_file(path: Path) -> dict[str, frozenset[str]]:
    """Return {doc_id: class ids} of a label file in either of its two forms.

    - `<doc_id>TAB<id>,<id>,...` lines, as the gold file;
    - CSV with a header `id,labels` (the paper's submission; `doc_id` and `label` are understood as
      well), the labels quoted and separated by commas.

    Blank lines are passed over; a document may have no label.

    Raises:
        InputError: with file and line: the file cannot be read, has no document, neither form, or a
            document twice.
    """
    try:
        with path.open("rb") as handle:
            first = next((line for line in handle if line.strip()), b"")
        rows = _read_tab_rows(path) if b"\t" in first else _read_csv_rows(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a label file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    labels: dict[str, frozenset[str]] = {}
    for line, doc_id, value in rows:
        if not doc_id:
            raise InputError(f"{path}:{line}: no document id; write <doc_id>TAB<id>,<id>,...")
        if doc_id in labels:
            raise InputError(f"{path}:{line}: document {doc_id!r} occurs above; join the lines")
        labels[doc_id] = frozenset(i.strip() for i in value.split(",") if i.strip())
    if not first:
        raise InputError(f"{path}: the file is empty; write <doc_id>TAB<id>,<id>,... lines")
    return labels


def _read_tab_rows(path: Path) -> list[tuple[int, str, str]]:
    """Return (line, key, value) of a `<key>TAB<value>` file; refuse it for its first bad line."""
    rows = read_text_table(path, "\t").rows
    bad = rows[rows["problem"].notna()]
    if len(bad):
        line, problem = int(bad["line"].iloc[0]), bad["problem"].iloc[0]
        more = f" ({len(bad)} lines are wrong)" if len(bad) > 1 else ""
        raise InputError(f"{path}:{line}: {problem}{more}")
    return list(zip(rows["line"].tolist(), rows["key"], rows["value"], strict=True))


def _read_csv_rows(path: Path) -> list[tuple[int, str, str]]:
    """Return (line, id, labels) of a submission file; refuse it for its first bad line."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.reader(handle, strict=True)
        try:
            rows = [(reader.line_num, [restore_cell(cell.strip()) for cell in row]) for row in reader]
        except csv.Error as error:
            raise InputError(f"{path}:{reader.line_num}: {error}; quote the labels") from error
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if not rows:
        return []
    line, header = rows[0]
    if tuple(cell.lower() for cell in header) not in CSV_HEADERS:
        raise InputError(f"{path}:{line}: neither <doc_id>TAB<id>,<id>,... lines nor a CSV headed id,labels")
    for line, cells in rows:
        if len(cells) != 2:
            raise InputError(f"{path}:{line}: {len(cells)} columns, not 2; put a document's labels in quotes")
    return [(line, cells[0], cells[1]) for line, cells in rows[1:]]


def evaluate_files(
    gold_path: Path, pred_path: Path, hierarchy_path: Path | None = None, seed: int = 42
) -> dict[str, Any]:
    """Return the metrics that label files alone give; see `evaluate` for the keys.

    The documents are those of the gold file: others in the prediction are left out, and those
    without a prediction have an empty one and are counted as `missing`. Without a hierarchy there
    is no path_consistency and no per_level.

    Args:
        gold_path: as `read_label_file`.
        pred_path: as `read_label_file`.
        hierarchy_path: `<parent_id>TAB<child_id>` lines; classes that are not there count as roots.
        seed: of the bootstrap.

    Raises:
        InputError: a file that cannot be used, or a gold file without a document.
    """
    gold, pred = read_label_file(gold_path), read_label_file(pred_path)
    if not gold:
        raise InputError(f"{gold_path}: no document; write <doc_id>TAB<id>,<id>,... lines")
    edges = _read_hierarchy(hierarchy_path) if hierarchy_path else []
    label_sets = [pred.get(doc_id, frozenset()) for doc_id in gold]
    taxonomy = _bare_taxonomy([*gold.values(), *label_sets], edges, hierarchy_path)
    gold_matrix, pred_matrix = taxonomy.to_matrix(gold.values()), taxonomy.to_matrix(label_sets)
    return {
        **evaluate_sets(gold_matrix, pred_matrix, seed),
        "missing": sum(doc_id not in pred for doc_id in gold),
        **(evaluate_hierarchy(gold_matrix, pred_matrix, taxonomy) if hierarchy_path else {}),
    }


def _read_hierarchy(path: Path) -> list[tuple[str, str]]:
    try:
        return [(parent, child) for _, parent, child in _read_tab_rows(path)]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a class hierarchy") from error


def _bare_taxonomy(label_sets: Iterable[Iterable[str]], edges: list[tuple[str, str]], path: Path | None) -> Taxonomy:
    """Return a taxonomy of every class id that occurs; ids stand in for names."""
    ids = {i for labels in label_sets for i in labels} | {i for edge in edges for i in edge}
    if not ids:
        ids = {"none"}  # nothing predicted, nothing gold: still a matrix needs a column
    try:
        return Taxonomy.from_edges([(i, i) for i in sorted(ids)], edges)
    except InputError as error:
        raise InputError(f"{path}: {str(error).splitlines()[0]}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the metrics of two label files as JSON; return 0, or 1 if a file cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m hmltc_kedro.metrics",
        description="Score predicted label sets against gold. "
        "Files: <doc_id>TAB<id>,<id>,... lines, or CSV with the header id,labels.",
    )
    parser.add_argument("gold", type=Path, metavar="GOLD")
    parser.add_argument("pred", type=Path, metavar="PRED")
    parser.add_argument("--hierarchy", type=Path, metavar="H", help="<parent_id>TAB<child_id> lines")
    parser.add_argument("--seed", type=int, default=42, help="of the interval (default 42)")
    options = parser.parse_args(arguments)
    try:
        metrics = evaluate_files(options.gold, options.pred, options.hierarchy, options.seed)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    if loose := metrics.get("loose_gold_sets"):
        print(
            f"Warning: {options.gold}: {loose} gold label sets lack parents of their classes, which costs predictions "
            "that have them; write each class with its way to a root",
            file=sys.stderr,
        )
    print(json.dumps(metrics, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
