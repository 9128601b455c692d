"""A local server that speaks chat completions, with the faults of real ones on request."""

from __future__ import annotations

import hashlib
import json
import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hmltc_kedro.llm.client import ChatRequest
from hmltc_kedro.llm.schemas import ClassDescription

KEY = "sk-secret-0123456789abcdef"

Body = dict[str, Any]


@dataclass
class Response:
    """What the server sends back."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: bool = False
    cut: int | None = None
    raw: bytes | None = None


def make_requests(n: int, prefix: str = "question") -> list[ChatRequest]:
    return [ChatRequest("describe_class", str(i), f"{prefix} {i}", ClassDescription) for i in range(n)]


def ask_and_print(url: str, cache: Path, n: int, **settings: Any) -> None:
    """Ask a server n questions, and print how many answers there are, and how many of them were paid for, and not."""
    from hmltc_kedro.llm.openai_client import OpenAIClient
    from hmltc_kedro.llm.settings import OpenAISettings

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits "ignore"
    logging.basicConfig(level=logging.INFO)
    client = OpenAIClient(OpenAISettings(base_url=url, backoff=0.01, **settings), cache)
    answers = client.ask(make_requests(n))
    print(sum(a.value is not None for a in answers), client.usage.calls, client.usage.cached)


def prompt_of(body: Body) -> str:
    return str(body["messages"][0]["content"])


def answer_for(body: Body) -> str:
    """The content a well-behaved model would write: a function of the prompt alone."""
    digest = hashlib.sha256(prompt_of(body).encode()).hexdigest()[:12]
    return json.dumps({"description": f"a sentence about {digest}"})


USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def completion(content: Any, finish: str | None = "stop", usage: Any = USAGE, **message: Any) -> Response:
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": content, **message},
    }
    return Response(
        body={
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "fake",
            "choices": [choice],
            "usage": usage,
        }
    )


def failure(status: int, message: str = "no", code: str | None = None, **headers: str) -> Response:
    body = {"error": {"message": message, "type": "error", "code": code}}
    return Response(status, body, {k.replace("_", "-"): v for k, v in headers.items()})


def good(body: Body) -> Response:
    return completion(answer_for(body))


class FakeServer:
    """Counts what it is asked; `reply(body, n)` decides about request n (from 0) of a prompt."""

    def __init__(self, reply: Callable[[Body, int], Response]) -> None:
        self.reply = reply
        self.asked: Counter[str] = Counter()
        self.bodies: list[Body] = []
        self.keys: set[str] = set()
        self.headers: list[dict[str, str]] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        return self.asked.total()

    def handle(self, body: Body, key: str, headers: dict[str, str]) -> Response:
        with self._lock:
            self.headers.append(headers)
            n = self.asked[prompt_of(body)]
            self.asked[prompt_of(body)] += 1
            self.bodies.append(body)
            self.keys.add(key)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            response = self.reply(body, n)
            time.sleep(response.delay)
            return response
        finally:
            with self._lock:
                self._at_once -= 1


class Sender(BaseHTTPRequestHandler):
    """Sends a `Response`, with its faults."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def send(self, response: Response) -> None:
        if response.drop:
            self.close_connection = True
            return
        data = response.raw
        if data is None:
            data = json.dumps(response.body).encode()
        self.send_response(response.status)
        headers = {"Content-Type": "application/json", **response.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if response.cut is None else data[: response.cut])
        self.close_connection = self.close_connection or response.cut is not None

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serve(reply: Callable[[Body, int], Response]) -> Iterator[tuple[FakeServer, str]]:
    """Run a server; yield it and its base URL."""
    fake = FakeServer(reply)

    class Handler(Sender):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            key = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if not self.path.endswith("/chat/completions"):
                self.send(failure(404))
                return
            self.send(fake.handle(body, key, {name.lower(): value for name, value in self.headers.items()}))

    with listen(Handler) as url:
        yield fake, url


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, *args: Any) -> None:
        pass  # clients that went away are a part of the tests


@contextmanager
def listen(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a server with that handler; yield its base URL."""
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
