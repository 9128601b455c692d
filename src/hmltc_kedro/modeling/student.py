"""The student: what judged documents teach beyond the names of classes.

A language model or a person has said of some documents which paths are right. A ridge regression on words and vectors
learns these label sets by heart and by likeness; how far it is believed beside the classifier and the views that know
no judgement is learned too, on documents that the ridge has not seen (`path_ranking`). Silver labels speak through the
classifier, through a few documents that carry its label sets, and through its label set of the document at hand: with
twenty judgements they hold the student back, with two thousand hardly.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from hmltc_kedro.arrays import AnyArray, FloatArray, IntArray
from hmltc_kedro.modeling.belief import hold_back, weigh_belief
from hmltc_kedro.modeling.path_ranking import PathTable, Views, describe_paths, fit_weights, sum_over_paths
from hmltc_kedro.pseudo_labels.moments import Moments, estimate_moments
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.latent_words import VECTOR_WEIGHT, LatentWords

RIDGE = 0.5
"""lambda of the ridge, for features of unit length."""

FOLDS = 5
"""Of the judged documents, whose ridge scores come from the other folds while the weights are learned."""

PRIOR_DOCUMENTS = 50.0
"""Judged documents that the label sets of the classifier weigh as much as, all together."""

PRIOR_SAMPLE = 500
"""Documents without a judgement that carry them."""

BLOCK = 256
"""Documents described at a time: with 10,000 paths some 200 MB."""


@dataclass(frozen=True, eq=False)
class DenseView:
    """What the class texts say of a document, standardised by the corpus.

    Attributes:
        classes: unit vectors of the C class texts, (C, d).
        mean: of their cosines over the corpus, (C,).
        std: likewise.
    """

    classes: FloatArray
    mean: FloatArray
    std: FloatArray

    def score(self, vectors: FloatArray) -> FloatArray:
        """Return standardised cosines, (n, C)."""
        return Moments(self.mean, self.std).standardise(vectors @ self.classes.T)


def fit_dense_view(documents: FloatArray, classes: FloatArray, hubness_prior: float) -> DenseView:
    """Return the view of the class texts, standardised by a corpus; see `moments.estimate_moments`.

    Args:
        documents: unit vectors of the corpus, (N, d).
        classes: unit vectors of the class texts, (C, d).
        hubness_prior: documents a class at which its own moments count half.
    """
    moments = estimate_moments(documents, classes, hubness_prior)
    return DenseView(classes, moments.mean, moments.std)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known about some documents besides judgements.

    Attributes:
        vectors: unit length, (n, d).
        words: TF-IDF vectors, sparse (n, V).
        logits: of the classifier that saw silver labels alone, (n, C).
        lexical: scores of the words' view, (n, C).
    """

    vectors: FloatArray
    words: sparse.csr_array
    logits: FloatArray
    lexical: FloatArray

    @classmethod
    def empty(cls, n_classes: int) -> Evidence:
        """Return the evidence on no document."""
        nothing = np.zeros((0, n_classes), dtype=np.float32)
        return cls(np.zeros((0, 0), dtype=np.float32), sparse.csr_array((0, 0), dtype=np.float32), nothing, nothing)

    @classmethod
    def join(cls, parts: Sequence[Evidence]) -> Evidence:
        """Return the documents of all parts, one part after another."""
        words = sparse.csr_array(sparse.vstack([part.words for part in parts]))
        arrays = {name: np.concatenate([getattr(p, name) for p in parts]) for name in ("vectors", "logits", "lexical")}
        return cls(words=words, **arrays)

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self.vectors)

    def __getitem__(self, rows: slice | AnyArray) -> Evidence:
        """Return some of the documents."""
        words = sparse.csr_array(self.words[rows])
        return Evidence(self.vectors[rows], words, self.logits[rows], self.lexical[rows])


@dataclass(frozen=True, eq=False)
class Student:
    """What was learned from n judged documents.

    Attributes:
        words: of the judged documents, sparse (n, V).
        vectors: (n, d).
        alpha: of the dual ridge, (n, C + P).
        mean: of its targets, (C + P,).
        latent: the latent words.
        dense: the view of the class texts.
        scales: spread of logits, dense and lexical scores, (3,).
        weights: of the numbers that describe a path, (F,).
        mean_paths: paths of a judged document, at least 1.
        belief: share of the student in what it predicts, see `belief.weigh_belief`.
        table: the paths.
    """

    words: sparse.csr_array
    vectors: FloatArray
    alpha: FloatArray
    mean: FloatArray
    latent: LatentWords
    dense: DenseView
    scales: FloatArray
    weights: FloatArray
    mean_paths: float
    belief: float
    table: PathTable

    @classmethod
    def untaught(cls, taxonomy: Taxonomy) -> Student:
        """Return a student of no document, which is false and predicts nothing."""
        nothing = np.zeros((0, 0), dtype=np.float32)
        table, flat = PathTable.list(taxonomy), np.zeros(0, dtype=np.float32)
        words = sparse.csr_array((0, 0), dtype=np.float32)
        alpha = np.zeros((0, len(taxonomy) + len(table)), dtype=np.float32)
        latent = LatentWords(np.zeros(0, dtype=np.int64), nothing)
        return cls(words, nothing, alpha, flat, latent, DenseView(nothing, flat, flat), flat, flat, 1.0, 0.0, table)

    def __len__(self) -> int:
        """Return the number of judged documents."""
        return len(self.vectors)

    def predict(self, evidence: Evidence) -> FloatArray:
        """Return the probability of each class, none above its most probable parent's: (n, C), float32."""
        own = self.latent.represent(self.words)
        parts = [np.zeros((0, len(self.table.taxonomy)), dtype=np.float32)]
        for start in range(0, len(evidence), BLOCK):
            block = evidence[slice(start, start + BLOCK)]
            kernel = compare(block.words, block.vectors, self.words, self.vectors, self.latent, own)
            views = view(block, self.dense, kernel @ self.alpha + self.mean)
            chosen, described = describe_paths(views, self.scales, self.table)
            own_view = sum_over_paths(described @ self.weights, chosen, self.table, self.mean_paths)
            parts.append(hold_back(own_view, block.logits, self.belief, self.table.taxonomy))
        return np.concatenate(parts)

    def save(self, directory: Path) -> None:
        """Write `student.safetensors` and `student.json` into a directory."""
        from safetensors.numpy import save_file

        parts: dict[str, AnyArray] = {
            "words.values": self.words.data,
            "words.columns": self.words.indices.astype(np.int64),
            "words.starts": self.words.indptr.astype(np.int64),
            "latent.columns": self.latent.columns,
            "latent.directions": self.latent.directions,
            **{f"dense.{field.name}": getattr(self.dense, field.name) for field in fields(DenseView)},
            **{name: getattr(self, name) for name in ("vectors", "alpha", "mean", "scales", "weights")},
        }
        save_file({k: np.ascontiguousarray(v) for k, v in parts.items()}, directory / "student.safetensors")
        settings = {"judged_documents": len(self), "mean_paths": self.mean_paths, "belief": self.belief}
        settings["n_words"] = self.words.shape[1]
        (directory / "student.json").write_text(json.dumps(settings, indent=2), "utf-8")

    @classmethod
    def load(cls, directory: Path, taxonomy: Taxonomy) -> Student:
        """Read what `save` wrote; a ValueError if it is not of this taxonomy."""
        from safetensors.numpy import load_file

        parts = load_file(directory / "student.safetensors")
        settings = json.loads((directory / "student.json").read_text("utf-8"))
        table = PathTable.list(taxonomy)
        if parts["alpha"].shape[1] != len(taxonomy) + len(table):
            raise ValueError(f"a student of {parts['alpha'].shape[1]} classes and paths for {len(taxonomy)} classes")
        shape = (len(parts["words.starts"]) - 1, settings["n_words"])
        words = sparse.csr_array((parts["words.values"], parts["words.columns"], parts["words.starts"]), shape=shape)
        latent = LatentWords(parts["latent.columns"], parts["latent.directions"])
        dense = DenseView(parts["dense.classes"], parts["dense.mean"], parts["dense.std"])
        plain = {name: parts[name] for name in ("vectors", "alpha", "mean", "scales", "weights")}
        paths, belief = settings["mean_paths"], settings["belief"]
        return cls(words=words, latent=latent, dense=dense, table=table, mean_paths=paths, belief=belief, **plain)


def fit_student(
    judged: Evidence,
    labels: sparse.csr_array,
    trust: FloatArray,
    others: Evidence,
    present: sparse.csr_array,
    latent: LatentWords,
    dense: DenseView,
    table: PathTable,
    seed: int,
) -> tuple[Student, FloatArray]:
    """Return the student, and what it says of each judged document without having seen its judgement: (n, C).

    Args:
        judged: n documents.
        labels: their label sets, path-consistent, 0/1 (n, C).
        trust: weight of each, above 0, (n,).
        others: m documents without a judgement, see `PRIOR_SAMPLE`.
        present: label sets of theirs by the classifier, 0/1 (m, C).
        latent: latent words of the corpus.
        dense: the view of the class texts.
        table: paths of the taxonomy.
        seed: of the folds.
    """
    targets = table.find_targets(labels)
    own = latent.represent(judged.words)
    kernel = compare(judged.words, judged.vectors, judged.words, judged.vectors, latent, own)
    y = np.hstack([labels.toarray(), targets.toarray()]).astype(np.float32)
    alpha, mean = solve_ridge(kernel, y, trust)
    unseen = score_out_of_fold(kernel, y, trust, seed)
    theirs = compare(others.words, others.vectors, judged.words, judged.vectors, latent, own) @ alpha + mean
    views = [view(judged, dense, unseen), view(others, dense, theirs)]
    scales = measure_scales(views)
    shares = [targets, table.find_targets(present)]
    weighed = [trust, np.full(len(others), PRIOR_DOCUMENTS / max(len(others), 1), dtype=np.float32)]
    described = [describe_known(v, scales, table, share) for v, share in zip(views, shares, strict=True)]
    weights = fit_weights(
        np.concatenate([numbers for _, numbers, _ in described]),
        np.concatenate([wanted for _, _, wanted in described]),
        np.concatenate(weighed),
    )
    mean_paths = max(float(np.average(np.asarray(targets.sum(axis=1)).ravel(), weights=trust)), 1.0)
    belief = weigh_belief(trust)
    parts = (judged.words, judged.vectors, alpha, mean, latent, dense, scales, weights, mean_paths, belief, table)
    chosen, numbers, _ = described[0]
    unseen_classes = sum_over_paths(numbers @ weights, chosen, table, mean_paths)
    return Student(*parts), hold_back(unseen_classes, judged.logits, belief, table.taxonomy)


def compare(
    words: sparse.csr_array,
    vectors: FloatArray,
    other_words: sparse.csr_array,
    other_vectors: FloatArray,
    latent: LatentWords,
    other_latent: FloatArray,
) -> FloatArray:
    """Return the kernel of n documents and n judged ones, the sum of three cosines: of words, vectors, latent words."""
    shared = np.asarray((words @ other_words.T).toarray(), dtype=np.float32)
    dense = np.float32(VECTOR_WEIGHT**2) * (vectors @ other_vectors.T) + latent.represent(words) @ other_latent.T
    return np.asarray(shared + dense, dtype=np.float32)


def solve_ridge(kernel: FloatArray, targets: FloatArray, trust: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (alpha, mean): alpha = (K + lambda / trust)^-1 (Y - mean), the weighted ridge in its dual form.

    Args:
        kernel: K of the n judged documents, (n, n).
        targets: Y, (n, T).
        trust: weight of each document, (n,).
    """
    mean = np.average(targets, axis=0, weights=trust)
    system = kernel.astype(np.float64) + np.diag(RIDGE / trust.astype(np.float64))
    alpha = cho_solve(cho_factor(system, overwrite_a=True), targets - mean)
    return alpha.astype(np.float32), mean.astype(np.float32)


def score_out_of_fold(kernel: FloatArray, targets: FloatArray, trust: FloatArray, seed: int) -> FloatArray:
    """Return ridge scores of the judged documents by ridges that have not seen them, (n, T)."""
    n = len(kernel)
    folds = np.random.default_rng(seed).permutation(n) % min(FOLDS, n)
    scores = np.zeros_like(targets)
    for fold in range(int(folds.max(initial=0)) + 1):
        seen, unseen = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if not len(seen):
            continue
        alpha, mean = solve_ridge(kernel[np.ix_(seen, seen)], targets[seen], trust[seen])
        scores[unseen] = kernel[np.ix_(unseen, seen)] @ alpha + mean
    return scores


def view(evidence: Evidence, dense: DenseView, ridge: FloatArray) -> Views:
    """Return the views of documents, given the ridge's scores."""
    return Views(evidence.logits, dense.score(evidence.vectors), evidence.lexical, ridge)


def measure_scales(views: list[Views]) -> FloatArray:
    """Return the standard deviation of logits, dense and lexical scores over all documents and classes, (3,)."""
    columns = ([getattr(part, name).ravel() for part in views] for name in ("logits", "dense", "lexical"))
    return np.array([np.concatenate(column).std() + 1e-9 for column in columns], dtype=np.float32)


def describe_known(
    views: Views, scales: FloatArray, table: PathTable, targets: sparse.csr_array
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return candidates, numbers and the share of each candidate among the right paths, block by block.

    Args:
        views: of n documents.
        scales: see `measure_scales`.
        table: P paths.
        targets: the right paths, 0/1 (n, P).
    """
    parts = []
    for start in range(0, max(len(views.logits), 1), BLOCK):  # of no document, one block of none
        rows = slice(start, start + BLOCK)
        wanted = sparse.csr_array(targets[rows])
        chosen, numbers = describe_paths(views[rows], scales, table, wanted)
        share = np.take_along_axis(wanted.toarray(), chosen, axis=1)
        parts.append((chosen, numbers, share / np.maximum(share.sum(axis=1, keepdims=True), 1)))
    chosen, numbers, shares = (np.concatenate(column) for column in zip(*parts, strict=True))
    return chosen, numbers, shares
