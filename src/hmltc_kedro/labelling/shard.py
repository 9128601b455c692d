"""One job of a bulk run: read a piece, label its shards, write them. It runs in any process, on any machine."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import pandas as pd

from hmltc_kedro.corpus.raw_documents import check_documents
from hmltc_kedro.corpus.raw_files import CORPUS, Columns, RawTable
from hmltc_kedro.corpus.shards import Piece, read_shards
from hmltc_kedro.corpus.storage import hide_options
from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import content_digest
from hmltc_kedro.labelling.folder import BulkFolder, Shard, name_labels, read_note, write_labels

if TYPE_CHECKING:
    from hmltc_kedro.modeling import HierarchicalClassifier

BLOCK = 4096
"""Documents whose probabilities are held at a time."""

TRIES = 3
"""Of a job, before it is set aside: storage and networks fail for a while."""

PAUSE = 0.5
"""Seconds before the second try, twice as many before the third."""

_model_in_use = Lock()
"""A process has one model and uses it in one thread: tokenizers are not made for more."""


@dataclass(frozen=True)
class Job:
    """What a worker needs to know.

    Attributes:
        piece: of the documents.
        number: of its first shard within the file.
        is_end: whether the file ends with it.
        folder: where documents come from and labels go.
        model: directory of the trained model.
        digest: of the model.
        batch_size: texts a batch of the encoder.
        skip_invalid: whether bad documents are left out, or refused with file and line.
    """

    piece: Piece
    number: int
    is_end: bool
    folder: BulkFolder = field(repr=False)  # knows credentials, and a scheduler logs its tasks
    model: Path
    digest: str
    batch_size: int
    skip_invalid: bool


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        shards: that are labelled, by the name of their labels; those that were labelled before among them.
        made: how many of them are new.
        failure: why the rest is not; empty if there is none.
    """

    shards: dict[str, Shard]
    made: int
    failure: str = ""


def label_piece(job: Job, report: Callable[[int], object] = int) -> Outcome:
    """Do a job; what goes wrong is tried three times, then told in the outcome, so that other jobs go on.

    Args:
        job: see `Job`.
        report: is called with numbers of documents as they are done.
    """
    shards: dict[str, Shard] = {}
    made: set[str] = set()
    reason = ""
    for attempt in range(TRIES):
        time.sleep(PAUSE * attempt)
        try:
            for labels, shard, is_new in _label_shards(job, report):
                shards[labels] = shard
                made |= {labels} if is_new else set()
            return Outcome(shards, len(made))
        except InputError as error:
            reason = str(error)
        except Exception as error:  # whatever a library makes of a file; one must not stop the others
            said = hide_options(str(error), job.folder.options)
            reason = f"{job.piece.file.address}: {type(error).__name__}: {said}"
    return Outcome(shards, len(made), reason)


def _label_shards(job: Job, report: Callable[[int], object]) -> Iterator[tuple[str, Shard, bool]]:
    """Yield each shard, with the name of its labels and whether they are new."""
    done = list(_find_done(job))
    if done and (done[-1][1].last or job.piece.stop is not None):
        for labels, shard in done:
            report(shard.rows)
            yield labels, shard, False
        return
    tables = read_shards(job.piece, _choose_columns(job), job.folder.options)
    table: RawTable | None = next(tables)
    number = job.number
    while table is not None:
        after = next(tables, None)
        last = job.is_end and after is None
        labels = name_labels(job.piece.file.name, number)
        known, digest = read_note(job.folder.place(labels), job.folder.options), digest_documents(table)
        same = known is not None and (known.digest, known.model, known.last) == (digest, job.digest, last)
        if known is not None and same and _is_complete(job, known):
            report(known.rows)
            yield labels, known, False
        else:
            yield labels, _label_table(job, table, labels, digest, last, report), True
        table, number = after, number + 1


def _find_done(job: Job) -> Iterator[tuple[str, Shard]]:
    """Yield the shards of a job from its first one on that are labelled, as far as can be told without reading it."""
    number = job.number
    while True:
        labels = name_labels(job.piece.file.name, number)
        known = read_note(job.folder.place(labels), job.folder.options)
        file = job.piece.file
        expected = (file.address, file.version, str(_choose_columns(job)), job.digest)
        if known is None or (known.source, known.version, known.columns, known.model) != expected:
            return
        if not _is_complete(job, known):
            return
        yield labels, known
        if known.last or job.piece.stop is not None:
            return
        number += 1


def _is_complete(job: Job, known: Shard) -> bool:
    """Tell whether a shard has all documents of its piece, those left out among them only if that is wanted now."""
    piece = job.piece
    cut_alike = piece.stop is None or known.rows + known.left_out == piece.stop - piece.start
    return cut_alike and (job.skip_invalid or not known.left_out)


def _choose_columns(job: Job) -> Columns:
    columns = job.folder.columns
    return Columns(tuple(columns["key"]), tuple(columns["values"]), owner=CORPUS.owner) if columns else CORPUS


def digest_documents(table: RawTable) -> str:
    """Return the sha256 of ids, texts and what is wrong with them, in their order."""
    known = hashlib.sha256()
    for column in ("key", "value", "problem"):
        for text in table.rows[column].fillna(""):
            data = text.encode("utf-8", "surrogatepass")
            known.update(len(data).to_bytes(8, "little"))
            known.update(data)
    return known.hexdigest()


def _label_table(
    job: Job, table: RawTable, labels: str, digest: str, last: bool, report: Callable[[int], object]
) -> Shard:
    started = time.perf_counter()
    documents, rejected = check_documents({"bulk": table}, skip_invalid=job.skip_invalid)
    with _model_in_use:
        frame = label_texts(documents["text"], _load_model(job.model, job.digest), job.batch_size, report)
    frame.insert(0, "doc_id", documents["doc_id"].to_numpy())
    seconds = round(time.perf_counter() - started, 3)
    file = job.piece.file
    columns = str(_choose_columns(job))
    shard = Shard(file.address, file.version, columns, digest, job.digest, len(frame), len(rejected), last, seconds)
    write_labels(job.folder.place(labels), frame, shard, job.folder.options)
    return shard


def label_texts(
    texts: pd.Series, classifier: HierarchicalClassifier, batch_size: int, report: Callable[[int], object] = int
) -> pd.DataFrame:
    """Return the labels of texts, the fields of `Prediction`, block by block.

    Args:
        texts: n texts, str.
        classifier: the trained model.
        batch_size: texts a batch of the encoder.
        report: is called with numbers of documents as they are done.
    """
    frames = []
    for start in range(0, max(len(texts), 1), BLOCK):
        block = list(texts.iloc[start : start + BLOCK])
        frames.append(classifier.predict_frame(block, batch_size))
        report(len(block))
    return pd.concat(frames, ignore_index=True)


@lru_cache(maxsize=1)
def _open_model(directory: Path, digest: str) -> HierarchicalClassifier:
    from hmltc_kedro.modeling import HierarchicalClassifier

    model = HierarchicalClassifier.load(directory)
    _ = model.encoder  # all of it now: the directory may hold another one when it is needed
    if content_digest(directory) != digest:
        raise InputError(f"{directory}: the model was trained again while it was labelling; run again")
    return model


def _load_model(directory: Path, digest: str) -> HierarchicalClassifier:
    """Return the model, opened once a process."""
    if not directory.is_dir():
        raise InputError(f"{directory}: a worker has no such folder; give the workers the same disk, or copy it there")
    return _open_model(directory, digest)
