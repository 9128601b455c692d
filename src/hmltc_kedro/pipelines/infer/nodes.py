"""Nodes of the stage `infer`."""

import logging

import pandas as pd

from hmltc_kedro.corpus import raw_documents
from hmltc_kedro.corpus.raw_files import RawTable
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.decoding.decode import decode
from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling.classifier import HierarchicalClassifier, predictions_to_frame
from hmltc_kedro.pipelines.infer.params import InferParams
from hmltc_kedro.pipelines.ingest.params import IngestParams
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder

logger = logging.getLogger(__name__)


def read_test_documents(raw_test_corpus: RawTable, params: IngestParams) -> pd.DataFrame:
    """Check the test corpus as it lies there now: new documents need no new training."""
    skip = params.on_invalid == "skip"
    documents, _ = raw_documents.build_documents({"test": raw_test_corpus}, skip_invalid=skip)
    return documents


def predict_probabilities(
    test_documents: pd.DataFrame, classifier: HierarchicalClassifier, encoder: TextEncoder, params: InferParams
) -> TensorTable:
    """Give each class a probability for each test document; a classifier with a frozen encoder reads cached vectors."""
    texts = list(test_documents["text"])
    probabilities = classifier.predict_probabilities(texts, params.batch_size, cache=encoder)
    return TensorTable(
        list(test_documents["doc_id"]),
        {"probabilities": probabilities},
        columns=classifier.taxonomy.class_ids,
    )


def decode_predictions(
    class_probabilities: TensorTable, classifier: HierarchicalClassifier, taxonomy: Taxonomy, params: InferParams
) -> pd.DataFrame:
    """Search the taxonomy from the roots down for each document's label set, and say which documents fit no class."""
    if tuple(class_probabilities.columns) != taxonomy.class_ids:
        raise InputError("the classes changed since the classifier was trained; run `kedro run --pipeline=train` first")
    decoded = decode(class_probabilities["probabilities"], taxonomy, params.decoding)
    predictions = predictions_to_frame(decoded, taxonomy)
    predictions.insert(0, "doc_id", pd.Series(class_probabilities.ids, dtype="str"))
    predictions["fits"] = classifier.find_fitting(decoded, params.decoding)
    logger.info("%d of %d documents may fit no class", (~predictions["fits"]).sum(), len(predictions))
    return predictions


def write_submission(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the paper's submission file: id and comma-separated labels."""
    return pd.DataFrame({"id": predictions["doc_id"], "labels": predictions["class_ids"].map(",".join)})
