"""Bulk files to bulk labels."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from tqdm import tqdm

from hmltc_kedro.corpus.raw_documents import build_documents
from hmltc_kedro.corpus.raw_files import read_corpus_frame
from hmltc_kedro.display import show_progress
from hmltc_kedro.freshness.digests import content_digest, file_digest
from hmltc_kedro.labelling.folder import BulkFolder, Shard

if TYPE_CHECKING:
    from hmltc_kedro.modeling import HierarchicalClassifier

logger = logging.getLogger(__name__)

BLOCK = 4096
"""Documents whose probabilities are held at a time."""


def label_folder(
    folder: BulkFolder, classifier: HierarchicalClassifier, *, batch_size: int, skip_invalid: bool
) -> list[Path]:
    """Label every file of a folder that is not labelled yet; return the files that were.

    Args:
        folder: of documents and of labels.
        classifier: a trained model, as it lies on disk.
        batch_size: texts a batch of the encoder.
        skip_invalid: whether bad documents are left out, or refused with file and line.
    """
    assert classifier.directory is not None
    model = content_digest(classifier.directory)  # settings of decoding included
    todo = [file for file in folder.list_files() if not folder.is_done(file, model)]
    for file in tqdm(todo, desc="label", unit="file", disable=not show_progress()):
        started, digest = time.perf_counter(), file_digest(file)  # if it changes meanwhile, it is labelled again
        labels = label_file(file, classifier, batch_size=batch_size, skip_invalid=skip_invalid)
        seconds = round(time.perf_counter() - started, 3)
        folder.write(labels, file, Shard(str(file), digest, model, len(labels), seconds))
        logger.info("%s: %d documents in %.1f s", file.name, len(labels), seconds)
    return todo


def label_file(file: Path, classifier: HierarchicalClassifier, *, batch_size: int, skip_invalid: bool) -> pd.DataFrame:
    """Return the labels of one file: doc_id and the fields of `Prediction`.

    Raises:
        InputError: with file and line, what is wrong with a document.
    """
    documents, rejected = build_documents({"bulk": read_corpus_frame(file)}, skip_invalid=skip_invalid)
    if len(rejected):
        logger.warning("%s: %d documents are left out", file.name, len(rejected))
    blocks = (documents["text"].iloc[start : start + BLOCK] for start in range(0, len(documents), BLOCK))
    labels = pd.concat([classifier.predict_frame(list(block), batch_size) for block in blocks], ignore_index=True)
    labels.insert(0, "doc_id", documents["doc_id"])
    return labels
