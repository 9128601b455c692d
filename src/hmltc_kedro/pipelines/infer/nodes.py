"""Nodes of the stage `infer`."""

import logging

import pandas as pd

from hmltc_kedro.corpus.raw_documents import select_split
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.modeling.abstention import find_fitting
from hmltc_kedro.modeling.classifier import HierarchicalClassifier, predictions_to_frame
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder

logger = logging.getLogger(__name__)


def predict_probabilities(
    documents: pd.DataFrame, trained_classifier: HierarchicalClassifier, encoder: TextEncoder, batch_size: int
) -> TensorTable:
    """Give each class a probability for each test document; a classifier with a frozen encoder reads cached vectors."""
    test = select_split(documents, "test")
    probabilities = trained_classifier.predict_probabilities(list(test["text"]), batch_size, cache=encoder)
    columns = trained_classifier.taxonomy.class_ids
    return TensorTable(list(test["doc_id"]), {"probabilities": probabilities}, columns=columns)


def decode_predictions(
    class_probabilities: TensorTable, null_probabilities: TensorTable, taxonomy: Taxonomy, decoding: DecodingSettings
) -> pd.DataFrame:
    """Search the taxonomy from the roots down for each document's label set, and say which documents fit no class."""
    class_probabilities.check_columns(taxonomy.class_ids, "class_probabilities")
    null_probabilities.check_columns(taxonomy.class_ids, "null_probabilities")
    decoded = decode(class_probabilities["probabilities"], taxonomy, decoding)
    predictions = predictions_to_frame(decoded, taxonomy)
    predictions.insert(0, "doc_id", pd.Series(class_probabilities.ids, dtype="str"))
    predictions["fits"] = find_fitting(decoded, null_probabilities["probabilities"], taxonomy, decoding)
    logger.info("%d of %d documents may fit no class", (~predictions["fits"]).sum(), len(predictions))
    return predictions


def write_submission(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the paper's submission file: id and comma-separated labels."""
    return pd.DataFrame({"id": predictions["doc_id"], "labels": predictions["class_ids"].map(",".join)})
