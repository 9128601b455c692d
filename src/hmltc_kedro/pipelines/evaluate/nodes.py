"""Nodes of the stage `evaluate`."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from hmltc_kedro.annotation.rounds import PERSON
from hmltc_kedro.corpus.gold_labels import align_gold_labels, read_gold_labels
from hmltc_kedro.corpus.raw_documents import select_split
from hmltc_kedro.corpus.raw_files import RawTable
from hmltc_kedro.corpus.tensors import TensorTable, document_keys
from hmltc_kedro.decoding.best_classes import open_probabilities
from hmltc_kedro.evaluation import error_analysis, scores
from hmltc_kedro.pseudo_labels.candidates import find_nearest_class
from hmltc_kedro.taxonomy import Taxonomy

logger = logging.getLogger(__name__)


def predict_zero_shot(
    documents: pd.DataFrame,
    document_embeddings: TensorTable,
    class_embeddings: TensorTable,
    taxonomy: Taxonomy,
) -> pd.DataFrame:
    """Label each test document with its nearest class and its ancestors: what training has to beat."""
    document_embeddings.check_rows(document_keys(documents["split"], documents["doc_id"]), "document_embeddings")
    class_embeddings.check_rows(taxonomy.class_ids, "class_embeddings")
    is_test = (documents["split"] == "test").to_numpy()
    best = find_nearest_class(document_embeddings["vectors"][is_test], np.asarray(class_embeddings["text"]))
    labels = taxonomy.close_ancestors(taxonomy.to_matrix([[taxonomy.class_ids[c]] for c in best]))
    return pd.DataFrame(
        {"doc_id": select_split(documents, "test")["doc_id"], "class_ids": taxonomy.to_label_sets(labels)}
    )


def evaluate_predictions(
    gold_labels: RawTable,
    predictions: pd.DataFrame,
    class_probabilities: TensorTable,
    zero_shot_predictions: pd.DataFrame,
    taxonomy: Taxonomy,
    seed: int,
) -> dict[str, Any]:
    """Measure predictions and zero-shot baseline against gold, but for what people labelled; judged documents apart."""
    class_probabilities.check_rows(list(predictions["doc_id"]), "class_probabilities")
    class_probabilities.check_columns(taxonomy.class_ids, "class_probabilities")
    gold = align_gold_labels(gold_labels, taxonomy, list(predictions["doc_id"]))
    gold = gold.leave_out((predictions["source"].iloc[gold.rows] == PERSON).to_numpy())
    known, found = predictions.iloc[gold.rows], gold.labels[gold.labelled]
    predicted, baseline = taxonomy.to_matrix(known["class_ids"]), zero_shot_predictions.set_index("doc_id")["class_ids"]
    nearest = taxonomy.to_matrix(baseline.loc[known["doc_id"]])
    probabilities = open_probabilities(class_probabilities, gold.rows)
    result = scores.evaluate(gold.labels, gold.fill(predicted), probabilities, taxonomy, seed, gold.labelled)
    if not len(gold):
        return {**result, "by_source": {}, "zero_shot": None}
    sources = {name: (known["source"] == name).to_numpy() for name in sorted(set(known["source"]))}
    return {
        **result,
        "by_source": {n: scores.evaluate_sets(found[m], predicted[m], seed) for n, m in sources.items()},
        "zero_shot": scores.evaluate_sets(gold.labels, gold.fill(nearest), seed),
    }


def trace_cases(
    gold_labels: RawTable,
    documents: pd.DataFrame,
    predictions: pd.DataFrame,
    class_probabilities: TensorTable,
    taxonomy: Taxonomy,
) -> pd.DataFrame:
    """Show for each test document with gold labels where the search left the right branch, and by how much."""
    gold = read_gold_labels(gold_labels, taxonomy, doc_ids=None)
    rows = np.flatnonzero(predictions["doc_id"].isin(gold))
    known = predictions.iloc[rows].reset_index(drop=True)
    table = error_analysis.trace_cases(
        select_split(documents, "test").set_index("doc_id").loc[known["doc_id"]].reset_index(),
        [gold[i] for i in known["doc_id"]],
        known,
        open_probabilities(class_probabilities, rows),
        taxonomy,
    )
    shares = error_analysis.summarise_errors(table["first_wrong_level"].to_numpy(), table["sample_f1"].to_numpy())
    shown = ", ".join(f"{level}: {share:.1%}" for level, share in shares.items())
    logger.info("Lost sample-F1 by first wrong level: %s", shown or "nothing")
    return table
