"""What was said of a document stands in its prediction; what was not said changes nothing."""

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.annotation.pins import MODEL, pin_annotations
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.modeling.predictions import decide, predictions_to_frame
from hmltc_kedro.taxonomy import Taxonomy
from judged_corpus import make_annotations, make_documents

IDS = [str(n) for n in range(5)]
PROBABILITIES = np.array([[0.5, 0.25, 0.5, 0.25, 0.125, 0.0, 0.25]] * 5, dtype=np.float16)
DOCUMENTS = make_documents(0, 5)


@pytest.fixture
def predictions(diamond: Taxonomy) -> pd.DataFrame:
    """Return predictions of the path to dogs for five documents, all of them to be reviewed."""
    frame = predictions_to_frame(decode(PROBABILITIES, diamond, DecodingSettings()), PROBABILITIES, diamond)
    frame.insert(0, "doc_id", pd.Series(IDS, dtype="str"))
    fits = [True, False, True, False, True]
    return frame.assign(fits=fits, decision=decide(PROBABILITIES, frame["class_ids"], fits, diamond, 0.75))


def annotate(rows: list[int], **changes: object) -> pd.DataFrame:
    return make_annotations(DOCUMENTS.iloc[rows], **changes)


NOTHING = annotate([])


def test_without_annotations_only_the_source_is_new(predictions: pd.DataFrame, diamond: Taxonomy) -> None:
    pinned = pin_annotations(predictions, NOTHING, PROBABILITIES, diamond)
    assert (pinned["source"] == MODEL).all()
    pd.testing.assert_frame_equal(pinned.drop(columns="source"), predictions)
    assert pinned["fits"].dtype == bool


def test_what_people_and_judges_said_stands(predictions: pd.DataFrame, diamond: Taxonomy) -> None:
    said = pd.concat(
        [
            annotate([3], source="person", confidence="", class_ids=[["an", "ca", "ct"]]),
            annotate([1], confidence="high", class_ids=[["an", "ga", "do", "be", "to"]]),
            annotate([0, 4], confidence=["low", "medium"], class_ids=[["ga"], ["ga", "to"]]),
        ],
        ignore_index=True,
    )
    pinned = pin_annotations(predictions, said, PROBABILITIES, diamond)
    assert pinned["doc_id"].tolist() == IDS
    assert pinned["class_ids"].tolist() == [
        ["ga"],
        ["an", "ga", "do", "to", "be"],
        ["an", "do"],
        ["an", "ca", "ct"],
        ["ga", "to"],
    ]
    assert pinned["names"][3] == ["animals", "cats", "cat_toys"]
    assert pinned["paths"][1] == [["an", "do", "be"], ["ga", "to"]]
    # Geometric means of the probabilities: (1/2 * 1/2 * 1/8)^(1/3) and (1/4 * 1/4)^(1/2).
    assert pinned["scores"][1] == pytest.approx([2 ** (-5 / 3), 0.25], abs=1e-5)
    assert pinned["scores"][3] == [0.0], "a class that is ruled out may be right all the same"
    assert pinned["source"].tolist() == ["recorded", "recorded", MODEL, "person", "recorded"]
    assert pinned["decision"].tolist() == ["review", "accept", "review", "accept", "review"]
    assert pinned["fits"].tolist() == [True] * 5
    assert pinned["fits"].dtype == bool
    assert list(pinned.columns) == [*predictions.columns, "source"]
    assert predictions["class_ids"].tolist() == [["an", "do"]] * 5, "the argument is not changed"


def test_documents_that_no_path_is_right_for_fit_no_class(predictions: pd.DataFrame, diamond: Taxonomy) -> None:
    none = annotate([0, 2], class_ids=[[], []], confidence=["high", "low"])
    failed = annotate([4], class_ids=[[]], confidence="", error="prose")
    pinned = pin_annotations(predictions, pd.concat([none, failed]), PROBABILITIES, diamond)
    assert pinned["fits"].tolist() == [False, False, False, False, True]
    pd.testing.assert_frame_equal(pinned.drop(columns=["fits", "source"]), predictions.drop(columns="fits"))
    assert (pinned["source"] == MODEL).all()


def test_what_its_judge_found_no_path_for_is_reviewed(predictions: pd.DataFrame, diamond: Taxonomy) -> None:
    accepted = predictions.assign(decision="accept")
    none = annotate([0, 2], class_ids=[[], []], confidence=["high", "low"])
    pinned = pin_annotations(accepted, none, PROBABILITIES, diamond)
    assert pinned["decision"].tolist() == ["review", "accept", "review", "accept", "accept"]
    undecided = pin_annotations(predictions.assign(decision=""), none, PROBABILITIES, diamond)
    assert undecided["decision"].tolist() == [""] * 5


def test_where_nothing_is_decided_nothing_is_decided_for_people_either(
    predictions: pd.DataFrame, diamond: Taxonomy
) -> None:
    open_ones = predictions.assign(decision="")
    said = annotate([0, 1], source=["person", "recorded"], class_ids=[["ga"], ["ga"]])
    pinned = pin_annotations(open_ones, said, PROBABILITIES, diamond)
    assert pinned["decision"].tolist() == [""] * 5
    assert pinned["class_ids"].tolist()[:2] == [["ga"], ["ga"]]


def test_all_of_them_and_none_of_them(predictions: pd.DataFrame, diamond: Taxonomy) -> None:
    everything = pin_annotations(predictions, annotate([4, 3, 2, 1, 0]), PROBABILITIES, diamond)
    assert everything["class_ids"].tolist() == [
        ["an", "do"],
        ["an", "ca", "ct"],
        ["an", "do", "be"],
        ["ga", "to"],
        ["an", "do"],
    ]
    empty = pin_annotations(predictions.iloc[:0], NOTHING, PROBABILITIES[:0], diamond)
    assert len(empty) == 0 and list(empty.columns) == [*predictions.columns, "source"]
