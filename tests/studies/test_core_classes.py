"""Core classes: the search down the levels, margins, mentions and both baselines, worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.studies import core_classes
from hmltc_kedro.studies.core_classes import (
    assign_taxoclass_labels,
    assign_teleclass_labels,
    average_documents,
    find_candidates,
    find_mentions,
    measure_margins,
    split_words,
    write_terms,
)
from hmltc_kedro.taxonomy import Taxonomy

COLUMNS = ["split", "doc_id", "class_ids", "confidence", "kept"]


def draw_taxonomy(rng: np.random.Generator) -> Taxonomy:
    """Draw a DAG of up to 50 classes, wide enough for every limit of the search to matter."""
    n, n_roots = int(rng.integers(1, 51)), int(rng.integers(1, 7))
    edges = [
        (str(parent), str(child))
        for child in range(n_roots, n)
        # Few classes have children, so those have many.
        for parent in rng.choice(min(child, 8), size=min(child, int(rng.integers(1, 3))), replace=False)
    ]
    return Taxonomy.from_edges([(str(i), f"class {i}") for i in range(n)], edges)


def search_one(scores: np.ndarray, taxonomy: Taxonomy) -> set[int]:
    """Search for the candidates of one document as the papers tell it, with products of exp(score)."""
    found: set[int] = set()
    queue, level = {-1: 1.0}, 0
    while queue:
        below: dict[int, float] = {}
        for node, path in queue.items():
            children = taxonomy.roots.tolist() if node == -1 else taxonomy.children[node]
            for child in sorted(children, key=lambda c: (-scores[c], c))[: level + 3]:
                below[child] = max(below.get(child, 0.0), path * float(np.exp(np.float64(scores[child]))))
        queue = dict(sorted(below.items(), key=lambda item: (-item[1], item[0]))[: (level + 2) ** 2])
        found |= set(queue)
        level += 1
    return found


def make_documents(*texts: str) -> pd.DataFrame:
    # An index of its own: rows of a corpus that was filtered.
    index = range(10, 10 + len(texts))
    doc_ids = [str(i) for i in range(len(texts))]
    return pd.DataFrame({"split": "train", "doc_id": doc_ids, "text": list(texts)}, index=index)


# ---------------------------------------------------------------------- candidates


def test_three_roots_go_on_and_four_children_of_each_and_nine_in_all() -> None:
    roots = [f"r{i}" for i in range(4)]
    leaves = [f"{root}{j}" for root in roots for j in range(5)]
    taxonomy = Taxonomy.from_edges([(i, i) for i in roots + leaves], [(leaf[:2], leaf) for leaf in leaves])
    # r3 is the worst root; each root's last child is its worst, and the twelve that are left are cut to nine.
    scores = np.array([[0.5, 0.4, -0.3, -0.4] + [0.9, 0.8, 0.7, 0.6, 0.1] * 2 + [0.85, 0.2, 0.1, 0.0, -0.1] + [1] * 5])
    found = find_candidates(scores.astype(np.float32), taxonomy)[0]
    ids = {taxonomy.class_ids[c] for c in np.flatnonzero(found)}
    # By path: r0 1.4 1.3 1.2 1.1, r1 1.3 1.2 1.1 1.0, r2 0.55 and then less.
    assert ids == {"r0", "r1", "r2", "r00", "r01", "r02", "r03", "r10", "r11", "r12", "r13", "r20"}


def make_tree(*families: str) -> Taxonomy:
    """Return a taxonomy of families written as `parent: child child`; classes in order of appearance."""
    pairs = [family.split(": ") for family in families]
    edges = [(parent, child) for parent, children in pairs for child in children.split()]
    ids = dict.fromkeys([parent for parent, _ in pairs] + [child for _, child in edges])
    return Taxonomy.from_edges([(i, i) for i in ids], edges)


def list_candidates(taxonomy: Taxonomy, scores: dict[str, float]) -> set[str]:
    """Return the candidates of one document; a class that is not named scores as its first letter does."""
    row = np.array([[scores.get(i, scores.get(i[0], 0.0)) for i in taxonomy.class_ids]], np.float32)
    return {taxonomy.class_ids[c] for c in np.flatnonzero(find_candidates(row, taxonomy)[0])}


def test_two_bad_matches_do_not_make_a_good_path() -> None:
    taxonomy = make_tree("P: p1 p2 p3 p4", "Q: q1 q2 q3 q4", "R: r1 r2 r3 r4")
    scores = {"P": -0.9, "p": -0.9, "Q": 0.3, "q": 0.3, "R": 0.2, "r": 0.2}
    # Of twelve classes nine go on. The product -0.9 * -0.9 = 0.81 would bring all of P's before the others.
    found = list_candidates(taxonomy, scores)
    assert found == set("PQR") | {"p1"} | {f"{letter}{i}" for letter in "qr" for i in range(1, 5)}


def test_class_of_two_parents_is_one_candidate_with_its_best_path() -> None:
    taxonomy = make_tree("P: p1 p2 p3 x", "Q: q1 q2 q3 x", "R: r1 r2 r3 r4")
    scores = {"P": 0.9, "p": 0.5, "Q": 0.0, "q": 0.8, "R": 0.5, "r": 0.5, "x": 0.0}
    # Paths: p 1.4 (3 classes), r 1.0 (4), x 0.9 by P and 0.0 by Q, q 0.8 (3): x is eighth, and one q the ninth.
    assert list_candidates(taxonomy, scores) == set("PQRx") | {"p1", "p2", "p3", "r1", "r2", "r3", "r4", "q1"}
    # With a worse P, its best path is the one by Q, and too far down.
    assert "x" not in list_candidates(taxonomy, scores | {"P": 0.1, "p": 1.0, "x": 0.1})


@given(st.integers(0, 2**32 - 1))
def test_candidates_are_those_of_the_search_document_by_document(seed: int) -> None:
    rng = np.random.default_rng(seed)
    taxonomy = draw_taxonomy(rng)
    scores = rng.uniform(-1, 1, (5, len(taxonomy))).astype(np.float32)
    found = find_candidates(scores, taxonomy)
    assert [set(np.flatnonzero(row)) for row in found] == [search_one(row, taxonomy) for row in scores]


def test_ties_go_to_the_class_first_in_the_taxonomy() -> None:
    taxonomy = Taxonomy.from_edges([(str(i), str(i)) for i in range(5)], [])
    assert find_candidates(np.zeros((1, 5), np.float32), taxonomy).tolist() == [[True, True, True, False, False]]


# ---------------------------------------------------------------------- margins


SCORES = [0.5, 0.2, 0.6, 0.4, 0.7, 0.1, 0.3]


def test_margins_of_the_diamond(diamond: Taxonomy) -> None:
    margins = measure_margins(np.array([SCORES], np.float32), diamond)
    assert margins.dtype == np.float32
    # dogs against animals; beds against dogs, cats and cat toys; tools, an only child, against garden.
    assert margins[0].tolist() == pytest.approx([0.3, -0.3, 0.1, -0.2, 0.1, -0.6, 0.1])


def test_margin_of_a_class_without_rivals_is_its_score() -> None:
    lone = Taxonomy.from_edges([("a", "a")], [])
    assert measure_margins(np.array([[-0.25]], np.float32), lone).tolist() == [[-0.25]]


def test_equal_siblings_have_no_margin() -> None:
    pair = Taxonomy.from_edges([("a", "a"), ("b", "b"), ("c", "c")], [])
    assert measure_margins(np.array([[0.5, 0.5, 0.25]], np.float32), pair).tolist() == [[0, 0, -0.25]]


@given(st.integers(0, 2**32 - 1))
def test_margins_are_to_the_best_parent_or_sibling(seed: int) -> None:
    rng = np.random.default_rng(seed)
    taxonomy = draw_taxonomy(rng)
    scores = rng.integers(-4, 5, (3, len(taxonomy))).astype(np.float32)
    for row, margins in zip(scores, measure_margins(scores, taxonomy), strict=True):
        for c, margin in enumerate(margins):
            rivals = [row[r] for r in (*taxonomy.parents[c], *taxonomy.list_siblings(c))]
            assert margin == row[c] - max(rivals, default=0)


# ---------------------------------------------------------------------- TaxoClass


def test_taxoclass_on_the_diamond(diamond: Taxonomy) -> None:
    # The rows of the documents are their scores. All classes are candidates of all three; margins:
    #      an    ga    do    ca    be    ct    to
    # 0    0.3  -0.3   0.1  -0.2   0.1  -0.6   0.1
    # 1   -0.5   0.5  -0.1  -0.1   0     0     0.3
    # 2   -0.2   0.2  -0.1  -0.1   0     0     0.05
    vectors = np.array([SCORES, [0.1, 0.6, 0, 0, 0, 0, 0.9], [0.1, 0.3, 0, 0, 0, 0, 0.35]], np.float32)
    labels = assign_taxoclass_labels(vectors, np.eye(7, dtype=np.float32), make_documents("", "", ""), diamond)
    assert list(labels.columns) == COLUMNS
    assert labels["doc_id"].tolist() == ["0", "1", "2"]
    # Above 0 and the medians -0.2, 0.2, -0.1, -0.1, 0, 0, 0.1: an, do and be, which brings ca; ga and to; nothing.
    assert [set(ids) for ids in labels["class_ids"][:2]] == [{"an", "do", "ca", "be"}, {"ga", "to"}]
    assert labels["class_ids"][0][0] == "an" and labels["class_ids"][0][-1] == "be"
    assert labels["class_ids"][1] == ["ga", "to"]
    assert labels["confidence"].tolist() == pytest.approx([0.3, 0.3, 0])
    assert labels["confidence"].dtype == np.float32
    assert labels["kept"].tolist() == [True, True, False]
    # What is not kept still has a label set: that of its surest candidates, which here are equally sure.
    assert diamond.is_path_consistent(diamond.to_matrix(labels["class_ids"])).all()
    assert labels["class_ids"][2] == ["an", "ga", "do", "ca", "be", "ct"]


def test_a_class_near_to_everything_is_confirmed_for_half_its_candidacies() -> None:
    rng = np.random.default_rng(3)
    flat = Taxonomy.from_edges([(i, i) for i in "abc"], [])
    vectors = (rng.random((100, 3)) + [2, 0, 0]).astype(np.float32)
    labels = assign_taxoclass_labels(vectors, np.eye(3, dtype=np.float32), make_documents(*[""] * 100), flat)
    kept = flat.to_matrix(labels.loc[labels["kept"], "class_ids"])
    assert np.asarray(kept.sum(axis=0)).ravel().tolist() == [50, 0, 0], "the others are never the nearest"


@pytest.mark.parametrize("n", [0, 1, 40])
def test_blocks_do_not_change_labels(diamond: Taxonomy, monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    rng = np.random.default_rng(5)
    vectors = rng.integers(-3, 4, (n, 7)).astype(np.float32)
    classes = np.eye(7, dtype=np.float32)
    documents = make_documents(*rng.choice(["a puppy", "cats", "garden tools"], n))
    _, owners = write_terms(diamond)
    arguments = (documents, vectors, classes, classes[owners], owners, diamond)
    whole = [assign_taxoclass_labels(vectors, classes, documents, diamond), assign_teleclass_labels(*arguments)]
    monkeypatch.setattr(core_classes, "MAX_SCORES", 20)
    parts = [assign_taxoclass_labels(vectors, classes, documents, diamond), assign_teleclass_labels(*arguments)]
    for one, other in zip(whole, parts, strict=True):
        assert len(one) == n
        pd.testing.assert_frame_equal(one, other)


# ---------------------------------------------------------------------- terms


def test_terms_are_names_and_keywords(diamond: Taxonomy) -> None:
    terms, owners = write_terms(diamond.with_keywords({"to": ["rake", "tools", "rake"]}))
    assert terms == "animals,garden,dogs,puppy,leash,cats,pet beds,cushion,cat toys,tools,rake".split(",")
    assert owners.tolist() == [0, 1, 2, 2, 2, 3, 4, 4, 5, 6, 6]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Toy-car, it's 4WD!", ["toy", "car", "it", "s", "4wd"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("Cafe\u0301 ﬁsh", ["café", "fish"]),
        ("Детская игрушка.", ["детская", "игрушка"]),
        ("हिन्दी किताबें।", ["हिन्दी", "किताबें"]),  # vowel signs are marks, no ends of words
        ("玩具车 LEGO牌", ["玩", "具", "车", "lego", "牌"]),
        ("--- …", []),
    ],
)
def test_words_of_any_script(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        ("toy car", "A TOY-car!", True),
        ("toy_car", "no toy cars", False),
        ("toy car", "a toy, no. A car", False),
        ("car", "a scar", False),
        ("card game", "a Card Game for two", True),
        ("玩具", "新玩具车", True),
        ("玩车", "新玩具车", False),
        ("игрушка", "ИГРУШКА!", True),
        ("किताब", "किताबें", False),
        ("++", "a ++ b", False),
    ],
)
def test_mention_is_a_run_of_whole_words(term: str, text: str, found: bool) -> None:
    taxonomy = Taxonomy.from_edges([("a", "zebra"), ("b", "+")], [], {"b": [term]})
    assert find_mentions(["zebra", text], taxonomy).toarray().tolist() == [[1, 0], [0, int(found)]]


def test_term_of_two_classes_is_a_mention_of_both_and_counts_once(diamond: Taxonomy) -> None:
    taxonomy = diamond.with_keywords({"an": ["pets"], "ca": ["Pets", "kitten"]})
    mentions = find_mentions(["pets pets kitten", "none"], taxonomy)
    assert mentions.toarray().tolist() == [[1, 0, 0, 1, 0, 0, 0], [0] * 7]


def test_names_of_nothing_but_signs_are_mentioned_nowhere() -> None:
    assert find_mentions(["a + b"], Taxonomy.from_edges([("a", "+")], [])).toarray().tolist() == [[0]]


# ---------------------------------------------------------------------- TELEClass


def test_centroid_is_the_mean_of_the_members_or_the_class_itself(diamond: Taxonomy) -> None:
    members = diamond.to_matrix([["an"], ["an", "do"], []])
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    classes = np.tile(np.array([[0, -1]], np.float32), (7, 1))
    for step in (1, 2, 3):
        centroids = average_documents(vectors, members, classes, step)
        assert centroids.dtype == np.float32
        assert centroids[:3].tolist() == [pytest.approx(c, abs=1e-6) for c in ([0.5**0.5] * 2, [0, -1], [0, 1])]
        assert (centroids[3:] == classes[3:]).all()


def assign_three(drop_share: float) -> pd.DataFrame:
    """Label four documents with three classes; their vectors are the axes, their names their only terms.

    Every class is a candidate, by its margins above its median (a -0.4, b -0.6, c -0.9) a core class of documents
    0 (all three), 1 (a), 2 (b) and 3 (c). Of these only 0 mentions a and 2 mentions b, so their vectors are the
    centroids; c keeps its own.
    """
    taxonomy = Taxonomy.from_edges([("a", "ape"), ("b", "bee"), ("c", "cow")], [])
    axes = np.eye(3, dtype=np.float32)
    vectors = np.array([[0.8, 0.6, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    documents = make_documents("an ape", "nothing", "a bee", "ape and bee")
    owners = np.array([2, 0, 1])
    return assign_teleclass_labels(documents, vectors, axes, axes[owners], owners, taxonomy, drop_share=drop_share)


def test_teleclass_by_hand() -> None:
    labels = assign_three(0.5)
    assert list(labels.columns) == COLUMNS
    # Cosines to the centroids: 1 0.6 0; 0.8 0 0; 0.6 1 0; 0 0 1.
    assert [set(ids) for ids in labels["class_ids"]] == [{"a", "b"}, {"a"}, {"a", "b"}, {"c"}]
    assert labels["confidence"].tolist() == pytest.approx([0.6, 0.8, 0.6, 1.0])
    assert labels["confidence"].dtype == np.float32
    assert labels["kept"].tolist() == [False, True, False, True]
    assert labels["doc_id"].tolist() == ["0", "1", "2", "3"]


def test_teleclass_keeps_all_when_nothing_is_dropped() -> None:
    assert assign_three(0.0)["kept"].all()


def test_best_term_speaks_for_its_class() -> None:
    # By its name, b is the nearest to nothing; by its keyword, to document 1.
    taxonomy = Taxonomy.from_edges([("a", "ape"), ("b", "bee")], [], {"b": ["hive"]})
    terms = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]], np.float32)
    vectors = np.array([[1, 0, 0], [0.6, 0.8, 0]], np.float32)
    documents = make_documents("ape", "a hive")
    labels = assign_teleclass_labels(
        documents, vectors, terms[:2], terms, np.array([0, 1, 1]), taxonomy, drop_share=0.0
    )
    # Without the keyword, b would have no member and keep a vector at right angles to document 1.
    assert labels["class_ids"].tolist() == [["a"], ["b"]]
    assert labels["confidence"].tolist() == pytest.approx([0.4, 0.4])


def test_teleclass_adds_every_ancestor(diamond: Taxonomy) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((30, 7)).astype(np.float32)
    classes = np.eye(7, dtype=np.float32)
    _, owners = write_terms(diamond)
    labels = assign_teleclass_labels(make_documents(*["x"] * 30), vectors, classes, classes[owners], owners, diamond)
    matrix = diamond.to_matrix(labels["class_ids"])
    assert (diamond.close_ancestors(matrix) != matrix).nnz == 0


def test_class_without_a_term_is_refused(diamond: Taxonomy) -> None:
    axes = np.eye(7, dtype=np.float32)
    with pytest.raises(ValueError, match="6 of 7 classes have terms"):
        assign_teleclass_labels(make_documents("x"), axes[:1], axes, axes[:6], np.arange(6), diamond)
