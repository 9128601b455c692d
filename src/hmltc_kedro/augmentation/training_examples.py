"""What the classifier is trained on: silver and synthetic documents, each with a weight."""

from __future__ import annotations

import pandas as pd

from hmltc_kedro.errors import InputError


def build_examples(
    documents: pd.DataFrame,
    silver_labels: pd.DataFrame,
    synthetic_documents: pd.DataFrame,
    *,
    synthetic_weight: float,
    synthetic_ancestors: bool,
) -> pd.DataFrame:
    """Return split, doc_id, text, class_ids, weight: kept silver documents, then synthetic ones.

    Args:
        documents: the corpus.
        silver_labels: of the corpus, in any order.
        synthetic_documents: with class_ids root first, ending in the class they were written for.
        synthetic_weight: of every synthetic document; a silver one weighs 1.
        synthetic_ancestors: whether the whole path of a synthetic document is positive. False is a deviation of the
            paper's published code, which trains the ancestors as negatives: class_ids then holds the class alone,
            the one label set in the project that is not path-consistent.

    Raises:
        InputError: there is nothing to train on.
    """
    silver = documents.merge(silver_labels[silver_labels["kept"]], on=["split", "doc_id"], validate="one_to_one")
    if silver.empty and synthetic_documents.empty:
        raise InputError("no silver label is kept and there is no synthetic document; lower pseudo_label.gap.value")
    synthetic = synthetic_documents.assign(weight=synthetic_weight)
    if not synthetic_ancestors:
        synthetic["class_ids"] = [list(path[-1:]) for path in synthetic["class_ids"]]
    columns = ["split", "doc_id", "text", "class_ids", "weight"]
    parts = [silver.assign(weight=1.0), synthetic]
    return pd.concat([part[columns] for part in parts if len(part)], ignore_index=True)
