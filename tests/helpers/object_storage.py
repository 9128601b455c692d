"""A bucket on the loopback, and other places where files may lie."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

KEYS = {"key": "AKIANOBODY", "secret": "nobodys-secret-key"}
"""Of nobody; the server on the loopback takes any."""


@dataclass(frozen=True)
class Place:
    """A folder of some storage.

    Attributes:
        address: of it.
        options: of the storage.
    """

    address: str
    options: dict[str, Any] = field(default_factory=dict)


@contextmanager
def serve_s3() -> Iterator[dict[str, Any]]:
    """Start an S3 server on a free port; yield the options that lead to it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield {**KEYS, "endpoint_url": f"http://{host}:{port}"}
    finally:
        server.stop()


def make_bucket(options: dict[str, Any]) -> Place:
    """Return a new, empty bucket."""
    import s3fs

    name = f"bucket-{uuid.uuid4().hex[:12]}"
    s3fs.S3FileSystem(**options).mkdir(name)
    return Place(f"s3://{name}", options)
