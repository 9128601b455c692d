"""The student taught by annotations, and what is known of its label sets out of fold."""

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.annotation.teaching import COLUMNS, score_refused, score_unseen, teach_student
from hmltc_kedro.decoding.expected_f1 import choose_labels
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.modeling.student import DenseView
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from judged_corpus import SETS, make_annotations, make_documents

DOCUMENTS = make_documents(40, 20)


@pytest.fixture(scope="module")
def dense(diamond_vectors: np.ndarray) -> DenseView:
    return DenseView(diamond_vectors, np.full(7, 0.2, dtype=np.float32), np.full(7, 0.1, dtype=np.float32))


def teach(
    annotations: pd.DataFrame, classifier: HierarchicalClassifier, dense: DenseView, encoder: TextEncoder
) -> tuple[HierarchicalClassifier, pd.DataFrame]:
    documents = DOCUMENTS[["split", "doc_id", "text"]]
    student, scores = teach_student(annotations, documents, classifier, dense, encoder, seed=0)
    return classifier.with_parts(student=student), scores


def test_too_few_annotations_teach_nothing(classifier, dense, encoder) -> None:
    silent = make_annotations(DOCUMENTS.iloc[9:30], class_ids=[[]] * 21)
    annotations = pd.concat([make_annotations(DOCUMENTS.iloc[:9]), silent])
    taught, scores = teach(annotations, classifier, dense, encoder)
    assert not taught.student
    assert len(scores) == 0 and list(scores.columns) == COLUMNS
    texts = list(DOCUMENTS["text"])
    np.testing.assert_array_equal(taught.predict_probabilities(texts), classifier.predict_probabilities(texts))


def test_student_of_annotations_speaks_through_the_classifier(classifier, dense, encoder) -> None:
    annotations = make_annotations(DOCUMENTS.iloc[:40])
    taught, scores = teach(annotations, classifier, dense, encoder)
    assert len(taught.student) == len(scores) == 40
    assert list(scores.columns) == COLUMNS
    for column in ("split", "doc_id", "source", "confidence", "reason"):
        assert scores[column].tolist() == annotations[column].tolist()
    numbers = scores[["expected_f1", "expected_precision", "f1", "precision"]].to_numpy()
    assert ((numbers > 0) & (numbers <= 1)).all(), "whether right or not, animals or garden are found"
    rest = DOCUMENTS.iloc[40:]
    probabilities = taught.predict_probabilities(list(rest["text"]))
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (20, 7))
    student = taught.student.predict(classifier.gather_evidence(list(rest["text"])))
    np.testing.assert_allclose(probabilities, student, atol=2e-3)
    right = classifier.taxonomy.to_matrix([SETS[kind] for kind in rest["kind"]]).toarray() > 0
    silver = classifier.predict_probabilities(list(rest["text"]))
    assert probabilities[right].mean() > silver[right].mean()


def test_every_document_may_be_annotated(classifier, dense, encoder) -> None:
    """Then no document without an annotation speaks for the classifier."""
    taught, scores = teach(make_annotations(DOCUMENTS), classifier, dense, encoder)
    assert len(taught.student) == len(scores) == 60


def test_what_a_judge_said_does_not_show_in_the_scores_of_its_own_document(classifier, dense, encoder) -> None:
    annotations = make_annotations(DOCUMENTS.iloc[:12])
    _, before = teach(annotations, classifier, dense, encoder)
    other = annotations.copy()
    other.at[0, "class_ids"] = ["ga", "to"]
    _, after = teach(other, classifier, dense, encoder)
    # The weights of the ranking see all documents; the ridge does not see this one.
    assert after["expected_f1"][0] == pytest.approx(before["expected_f1"][0], abs=0.1)
    assert after["f1"][0] < before["f1"][0]


def test_scores_are_those_worked_out_by_hand(diamond: Taxonomy) -> None:
    # Sum 2.1; 2 sum / (k + 2.1): 1.8/3.1, 3.4/4.1 (.829), 3.8/5.1 (.745): animals and dogs.
    row = [0.9, 0.1, 0.8, 0.1, 0.2, 0.0, 0.0]
    annotations = make_annotations(DOCUMENTS.iloc[:3], class_ids=[["an", "do"], ["an", "do", "be"], ["ga", "to"]])
    scores = score_unseen(annotations, np.array([row] * 3, dtype=np.float32), diamond)
    np.testing.assert_allclose(scores["expected_f1"], 3.4 / 4.1, rtol=1e-5)
    np.testing.assert_allclose(scores["expected_precision"], 0.85, rtol=1e-5)
    np.testing.assert_allclose(scores["f1"], [1, 0.8, 0])
    np.testing.assert_allclose(scores["precision"], [1, 1, 0])
    assert list(scores.columns) == COLUMNS
    wider = make_annotations(DOCUMENTS.iloc[:1], class_ids=[["an", "ca"]])
    half = score_unseen(wider, np.array([row], dtype=np.float32), diamond)
    assert (half["f1"][0], half["precision"][0]) == (0.5, 0.5)


def test_refused_documents_are_wrong_unless_the_run_says_that_they_fit_nothing(classifier, dense, encoder) -> None:
    refused = make_annotations(DOCUMENTS.iloc[40:44], class_ids=[[]] * 4, error=["", "", "prose", ""])
    annotations = pd.concat([make_annotations(DOCUMENTS.iloc[:40]), refused], ignore_index=True)
    taught, scores = teach(annotations, classifier, dense, encoder)
    assert len(scores) == 40 and not scores["none"].any()
    documents = DOCUMENTS[["split", "doc_id", "text"]]
    probabilities = taught.predict_probabilities(list(documents["text"].iloc[[40, 41, 43]]))
    expected, best = choose_labels(probabilities, taught.taxonomy)[1], np.sort(probabilities.max(axis=1))
    for nulls, f1 in ((0.0, [0, 0, 0]), (1.0, [1, 1, 1])):
        texts_about_nothing = np.full((3, 7), nulls, dtype=np.float16)
        found = score_refused(annotations, documents, taught, texts_about_nothing, encoder)
        assert list(found.columns) == COLUMNS and found["none"].all()
        assert found["doc_id"].tolist() == ["0", "1", "3"], "one has no answer"
        assert found["f1"].tolist() == f1 and found["precision"].tolist() == [0, 0, 0]
        np.testing.assert_allclose(found["expected_f1"], expected, rtol=1e-3)
    assert best[0] < 1


def test_no_refused_document_and_no_student_have_no_such_row(classifier, dense, encoder) -> None:
    documents, nulls = DOCUMENTS[["split", "doc_id", "text"]], np.zeros((3, 7), dtype=np.float16)
    refused = make_annotations(DOCUMENTS.iloc[40:44], class_ids=[[]] * 4)
    labelled = make_annotations(DOCUMENTS.iloc[:40])
    for annotations in (refused, labelled):
        taught, scores = teach(annotations, classifier, dense, encoder)
        found = score_refused(annotations, documents, taught, nulls, encoder)
        assert len(found) == 0 and found.dtypes.to_dict() == scores.dtypes.to_dict()
