"""Two rounds of asking: first at random and over all classes, then where a student of the first round is in doubt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from hmltc_kedro.annotation.judge import Judgement
from hmltc_kedro.annotation.selection import Budget, choose_audit, choose_coverage, choose_doubt
from hmltc_kedro.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from hmltc_kedro.decoding.expected_f1 import choose_labels
from hmltc_kedro.modeling.path_ranking import PathTable
from hmltc_kedro.modeling.student import PRIOR_SAMPLE, DenseView, Evidence, Student, fit_student
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.latent_words import LatentWords
from hmltc_kedro.text.lexical_view import LexicalView

logger = logging.getLogger(__name__)

PERSON = "person"
"""Source of what people said."""

TRUST = {PERSON: 1.0, "": 0.8}
"""Weight of an annotation in training: a person's counts most; "" is any model."""

MIN_JUDGED = 10
"""Annotated documents that a student needs; fewer are kept as they are and teach nothing."""

BLOCK = 4096
"""Documents that are described at a time."""

OFFSET = 3.0
"""What is taken from standardised scores, so that a sigmoid of them is small but for a few classes."""

COLUMNS = ["split", "doc_id", "class_ids", "source", "confidence", "reason", "round", "offered", "answer", "error"]
"""Of annotations."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """What is known of N documents before anything is trained.

    Attributes:
        documents: split, doc_id, text.
        vectors: unit length, (N, d).
        lexical: the words' view.
        lexical_weight: of that view beside the dense one.
        dense: the view of the class texts.
        silver: split, doc_id, class_ids of the N documents, in their order.
        taxonomy: of C classes.
    """

    documents: pd.DataFrame
    vectors: FloatArray
    lexical: LexicalView
    lexical_weight: float
    dense: DenseView
    silver: pd.DataFrame
    taxonomy: Taxonomy

    def gather(self, rows: IntArray) -> Evidence:
        """Return the evidence on some documents; what silver labels are made of stands for the classifier."""
        words = self.lexical.represent(list(self.documents["text"].iloc[rows]))
        scores = self.lexical.score(words)
        vectors = np.asarray(self.vectors[rows], dtype=np.float32)
        fused = self.dense.score(vectors) + np.float32(self.lexical_weight) * scores
        return Evidence(vectors, words, fused - np.float32(OFFSET), scores)


Ask = Callable[[IntArray], Sequence[Judgement]]
"""Asks about the documents of some rows."""


def ask_in_rounds(
    corpus: Corpus, given: pd.DataFrame, answerable: BoolArray, budget: Budget, ask: Ask, source: str, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return who was asked about and why, and all annotations, people's first.

    Args:
        corpus: of N documents.
        given: people's labels: split, doc_id, class_ids.
        answerable: which documents the client can be asked about, (N,).
        budget: see `Budget`.
        ask: asks the language model.
        source: its name.
        seed: of draws and folds.

    Returns:
        split, doc_id, round, reason, priority; and COLUMNS.
    """
    keys = corpus.documents[["split", "doc_id"]]
    known = find_rows(keys, given)
    eligible = answerable.copy()
    eligible[known] = False
    is_test = (keys["split"] == "test").to_numpy()
    annotations = [describe_given(given)]
    audit = choose_audit(eligible, is_test, budget, seed)
    eligible[audit] = False
    free = int((eligible & ~is_test).sum()), int((eligible & is_test).sum())
    parts = budget.split(len(audit), int(is_test[audit].sum()), *free)
    cover = choose_coverage(eligible & ~is_test, find_last_classes(corpus.silver), parts.coverage, seed)
    first = list_queue(keys, {"audit": audit, "coverage": cover}, 1)
    annotations.append(describe_judgements(first, ask(find_rows(keys, first)), source))
    eligible[cover] = False
    in_doubt = parts.doubt_test + parts.doubt_train > 0
    rows = np.flatnonzero(eligible) if in_doubt else np.zeros(0, dtype=np.int64)
    worth = np.full(len(keys), np.inf)
    worth[rows] = estimate_worth(corpus, pd.concat(annotations, ignore_index=True), rows, seed)
    doubt = [
        choose_doubt(eligible & is_test, worth, parts.doubt_test),
        choose_doubt(eligible & ~is_test, worth, parts.doubt_train),
    ]
    second = list_queue(keys, {"doubt": np.concatenate(doubt)}, 2, worth)
    annotations.append(describe_judgements(second, ask(find_rows(keys, second)), source))
    queue = pd.concat([first, second], ignore_index=True)
    return queue, pd.concat(annotations, ignore_index=True)[COLUMNS]


def estimate_worth(corpus: Corpus, annotations: pd.DataFrame, rows: IntArray, seed: int) -> DoubleArray:
    """Return the expected F1 of the best label set of some documents, by a student of what is annotated so far.

    Without enough annotations every document is worth the same.
    """
    keys, taxonomy = corpus.documents[["split", "doc_id"]], corpus.taxonomy
    taught = select_teaching(annotations)
    if len(taught) < MIN_JUDGED or not len(rows):
        return np.zeros(len(rows))
    table = PathTable.list(taxonomy)
    others = draw_others(len(keys), find_rows(keys, taught), seed)
    words = corpus.lexical.represent(list(corpus.documents["text"]))
    present = taxonomy.to_matrix(corpus.silver["class_ids"].iloc[others])
    student, _ = fit_student(
        corpus.gather(find_rows(keys, taught)),
        *read_targets(taught, taxonomy),
        corpus.gather(others),
        present,
        LatentWords.fit(words, seed),
        corpus.dense,
        table,
        seed,
    )
    blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    return np.concatenate([_expect(student, corpus.gather(block)) for block in blocks])


def _expect(student: Student, evidence: Evidence) -> DoubleArray:
    return choose_labels(student.predict(evidence), student.table.taxonomy)[1]


# ---------------------------------------------------------------------- annotations as a table


def select_teaching(annotations: pd.DataFrame) -> pd.DataFrame:
    """Return the annotations that name at least one class: the others say nothing that can be learned."""
    taught: pd.DataFrame = annotations[annotations["class_ids"].map(len) > 0].reset_index(drop=True)
    return taught


def read_targets(annotations: pd.DataFrame, taxonomy: Taxonomy) -> tuple[sparse.csr_array, FloatArray]:
    """Return label sets, 0/1 (n, C), and how far each is trusted, (n,)."""
    trust = annotations["source"].map(lambda source: TRUST.get(source, TRUST[""])).to_numpy(np.float32)
    return taxonomy.to_matrix(annotations["class_ids"]), trust


def draw_others(n: int, rows: IntArray, seed: int) -> IntArray:
    """Return rows of documents without an annotation, `PRIOR_SAMPLE` at most, drawn at random, in order."""
    rest = np.setdiff1d(np.arange(n), rows)
    size = min(PRIOR_SAMPLE, len(rest))
    return np.sort(np.random.default_rng(seed).choice(rest, size, replace=False))


def find_rows(keys: pd.DataFrame, wanted: pd.DataFrame) -> IntArray:
    """Return where documents stand in a table, (n,): both have the columns split and doc_id."""
    index = pd.MultiIndex.from_frame(keys[["split", "doc_id"]])
    return index.get_indexer(pd.MultiIndex.from_frame(wanted[["split", "doc_id"]])).astype(np.int64)


def find_last_classes(silver: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Return the last class of each silver label set, "" for an empty one."""
    return silver["class_ids"].map(lambda ids: ids[-1] if len(ids) else "").to_numpy(object)


def list_queue(
    keys: pd.DataFrame, chosen: dict[str, IntArray], number: int, priority: DoubleArray | None = None
) -> pd.DataFrame:
    """Return one row a document that is asked about: split, doc_id, round, reason, priority (NaN for none)."""
    rows = np.concatenate([*chosen.values(), np.zeros(0, dtype=np.int64)]).astype(np.int64)
    reasons = [reason for reason, part in chosen.items() for _ in part]
    queue = keys.iloc[rows].reset_index(drop=True)
    values = np.full(len(rows), np.nan) if priority is None else priority[rows]
    return queue.assign(round=number, reason=pd.Series(reasons, dtype="str"), priority=values)


def describe_given(given: pd.DataFrame) -> pd.DataFrame:
    """Return people's labels as annotations."""
    plain = given[["split", "doc_id", "class_ids"]].reset_index(drop=True)
    nothing: list[list[str]] = [[] for _ in range(len(plain))]
    said = plain.assign(source=PERSON, confidence="", reason="given", round=0, answer="", error="")
    return said.assign(offered=pd.Series(nothing, dtype=object))


def describe_judgements(queue: pd.DataFrame, judgements: Sequence[Judgement], source: str) -> pd.DataFrame:
    """Return a model's judgements as annotations, a row a document of the queue."""
    values = {
        "class_ids": [list(judgement.class_ids) for judgement in judgements],
        "confidence": [judgement.confidence for judgement in judgements],
        "offered": [[list(path) for path in judgement.offered] for judgement in judgements],
        "answer": [judgement.answer for judgement in judgements],
        "error": [judgement.error for judgement in judgements],
    }
    columns = {name: pd.Series(column, dtype=object) for name, column in values.items()}
    return queue[["split", "doc_id", "reason", "round"]].assign(source=source, **columns)
