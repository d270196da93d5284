"""Copies of a process that has loaded the libraries: each is a command as if it had been started anew.

Loading takes seconds and is the same for all. A copy (``fork``) has its own session, working folder, output
and temporary folder, and hears signals as a new Python does. What makes copies must have computed nothing in
parallel before: a pool of OpenMP does not outlive a fork.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path


def start(command: Callable[[], int | None], folder: Path, temporary: Path, said: Path) -> int:
    """Start a command in a copy of this process.

    Parameters
    ----------
    command : callable
        Returns its exit status, None being 0.
    folder : Path
        Where it works.
    temporary : Path
        Folder of its temporary files; is made.
    said : Path
        File that all that it prints is added to.

    Returns
    -------
    int
        Of the process, which leads a session of its own by then.
    """
    temporary.mkdir(parents=True, exist_ok=True)
    hears, tells = os.pipe()
    child = os.fork()
    if child == 0:
        _be(command, folder, temporary, said, tells)
    os.close(tells)
    os.read(hears, 1)  # returns when the child has closed its end
    os.close(hears)
    return child


def _be(command: Callable[[], int | None], folder: Path, temporary: Path, said: Path, tells: int) -> None:
    """Be the command, in the copy; never return."""
    status: int | None = 99
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(folder)
        os.environ["TMPDIR"] = str(temporary)
        tempfile.tempdir = None
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = (
            os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
            for number in (1, 2)
        )
        os.close(tells)
        status = command()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:  # as Python ends: it says where, and the signal ends it
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        status = 70
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status or 0)
