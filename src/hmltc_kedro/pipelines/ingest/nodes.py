"""Nodes of the stage `ingest`."""

import logging

import pandas as pd

from hmltc_kedro.corpus import gold_labels, labels, raw_documents, raw_taxonomy
from hmltc_kedro.corpus.raw_files import RawTable
from hmltc_kedro.pipelines.ingest.params import IngestParams
from hmltc_kedro.taxonomy import Taxonomy

logger = logging.getLogger(__name__)


def build_taxonomy(classes: RawTable, hierarchy: RawTable, keywords: RawTable) -> Taxonomy:
    """Check classes, hierarchy and keywords and return the taxonomy."""
    taxonomy = raw_taxonomy.build_taxonomy(classes, hierarchy, keywords)
    without = sum(not words for words in taxonomy.keywords)
    logger.info("%r, %d classes without keywords", taxonomy, without)
    return taxonomy


def build_documents(
    train: RawTable, test: RawTable, params: IngestParams, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check both corpora and return the documents, of a large training corpus a sample, and the rejected ones."""
    documents, rejected = raw_documents.build_documents(
        {"train": train, "test": test}, skip_invalid=params.on_invalid == "skip"
    )
    sizes = documents["split"].value_counts()
    logger.info("%d train and %d test documents", sizes["train"], sizes["test"])
    if params.max_documents is not None and sizes["train"] > params.max_documents:
        logger.info("ingest.max_documents: %d of the train documents, drawn by the seed", params.max_documents)
        documents = raw_documents.sample_split(documents, "train", params.max_documents, seed)
    if len(rejected):
        logger.warning("%d documents were set aside, see the entry `rejected_documents`", len(rejected))
    return documents, rejected


def check_gold_labels(gold: RawTable, documents: pd.DataFrame, rejected: pd.DataFrame, taxonomy: Taxonomy) -> None:
    """Check the gold file's syntax, class ids and document ids; keep nothing."""
    known = pd.concat([documents, rejected])
    found = gold_labels.read_gold_labels(gold, taxonomy, set(known.loc[known["split"] == "test", "doc_id"]))
    gold_labels.warn_of_loose_labels(found, taxonomy, gold.path)


def read_labels(
    raw_labels: RawTable, documents: pd.DataFrame, taxonomy: Taxonomy, params: IngestParams
) -> pd.DataFrame:
    """Check the labels that people gave and return them; there may be none."""
    is_sample = (documents["split"] == "train").sum() == params.max_documents
    given = labels.read_labels(raw_labels, documents, taxonomy, is_sample=is_sample)
    if len(given):
        sizes = given["split"].value_counts()
        logger.info("people labelled %d train and %d test documents", sizes.get("train", 0), sizes.get("test", 0))
    return given
