"""How much the words of a class count beside its sentence vector, by what other documents confirm of both."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from hmltc_kedro.arrays import DoubleArray, FloatArray, IntArray
from hmltc_kedro.pseudo_labels.path_evidence import add_ancestors, label_best_path
from hmltc_kedro.pseudo_labels.second_look import fit_second_look
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.latent_words import LatentWords

START = 0.5
"""The weight that the labels of the first round are made with; 0.5 and 1 ended alike."""

ROUNDS = 2
"""Labels, what they teach, the weight. A third round moves the weight by some hundredths."""

RATED = 1500
"""Documents that the weight is fitted to."""

UNCONFIRMED = 2.0
"""The weight by the weight that others confirm: a rare word that names a document's class is in no other document."""

BOUNDS = (0.125, 2.0)
"""Of the weight, for corpora too small to say."""


def weigh_lexical_view(
    dense: FloatArray,
    lexical: FloatArray,
    words: sparse.csr_array,
    taxonomy: Taxonomy,
    ancestor_weight: float,
    seed: int,
) -> float:
    """Return the weight w of the lexical view in the score dense + w lexical.

    w = 2 b / a, from 1/8 to 2

    The labels by that score teach, on words alone, what other documents with these words are labelled with
    (`second_look`); a and b are the weights of the two views in the softmax of a dense + b lexical that predicts best
    what was taught. Twice, for what words say of one document alone, see UNCONFIRMED. How far a view comes back in the
    two halves of a document would take one that is always wrong in the same way for a good one.

    Args:
        dense: standardised dense scores of n documents, (n, C).
        lexical: lexical scores, in units of their spread, (n, C).
        words: TF-IDF vectors, sparse (n, V).
        taxonomy: of C classes.
        ancestor_weight: see `path_evidence.add_ancestors`.
        seed: of folds, latent words and the sample that the weight is fitted to.
    """
    if not lexical.any():
        return BOUNDS[0]
    latent = LatentWords.fit(words, seed).represent(words)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(dense))[:RATED])
    views = [add_ancestors(view[chosen], taxonomy, ancestor_weight)[0] for view in (dense, lexical)]
    weight, everything = START, slice(0, len(dense))
    for _ in range(ROUNDS):
        labels = label_best_path(dense + np.float32(weight) * lexical, taxonomy, ancestor_weight)
        look = fit_second_look([(everything, latent)], labels, seed)
        taught = add_ancestors(look.score(everything, latent)[chosen], taxonomy, ancestor_weight)[0]
        first, second = fit_softmax(views[0], views[1], taught.argmax(axis=1))
        weight = second / max(first, 1e-6)
    return float(np.clip(UNCONFIRMED * weight, *BOUNDS))


def fit_softmax(first: FloatArray, second: FloatArray, classes: IntArray) -> DoubleArray:
    """Return the weights (a, b), neither negative, that maximise the mean of log softmax(a first + b second)[class].

    Args:
        first: shape (n, C).
        second: shape (n, C).
        classes: one a row, (n,).
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    rows = np.arange(len(classes))

    def measure_loss(weights: DoubleArray) -> tuple[float, DoubleArray]:
        logs = log_softmax(np.float32(weights[0]) * first + np.float32(weights[1]) * second, axis=1)
        shares = np.exp(logs)
        slopes = [float(((shares * view).sum(axis=1) - view[rows, classes]).mean()) for view in (first, second)]
        return -float(logs[rows, classes].mean()), np.array(slopes)

    start = np.array([1.0, START])
    return np.asarray(minimize(measure_loss, start, jac=True, bounds=[(0, None)] * 2, method="L-BFGS-B").x)
