"""Files written whole or not at all, folders locked, and hashes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from casadi_dynamics.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_LOCK_FILE = ".lock"
#: A lock is held while new files are hashed and a manifest is written: seconds, a minute for large files.
LONGEST_WAIT_S = 600.0


@contextlib.contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """Give a new empty file beside `path`, which takes its place when the block ends without an error.

    Its name is hidden, unpredictable and its own, whoever else writes the same file; it ends as `path` does,
    since OpenSim goes by that. Nothing is left behind after an error.

    Parameters
    ----------
    path : Path
        Destination; its folder must exist.
    """
    path = Path(path)
    draft = path.with_name(f".{path.stem}.{secrets.token_hex(8)}{path.suffix}")
    try:
        draft.open("xb").close()  # "x": no file or link that is there already is written to
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> Path:
    """Write `content` to a temporary sibling of `path` and move it into place.

    Parameters
    ----------
    path : Path
        Destination; its folder must exist.
    content : str or bytes
        Text is encoded as UTF-8 with the line ends it has.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        The folder is missing, is not writable, or the disk is full; nothing is left behind.
    """
    path = Path(path)
    try:
        with draft_of(path) as draft:
            draft.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        raise InputError(
            f"Cannot write {path.name}.",
            where=str(path),
            found=error.strerror or str(error),
            fix="name a folder that exists, can be written to and has free space",
        ) from error
    return path


def write_json(path: Path, content: object) -> Path:
    """Write plain values as JSON, as `write_atomically` does text."""
    return write_atomically(path, json.dumps(content, indent=1) + "\n")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other block on the same folder waiting, of this process and of others.

    The folder itself is locked, so that nothing stays behind, also after a crash. Where that cannot be done
    (Windows, some network drives), a file ``.lock`` is made in it for the time of the block.

    Raises
    ------
    InputError
        The file ``.lock`` of another stays for `LONGEST_WAIT_S`.
    """
    with contextlib.ExitStack() as stack:
        if not _lock_itself(folder, stack):
            _lock_by_file(Path(folder) / _LOCK_FILE, stack)
        yield


def _lock_itself(folder: Path, stack: contextlib.ExitStack) -> bool:
    """Lock a folder by its own handle until the stack ends; return whether the system can."""
    if fcntl is None:
        return False
    handle = os.open(folder, os.O_RDONLY)
    stack.callback(os.close, handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:  # on NFS only what is open for writing can be locked, and a folder never is
        return False
    return True


def _lock_by_file(file: Path, stack: contextlib.ExitStack) -> None:
    until = time.monotonic() + LONGEST_WAIT_S
    while True:
        try:
            file.open("xb").close()
        except FileExistsError as error:
            if time.monotonic() > until:
                raise InputError(
                    "Another command holds the folder.",
                    where=str(file),
                    found=f"a lock that has stayed for {LONGEST_WAIT_S:g} s",
                    fix="wait for the other command; if there is none, delete this file",
                ) from error
            time.sleep(0.01)
        else:
            stack.callback(file.unlink, missing_ok=True)
            return


def sha256(path: Path) -> str:
    """Return the SHA-256 of what a file holds, or the files in a folder by name, as hexadecimal digits."""
    if Path(path).is_dir():
        entries = [f"{file.name} {sha256(file)}" for file in sorted(Path(path).iterdir()) if file.is_file()]
        return hashlib.sha256("\n".join(entries).encode()).hexdigest()
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require(path: Path, fix: str) -> Path:
    """Return the path of a file of an earlier stage; one that is missing raises `InputError`."""
    if not path.is_file():
        raise InputError("A file of an earlier stage is missing.", where=path, fix=fix)
    return path
