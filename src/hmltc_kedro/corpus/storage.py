"""Files wherever fsspec finds them: a folder of this machine, a bucket, the memory of a test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from fsspec.core import split_protocol

from hmltc_kedro.atomic import write_file
from hmltc_kedro.errors import InputError

MAGIC = "*?["
"""Characters that make an address a pattern."""

MOVED = ("sftp", "ssh", "smb", "hdfs", "webhdfs")
"""Storage beside disks in which a file is there while it is being written; elsewhere it appears when it is complete."""

VERSION = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "ino", "LastModified", "last_modified", "created")
"""What storage of one kind or another says of a file, and what changes with the file."""


@dataclass(frozen=True)
class StoredFile:
    """A file of some storage, as it was when it was listed.

    Attributes:
        address: as fsspec takes it.
        name: where it lies below the folder that was listed, without its ending.
        ending: `.csv` or another.
        size: in bytes.
        version: changes if the file does; where the storage says nothing that does, no two listings have the same.
    """

    address: str
    name: str
    ending: str
    size: int
    version: str


def check_address(address: str) -> None:
    """Refuse an address with a password or a signature in it: it would stand in logs, records and files of labels.

    Raises:
        InputError: it has one; the message does not show it.
    """
    protocol, path = split_protocol(address)
    login = path.split("/")[0].rpartition("@")[0] if protocol else ""
    if ":" in login or (protocol in ("http", "https") and "?" in path):
        raise InputError(
            f"{protocol}://...: the address carries a login or a query; give it without, and the login as the "
            "credential `bulk` in conf/local/credentials.yml"
        )


def open_storage(address: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the file system of an address and the path in it.

    Args:
        address: a path, or `<protocol>://...`.
        options: of the file system, credentials among them.

    Raises:
        InputError: no package for the protocol is installed, or the file system refuses the options.
    """
    protocol = split_protocol(address)[0] or "file"
    try:
        system, path = fsspec.core.url_to_fs(address, **options)
    except (ImportError, ValueError) as error:
        raise InputError(f"{protocol}://: {hide_options(str(error), options)}") from error
    except TypeError as error:  # an option it does not know; its message may show what was given
        raise InputError(f"{protocol}://: an option in credentials.yml is not one of this storage") from error
    return system, str(path)


def hide_options(message: str, options: Mapping[str, Any]) -> str:
    """Return a message of a library without what the options of the storage say, addresses apart."""
    for value in options.values():
        if isinstance(value, Mapping):
            message = hide_options(message, value)
        elif isinstance(value, str) and value and "://" not in value:
            message = message.replace(value, "***")
    return message


@contextmanager
def explain_failure(address: str, what: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Turn whatever a storage raises, and each has errors of its own, into one line."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = hide_options(" ".join(str(error).split()), options) or type(error).__name__
        raise InputError(f"{address}: cannot be {what} ({reason})") from error


def list_files(address: str, endings: tuple[str, ...], options: Mapping[str, Any]) -> list[StoredFile]:
    """Return the files of a folder and the folders below it, of a pattern, or the one file, by name.

    What begins with a dot or an underscore is not listed: such names are of programs, as `_SUCCESS` and `.part.crc`.

    Raises:
        InputError: nothing is there, or it cannot be read.
    """
    system, path = open_storage(address, options)
    with explain_failure(address, "listed", options):
        pattern = any(sign in path for sign in MAGIC) and not system.exists(path)  # a folder may be called [new]
        if pattern:
            found = system.glob(path, detail=True)
        else:
            found = {path: system.info(path)} if system.isfile(path) else system.find(path, detail=True)
    root = _find_root(path) if pattern else path if path not in found else os.path.dirname(path)
    files = []
    for place, info in found.items():
        below = place[len(root) :].lstrip("/")
        name, ending = os.path.splitext(below)
        hidden = any(part.startswith((".", "_")) for part in below.split("/"))
        if info["type"] != "directory" and ending in endings and not hidden:
            marks = [str(info[key]) for key in VERSION if info.get(key)]
            version = "-".join([str(info["size"]), *marks]) if marks else uuid.uuid4().hex
            files.append(StoredFile(_join(system, place), name, ending, int(info["size"]), version))
    return sorted(files, key=lambda file: file.name)


def _find_root(pattern: str) -> str:
    """Return the folder that names are relative to: the last one before a pattern begins."""
    parts = pattern.split("/")
    return "/".join(parts[: next(place for place, part in enumerate(parts) if any(sign in part for sign in MAGIC))])


def _join(system: Any, path: str) -> str:
    """Return the address of a path; one of this machine has no protocol, as people write it."""
    address = str(system.unstrip_protocol(path))
    return path if address.startswith(("file://", "local://")) else address


def read_bytes(address: str, options: Mapping[str, Any]) -> bytes | None:
    """Return what a file holds, None if there is none."""
    system, path = open_storage(address, options)
    with explain_failure(address, "read", options):
        return bytes(system.cat_file(path)) if system.exists(path) else None


def write_bytes(address: str, data: bytes, options: Mapping[str, Any]) -> None:
    """Write a file that is at its place when it is complete, and never before; the one before is there until then.

    What a killed process leaves is called `.<name>.<number>.tmp`, on a disk until the same is written again.

    Raises:
        InputError: the storage does not take it.
    """
    system, path = open_storage(address, options)
    with explain_failure(address, "written", options):
        if "file" in system.protocol:
            with write_file(Path(path)) as temporary:
                temporary.write_bytes(data)
        elif split_protocol(address)[0] in MOVED:
            _write_and_move(system, path, data)
        else:
            system.pipe_file(path, data)  # is there when it is complete


def _write_and_move(system: Any, path: str, data: bytes) -> None:
    folder, name = os.path.split(path)
    system.makedirs(folder, exist_ok=True)
    temporary = f"{folder}/.{name}.{uuid.uuid4().hex[:12]}.tmp"
    try:
        system.pipe_file(temporary, data)
        system.mv(temporary, path)
    except BaseException:
        if system.exists(temporary):
            system.rm(temporary)
        raise
