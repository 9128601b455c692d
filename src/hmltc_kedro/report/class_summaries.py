"""What the page says of classes: their silver labels, predictions, and which are starved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hmltc_kedro.report.entries import RunEntries
from hmltc_kedro.report.summaries import MAX_ROWS, count_synthetic, read_rows, shorten
from hmltc_kedro.taxonomy import Taxonomy

MAX_PER_CLASS = 50
"""Predictions on the page with the same best class."""


PER_SAMPLE = 4
"""Silver labels shown of each kind."""


MAX_TAKERS = 10
"""Classes listed that take documents from others."""


def list_classes(run: RunEntries) -> list[dict[str, Any]]:
    """Return one row a class, at most `MAX_ROWS`: its path, counts of documents, keywords and description."""
    predicted = count_predictions(run.predictions)
    written = count_synthetic(run.synthetic_documents)
    described = run.class_descriptions.head(MAX_ROWS)
    rows = zip(
        read_rows(run.label_statistics.head(MAX_ROWS)),
        run.enriched_taxonomy.keywords[:MAX_ROWS],
        described["description"],
        described["source"],
        strict=True,
    )
    return [
        {
            "id": row["class_id"],
            "path": row["path"],
            "silver": row["n_documents"],
            "status": "empty" if row["empty"] else "starved" if row["starved"] else "enough",
            "synthetic": written[row["class_id"]],
            "predicted": predicted[row["class_id"]],
            "keywords": ", ".join(keywords),
            "description": description,
            "source": source,
        }
        for row, keywords, description, source in rows
    ]


def count_predictions(predictions: pd.DataFrame) -> Counter[str]:
    """Return for each class the number of test documents whose label set has it."""
    return Counter(predictions["class_ids"].explode().dropna())


def count_by_level(statistics: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row a level: level, classes, median, largest (silver documents a class), starved, empty."""
    return [
        {
            "level": level,
            "classes": len(here),
            "median": float(here["n_documents"].median()),
            "largest": int(here["n_documents"].max()),
            "starved": int(here["starved"].sum()),
            "empty": int(here["empty"].sum()),
        }
        for level, here in statistics.groupby("level")
    ]


def rank_classes(statistics: pd.DataFrame, n: int) -> dict[str, list[dict[str, Any]]]:
    """Return the `n` largest classes, and the `n` smallest that have a silver document; largest first."""
    ranked = statistics.sort_values("n_documents", ascending=False, kind="stable")
    columns = ["path", "n_documents", "starved"]
    return {
        "largest": read_rows(ranked[columns].head(n)),
        "smallest": read_rows(ranked.loc[ranked["n_documents"] > 0, columns].tail(n)),
    }


def count_by_confidence(silver: pd.DataFrame, n_bins: int = 24) -> tuple[list[str], dict[str, list[int]]]:
    """Return the histogram of the gaps up to the 99th percentile: lower edges of the bins, counts kept and dropped."""
    gaps = silver["confidence"].to_numpy(np.float64)
    high = float(np.quantile(gaps, 0.99)) if len(gaps) else 1.0
    low = min(float(gaps.min(initial=0.0)), 0.0)
    edges = np.linspace(low, high if high > low else low + 1.0, n_bins + 1)
    kept = silver["kept"].to_numpy(bool)
    counts = {
        name: np.histogram(np.minimum(gaps[m], edges[-1]), edges)[0] for name, m in (("kept", kept), ("dropped", ~kept))
    }
    names = [f"{edge:.2g}" if k % 6 == 0 else "" for k, edge in enumerate(edges[:-1])]
    return names, {name: values.tolist() for name, values in counts.items()}


def sample_silver_labels(run: RunEntries) -> list[dict[str, Any]]:
    """Return silver labels at five places of the ranking by confidence: name and rows (text, paths, confidence).

    The surest, the middle and the least sure of those kept; the surest and the least sure of those dropped.
    """
    ranked = run.silver_labels.sort_values("confidence", ascending=False, kind="stable")
    kept, dropped = ranked[ranked["kept"]], ranked[~ranked["kept"]]
    middle = max(0, (len(kept) - PER_SAMPLE) // 2)
    places = {
        "The surest": kept.head(PER_SAMPLE),
        "In the middle of those kept": kept.iloc[middle : middle + PER_SAMPLE],
        "Only just kept": kept.tail(PER_SAMPLE),
        "Only just dropped": dropped.head(PER_SAMPLE),
        "The least sure of all": dropped.tail(PER_SAMPLE),
    }
    groups, seen = [], set[int]()
    for name, rows in places.items():
        rows = rows[~rows.index.isin(seen)]  # a small corpus has the same document at several places
        seen |= set(rows.index)
        shown = rows.merge(run.documents, on=["split", "doc_id"], how="left")
        groups.append({"name": name, "rows": [_show_label(row, run.taxonomy) for row in read_rows(shown)]})
    return groups


def _show_label(row: dict[str, Any], taxonomy: Taxonomy) -> dict[str, Any]:
    return {
        "id": f"{row['split']} {row['doc_id']}",
        "text": shorten(row["text"]),
        "paths": show_paths(row["class_ids"], taxonomy),
        "confidence": row["confidence"],
    }


def show_paths(class_ids: Sequence[str], taxonomy: Taxonomy) -> list[str]:
    """Return the root-to-node paths that a label set is the union of, as people read them."""
    paths = taxonomy.paths_within([taxonomy.index[i] for i in class_ids])
    return [" > ".join(map(taxonomy.spoken_name, path)) for path in paths]


def list_starved(run: RunEntries) -> list[dict[str, Any]]:
    """Return one row a starved class, at most `MAX_ROWS`: what it had, what was written for it, what came of it."""
    predicted = count_predictions(run.predictions)
    synthetic = run.synthetic_documents
    synthetic = synthetic.assign(target=[path[-1] for path in synthetic["class_ids"]])
    written = {str(target): rows for target, rows in synthetic.groupby("target")}
    rows = []
    for row in read_rows(run.starved_classes.head(MAX_ROWS)):
        own = written.get(row["class_id"], synthetic.iloc[:0])
        rows.append(
            {
                "path": run.taxonomy.labels[run.taxonomy.index[row["class_id"]]],
                "silver": row["n_documents"],
                "synthetic": len(own),
                "source": ", ".join(dict.fromkeys(own["source"])),
                "example": shorten(own["text"].iloc[0]) if len(own) else "",
                "predicted": predicted[row["class_id"]],
            }
        )
    return rows


def list_takers(run: RunEntries) -> list[dict[str, Any]]:
    """Return the `MAX_TAKERS` classes that take most documents from others: one row of `class_diagnostics` each.

    `other` is the path of the class that they take most from.
    """
    rows = run.class_diagnostics.sort_values("n_taken", ascending=False, kind="stable").head(MAX_TAKERS)
    paths = run.class_diagnostics.set_index("class_id")["path"]
    return [row | {"other": paths[row["taken_from"]]} for row in read_rows(rows[rows["n_taken"] > 0])]
