"""Nodes of the stage `infer`."""

import logging
from typing import Any

import pandas as pd

from hmltc_kedro.annotation.pins import pin_annotations
from hmltc_kedro.corpus.raw_documents import select_split
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.decoding.best_classes import open_probabilities, store_probabilities
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.modeling.abstention import find_fitting
from hmltc_kedro.modeling.classifier import HierarchicalClassifier
from hmltc_kedro.modeling.predictions import decide, predictions_to_frame
from hmltc_kedro.modeling.student import Student
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder

logger = logging.getLogger(__name__)


def predict_probabilities(
    documents: pd.DataFrame,
    trained_classifier: HierarchicalClassifier,
    student: Student,
    encoder: TextEncoder,
    batch_size: int,
) -> TensorTable:
    """Give each class a probability for each test document; a classifier with a frozen encoder reads cached vectors."""
    taught = trained_classifier.with_parts(student=student)
    test = select_split(documents, "test")
    blocks = taught.iterate_probabilities(list(test["text"]), batch_size, cache=encoder)
    return store_probabilities(blocks, list(test["doc_id"]), taught.taxonomy)


def decode_predictions(
    class_probabilities: TensorTable,
    null_probabilities: TensorTable,
    annotations: pd.DataFrame,
    calibration: dict[str, Any],
    taxonomy: Taxonomy,
    decoding: DecodingSettings,
) -> pd.DataFrame:
    """Find each document's label set; what was said of a document stands; say what fits no class, what to review."""
    class_probabilities.check_columns(taxonomy.class_ids, "class_probabilities")
    null_probabilities.check_columns(taxonomy.class_ids, "null_probabilities")
    probabilities = open_probabilities(class_probabilities)
    settings = decoding.for_student() if calibration["n_annotated"] else decoding
    decoded = decode(probabilities, taxonomy, settings)
    predictions = predictions_to_frame(decoded, probabilities, taxonomy)
    predictions.insert(0, "doc_id", pd.Series(class_probabilities.ids, dtype="str"))
    predictions["fits"] = find_fitting(decoded, null_probabilities["probabilities"], taxonomy, settings)
    accept, fits = calibration["accept"], predictions["fits"]
    predictions["decision"] = decide(probabilities, predictions["class_ids"], fits, taxonomy, accept)
    pinned = pin_annotations(predictions, select_split(annotations, "test"), probabilities, taxonomy)
    logger.info("%d of %d documents may fit no class", (~pinned["fits"]).sum(), len(pinned))
    return pinned


def write_submission(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the paper's submission file: id and comma-separated labels."""
    return pd.DataFrame({"id": predictions["doc_id"], "labels": predictions["class_ids"].map(",".join)})
