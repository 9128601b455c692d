"""How much each view of a class, and a document's neighbours, are to be believed, measured on the corpus itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.pseudo_labels.lexical_weight import weigh_lexical_view
from hmltc_kedro.pseudo_labels.moments import estimate_moments
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.samples import draw_rows, key_texts
from hmltc_kedro.text.texts import Texts, read_texts

HALVED = 500
"""Documents that reliability is measured on, both halves of which have to be encoded."""

WEIGHED = 5000
"""Documents that the lexical weight is measured on."""

MAX_CELLS = 20_000_000
"""Of these documents by classes: with 10,000 classes it is measured on 2,000 documents."""


@dataclass(frozen=True)
class ViewWeights:
    """How the views and the neighbours are weighed.

    Attributes:
        n_documents: that were halved; 0 if none was.
        dense_reliability: correlation of the dense scores of the two halves, see `measure_reliability`; None without.
        lexical_weight: of the lexical view in units of its spread, the dense views having weight 1.
        neighbour_share: how much of a document's score comes from its neighbours, 0 to 1.
    """

    n_documents: int
    dense_reliability: float | None
    lexical_weight: float
    neighbour_share: float


def weigh_views(
    texts: Texts,
    vectors: FloatArray,
    class_views: dict[str, FloatArray],
    lexical: LexicalView,
    taxonomy: Taxonomy,
    encoder: TextEncoder,
    *,
    hubness_prior: float,
    ancestor_weight: float,
    fixed_lexical_weight: float | None,
    with_neighbours: bool,
    seed: int,
) -> ViewWeights:
    """Weigh the lexical view by what other documents confirm, and the neighbours by what halves of documents agree on.

    Nothing is measured where nothing depends on it: with a fixed weight, and without neighbours.

    Args:
        texts: of the N documents.
        vectors: of them, unit length, (N, d).
        class_views: unit vectors of shape (C, d) by view.
        lexical: the TF-IDF view.
        taxonomy: of C classes.
        encoder: for the halves.
        hubness_prior: see `moments.estimate_moments`.
        ancestor_weight: see `path_evidence.add_ancestors`.
        fixed_lexical_weight: None to measure it.
        with_neighbours: whether documents learn from their neighbours.
        seed: of the samples.
    """
    texts, dense = read_texts(texts), average_views(class_views)
    keys = key_texts(texts)
    weight = fixed_lexical_weight
    if weight is None:
        size = min(len(texts), WEIGHED, MAX_CELLS // len(taxonomy))
        chosen = np.sort(draw_rows(keys, size, seed))
        moments = estimate_moments(vectors, dense, hubness_prior)
        scores = moments.standardise(np.asarray(vectors[chosen], dtype=np.float32) @ dense.T)
        words = lexical.represent([texts[row] for row in chosen])
        weight = weigh_lexical_view(scores, lexical.score(words), words, taxonomy, ancestor_weight, seed)
    if not with_neighbours:
        return ViewWeights(0, None, round(weight, 6), 0.0)
    chosen = np.sort(draw_rows(keys, min(HALVED, len(texts)), seed))
    halves = zip(*(split_halves(texts[row]) for row in chosen), strict=True)
    first, second = (encoder.encode(list(half)) @ dense.T for half in halves)
    reliability = measure_reliability(first, second)
    share = choose_neighbour_share(reliability)
    return ViewWeights(len(chosen), round(reliability, 6), round(weight, 6), round(share, 6))


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


def choose_neighbour_share(reliability: float) -> float:
    """Return 1 - R, at most 1/2, with R = 2 r / (1 + r) the reliability of a whole document, given r of its halves.

    R follows Spearman and Brown (1910) for a test of twice the length; R * score + (1 - R) * mean of those alike is
    Kelley's (1927) estimate of a true score. The mean here is that of the nearest neighbours, which the same vectors
    have found: where those say nothing, neighbours are strangers, and a document counts for itself at least by half.
    """
    return min(1.0 - 2.0 * reliability / (1.0 + reliability), 0.5)


def average_views(class_views: dict[str, FloatArray]) -> FloatArray:
    """Return the mean of the classes' vectors over the views: (C, d), float32; its cosine is the mean of theirs."""
    return np.asarray(np.mean(list(class_views.values()), axis=0), dtype=np.float32)
