"""Bodies of servers, field by field, and what a run makes of them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_llm import USAGE, Body, Response, answer_for, completion, failure, good, make_requests, prompt_of, serve
from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.cache import read_answers
from hmltc_kedro.llm.replies import MOST_TOKENS, NoCompletion, find_words, read_reply

GOOD = '{"description": "a sentence"}'


def body_of(content: Any, **further: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"content": content}}], **further}).encode()


# ------------------------------------------------------------------ field by field


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        (None, ""),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "draft"}]}, {"type": "text", "text": "a"}], "a"),
        ([{"type": "text", "text": "a"}, {"type": "output_text", "text": "b"}], "ab"),
        ([{"type": "text", "text": None}, {"type": "text"}, {"text": "untyped"}, "bare", None, 3], ""),
        ({"description": "parsed already"}, ""),
        (7, ""),
        ("\ud83d half", "? half"),
    ],
)
def test_content_is_a_text_or_parts_of_text(content: Any, text: str) -> None:
    assert read_reply(body_of(content)).text == text


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (USAGE, (100, 20)),
        ({}, (None, None)),
        (None, (None, None)),
        ([], (None, None)),
        ("many", (None, None)),
        ({"prompt_tokens": None, "completion_tokens": None}, (None, None)),
        ({"input_tokens": 100, "output_tokens": 20}, (None, None)),
        ({"prompt_tokens": "100", "completion_tokens": 20.5}, (None, None)),
        ({"prompt_tokens": True, "completion_tokens": -1}, (None, None)),
        ({"prompt_tokens": 0, "completion_tokens": MOST_TOKENS + 1}, (0, None)),
        ({"prompt_tokens": [100], "completion_tokens": 20}, (None, 20)),
    ],
)
def test_only_whole_numbers_are_counted(usage: Any, tokens: tuple[int | None, int | None]) -> None:
    reply = read_reply(body_of("x", usage=usage))
    assert (reply.input_tokens, reply.output_tokens) == tokens


@pytest.mark.parametrize(
    ("error", "words", "status"),
    [
        ({"message": "Rate limit exceeded", "code": 429}, "Rate limit exceeded", 429),
        ({"message": "no such model", "code": "404"}, "no such model", 404),
        ({"message": "no", "code": "insufficient_quota"}, "insufficient_quota: no", 0),
        ({"message": {"detail": [{"msg": "deep"}]}, "code": 7}, "deep", 0),
        ("model not loaded", "model not loaded", 0),
        ({"message": "odd", "code": "٤٠٤"}, "odd", 404),
    ],
)
@pytest.mark.parametrize("where", ["body", "choice"])
def test_errors_inside_of_a_good_status_are_read(error: Any, words: str, status: int, where: str) -> None:
    body = {"error": error} if where == "body" else {"choices": [{"error": error, "message": {"content": ""}}]}
    fault = read_reply(json.dumps(body).encode()).fault
    assert fault is not None and (str(fault), fault.status) == (words, status)


def test_an_error_beside_an_answer_takes_nothing_away() -> None:
    assert read_reply(body_of(GOOD, error={"message": "deprecated"})).fault is None


@pytest.mark.parametrize(
    "content", [b"", b"<html>Sign in</html>", b"[1, 2]", b'"text"', b"{}", b'{"error": null}', b"{"]
)
def test_what_is_no_completion_is_quoted(content: bytes) -> None:
    with pytest.raises(NoCompletion, match="no chat completion but: "):
        read_reply(content)
    if b"Sign in" in content:
        with pytest.raises(NoCompletion, match="Sign in"):
            read_reply(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "usage", "error", "code", "type", "text", "prompt_tokens", "detail"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_body_is_a_reply_or_none(body: Any) -> None:
    try:
        reply = read_reply(json.dumps(body).encode())
    except NoCompletion as error:
        assert str(error).encode("utf-8")
        return
    assert isinstance(reply.text, str) and isinstance(reply.refusal, str) and isinstance(reply.finish_reason, str)
    for tokens in (reply.input_tokens, reply.output_tokens):
        assert tokens is None or 0 <= tokens <= MOST_TOKENS
    assert isinstance(find_words(body), str)


# ------------------------------------------------------------------ what a run makes of them


@pytest.mark.parametrize(
    "usage", [{}, None, [], {"prompt_tokens": None, "completion_tokens": None}, {"input_tokens": 9, "output_tokens": 9}]
)
def test_usage_that_says_nothing_is_estimated_and_the_answer_kept(make_client, usage: Any) -> None:
    def reply(body: Body, n: int) -> Response:
        odd = prompt_of(body).endswith("7")
        return completion(answer_for(body), usage=usage) if odd else good(body)

    with serve(reply) as (server, url):
        client = make_client(url)
        answers = client.ask(make_requests(10))
    assert all(answer.value for answer in answers) and server.total == 10
    row = read_answers(client._cache_path).set_index("subject").loc["7"]
    assert 0 < row["input_tokens"] != 100 and 0 < row["output_tokens"] != 20
    assert client.usage.input_tokens == 900 + row["input_tokens"]
    assert client.usage.cost > 0


def test_content_in_parts_is_an_answer(make_client) -> None:
    def reply(body: Body, n: int) -> Response:
        draft = {"type": "thinking", "thinking": [{"type": "text", "text": '{"description": "draft"}'}]}
        return completion([draft, {"type": "text", "text": answer_for(body)}])

    with serve(reply) as (server, url):
        answers = make_client(url).ask(make_requests(3))
    assert all(answer.value.description.startswith("a sentence") for answer in answers) and server.total == 3


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (completion(None), "3 answers did not fit: there is no text in it"),
        (completion(None, finish="length", reasoning_content=GOOD), "it was cut off after 200 tokens"),
        (completion({"description": "parsed already"}), "there is no text in it"),
        (completion('<think>{"description": "draft"}', finish="length"), "it was cut off after 200 tokens"),
        (completion('{"description": "<the sentence>"}'), "placeholder of the format"),
        (Response(body={"choices": None}), "there is no text in it"),
    ],
)
def test_nothing_but_unfit_answers_ends_after_eight_questions(make_client, bad: Response, said: str) -> None:
    with serve(lambda body, n: bad) as (server, url):
        with pytest.raises(InputError, match="left 8 questions in a row without an answer") as caught:
            make_client(url, concurrency=1).ask(make_requests(68))
    assert server.total == 8 * 3
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "said", "asked"),
    [
        ({"message": "Rate limit exceeded: free-models-per-day", "code": 429}, "free-models-per-day", 3 * 3),
        ({"message": "upstream is gone"}, "upstream is gone", 3 * 3),
        ({"message": "the key is wrong", "code": 401}, "refuses the API key", 1),
        ({"message": "You exceeded your quota", "code": "insufficient_quota"}, "no credit left", 1),
        ("no such model", "no such model", 3 * 3),
    ],
)
def test_errors_inside_of_a_good_status_end_the_run_with_the_servers_words(
    make_client, error: Any, said: str, asked: int
) -> None:
    with serve(lambda body, n: Response(body={"error": error})) as (server, url):
        with pytest.raises(InputError) as caught:
            make_client(url, max_retries=2).ask(make_requests(68))
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert server.total == asked


def test_an_error_inside_is_set_aside_where_it_is_about_the_question(make_client) -> None:
    too_long = Response(body={"error": {"message": "This model's maximum context length is 10 tokens"}})
    with serve(lambda body, n: too_long if prompt_of(body).endswith("1") else good(body)) as (
        server,
        url,
    ):
        answers = make_client(url).ask(make_requests(3))
    assert [answer.value is None for answer in answers] == [False, True, False]
    assert "too long" in answers[1].error and server.total == 3


def test_what_a_failed_completion_cost_is_booked(make_client) -> None:
    paid = Response(body={"choices": [{"error": {"message": "died", "code": 502}}], "usage": USAGE})
    with serve(lambda body, n: good(body) if n else paid) as (_, url):
        client = make_client(url)
        assert client.ask(make_requests(1))[0].value
    assert (client.usage.input_tokens, client.usage.output_tokens) == (200, 40)


@pytest.mark.parametrize("shape", [{"error": "model not loaded"}, {"detail": [{"msg": "model not loaded"}]}])
def test_the_words_of_a_bad_status_are_shown_whatever_their_shape(make_client, shape: dict[str, Any]) -> None:
    with serve(lambda body, n: Response(400, shape)) as (_, url):
        with pytest.raises(InputError, match="HTTP 400: model not loaded"):
            make_client(url).ask(make_requests(20))


def test_a_fault_of_our_own_ends_the_run_after_what_is_under_way(make_client, monkeypatch) -> None:
    """Requests that are under way are paid for: no traceback may cancel them."""
    from hmltc_kedro.llm import caller

    def fail(reply: Any, request: Any) -> Any:
        if request.subject == "5":
            raise RuntimeError("nobody foresaw this")
        return check(reply, request)

    def reply(body: Body, n: int) -> Response:
        response = good(body)
        response.delay = 0.0 if prompt_of(body) == "question 5" else 0.3
        return response

    check = caller.check_reply
    monkeypatch.setattr(caller, "check_reply", fail)
    with serve(reply) as (server, url):
        client = make_client(url, concurrency=8)
        with pytest.raises(RuntimeError, match="nobody foresaw this"):
            client.ask(make_requests(9))
    assert len(read_answers(client._cache_path)) == server.total - 1 == 8


def test_refusals_do_not_end_a_run(make_client) -> None:
    with serve(lambda body, n: completion(None, refusal="no")) as (server, url):
        answers = make_client(url).ask(make_requests(20))
    assert {answer.value for answer in answers} == {None} and server.total == 20


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirection_is_not_followed_and_said(make_client, status: int) -> None:
    with serve(lambda body, n: good(body)) as (other, there):
        with serve(lambda body, n: Response(status, {}, {"Location": f"{there}/x?token=hidden"})) as (server, url):
            with pytest.raises(InputError, match=f"points to {there}/x .HTTP {status}.; write that") as caught:
                make_client(url).ask(make_requests(5))
    assert (server.total, other.total) == (1, 0) and "hidden" not in str(caught.value)


# ------------------------------------------------------------------ answers of an earlier version


OLD_SHAPE = '{"text": "an older shape"}'


def poison(cache: Path) -> None:
    """Give class 1 an answer that does not fit."""
    with closing(sqlite3.connect(cache)) as connection, connection:
        connection.execute("UPDATE answers SET answer = ? WHERE subject = '1'", (OLD_SHAPE,))


def test_a_cached_answer_that_no_longer_fits_is_asked_again_and_replaced(make_client) -> None:
    with serve(lambda body, n: good(body)) as (server, url):
        client = make_client(url)
        first = client.ask(make_requests(3))
        poison(client._cache_path)
        again = make_client(url)
        assert again.ask(make_requests(3)) == first
        assert (again.usage.calls, again.usage.cached, server.total) == (1, 2, 4)
        later = make_client(url)
        assert later.ask(make_requests(3)) == first and later.usage.calls == 0


def test_a_failure_does_not_replace_what_was_paid_for(make_client) -> None:
    with serve(lambda body, n: good(body) if n == 0 else failure(400, "prompt is too long")) as (_, url):
        client = make_client(url)
        client.ask(make_requests(2))
        poison(client._cache_path)
        answers = make_client(url).ask(make_requests(2))
    assert "too long" in answers[1].error and answers[0].value
    kept = read_answers(client._cache_path).set_index("subject")
    assert kept.loc["1", "answer"] == OLD_SHAPE
