"""The stage `infer`."""

import numpy as np
import pytest

from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.errors import InputError
from hmltc_kedro.pipelines.infer import create_pipeline, nodes
from hmltc_kedro.pipelines.ingest.params import IngestParams


def test_raw_corpus_and_classifier_give_a_submission(run, raw_tables, diamond, classifier, encoder) -> None:
    corpus = raw_tables["raw_test_corpus"]
    entries = {"raw_test_corpus": corpus, "classifier": classifier, "encoder": encoder, "taxonomy": diamond}
    made = run(create_pipeline(), **entries)
    submission = made["submission"]
    assert list(submission.columns) == ["id", "labels"]
    assert list(submission["id"]) == ["0", "1", "2"]
    assert submission["labels"].str.len().gt(0).all()


def test_decoded_sets_are_path_consistent_and_named(diamond, classifier, parameters) -> None:
    probabilities = np.full((2, 7), 0.01, dtype=np.float16)
    probabilities[0, [0, 2, 4]] = 0.9
    probabilities[1, [1, 6]] = 0.8
    table = TensorTable(["a", "b"], {"probabilities": probabilities}, columns=diamond.class_ids)
    predictions = nodes.decode_predictions(table, classifier, diamond, parameters["infer"])
    assert list(predictions["doc_id"]) == ["a", "b"]
    assert list(map(list, predictions["class_ids"])) == [["an", "do", "be"], ["ga", "to"]]
    assert list(predictions["names"][1]) == ["garden", "tools"]
    submission = nodes.write_submission(predictions)
    assert list(submission["labels"]) == ["an,do,be", "ga,to"]


def test_documents_fit_that_score_what_a_null_document_does(diamond, classifier, parameters, monkeypatch) -> None:
    probabilities = np.full((3, 7), 0.01, dtype=np.float16)
    probabilities[0, [0, 2]] = 0.875
    probabilities[1, [1, 6]] = 0.5
    probabilities[2, [1, 6]] = 0.375
    table = TensorTable(["a", "b", "c"], {"probabilities": probabilities}, columns=diamond.class_ids)
    whole = nodes.decode_predictions(table, classifier, diamond, parameters["infer"])
    assert whole["fits"].tolist() == [True] * 3, "a classifier that was not calibrated flags nothing"
    monkeypatch.setattr(classifier, "nulls", probabilities[[1]])
    found = nodes.decode_predictions(table, classifier, diamond, parameters["infer"])
    assert found["fits"].dtype == bool
    assert found["fits"].tolist() == [True, True, False]
    # The flag changes no label set.
    assert found.drop(columns="fits").equals(whole.drop(columns="fits"))


def test_no_document_is_no_error(diamond, classifier, parameters) -> None:
    table = TensorTable([], {"probabilities": np.zeros((0, 7), dtype=np.float16)}, columns=diamond.class_ids)
    assert nodes.decode_predictions(table, classifier, diamond, parameters["infer"])["fits"].tolist() == []


def test_test_documents_are_checked_as_they_lie_there_now(raw_tables) -> None:
    table = raw_tables["raw_test_corpus"]
    table.rows.loc[1, "value"] = ""
    with pytest.raises(InputError, match="^test.txt:2: the text is empty"):
        nodes.read_test_documents(table, IngestParams())
    assert list(nodes.read_test_documents(table, IngestParams(on_invalid="skip"))["doc_id"]) == ["0", "2"]


def test_probabilities_carry_ids_and_classes(raw_tables, classifier, encoder, parameters) -> None:
    documents = nodes.read_test_documents(raw_tables["raw_test_corpus"], IngestParams())
    table = nodes.predict_probabilities(documents, classifier, encoder, parameters["infer"])
    assert list(table.ids) == ["0", "1", "2"]
    assert list(table.columns) == list(classifier.taxonomy.class_ids)
    assert table["probabilities"].shape == (3, 7)
    assert table["probabilities"].dtype == np.float16


def test_cached_vectors_are_read_by_the_classifier_that_was_trained_on_them(
    raw_tables, classifier, encoder, parameters, monkeypatch
) -> None:
    documents = nodes.read_test_documents(raw_tables["raw_test_corpus"], IngestParams())
    asked: list[list[str]] = []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts: asked.append(list(texts)) or encode(texts))

    def predict(frozen: str | None) -> np.ndarray:
        monkeypatch.setattr(classifier, "frozen", frozen)
        return nodes.predict_probabilities(documents, classifier, encoder, parameters["infer"])["probabilities"]

    own, other = predict(None), predict("another encoder")
    assert not asked, "a tuned encoder, or another one, has vectors of its own"
    cached = predict(encoder.fingerprint)
    assert asked == [list(documents["text"])]
    np.testing.assert_array_equal(own, other)
    np.testing.assert_allclose(cached, own, atol=2e-3)
