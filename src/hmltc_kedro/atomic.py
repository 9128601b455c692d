"""Files and folders that are at their place when they are complete; what was there before is there until then.

They are written beside it, as `.<name>.<process>.tmp`, and moved. What killed processes left is removed by the next one
that writes the same.
"""

from __future__ import annotations

import ctypes
import glob
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY, OLD = "tmp", "old"
"""Endings of what lies beside a file or folder that is being written: the new one, and the folder it replaces."""

HERE, EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux, see `man 2 rename`."""


@contextmanager
def write_file(path: Path) -> Iterator[Path]:
    """Give a name to write to; the file replaces `path` when all is written, with the rights of any new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clean_up(path)
    temporary = _name(path, TEMPORARY)
    try:
        rights = _find_rights(temporary)
        yield temporary
        _give_rights(temporary, rights)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def write_folder(path: Path) -> Iterator[Path]:
    """Give a folder to write into, which replaces `path` when all is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clean_up(path)
    temporary = _name(path, TEMPORARY)
    temporary.mkdir()
    try:
        rights = _find_rights(temporary / ".rights")
        (temporary / ".rights").unlink()
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _give_rights(file, rights)
        _replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def clean_up(path: Path) -> None:
    """Undo what killed processes left beside a file or folder: put an old folder back where none is, remove the rest.

    A process with the number of this one is another that was killed: in a container all have the same.
    """
    for kind in (OLD, TEMPORARY):
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.{kind}"):
            process = left.name.removeprefix(f".{path.name}.").removesuffix(f".{kind}")
            if not process.isdigit() or (int(process) != os.getpid() and _is_running(int(process))):
                continue
            if kind == OLD and not path.exists():  # killed between two moves
                os.replace(left, path)
            elif left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _name(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{kind}")


def _is_running(process: int) -> bool:
    if os.name == "nt":  # there signal 0 is no question
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True


def _find_rights(path: Path) -> int:
    """Return the rights of a new file, which stays; asking for the umask would set it, in all threads."""
    path.touch()
    return path.stat().st_mode & 0o777


def _give_rights(path: Path, rights: int) -> None:
    """Give a file the rights of any new one; the safetensors writer lets nobody but its owner read."""
    if path.stat().st_mode & 0o777 != rights:
        path.chmod(rights)


def _replace_folder(new: Path, target: Path) -> None:
    """Move `new` to `target`, and remove what was there.

    Where folders cannot be exchanged, an old one is moved aside first, back on failure, and removed last.
    """
    if target.exists() and _exchange(new, target):
        return
    old = _name(target, OLD)
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(new, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders, so that there is one at every moment; return False where system or disk have none."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    return rename is not None and rename(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE) == 0
