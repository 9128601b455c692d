from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fake_llm import make_requests
from hmltc_kedro.errors import InputError
from hmltc_kedro.llm import ChatRequest
from hmltc_kedro.llm import cache as module
from hmltc_kedro.llm.cache import (
    AnswerCache,
    Claim,
    StoredAnswer,
    find_answers,
    read_answers,
    request_key,
)
from hmltc_kedro.llm.openai_client import OpenAIClient
from hmltc_kedro.llm.schemas import ClassDescription, ClassKeywords, ClassReviews
from hmltc_kedro.llm.settings import OpenAISettings

SETTINGS = OpenAISettings()
REQUEST = make_requests(1)[0]


class Other(BaseModel):
    description: str


def row(key: str, answer: str | None = '{"description":"x"}', error: str = "") -> StoredAnswer:
    return StoredAnswer(key, "describe_class", "7", "m", 0.7, 200, "p", answer, error, 1, 2, 0.5, "2026-01-01")


def test_key_is_stable() -> None:
    """Whoever changes this number throws away every answer paid for so far."""
    request = replace(REQUEST, schema=Other)
    assert request_key(request, SETTINGS) == ("de55e24921b3ee5326696136a857b1d8f2ab797936a12fd68fd6c78ebe9ad8f1")


@pytest.mark.parametrize(
    ("task", "schema", "key"),
    [
        ("describe_class", ClassDescription, "66188c22d7b989a48d61044ff6e2010311b5eb13a1fe866dbc76f3387c45b46a"),
        ("write_keywords", ClassKeywords, "abc4541581c396d9e009f3892b3115f9c0066f66d83b2a5526d40c0cf9646645"),
        ("write_reviews", ClassReviews, "4d065b96912d4e8dd08ef3e55b6b7e2eede8ff762eb5c7535a189b2e11b71d60"),
    ],
)
def test_answers_from_before_there_were_judgements_are_found(task: str, schema: type[BaseModel], key: str) -> None:
    """The keys were computed when a question was still about a class and nothing else."""
    assert request_key(ChatRequest(task, "7", "a fixed question", schema), SETTINGS) == key


def test_file_from_before_subjects_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    old = module.TABLES.replace("subject", "class_id")
    connection = sqlite3.connect(path)
    connection.executescript(old)
    connection.close()
    cache = AnswerCache(path)
    cache.store(row("a"))
    assert cache.find(["a"]) == {"a": row("a")}
    cache.close()
    assert read_answers(path).loc[0, "subject"] == "7"


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": "another"},
        {"temperature": 0.8},
        {"max_tokens": 201},
        {"schema": Other},
    ],
)
def test_key_covers_what_shapes_an_answer(changed) -> None:
    assert request_key(replace(REQUEST, **changed), SETTINGS) != request_key(REQUEST, SETTINGS)


def test_key_covers_the_model_and_not_the_way_to_it() -> None:
    key = request_key(REQUEST, SETTINGS)
    assert request_key(REQUEST, OpenAISettings(model="other")) != key
    assert request_key(REQUEST, OpenAISettings(extra_body={"seed": 1})) != key
    assert request_key(REQUEST, OpenAISettings(base_url="http://x/v1", concurrency=2)) == key
    assert request_key(replace(REQUEST, temperature=1), SETTINGS) == request_key(
        replace(REQUEST, temperature=1.0), SETTINGS
    )


@given(st.text(), st.text())
def test_different_prompts_have_different_keys(one: str, two: str) -> None:
    keys = {request_key(replace(REQUEST, prompt=p), SETTINGS) for p in (one, two)}
    assert len(keys) == len({one, two})


def test_rows_survive_and_are_readable(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.sqlite"
    cache = AnswerCache(path)
    cache.store(row("a"))
    assert find_answers(path, ["a", "b"]) == {"a": row("a")}, "before the writer closes"
    cache.close()
    frame = read_answers(path)
    assert list(frame.columns) == list(module.COLUMNS)
    assert frame.loc[0, "subject"] == "7" and frame.loc[0, "output_tokens"] == 2
    assert [p.name for p in path.parent.iterdir()] == ["a.sqlite"]


def test_an_answer_replaces_a_failure_and_never_the_other_way(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "a.sqlite")
    cache.store(row("a", None, "refused"))
    assert cache.find(["a"]) == {} and cache.claim("a") is Claim.MINE
    cache.store(row("a"))
    cache.store(row("a", None, "refused"))
    cache.store(row("a", '{"description":"later"}'))
    assert cache.find(["a"]) == {"a": row("a")}
    cache.close()


def test_claims(tmp_path: Path) -> None:
    one, two = AnswerCache(tmp_path / "a.sqlite"), AnswerCache(tmp_path / "a.sqlite")
    assert one.claim("a") is Claim.MINE and one.claim("a") is Claim.MINE
    assert two.claim("a") is Claim.BUSY and two.claim("b") is Claim.MINE
    one.store(row("a"))
    assert two.claim("a") is Claim.ANSWERED
    two.close()
    assert one.claim("b") is Claim.MINE
    one.close()


def test_a_claim_without_signs_of_life_is_void(tmp_path: Path, monkeypatch) -> None:
    one, two = AnswerCache(tmp_path / "a.sqlite"), AnswerCache(tmp_path / "a.sqlite")
    one.claim("a")
    later = time.time() + module.LEASE + 1
    monkeypatch.setattr(module.time, "time", lambda: later)
    one.show_life()
    assert two.claim("a") is Claim.BUSY
    monkeypatch.setattr(module.time, "time", lambda: later + module.LEASE + 1)
    assert two.claim("a") is Claim.MINE
    one.close()
    two.close()


@pytest.mark.skipif(os.name != "posix", reason="only there can a process be asked for by its id")
def test_the_claim_of_a_dead_process_is_void_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    code = (
        "import os, sys; from hmltc_kedro.llm.cache import AnswerCache\n"
        "AnswerCache(sys.argv[1]).claim('a'); os._exit(9)"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    subprocess.run([sys.executable, "-c", code, str(path)], env=environment, check=False)
    cache = AnswerCache(path)
    assert cache.claim("a") is Claim.MINE
    cache.close()


def _open_at_once(barrier, path: Path, problems) -> None:
    barrier.wait()
    try:
        AnswerCache(path).close()
        problems.put("")
    except InputError as error:
        problems.put(str(error))


def test_many_processes_make_the_file_together(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    for n in range(5):
        barrier, problems = context.Barrier(4), context.Queue()
        arguments = (barrier, tmp_path / f"{n}.sqlite", problems)
        processes = [context.Process(target=_open_at_once, args=arguments) for _ in range(4)]
        for process in processes:
            process.start()
        assert [problems.get(timeout=30) for _ in processes] == [""] * 4
        for process in processes:
            process.join()


def test_a_damaged_file_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    cache = AnswerCache(path)
    for n in range(200):
        cache.store(row(f"{n:03}", "x" * 200))
    cache.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(InputError, match="not a sound answer cache"):
        read_answers(path)
    with pytest.raises(InputError, match="not a sound answer cache.*move it away"):
        OpenAIClient(SETTINGS, path).ask([REQUEST])


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE precious (x)")
    connection.close()
    before = path.read_bytes()
    for opener in (AnswerCache, read_answers):
        with pytest.raises(InputError, match="not an answer cache"):
            opener(path)
    assert path.read_bytes() == before
    with pytest.raises(InputError, match="no such answer cache"):
        read_answers(tmp_path / "none.sqlite")
