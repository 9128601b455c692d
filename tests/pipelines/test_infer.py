"""The stage `infer`."""

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.annotation.rounds import COLUMNS
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling.student import Student
from hmltc_kedro.pipelines.infer import create_pipeline, nodes

TEXTS = {"0": "a bed cushion for dogs", "1": "rake and spade, good garden tools", "2": "toy mouse with catnip for cats"}


NOTHING_SAID = pd.DataFrame(columns=COLUMNS)
UNCALIBRATED = {"n_annotated": 0, "accept": None}


def decode(table: TensorTable, nulls: TensorTable, taxonomy, decoding) -> pd.DataFrame:
    """Run the node where nothing was said of any document."""
    return nodes.decode_predictions(table, nulls, NOTHING_SAID, UNCALIBRATED, taxonomy, decoding)


@pytest.fixture
def documents() -> pd.DataFrame:
    """Return three test documents between training documents that count from 0 as well."""
    rows = [("train", "0", "dogs"), ("test", "0", TEXTS["0"]), ("train", "1", "cats")]
    rows += [("test", "1", TEXTS["1"]), ("test", "2", TEXTS["2"]), ("train", "2", "tools")]
    return pd.DataFrame(rows, columns=["split", "doc_id", "text"])


@pytest.fixture
def nulls(diamond) -> TensorTable:
    """Return the probabilities of no null document."""
    return TensorTable([], {"probabilities": np.zeros((0, 7), dtype=np.float16)}, columns=diamond.class_ids)


def make_table(diamond, *rows: dict[int, float]) -> TensorTable:
    """Return probabilities of a document a row, by class; 0.01 of the others."""
    probabilities = np.full((len(rows), 7), 0.01, dtype=np.float16)
    for number, row in enumerate(rows):
        probabilities[number, list(row)] = list(row.values())
    return TensorTable(list("abc"[: len(rows)]), {"probabilities": probabilities}, columns=diamond.class_ids)


def test_test_documents_and_classifier_give_a_submission(run, documents, diamond, classifier, encoder, nulls) -> None:
    entries = {"documents": documents, "trained_classifier": classifier, "encoder": encoder, "taxonomy": diamond}
    said = {"student": Student.untaught(diamond), "annotations": NOTHING_SAID, "calibration": UNCALIBRATED}
    made = run(create_pipeline(), **entries, **said, null_probabilities=nulls)
    submission = made["submission"]
    assert list(submission.columns) == ["id", "labels"]
    assert list(submission["id"]) == ["0", "1", "2"]
    assert submission["labels"].str.len().gt(0).all()
    assert submission["labels"][1] == "ga,to"


def test_decoded_sets_are_path_consistent_and_named(diamond, parameters, nulls) -> None:
    table = make_table(diamond, {0: 0.9, 2: 0.9, 4: 0.9}, {1: 0.8, 6: 0.8})
    predictions = decode(table, nulls, diamond, parameters["infer"]["decoding"])
    assert list(predictions["doc_id"]) == ["a", "b"]
    assert list(map(list, predictions["class_ids"])) == [["an", "do", "be"], ["ga", "to"]]
    assert list(predictions["names"][1]) == ["garden", "tools"]
    submission = nodes.write_submission(predictions)
    assert list(submission["labels"]) == ["an,do,be", "ga,to"]


def test_documents_fit_that_score_what_a_null_document_does(diamond, parameters, nulls) -> None:
    table = make_table(diamond, {0: 0.875, 2: 0.875}, {1: 0.5, 6: 0.5}, {1: 0.375, 6: 0.375})
    whole = decode(table, nulls, diamond, parameters["infer"]["decoding"])
    assert whole["fits"].tolist() == [True] * 3, "without null documents nothing is flagged"
    some = make_table(diamond, {1: 0.5, 6: 0.5})
    found = decode(table, some, diamond, parameters["infer"]["decoding"])
    assert found["fits"].dtype == bool
    assert found["fits"].tolist() == [True, True, False]
    # The flag changes no label set.
    assert found.drop(columns="fits").equals(whole.drop(columns="fits"))


def test_no_document_is_no_error(diamond, parameters, nulls) -> None:
    assert decode(nulls, nulls, diamond, parameters["infer"]["decoding"])["fits"].tolist() == []


@pytest.mark.parametrize("entry", ["class_probabilities", "null_probabilities"])
def test_probabilities_of_classes_in_another_order_are_refused(diamond, parameters, nulls, entry) -> None:
    table = make_table(diamond, {1: 0.5, 6: 0.5})
    given = {"class_probabilities": table, "null_probabilities": nulls}
    # A garden and its tools would be taken for animals, and for a tool below them.
    turned = TensorTable(table.ids, table.arrays, columns=["ga", "an", *diamond.class_ids[2:]])
    expected = (
        rf"^entry `{entry}`: its 7 columns are of something else \('ga' is where 'an' should be\); run `kedro ref"
    )
    with pytest.raises(InputError, match=expected):
        decode(*{**given, entry: turned}.values(), diamond, parameters["infer"]["decoding"])


def test_probabilities_carry_ids_and_classes_of_the_split_test(documents, classifier, encoder) -> None:
    table = nodes.predict_probabilities(documents, classifier, Student.untaught(classifier.taxonomy), encoder, 2)
    assert list(table.ids) == ["0", "1", "2"]
    assert list(table.columns) == list(classifier.taxonomy.class_ids)
    assert table["probabilities"].shape == (3, 7)
    assert table["probabilities"].dtype == np.float32
    # Two texts a batch or one: the padding moves the last bits.
    alone = [classifier.predict_probabilities([text])[0] for text in TEXTS.values()]
    np.testing.assert_allclose(table["probabilities"], alone, atol=2e-3)


def test_cached_vectors_are_read_by_the_classifier_that_was_trained_on_them(
    documents, classifier, encoder, monkeypatch
) -> None:
    asked: list[list[str]] = []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts: asked.append(list(texts)) or encode(texts))

    def predict(frozen: str | None) -> np.ndarray:
        monkeypatch.setattr(classifier, "frozen", frozen)
        untaught = Student.untaught(classifier.taxonomy)
        return nodes.predict_probabilities(documents, classifier, untaught, encoder, 32)["probabilities"]

    own, other = predict(None), predict("another encoder")
    assert not asked, "a tuned encoder, or another one, has vectors of its own"
    cached = predict(encoder.fingerprint)
    assert asked == [list(TEXTS.values())], "the test documents and no others"
    np.testing.assert_array_equal(own, other)
    np.testing.assert_allclose(cached, own, atol=2e-3)
