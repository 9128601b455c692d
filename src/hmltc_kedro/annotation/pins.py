"""What was said of a document stands in its prediction as it is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hmltc_kedro.annotation.rounds import PERSON, select_teaching
from hmltc_kedro.arrays import AnyArray
from hmltc_kedro.decoding.expected_f1 import trace_label_sets
from hmltc_kedro.modeling.predictions import ACCEPT, REVIEW, predictions_to_frame
from hmltc_kedro.taxonomy import Taxonomy

MODEL = "model"
"""Source of a prediction that the classifier made."""


def pin_annotations(
    predictions: pd.DataFrame, annotations: pd.DataFrame, probabilities: AnyArray, taxonomy: Taxonomy
) -> pd.DataFrame:
    """Return the predictions with a column `source`, annotated documents with the label sets that they were given.

    A person's label set is accepted without review, a model's if it was sure of it. A document that no path is right
    for, as its judge said, keeps its prediction, fits no class and is up for review.

    Args:
        predictions: n rows, columns doc_id, class_ids, names, paths, scores, probabilities, fits, decision.
        annotations: of test documents.
        probabilities: of the n documents, any float dtype, shape (n, C); they give the paths' scores.
        taxonomy: of C classes.
    """
    pinned = predictions.assign(source=MODEL)
    place = pd.Index(predictions["doc_id"])
    taught = select_teaching(annotations)
    rows = place.get_indexer(taught["doc_id"])
    labels = taxonomy.to_matrix(taught["class_ids"])
    own = np.asarray(probabilities[rows])
    known = predictions_to_frame(trace_label_sets(labels, own, taxonomy), own, taxonomy)
    sure = (taught["source"] == PERSON) | (taught["confidence"] == "high")
    decision = np.where(predictions["decision"].iloc[rows] == "", "", np.where(sure, ACCEPT, REVIEW))
    known = known.assign(fits=True, decision=decision, source=taught["source"])
    known.index = pinned.index[rows]
    for name in known.columns:
        pinned.loc[known.index, name] = known[name]
    nothing = (annotations["class_ids"].map(len) == 0) & (annotations["error"] == "")
    fits_none = predictions["doc_id"].isin(annotations.loc[nothing, "doc_id"])
    pinned.loc[fits_none, "fits"] = False
    pinned.loc[fits_none & (predictions["decision"] != ""), "decision"] = REVIEW
    return pinned
