"""Bulk files to bulk labels, on any number of workers; what is labelled already stays as it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hmltc_kedro.corpus.shards import Piece, find_pieces
from hmltc_kedro.display import hidden_progress, show_progress
from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import content_digest
from hmltc_kedro.labelling.engines import Engine, Serial, WorkerDied
from hmltc_kedro.labelling.folder import BulkFolder, Shard, find_owner, read_note
from hmltc_kedro.labelling.shard import Job, Outcome, label_piece

logger = logging.getLogger(__name__)

SAVED_EVERY = 30
"""Seconds between two versions of the manifest while a run goes on; nothing but looking depends on it."""


def label_bulk(
    folder: BulkFolder, model: Path, engine: Engine, *, batch_size: int = 32, skip_invalid: bool = False
) -> dict[str, Any]:
    """Label every shard that is not labelled yet, by this model and as it is now; return the manifest.

    Args:
        folder: of documents and of labels.
        model: directory of a trained model.
        engine: who does it.
        batch_size: texts a batch of the encoder.
        skip_invalid: whether bad documents are left out, or refused with file and line.

    Raises:
        InputError: some files could not be labelled; the others are.
    """
    digest = content_digest(model)  # settings of decoding included
    pieces = find_pieces(folder.source, folder.options)
    jobs = _plan(pieces, folder, model, digest, batch_size, skip_invalid)
    run = _Run(folder, digest)
    started = time.perf_counter()
    bar = tqdm(total=sum(p.rows for p in pieces), desc="label", unit="doc", smoothing=0, disable=not show_progress())
    with bar, hidden_progress():
        here = isinstance(engine, Serial)
        function = partial(label_piece, report=bar.update) if here else label_piece
        for job, outcome in engine.map(function, jobs):
            run.take(job, outcome)
            if not here:
                bar.update(sum(shard.rows for shard in run.shards_of(outcome).values()))
    return run.close(time.perf_counter() - started)


def _plan(
    pieces: Sequence[Piece], folder: BulkFolder, model: Path, digest: str, batch_size: int, skip_invalid: bool
) -> list[Job]:
    names = {piece.file.name for piece in pieces}
    for name in names:
        if find_owner(f"{name}.parquet") in names:
            raise InputError(f"{name}: its labels would be called like a part of those of another file; rename it")
    jobs: list[Job] = []
    for piece, after in zip(pieces, [*pieces[1:], None], strict=True):
        number = jobs[-1].number + 1 if piece.start else 0
        is_end = after is None or after.file != piece.file
        jobs.append(Job(piece, number, is_end, folder, model, digest, batch_size, skip_invalid))
    return jobs


class _Run:
    """What has come of a run so far."""

    def __init__(self, folder: BulkFolder, model: str) -> None:
        self._folder, self._model = folder, model
        self._shards: dict[str, Shard] = {}
        self._failures: dict[str, str] = {}
        self._files: dict[str, str] = {}
        self._made = 0
        self._saved = time.monotonic()

    @staticmethod
    def shards_of(outcome: Outcome | WorkerDied) -> dict[str, Shard]:
        return outcome.shards if isinstance(outcome, Outcome) else {}

    def take(self, job: Job, outcome: Outcome | WorkerDied) -> None:
        """Note the outcome of a job; save the manifest from time to time."""
        file = job.piece.file
        self._files[file.name] = file.address
        if isinstance(outcome, WorkerDied):
            self._failures[file.address] = f"{file.address}: {outcome}"
        else:
            self._shards.update(outcome.shards)
            self._made += outcome.made
            if outcome.failure:
                self._failures[file.address] = outcome.failure
                logger.warning("set aside: %s", outcome.failure)
        if time.monotonic() - self._saved > SAVED_EVERY:
            self._folder.write_manifest(self._describe())
            self._saved = time.monotonic()

    def close(self, seconds: float) -> dict[str, Any]:
        """Remove labels of shards that are no more, write the manifest, and say what failed."""
        self._remove_superseded()
        manifest = self._describe()
        self._folder.write_manifest(manifest)
        rows, old = manifest["rows"], len(self._shards) - self._made
        logger.info(
            "%d documents in %s: %d shards labelled in %.1f s, %d were",
            rows,
            self._folder.target,
            self._made,
            seconds,
            old,
        )
        if manifest["left_out"]:
            logger.warning("%d documents are left out", manifest["left_out"])
        if self._failures:
            what = "1 file is" if len(self._failures) == 1 else f"{len(self._failures)} files are"
            message = f"{what} set aside, the others are labelled; mend and run again"
            raise InputError(f"{InputError.from_problems(list(self._failures.values()))}\n{message}")
        return manifest

    def _describe(self) -> dict[str, Any]:
        shards = {labels: asdict(shard) for labels, shard in sorted(self._shards.items())}
        return {
            "model": self._model,
            "rows": sum(shard.rows for shard in self._shards.values()),
            "left_out": sum(shard.left_out for shard in self._shards.values()),
            "seconds": round(sum(shard.seconds for shard in self._shards.values()), 3),
            "shards": shards,
            "failures": dict(sorted(self._failures.items())),
        }

    def _remove_superseded(self) -> None:
        """Remove the labels of a file's shards beyond its last one: it had more documents once."""
        for labels in self._folder.list_labels():
            if labels in self._shards:
                continue
            source = self._files.get(find_owner(labels))
            if source is None or source in self._failures:
                continue
            known = read_note(self._folder.place(labels), self._folder.options)
            if known is not None and known.source == source:
                self._folder.remove(labels)
