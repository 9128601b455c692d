"""What files hold, as sha256 digests; a file is not read again while its size and times are those of a known digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from hmltc_kedro.corpus.tensor_header import read_tensor_header

Stamp = tuple[int, int, int]
"""Size in bytes, time of the last change of the content and of the file itself in nanoseconds.

The last one tells a file that was copied or moved over with the times of another.
"""

Seen = dict[tuple[str, Path], tuple[Stamp, str]]
"""Digests by kind (`bytes` or `content`) and file, each with the stamp of the file it was taken of."""

_known: Seen = {}
_traces: ContextVar[tuple[Seen, ...]] = ContextVar("traces", default=())


def take_stamp(path: Path) -> Stamp:
    """Return the stamp of a file; it raises an OSError where there is none."""
    state = path.stat()
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns


def hash_file(path: Path) -> str:
    """Return the sha256 of a file's bytes as hexadecimal digits, read now whatever is known of it."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes as hexadecimal digits, from memory where the file is as it was."""
    return _look_up("bytes", path, hash_file)


def content_digest(path: Path) -> str:
    """Return the digest of what a file or directory holds, however its writer happened to arrange it.

    A safetensors file counts by its header with sorted keys (its writer shuffles them) and its tensors, a directory by
    the names and digests of the files below it, any other file by its bytes.
    """
    if not path.is_dir():
        return _look_up("content", path, _hash_tensors) if path.suffix == ".safetensors" else file_digest(path)
    whole = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        whole.update(f"{file.relative_to(path).as_posix()}={content_digest(file)}\n".encode())
    return whole.hexdigest()


def remember(seen: Seen) -> None:
    """Believe digests that another process has taken, for as long as the files keep their stamps."""
    for key, value in seen.items():
        _known.setdefault(key, value)


@contextmanager
def trace_digests() -> Iterator[Seen]:
    """Collect every digest that is asked for inside the block."""
    seen: Seen = {}
    token = _traces.set((*_traces.get(), seen))
    try:
        yield seen
    finally:
        _traces.reset(token)


def _look_up(kind: str, path: Path, compute: Callable[[Path], str]) -> str:
    stamp, key = take_stamp(path), (kind, path.resolve())  # stamped first: a change while reading is a change
    known = _known.get(key)
    if known is None or known[0] != stamp:
        known = _known[key] = stamp, compute(path)
    for seen in _traces.get():
        seen[key] = known
    return known[1]


def _hash_tensors(path: Path) -> str:
    with path.open("rb") as handle:
        try:
            header = read_tensor_header(handle)
        except ValueError:
            return hash_file(path)
        whole = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        while block := handle.read(1 << 20):
            whole.update(block)
    return whole.hexdigest()
