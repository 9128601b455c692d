"""The student: its ridge against scikit-learn, scores that have not seen their row, and what it learns."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse, special
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from hmltc_kedro.decoding.expected_f1 import bound_by_parents, choose_labels
from hmltc_kedro.modeling import belief
from hmltc_kedro.modeling import student as module
from hmltc_kedro.modeling.belief import find_present, hold_back
from hmltc_kedro.modeling.path_ranking import PathTable
from hmltc_kedro.modeling.student import (
    RIDGE,
    VECTOR_WEIGHT,
    DenseView,
    Evidence,
    Student,
    compare,
    fit_student,
    measure_scales,
    score_out_of_fold,
    solve_ridge,
    view,
)
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.latent_words import LatentWords

SETS = {"do": ["an", "do"], "ct": ["an", "ca", "ct"], "be": ["an", "do", "be"], "to": ["ga", "to"]}
"""Label sets of the toy corpus by the class that they end in."""


@dataclass(frozen=True, eq=False)
class Toy:
    """A corpus in which each kind of document has words of its own, and a classifier that knows little."""

    evidence: Evidence
    kinds: list[str]
    dense: DenseView
    latent: LatentWords
    table: PathTable

    @property
    def ends(self) -> list[int]:
        return [self.table.taxonomy.index[kind] for kind in SETS]

    def label(self, rows: np.ndarray) -> sparse.csr_array:
        return self.table.taxonomy.to_matrix([SETS[self.kinds[row]] for row in rows])

    def teach(self, judged: np.ndarray, others: np.ndarray, seed: int = 0) -> tuple[Student, np.ndarray]:
        """Teach the right labels of some documents, beside others with those of the classifier."""
        trust = np.ones(len(judged), dtype=np.float32)
        best = self.evidence.logits[others][:, self.ends].argmax(axis=1)
        present = self.table.taxonomy.to_matrix([list(SETS.values())[b] for b in best])
        documents = (self.evidence[part] for part in (judged, others))
        parts = (next(documents), self.label(judged), trust, next(documents), present)
        return fit_student(*parts, self.latent, self.dense, self.table, seed)

    def count_right(self, probabilities: np.ndarray, rows: np.ndarray) -> float:
        """Return the share of documents whose label set is exactly theirs."""
        found = choose_labels(probabilities, self.table.taxonomy)[0]
        return float(((found != self.label(rows)).sum(axis=1) == 0).mean())


@pytest.fixture
def toy(diamond: Taxonomy) -> Toy:
    generator = np.random.default_rng(1)
    kinds = [list(SETS)[n % 4] for n in range(240)]
    words = np.zeros((240, 60))
    vectors = 0.3 * generator.standard_normal((240, 8))
    for n, kind in enumerate(kinds):
        k = list(SETS).index(kind)
        words[n, 10 * k + generator.choice(10, 4, replace=False)] = 1
        words[n, 40 + generator.choice(20, 3, replace=False)] = 1  # words that say nothing
        vectors[n, k] += 1
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    right = diamond.to_matrix([SETS[kind] for kind in kinds]).toarray()
    logits = generator.standard_normal((240, 7)) + right - 3
    flat = generator.standard_normal((7, 8)).astype(np.float32)
    classes = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    cosines = vectors.astype(np.float32) @ classes.T
    csr = sparse.csr_array(words, dtype=np.float32)
    evidence = Evidence(
        vectors.astype(np.float32),
        csr,
        logits.astype(np.float32),
        np.abs(generator.standard_normal((240, 7))).astype("f4"),
    )
    dense = DenseView(classes, cosines.mean(axis=0), cosines.std(axis=0))
    return Toy(evidence, kinds, dense, LatentWords.fit(csr, 0), PathTable.list(diamond))


@pytest.fixture
def stubborn(toy: Toy) -> Toy:
    """Return the corpus with a classifier that takes everything for tools."""
    logits = toy.evidence.logits + 5 * np.isin(np.arange(7), [1, 6]).astype(np.float32)
    return replace(toy, evidence=replace(toy.evidence, logits=logits))


FEW, MANY, REST = np.arange(12), np.arange(160), np.arange(160, 240)


# ---------------------------------------------------------------------- ridge


def make_problem(n: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    x = generator.standard_normal((n, 6)).astype(np.float32)
    targets = (generator.random((n, 4)) < 0.3).astype(np.float32)
    return x, x @ x.T, targets, generator.uniform(0.3, 1, n).astype(np.float32)


def test_ridge_of_equal_weights_is_that_of_scikit_learn() -> None:
    x, kernel, targets, _ = make_problem()
    alpha, mean = solve_ridge(kernel, targets, np.ones(30, dtype=np.float32))
    np.testing.assert_allclose(mean, targets.mean(axis=0), rtol=1e-5)
    model = KernelRidge(alpha=RIDGE, kernel="precomputed").fit(
        kernel.astype(np.float64), targets - targets.mean(axis=0)
    )
    np.testing.assert_allclose(alpha, model.dual_coef_, rtol=1e-3, atol=1e-4)
    primal = Ridge(alpha=RIDGE, fit_intercept=False).fit(x.astype(np.float64), targets - targets.mean(axis=0))
    np.testing.assert_allclose(kernel @ alpha, primal.predict(x), rtol=1e-3, atol=1e-4)
    assert alpha.dtype == mean.dtype == np.float32


def test_ridge_weighs_documents_by_their_trust() -> None:
    x, kernel, targets, trust = make_problem()
    alpha, mean = solve_ridge(kernel, targets, trust)
    np.testing.assert_allclose(mean, (trust @ targets) / trust.sum(), rtol=1e-5)
    primal = Ridge(alpha=RIDGE, fit_intercept=False).fit(x.astype(np.float64), targets - mean, sample_weight=trust)
    np.testing.assert_allclose(kernel @ alpha, primal.predict(x), rtol=1e-3, atol=1e-4)
    # A document of trust 1/2 beside one of the same is one of trust 1.
    twice = np.r_[np.arange(30), 0]
    split = np.r_[trust[0] / 2, trust[1:], trust[0] / 2].astype(np.float32)
    doubled, _ = solve_ridge(kernel[np.ix_(twice, twice)], targets[twice], split)
    np.testing.assert_allclose(kernel[:, twice] @ doubled, kernel @ alpha, rtol=1e-3, atol=1e-3)


def test_ridge_of_one_document_is_its_labels() -> None:
    alpha, mean = solve_ridge(np.ones((1, 1), dtype=np.float32), np.array([[1, 0]], dtype=np.float32), np.ones(1, "f4"))
    assert (alpha.tolist(), mean.tolist()) == ([[0, 0]], [1, 0])


def test_out_of_fold_scores_never_see_their_own_row() -> None:
    _, kernel, targets, trust = make_problem()
    before = score_out_of_fold(kernel, targets, trust, seed=5)
    inside = kernel @ solve_ridge(kernel, targets, trust)[0]
    for row in range(30):
        changed = targets.copy()
        changed[row] = 1 - changed[row]
        after = score_out_of_fold(kernel, changed, trust, seed=5)
        np.testing.assert_array_equal(after[row], before[row])
        assert np.abs(after - before).max() > 1e-3, "the others learn from it"
    assert np.abs(before - inside).max() > 0.1
    assert before.shape == targets.shape


def test_out_of_fold_scores_are_those_of_ridges_of_the_other_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    _, kernel, targets, trust = make_problem()
    monkeypatch.setattr(module, "FOLDS", 30)  # leave one out
    found = score_out_of_fold(kernel, targets, trust, seed=0)
    for row in range(30):
        seen = np.delete(np.arange(30), row)
        alpha, mean = solve_ridge(kernel[np.ix_(seen, seen)], targets[seen], trust[seen])
        np.testing.assert_allclose(found[row], kernel[row, seen] @ alpha + mean, rtol=1e-4, atol=1e-5)


def test_a_single_document_has_no_other_fold() -> None:
    one = np.ones((1, 1), dtype=np.float32)
    assert score_out_of_fold(one, one, one[0], seed=0).tolist() == [[0.0]]


# ---------------------------------------------------------------------- evidence


def test_latent_words_are_the_singular_vectors_of_the_frequent_words() -> None:
    generator = np.random.default_rng(0)
    dense = generator.random((40, 9)) * (generator.random((40, 9)) < 0.5)
    dense[:, 4] = 0
    dense[:2, 4] = 1  # in two documents only
    words = sparse.csr_array(dense, dtype=np.float32)
    latent = LatentWords.fit(words, seed=0)
    assert latent.columns.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert latent.directions.shape == (8, 7), "one fewer than words"
    np.testing.assert_allclose(latent.directions.T @ latent.directions, np.eye(7), atol=1e-4)
    exact = np.linalg.svd(dense[:, latent.columns], full_matrices=False)[2][:7]
    np.testing.assert_allclose(np.abs((exact @ latent.directions).diagonal())[:3], 1, atol=1e-3)
    again = LatentWords.fit(words, seed=0)
    np.testing.assert_array_equal(again.directions, latent.directions)


def test_documents_by_latent_words_have_unit_length_or_none() -> None:
    latent = LatentWords(np.array([0, 2]), np.array([[0.6], [0.8]], dtype=np.float32))
    words = sparse.csr_array(np.array([[1, 5, 0], [0, 0, 2], [0, 1, 0]], dtype=np.float32))
    assert latent.represent(words).tolist() == [[1], [1], [0]]


@pytest.mark.parametrize("shape", [(0, 0), (5, 0), (1, 4), (5, 1)])
def test_too_few_words_or_documents_have_no_latent_words(shape: tuple[int, int]) -> None:
    words = sparse.csr_array(np.ones(shape, dtype=np.float32))
    represented = LatentWords.fit(words, seed=0).represent(words)
    assert represented.shape == (shape[0], 0)


def test_kernel_is_the_sum_of_three_cosines(toy: Toy) -> None:
    a, b = toy.evidence[:5], toy.evidence[slice(3, 10)]
    kernel = compare(a.words, a.vectors, b.words, b.vectors, toy.latent, toy.latent.represent(b.words))
    latent = toy.latent.represent(a.words) @ toy.latent.represent(b.words).T
    expected = (a.words @ b.words.T).toarray() + VECTOR_WEIGHT**2 * a.vectors @ b.vectors.T + latent
    np.testing.assert_allclose(kernel, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(kernel[3, 0], 2 + VECTOR_WEIGHT**2, rtol=1e-5)  # a document and itself
    assert (kernel.shape, kernel.dtype) == ((5, 7), np.float32)


def test_dense_view_is_standardised() -> None:
    dense = DenseView(np.eye(2, dtype=np.float32), np.array([0.5, 0.1], "f4"), np.array([0.25, 0.5], "f4"))
    np.testing.assert_allclose(dense.score(np.array([[1, 0], [0.6, 0.8]], "f4")), [[2, -0.2], [0.4, 1.4]], rtol=1e-5)


def test_scales_are_spreads_over_all_parts(toy: Toy) -> None:
    ridge = np.zeros((240, 15), dtype=np.float32)
    parts = [view(toy.evidence[rows], toy.dense, ridge[rows]) for rows in (slice(0, 7), slice(7, 240))]
    whole = view(toy.evidence, toy.dense, ridge)
    expected = [whole.logits.std(), whole.dense.std(), whole.lexical.std()]
    np.testing.assert_allclose(measure_scales(parts), expected, rtol=1e-4)


def test_evidence_is_cut_and_joined(toy: Toy) -> None:
    joined = Evidence.join([toy.evidence[np.array([4, 2])], toy.evidence[slice(7, 9)]])
    assert len(joined) == 4
    for name in ("vectors", "logits", "lexical"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(toy.evidence, name)[[4, 2, 7, 8]])
    np.testing.assert_array_equal(joined.words.toarray(), toy.evidence.words.toarray()[[4, 2, 7, 8]])
    nothing = Evidence.empty(7)
    assert (len(nothing), nothing.logits.shape, nothing.lexical.shape) == (0, (0, 7), (0, 7))


# ---------------------------------------------------------------------- learning


def test_documents_that_were_not_judged_are_learned(toy: Toy) -> None:
    student, unseen = toy.teach(MANY, REST[:20])
    assert student and len(student) == 160
    silver = bound_by_parents(special.expit(toy.evidence.logits), toy.table.taxonomy)
    before = toy.count_right(silver[REST], REST)
    assert before < 0.4
    assert toy.count_right(student.predict(toy.evidence[REST]), REST) > 0.9
    assert toy.count_right(unseen, MANY) > 0.9


def test_few_judgements_hold_back_to_the_classifier(stubborn: Toy) -> None:
    tools = stubborn.table.taxonomy.index["to"]
    few, _ = stubborn.teach(FEW, REST)
    many, _ = stubborn.teach(MANY, REST)
    wrong = [row for row in REST if stubborn.kinds[row] != "to"]
    timid, bold = (s.predict(stubborn.evidence[np.array(wrong)])[:, tools].mean() for s in (few, many))
    assert timid > 1.5 * bold > 0


def test_label_set_of_the_classifier_stands_until_enough_is_known(stubborn: Toy, monkeypatch) -> None:
    """The rule of `belief.hold_back`, for documents to come and for those that were judged alike."""
    ten, unseen = stubborn.teach(np.arange(10), REST)
    assert ten.belief == pytest.approx(100 / (100 + 15**2))
    for q, rows in ((ten.predict(stubborn.evidence[REST]), REST), (unseen, np.arange(10))):
        logits = stubborn.evidence.logits[rows]
        found = choose_labels(q, stubborn.table.taxonomy)[0]
        assert (found != find_present(logits, stubborn.table.taxonomy)).sum() == 0
    monkeypatch.setattr(belief, "HALF_BELIEVED", 1e-6)
    bold, _ = stubborn.teach(np.arange(10), REST)
    expected = hold_back(
        bold.predict(stubborn.evidence[REST]), stubborn.evidence.logits[REST], ten.belief, stubborn.table.taxonomy
    )
    np.testing.assert_allclose(ten.predict(stubborn.evidence[REST]), expected, atol=1e-5)


def test_label_sets_of_the_classifier_weigh_as_said(stubborn: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """All together, however many carry them."""
    tools, wrong = stubborn.table.taxonomy.index["to"], np.array([row for row in REST if stubborn.kinds[row] != "to"])
    found = []
    for weight in (0.0, 50.0, 5000.0):
        monkeypatch.setattr(module, "PRIOR_DOCUMENTS", weight)
        found.append(float(stubborn.teach(MANY, REST)[0].predict(stubborn.evidence[wrong])[:, tools].mean()))
    assert found == sorted(found) and found[2] > 0.8 > 0.3 > found[0]


def test_predictions_are_probabilities_bounded_by_parents_whatever_the_block(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, unseen = toy.teach(MANY, REST)
    whole = student.predict(toy.evidence)
    assert (whole.shape, whole.dtype) == ((240, 7), np.float32)
    for q in (whole, unseen):
        assert ((q >= 0) & (q <= 1)).all()
        for c, parents in enumerate(toy.table.taxonomy.parents):
            assert not parents or (q[:, c] <= q[:, list(parents)].max(axis=1)).all()
    monkeypatch.setattr(module, "BLOCK", 7)
    np.testing.assert_allclose(student.predict(toy.evidence), whole, atol=1e-6)
    again, unseen_again = toy.teach(MANY, REST)
    np.testing.assert_allclose(again.weights, student.weights, atol=1e-4)
    np.testing.assert_allclose(unseen_again, unseen, atol=1e-4)
    assert student.predict(toy.evidence[:0]).shape == (0, 7)


def test_teaching_can_be_repeated_and_knows_how_many_paths_a_document_has(toy: Toy) -> None:
    (a, _), (b, _) = toy.teach(FEW, REST), toy.teach(FEW, REST)
    np.testing.assert_array_equal(a.predict(toy.evidence), b.predict(toy.evidence))
    assert a.mean_paths == 1.0
    labels = toy.table.taxonomy.to_matrix([["an", "ga", "do", "to"]] * 4 + [SETS[kind] for kind in toy.kinds[4:12]])
    trust = np.r_[np.full(4, 1.0), np.full(8, 0.5)].astype(np.float32)
    parts = (toy.evidence[:12], labels, trust, toy.evidence[REST], toy.label(REST))
    student, _ = fit_student(*parts, toy.latent, toy.dense, toy.table, 0)
    assert student.mean_paths == pytest.approx((4 * 2 + 4 * 1) / 8)


def test_everything_may_be_judged(toy: Toy) -> None:
    student, _ = toy.teach(np.arange(240), np.arange(0))
    assert toy.count_right(student.predict(toy.evidence), np.arange(240)) > 0.95


def test_documents_without_words_are_learned_by_their_vectors(toy: Toy) -> None:
    bare = sparse.csr_array((240, 0), dtype=np.float32)
    wordless = replace(toy, evidence=replace(toy.evidence, words=bare), latent=LatentWords.fit(bare, 0))
    student, _ = wordless.teach(MANY, REST)
    assert wordless.count_right(student.predict(wordless.evidence[REST]), REST) > 0.8


def test_untaught_student_is_false_and_has_the_shapes_of_its_taxonomy(diamond: Taxonomy, tmp_path: Path) -> None:
    student = Student.untaught(diamond)
    assert not student and len(student) == 0
    assert student.alpha.shape == (0, 7 + 8)
    student.save(tmp_path)
    loaded = Student.load(tmp_path, diamond)
    assert not loaded and loaded.alpha.shape == (0, 15)


# ---------------------------------------------------------------------- files


def test_round_trip_gives_identical_predictions(toy: Toy, tmp_path: Path) -> None:
    student, _ = toy.teach(MANY, REST)
    student.save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"student.json", "student.safetensors"}
    loaded = Student.load(tmp_path, toy.table.taxonomy)
    assert len(loaded) == 160
    np.testing.assert_array_equal(loaded.predict(toy.evidence), student.predict(toy.evidence))
    settings = json.loads((tmp_path / "student.json").read_text("utf-8"))
    assert settings == {"judged_documents": 160, "mean_paths": 1.0, "belief": student.belief, "n_words": 60}


def test_student_of_another_taxonomy_is_refused(toy: Toy, tmp_path: Path) -> None:
    toy.teach(FEW, REST)[0].save(tmp_path)
    other = Taxonomy.from_edges([("a", "a"), ("b", "b")], [("a", "b")])
    with pytest.raises(ValueError, match="a student of 15 classes and paths for 2 classes"):
        Student.load(tmp_path, other)
