"""The lock of a folder that a command writes to: one command at a time, and the others say who has it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.files import LOCK_FILE, remove_drafts

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_LONGEST_OWNER = 500
#: No link, and no waiting for whoever writes to a pipe.
_READ_ONLY = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
#: Folders that this process has locked, and the thread that has each.
_OURS: dict[str, int] = {}
_GUARD = threading.Lock()


@contextlib.contextmanager
def owned(folder: Path, command: str) -> Iterator[None]:
    """Have a folder for oneself; it is made if it is not there, and removed again if it stays empty.

    While the block runs a file ``.lock`` in the folder says who has it. The system lets go of the lock when
    the process ends, however it ends; the file of one that was killed is taken over, and its drafts are
    removed. A block inside another of the same thread has the folder already.

    Parameters
    ----------
    command : str
        What is done to it, for others to read.

    Raises
    ------
    InputError
        Another process, or another thread of this one, has the folder; or ``.lock`` is a link.
    """
    if any(ord(letter) < 32 for letter in str(folder)):  # no set-up of OpenSim can name what lies in it
        raise InputError("A line break cannot be part of a folder's name.", where=repr(str(folder)))
    if "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK", "0") != "0":
        yield  # of processes that torchrun started the first has the folder for all
        return
    if Path(folder).is_symlink() and not Path(folder).exists():
        raise InputError(
            "The folder is a link that leads nowhere.",
            where=folder,
            found=str(Path(folder).readlink()),
            fix="remove it, or choose another --out",
        )
    key, me = os.path.realpath(folder), threading.get_ident()
    with _GUARD:
        if _OURS.get(key, me) != me:
            raise _taken(folder, "another thread of this process")
        nested = key in _OURS
        _OURS[key] = me
    if nested:
        yield
        return
    try:
        with _made(Path(key)), _file_lock(Path(key), command):
            remove_drafts(Path(key))
            yield
    finally:
        del _OURS[key]


def owner_of(folder: Path) -> str:
    """Return who has a folder now; empty where nobody has."""
    try:
        handle = os.open(Path(folder) / LOCK_FILE, _READ_ONLY)
    except OSError:
        return ""
    try:
        return "" if fcntl is not None and _lock(handle, shared=True) else _read(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder and those above it that are missing; remove those that stay empty."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            for path in missing:
                path.rmdir()


@contextlib.contextmanager
def _file_lock(folder: Path, command: str) -> Iterator[None]:
    file, handle = folder / LOCK_FILE, None
    while handle is None:
        handle = _opened(file, folder)
    try:
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        owner = f"{command}, process {os.getpid()} on {socket.gethostname()}, since {since}"
        os.ftruncate(handle, 0)
        os.pwrite(handle, owner.encode(), 0)
        yield
    finally:
        file.unlink(missing_ok=True)  # before the lock is let go: whoever comes next makes a new file
        os.close(handle)


def _opened(file: Path, folder: Path) -> int | None:
    """Return the handle of the lock file, locked; None where another removed it meanwhile."""
    if file.is_symlink():
        raise _link(file)
    # Without locks of the system the file itself is the lock.
    alone = os.O_EXCL if fcntl is None else getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | alone, 0o644)
    except FileExistsError:
        with file.open(errors="replace") as other:
            text = other.read(_LONGEST_OWNER) or "unknown"
        raise _taken(folder, text, f"wait for it; if it is no longer there, delete {file}") from None
    try:
        if not _lock(handle):
            raise _taken(folder, _read(handle) or "another process")
        if os.fstat(handle).st_nlink > 1:
            raise _link(file)
        if os.fstat(handle).st_nlink == 1:
            kept, handle = handle, None
            return kept
        return None
    finally:
        if handle is not None:
            os.close(handle)


def _lock(handle: int, *, shared: bool = False) -> bool:
    """Lock an open file; return whether nobody else has."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(handle: int) -> str:
    return os.pread(handle, _LONGEST_OWNER, 0).decode(errors="replace")


def _taken(folder: Path, owner: str, fix: str = "wait for it, or choose another --out") -> InputError:
    return InputError("Another command is at work in the folder.", where=folder, found=owner, fix=fix)


def _link(file: Path) -> InputError:
    return InputError("The lock of the folder is a link to another file.", where=file, fix="delete it")
