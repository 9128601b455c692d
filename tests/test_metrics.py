"""Metrics: worked out by hand, against scikit-learn, and against the reference scorer's figures."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.metrics import accuracy_score, f1_score

from hmltc_kedro.errors import InputError
from hmltc_kedro.evaluation import intervals, label_files, metrics, scores
from hmltc_kedro.taxonomy import Taxonomy

AMAZON = Path(__file__).parents[2] / "shared" / "data" / "amazon531"

# Shared machines stall: a slow example is no failure.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


def csr(array: object) -> sparse.csr_array:
    return sparse.csr_array(np.array(array, dtype=np.int32))


@st.composite
def label_pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(st.tuples(st.integers(1, 8), st.integers(2, 6)))
    labels = hnp.arrays(np.int32, shape, elements=st.integers(0, 1))
    return draw(labels), draw(labels)


@pytest.fixture
def gold(diamond: Taxonomy) -> sparse.csr_array:
    return diamond.to_matrix([["an", "do", "be"], ["ga", "to"], ["an", "ca"], []])


@pytest.fixture
def pred(diamond: Taxonomy) -> sparse.csr_array:
    return diamond.to_matrix([["an", "ca", "be"], ["ga", "to"], ["to"], []])


# ---------------------------------------------------------------------- label sets


def test_sample_f1_by_hand(gold: sparse.csr_array, pred: sparse.csr_array) -> None:
    scores = metrics.sample_f1_scores(gold, pred)
    assert scores.dtype == np.float64
    assert scores.tolist() == [pytest.approx(4 / 6), 1.0, 0.0, 1.0]


def test_sample_f1_of_one_empty_set_is_zero() -> None:
    assert metrics.sample_f1_scores(csr([[1, 0], [0, 0]]), csr([[0, 0], [0, 1]])).tolist() == [0, 0]


def test_exact_match_by_hand(gold: sparse.csr_array, pred: sparse.csr_array) -> None:
    assert metrics.exact_match(gold, pred) == 0.5


def test_micro_and_macro_f1_by_hand(gold: sparse.csr_array, pred: sparse.csr_array) -> None:
    # 4 hits of 7 gold and 6 predicted pairs.
    assert metrics.micro_f1(gold, pred) == pytest.approx(8 / 13)
    # an 2/3, ga 1, do 0, ca 0, be 1, to 2/3; ct is not in gold.
    assert metrics.macro_f1(gold, pred) == pytest.approx((2 / 3 + 1 + 0 + 0 + 1 + 2 / 3) / 6)


def test_f1_without_any_label_is_zero() -> None:
    empty = csr([[0, 0]])
    assert metrics.macro_f1(empty, csr([[1, 0]])) == 0.0
    assert metrics.micro_f1(empty, empty) == 0.0


def test_per_level_by_hand(gold: sparse.csr_array, pred: sparse.csr_array, diamond: Taxonomy) -> None:
    levels = metrics.per_level(gold, pred, diamond)
    assert list(levels) == [1, 2, 3]
    assert levels[1] == {
        **{"precision": 1.0, "recall": 2 / 3, "f1": 0.8, "n_gold": 3, "n_pred": 2},
    }
    # Level 2 holds do, ca, to: gold do, to, ca; predicted ca (wrong), to (right), to (wrong).
    assert levels[2]["precision"] == levels[2]["recall"] == pytest.approx(1 / 3)
    assert levels[3] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "n_gold": 1, "n_pred": 1}


def test_path_consistency_by_hand(diamond: Taxonomy) -> None:
    labels = diamond.to_matrix([["an", "do"], ["be"], [], ["an", "be"]])
    assert metrics.path_consistency(labels, diamond) == 0.5


def test_stored_zeros_and_booleans_are_understood() -> None:
    stored = csr([[1, 1, 0]])
    stored.data[1] = 0
    assert metrics.sample_f1_scores(stored, csr([[1, 0, 0]])).tolist() == [1.0]
    assert metrics.exact_match(csr([[1, 0]]).astype(bool), csr([[1, 0]])) == 1.0
    assert stored.nnz == 2  # the argument is left as it was


@pytest.mark.parametrize(
    "function",
    [metrics.sample_f1_scores, metrics.exact_match, metrics.macro_f1, metrics.micro_f1],
)
def test_shapes_must_agree(function: object) -> None:
    with pytest.raises(ValueError, match="gold labels have shape"):
        function(csr([[1, 0]]), csr([[1, 0], [0, 1]]))  # type: ignore[operator]


def test_the_mean_over_no_documents_is_an_error(diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="no documents"):
        metrics.exact_match(diamond.to_matrix([]), diamond.to_matrix([]))


def test_labels_must_be_those_of_the_taxonomy(diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="taxonomy of 7"):
        metrics.per_level(csr([[1, 0]]), csr([[1, 0]]), diamond)


@given(label_pairs())
def test_agreement_with_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    gold, pred = pair
    near = {"abs": 1e-9}
    sample = f1_score(gold, pred, average="samples", zero_division=1.0)
    assert metrics.sample_f1_scores(csr(gold), csr(pred)).mean() == pytest.approx(sample, **near)
    exact = accuracy_score(gold, pred)
    assert metrics.exact_match(csr(gold), csr(pred)) == pytest.approx(exact, **near)
    micro = f1_score(gold, pred, average="micro", zero_division=0.0)
    assert metrics.micro_f1(csr(gold), csr(pred)) == pytest.approx(micro, **near)
    occurring = np.flatnonzero(gold.any(axis=0))
    if len(occurring):
        macro = f1_score(gold, pred, average="macro", labels=occurring, zero_division=0.0)
        assert metrics.macro_f1(csr(gold), csr(pred)) == pytest.approx(macro, **near)


@given(label_pairs())
def test_scores_are_shares_and_perfect_for_gold_itself(pair: tuple[np.ndarray, np.ndarray]) -> None:
    gold, pred = map(csr, pair)
    scores = metrics.sample_f1_scores(gold, pred)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (scores == metrics.sample_f1_scores(pred, gold)).all()
    assert metrics.exact_match(gold, gold) == 1.0


# ---------------------------------------------------------------------- rankings


def test_rank_classes_breaks_ties_by_class_order() -> None:
    probabilities = np.array([[0.2, 0.9, 0.9, 0.1], [0.5, 0.5, 0.5, 0.5]], dtype=np.float16)
    assert metrics.rank_classes(probabilities, 3).tolist() == [[1, 2, 0], [0, 1, 2]]
    assert metrics.rank_classes(probabilities, 9).shape == (2, 4)


def test_rank_classes_does_not_depend_on_blocks() -> None:
    scores = np.random.default_rng(0).integers(0, 5, (23, 11)).astype(np.float32)
    whole = metrics.rank_classes(scores, 4)
    for block_size in (1, 7, 23):
        assert (metrics.rank_classes(scores, 4, block_size) == whole).all()


def test_rank_classes_names_a_row_that_is_not_finite() -> None:
    scores = np.ones((5, 2), dtype=np.float32)
    scores[3, 1] = np.nan
    with pytest.raises(ValueError, match="row 3"):
        metrics.rank_classes(scores, 1, block_size=2)
    with pytest.raises(ValueError, match="at least one class"):
        metrics.rank_classes(scores[:3], 0)


def test_precision_at_k_by_hand() -> None:
    gold = csr([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    ranking = np.array([[0, 1, 2], [3, 1, 0], [0, 1, 2]])
    assert metrics.precision_at_k(gold, ranking, 1) == pytest.approx(1 / 3)
    assert metrics.precision_at_k(gold, ranking, 2) == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert metrics.precision_at_k(gold, ranking, 3) == pytest.approx((2 / 3 + 1 / 3 + 0) / 3)


def test_places_beyond_the_classes_are_misses() -> None:
    assert metrics.precision_at_k(csr([[1, 1]]), np.array([[0, 1]]), 4) == 0.5


@pytest.mark.parametrize(
    ("ranking", "k", "message"),
    [
        (np.zeros((1, 2), dtype=int), 3, "needs a ranking of 3"),
        (np.zeros((1, 2), dtype=int), 0, "needs a ranking of 0"),
        (np.zeros((2, 3), dtype=int), 1, "2 documents for 1"),
        (np.full((1, 3), 4), 1, "outside 0..3"),
    ],
)
def test_rankings_that_do_not_fit(ranking: np.ndarray, k: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.precision_at_k(csr([[1, 0, 0, 1]]), ranking, k)


def test_mean_reciprocal_rank_by_hand() -> None:
    gold = csr([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    ranking = np.array([[2, 1, 0], [3, 0, 1], [0, 1, 2], [0, 1, 2]])
    assert metrics.mean_reciprocal_rank(gold, ranking) == pytest.approx((1 + 1 / 3 + 0 + 0) / 4)
    scores = np.array([[0.5, 0.7, 0.5, 0.1], [0.3, 0.3, 0.9, 0.3], [0.1] * 4, [0.2] * 4], dtype=np.float32)
    # Ties rank by class order: places 2, 3, none, 4.
    expected = (1 / 2 + 1 / 3 + 0 + 1 / 4) / 4
    assert metrics.mean_reciprocal_rank(gold, scores) == pytest.approx(expected)


@given(label_pairs(), st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_reciprocal_rank_of_scores_is_that_of_their_ranking(
    pair: tuple[np.ndarray, np.ndarray], seed: int, block_size: int
) -> None:
    gold = csr(pair[0])
    scores = np.random.default_rng(seed).integers(0, 4, gold.shape).astype(np.float16)
    ranking = metrics.rank_classes(scores, gold.shape[1])
    places = [
        next((1 / (i + 1) for i, c in enumerate(order) if row[c]), 0.0)
        for order, row in zip(ranking.tolist(), pair[0], strict=True)
    ]
    assert metrics.mean_reciprocal_rank(gold, ranking) == pytest.approx(np.mean(places))
    assert metrics.mean_reciprocal_rank(gold, scores, block_size) == pytest.approx(np.mean(places))


def test_reciprocal_rank_needs_a_score_a_class() -> None:
    with pytest.raises(ValueError, match="scores of shape"):
        metrics.mean_reciprocal_rank(csr([[1, 0]]), np.zeros((1, 3)))


# ---------------------------------------------------------------------- intervals


def test_bootstrap_of_equal_scores_is_a_point() -> None:
    assert intervals.bootstrap_interval(np.full(9, 0.25), seed=1) == (0.25, 0.25)


def test_bootstrap_agrees_with_the_normal_interval() -> None:
    scores = np.random.default_rng(0).choice([0.0, 0.5, 2 / 3, 1.0], size=4000)
    low, high = intervals.bootstrap_interval(scores, 4000, seed=7)
    error = scores.std() / np.sqrt(len(scores))
    assert low == pytest.approx(scores.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(scores.mean() + 1.96 * error, abs=0.1 * error)


def test_bootstrap_agrees_with_drawing_documents() -> None:
    generator = np.random.default_rng(3)
    scores = generator.random(50)
    draws = scores[generator.integers(0, 50, (20_000, 50))].mean(axis=1)
    interval = intervals.bootstrap_interval(scores, 20_000, seed=4, level=0.8)
    assert interval == pytest.approx(np.quantile(draws, [0.1, 0.9]), abs=2e-3)


def test_bootstrap_depends_on_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(0).random(30)
    first = intervals.bootstrap_interval(scores, 300, seed=5)
    assert first == intervals.bootstrap_interval(scores[::-1], 300, seed=5)
    assert first != intervals.bootstrap_interval(scores, 300, seed=6)
    monkeypatch.setattr(intervals, "MAX_DRAWS", 100)  # small pieces draw the same counts
    assert intervals.bootstrap_interval(scores, 300, seed=5) == pytest.approx(first, abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "options"),
    [
        ([], {}),
        ([[1.0]], {}),
        ([np.nan], {}),
        ([1.0], {"level": 1.0}),
        ([1.0], {"n_resamples": 0}),
    ],
)
def test_bootstrap_refuses(scores: list[float], options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="bootstrap"):
        intervals.bootstrap_interval(np.array(scores), seed=0, **options)  # type: ignore[arg-type]


def test_paired_bootstrap_is_narrower_than_the_systems_are_apart() -> None:
    generator = np.random.default_rng(0)
    a = generator.random(500)
    assert intervals.paired_bootstrap(a, a - 0.125, seed=0) == pytest.approx((0.125, 0.125))
    low, high = intervals.paired_bootstrap(a, a + generator.normal(0, 0.1, 500), seed=0)
    assert low < 0 < high
    with pytest.raises(ValueError, match="paired scores"):
        intervals.paired_bootstrap(a, a[:3], seed=0)


def test_stratified_bootstrap_counts_each_stratum_alike() -> None:
    generator = np.random.default_rng(0)
    strata = [generator.normal(0.2, 0.1, 400), generator.normal(0.6, 0.3, 1600)]
    low, high = intervals.stratified_bootstrap(strata, 4000, seed=7)
    mean = (strata[0].mean() + strata[1].mean()) / 2
    error = np.sqrt(sum(scores.var() / len(scores) for scores in strata)) / 2
    assert low == pytest.approx(mean - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.15 * error)
    assert intervals.stratified_bootstrap(strata[:1], seed=1) == intervals.bootstrap_interval(strata[0], seed=1)
    with pytest.raises(ValueError, match="at least one stratum"):
        intervals.stratified_bootstrap([], seed=0)


# ---------------------------------------------------------------------- evaluate

KEYS = {
    *("sample_f1", "sample_f1_interval", "exact_match", "macro_f1", "micro_f1", "precision_at_1"),
    *("precision_at_3", "mrr", "per_level", "path_consistency", "mean_labels", "n_docs"),
}


def test_evaluate_by_hand(gold: sparse.csr_array, pred: sparse.csr_array, diamond: Taxonomy) -> None:
    probabilities = np.array(
        [
            [0.9, 0.1, 0.4, 0.6, 0.8, 0.1, 0.1],
            [0.1, 0.7, 0.1, 0.1, 0.1, 0.1, 0.9],
            [0.2, 0.3, 0.1, 0.1, 0.1, 0.1, 0.9],
            [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
        ],
        dtype=np.float16,
    )
    result = scores.evaluate(gold, pred, probabilities, diamond, seed=1)
    assert set(result) == KEYS
    assert json.loads(json.dumps(result)) == result
    assert result["n_docs"] == 4
    assert result["sample_f1"] == pytest.approx((4 / 6 + 1 + 0 + 1) / 4)
    assert result["exact_match"] == 0.5
    assert result["precision_at_1"] == 0.5
    assert result["precision_at_3"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 0) / 4)
    assert result["mrr"] == pytest.approx((1 + 1 + 1 / 3 + 0) / 4)
    assert result["mean_labels"] == 1.5
    assert result["path_consistency"] == 0.75
    assert list(result["per_level"]) == ["1", "2", "3"]
    low, high = result["sample_f1_interval"]
    assert low <= result["sample_f1"] <= high


def test_evaluate_without_gold(pred: sparse.csr_array, diamond: Taxonomy) -> None:
    result = scores.evaluate(diamond.to_matrix([]), pred, np.zeros((4, 7)), diamond, seed=1)
    assert set(result) == KEYS
    assert result.pop("n_docs") == 0
    assert result.pop("per_level") == {}
    assert set(result.values()) == {None}


def test_evaluate_needs_a_probability_a_label(gold: sparse.csr_array, diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="probabilities of shape"):
        scores.evaluate(gold, gold, np.zeros((4, 6)), diamond, seed=1)


# ---------------------------------------------------------------------- files


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    gold, pred, hierarchy = (tmp_path / n for n in ("gold.txt", "pred.csv", "hierarchy.txt"))
    gold.write_text("0\ta,b\n1\ta\n2\tc\n")
    pred.write_text('\ufeffid,labels\n0,"a, b"\n1,b\n9,c\n', encoding="utf-8")
    hierarchy.write_text("a\tb\n")
    return gold, pred, hierarchy


def test_files_without_and_with_a_hierarchy(files: tuple[Path, Path, Path]) -> None:
    gold, pred, hierarchy = files
    result = label_files.evaluate_files(gold, pred)
    assert result["sample_f1"] == pytest.approx(1 / 3)
    assert result["exact_match"] == pytest.approx(1 / 3)
    assert (result["n_docs"], result["missing"]) == (3, 1)
    assert "per_level" not in result
    assert "path_consistency" not in result
    more = label_files.evaluate_files(gold, pred, hierarchy)
    assert more["path_consistency"] == pytest.approx(2 / 3)
    assert more["per_level"]["2"]["n_pred"] == 2
    assert {k: more[k] for k in result} == result


def test_both_forms_read_the_same(tmp_path: Path) -> None:
    tabs, commas = tmp_path / "a.txt", tmp_path / "a.csv"
    tabs.write_bytes(b"0\t1,2\r\n\r\nx\t\r\n")
    commas.write_text('id,label\n0,"1,2"\n\nx,""\n')
    expected = {"0": frozenset({"1", "2"}), "x": frozenset()}
    assert label_files.read_label_file(tabs) == label_files.read_label_file(commas) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"0\ta\n1 b\n", ":2: the line has no TAB"),
        (b"0\ta\n0\tb\n", ":2: document '0' occurs above"),
        (b"\ta\n", ":1: no document id"),
        (b"0\ta\n1\t\xff\n", ":2: byte 3 of the line is not UTF-8"),
        (b"id,labels\n0,\xff\n", "not UTF-8"),
        (b"0,1\n1,2\n", ":1: neither"),
        (b"id,labels\n0,a,b\n", ":2: 3 columns"),
        (b'id,labels\n0,"a"b\n', ":2: "),
        (b"id,labels\n0,a\n0,b\n", ":3: document '0' occurs above"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        label_files.read_label_file(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_gold_without_a_document_is_refused(files: tuple[Path, Path, Path]) -> None:
    files[0].write_text("id,labels\n")
    with pytest.raises(InputError, match="no document"):
        label_files.evaluate_files(files[0], files[1])


@pytest.mark.parametrize(
    ("content", "message"),
    [("a\tb\nb\ta\n", "cycle"), ("a b\n", ":1: the line has no TAB"), ("a\ta\n", "own parent")],
)
def test_a_bad_hierarchy_is_refused(files: tuple[Path, Path, Path], content: str, message: str) -> None:
    files[2].write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        label_files.evaluate_files(*files)
    assert str(files[2]) in str(caught.value)


def test_nothing_predicted_and_nothing_gold(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_text("0\t\n")
    assert label_files.evaluate_files(path, path)["sample_f1"] == 1.0


def test_main_prints_json_or_one_line(files: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    gold, pred, hierarchy = map(str, files)
    assert label_files.main([gold, pred, "--hierarchy", hierarchy]) == 0
    assert json.loads(capsys.readouterr().out)["n_docs"] == 3
    assert label_files.main([gold, pred + ".none"]) == 1
    assert label_files.main([gold, pred, "--hierarchy", hierarchy + ".none"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line[:7] for line in captured.err.splitlines()] == ["Error: "] * 2


@pytest.mark.skipif(not AMAZON.is_dir(), reason=f"{AMAZON} is absent; it is not part of the project")
@pytest.mark.parametrize("form", ["csv", "tabs"])
def test_amazon_agrees_with_the_reference_scorer(form: str, tmp_path: Path) -> None:
    arguments = [str(AMAZON / "test_doc2labels.txt"), str(AMAZON / "seed_submission.csv")]
    if form == "tabs":
        with (AMAZON / "seed_submission.csv").open(newline="") as handle:
            lines = [f"{row['id']}\t{row['labels']}\n" for row in csv.DictReader(handle)]
        arguments[1] = str(tmp_path / "predicted.txt")
        Path(arguments[1]).write_text("".join(lines))
    hierarchy = ["--hierarchy", str(AMAZON / "class_hierarchy.txt")]
    command = [sys.executable, "-m", "hmltc_kedro.metrics", *arguments, *hierarchy]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    expected = {
        **{"n_docs": 19658, "missing": 0, "sample_f1": 0.635748, "exact_match": 0.407722},
        **{"macro_f1": 0.3229, "micro_f1": 0.638011, "path_consistency": 1.0},
    }
    assert {k: round(result[k], 6) for k in expected} == expected
    assert round(result["mean_labels"], 4) == 2.9982
    low, high = result["sample_f1_interval"]
    assert low < 0.635748 < high < low + 0.012


@pytest.mark.skipif(not AMAZON.is_dir(), reason=f"{AMAZON} is absent; it is not part of the project")
def test_a_peers_amazon_predictions_score_as_known() -> None:
    other = label_files.evaluate_files(AMAZON / "test_doc2labels.txt", AMAZON / "peer_submission_0.6211.csv")
    assert round(other["sample_f1"], 6) == 0.621131
