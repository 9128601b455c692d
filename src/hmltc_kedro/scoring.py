"""Scores of every class for every document, without a label: the candidates that silver labels come from.

A class is compared with a document in three views: its text (name, keywords, description) and its path from the root
as sentence embeddings, and its words as TF-IDF. How much words count, and how much a document may learn from its
neighbours, is measured on the corpus itself: what the two halves of a document agree on is about the document. The
document-class matrix is never held: documents go through in blocks and leave their best K classes behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from tqdm import tqdm

from hmltc_kedro.encoding import FloatArray, TextEncoder, normalise, show_progress
from hmltc_kedro.lexical import LexicalView
from hmltc_kedro.taxonomy import IntArray, Taxonomy

BLOCK = 4096
"""Documents a block: with 10,000 classes some 160 MB of float32."""


# ---------------------------------------------------------------------- what stands for a class


def write_class_texts(taxonomy: Taxonomy, descriptions: Sequence[str]) -> list[str]:
    """Return the paper's text of each class: `Class Name: ... ; Keywords: ... ; Description: ...`."""
    return [
        f"Class Name: {taxonomy.spoken_name(c)} ; Keywords: {', '.join(taxonomy.keywords[c])} ; "
        f"Description: {descriptions[c]}"
        for c in range(len(taxonomy))
    ]


def write_path_texts(taxonomy: Taxonomy) -> tuple[list[str], IntArray]:
    """Return one text `root > ... > class` a parent edge (one for a root), and the class of each text."""
    texts: list[str] = []
    owners: list[int] = []
    for c, parents in enumerate(taxonomy.parents):
        name = taxonomy.spoken_name(c)
        above = [f"{taxonomy.labels[p]} > " for p in parents] or [""]
        texts += [prefix + name for prefix in above]
        owners += [c] * len(above)
    return texts, np.array(owners, dtype=np.int64)


def embed_classes(encoder: TextEncoder, taxonomy: Taxonomy, descriptions: Sequence[str]) -> dict[str, FloatArray]:
    """Return the views `text` and `path` of the classes: each (C, d), float32, unit length.

    A class with several parents has the normalised mean of its paths' vectors.
    """
    text = encoder.encode(write_class_texts(taxonomy, descriptions))
    paths, owners = write_path_texts(taxonomy)
    summed = np.zeros_like(text)
    np.add.at(summed, owners, encoder.encode(paths))
    return {"text": text, "path": normalise(summed)}


# ---------------------------------------------------------------------- the scores


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and standard deviation of each class's score over the corpus, each (C,) float32."""

    mean: FloatArray
    std: FloatArray

    def standardise(self, scores: FloatArray) -> FloatArray:
        """Return (scores - mean) / std for scores of shape (n, C)."""
        return (scores - self.mean) / self.std


def estimate_moments(documents: npt.NDArray[np.float32], classes: FloatArray, prior: float) -> Moments:
    """Return the moments of the cosines of N documents and C classes, without the N x C matrix.

    With x a document and e a class vector, mean = e . E[x] and var = e' Cov[x] e, so the d x d covariance is
    all that is needed. Both are shrunk towards their mean over the classes by n / (n + prior), n = N / C: with
    few documents a class, a high mean is as likely a big class as a hub, and should not be punished in full.
    A `prior` of infinity gives every class the same moments, i.e. plain cosine up to an affine map.
    """
    n, d = documents.shape
    total = np.zeros(d)
    second = np.zeros((d, d))
    for start in range(0, n, BLOCK):
        block = np.asarray(documents[start : start + BLOCK], dtype=np.float32)
        total += block.sum(axis=0, dtype=np.float64)
        second += block.T @ block
    mu = total / n
    covariance = second / n - np.outer(mu, mu)
    mean = classes @ mu
    variance = np.einsum("cd,de,ce->c", classes, covariance, classes)
    per_class = n / len(classes)
    trust = per_class / (per_class + prior) if np.isfinite(prior) else 0.0
    mean = trust * mean + (1 - trust) * mean.mean()
    variance = trust * variance + (1 - trust) * variance.mean()
    return Moments(mean.astype(np.float32), np.sqrt(np.maximum(variance, 1e-8)).astype(np.float32))


def measure_spread(documents: FloatArray, classes: FloatArray) -> float:
    """Return how far the cosines of n documents with a class spread: the root mean square of C standard deviations.

    Args:
        documents: unit vectors of shape (n, d).
        classes: unit vectors of shape (C, d).
    """
    moments = estimate_moments(documents, classes, prior=np.inf)
    return float(moments.std.mean())


# ---------------------------------------------------------------------- how much each view is to be believed


@dataclass(frozen=True)
class ViewWeights:
    """What the halves of some documents say about the views; None where it was not measured.

    Attributes:
        n_documents: that were halved.
        dense_reliability: correlation of the dense scores of the two halves, see `measure_reliability`.
        lexical_reliability: that of the lexical scores.
        lexical_weight: of the lexical view in units of its spread, the dense views having weight 1.
        neighbour_share: how much of a document's score comes from its neighbours, 0 to 1.
    """

    n_documents: int
    dense_reliability: float | None
    lexical_reliability: float | None
    lexical_weight: float
    neighbour_share: float


HALVED = 500
"""Documents that reliability is measured on, both halves of which have to be encoded."""


def weigh_views(
    texts: Sequence[str],
    class_views: dict[str, FloatArray],
    lexical: LexicalView,
    encoder: TextEncoder,
    *,
    fixed_lexical_weight: float | None,
    with_neighbours: bool,
    seed: int,
) -> ViewWeights:
    """Halve some documents, score the halves by each view, and weigh the views by what comes back.

    Nothing is measured where nothing depends on it: with a fixed weight and without neighbours.

    Args:
        texts: of the N documents.
        class_views: unit vectors of shape (C, d) by view.
        lexical: the TF-IDF view.
        encoder: for the halves.
        fixed_lexical_weight: None to measure it.
        with_neighbours: whether documents learn from their neighbours.
        seed: of the sample.
    """
    if fixed_lexical_weight is not None and not with_neighbours:
        return ViewWeights(0, None, None, fixed_lexical_weight, 0.0)
    size = min(HALVED, len(texts))
    chosen = np.sort(np.random.default_rng(seed).choice(len(texts), size, replace=False))
    first, second = (list(halves) for halves in zip(*(split_halves(texts[row]) for row in chosen), strict=True))
    dense = average_views(class_views)
    r_dense = measure_reliability(encoder.encode(first) @ dense.T, encoder.encode(second) @ dense.T)
    r_lexical = measure_reliability(lexical.score(lexical.represent(first)), lexical.score(lexical.represent(second)))
    measured = weigh_lexical_view(r_dense, r_lexical)
    return ViewWeights(
        size,
        round(r_dense, 6),
        round(r_lexical, 6),
        round(measured if fixed_lexical_weight is None else fixed_lexical_weight, 6),
        round(choose_neighbour_share(r_dense), 6) if with_neighbours else 0.0,
    )


def split_halves(text: str) -> tuple[str, str]:
    """Return the first and the second half of a text, by words; by characters if it is one word."""
    words = text.split()
    if len(words) < 2:
        middle = (len(text) + 1) // 2
        return text[:middle], text[middle:]
    middle = (len(words) + 1) // 2
    return " ".join(words[:middle]), " ".join(words[middle:])


def measure_reliability(first: FloatArray, second: FloatArray) -> float:
    """Return how far the scores that a view gives to one half of a document come back for the other half: 0 to 1.

    That is the split-half reliability of test theory, the correlation of the two over all cells of an (n, C)
    matrix after each class's and each document's mean are taken out: which classes the view likes, and which texts,
    says nothing about what a text is about. A negative correlation counts as 0.

    Args:
        first: scores of the first halves, shape (n, C).
        second: those of the second halves.
    """
    one, two = _centre(first), _centre(second)
    size = float(np.sqrt(np.square(one, dtype=np.float64).sum() * np.square(two, dtype=np.float64).sum()))
    return max(float((one * two).sum(dtype=np.float64)) / size, 0.0) if size > 0 else 0.0


def _centre(scores: FloatArray) -> FloatArray:
    centred = scores - scores.mean(axis=0)
    return np.asarray(centred - centred.mean(axis=1, keepdims=True), dtype=np.float32)


def weigh_lexical_view(dense_reliability: float, lexical_reliability: float) -> float:
    """Return the weight of the lexical view beside the dense ones, w = sqrt(r_lexical / r_dense), from 1/4 to 2.

    Both views have unit spread. Of a score with reliability r, the part that belongs to the document and not to the
    half has the standard deviation sqrt(r): each view weighs as much as what it has to say. The bounds are for corpora
    where r says little: a title names its class once, in one half, so that words seem to mean nothing.
    """
    return float(np.clip(np.sqrt(lexical_reliability / max(dense_reliability, 1e-6)), 0.25, 2.0))


def choose_neighbour_share(reliability: float) -> float:
    """Return 1 - R, at most 1/2, with R = 2 r / (1 + r) the reliability of a whole document, given r of its halves.

    R follows Spearman and Brown (1910) for a test of twice the length; R * score + (1 - R) * mean of those alike is
    Kelley's (1927) estimate of a true score. The mean here is that of the nearest neighbours, which the same vectors
    have found: where those say nothing, neighbours are strangers, and a document counts for itself at least by half.
    """
    return min(1.0 - 2.0 * reliability / (1.0 + reliability), 0.5)


# ---------------------------------------------------------------------- neighbours

POOL = 50_000
"""Documents that neighbours are looked for among; of a larger corpus a sample, so that cost grows with N, not N²."""


def find_neighbours(documents: npt.NDArray[np.float32], k: int, seed: int) -> IntArray:
    """Return the rows of each document's k nearest others by cosine, nearest first: (N, k), int64.

    With fewer than k others it is as many as there are, none for a document alone.

    Args:
        documents: unit vectors of shape (N, d).
        k: neighbours a document.
        seed: of the sample, for corpora above `POOL`.
    """
    from sklearn.neighbors import NearestNeighbors

    n = len(documents)
    pool = np.arange(n) if n <= POOL else np.sort(np.random.default_rng(seed).choice(n, POOL, replace=False))
    k = min(k, len(pool) - 1)
    if k < 1:
        return np.zeros((n, 0), dtype=np.int64)
    # Of unit vectors the Euclidean order is that of the cosine, and scikit-learn's fast path knows only the former.
    search = NearestNeighbors(n_neighbors=k + 1, metric="euclidean", algorithm="brute").fit(documents[pool])
    found = []
    bar = tqdm(total=n, desc="neighbours", unit="doc", disable=not show_progress())
    with bar:
        for start in range(0, n, BLOCK):
            block = documents[start : start + BLOCK]
            near = pool[search.kneighbors(block, return_distance=False)]
            other = near != np.arange(start, start + len(block))[:, None]
            other[other.all(axis=1), -1] = False  # a document that is not in the pool drops its farthest
            found.append(near[other].reshape(len(block), k))
            bar.update(len(block))
    return np.concatenate(found)


def average_neighbours(neighbours: IntArray) -> sparse.csr_array:
    """Return W of shape (N, N) with 1/k for each of a document's k neighbours, sparse, float32; x -> W x is their mean.

    Without neighbours each document is its own.

    Args:
        neighbours: rows of shape (N, k), from `find_neighbours`.
    """
    n, k = neighbours.shape
    if not k:
        return sparse.csr_array(sparse.eye_array(n, dtype=np.float32))
    values = np.full(n * k, 1 / k, dtype=np.float32)
    return sparse.csr_array((values, neighbours.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))


@dataclass(frozen=True, eq=False)
class Corpus:
    """The N documents in both kinds of representation, each drawn towards its neighbours block by block.

    x' = (1 - share) x + share * mean of the neighbours' x. Scores are linear in x, so this is the same as
    averaging scores, and needs none of them.

    Attributes:
        vectors: unit vectors of shape (N, d); may be a memory map.
        words: TF-IDF vectors, sparse (N, V), or None without a lexical view.
        neighbours: W of `average_neighbours`, or None.
        share: of the neighbours.
    """

    vectors: npt.NDArray[np.float32]
    words: sparse.csr_array | None = None
    neighbours: sparse.csr_array | None = None
    share: float = 0.0

    def read_vectors(self, rows: slice) -> FloatArray:
        """Return x' of a block, dense: (n, d) float32."""
        own = np.asarray(self.vectors[rows], dtype=np.float32)
        if self.neighbours is None:
            return own
        weights = self.neighbours[rows]
        near, where = np.unique(weights.indices, return_inverse=True)
        local = sparse.csr_array((weights.data, where, weights.indptr), shape=(len(own), len(near)))
        mean = local @ np.asarray(self.vectors[near], dtype=np.float32)
        return np.asarray((1 - self.share) * own + self.share * mean, dtype=np.float32)

    def score_words(self, rows: slice, lexical: LexicalView) -> tuple[FloatArray, FloatArray]:
        """Return the lexical scores of a block, those of x' and the documents' own: (n, C) float32 each."""
        assert self.words is not None
        own = lexical.score(self.words[rows])
        if self.neighbours is None:
            return own, own
        mean = lexical.score(sparse.csr_array(self.neighbours[rows] @ self.words))
        return np.asarray((1 - self.share) * own + self.share * mean, dtype=np.float32), own


# ---------------------------------------------------------------------- candidates


@dataclass(frozen=True, eq=False)
class Candidates:
    """The best K classes of a block of documents.

    Attributes:
        rows: which documents of the corpus.
        classes: positions of shape (n, K), best first.
        paths: shape (n, K, depth), root first, padded with -1: the best-scoring way to each candidate.
        scores: `score_<view>`, each (n, K) float32; `score_fused` decides the order.
    """

    rows: slice
    classes: IntArray
    paths: IntArray
    scores: dict[str, FloatArray]


def iterate_candidates(
    corpus: Corpus,
    class_views: dict[str, FloatArray],
    lexical: LexicalView | None,
    taxonomy: Taxonomy,
    *,
    top_k: int,
    hubness_prior: float,
    lexical_weight: float,
) -> Iterator[Candidates]:
    """Yield the candidates of the corpus block by block.

    fused(x, c) = standardised mean over the dense views of cos(x, c)  +  lexical_weight * TF-IDF(x, c) / spread,

    where x is drawn towards its neighbours, see `Corpus`; the scores by view are the document's own.

    Args:
        corpus: N documents.
        class_views: unit vectors of shape (C, d) by view.
        lexical: the TF-IDF view, or None for none.
        taxonomy: for the way from a root to each candidate.
        top_k: candidates a document.
        hubness_prior: see `estimate_moments`.
        lexical_weight: weight of the TF-IDF view.
    """
    dense = average_views(class_views)
    moments = estimate_moments(corpus.vectors, dense, hubness_prior)
    k = min(top_k, len(taxonomy))
    n = len(corpus.vectors)
    bar = tqdm(total=n, desc="score", unit="doc", disable=not show_progress())
    with bar:
        for start in range(0, n, BLOCK):
            rows = slice(start, min(start + BLOCK, n))
            own = np.asarray(corpus.vectors[rows], dtype=np.float32)
            fused = moments.standardise(corpus.read_vectors(rows) @ dense.T)
            if lexical is not None:
                drawn, words = corpus.score_words(rows, lexical)
                fused = fused + np.float32(lexical_weight) * drawn
            best = np.argsort(-fused, axis=1, kind="stable")[:, :k]
            scores = {f"score_{name}": np.einsum("nd,nkd->nk", own, view[best]) for name, view in class_views.items()}
            if lexical is not None:
                scores["score_lexical"] = np.take_along_axis(words, best, axis=1)
            scores["score_fused"] = np.take_along_axis(fused, best, axis=1)
            paths = taxonomy.trace_paths(taxonomy.best_parents(fused), best)
            yield Candidates(rows, best, paths, scores)
            bar.update(len(own))


def average_views(class_views: dict[str, FloatArray]) -> FloatArray:
    """Return the mean of the classes' vectors over the views: (C, d), float32; its cosine is the mean of theirs."""
    return np.asarray(np.mean(list(class_views.values()), axis=0), dtype=np.float32)


def candidates_to_frame(candidates: Iterator[Candidates], keys: pd.DataFrame, taxonomy: Taxonomy) -> pd.DataFrame:
    """Return one row a document and candidate: split, doc_id, rank, class_id, path, score_<view>, score_fused.

    Args:
        candidates: from `iterate_candidates`.
        keys: split and doc_id of the corpus, in the order of the document vectors.
        taxonomy: for the ids.
    """
    ids = np.array(taxonomy.class_ids, dtype=object)
    parts = []
    for part in candidates:
        n, k = part.classes.shape
        owners = keys.iloc[part.rows].loc[:, ["split", "doc_id"]]
        frame = owners.loc[owners.index.repeat(k)].reset_index(drop=True)
        flat = part.paths.reshape(n * k, -1)
        parts.append(
            frame.assign(
                rank=np.tile(np.arange(1, k + 1), n),
                class_id=ids[part.classes.ravel()],
                path=pd.Series([list(ids[row[row >= 0]]) for row in flat]),
                **{name: values.ravel() for name, values in part.scores.items()},
            )
        )
    return pd.concat(parts, ignore_index=True)


def find_nearest_class(documents: FloatArray, classes: FloatArray) -> IntArray:
    """Return the class of largest cosine for each document, shape (n,): the zero-shot baseline.

    Args:
        documents: unit vectors of shape (n, d).
        classes: unit vectors of shape (C, d).
    """
    blocks = [documents[i : i + BLOCK] for i in range(0, len(documents), BLOCK)]
    best = [(block @ classes.T).argmax(axis=1) for block in blocks]
    return np.concatenate([*best, np.array([], dtype=np.int64)]).astype(np.int64)
