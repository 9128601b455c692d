"""Silver labels of the two baselines, TaxoClass and TELEClass-basic, both by core classes.

A core class is one of the few classes that a document is about; its ancestors follow from it. Both methods look for
them among candidates found level by level down the taxonomy. Documents go through in blocks: what is held for the
whole corpus is a few dozen candidates a document, never a document-class matrix.

- TaxoClass: Shen et al., "TaxoClass: Hierarchical Multi-Label Text Classification Using Only Class Names", NAACL 2021.
- TELEClass: Zhang et al., "TELEClass: Taxonomy Enrichment and LLM-Enhanced Hierarchical Text Classification with
  Minimal Supervision", WWW 2025. Basic: without its language model and without terms mined from the corpus.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from tqdm import tqdm

from hmltc_kedro.arrays import BoolArray, FloatArray, IntArray
from hmltc_kedro.display import show_progress
from hmltc_kedro.pseudo_labels.gaps import choose_threshold, count_by_largest_gap, measure_gaps_after
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.texts import Texts, read_texts
from hmltc_kedro.text.windows import normalise

MAX_SCORES = 20_000_000
"""Scores of a block, documents times classes or terms: 80 MB of float32."""


UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts written without spaces between words, as the names of their characters begin in Unicode."""


def find_candidates(scores: FloatArray, taxonomy: Taxonomy) -> BoolArray:
    """Return which classes are candidates of each document, by a search down the levels: a mask (n, C).

    Level 0 is a virtual node above the roots. From each class reached at level l the l + 3 children of largest
    score go on, and of all these the (l + 2)^2 with the best path score are reached at level l + 1: up to 3 roots,
    then 9 classes, 16, 25. Whatever is reached at any level is a candidate. The widths are those of TELEClass; ties
    go to the class first in the taxonomy.

    The path score is the product of exp(score) along the path, as in TELEClass's published code: a product of the
    cosines themselves would turn over where one is negative (two bad matches make a good one). Here the sum of the
    scores stands for it, its logarithm. A class with several parents at a level is reached once, by its best path;
    one with ways of several lengths can be reached at several levels.

    Args:
        scores: similarity of n documents to all classes, shape (n, C).
        taxonomy: of C classes.
    """
    top = len(taxonomy)
    families = [(top, taxonomy.roots), *_list_families(taxonomy)]
    reached = np.zeros(scores.shape, dtype=bool)
    paths = np.full((len(scores), top + 1), -np.inf, dtype=np.float32)
    paths[:, top] = 0
    for level in range(taxonomy.depth):
        below = np.full_like(paths, -np.inf)
        for parent, children in families:
            rows = np.flatnonzero(paths[:, parent] > -np.inf)
            here = np.ix_(rows, children)
            ways = paths[rows, parent][:, None] + _keep_largest(scores[here], level + 3)
            below[here] = np.maximum(below[here], ways)
        paths = _keep_largest(below, (level + 2) ** 2)
        reached |= paths[:, :top] > -np.inf
    return reached


def _list_families(taxonomy: Taxonomy) -> Iterator[tuple[int, IntArray]]:
    """Yield each inner class with its children."""
    for parent, children in enumerate(taxonomy.children):
        if children:
            yield parent, np.array(children, dtype=np.int64)


def _keep_largest(values: FloatArray, k: int) -> FloatArray:
    """Return `values` with all but the k largest of each row set to -inf; of equal ones the first are kept."""
    if values.shape[1] <= k:
        return values
    kth = -np.partition(-values, k - 1, axis=1)[:, [k - 1]]
    above, equal = values > kth, values == kth
    room = k - above.sum(axis=1, keepdims=True)
    return np.where(above | (equal & (equal.cumsum(axis=1) <= room)), values, np.float32(-np.inf))


def measure_margins(scores: FloatArray, taxonomy: Taxonomy) -> FloatArray:
    """Return each class's score minus the largest one of its parents and siblings: (n, C), float32.

    The confidence of TaxoClass. A class with neither parents nor siblings has its score as margin.

    Args:
        scores: similarity of n documents to all classes, shape (n, C).
        taxonomy: of C classes.
    """
    rivals = np.full(scores.shape, -np.inf, dtype=np.float32)
    for parent, children in _list_families(taxonomy):
        rivals[:, children] = np.maximum(rivals[:, children], scores[:, [parent]])
    for siblings in (taxonomy.roots, *(children for _, children in _list_families(taxonomy))):
        if len(siblings) > 1:
            # The best of the others is the largest, and for the largest itself the second largest.
            family = scores[:, siblings]
            order = np.partition(family, -2, axis=1)
            best, second = order[:, [-1]], order[:, [-2]]
            rivals[:, siblings] = np.maximum(rivals[:, siblings], np.where(family == best, second, best))
    return scores - np.where(rivals > -np.inf, rivals, np.float32(0))


@dataclass(frozen=True, eq=False)
class CoreClasses:
    """The core classes of n documents.

    Attributes:
        labels: the core classes and their ancestors, sparse 0/1 of shape (n, C).
        confidence: by how much the surest candidate exceeds its threshold, float32 of shape (n,). Not above 0 where
            no candidate does; such a document is labelled by that candidate all the same, and not to be trusted.
    """

    labels: sparse.csr_array
    confidence: FloatArray


def find_core_classes(
    score: Callable[[FloatArray], FloatArray], document_vectors: FloatArray, step: int, taxonomy: Taxonomy
) -> CoreClasses:
    """Return the core classes of each document: the candidates of a margin above their class's median, and above 0.

    A class's median is taken over the documents that have it as a candidate, so that a class near to everything is
    held to its own standard. Where the median is negative it asks for nothing: a core class is nearer than its
    parents and siblings in any case.

    Args:
        score: from vectors (n, d) to the similarity to all classes, (n, C).
        document_vectors: of the corpus, shape (N, d); may be a memory map.
        step: documents a block.
        taxonomy: of C classes.
    """
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
    for start, block in _read_blocks(document_vectors, step, "find candidates"):
        scores = score(block)
        row, column = np.nonzero(find_candidates(scores, taxonomy))
        parts.append((row + start, column, measure_margins(scores, taxonomy)[row, column]))
    document, candidate, margin = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    median = pd.Series(margin).groupby(candidate).transform("median").to_numpy(np.float32)
    excess = margin - np.maximum(median, 0)
    # Every document has candidates and they lie together, so a document is a group of neighbours.
    first = np.flatnonzero(np.diff(document, prepend=-1))
    confidence = np.maximum.reduceat(excess, first) if len(first) else excess
    best = confidence[document]
    is_core = (excess > 0) | ((best <= 0) & (excess == best))
    core = _to_labels(document[is_core], candidate[is_core], (len(document_vectors), len(taxonomy)))
    return CoreClasses(taxonomy.close_ancestors(core), confidence)


def assign_taxoclass_labels(
    document_vectors: FloatArray, class_vectors: FloatArray, documents: pd.DataFrame, taxonomy: Taxonomy
) -> pd.DataFrame:
    """Return TaxoClass's silver labels: split, doc_id, class_ids (parents first), confidence (float32), kept.

    A document's label set is its core classes and all their ancestors; a document without a core class is not kept.
    The confidence is that of `CoreClasses`. The paper's similarity is a textual entailment model's probability;
    here it is the cosine, so that both baselines read the documents with the encoder of everything else.

    Args:
        document_vectors: unit vectors of shape (N, d); may be a memory map.
        class_vectors: unit vectors of shape (C, d).
        documents: columns split and doc_id, in the order of the vectors.
        taxonomy: of C classes.
    """

    def score(block: FloatArray) -> FloatArray:
        return block @ class_vectors.T

    core = find_core_classes(score, document_vectors, _choose_step(class_vectors), taxonomy)
    return _to_frame(documents, core.labels, core.confidence, core.confidence > 0, taxonomy)


def write_terms(taxonomy: Taxonomy) -> tuple[list[str], IntArray]:
    """Return the terms of all classes, a class's name and its keywords, and the class of each term."""
    terms = [list(dict.fromkeys([taxonomy.spoken_name(c), *taxonomy.keywords[c]])) for c in range(len(taxonomy))]
    owners = np.repeat(np.arange(len(taxonomy)), [len(t) for t in terms])
    return [term for own in terms for term in own], owners.astype(np.int64)


class _WordTable(dict[int, str]):
    """For `str.translate`: letters, marks and digits stay, everything else is a space."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if unicodedata.category(char)[0] not in "LMN":
            word = " "
        elif unicodedata.name(char, "").startswith(UNSPACED):
            word = f" {char} "
        else:
            word = char
        self[code] = word
        return word


_WORDS = _WordTable()


def split_words(text: str) -> list[str]:
    """Return the words of `text` without case and punctuation; each character in a script without spaces."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_WORDS).split()


def find_mentions(texts: Texts, taxonomy: Taxonomy) -> sparse.csr_array:
    """Return which classes have one of their terms in each text: sparse 0/1 of shape (n, C), int32.

    A term is found as a run of whole words, whatever the case: `toy car` in `Toy-car!`, not in `toy cars`.
    """
    texts = read_texts(texts)
    terms, owners = write_terms(taxonomy)
    phrases = [" ".join(split_words(term)) for term in terms]
    columns = {phrase: i for i, phrase in enumerate(dict.fromkeys(filter(None, phrases)))}
    if not columns:  # names of nothing but signs
        return sparse.csr_array((len(texts), len(taxonomy)), dtype=np.int32)
    lengths = sorted({phrase.count(" ") + 1 for phrase in columns})

    def list_phrases(text: str) -> Iterator[str]:
        words = split_words(text)
        return (" ".join(words[i : i + n]) for n in lengths for i in range(len(words) - n + 1))

    found = CountVectorizer(analyzer=list_phrases, vocabulary=columns, dtype=np.int32).transform(texts)
    pairs = [(columns[phrase], owner) for phrase, owner in zip(phrases, owners.tolist(), strict=True) if phrase]
    row, column = np.array(pairs, dtype=np.int64).T
    mentions = sparse.csr_array(sparse.csr_array(found) @ _to_labels(row, column, (len(columns), len(taxonomy))))
    mentions.data[:] = 1
    return mentions


def average_documents(
    document_vectors: FloatArray, members: sparse.csr_array, class_vectors: FloatArray, step: int
) -> FloatArray:
    """Return the centroid of each class at unit length: the mean vector of its members, (C, d) float32.

    A class without members keeps its own vector.

    Args:
        document_vectors: shape (N, d); may be a memory map.
        members: sparse 0/1 of shape (N, C).
        class_vectors: unit vectors of shape (C, d).
        step: documents a block.
    """
    total = np.zeros(class_vectors.shape)
    for start, block in _read_blocks(document_vectors, step, "average"):
        total += members[start : start + len(block)].T.astype(np.float32) @ block
    # A mean and a sum have the same direction.
    has_members = np.asarray(members.sum(axis=0)).ravel() > 0
    return normalise(np.where(has_members[:, None], total, class_vectors))


def assign_teleclass_labels(
    documents: pd.DataFrame,
    document_vectors: FloatArray,
    class_vectors: FloatArray,
    term_vectors: FloatArray,
    term_owners: IntArray,
    taxonomy: Taxonomy,
    *,
    drop_share: float = 0.25,
) -> pd.DataFrame:
    """Return TELEClass-basic's silver labels: split, doc_id, class_ids (parents first), confidence (float32), kept.

    1. A class's score is the best cosine of the document with one of its terms. Core classes by that score, as in
       `find_core_classes`: the paper has a language model choose among the candidates, here TaxoClass's rule does.
    2. A class's centroid is the mean vector of the documents that are labelled with it (as core class or ancestor)
       and contain one of its terms; where there are none, its class vector, where the paper leaves the class out.
    3. A document's labels are the classes nearest to it by centroid before the largest of the first three gaps, one
       to three of any level, and all their ancestors. The confidence is that gap.
    4. The least certain `drop_share` of the documents are not kept.

    Args:
        documents: columns split, doc_id and text, in the order of the vectors.
        document_vectors: unit vectors of shape (N, d); may be a memory map.
        class_vectors: unit vectors of shape (C, d).
        term_vectors: unit vectors of the names and keywords of all classes, shape (T, d), as from `write_terms`.
        term_owners: the class of each term, shape (T,).
        taxonomy: of C classes.
        drop_share: a quantile of the confidence, in [0, 1).

    Raises:
        ValueError: a class without a term.
    """
    order = np.argsort(term_owners, kind="stable")
    owners, starts = np.unique(term_owners[order], return_index=True)
    if len(owners) != len(taxonomy):
        raise ValueError(f"{len(owners)} of {len(taxonomy)} classes have terms; each needs one, its name")
    terms = term_vectors[order]

    def score(block: FloatArray) -> FloatArray:
        return np.maximum.reduceat(block @ terms.T, starts, axis=1)

    core = find_core_classes(score, document_vectors, _choose_step(terms), taxonomy)
    members = core.labels.multiply(find_mentions(list(documents["text"]), taxonomy)).tocsr()
    step = _choose_step(class_vectors)
    centroids = average_documents(document_vectors, members, class_vectors, step)
    labels, gaps = _select_nearest(document_vectors, centroids, step)
    levels = np.zeros(len(gaps), dtype=np.int64)
    kept = gaps > choose_threshold(gaps, levels, method="quantile", value=drop_share)
    return _to_frame(documents, taxonomy.close_ancestors(labels), gaps, kept, taxonomy)


def _select_nearest(
    document_vectors: FloatArray, centroids: FloatArray, step: int
) -> tuple[sparse.csr_array, FloatArray]:
    """Return the classes before the largest of the first three gaps, (N, C), and that gap, (N,)."""
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    gaps = np.zeros(len(document_vectors), dtype=np.float32)
    for start, block in _read_blocks(document_vectors, step, "select labels"):
        scores = block @ centroids.T
        nearest = np.argsort(-scores, axis=1, kind="stable")[:, :4]
        scores = np.take_along_axis(scores, nearest, axis=1)
        counts = count_by_largest_gap(scores)
        gaps[start : start + len(block)] = measure_gaps_after(counts, scores)
        row, place = np.nonzero(np.arange(nearest.shape[1]) < counts[:, None])
        parts.append((row + start, nearest[row, place]))
    document, chosen = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return _to_labels(document, chosen, (len(document_vectors), len(centroids))), gaps


def _choose_step(columns: FloatArray) -> int:
    """Return the documents a block that are compared with `columns`, of shape (columns, d)."""
    return max(1, MAX_SCORES // int(max(columns.shape)))


def _read_blocks(vectors: FloatArray, step: int, what: str) -> Iterator[tuple[int, FloatArray]]:
    """Yield (first row, block), with a progress bar."""
    with tqdm(total=len(vectors), desc=what, unit="doc", disable=not show_progress()) as bar:
        for start in range(0, len(vectors), step):
            block = np.asarray(vectors[start : start + step], dtype=np.float32)
            yield start, block
            bar.update(len(block))


def _to_labels(rows: IntArray, columns: IntArray, shape: tuple[int, int]) -> sparse.csr_array:
    """Return a sparse 0/1 matrix, int32."""
    labels = sparse.csr_array((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=shape)
    labels.sum_duplicates()
    labels.data[:] = 1
    return labels


def _to_frame(
    documents: pd.DataFrame, labels: sparse.csr_array, confidence: FloatArray, kept: BoolArray, taxonomy: Taxonomy
) -> pd.DataFrame:
    """Return the columns of `silver_labels`."""
    frame = documents[["split", "doc_id"]].reset_index(drop=True)
    class_ids = pd.Series(taxonomy.to_label_sets(labels), dtype=object)
    return frame.assign(class_ids=class_ids, confidence=confidence, kept=kept)
