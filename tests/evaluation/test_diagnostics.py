"""Diagnostics without gold labels, worked out by hand on the diamond."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmltc_kedro.evaluation import diagnostics
from hmltc_kedro.evaluation.metrics import sample_f1_scores
from hmltc_kedro.taxonomy import Taxonomy

# an 0, ga 1, do 2, ca 3, be 4, ct 5, to 6
TREE = Taxonomy.from_edges([(i, i) for i in "abcdef"], [("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
PATHS = [["a"], ["d"], ["a", "b"], ["a", "c"], ["d", "e"], ["d", "f"]]
LABEL_SETS = st.lists(st.sampled_from([[], ["a", "b", "c"], *PATHS]), min_size=1, max_size=12)


def make_labels(*label_sets: list[str], start: int = 0) -> pd.DataFrame:
    ids = [str(start + i) for i in range(len(label_sets))]
    return pd.DataFrame({"doc_id": pd.Series(ids, dtype="str"), "class_ids": list(label_sets)})


def make_candidates(rows: list[tuple[str, list[str], float, float, float]]) -> pd.DataFrame:
    """Return candidates from rows of (document, path, text, path, lexical); the fused score is of no concern."""
    columns = ["doc_id", "path", "score_text", "score_path", "score_lexical"]
    return pd.DataFrame(rows, columns=columns).assign(score_fused=9.0)


@pytest.fixture
def candidates() -> pd.DataFrame:
    """Return three documents: the views agree, they do not, and the words have nothing to say; not in order."""
    return make_candidates(
        [
            ("1", ["ga", "to"], 0.5, 0.1, 0.9),  # dense 0.3
            ("1", ["an", "do"], 0.3, 0.4, 0.2),  # dense 0.35
            ("0", ["an", "ca"], 0.9, 0.9, 0.1),
            ("0", ["an", "do"], 0.1, 0.1, 0.0),
            ("2", ["an"], 0.1, 0.2, 0.0),
            ("2", ["an", "ca"], 0.3, 0.3, 0.0),
        ]
    )


# ---------------------------------------------------------------------- documents


def test_expected_f1_is_the_mean_probability_of_the_predicted_classes(diamond) -> None:
    predicted = diamond.to_matrix([["an", "do"], ["ga"], []])
    probabilities = np.zeros((3, 7), dtype=np.float16)
    probabilities[0, [0, 2, 6]] = 0.75, 0.25, 1.0
    probabilities[1, 1] = 0.5
    assert diagnostics.estimate_f1(predicted, probabilities).tolist() == [0.5, 0.5, 0.0]


def test_expected_f1_is_the_expectation_over_gold_sets_of_the_same_size() -> None:
    """Over gold sets of |P| classes drawn with probabilities 0.7 and 0.3, worked out by drawing both."""
    one, other = TREE.to_matrix([["a", "b"]]), TREE.to_matrix([["d", "e"]])
    predicted = TREE.to_matrix([["a", "b"]])
    truth = 0.7 * sample_f1_scores(one, predicted)[0] + 0.3 * sample_f1_scores(other, predicted)[0]
    marginals = (0.7 * one + 0.3 * other).toarray()
    assert diagnostics.estimate_f1(predicted, marginals)[0] == pytest.approx(truth)


def test_expected_f1_reads_no_more_than_the_predicted_classes(diamond) -> None:
    predicted = diamond.to_matrix([["an"]])
    probabilities = np.full((1, 7), np.nan)
    probabilities[0, 0] = 0.5
    assert diagnostics.estimate_f1(predicted, probabilities).tolist() == [0.5]


def test_views_agree_with_a_prediction_by_their_best_candidates(diamond, candidates) -> None:
    predicted = diamond.to_matrix([["an", "do"], ["an", "ca"], ["an", "ca"], ["an"]])
    ids = pd.Series(["1", "0", "2", "3"])
    agreement = diagnostics.measure_view_agreement(ids, predicted, candidates, diamond)
    # Document 1: the dense views say dogs, the words say tools. 2: the words share nothing and do not count.
    np.testing.assert_allclose(agreement, [(1 + 0) / 2, 1.0, 1.0, np.nan])


def test_one_view_is_enough_and_none_is_no_error(diamond, candidates) -> None:
    predicted, ids = diamond.to_matrix([["an", "do"], ["an", "do"]]), pd.Series(["1", "0"])
    words = candidates.drop(columns=["score_text", "score_path"])
    assert diagnostics.measure_view_agreement(ids, predicted, words, diamond).tolist() == [0.0, 0.5]
    meaning = candidates.drop(columns=["score_path", "score_lexical"])  # by the text alone, document 1 is about tools
    assert diagnostics.measure_view_agreement(ids, predicted, meaning, diamond).tolist() == [0.0, 0.5]
    for empty in (candidates.iloc[:0], words.drop(columns="score_lexical")):
        assert np.isnan(diagnostics.measure_view_agreement(ids, predicted, empty, diamond)).all()


def test_doubt_is_the_mean_of_ranks_that_are_there() -> None:
    frame = pd.DataFrame({"expected_f1": [0.9, 0.1, 0.5, 0.5], "view_agreement": [0.2, 0.4, np.nan, 0.6]})
    # Ranks from the highest: expected 1/4, 4/4, 2.5/4 twice; agreement 3/3, 2/3, none, 1/3.
    expected = [(1 / 4 + 1) / 2, (1 + 2 / 3) / 2, 2.5 / 4, (2.5 / 4 + 1 / 3) / 2]
    assert diagnostics.rank_doubt(frame).tolist() == pytest.approx(expected)


def test_documents_come_the_most_doubtful_first(diamond, candidates) -> None:
    predictions = make_labels(["an", "do"], ["an", "do"], ["an", "ca"], ["ga"])
    probabilities = np.zeros((4, 7), dtype=np.float16)
    probabilities[0, [0, 2]] = 0.5
    probabilities[1, [0, 2]] = 0.25
    probabilities[2, [0, 3]] = 1.0
    probabilities[3, 1] = 0.75
    silver = make_labels(["an", "do"], ["an", "ca"])
    frame = diagnostics.diagnose_documents(predictions, probabilities, candidates, silver, diamond)
    assert list(frame) == ["doc_id", "expected_f1", "view_agreement", "teacher_agreement", "doubt"]
    # Expected 0.5, 0.25, 1, 0.75; the views agree by half with 0 and 1, wholly with 2; nothing is known of 3.
    assert frame["doc_id"].tolist() == ["1", "0", "3", "2"]
    assert frame["expected_f1"].tolist() == [0.25, 0.5, 0.75, 1.0]
    np.testing.assert_allclose(frame["view_agreement"], [0.5, 0.5, np.nan, 1.0])
    np.testing.assert_allclose(frame["teacher_agreement"], [0.5, 1.0, np.nan, np.nan])
    np.testing.assert_allclose(frame["doubt"], [(1 + 2.5 / 3) / 2, (0.75 + 2.5 / 3) / 2, 0.5, (0.25 + 1 / 3) / 2])


def test_no_document_is_no_error(diamond, candidates) -> None:
    nothing, probabilities = make_labels(), np.zeros((0, 7), dtype=np.float16)
    frame = diagnostics.diagnose_documents(nothing, probabilities, candidates, nothing, diamond)
    assert frame.empty
    classes = diagnostics.diagnose_classes(nothing, nothing, frame, diamond)
    assert classes["n_predicted"].sum() == 0
    run = diagnostics.diagnose_run(frame, nothing.assign(paths=[], fits=[]), nothing, {}, diamond)
    assert run["n_docs"] == run["n_compared"] == run["effective_classes"] == 0
    assert run["expected_f1"] is run["several_paths"] is run["fits_none"] is None


# ---------------------------------------------------------------------- classes


def test_class_takes_documents_from_another_of_its_level(diamond) -> None:
    silver = diamond.to_matrix([["an", "ca"], ["an", "ca"], ["ga", "to"], ["an"], ["an", "do", "be"]])
    predicted = diamond.to_matrix([["an", "do"], ["an", "do", "be"], ["an", "do"], ["an", "do"], ["an", "do"]])
    taken = diagnostics.count_taken(silver, predicted, diamond)
    pairs = {(diamond.class_ids[i], diamond.class_ids[j]): n for (i, j), n in taken.todok().items()}
    # Longer and shorter is not taken, and beds have no rival on their level in the second document.
    assert pairs == {("ca", "do"): 2, ("ga", "an"): 1, ("to", "do"): 1}


def test_class_above_another_on_one_level_is_no_rival() -> None:
    """Two steps lead from a to b, by c, and one does: b is on the level of c, which is above it."""
    dag = Taxonomy.from_edges([(i, i) for i in "abc"], [("a", "b"), ("a", "c"), ("c", "b")])
    assert dag.levels[1] == dag.levels[2]
    assert diagnostics.count_taken(dag.to_matrix([["a", "c"]]), dag.to_matrix([["a", "b"]]), dag).nnz == 0


def test_classes_say_what_they_were_given_took_and_lost(diamond) -> None:
    predictions = make_labels(["an", "do"], ["an", "do"], ["an", "do"], ["ga", "to"])
    silver = make_labels(["an", "ca"], ["an", "ca"], ["ga", "to"])
    documents = pd.DataFrame({"doc_id": ["3", "1", "0", "2"], "expected_f1": [0.9, 0.2, 0.1, 0.6]})
    rows = diagnostics.diagnose_classes(predictions, silver, documents, diamond).set_index("class_id")
    assert rows.index.tolist() == list(diamond.class_ids)
    assert rows["n_silver"].tolist() == [2, 1, 0, 2, 0, 0, 1]
    assert rows["n_predicted"].tolist() == [3, 1, 3, 0, 0, 0, 1]
    np.testing.assert_allclose(rows["expected_f1"], [0.3, 0.9, 0.3, np.nan, np.nan, np.nan, 0.9])
    assert rows["n_taken"].tolist() == [1, 0, 3, 0, 0, 0, 0]
    assert rows.loc["do", ["taken_from", "n_taken_from", "lost_to", "n_lost_to"]].tolist() == ["ca", 2, "", 0]
    assert rows.loc["ca", ["taken_from", "n_taken_from", "lost_to", "n_lost_to"]].tolist() == ["", 0, "do", 2]
    assert (rows.loc["be", "path"], rows.loc["be", "level"]) == ("animals > dogs > pet beds", 3)


@settings(max_examples=40)
@given(LABEL_SETS, st.randoms())
def test_what_is_taken_is_lost_once_and_counts_add_up(label_sets: list[list[str]], random) -> None:
    other = random.sample(label_sets, len(label_sets))
    silver, predicted = TREE.to_matrix(label_sets), TREE.to_matrix(other)
    taken = diagnostics.count_taken(silver, predicted, TREE)
    assert (taken != diagnostics.count_taken(predicted, silver, TREE).T).nnz == 0, "what one takes the other loses"
    assert taken.diagonal().sum() == 0
    frame = pd.DataFrame({"doc_id": [str(i) for i in range(len(other))], "expected_f1": 0.5})
    rows = diagnostics.diagnose_classes(make_labels(*other), make_labels(*label_sets), frame, TREE)
    assert rows["n_predicted"].sum() == rows["n_silver"].sum() == sum(map(len, other))
    assert (rows["n_taken_from"] <= rows["n_taken"]).all()
    assert ((rows["n_taken"] > 0) == (rows["taken_from"] != "")).all()


# ---------------------------------------------------------------------- the run


def test_run_is_put_together(diamond) -> None:
    predictions = make_labels(["an", "do"], ["an", "do", "ca"], ["ga", "to"], ["ga", "to"])
    predictions["paths"] = [[["an", "do"]], [["an", "do"], ["an", "ca"]], [["ga", "to"]], [["ga", "to"]]]
    predictions["fits"] = [True, False, False, False]
    documents = pd.DataFrame(
        {
            "expected_f1": [0.5, 0.5, 0.5, 0.9],
            "view_agreement": [1.0, 0.5, np.nan, 0.0],
            "teacher_agreement": [1.0, np.nan, np.nan, 0.0],
        }
    )
    run = diagnostics.diagnose_run(documents, predictions, make_labels(["an"], ["ga", "to"]), {}, diamond)
    assert run["expected_f1"] == pytest.approx(0.6)
    # Dogs twice, cats once, tools twice: shares 0.4, 0.2, 0.4; the silver labels end in two classes alike.
    entropy = -(0.4 * np.log(0.4) * 2 + 0.2 * np.log(0.2))
    assert run["effective_classes"] == pytest.approx(np.exp(entropy))
    assert run["effective_silver_classes"] == pytest.approx(2.0)
    assert {key: run[key] for key in ("n_docs", "n_compared", "view_agreement", "teacher_agreement")} == {
        "n_docs": 4,
        "n_compared": 2,
        "view_agreement": 0.5,
        "teacher_agreement": 0.5,
    }
    assert (run["fits_none"], run["several_paths"], run["never_predicted"]) == (0.75, 0.25, 2)


def test_what_a_judge_says_keeps_the_words_for_what_it_is() -> None:
    known = {
        "n_annotated": 90,
        "n_audit": 60,
        "wished_precision": 0.8,
        "agreement": 0.75,
        "agreement_interval": [0.7, 0.8],
        "accept": 0.5,
        "share_accepted": 0.6,
        "precision": 0.79,
        "precision_interval": [0.7, 0.9],
    }
    assert diagnostics.describe_calibration(known) == {
        "n_audit": 60,
        "judge_agreement": 0.75,
        "judge_agreement_interval": [0.7, 0.8],
        "wished_precision": 0.8,
        "share_accepted": 0.6,
        "accepted_precision": 0.79,
        "accepted_precision_interval": [0.7, 0.9],
        "measured_against": "the judgements of a language model on documents drawn at random, not the truth",
    }
    nothing = diagnostics.describe_calibration({})
    assert nothing.pop("n_audit") == 0
    assert set(nothing.values()) == {None}


def test_stability_is_the_mean_over_the_pairs(diamond) -> None:
    sets = [diamond.to_matrix(s) for s in ([["an", "do"], ["ga"]], [["an", "do"], ["an"]], [["an"], ["ga"]])]
    # Pairs: (1 + 0) / 2, (2/3 + 1) / 2, (2/3 + 0) / 2.
    one, two, three = 0.5, 5 / 6, 1 / 3
    stability = diagnostics.measure_stability(sets)
    assert stability.tolist() == pytest.approx([(one + two) / 2, (one + three) / 2, (two + three) / 2])
    assert stability.mean() == pytest.approx((one + two + three) / 3)


def test_one_training_has_no_stability(diamond) -> None:
    assert np.isnan(diagnostics.measure_stability([diamond.to_matrix([["an"]])])).tolist() == [True]
    assert np.isnan(diagnostics.measure_stability([diamond.to_matrix([])] * 2)).all()


@given(LABEL_SETS)
def test_equal_trainings_are_stable(label_sets: list[list[str]]) -> None:
    assert diagnostics.measure_stability([TREE.to_matrix(label_sets)] * 3).tolist() == pytest.approx([1.0] * 3)
