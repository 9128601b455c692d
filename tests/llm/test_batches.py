"""Questions in batches, against a real local server that speaks the Batch endpoints."""

from __future__ import annotations

import json
import logging
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fake_batch import FakeBatchServer, serve_batches
from fake_llm import KEY, Body, Response, answer_for, ask_and_print, completion, failure, good, make_requests, prompt_of
from forked import Forked
from hmltc_kedro.errors import InputError
from hmltc_kedro.llm import batch_files, batch_server, batches
from hmltc_kedro.llm.batch_book import KEPT, Batch, BatchBook
from hmltc_kedro.llm.cache import AnswerCache, read_answers, request_key
from hmltc_kedro.llm.openai_client import OpenAIClient
from hmltc_kedro.llm.settings import OpenAISettings

MakeClient = Callable[..., OpenAIClient]

PRICES = {"gpt-4o-mini": {"input": 1000.0, "output": 1000.0}}
"""An answer of the fake server costs $0.12 then, $0.06 in a batch."""


@pytest.fixture
def batch_client(make_client: MakeClient) -> MakeClient:
    def make(url: str, **settings: Any) -> OpenAIClient:
        return make_client(url, **{"batch": True, "batch_poll": 0.02, "max_retries": 2, **settings})

    return make


def number(body: Body) -> int:
    return int(prompt_of(body).split()[1])


def lines_of(server: FakeBatchServer, n: int) -> list[dict[str, Any]]:
    """What was uploaded for batch n."""
    return [json.loads(line) for line in server.files[server.batches[n].file].splitlines()]


def under_way(cache: Path) -> int:
    """Questions the file says are in a batch."""
    with closing(sqlite3.connect(cache)) as connection:
        (questions,), (kept,) = (
            connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("batch_questions", "batches")
        )
    assert (questions > 0) == (kept > 0)
    return int(questions)


# ------------------------------------------------------------------ as it should be


def test_answers_come_in_order_at_half_the_price(batch_client, caplog) -> None:
    caplog.set_level(logging.INFO, "hmltc_kedro")
    requests = make_requests(20)
    with serve_batches() as (server, url):
        client = batch_client(url)
        answers = client.ask(requests)
        again = batch_client(url)
        assert again.ask(requests) == answers
    assert [a.value.model_dump() for a in answers] == [
        json.loads(answer_for({"messages": [{"content": r.prompt}]})) for r in requests
    ]
    usage = client.usage
    assert (len(server.batches), server.billed, server.keys) == (1, 20, {KEY})
    assert (usage.calls, usage.batches, usage.failed, usage.retries) == (20, 1, 0, 0)
    assert usage.cost == pytest.approx(20 * (100 * 0.15 + 20 * 0.60) / 1e6 / 2)
    assert usage.cost < usage.batch_bound
    assert (again.usage.calls, again.usage.cached, again.usage.batches, again.usage.batch_bound) == (0, 20, 0, 0.0)
    plan = next(m for m in caplog.messages if m.startswith("LLM plan: "))
    assert "in batches at 0.5 of the list price, at most $0.00" in plan
    assert "LLM batch batch_0 made of 20 questions, surely for no more than $0.0" in caplog.text
    assert "LLM batch batch_0: in_progress, 0 of 0 answered" in caplog.text
    assert "LLM batch batch_0: completed, 20 of 20 answered, 0 failed" in caplog.text
    assert "20 calls in 1 batch of at most $0.0" in str(usage)
    assert under_way(client._cache_path) == 0


def test_a_line_is_the_online_request_under_its_key(batch_client) -> None:
    request = make_requests(1)[0]
    with serve_batches() as (server, url):
        client = batch_client(url, extra_body={"seed": 5}, token_limit="max_completion_tokens")
        client.ask([request])
    (line,) = lines_of(server, 0)
    assert line["custom_id"] == request_key(request, client.settings)
    body = line["body"]
    assert (body["model"], body["temperature"], body["max_completion_tokens"], body["seed"]) == (
        "gpt-4o-mini",
        0.7,
        200,
        5,
    )
    assert body["response_format"]["json_schema"]["strict"] and "extra_body" not in body


@pytest.mark.parametrize(("name", "limit"), [("MAX_REQUESTS", 3), ("MAX_BYTES", 2400)])
def test_many_questions_are_split_over_files(batch_client, monkeypatch, name: str, limit: int) -> None:
    monkeypatch.setattr(batch_files, name, limit)
    with serve_batches() as (server, url):
        client = batch_client(url)
        assert all(a.value for a in client.ask(make_requests(10)))
    sizes = [len(lines_of(server, n)) for n in range(len(server.batches))]
    assert sum(sizes) == 10 and len(sizes) >= 4 and max(sizes) <= 3 and min(sizes[:-1]) >= 2
    assert all(len(server.files[b.file]) <= 2400 for b in server.batches) or name == "MAX_REQUESTS"
    assert client.usage.batches == len(sizes) and server.billed == 10


def test_a_question_larger_than_a_file_goes_alone(batch_client, monkeypatch) -> None:
    monkeypatch.setattr(batch_files, "MAX_BYTES", 10)
    with serve_batches() as (server, url):
        assert all(a.value for a in batch_client(url).ask(make_requests(2)))
    assert len(server.batches) == 2


def test_what_is_cached_needs_no_server(batch_client, make_client) -> None:
    with serve_batches() as (_, url):
        answers = batch_client(url).ask(make_requests(3))
    assert batch_client("http://127.0.0.1:9/v1").ask(make_requests(3)) == answers
    assert make_client("http://127.0.0.1:9/v1").ask(make_requests(3)) == answers, "nor a batch"


def test_no_question_no_batch(batch_client) -> None:
    with serve_batches() as (server, url):
        assert batch_client(url).ask([]) == []
    assert not server.calls


# ------------------------------------------------------------------ killed, interrupted, side by side


def start(url: str, cache: Path, n: int) -> Forked:
    return Forked(cache.parent, partial(ask_and_print, batch=True, batch_poll=0.05), url, cache, n)


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_finds_its_batch_again(tmp_path: Path, how: signal.Signals) -> None:
    cache = tmp_path / "answers.sqlite"
    with serve_batches() as (server, url):
        server.held.set()
        process = start(url, cache, 100)
        wait_for(lambda: server.batches and server.batches[0].looks >= 2)
        process.send_signal(how)
        output = process.communicate(timeout=20)
        assert process.returncode != 0, output
        assert "never retrieved" not in output[1] and "was destroyed" not in output[1]
        assert ("batch_0 goes on at http" in output[1]) == (how is signal.SIGINT)
        assert under_way(cache) == 100
        server.held.clear()
        second = start(url, cache, 100)
        output = second.communicate(timeout=60)
    assert second.returncode == 0, output[1]
    assert output[0].split() == ["100", "100", "0"]
    assert "batch_0 of an earlier run is under way with 100 of the questions" in output[1]
    assert (len(server.batches), server.calls["POST", "/files"], server.billed) == (1, 1, 100)
    assert under_way(cache) == 0


def test_two_processes_make_one_batch(tmp_path: Path) -> None:
    cache = tmp_path / "answers.sqlite"
    with serve_batches() as (server, url):
        server.looks = 20
        processes = [start(url, cache, 50) for _ in range(2)]
        outputs = [p.communicate(timeout=60) for p in processes]
    assert [p.returncode for p in processes] == [0, 0], outputs
    assert sorted(out.split() for out, _ in outputs) == [["50", "0", "50"], ["50", "50", "0"]]
    assert (len(server.batches), server.calls["POST", "/files"], server.billed) == (1, 1, 50)


def test_the_batch_of_a_killed_process_is_taken_up_by_one_that_waits(tmp_path: Path) -> None:
    cache = tmp_path / "answers.sqlite"
    with serve_batches() as (server, url):
        server.held.set()
        first = start(url, cache, 50)
        wait_for(lambda: server.batches and server.batches[0].looks >= 2)
        second = start(url, cache, 60)
        wait_for(lambda: len(server.batches) == 2, 60)
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=20)
        server.held.clear()
        output = second.communicate(timeout=60)
    assert second.returncode == 0 and output[0].split() == ["60", "60", "0"], output
    assert [len(lines_of(server, n)) for n in (0, 1)] == [50, 10]


def leave(batch_client: MakeClient, server: FakeBatchServer, url: str, requests, monkeypatch) -> None:
    """Make a batch and die before it has ended."""

    async def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(batches.BatchSession, "_look_at", die)
        with pytest.raises(RuntimeError, match="killed"):
            batch_client(url).ask(requests)


def test_a_batch_is_shared_by_runs_that_ask_for_parts_of_it(batch_client, monkeypatch) -> None:
    requests = make_requests(15)
    with serve_batches() as (server, url):
        leave(batch_client, server, url, requests[:10], monkeypatch)
        middle = batch_client(url)
        assert all(a.value for a in middle.ask(requests[5:]))
        assert under_way(middle._cache_path) == 5
        first = batch_client(url)
        assert all(a.value for a in first.ask(requests[:5]))
    assert [len(lines_of(server, n)) for n in range(len(server.batches))] == [10, 5]
    assert (middle.usage.calls, first.usage.calls, server.billed) == (10, 5, 15)
    assert under_way(first._cache_path) == 0


def test_a_batch_whose_maker_died_before_it_heard_of_it_is_found(batch_client, monkeypatch) -> None:
    create = batch_server.BatchServer.create

    async def create_and_die(self: Any, file: str) -> str:
        await create(self, file)
        raise RuntimeError("killed")

    with serve_batches() as (server, url):
        with monkeypatch.context() as patch:
            patch.setattr(batch_server.BatchServer, "create", create_and_die)
            with pytest.raises(RuntimeError, match="killed"):
                batch_client(url).ask(make_requests(4))
        for _ in range(3):  # on the third page, then
            server._create({**server.batches[0].show(), "input_file_id": "another"})
        monkeypatch.setattr(batch_server, "PAGE", 1)
        client = batch_client(url)
        assert all(a.value for a in client.ask(make_requests(4)))
    assert server.calls["POST", "/files"] == 1 and server.billed == 4 and client.usage.calls == 4


def test_a_batch_that_was_never_made_is_made_then(batch_client, monkeypatch, caplog) -> None:
    async def die(*_: object) -> str:
        raise RuntimeError("killed")

    with serve_batches() as (server, url):
        with monkeypatch.context() as patch:
            patch.setattr(batch_server.BatchServer, "create", die)
            with pytest.raises(RuntimeError, match="killed"):
                batch_client(url).ask(make_requests(4))
        client = batch_client(url)
        assert all(a.value for a in client.ask(make_requests(4)))
    assert len(server.batches) == 1 and server.billed == 4
    assert "was never made; its questions are asked anew" in caplog.text


def test_a_connection_that_breaks_while_a_batch_is_made_makes_no_second(batch_client) -> None:
    with serve_batches() as (server, url):
        server.fault = lambda method, path, n: (
            Response(drop=True) if (method, path, n) == ("POST", "/batches", 0) else None
        )
        assert all(a.value for a in batch_client(url).ask(make_requests(4)))
    assert len(server.batches) == 1


def test_batches_of_another_server_are_left_alone(batch_client, monkeypatch) -> None:
    with serve_batches() as (one, url), serve_batches() as (two, other):
        leave(batch_client, one, url, make_requests(4), monkeypatch)
        assert all(a.value for a in batch_client(other).ask(make_requests(4)))
    assert (len(one.batches), len(two.batches), two.billed) == (1, 1, 4)


def test_old_batches_are_forgotten(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "a.sqlite")
    book = BatchBook(cache, "here")
    book.add(Batch("f1", "b1", False, 0.5, created=time.time() - KEPT - 1, keys={"a"}))
    book.add(Batch("f2", "b2", True, 0.5, keys={"b"}))
    found = BatchBook(cache, "here").find(["a", "b"])
    assert [(b.batch, b.last, b.bound, b.keys) for b in found] == [("b2", True, 0.5, {"b"})]
    assert BatchBook(cache, "there").find(["a", "b"]) == []
    cache.close()


# ------------------------------------------------------------------ batches that leave questions unanswered


def first_without(missing: set[int], then: Callable[[Body], Response | None] = good, instead: Response | None = None):
    """Answer a question of `missing` the first time with `instead`, by default with no line at all."""
    return lambda body, n: (instead if n == 0 else then(body)) if number(body) in missing else good(body)


@pytest.mark.parametrize(
    ("ending", "instead"),
    [
        pytest.param("completed", None, id="lines are missing"),
        pytest.param("expired", None, id="expired"),
        pytest.param("cancelled", None, id="cancelled"),
        pytest.param("completed", failure(500, "internal"), id="500"),
        pytest.param("completed", failure(429, "slow down"), id="429"),
        pytest.param("completed", Response(body={"error": {"message": "upstream"}}), id="error in a good body"),
        pytest.param("completed", Response(body=[1, 2]), id="a body that is none"),
        pytest.param("completed", Response(body=None), id="no body"),
    ],
)
def test_what_a_batch_leaves_is_asked_anew_in_a_second(batch_client, ending: str, instead: Response | None) -> None:
    missing = {1, 3, 4}
    with serve_batches(first_without(missing, instead=instead)) as (server, url):
        server.endings = [ending]
        client = batch_client(url)
        assert all(a.value for a in client.ask(make_requests(6)))
    assert [len(lines_of(server, n)) for n in range(len(server.batches))] == [6, 3]
    assert (client.usage.calls, client.usage.retries, client.usage.batches) == (6, 3, 2)
    assert under_way(client._cache_path) == 0


@pytest.mark.parametrize("ending", ["completed", "expired", "cancelled"])
def test_what_the_second_leaves_is_set_aside_and_asked_by_the_next_run(batch_client, ending: str) -> None:
    with serve_batches(lambda body, n: None if number(body) == 1 and n < 2 else good(body)) as (server, url):
        server.endings = [ending, ending]
        client = batch_client(url)
        answers = client.ask(make_requests(3))
        assert [a.value is None for a in answers] == [False, True, False]
        assert ("without an answer" if ending == "completed" else "not executed in time") in answers[1].error
        assert client.usage.failed == 1 and under_way(client._cache_path) == 0
        server.endings = []
        assert all(a.value for a in batch_client(url).ask(make_requests(3)))
    assert len(server.batches) == 3 and server.billed == 3


def test_a_second_batch_is_found_again_as_one(batch_client, monkeypatch) -> None:
    """What it leaves is set aside, not asked a third time."""
    look = batches.BatchSession._look_at

    async def die_at_the_second(self: Any, batch: Batch) -> None:
        if batch.last:
            raise RuntimeError("killed")
        await look(self, batch)

    with serve_batches(lambda body, n: None if number(body) == 1 else good(body)) as (server, url):
        with monkeypatch.context() as patch:
            patch.setattr(batches.BatchSession, "_look_at", die_at_the_second)
            with pytest.raises(RuntimeError, match="killed"):
                batch_client(url).ask(make_requests(4))
        answers = batch_client(url).ask(make_requests(4))
    assert [a.value is None for a in answers] == [False, True, False, False]
    assert len(server.batches) == 2


def test_a_failed_batch_is_made_anew_once(batch_client) -> None:
    with serve_batches() as (server, url):
        server.endings = ["failed"]
        assert all(a.value for a in batch_client(url).ask(make_requests(5)))
        assert (len(server.batches), server.billed) == (2, 5)
        server.endings = ["failed"] * 9
        with pytest.raises(InputError, match="5 questions without an answer in two batches .not JSON.; check the") as e:
            batch_client(url).ask(make_requests(5, "other"))
    assert len(server.batches) == 4 and "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({"code": "model_not_found", "message": "no such model"}, "has no chat model .*check llm.model"),
        ({"code": "insufficient_quota", "message": "pay"}, "no credit left"),
    ],
)
def test_a_batch_that_fails_for_good_ends_the_run(batch_client, problem, message: str) -> None:
    with serve_batches() as (server, url):
        server.endings, server.problem = ["failed"] * 9, problem
        client = batch_client(url)
        with pytest.raises(InputError, match=message):
            client.ask(make_requests(5))
    assert len(server.batches) == 1 and under_way(client._cache_path) == 0


@pytest.mark.parametrize("problems", [None, [], "no", [1], {"data": 1}, [{"message": {"a": 1}, "code": 4}]])
def test_a_failed_batch_may_say_anything(batch_client, problems) -> None:
    with serve_batches() as (server, url):
        server.endings, server.problem = ["failed"], problems
        assert all(a.value for a in batch_client(url).ask(make_requests(3)))


# ------------------------------------------------------------------ lines


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        pytest.param(completion(None, refusal="I cannot"), "refuses: I cannot", id="refusal"),
        pytest.param(completion("", finish="content_filter"), "content filter", id="filter"),
        pytest.param(failure(400, "The response was filtered", "content_filter"), "filter", id="filter in an error"),
        pytest.param(failure(400, "maximum context length is 10 tokens"), "too long", id="overflow"),
    ],
)
def test_refused_questions_are_set_aside_without_another_batch(batch_client, refused: Response, reason: str) -> None:
    with serve_batches(lambda body, n: refused if number(body) == 2 else good(body)) as (server, url):
        client = batch_client(url)
        answers = client.ask(make_requests(4))
    assert answers[2].value is None and reason in answers[2].error
    assert len(server.batches) == 1 and client.usage.failed == 1


def test_an_unfit_answer_is_asked_again_with_the_error(batch_client) -> None:
    unfit = completion('{"text": "x"}')
    with serve_batches(first_without({1}, instead=unfit)) as (server, url):
        client = batch_client(url)
        assert all(a.value for a in client.ask(make_requests(3)))
    (line,) = lines_of(server, 1)
    messages = line["body"]["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user"]
    assert "description: Field required" in messages[2]["content"]
    assert (client.usage.calls, client.usage.retries, server.billed) == (4, 0, 4), "an unfit answer is paid for"
    row = read_answers(client._cache_path).set_index("subject").loc["1"]
    assert (row["input_tokens"], row["output_tokens"]) == (200, 40)


def test_unfit_answers_are_set_aside_in_the_end(batch_client) -> None:
    with serve_batches(lambda body, n: completion("prose") if number(body) == 1 else good(body)) as (server, url):
        answers = batch_client(url).ask(make_requests(3))
        assert "its answer did not fit: " in answers[1].error and len(server.batches) == 2
        assert batch_client(url, repairs=0).ask(make_requests(3))[1].value is None
    assert len(server.batches) == 3


def test_other_ways_of_asking_are_tried_and_remembered(batch_client) -> None:
    def reply(body: Body, n: int) -> Response:
        if "response_format" in body:
            return failure(400, "response_format is not supported")
        return completion(f"Sure!\n```json\n{answer_for(body)}\n```")

    with serve_batches(reply) as (server, url):
        client = batch_client(url)
        assert all(a.value for a in client.ask(make_requests(4)))
        assert all(a.value for a in client.ask(make_requests(4, "other")))
    assert len(server.batches) == 3


def test_a_request_nothing_can_save_stops_with_the_servers_words(batch_client) -> None:
    with serve_batches(lambda body, n: failure(400, "Unsupported parameter: 'max_tokens'")) as (server, url):
        with pytest.raises(InputError, match="Unsupported parameter: 'max_tokens'"):
            batch_client(url).ask(make_requests(50))
    assert len(server.batches) == 2 and server.billed == 0


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (failure(401, f"Incorrect API key provided: {KEY}"), "refuses the API key"),
        (failure(404, "no such model"), "no chat model"),
        (failure(429, "You exceeded", "insufficient_quota"), "no credit left"),
    ],
)
def test_a_line_that_speaks_for_all_ends_the_run_and_the_others_are_kept(batch_client, answer, message: str) -> None:
    with serve_batches(lambda body, n: answer if number(body) == 1 else good(body)) as (server, url):
        client = batch_client(url)
        with pytest.raises(InputError, match=message) as caught:
            client.ask(make_requests(4))
    assert "\n" not in str(caught.value) and KEY not in str(caught.value)
    assert read_answers(client._cache_path)["answer"].notna().sum() == 3 and under_way(client._cache_path) == 0


def spoil(lines: list[bytes]) -> list[bytes]:
    """Lines of an answer file as no server should write them, and among them one that is right twice."""
    rows = [json.loads(line) for line in lines]
    rows[1]["custom_id"] = "somebody else's"
    rows[2]["custom_id"] = 7
    del rows[3]["custom_id"]
    odd = [b"", b"{", b"[1]", b"\xff\xfe", b'{"a":' * 20_000, b'"text"', b"null"]
    second = json.dumps({**rows[0], "response": {"status_code": 500, "body": None}}).encode()
    shapes = [
        {"custom_id": rows[n]["custom_id"], "response": response, "error": error}
        for n, response, error in ((4, None, None), (5, "text", None), (6, {"status_code": "200"}, None), (7, None, 3))
    ]
    return [*(json.dumps(row).encode() for row in [*rows[:4], *shapes, *rows[8:]]), second, *odd]


def test_lines_that_are_none_are_passed_over(batch_client, caplog) -> None:
    with serve_batches() as (server, url):
        server.tamper = lambda lines: spoil(lines) if len(server.batches) == 1 else lines
        client = batch_client(url)
        assert all(a.value for a in client.ask(make_requests(10)))
    asked = {line["custom_id"] for line in lines_of(server, 1)}
    wanted = [request_key(r, client.settings) for r in make_requests(10)]
    assert asked == set(wanted[1:8])
    assert "unusable lines: line 2 answers no question that was asked; line 3 answers" in caplog.text


def test_an_answer_under_a_wrong_key_goes_to_nobody(batch_client) -> None:
    """Not even to another question of the same list that is answered already."""

    def swap(lines: list[bytes]) -> list[bytes]:
        rows = [json.loads(line) for line in lines]
        return [*lines[:1], json.dumps({**rows[1], "custom_id": rows[0]["custom_id"]}).encode(), *lines[2:]]

    requests = make_requests(3)
    with serve_batches() as (server, url):
        server.tamper = lambda lines: swap(lines) if len(server.batches) == 1 else lines
        answers = batch_client(url).ask(requests)
    for request, answer in zip(requests, answers, strict=True):
        assert answer.value.model_dump() == json.loads(answer_for({"messages": [{"content": request.prompt}]}))


# ------------------------------------------------------------------ the endpoint


@pytest.mark.parametrize("where", ["/files", "/batches"])
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (failure(401, f"Incorrect API key provided: {KEY}"), "refuses the API key .*check the"),
        (failure(404, "not found"), "has no Batch endpoint .HTTP 404.; set llm.batch: false"),
        (failure(400, "purpose is not allowed"), "does not take the batch: HTTP 400: purpose is not allowed"),
        (failure(429, "pay", "insufficient_quota"), "no credit left"),
        (failure(429, retry_after="3600"), "asks for a pause of 3600 s"),
    ],
)
def test_permanent_failures_end_the_run_with_one_line(batch_client, caplog, where: str, answer, message: str) -> None:
    with serve_batches() as (server, url):
        server.fault = lambda method, path, n: answer if (method, path) == ("POST", where) else None
        with pytest.raises(InputError, match=message) as caught:
            batch_client(url).ask(make_requests(50))
    assert server.calls["POST", where] == 1 and not server.batches
    assert "\n" not in str(caught.value) and KEY not in str(caught.value) + caplog.text
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_no_server_stops_with_one_line(batch_client) -> None:
    with pytest.raises(InputError, match="cannot reach .* check the network and llm.base_url"):
        batch_client("http://127.0.0.1:9/v1").ask(make_requests(5))


@pytest.mark.parametrize(
    "fault",
    [
        failure(429),
        failure(500),
        Response(drop=True),
        Response(raw=b"<html>"),
        Response(body={"id": 3}),
        Response(body=[1]),
    ],
)
def test_passing_faults_of_every_call_are_tried_again(batch_client, fault: Response) -> None:
    with serve_batches() as (server, url):
        server.fault = lambda method, path, n: fault if n == 0 and not path.endswith("/content") else None
        client = batch_client(url)
        assert all(a.value for a in client.ask(make_requests(5)))
    assert server.billed == 5 and client.usage.retries >= 2


@pytest.mark.parametrize("fault", [failure(500), Response(drop=True)])
def test_passing_faults_of_a_download_are_tried_again(batch_client, fault: Response) -> None:
    with serve_batches() as (server, url):
        server.fault = lambda method, path, n: fault if n == 0 and path.endswith("/content") else None
        assert all(a.value for a in batch_client(url).ask(make_requests(5)))
    assert len(server.batches) == 1


def test_a_server_that_is_away_for_long_keeps_its_batch(batch_client) -> None:
    with serve_batches() as (server, url):
        server.fault = lambda method, path, n: failure(503) if method == "GET" else None
        client = batch_client(url, backoff=0.001)
        with pytest.raises(InputError, match="does not say how batch batch_0 stands: given up after 3 tries: HTTP 503"):
            client.ask(make_requests(5))
        assert server.calls["GET", "/batches"] == 3 * batches.MISSED_LOOKS
        server.fault = lambda method, path, n: None
        assert all(a.value for a in batch_client(url).ask(make_requests(5)))
    assert len(server.batches) == 1 and server.billed == 5


def test_a_batch_the_server_does_not_know_is_asked_anew(batch_client, monkeypatch, caplog) -> None:
    with serve_batches() as (server, url):
        leave(batch_client, server, url, make_requests(4), monkeypatch)
        server.batches.clear()
        client = batch_client(url)
        assert all(a.value for a in client.ask(make_requests(4)))
    assert "batch_0 is unknown to http" in caplog.text
    assert len(server.batches) == 1 and under_way(client._cache_path) == 0


def test_a_batch_is_not_forgotten_because_the_whole_endpoint_is_gone(batch_client, monkeypatch) -> None:
    with serve_batches() as (server, url):
        leave(batch_client, server, url, make_requests(4), monkeypatch)
        server.fault = lambda method, path, n: failure(404, "maintenance")
        with pytest.raises(InputError, match="has no Batch endpoint"):
            batch_client(url).ask(make_requests(4))
        server.fault = lambda method, path, n: None
        assert all(a.value for a in batch_client(url).ask(make_requests(4)))
    assert len(server.batches) == 1


def test_an_answer_file_that_is_gone_is_asked_for_anew(batch_client) -> None:
    with serve_batches() as (server, url):
        server.fault = lambda method, path, n: failure(404) if path.endswith("/content") and n == 0 else None
        assert all(a.value for a in batch_client(url).ask(make_requests(4)))
    assert len(server.batches) == 2


# ------------------------------------------------------------------ money


def test_max_cost_holds(batch_client) -> None:
    """More than the first batch surely covers is asked as long as the money lasts, in batches worth making."""
    with serve_batches() as (server, url):
        client = batch_client(url, max_cost=5.0, prices=PRICES)
        with pytest.raises(InputError, match="llm.max_cost: .*raise max_cost.*Answers so far are kept"):
            client.ask(make_requests(100))
    assert 2.5 < client.usage.cost <= 5.0
    assert client.usage.cost == pytest.approx(server.billed * 0.06)
    assert len(read_answers(client._cache_path)) == server.billed
    assert len(server.batches) <= 10


def test_a_batch_under_max_cost_is_one(batch_client) -> None:
    with serve_batches() as (server, url):
        client = batch_client(url, max_cost=100.0, prices=PRICES)
        assert all(a.value for a in client.ask(make_requests(20)))
    assert len(server.batches) == 1 and client.usage.cost == pytest.approx(20 * 0.06)


def test_too_little_money_makes_no_batch(batch_client) -> None:
    """Nor does a limit that is sure to cover less than a tenth: the rest would not be had for it either."""
    with serve_batches() as (server, url):
        with pytest.raises(InputError, match=r"llm.max_cost: \$0.00 of \$0.0100 are spent and a batch of the 20"):
            batch_client(url, max_cost=0.01, prices=PRICES).ask(make_requests(20))
    assert not server.calls


def test_what_waits_in_an_earlier_batch_is_reserved(batch_client, monkeypatch) -> None:
    with serve_batches() as (server, url):
        leave(
            lambda url: batch_client(url, prices=PRICES), server, url, make_requests(10), monkeypatch
        )  # may cost $2 or more, costs $0.60
        client = batch_client(url, max_cost=1.2, prices=PRICES)
        assert all(a.value for a in client.ask(make_requests(11)))
        assert [len(lines_of(server, n)) for n in (0, 1)] == [10, 1]
    assert server.batches[0].looks > 1 and client.usage.cost == pytest.approx(11 * 0.06)


def test_a_discount_of_its_own(batch_client) -> None:
    with serve_batches() as (_, url):
        client = batch_client(url, batch_discount=0.25, prices=PRICES)
        client.ask(make_requests(2))
    assert client.usage.cost == pytest.approx(2 * 0.03)
    assert OpenAISettings(prices=PRICES).price == OpenAISettings(batch=True, batch_discount=1.0, prices=PRICES).price


# ------------------------------------------------------------------ all at once


def test_the_key_is_nowhere(batch_client, caplog, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG)
    with serve_batches(lambda body, n: failure(400, f"Bearer {KEY}") if number(body) == 1 else good(body)) as (_, url):
        client = batch_client(url)
        answers = client.ask(make_requests(3))
    assert KEY not in caplog.text + repr(client) and "***" in answers[1].error
    assert not any(KEY.encode() in f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())


@pytest.mark.parametrize("seed", range(4))
def test_faults_at_random_lose_nothing_and_pay_nothing_twice(batch_client, monkeypatch, seed: int) -> None:
    """Each question ends with an answer or a reason, and is billed twice at most, if its first answer did not fit."""
    dice = random.Random(seed)
    monkeypatch.setattr(batch_files, "MAX_REQUESTS", 40)
    unfit = completion("prose")

    def reply(body: Body, n: int) -> Response | None:
        return dice.choices([good(body), unfit, failure(500), None], [80, 10, 5, 5])[0]

    faults = [failure(500), failure(429), Response(drop=True), Response(raw=b"<html>")]
    with serve_batches(reply) as (server, url):
        server.endings = [dice.choice(["completed", "expired", "failed"]) for _ in range(20)]
        server.fault = lambda method, path, n: dice.choice(faults) if dice.random() < 0.1 and n % 2 else None
        client = batch_client(url, backoff=0.001, max_retries=6)
        answers = client.ask(make_requests(200))
    assert all((a.value is None) == bool(a.error) for a in answers)
    assert len(read_answers(client._cache_path)) == 200 and under_way(client._cache_path) == 0
    assert client.usage.calls == server.billed and max(server.asked.values()) <= 2
