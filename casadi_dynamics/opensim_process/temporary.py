"""Temporary folders that outlive nobody: those of a process that was killed are removed by the next one."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

#: How the names of these folders begin; whatever else lies beside them is let alone.
PREFIX = "sspinn_temporary_"


@contextlib.contextmanager
def temporary_folder(purpose: str) -> Iterator[str]:
    """Give a new empty folder among the system's temporary ones; it is removed when the block ends.

    Meanwhile it is locked, and the system lets go of the lock however the process ends. The first folder that
    a process makes is the occasion to remove those of this user that nobody holds any more.

    Parameters
    ----------
    purpose : str
        Part of its name, for whoever finds it.
    """
    _remove_left(tempfile.gettempdir())
    folder, handle = _made(purpose)
    try:
        yield folder
    finally:
        # What still writes into it is being killed, and must not keep the command from ending.
        shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def _made(purpose: str) -> tuple[str, int | None]:
    while True:
        folder = tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}_")
        if fcntl is None:
            return folder, None
        with contextlib.suppress(FileNotFoundError):  # another process took it for left before it was locked
            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if Path(folder).is_dir():
                return folder, handle
            os.close(handle)


@functools.cache
def _remove_left(place: str) -> None:
    """Remove the folders of processes of this user that are gone, once in the life of this one."""
    if fcntl is None:
        return
    for folder in Path(place).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or held by its process
            about = folder.lstat()
            if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
                continue
            handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)
