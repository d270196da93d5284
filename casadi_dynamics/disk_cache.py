"""Cache on disk of what takes long and depends on its key alone: machine code, functions, OpenSim's answers.

The folder is ``casadi_dynamics`` in the user's cache folder (``$XDG_CACHE_HOME``, else ``~/.cache``), or the
one that the environment variable ``CASADI_DYNAMICS_CACHE`` names; ``off`` keeps nothing. It holds code that
will be run, so a folder or an entry that others may write to is not used. Whatever is wrong with an entry, or
with the folder, costs making it anew and never an error.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
VARIABLE = "CASADI_DYNAMICS_CACHE"
#: When the entries together are longer than this, those not used for longest are removed.
LARGEST_SIZE = 500_000_000
_MAGIC = b"casadi_dynamics cache 2\n"


def load_or_make(key: str, make: Callable[[], bytes]) -> bytes:
    """Return the entry of a key; made, and stored for the next time, where none is sound."""
    return loaded(key, make, bytes)


def loaded(key: str, make: Callable[[], bytes], load: Callable[[bytes], T]) -> T:
    """Load the entry of a key; it is made, and stored for the next time, where none is sound.

    Parameters
    ----------
    key : str
        All that the entry depends on, in full.
    load : callable
        Takes the code; a `RuntimeError` of it means that the code is none.
    """
    folder = cache_folder()
    if folder is None:
        return load(make())
    path = folder / f"{_digest(key.encode()).hex()}.o"
    code = _read(path, key)
    if code is not None:
        with suppress(RuntimeError):
            return load(code)
    code = make()
    with suppress(OSError):
        _write(path, key, code)
        _prune(folder)
    return load(code)


@cache
def sources_hash(package: Path) -> str:
    """Return the SHA-256 of the Python sources below a folder, as they were when first asked for."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def cache_folder() -> Path | None:
    """Return the folder of the cache; None where none is wanted or can be used."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen.lower() == "off":
        return None
    try:
        folder = Path(chosen) if chosen else _users_cache() / "casadi_dynamics"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder if _is_private(folder) else None
    except (
        OSError,
        RuntimeError,
    ):  # no home folder, read-only file system, a file where the folder should be
        return None


def _users_cache() -> Path:
    named = os.environ.get("XDG_CACHE_HOME", "")
    return Path(named) if named else Path.home() / ".cache"


def _is_private(path: Path) -> bool:
    about = path.stat()
    return about.st_uid == os.getuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _read(path: Path, key: str) -> bytes | None:
    """Return the code of an entry; None if it is missing, another's, or not what was written."""
    try:
        if not _is_private(path):
            return None
        content = path.read_bytes()
    except OSError:
        return None
    with suppress(OSError):  # a folder that can only be read serves as well
        os.utime(path)  # the last use, by which the folder is kept small
    header = _header(key)
    rest = content[len(header) :]
    checksum, code = rest[:32], rest[32:]
    return code if content.startswith(header) and code and checksum == _digest(code) else None


def _header(key: str) -> bytes:
    return _MAGIC + _digest(key.encode())


def _write(path: Path, key: str, code: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_header(key) + _digest(code) + code)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _prune(folder: Path) -> None:
    entries = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*.o"))
    surplus = sum(size for _, size, _ in entries) - LARGEST_SIZE
    for _, size, path in entries:
        if surplus <= 0:
            break
        path.unlink(missing_ok=True)
        surplus -= size
