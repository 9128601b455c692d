"""Scores of every class for every document, without a label: the candidates that silver labels come from.

A class is compared with a document by sentence embeddings (of its text with a description, and of what is known of it
without a language model) and by its words as TF-IDF. How much words count, and how much a document may learn from its
neighbours, is measured on the corpus itself, see `reliability`. Two things are added to that: the classes above a
class, and a second look at the labels that come of the first. The document-class matrix is never held: documents go
through in blocks and leave their best K classes behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from tqdm import tqdm

from hmltc_kedro.arrays import FloatArray, IntArray, find_best
from hmltc_kedro.display import show_progress
from hmltc_kedro.pseudo_labels.moments import BLOCK, Moments, estimate_moments
from hmltc_kedro.pseudo_labels.neighbourhood import average_neighbours
from hmltc_kedro.pseudo_labels.path_evidence import add_ancestors, label_best_path
from hmltc_kedro.pseudo_labels.reliability import ViewWeights, average_views
from hmltc_kedro.pseudo_labels.second_look import fit_second_look
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.latent_words import VECTOR_WEIGHT, LatentWords
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.texts import Texts

MAX_CELLS = 4_000_000
"""Of documents by classes, and by nodes on the paths to their candidates, that are scored at a time."""


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

    @classmethod
    def gather(
        cls,
        texts: Texts,
        vectors: npt.NDArray[np.float32],
        neighbours: IntArray,
        lexical: LexicalView | None,
        weights: ViewWeights,
    ) -> Corpus:
        """Return the documents as they are scored with these weights.

        Args:
            texts: N texts.
            vectors: of them, (N, d).
            neighbours: rows of shape (N, k), from `find_neighbours`; unused where they have no weight.
            lexical: the TF-IDF view, or None for none.
            weights: of views and neighbours.
        """
        words = lexical.represent(texts) if lexical is not None else None
        near = average_neighbours(neighbours) if weights.neighbour_share else None
        return cls(vectors, words, near, weights.neighbour_share)

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


@dataclass(frozen=True, eq=False)
class FirstSight:
    """What the texts of the classes say of each document.

    s(x, c) = standardised mean over the dense views of cos(x, c)  +  lexical weight * TF-IDF(x, c) / spread,

    where x is drawn towards its neighbours, see `Corpus`.

    Attributes:
        corpus: the N documents.
        classes: mean of the dense views, (C, d).
        moments: of its cosines.
        lexical: the TF-IDF view, or None for none.
        lexical_weight: its weight.
    """

    corpus: Corpus
    classes: FloatArray
    moments: Moments
    lexical: LexicalView | None
    lexical_weight: float

    def score(self, rows: slice) -> tuple[FloatArray, FloatArray | None]:
        """Return s of a block and the documents' own lexical scores, both (n, C), float32."""
        scores = self.moments.standardise(self.corpus.read_vectors(rows) @ self.classes.T)
        if self.lexical is None:
            return scores, None
        drawn, own = self.corpus.score_words(rows, self.lexical)
        return scores + np.float32(self.lexical_weight) * drawn, own


def iterate_candidates(
    corpus: Corpus,
    class_views: dict[str, FloatArray],
    lexical: LexicalView | None,
    taxonomy: Taxonomy,
    *,
    top_k: int,
    hubness_prior: float,
    lexical_weight: float,
    ancestor_weight: float,
    second_look: float,
    seed: int,
) -> Iterator[Candidates]:
    """Yield the candidates of the corpus block by block.

    fused = s + `second_look` * what the others say, each class with what is above it, see `FirstSight`, `second_look`
    and `path_evidence.add_ancestors`; the scores by view are the document's own.

    Args:
        corpus: N documents.
        class_views: unit vectors of shape (C, d) by view.
        lexical: the TF-IDF view, or None for none.
        taxonomy: for the way from a root to each candidate.
        top_k: candidates a document.
        hubness_prior: see `estimate_moments`.
        lexical_weight: weight of the TF-IDF view.
        ancestor_weight: of the classes above a class.
        second_look: weight of what the others say; 0 for one look.
        seed: of the second look.
    """
    dense = average_views(class_views)
    moments = estimate_moments(corpus.vectors, dense, hubness_prior)
    sight = FirstSight(corpus, dense, moments, lexical, lexical_weight)
    k, n = min(top_k, len(taxonomy)), len(corpus.vectors)
    step = min(BLOCK, max(1, MAX_CELLS // max(len(taxonomy), k * taxonomy.depth)))
    blocks = [slice(start, min(start + step, n)) for start in range(0, n, step)]
    looked_again = _look_again(sight, blocks, taxonomy, ancestor_weight, seed) if second_look and n else None
    bar = tqdm(total=n, desc="score", unit="doc", disable=not show_progress())
    with bar:
        for rows in blocks:
            fused, words = sight.score(rows)
            if looked_again is not None:
                fused = fused + np.float32(second_look) * looked_again(rows)
            fused, parents = add_ancestors(fused, taxonomy, ancestor_weight)
            best = find_best(fused, k)
            own = np.asarray(corpus.vectors[rows], dtype=np.float32)
            scores = {f"score_{name}": np.einsum("nd,nkd->nk", own, view[best]) for name, view in class_views.items()}
            if words is not None:
                scores["score_lexical"] = np.take_along_axis(words, best, axis=1)
            scores["score_fused"] = np.take_along_axis(fused, best, axis=1)
            yield Candidates(rows, best, taxonomy.trace_paths(parents, best), scores)
            bar.update(len(own))


def _look_again(
    sight: FirstSight, blocks: Sequence[slice], taxonomy: Taxonomy, ancestor_weight: float, seed: int
) -> Callable[[slice], FloatArray]:
    """Return what gives a block the scores of the second look, (n, C), float32; vectors and latent words are read."""
    corpus = sight.corpus
    latent = LatentWords.fit(corpus.words, seed) if corpus.words is not None else None

    def read(rows: slice) -> FloatArray:
        vectors = np.float32(VECTOR_WEIGHT) * np.asarray(corpus.vectors[rows], dtype=np.float32)
        if corpus.words is None or latent is None:
            return vectors
        return np.hstack([vectors, latent.represent(corpus.words[rows])])

    labels = [label_best_path(sight.score(rows)[0], taxonomy, ancestor_weight) for rows in blocks]
    pairs = ((rows, read(rows)) for rows in blocks)
    look = fit_second_look(pairs, sparse.csr_array(sparse.vstack(labels)), seed)
    return lambda rows: look.score(rows, read(rows))


def candidates_to_frame(candidates: Iterator[Candidates], keys: pd.DataFrame, taxonomy: Taxonomy) -> pd.DataFrame:
    """Return one row a document and candidate: split, doc_id, rank, class_id, path, score_<view>, score_fused.

    Args:
        candidates: from `iterate_candidates`.
        keys: split and doc_id of the corpus, in the order of the document vectors.
        taxonomy: for the ids.
    """
    import pyarrow as pa

    ids, splits, doc_ids = (pa.array(part, pa.string()) for part in (taxonomy.class_ids, keys["split"], keys["doc_id"]))
    parts = []
    for part in candidates:
        n, k = part.classes.shape
        rows = np.repeat(np.arange(part.rows.start, part.rows.stop), k)
        nodes = part.paths.reshape(n * k, -1)
        on_path = nodes >= 0
        ends = np.append(0, on_path.sum(axis=1).cumsum()).astype(np.int32)
        columns = {
            "split": splits.take(rows),
            "doc_id": doc_ids.take(rows),
            "rank": np.tile(np.arange(1, k + 1), n),
            "class_id": ids.take(part.classes.ravel()),
            "path": pa.ListArray.from_arrays(ends, ids.take(nodes[on_path])),
            **{name: values.ravel() for name, values in part.scores.items()},
        }
        parts.append(pa.table({name: pa.array(column) for name, column in columns.items()}))
    frame: pd.DataFrame = pa.concat_tables(parts).to_pandas(self_destruct=True, split_blocks=True)
    return frame


def find_nearest_class(documents: FloatArray, classes: FloatArray) -> IntArray:
    """Return the class of largest cosine for each document, shape (n,): the zero-shot baseline.

    Args:
        documents: unit vectors of shape (n, d).
        classes: unit vectors of shape (C, d).
    """
    blocks = [documents[i : i + BLOCK] for i in range(0, len(documents), BLOCK)]
    best = [(block @ classes.T).argmax(axis=1) for block in blocks]
    return np.concatenate([*best, np.array([], dtype=np.int64)]).astype(np.int64)
