"""What graph convolution does to the class embeddings: intra-level cosines and a map (paper: section 5.2).

The GCN is `modeling.gcn`: two layers with residual connections over the normalised taxonomy, untrained.
"""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt
import pandas as pd

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy

logger = logging.getLogger(__name__)


PERPLEXITY = 30.0
"""scikit-learn's default, the largest used; a small map has a third of its classes."""


MAX_EXACT = 1000
"""Classes up to which t-SNE is computed exactly: quick enough, and the same with any number of threads."""


def mean_cosine(vectors: FloatArray) -> float:
    """Return the mean cosine of all pairs of distinct rows, NaN for fewer than two.

    With unit vectors and s their sum, |s|^2 counts each row with itself once and each pair twice:

        mean = (|s|^2 - n) / (n (n - 1))

    Args:
        vectors: unit length, shape (n, d).
    """
    n = len(vectors)
    total = vectors.sum(axis=0, dtype=np.float64)
    return float((total @ total - n) / (n * (n - 1))) if n > 1 else np.nan


def measure_levels(before: FloatArray, after: FloatArray, taxonomy: Taxonomy, root: int) -> pd.DataFrame:
    """Return one row a level: part, level, n_classes, n_pairs, mean_cosine_before, mean_cosine_after.

    First of the whole taxonomy (part `all`, level 1 the roots), then of the classes below one (part its name, level 1
    its children). The paper's figures seem to be of such a part: it has 0.543 to 0.649 at level 1 and 0.404 to 0.539
    at level 2, where its encoder and descriptions give 0.528 to 0.655 and 0.375 to 0.500 below baby_products, and 0.447
    to 0.591 and 0.316 to 0.451 in the whole taxonomy.

    Args:
        before: class vectors, unit length, shape (C, d).
        after: the same after graph convolution.
        taxonomy: of C classes.
        root: position of the class on top of the second part.
    """
    rows = []
    for part, levels in (("all", taxonomy.levels), (taxonomy.spoken_name(root), taxonomy.levels_below(root))):
        for level in range(1, levels.max() + 1):
            here = levels == level
            n = int(here.sum())
            rows.append((part, level, n, n * (n - 1) // 2, mean_cosine(before[here]), mean_cosine(after[here])))
    columns = ["part", "level", "n_classes", "n_pairs", "mean_cosine_before", "mean_cosine_after"]
    return pd.DataFrame(rows, columns=columns)


def find_map_root(taxonomy: Taxonomy, wanted: str | None) -> int:
    """Return the position of the class whose sub-hierarchy is to be drawn.

    Args:
        taxonomy: the classes.
        wanted: a class id, or a name that only one class has. None, or a name this taxonomy does not have (settings
            made for one dataset run on any): the root with the most classes below it.

    Raises:
        InputError: several classes of that name.
    """
    if wanted in taxonomy.index:
        return taxonomy.index[wanted]
    named = [c for c, name in enumerate(taxonomy.names) if name == wanted]
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(taxonomy.class_ids[c] for c in named)
        raise InputError(f"report.gcn_map_root: {len(named)} classes are called {wanted!r}; give an id, one of {ids}")
    root = int(taxonomy.roots[taxonomy.count_below(taxonomy.roots).argmax()])
    if wanted is not None:
        logger.warning("report.gcn_map_root: there is no class %r; showing %r", wanted, taxonomy.names[root])
    return root


def lay_out_map(before: FloatArray, after: FloatArray, taxonomy: Taxonomy, root: int, seed: int) -> pd.DataFrame:
    """Return the map of a class and all below it: class_id, path, depth, group, x/y_before, x/y_after.

    `group` is the id of the child of `root` that the class is, or is below (the first, if several); of the root its
    own. `depth` is its level below the root.

    Args:
        before: class vectors, unit length, shape (C, d).
        after: the same after graph convolution.
        taxonomy: of C classes.
        root: position of the class on top.
        seed: of t-SNE.
    """
    depth = taxonomy.levels_below(root)
    classes = np.flatnonzero(depth >= 0).tolist()
    # The place among the children of `root`; each class has the first of its own and its parents'.
    place = {k: n for n, k in enumerate(taxonomy.children[root])}
    for c in taxonomy.topological_order:
        found = [place[k] for k in (c, *taxonomy.parents[c]) if k in place]
        if found:
            place[c] = min(found)
    groups = [taxonomy.children[root][place[c]] if c in place else root for c in classes]
    frame = pd.DataFrame(
        {
            "class_id": [taxonomy.class_ids[c] for c in classes],
            "path": [taxonomy.labels[c] for c in classes],
            "depth": depth[classes],
            "group": [taxonomy.class_ids[k] for k in groups],
        }
    )
    for name, vectors in (("before", before), ("after", after)):
        frame[[f"x_{name}", f"y_{name}"]] = project(vectors[classes], seed)
    return frame


def project(vectors: FloatArray, seed: int) -> npt.NDArray[np.float64]:
    """Return the rows on a plane by t-SNE (van der Maaten & Hinton 2008): (n, d) to (n, 2).

    The perplexity is at most a third of the neighbours there are. Fewer than four rows, of which t-SNE makes nothing,
    are laid along their principal axes.
    """
    n = len(vectors)
    if n < 4:
        u, s, _ = np.linalg.svd(np.asarray(vectors, dtype=np.float64) - vectors.mean(axis=0), full_matrices=False)
        return np.pad(u * s, ((0, 0), (0, 2)))[:, :2]
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (n - 1) / 3)
    method = "exact" if n <= MAX_EXACT else "barnes_hut"
    plane = TSNE(perplexity=perplexity, init="pca", random_state=seed, method=method).fit_transform(vectors)
    return np.asarray(plane, dtype=np.float64)
