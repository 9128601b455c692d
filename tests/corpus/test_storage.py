"""Files of a folder, of memory and of a bucket: which are found, when they have changed, how they are written."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from hmltc_kedro.corpus import storage
from hmltc_kedro.corpus.storage import check_address, hide_options, list_files, open_storage, read_bytes, write_bytes
from hmltc_kedro.errors import InputError
from object_storage import Place

ENDINGS = (".csv", ".parquet")


def names(address: str, place: Place) -> list[tuple[str, str]]:
    return [(file.name, file.ending) for file in list_files(address, ENDINGS, place.options)]


@pytest.fixture
def files(place: Place) -> Place:
    """Return a folder with two files, one of them below, and what is not to be found."""
    for name in ("b.csv", "deep/a.parquet", "notes.txt", "_SUCCESS.csv", ".a.csv", "_temporary/c.csv", "deep/.d.csv"):
        write_bytes(f"{place.address}/{name}", name.encode(), place.options)
    return place


def test_files_of_a_folder_and_below_by_name_without_hidden_ones(files: Place) -> None:
    assert names(files.address, files) == [("b", ".csv"), ("deep/a", ".parquet")]
    assert names(f"{files.address}/", files) == [("b", ".csv"), ("deep/a", ".parquet")]
    first = list_files(files.address, ENDINGS, files.options)[0]
    assert (first.address, first.size) == (f"{files.address}/b.csv", 5)
    assert read_bytes(first.address, files.options) == b"b.csv"


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("*.csv", [("b", ".csv")]),
        ("**/*.parquet", [("deep/a", ".parquet")]),
        ("deep/[ab].parquet", [("a", ".parquet")]),
        ("b.csv", [("b", ".csv")]),
        ("deep/a.parquet", [("a", ".parquet")]),
        ("nothing/*.csv", []),
        ("nowhere", []),
    ],
)
def test_files_of_a_pattern_or_one(files: Place, below: str, expected: list[tuple[str, str]]) -> None:
    try:
        assert names(f"{files.address}/{below}", files) == expected
    except InputError as error:  # of a folder that is not there some storage says so
        assert not expected and str(error).startswith(f"{files.address}/{below}: cannot be listed (")


def test_version_changes_with_the_content_and_not_without(files: Place) -> None:
    def version() -> str:
        return list_files(f"{files.address}/b.csv", ENDINGS, files.options)[0].version

    first = version()
    assert version() == first
    write_bytes(f"{files.address}/b.csv", b"c.csv", files.options)  # of the same length
    assert version() != first


def test_file_is_written_over_and_one_that_is_not_there_is_none(place: Place) -> None:
    address = f"{place.address}/new/manifest.json"
    assert read_bytes(address, place.options) is None
    write_bytes(address, b"1", place.options)
    write_bytes(address, b"22", place.options)
    assert read_bytes(address, place.options) == b"22"


def test_folder_may_be_called_like_a_pattern(tmp_path: Path) -> None:
    for folder in ("[new]", "n"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder.strip('[]')}.csv").write_text("", "utf-8")
    assert [file.name for file in list_files(str(tmp_path / "[new]"), ENDINGS, {})] == ["new"]
    assert [file.name for file in list_files(str(tmp_path / "[n]" / "*.csv"), ENDINGS, {})] == ["n/n"]


def test_storage_that_tells_no_version_never_shows_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("", "utf-8")
    monkeypatch.setattr(storage, "VERSION", ("nothing of the kind",))
    assert len({list_files(str(tmp_path), ENDINGS, {})[0].version for _ in range(3)}) == 3


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("error", [OSError("disk full"), Killed()], ids=["failure", "kill"])
@pytest.mark.parametrize("where", ["write", "move"])
def test_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, where: str
) -> None:
    address = str(tmp_path / "labels.parquet")
    write_bytes(address, b"old", {})

    def write_half(path: Path, data: bytes) -> None:
        path.write_text("half")
        raise error

    with monkeypatch.context() as patch, pytest.raises((InputError, Killed)) as caught:
        if where == "write":
            patch.setattr(Path, "write_bytes", write_half)
        else:
            patch.setattr(os, "replace", raise_error(error))
        write_bytes(address, b"new", {})
    if isinstance(error, OSError):
        assert str(caught.value) == f"{address}: cannot be written (disk full)"
    assert [path.name for path in tmp_path.iterdir()] == ["labels.parquet"]
    assert Path(address).read_bytes() == b"old"


@pytest.mark.parametrize("where", ["pipe_file", "mv"])
def test_interrupted_write_to_a_server_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """The memory stands for a server on which a file is there while it is being written, such as one of SFTP."""
    monkeypatch.setattr(storage, "MOVED", ("memory",))
    address = f"memory://{uuid.uuid4().hex}/labels.parquet"
    write_bytes(address, b"old", {})
    system, path = open_storage(address, {})
    with monkeypatch.context() as patch, pytest.raises(InputError, match=r"cannot be written \(disk full\)$"):
        patch.setattr(type(system), where, raise_error(OSError("disk full")))
        write_bytes(address, b"new", {})
    assert read_bytes(address, {}) == b"old"
    write_bytes(address, b"new", {})
    assert read_bytes(address, {}) == b"new"
    assert system.ls(path.rpartition("/")[0], detail=False) == [path]


def test_half_a_file_of_a_killed_process_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".labels.parquet.0123456789ab.tmp").write_bytes(b"half")
    assert list_files(str(tmp_path), (".parquet", ".tmp"), {}) == []


# ---------------------------------------------------------------------- what is wrong is said in a line


def test_unknown_or_missing_protocol_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^nosuch://: Protocol not known: nosuch$"):
        list_files("nosuch://a", ENDINGS, {})

    def refuse(*_: object, **__: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", refuse)
    with pytest.raises(InputError, match=r"^s3://: Install s3fs to access S3$"):
        write_bytes("s3://bucket/a", b"", {})


SECRET = {"key": "AKIAHIDDEN", "secret": "s3cret", "client_kwargs": {"password": "pa55"}, "endpoint_url": "http://host"}


def raise_error(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


@pytest.mark.parametrize("kind", [ValueError, TypeError, ImportError])
def test_options_are_never_in_a_message(monkeypatch: pytest.MonkeyPatch, kind: type[Exception]) -> None:
    monkeypatch.setattr(fsspec.core, "url_to_fs", raise_error(kind(f"bad {SECRET}")))
    with pytest.raises(InputError) as caught:
        list_files("s3://bucket", ENDINGS, SECRET)
    assert not any(word in str(caught.value) for word in ("AKIAHIDDEN", "s3cret", "pa55"))


def test_errors_of_a_storages_own_are_a_line_without_options(monkeypatch: pytest.MonkeyPatch) -> None:
    class OwnError(Exception):
        """As botocore's, which is no OSError."""

    system = type(open_storage("memory://a", {})[0])
    for method in ("exists", "isfile", "find", "pipe_file", "cat_file"):
        monkeypatch.setattr(system, method, raise_error(OwnError("no access\nfor s3cret at http://host")))
    for action, what in (
        (lambda: list_files("memory://a", ENDINGS, SECRET), "listed"),
        (lambda: read_bytes("memory://a", SECRET), "read"),
        (lambda: write_bytes("memory://a", b"", SECRET), "written"),
    ):
        with pytest.raises(InputError) as caught:
            action()
        assert str(caught.value) == f"memory://a: cannot be {what} (no access for *** at http://host)"


def test_wrong_keys_of_a_bucket_are_a_line(s3: Place) -> None:
    once = {"retries": {"max_attempts": 1}}  # of botocore, which would wait longer before each
    options = {**s3.options, "endpoint_url": "http://127.0.0.1:9", "config_kwargs": once}
    with pytest.raises(InputError) as caught:
        list_files("s3://nowhere", ENDINGS, options)
    assert str(caught.value).startswith("s3://nowhere: cannot be listed (")
    assert len(str(caught.value).splitlines()) == 1
    assert s3.options["secret"] not in str(caught.value)
    with pytest.raises(InputError, match=r"^s3://no-such-bucket: cannot be listed \("):
        list_files("s3://no-such-bucket", ENDINGS, s3.options)


def test_options_are_hidden_at_every_depth_and_addresses_are_shown() -> None:
    assert hide_options("AKIAHIDDEN:pa55@http://host", SECRET) == "***:***@http://host"
    assert hide_options("anything", {"anon": True, "key": "", "token": None}) == "anything"


def test_files_of_this_machine_have_no_protocol(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("", "utf-8")
    for address in (str(tmp_path), f"file://{tmp_path}"):
        assert list_files(address, ENDINGS, {})[0].address == str(tmp_path / "a.csv")


@pytest.mark.parametrize(
    "address",
    [
        "sftp://user:sk-canary@host/folder",
        "s3://AKIA:sk-canary@bucket/*.parquet",
        "https://user:sk-canary@host/a.parquet",
        "https://host/a.parquet?X-Amz-Signature=sk-canary",
    ],
)
def test_secret_in_an_address_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(InputError, match="the address carries a login or a query") as caught:
        check_address(address)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "data/a:b@c/x?.parquet",
        "/a",
        "s3://bucket/a?.parquet",
        "sftp://user@host/a",
        "https://host:8443/a@1:2",
        "s3://b/x@y:z",
    ],
)
def test_address_without_a_secret_is_fine(address: str) -> None:
    check_address(address)
