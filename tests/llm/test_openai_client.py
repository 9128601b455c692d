"""The client against a real local server, through the real `openai` package."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import signal
import socket
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from fake_llm import (
    KEY,
    Response,
    answer_for,
    ask_and_print,
    completion,
    failure,
    good,
    make_requests,
    prompt_of,
    serve,
)
from forked import Forked
from hmltc_kedro.enrichment.descriptions import ask_for_descriptions, collect_descriptions
from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.cache import read_answers
from hmltc_kedro.llm.openai_client import OpenAIClient
from hmltc_kedro.llm.replay import ReplayClient
from hmltc_kedro.llm.settings import OpenAISettings


def first_then_good(first: Response, times: int = 1):
    """Reply to each prompt with `first` a number of times, then well."""
    return lambda body, n: first if n < times else good(body)


def test_answers_come_in_order_and_are_cached(make_client) -> None:
    requests = make_requests(20)
    with serve(lambda body, n: good(body)) as (server, url):
        answers = make_client(url).ask(requests)
        again = make_client(url)
        repeated = again.ask(requests)
    expected = [json.loads(answer_for({"messages": [{"content": r.prompt}]})) for r in requests]
    assert [a.value.model_dump() for a in answers] == expected
    assert [a.request for a in answers] == requests
    assert repeated == answers
    assert server.total == 20
    assert server.keys == {KEY}
    assert again.usage.cached == 20 and again.usage.calls == 0


def test_request_carries_model_parameters_and_strict_schema(make_client) -> None:
    with serve(lambda body, n: good(body)) as (server, url):
        make_client(url, extra_body={"top_k": 5}).ask(make_requests(1))
    body = server.bodies[0]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("gpt-4o-mini", 0.7, 200)
    assert body["top_k"] == 5
    schema = body["response_format"]["json_schema"]
    assert schema["strict"] and schema["schema"]["additionalProperties"] is False


def test_the_same_question_twice_in_a_list_is_asked_once(make_client) -> None:
    with serve(lambda body, n: good(body)) as (server, url):
        client = make_client(url)
        answers = client.ask(make_requests(3) * 2)
    assert len(answers) == 6 and server.total == 3
    assert (client.usage.calls, client.usage.cached) == (3, 3)


def test_what_is_cached_needs_neither_key_nor_server(make_client, tmp_path: Path) -> None:
    with serve(lambda body, n: good(body)) as (_, url):
        answers = make_client(url).ask(make_requests(3))
    assert OpenAIClient(OpenAISettings(), tmp_path / "answers.sqlite").ask(make_requests(3)) == answers


def test_no_request_no_call(make_client) -> None:
    assert make_client("http://127.0.0.1:9/v1").ask([]) == []


def test_works_inside_a_running_loop(make_client) -> None:
    """As in a notebook."""

    async def cell() -> int:
        return len(client.ask(make_requests(3)))

    with serve(lambda body, n: good(body)) as (_, url):
        client = make_client(url)
        assert asyncio.run(cell()) == 3


# ------------------------------------------------------------------ failures that pass


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(failure(429, "slow down"), id="429"),
        pytest.param(failure(429, "slow down", retry_after="0.05"), id="429 Retry-After"),
        pytest.param(failure(500), id="500"),
        pytest.param(failure(503), id="503"),
        pytest.param(failure(408), id="408"),
        pytest.param(Response(drop=True), id="dropped"),
        pytest.param(Response(body={"choices": []}, cut=5), id="cut in the middle"),
        pytest.param(Response(raw=b'{"id": "x", "cho'), id="body of broken JSON"),
        pytest.param(Response(raw=b"<html>busy</html>", headers={"Content-Type": "text/html"}), id="html"),
        pytest.param(Response(502, raw=b"<html>bad gateway</html>"), id="502 html"),
        pytest.param(Response(body={"error": {"message": "upstream"}}), id="error with status 200"),
        pytest.param(Response(body={"error": {"message": "slow down", "code": 429}}), id="429 with status 200"),
        pytest.param(Response(body=[1, 2]), id="a list"),
        pytest.param(Response(raw=b'{"a":' * 20_000), id="too deep"),
    ],
)
def test_passing_faults_are_tried_again(make_client, fault: Response) -> None:
    with serve(first_then_good(fault, 2)) as (server, url):
        client = make_client(url)
        answers = client.ask(make_requests(4))
    assert all(a.value for a in answers)
    assert set(server.asked.values()) == {3}
    assert client.usage.retries == 8 and client.usage.failed == 0


def test_retry_after_is_obeyed_by_all(make_client) -> None:
    """The pause a server asks for holds for every request, not only the one that was told."""
    with serve(lambda body, n: good(body)) as (server, url):
        client = make_client(url, concurrency=4)
        times: list[float] = []

        def reply(body, n):
            times.append(time.monotonic())
            response = failure(429, retry_after="1") if len(times) == 2 else good(body)
            response.delay = 0.0 if response.status == 429 else 0.1
            return response

        server.reply = reply
        assert all(a.value for a in client.ask(make_requests(40)))
    told = sorted(times)[1]
    early = [t for t in times if told + 0.3 < t < told + 0.95]
    assert not early and max(times) >= told + 0.95


def test_waits_grow_without_retry_after(make_client) -> None:
    with serve(first_then_good(failure(500), 3)) as (_, url):
        started = time.monotonic()
        make_client(url, backoff=0.2).ask(make_requests(1))
    assert time.monotonic() - started >= 0.1 + 0.2 + 0.4


def test_a_pause_beyond_max_wait_ends_the_run(make_client) -> None:
    with serve(lambda body, n: failure(429, retry_after="3600")) as (server, url):
        with pytest.raises(InputError, match="asks for a pause of 3600 s"):
            make_client(url).ask(make_requests(50))
    assert server.total == 1


def test_slow_answers_time_out_and_are_tried_again(make_client) -> None:
    slow = Response(delay=1.0, body={})
    with serve(lambda body, n: slow if n == 0 and body_id(body) == 3 else good(body)) as (_, url):
        client = make_client(url, timeout=0.4)
        answers = client.ask(make_requests(5))
    assert all(a.value for a in answers) and client.usage.retries >= 1


def body_id(body) -> int:
    return int(body["messages"][0]["content"].split()[1])


# ------------------------------------------------------------------ answers that do not fit


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(completion('{"description": "cut'), id="truncated JSON"),
        pytest.param(completion('{"descr', finish="length"), id="length"),
        pytest.param(completion('{"text": "x"}'), id="wrong schema"),
        pytest.param(completion('{"description": "  "}'), id="empty text"),
        pytest.param(completion("I would love to"), id="prose"),
        pytest.param(completion("\ud83d"), id="half a character"),
        pytest.param(completion('{"\\ud83d": 1}'), id="half a character in JSON"),
        pytest.param(completion(None), id="no content"),
        pytest.param(Response(body={"id": "x", "choices": []}), id="empty choices"),
    ],
)
def test_unfit_answers_are_asked_again_then_set_aside(make_client, bad: Response) -> None:
    def reply(body, n):
        return bad if body_id(body) == 1 or n == 0 else good(body)

    with serve(reply) as (server, url):
        answers = make_client(url, repairs=2).ask(make_requests(3))
    assert [a.value is None for a in answers] == [False, True, False]
    assert "3 answers did not fit" in answers[1].error
    assert server.asked["question 1"] == 3 and server.asked["question 0"] == 2


def test_the_error_goes_with_the_second_question(make_client) -> None:
    with serve(first_then_good(completion('{"text": "x"}'))) as (server, url):
        make_client(url).ask(make_requests(1))
    messages = server.bodies[1]["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user"]
    assert "description: Field required" in messages[2]["content"]


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        pytest.param(completion(None, refusal="I cannot"), "refuses: I cannot", id="refusal"),
        pytest.param(completion("", finish="content_filter"), "content filter", id="filter"),
        pytest.param(failure(400, "The response was filtered", "content_filter"), "filter", id="azure filter"),
        pytest.param(
            failure(400, "maximum context length is 10 tokens", "context_length_exceeded"),
            "too long",
            id="overflow",
        ),
        pytest.param(failure(400, "exceeds the available context size"), "too long", id="llama"),
        pytest.param(failure(413, "payload"), "too long", id="413"),
    ],
)
@pytest.mark.parametrize("where", [0, 2])
def test_refused_questions_are_set_aside_without_another_try(
    make_client, refused: Response, reason: str, where: int
) -> None:
    def reply(body, n):
        return refused if body_id(body) == where else good(body)

    with serve(reply) as (server, url):
        client = make_client(url)
        answers = client.ask(make_requests(4))
    assert reason in answers[where].error and answers[where].value is None
    assert server.total == 4 and client.usage.failed == 1
    row = read_answers(client._cache_path).set_index("subject").loc[str(where)]
    assert reason in row["error"]


def test_set_aside_questions_are_asked_again_by_the_next_run(make_client) -> None:
    with serve(lambda body, n: completion(None, refusal="no") if n == 0 else good(body)) as (
        _,
        url,
    ):
        assert [a.value for a in make_client(url).ask(make_requests(2))] == [None, None]
        assert all(a.value for a in make_client(url).ask(make_requests(2)))


# ------------------------------------------------------------------ structured answers


@pytest.mark.parametrize(
    ("known", "modes"),
    [
        ({"json_schema", "json_object", None}, ["json_schema"]),
        ({"json_object", None}, ["json_schema", "json_object"]),
        ({None}, ["json_schema", "json_object", None]),
    ],
)
def test_modes_fall_back_once_for_the_run(make_client, known, modes) -> None:
    """The rejected ways are tried with the first question only."""

    def reply(body, n):
        if (body.get("response_format") or {}).get("type") not in known:
            return failure(400, "response_format is not supported")
        return completion(f"Sure!\n```json\n{answer_for(body)}\n```")

    with serve(reply) as (server, url):
        client = make_client(url)
        assert all(a.value for a in client.ask(make_requests(10)))
        assert all(a.value for a in client.ask(make_requests(5, "another")))
    used = [(body.get("response_format") or {}).get("type") for body in server.bodies]
    assert used[: len(modes)] == modes
    assert set(used[len(modes) :]) == {modes[-1]} and len(used) == 14 + len(modes)


def test_a_request_no_mode_can_save_stops_with_the_servers_words(make_client) -> None:
    with serve(lambda body, n: failure(400, "Unsupported parameter: 'max_tokens'")) as (
        server,
        url,
    ):
        with pytest.raises(InputError, match="Unsupported parameter: 'max_tokens'"):
            make_client(url).ask(make_requests(500))
    assert server.total <= 9


# ------------------------------------------------------------------ nothing to be had


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (failure(401, f"Incorrect API key provided: {KEY}"), "refuses the API key .*check the"),
        (failure(403, "not allowed"), "refuses the API key"),
        (failure(404, "no such model"), "no chat model 'gpt-4o-mini' .*check llm.model"),
        (failure(429, "You exceeded", "insufficient_quota"), "no credit left"),
    ],
)
def test_a_wrong_key_or_model_stops_after_one_request(make_client, answer, message, caplog) -> None:
    with serve(lambda body, n: answer) as (server, url):
        with pytest.raises(InputError, match=message) as caught:
            make_client(url).ask(make_requests(500))
    assert server.total == 1
    assert "\n" not in str(caught.value) and KEY not in str(caught.value) + caplog.text
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_no_server_stops_with_one_line(make_client) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(InputError, match="cannot reach .* check the network and llm.base_url"):
        make_client(f"http://127.0.0.1:{port}/v1").ask(make_requests(500))
    assert time.monotonic() - started < 10


def test_a_server_that_dies_stops_the_run_and_keeps_the_answers(make_client) -> None:
    def reply(body, n):
        return good(body) if body_id(body) < 20 else Response(drop=True)

    with serve(reply) as (server, url):
        client = make_client(url, concurrency=4, max_retries=1)
        with pytest.raises(InputError, match="in a row without an answer.*Answers so far are kept"):
            client.ask(make_requests(500))
    assert server.total < 60
    assert read_answers(client._cache_path)["answer"].notna().sum() == 20


def test_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no API key.*OPENAI_API_KEY"):
        OpenAIClient(OpenAISettings(), tmp_path / "a.sqlite").ask(make_requests(2))
    with pytest.raises(InputError, match="copy it again") as caught:
        OpenAIClient(OpenAISettings(), tmp_path / "a.sqlite", api_key="sk-1\nsk-2")
    assert "sk-1" not in str(caught.value)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serve(lambda body, n: good(body)) as (server, url):
        local = OpenAIClient(OpenAISettings(base_url=url), tmp_path / "a.sqlite")
        assert local.ask(make_requests(1))[0].value
    assert server.keys == {""}, "OpenAI's key must not go to another server"


def test_a_cache_that_is_none(make_client, tmp_path: Path) -> None:
    (tmp_path / "answers.sqlite").write_text("not a database, but long enough to look like one")
    with pytest.raises(InputError, match="answers.sqlite.*move it away"):
        make_client("http://127.0.0.1:9/v1").ask(make_requests(1))


# ------------------------------------------------------------------ money


def test_max_cost_stops_before_it_is_exceeded(make_client) -> None:
    price = {"gpt-4o-mini": {"input": 1000.0, "output": 1000.0}}
    with serve(lambda body, n: good(body)) as (server, url):
        client = make_client(url, max_cost=2.0, prices=price, concurrency=8)
        with pytest.raises(InputError, match="llm.max_cost.*raise max_cost.*Answers so far are kept"):
            client.ask(make_requests(100))
    assert 0 < client.usage.cost <= 2.0
    assert client.usage.cost == pytest.approx(server.total * 0.12)
    assert 1 < len(read_answers(client._cache_path)) == server.total


def test_max_cost_needs_a_price(make_client) -> None:
    with pytest.raises(InputError, match="needs a price for 'own'.*llm.prices"):
        make_client("http://127.0.0.1:9/v1", model="own", max_cost=1.0)


def test_plan_is_logged_before_and_usage_after(make_client, caplog) -> None:
    caplog.set_level(logging.INFO)
    with serve(lambda body, n: good(body)) as (_, url):
        client = make_client(url)
        client.ask(make_requests(2))
        client.ask(make_requests(5))
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("hmltc_kedro")]
    assert lines[2].startswith("LLM plan: gpt-4o-mini: 3 calls, 2 cached; ")
    assert "characters / 4) and at most 600 output tokens" in lines[2]
    assert lines[3].startswith("LLM usage: 5 calls, 2 cached, 0 set aside; 500 input and 100 output")
    assert client.usage.cost == pytest.approx(5 * (100 * 0.15 + 20 * 0.60) / 1e6)


# ------------------------------------------------------------------ limits


def test_concurrency_is_bounded_and_the_first_goes_alone(make_client) -> None:
    def reply(body, n):
        response = good(body)
        response.delay = 0.05
        return response

    with serve(reply) as (server, url):
        make_client(url, concurrency=5).ask(make_requests(25))
    assert server.most_at_once == 5


def test_requests_a_minute_are_paced(make_client) -> None:
    with serve(lambda body, n: good(body)) as (_, url):
        started = time.monotonic()
        make_client(url, requests_per_minute=600).ask(make_requests(8))
    assert time.monotonic() - started >= 0.7


# ------------------------------------------------------------------ the key


def test_the_key_is_nowhere(make_client, caplog, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG)

    def reply(body, n):
        return failure(400, f"bad request with Bearer {KEY}") if body_id(body) == 1 else good(body)

    with serve(reply) as (_, url):
        client = make_client(url)
        answers = client.ask(make_requests(3))
    assert KEY not in caplog.text + repr(client) + str(vars(client)) + str(client.settings)
    assert "***" in answers[1].error and KEY not in answers[1].error
    files = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert files and not any(KEY.encode() in f.read_bytes() for f in files)


# ------------------------------------------------------------------ many, killed, side by side


def faulty(share: float, seed: int = 1):
    """Reply with a fault to about `share` of all requests, of six kinds."""
    faults = [
        failure(429),
        failure(429, retry_after_ms="20"),
        failure(500),
        failure(503, retry_after="0.02"),
        Response(drop=True),
        completion('{"description": "cut'),
    ]
    dice, lock = random.Random(seed), threading.Lock()

    def reply(body, n):
        with lock:
            fault = dice.choice(faults) if dice.random() < share else None
        return fault or good(body)

    return reply


@pytest.mark.slow
def test_two_thousand_requests_with_faults(make_client) -> None:
    requests = make_requests(2000)
    with serve(faulty(0.10)) as (server, url):
        client = make_client(url, concurrency=32)
        answers = client.ask(requests)
    assert sum(a.value is not None for a in answers) == 2000
    assert 2100 < server.total < 2500 and server.most_at_once <= 32
    assert read_answers(client._cache_path)["subject"].nunique() == 2000


def start(url: str, cache: Path, n: int) -> Forked:
    return Forked(cache.parent, partial(ask_and_print, concurrency=8, timeout=10), url, cache, n)


def wait_for(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def slowly(body, n):
    response = good(body)
    response.delay = 0.02
    return response


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_is_continued(tmp_path: Path, how: signal.Signals) -> None:
    cache = tmp_path / "answers.sqlite"
    with serve(slowly) as (server, url):
        process = start(url, cache, 300)
        wait_for(lambda: server.total >= 100)
        process.send_signal(how)
        output = process.communicate(timeout=20)
        assert process.returncode != 0, output
        assert "never retrieved" not in output[1] and "was destroyed" not in output[1]
        kept = len(read_answers(cache))
        assert kept >= 80
        second = start(url, cache, 300)
        output = second.communicate(timeout=60)
    assert second.returncode == 0, output[1]
    assert output[0].split() == ["300", str(300 - kept), str(kept)]
    assert server.total <= 300 + 8


def test_two_processes_ask_nothing_twice(tmp_path: Path) -> None:
    cache = tmp_path / "answers.sqlite"
    with serve(slowly) as (server, url):
        processes = [start(url, cache, 300) for _ in range(2)]
        outputs = [p.communicate(timeout=60) for p in processes]
    assert [p.returncode for p in processes] == [0, 0], outputs
    answered, calls, _ = zip(*(map(int, out.split()) for out, _ in outputs), strict=True)
    assert answered == (300, 300) and sum(calls) == 300 and server.total == 300
    assert set(server.asked.values()) == {1}
    assert min(calls) > 0, "both work"


# ------------------------------------------------------------------ replay


def test_replay_is_byte_identical(make_client, tmp_path: Path) -> None:
    def reply(body, n):
        return completion(None, refusal="no") if body_id(body) == 2 else good(body)

    requests = make_requests(5)
    with serve(reply) as (server, url):
        client = make_client(url)
        live = client.ask(requests)
    cache = tmp_path / "answers.sqlite"
    before = cache.read_bytes()
    replayed = ReplayClient(client.settings, cache).ask(requests)
    assert replayed == live and live[2].value is None
    assert cache.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["answers.sqlite"]
    assert server.total == 5


def test_replay_gives_the_same_bytes_of_class_descriptions(make_client, tmp_path: Path, diamond) -> None:
    def reply(body, n):
        return completion(None, refusal="no") if 'class: "dogs"' in prompt_of(body) else good(body)

    requests = ask_for_descriptions(diamond, 0.7, 200)
    with serve(reply) as (_, url):
        client = make_client(url)
        live = collect_descriptions(diamond, client.ask(requests))
    replay = ReplayClient(client.settings, tmp_path / "answers.sqlite")
    again = collect_descriptions(diamond, replay.ask(requests))
    assert list(live["source"]) == ["gpt-4o-mini"] * 2 + ["template"] + ["gpt-4o-mini"] * 4
    assert "refuses" in live.loc[2, "error"]
    assert again.to_parquet() == live.to_parquet()


def test_replay_names_what_is_missing(make_client, tmp_path: Path) -> None:
    with serve(lambda body, n: good(body)) as (_, url):
        client = make_client(url)
        client.ask(make_requests(2))
    replay = ReplayClient(client.settings, tmp_path / "answers.sqlite")
    with pytest.raises(InputError, match="no answer to describe_class for '2'"):
        replay.ask(make_requests(3))
    with pytest.raises(InputError, match="there is no such answer cache"):
        ReplayClient(client.settings, tmp_path / "none.sqlite").ask(make_requests(1))
