"""Digests of files."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from hmltc_kedro.corpus.tensors import TensorTable, write_tensors
from hmltc_kedro.freshness import digests
from hmltc_kedro.freshness.digests import content_digest, file_digest, remember, take_stamp, trace_digests


def test_file_is_read_again_only_when_its_stamp_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a")
    assert file_digest(path) == hashlib.sha256(b"a").hexdigest()
    with monkeypatch.context() as patched:
        patched.setattr(digests, "hash_file", lambda path: "read")
        assert file_digest(path) == hashlib.sha256(b"a").hexdigest()
        os.utime(path, ns=(0, 0))
        assert file_digest(path) == "read"


def test_file_copied_over_with_the_times_of_the_old_one_is_noticed(tmp_path: Path) -> None:
    path, other = tmp_path / "a.txt", tmp_path / "b.txt"
    path.write_bytes(b"a")
    other.write_bytes(b"b")
    before, times = file_digest(path), path.stat()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    shutil.copy2(other, path)
    assert path.stat().st_mtime_ns == times.st_mtime_ns
    if take_stamp(path)[2] == times.st_ctime_ns:
        pytest.skip("this file system's clock is too coarse")
    assert file_digest(path) != before


def test_tensors_count_by_content(tmp_path: Path) -> None:
    table = TensorTable(["a", "b"], {"x": np.ones((2, 3), np.float32)}, "made of this")
    write_tensors(table, tmp_path / "a.safetensors")
    content = (tmp_path / "a.safetensors").read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    turned = json.dumps(dict(reversed(header.items()))).encode()
    (tmp_path / "b.safetensors").write_bytes(len(turned).to_bytes(8, "little") + turned + content[end:])
    assert (tmp_path / "b.safetensors").read_bytes() != content
    assert content_digest(tmp_path / "a.safetensors") == content_digest(tmp_path / "b.safetensors")
    (tmp_path / "c.safetensors").write_bytes(content[:-1] + b"x")
    assert content_digest(tmp_path / "c.safetensors") != content_digest(tmp_path / "a.safetensors")
    (tmp_path / "d.safetensors").write_bytes(b"no tensors at all")
    assert content_digest(tmp_path / "d.safetensors") == hashlib.sha256(b"no tensors at all").hexdigest()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"abc", (9 * 10**18).to_bytes(8, "little") + b"{}", (99_999_999).to_bytes(8, "little") + b"{}"),
        *((3).to_bytes(8, "little") + b"{]}", (2).to_bytes(8, "little") + b"\xff\xff"),
        (100_000).to_bytes(8, "little") + b"[" * 100_000,
    ],
    ids=["empty", "short", "nine_exabytes", "longer_than_the_file", "no_json", "no_text", "deep"],
)
def test_damaged_header_counts_by_its_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    tracemalloc.start()
    assert content_digest(path) == hashlib.sha256(content).hexdigest()
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_directory_counts_by_names_and_contents(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "x.json").write_text("{}", "utf-8")
    assert content_digest(tmp_path / "a") == content_digest(tmp_path / "b")
    (tmp_path / "b" / "inner" / "x.json").rename(tmp_path / "b" / "inner" / "y.json")
    assert content_digest(tmp_path / "a") != content_digest(tmp_path / "b")


def test_digests_are_traced_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a")
    with trace_digests() as outer, trace_digests() as seen:
        digest = file_digest(path)
    assert outer == seen == {("bytes", path.resolve()): (take_stamp(path), digest)}
    with trace_digests() as nothing:
        pass
    assert nothing == {}
    monkeypatch.setattr(digests, "_known", {})
    monkeypatch.setattr(digests, "hash_file", lambda path: "read")
    remember(seen)
    assert file_digest(path) == digest


def test_digests_are_cheap_to_import() -> None:
    script = """
import sys
import hmltc_kedro.freshness.digests
sys.exit(", ".join(sorted({"numpy", "pandas", "pyarrow", "kedro", "pydantic"} & set(sys.modules))) or 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
