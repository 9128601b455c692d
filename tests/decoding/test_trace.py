"""One document, step by step."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding_problems import PETS, as_row, found_paths, problems
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.decoding.expected_f1 import bound_by_parents, choose_labels
from hmltc_kedro.decoding.paths import union_paths
from hmltc_kedro.decoding.thresholds import child_thresholds
from hmltc_kedro.decoding.trace import trace_beam, trace_document, trace_expected_f1
from hmltc_kedro.taxonomy import Taxonomy


def test_trace_tells_every_path_looked_at(diamond: Taxonomy) -> None:
    trace = trace_beam(PETS, 0, diamond, DecodingSettings(child_threshold=0.5, max_paths=2, path_ratio=0.9))
    closed = "below the threshold"
    assert trace[["length", "path", "outcome", "chosen"]].values.tolist() == [
        [1, "animals", "goes on", False],
        [1, "garden", "ends here", False],
        [2, "animals > cats", "goes on", False],
        [2, "animals > dogs", "goes on", False],
        [2, "garden > tools", closed, False],
        [3, "animals > cats > pet beds", "ends here", True],
        [3, "animals > dogs > pet beds", "a better way leads there", False],
        [3, "animals > cats > cat toys", closed, False],
    ]
    assert trace["class_id"].tolist() == ["an", "ga", "ca", "do", "to", "be", "be", "ct"]
    np.testing.assert_allclose(trace["probability"], [0.9, 0.2, 0.8, 0.6, 0.1, 0.7, 0.7, 0.3], rtol=1e-6)
    np.testing.assert_array_equal(trace["threshold"], [np.nan, np.nan, *[0.5] * 6])
    scores = [0.9, 0.2, (0.9 * 0.8) ** 0.5, (0.9 * 0.6) ** 0.5, np.nan, 0.504 ** (1 / 3), 0.378 ** (1 / 3), np.nan]
    np.testing.assert_allclose(trace["score"], scores, rtol=1e-6)


def test_trace_shows_what_the_beam_leaves_out(diamond: Taxonomy) -> None:
    trace = trace_beam(PETS, 0, diamond, DecodingSettings(beam_width=1, child_threshold=0.5, max_paths=1)).set_index(
        "path"
    )
    assert trace.loc["animals > dogs", "outcome"] == "outside the beam"
    assert "animals > dogs > pet beds" not in trace.index
    assert trace.index[trace["chosen"]].tolist() == ["animals > cats > pet beds"]


def test_trace_stops_at_the_longest_and_goes_on_to_the_shortest_path_allowed(diamond: Taxonomy) -> None:
    short = trace_beam(PETS, 0, diamond, DecodingSettings(max_length=2))
    assert short["length"].max() == 2
    assert short.set_index("path").loc["animals > cats", "outcome"] == "ends here"
    long = trace_beam(PETS, 0, diamond, DecodingSettings(min_length=2, child_threshold=0.5)).set_index("path")
    assert long.loc["garden > tools", "outcome"] == "ends here", "entered below the threshold"


def test_trace_takes_a_threshold_from_all_documents(diamond: Taxonomy) -> None:
    documents = np.concatenate([PETS, as_row(0.9, 0.2, 0.9, 0.9, 0.9, 0.9, 0.9)])
    settings = DecodingSettings(threshold_method="quantile", child_threshold=0.5)
    expected = child_thresholds(documents, diamond, method="quantile", value=0.5)[2]
    assert expected != child_thresholds(PETS, diamond, method="quantile", value=0.5)[2]
    trace = trace_beam(documents, 0, diamond, settings)
    assert set(trace["threshold"].dropna()) == {float(expected)}
    labels = union_paths(decode(documents, diamond, settings), diamond)[[0]]
    assert set(trace.loc[trace["chosen"], "class_id"]) <= set(diamond.to_label_sets(labels)[0])


def test_trace_of_the_largest_expected_f1_tells_where_it_stops(diamond: Taxonomy) -> None:
    trace = trace_document(np.concatenate([PETS[:, ::-1], PETS]), 1, diamond, DecodingSettings(method="expected_f1"))
    assert trace[["length", "path", "class_id", "chosen"]].values.tolist() == [
        [1, "animals", "an", True],
        [2, "animals > cats", "ca", True],
        [3, "animals > cats > pet beds", "be", True],
        [2, "animals > dogs", "do", True],
        [3, "animals > cats > cat toys", "ct", False],
        [1, "garden", "ga", False],
        [2, "garden > tools", "to", False],
    ]
    np.testing.assert_allclose(trace["probability"], [0.9, 0.8, 0.7, 0.6, 0.3, 0.2, 0.1], rtol=1e-6)
    sums = np.array([0.9, 1.7, 2.4, 3.0, 3.3, 3.5, 3.6])
    np.testing.assert_allclose(trace["expected_f1"], 2 * sums / (np.arange(1, 8) + 3.6), rtol=1e-6)


def test_trace_is_of_the_method_that_decodes(diamond: Taxonomy) -> None:
    settings = DecodingSettings(child_threshold=0.5)
    pd.testing.assert_frame_equal(trace_document(PETS, 0, diamond, settings), trace_beam(PETS, 0, diamond, settings))
    with pytest.raises(ValueError, match="'flat' has no steps to trace"):
        trace_document(PETS, 0, diamond, DecodingSettings(method="flat"))


@settings(max_examples=30)
@given(problem=problems())
def test_trace_of_the_largest_expected_f1_is_the_label_set(problem: tuple[Taxonomy, np.ndarray]) -> None:
    taxonomy, probabilities = problem
    bounded = bound_by_parents(probabilities.astype(np.float32), taxonomy)
    labels = taxonomy.to_label_sets(choose_labels(bounded, taxonomy)[0])
    for row, label_set in enumerate(labels):
        trace = trace_expected_f1(bounded, row, taxonomy)
        assert set(trace.loc[trace["chosen"], "class_id"]) == set(label_set)
        assert trace["expected_f1"].idxmax() == trace["chosen"].sum() - 1


@settings(max_examples=50)
@given(
    problem=problems(),
    width=st.integers(1, 4),
    shortest=st.integers(1, 3),
    extra=st.none() | st.integers(0, 2),
    max_paths=st.integers(1, 3),
)
def test_trace_ends_where_the_search_ends(
    problem: tuple[Taxonomy, np.ndarray], width: int, shortest: int, extra: int | None, max_paths: int
) -> None:
    taxonomy, probabilities = problem
    longest = None if extra is None else shortest + extra
    settings = DecodingSettings(
        beam_width=width, min_length=shortest, max_length=longest, max_paths=max_paths, path_ratio=0.5
    )
    decoded = decode(probabilities, taxonomy, settings)
    for row in range(len(probabilities)):
        trace = trace_beam(probabilities, row, taxonomy, settings)
        paths = [" > ".join(map(taxonomy.spoken_name, path)) for path in found_paths(decoded, row)]
        assert set(trace.loc[trace["chosen"], "path"]) == set(paths)
        assert set(paths) <= set(trace.loc[trace["outcome"] == "ends here", "path"])
        entered = trace[trace["outcome"].isin(["goes on", "ends here"])]
        parents = {path.rpartition(" > ")[0] for path in trace["path"]} - {""}
        assert parents <= set(entered["path"]), "only what follows a path that was entered is looked at"
