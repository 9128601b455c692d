"""A local server that speaks the Batch endpoints: files, batches, and the faults of both on request."""

from __future__ import annotations

import email
import email.policy
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fake_llm import Body, Response, Sender, failure, good, listen, prompt_of

Reply = Callable[[Body, int], Response | None]
"""What becomes of a question that is asked for the n-th time (from 0): None for no line at all."""


@dataclass
class FakeBatch:
    id: str
    file: str
    status: str
    looks: int = 0
    output: str | None = None
    errors: str | None = None
    problems: list[dict[str, Any]] = field(default_factory=list)
    done: tuple[int, int, int] = (0, 0, 0)

    def show(self) -> dict[str, Any]:
        total, completed, failed = self.done
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "errors": {"object": "list", "data": self.problems} if self.problems else None,
            "input_file_id": self.file,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.output,
            "error_file_id": self.errors,
            "created_at": 0,
            "request_counts": {"total": total, "completed": completed, "failed": failed},
        }


class FakeBatchServer:
    """Answers the questions of a batch when it has been looked at often enough.

    Attributes:
        reply: answers single questions.
        endings: status of the n-th batch at its end; completed for those beyond the list.
        looks: how often a batch is found at work before it has ended.
        held: no batch ends while it is set.
        tamper: changes the lines of a file of answers.
        fault: a response in place of the endpoint's own, from method, path and the count of such calls.
        problem: what a failed batch says.
    """

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.endings: list[str] = []
        self.looks = 1
        self.held = threading.Event()
        self.tamper: Callable[[list[bytes]], list[bytes]] = list
        self.fault: Callable[[str, str, int], Response | None] = lambda method, path, n: None
        self.problem = {"code": "invalid_json_line", "message": "not JSON", "line": 1}
        self.files: dict[str, bytes] = {}
        self.batches: list[FakeBatch] = []
        self.calls: Counter[tuple[str, str]] = Counter()
        self.asked: Counter[str] = Counter()
        self.bodies: list[Body] = []
        self.billed = 0
        self.keys: set[str] = set()
        self._lock = threading.RLock()

    def handle(self, method: str, url: str, headers: Any, content: bytes) -> Response:
        parts = urlsplit(url)
        path = parts.path.removeprefix("/v1")
        with self._lock:
            self.keys.add(headers.get("Authorization", "").removeprefix("Bearer "))
            kind = "/".join(path.split("/")[:2])
            n = self.calls[method, kind]
            self.calls[method, kind] += 1
            fault = self.fault(method, path, n)
            if fault is not None and not fault.drop:
                return fault
            answer = self._route(method, path, parse_qs(parts.query), headers, content)
            return fault or answer  # a connection that drops does so after the work was done

    def _route(self, method: str, path: str, query: dict[str, list[str]], headers: Any, content: bytes) -> Response:
        match method, path.strip("/").split("/"):
            case "POST", ["files"]:
                return self._upload(headers["Content-Type"], content)
            case "GET", ["files", file, "content"]:
                return Response(raw=self.files[file]) if file in self.files else failure(404, "no such file")
            case "POST", ["batches"]:
                return self._create(json.loads(content))
            case "GET", ["batches"]:
                rows = [batch.show() for batch in reversed(self.batches)]
                ids = [row["id"] for row in rows]
                start = ids.index(query["after"][0]) + 1 if "after" in query else 0
                page = rows[start : start + int(query["limit"][0])]
                return Response(body={"object": "list", "data": page, "has_more": start + len(page) < len(rows)})
            case "GET", ["batches", name]:
                for batch in self.batches:
                    if batch.id == name:
                        return self._look(batch)
        return failure(404, f"nothing at {path}")

    def _upload(self, kind: str, content: bytes) -> Response:
        message = email.message_from_bytes(
            b"Content-Type: " + kind.encode() + b"\r\n\r\n" + content, policy=email.policy.HTTP
        )
        parts = {p.get_param("name", header="content-disposition"): p.get_payload(decode=True) for p in message.walk()}
        assert parts["purpose"] == b"batch"
        name = f"file-{len(self.files)}"
        self.files[name] = parts["file"]
        return Response(body={"id": name, "object": "file", "purpose": "batch", "bytes": len(parts["file"])})

    def _create(self, body: dict[str, str]) -> Response:
        assert (body["endpoint"], body["completion_window"]) == ("/v1/chat/completions", "24h")
        batch = FakeBatch(f"batch_{len(self.batches)}", body["input_file_id"], "validating")
        self.batches.append(batch)
        return Response(body=batch.show())

    def _look(self, batch: FakeBatch) -> Response:
        batch.looks += 1
        if batch.status in {"validating", "in_progress"} and not self.held.is_set():
            batch.status = "in_progress"
            if batch.looks > self.looks:
                n = self.batches.index(batch)
                self._end(batch, self.endings[n] if n < len(self.endings) else "completed")
        return Response(body=batch.show())

    def _end(self, batch: FakeBatch, status: str) -> None:
        batch.status = status
        if status == "failed":
            batch.problems = [self.problem]
            return
        good_lines, bad_lines, total = [], [], 0
        for line in map(json.loads, self.files[batch.file].splitlines()):
            assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
            total += 1
            body = line["body"]
            self.bodies.append(body)
            response = self.reply(body, self.asked[prompt_of(body)])
            self.asked[prompt_of(body)] += 1
            row: dict[str, Any] = {"id": "batch_req", "custom_id": line["custom_id"], "response": None, "error": None}
            if response is None:
                if status == "completed":
                    continue
                row["error"] = {"code": f"batch_{status}", "message": "not executed in time"}
                bad_lines.append(json.dumps(row).encode())
                continue
            row["response"] = {"status_code": response.status, "request_id": "r", "body": response.body}
            (good_lines if response.status == 200 else bad_lines).append(json.dumps(row).encode())
            self.billed += response.status == 200
        batch.done = (total, len(good_lines), len(bad_lines))
        for name, lines in (("output", self.tamper(good_lines)), ("errors", bad_lines)):
            if lines:
                file = f"file-{len(self.files)}"
                self.files[file] = b"\n".join(lines) + b"\n"
                setattr(batch, name, file)


@contextmanager
def serve_batches(reply: Reply = lambda body, n: good(body)) -> Iterator[tuple[FakeBatchServer, str]]:
    """Run a server; yield it and its base URL."""
    fake = FakeBatchServer(reply)

    class Handler(Sender):
        def do_POST(self) -> None:
            self._answer("POST")

        def do_GET(self) -> None:
            self._answer("GET")

        def _answer(self, method: str) -> None:
            length = self.headers.get("Content-Length")
            self.send(fake.handle(method, self.path, self.headers, self._read(length)))

        def _read(self, length: str | None) -> bytes:
            if length is not None:
                return self.rfile.read(int(length))
            content = b""  # uploads come in chunks
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    content += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            return content

    with listen(Handler) as url:
        yield fake, url
