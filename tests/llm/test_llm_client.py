"""The two clients without a model behind them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_llm import make_requests

from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.client import ChatRequest, RecordedClient, TemplateClient
from hmltc_kedro.llm.schemas import ClassDescription, ClassReviews

SAMPLE = Path(__file__).parents[2] / "data" / "01_raw" / "sample" / "llm_responses.jsonl"


def test_template_answers_nothing() -> None:
    answers = TemplateClient().ask(make_requests(2))
    assert [(a.value, a.source) for a in answers] == [(None, "template")] * 2


def test_recorded_answers_whatever_the_prompt_says(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    rows = [("0", {"description": " a  sentence\n"}), ("1", {"text": "x"})]
    lines = [{"task": "describe_class", "class_id": c, "answer": a} for c, a in rows]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    good, invalid, missing = RecordedClient(path).ask(make_requests(3))
    assert good.value == ClassDescription(description="a sentence")
    assert invalid.value is None and "invalid" in invalid.error
    assert missing.value is None and "not recorded" in missing.error


def test_recordings_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    assert RecordedClient(path).ask(make_requests(1))[0].value is None
    path.write_text('\n{"task": "describe_class"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="r.jsonl:2: not a recorded answer"):
        RecordedClient(path)


@pytest.mark.parametrize(("task", "schema"), [("describe_class", ClassDescription), ("write_reviews", ClassReviews)])
def test_the_samples_recordings_fit(task: str, schema) -> None:
    requests = [ChatRequest(task, str(c), "", schema) for c in range(49)]
    answers = RecordedClient(SAMPLE).ask(requests)
    invalid = [a.error for a in answers if a.value is None and "not recorded" not in a.error]
    assert not invalid and any(a.value for a in answers)
