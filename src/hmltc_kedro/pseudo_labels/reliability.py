"""How much each view of a class is to be believed: what the two halves of a document agree on is about the document."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.samples import draw_rows, key_texts
from hmltc_kedro.text.texts import Texts, read_texts


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
    texts: Texts,
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
    texts = read_texts(texts)
    size = min(HALVED, len(texts))
    chosen = np.sort(draw_rows(key_texts(texts), size, seed))
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


def average_views(class_views: dict[str, FloatArray]) -> FloatArray:
    """Return the mean of the classes' vectors over the views: (C, d), float32; its cosine is the mean of theirs."""
    return np.asarray(np.mean(list(class_views.values()), axis=0), dtype=np.float32)
