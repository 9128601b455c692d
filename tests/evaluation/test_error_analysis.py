"""Case studies: where paths part, worked out on the diamond, and the paper's own errors on Amazon-531."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amazon import AMAZON, needs_amazon, read_amazon_taxonomy
from hmltc_kedro.evaluation import label_files, metrics
from hmltc_kedro.evaluation.error_analysis import COLUMNS, KINDS, compare_paths, summarise_errors, trace_cases
from hmltc_kedro.taxonomy import Taxonomy

BEDS, OTHER_BEDS, TOYS, TOOLS = (0, 2, 4), (0, 3, 4), (0, 3, 5), (1, 6)


@pytest.mark.parametrize(
    ("gold", "predicted", "kind", "level", "pair"),
    [
        ([BEDS], [BEDS], "right", 0, (0, 0)),
        ([BEDS, TOOLS], [TOOLS, BEDS], "right", 0, (1, 0)),
        ([BEDS], [TOYS], "wrong branch", 2, (0, 0)),
        ([TOYS], [OTHER_BEDS], "wrong branch", 3, (0, 0)),
        ([TOOLS], [BEDS], "wrong branch", 1, (0, 0)),
        ([BEDS], [OTHER_BEDS], "wrong branch", 2, (0, 0)),
        ([BEDS], [(0, 2)], "stopped early", 3, (0, 0)),
        ([BEDS], [], "stopped early", 1, (0, 0)),
        ([(0,)], [BEDS], "went too far", 2, (0, 0)),
        ([BEDS, TOOLS], [BEDS], "missed path", 1, (1, 0)),
        ([BEDS, TOYS], [TOOLS, BEDS, TOYS], "extra path", 1, (0, 0)),
        ([TOYS], [TOYS, OTHER_BEDS], "extra path", 3, (0, 1)),
        # Right ones stand back on both sides; of the gold paths left, the nearest one is meant.
        ([TOOLS, BEDS, TOYS], [TOOLS, (0, 3)], "stopped early", 3, (2, 1)),
        # The best wrong path is traced, not the nearest.
        ([TOYS], [TOOLS, OTHER_BEDS], "wrong branch", 1, (0, 0)),
        # A missed path is held against the nearest right one.
        ([TOOLS, TOYS, OTHER_BEDS], [TOOLS, TOYS], "missed path", 3, (2, 1)),
    ],
)
def test_pairs_part_where_worked_out(gold, predicted, kind, level, pair) -> None:
    """Between two other documents, so that one's paths cannot be taken for another's."""
    traces = compare_paths([[TOOLS], gold, [TOYS]], [[BEDS, TOYS], predicted, [TOYS]])
    assert traces.kind.tolist() == ["wrong branch", kind, "right"]
    assert traces.first_wrong_level.tolist() == [1, level, 0]
    assert (traces.gold[1], traces.predicted[1]) == pair


def test_no_documents_have_no_traces() -> None:
    assert len(compare_paths([], []).kind) == 0
    with pytest.raises(ValueError, match="gold paths of 1 documents, predicted paths of 0"):
        compare_paths([[TOOLS]], [])


path_sets = st.lists(st.sampled_from([BEDS, OTHER_BEDS, TOYS, TOOLS, (0,), (0, 3), (1,)]), max_size=4, unique=True)


@settings(max_examples=200)
@given(documents=st.lists(st.tuples(path_sets.filter(len), path_sets), max_size=5))
def test_traced_pair_is_of_its_document_and_parts_at_its_level(documents) -> None:
    traces = compare_paths([g for g, _ in documents], [p for _, p in documents])
    for n, (gold, predicted) in enumerate(documents):
        level, kind = traces.first_wrong_level[n], traces.kind[n]
        g, p = gold[traces.gold[n]], predicted[traces.predicted[n]] if predicted else ()
        assert kind in KINDS
        assert (kind == "right") == (level == 0) == (set(gold) == set(predicted))
        if level:
            assert g[: level - 1] == p[: level - 1]
            assert g[level - 1 : level] != p[level - 1 : level]
            assert g not in predicted or set(gold) <= set(predicted)
            assert p not in gold or set(predicted) <= set(gold)


# ---------------------------------------------------------------------- the table


@pytest.fixture
def cases(diamond: Taxonomy) -> pd.DataFrame:
    documents = pd.DataFrame({"doc_id": list("abcd"), "text": ["right", "wrong", "short", "lost"]})
    gold = [["ga", "to"], ["an", "do", "be"], ["an", "ca", "ct"], ["ga", "to"]]
    paths = [[["ga", "to"]], [["an", "ca", "be"], ["an", "ca", "ct"]], [["an"]], [["an", "do"]]]
    sets = [["ga", "to"], ["an", "ca", "be", "ct"], ["an"], ["an", "do"]]
    probabilities = np.array(
        [  # an, ga, do, ca, be, ct, to
            [0.1, 0.9, 0.0, 0.0, 0.0, 0.0, 0.8],
            [0.9, 0.1, 0.3, 0.5, 0.4, 0.4, 0.0],
            [0.7, 0.1, 0.0, 0.2, 0.0, 0.1, 0.0],
            [0.6, 0.5, 0.5, 0.0, 0.0, 0.0, 0.4],
        ],
        dtype=np.float16,
    )
    predictions = pd.DataFrame({"class_ids": sets, "paths": paths})
    return trace_cases(documents, gold, predictions, probabilities, diamond)


def test_table_by_hand(cases: pd.DataFrame) -> None:
    assert cases["doc_id"].tolist() == ["d", "c", "b", "a"], "the worst first"
    assert cases["kind"].tolist() == ["wrong branch", "stopped early", "wrong branch", "right"]
    assert cases["first_wrong_level"].tolist() == [1, 2, 2, 0]
    assert cases["sample_f1"].tolist() == pytest.approx([0, 2 / 4, 4 / 7, 1])
    assert cases["margin"].tolist() == pytest.approx([0.1, np.nan, 0.2, np.nan], abs=1e-3, nan_ok=True)
    assert cases["gold_paths"][2] == ["animals > dogs > pet beds"]
    assert cases["predicted_paths"][2] == ["animals > cats > pet beds", "animals > cats > cat toys"]
    assert cases["gold_steps"][2] == pytest.approx([0.9, 0.3, 0.4], abs=1e-3)
    assert cases["predicted_steps"][1] == pytest.approx([0.7], abs=1e-3)


def test_table_without_documents_has_its_columns(diamond: Taxonomy) -> None:
    nothing = pd.DataFrame({"doc_id": [], "text": [], "class_ids": [], "paths": []})
    cases = trace_cases(nothing, [], nothing, np.zeros((0, 7), dtype=np.float16), diamond)
    assert dict(cases.dtypes.astype(str)) == COLUMNS
    assert len(cases) == 0


def test_equal_sets_are_right_whatever_their_paths(diamond: Taxonomy) -> None:
    """{an, do, ca, be} by two paths or, as decoded, by one and a short one: nothing is lost."""
    documents = pd.DataFrame({"doc_id": ["a"], "text": ["t"]})
    ids = ["an", "do", "ca", "be"]
    predictions = pd.DataFrame({"class_ids": [ids], "paths": [[["an", "do", "be"], ["an", "ca"]]]})
    case = trace_cases(documents, [ids], predictions, np.full((1, 7), 0.5), diamond).iloc[0]
    assert (case["kind"], case["first_wrong_level"], case["sample_f1"]) == ("right", 0, 1.0)


# ---------------------------------------------------------------------- what is lost where


def test_shares_of_the_loss_by_hand() -> None:
    shares = summarise_errors(np.array([0, 1, 2, 2, 3]), np.array([1.0, 0.0, 0.5, 0.75, 0.75]))
    assert shares == pytest.approx({1: 0.5, 2: 0.375, 3: 0.125})
    assert summarise_errors(np.array([0, 0]), np.array([1.0, 1.0])) == {}
    assert summarise_errors(np.array([]), np.array([])) == {}


@needs_amazon
def test_the_papers_predictions_lose_what_it_says() -> None:
    """Published shares: level 1 39 %, level 2 43.5 %, level 3 16.4 % (the rest went a level too far)."""
    taxonomy = read_amazon_taxonomy()
    gold = label_files.read_label_file(AMAZON / "test_doc2labels.txt")
    predicted = label_files.read_label_file(AMAZON / "seed_submission.csv")
    sets = [list(gold.values()), [predicted[i] for i in gold]]
    paths = [[taxonomy.paths_within([taxonomy.index[i] for i in labels]) for labels in part] for part in sets]
    f1 = metrics.sample_f1_scores(*(taxonomy.to_matrix(part) for part in sets))
    traces = compare_paths(*paths)
    branch = traces.kind == "wrong branch"
    shares = summarise_errors(np.where(branch, traces.first_wrong_level, 0), f1)
    assert {k: round(v, 3) for k, v in shares.items() if k} == {1: 0.390, 2: 0.435, 3: 0.163}
    everything = summarise_errors(traces.first_wrong_level, f1)
    assert everything == pytest.approx({1: 0.390, 2: 0.435, 3: 0.174}, abs=6e-4)
    assert (f1[traces.kind == "right"] == 1).all() and (f1[traces.kind != "right"] < 1).all()
