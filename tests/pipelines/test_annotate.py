"""The stage `annotate`, and what comes of it in training, predictions and metrics."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.pipeline import Pipeline

from hmltc_kedro.annotation import calibration
from hmltc_kedro.annotation.rounds import COLUMNS
from hmltc_kedro.corpus.raw_files import RawTable, make_rows
from hmltc_kedro.decoding.decode import decode
from hmltc_kedro.errors import InputError
from hmltc_kedro.llm import ChatAnswer, ChatRequest, TemplateClient, Usage
from hmltc_kedro.modeling import belief
from hmltc_kedro.modeling.predictions import predictions_to_frame
from hmltc_kedro.pipeline_registry import create_stage
from hmltc_kedro.pipelines.annotate import create_pipeline
from hmltc_kedro.pipelines.annotate.params import AnnotateParams
from judged_corpus import SETS, make_documents

DOCUMENTS = make_documents(40, 16)
KINDS = {f"{row.split}/{row.doc_id}": row.kind for row in DOCUMENTS.itertuples()}
NOBODY = pd.DataFrame({"split": pd.Series([], dtype="str"), "doc_id": pd.Series([], dtype="str"), "class_ids": []})
ALL = AnnotateParams(share=1.0, audit=20, candidates=6)

Make = Callable[..., dict[str, Any]]


class Script:
    """A language model that knows every document: the right paths on offer, or what `says` has for a document."""

    name = "scripted"

    def __init__(self, says: dict[str, Any] | None = None, known: Sequence[str] | None = None) -> None:
        self.usage = Usage(cost=0.0)
        self.asked: list[ChatRequest] = []
        self.says = says or {}
        self.known = known

    def list_subjects(self, task: str) -> frozenset[str] | None:
        assert task == "judge_document"
        return None if self.known is None else frozenset(self.known)

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatAnswer]:
        self.asked += requests
        return [self._answer(request) for request in requests]

    def _answer(self, request: ChatRequest) -> ChatAnswer:
        said = self.says.get(request.subject, {"confidence": "high"})
        if isinstance(said, str):
            return ChatAnswer(request, None, self.name, said)
        right = tuple(said.get("path", SETS[KINDS[request.subject]]))
        wanted = right[:1] if request.task == "judge_root" else right
        numbers = [n for n, option in enumerate(request.options, start=1) if option == wanted]
        value = {"choices": numbers, "confidence": said["confidence"]}
        return ChatAnswer(request, request.schema.model_validate(value, context=request.context), self.name)


def make_raw(name: str, keys: Sequence[str], values: Sequence[str]) -> RawTable:
    return RawTable(name, make_rows(list(range(1, len(keys) + 1)), list(keys), list(values), [None] * len(keys)))


def list_raw() -> dict[str, RawTable]:
    """Return the raw corpora, all test documents with gold labels, and no labels of people."""
    parts = {split: part for split, part in DOCUMENTS.groupby("split")}
    test = parts["test"]
    return {
        "raw_train_corpus": make_raw("train.txt", parts["train"]["doc_id"], parts["train"]["text"]),
        "raw_test_corpus": make_raw("test.txt", test["doc_id"], test["text"]),
        "gold_labels": make_raw("gold.txt", test["doc_id"], [",".join(SETS[kind]) for kind in test["kind"]]),
        "raw_labels": RawTable("labels.csv", make_rows([], [], [], []), exists=False),
    }


def say(split: str, doc_id: str, class_ids: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"split": [split], "doc_id": [doc_id], "class_ids": [class_ids]})


@pytest.fixture
def annotate(run: Make, run_until: Make) -> Make:
    """Return a function that runs the stage on stages before it that need no model."""
    made = run_until("annotate", **list_raw())

    def run_stage(**entries: Any) -> dict[str, Any]:
        return run(create_pipeline(), **{**made, "labels": NOBODY, "params:annotate": ALL, **entries})

    return run_stage


# ---------------------------------------------------------------------- the stage


def test_every_document_is_asked_about_once_and_what_was_said_is_kept(annotate: Make, diamond) -> None:
    says = {
        "train/0": {"path": ["an", "ca"], "confidence": "low"},
        "train/1": {"path": ["nothing on offer"], "confidence": "medium"},
        "test/2": "prose instead of an answer",
    }
    llm = Script(says)
    made = annotate(llm=llm, labels=say("train", "5", ["ga"]))
    queue, annotations = made["annotation_queue"], made["annotations"]
    assert list(annotations.columns) == COLUMNS
    assert len(queue) == 55 == len(annotations) - 1
    assert set(queue["reason"]) == {"audit", "coverage", "doubt"}
    assert (queue["reason"] == "audit").sum() == 20
    found = annotations.set_index(annotations["split"] + "/" + annotations["doc_id"])
    assert found.index.is_unique and set(found.index) == set(KINDS)
    person = found.loc["train/5"]
    assert (person["source"], person["class_ids"], person["reason"]) == ("person", ["ga"], "given")
    low, none, failed = (found.loc[key] for key in says)
    assert (low["class_ids"], low["confidence"], low["error"]) == (["an", "ca"], "low", "")
    assert low["answer"] == f'{{"choices":[{low["offered"].index(["an", "ca"]) + 1}],"confidence":"low"}}'
    assert (none["class_ids"], none["confidence"], none["error"]) == ([], "medium", "")
    assert (failed["class_ids"], failed["confidence"], failed["error"]) == ([], "", says["test/2"])
    others = found.drop(index=["train/5", *says])
    assert (others["source"] == "scripted").all()
    assert others["class_ids"].tolist() == [SETS[KINDS[key]] for key in others.index]
    assert all(SETS[KINDS[key]] in offered for key, offered in others["offered"].items())
    assert "train/5" not in {request.subject for request in llm.asked}


def test_settings_reach_the_question(annotate: Make) -> None:
    llm = Script()
    params = AnnotateParams(
        max_documents=12, share=1.0, audit=4, candidates=2, max_characters=12, temperature=0.25, max_tokens=33
    )
    made = annotate(llm=llm, **{"params:annotate": params})
    assert len(made["annotation_queue"]) == 12
    asked = [request for request in llm.asked if request.task == "judge_document"]
    assert {(request.temperature, request.max_tokens) for request in asked} == {(0.25, 33)}
    first = {request.subject: request for request in reversed(asked)}
    assert max(len(request.options) for request in first.values()) == 2
    text = DOCUMENTS.set_index(DOCUMENTS["split"] + "/" + DOCUMENTS["doc_id"])["text"]
    for request in asked:
        whole = text[request.subject]
        assert whole[:12].strip() in request.prompt and whole[:14].strip() not in request.prompt


@pytest.mark.parametrize(
    ("llm", "params"),
    [(TemplateClient(), ALL), (Script(known=[]), ALL), (Script(), AnnotateParams(max_documents=0))],
    ids=["template", "nothing recorded", "switched off"],
)
def test_nothing_is_asked_where_nobody_answers_or_nobody_should(
    llm: Script | TemplateClient, params: AnnotateParams, annotate: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "hmltc_kedro")
    made = annotate(llm=llm, labels=say("test", "1", ["an"]), **{"params:annotate": params})
    assert len(made["annotation_queue"]) == 0
    assert made["annotations"]["source"].tolist() == ["person"]
    assert "1 documents have labels of people" in caplog.text
    assert not getattr(llm, "asked", [])
    assert llm.usage.failed == 0
    silent = "No document is asked about: " in caplog.text
    assert silent == (llm.list_subjects("judge_document") == frozenset())


def test_recorded_documents_are_the_only_ones_asked_about(annotate: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "hmltc_kedro")
    known = ["train/3", "train/4", "test/0", "of another corpus"]
    llm = Script({"train/4": "too long", "test/0": {"path": ["?"], "confidence": "high"}}, known)
    made = annotate(llm=llm)
    queue = made["annotation_queue"]
    assert sorted(queue["split"] + "/" + queue["doc_id"]) == ["test/0", "train/3", "train/4"]
    assert "3 documents asked about, 1 fit no path, 1 have no answer" in caplog.text


def test_vectors_of_other_documents_are_refused(annotate: Make, run: Make, run_until: Make) -> None:
    other = run_until("annotate")  # the nine documents of the diamond
    with pytest.raises(InputError, match="entry `document_embeddings`"):
        annotate(llm=Script(), document_embeddings=other["document_embeddings"])


# ---------------------------------------------------------------------- what comes of it


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """Return what is made once for all tests below: the classifier is trained without annotations."""
    return {}


@pytest.fixture
def go_on(kept: dict[str, Any], run: Make, run_until: Make, encoder, parameters) -> Make:
    """Return a function that gives everything from `annotate` to `evaluate`, on a classifier trained once."""
    if not kept:
        kept |= run_until("annotate", **list_raw(), encoder=encoder)
        kept |= run(create_stage("augment"), **kept)
        kept |= run(create_stage("train").filter(node_names=["train_classifier"]), **kept)

    def run_rest(**entries: Any) -> dict[str, Any]:
        made = {**kept, "labels": NOBODY, "params:annotate": ALL, **entries}
        for stage in ("annotate", "train", "infer", "evaluate"):
            for node in create_stage(stage).nodes:
                if node.name != "train_classifier":
                    made |= run(Pipeline([node]), **made)
        return made

    return run_rest


def test_without_a_judgement_predictions_are_those_of_the_classifier(go_on: Make, parameters, encoder, diamond) -> None:
    made = go_on(llm=TemplateClient())
    assert not made["student"]
    texts = list(DOCUMENTS.loc[DOCUMENTS["split"] == "test", "text"])
    probabilities = made["trained_classifier"].predict_probabilities(texts, cache=encoder)
    np.testing.assert_array_equal(made["class_probabilities"]["probabilities"], probabilities)
    before = predictions_to_frame(
        decode(probabilities, diamond, parameters["infer"]["decoding"]), probabilities, diamond
    )
    predictions = made["predictions"]
    for column in before.columns:
        assert predictions[column].tolist() == before[column].tolist(), column
    assert set(predictions["source"]) == {"model"} and set(predictions["decision"]) == {""}
    assert predictions["fits"].dtype == bool
    known = {key: value for key, value in made["calibration"].items() if value is not None}
    assert known == {"n_annotated": 0, "n_audit": 0, "n_none": 0, "wished_precision": parameters["infer"]["precision"]}
    assert made["classifier"].decoding == parameters["infer"]["decoding"]
    assert set(made["metrics"]["by_source"]) == {"model"}
    # A few labels of people stand, and teach nothing.
    few = go_on(llm=TemplateClient(), labels=say("test", "0", ["an", "ca", "ct"]))
    np.testing.assert_array_equal(few["class_probabilities"]["probabilities"], probabilities)
    rest = few["predictions"].iloc[1:].drop(columns="source")
    pd.testing.assert_frame_equal(rest, predictions.iloc[1:].drop(columns="source"))
    assert few["predictions"]["class_ids"][0] == ["an", "ca", "ct"]


def test_people_and_judges_stand_and_metrics_tell_them_apart(go_on: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "MIN_AUDIT", 10)
    known = [key for key in KINDS if key not in ("test/4", "test/5", "test/6", "test/7")]
    says = {
        "test/1": {"path": ["ga", "to"], "confidence": "low"},  # wrong: it is about cat toys
        "test/2": {"path": ["?"], "confidence": "high"},
    }
    wrong = say("test", "0", ["ga", "to"])
    made = go_on(llm=Script(says, known), labels=wrong)
    assert len(made["student"]) == 56 - 4 - 1
    predictions = made["predictions"].set_index("doc_id")
    sources = predictions["source"]
    assert sources["0"] == "person" and predictions["class_ids"]["0"] == ["ga", "to"]
    assert sources["1"] == "scripted" and predictions["class_ids"]["1"] == ["ga", "to"]
    assert set(sources[["2", "4", "5", "6", "7"]]) == {"model"}
    assert not predictions["fits"]["2"] and predictions["fits"][["0", "1"]].all()
    assert (predictions["decision"]["0"], predictions["decision"]["1"]) == ("accept", "review")
    assert set(predictions["decision"]) <= {"accept", "review"}
    assert (predictions.loc[sources == "scripted", "decision"].drop("1") == "accept").all()

    metrics = made["metrics"]
    assert metrics["n_docs"] == 15, "what a person gave is not measured"
    assert {name: part["n_docs"] for name, part in metrics["by_source"].items()} == {"model": 5, "scripted": 10}
    assert metrics["by_source"]["scripted"]["sample_f1"] == pytest.approx(0.9), "one of ten is wrong"
    whole = sum(part["n_docs"] * part["sample_f1"] for part in metrics["by_source"].values()) / 15
    assert metrics["sample_f1"] == pytest.approx(whole)
    assert metrics["zero_shot"]["n_docs"] == 15

    found = made["calibration"]
    assert found["n_annotated"] == 51 and 10 <= found["n_audit"] <= 20
    assert 0 < found["agreement"] <= 1
    assert made["classifier"].accept == found["accept"]
    assert made["classifier"].decoding.method == "expected_f1"
    scores = made["annotation_scores"]
    assert len(scores) == 52 and scores["none"].sum() == 1, "what fits no class is measured and taught to nobody"
    refused = scores[scores["none"]].iloc[0]
    assert (refused["split"], refused["doc_id"], refused["precision"]) == ("test", "2", 0)


def test_documents_that_were_not_asked_about_gain(go_on: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The student of judged training documents, beside the classifier on the same test documents."""
    monkeypatch.setattr(
        belief, "HALF_BELIEVED", 5.0
    )  # forty documents of this corpus tell as much as many of a real one
    train = [key for key in KINDS if key.startswith("train/")]
    before, after = (go_on(llm=Script(known=known))["metrics"] for known in ([], train))
    assert set(after["by_source"]) == {"model"} and after["n_docs"] == before["n_docs"] == 16
    assert after["sample_f1"] > before["sample_f1"]
