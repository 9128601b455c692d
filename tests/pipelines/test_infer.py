"""The stage `infer`."""

import numpy as np
import pytest

from hmltc_kedro.errors import InputError
from hmltc_kedro.pipelines.infer import create_pipeline, nodes
from hmltc_kedro.pipelines.ingest.params import IngestParams
from hmltc_kedro.tensors import TensorTable


def test_raw_corpus_and_classifier_give_a_submission(run, raw_tables, diamond, classifier) -> None:
    corpus = raw_tables["raw_test_corpus"]
    made = run(create_pipeline(), raw_test_corpus=corpus, classifier=classifier, taxonomy=diamond)
    submission = made["submission"]
    assert list(submission.columns) == ["id", "labels"]
    assert list(submission["id"]) == ["0", "1", "2"]
    assert submission["labels"].str.len().gt(0).all()


def test_decoded_sets_are_path_consistent_and_named(diamond, parameters) -> None:
    probabilities = np.full((2, 7), 0.01, dtype=np.float16)
    probabilities[0, [0, 2, 4]] = 0.9
    probabilities[1, [1, 6]] = 0.8
    table = TensorTable(["a", "b"], {"probabilities": probabilities}, columns=diamond.class_ids)
    predictions = nodes.decode_predictions(table, diamond, parameters["infer"])
    assert list(predictions["doc_id"]) == ["a", "b"]
    assert list(map(list, predictions["class_ids"])) == [["an", "do", "be"], ["ga", "to"]]
    assert list(predictions["names"][1]) == ["garden", "tools"]
    submission = nodes.write_submission(predictions)
    assert list(submission["labels"]) == ["an,do,be", "ga,to"]


def test_test_documents_are_checked_as_they_lie_there_now(raw_tables) -> None:
    table = raw_tables["raw_test_corpus"]
    table.rows.loc[1, "value"] = ""
    with pytest.raises(InputError, match="^test.txt:2: the text is empty"):
        nodes.read_test_documents(table, IngestParams())
    assert list(nodes.read_test_documents(table, IngestParams(on_invalid="skip"))["doc_id"]) == ["0", "2"]


def test_probabilities_carry_ids_and_classes(raw_tables, classifier, parameters) -> None:
    documents = nodes.read_test_documents(raw_tables["raw_test_corpus"], IngestParams())
    table = nodes.predict_probabilities(documents, classifier, parameters["infer"])
    assert list(table.ids) == ["0", "1", "2"]
    assert list(table.columns) == list(classifier.taxonomy.class_ids)
    assert table["probabilities"].shape == (3, 7)
    assert table["probabilities"].dtype == np.float16
