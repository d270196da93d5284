"""A command as a process group of its own that ends in time, within its memory, and with its parent.

Everything the command starts is killed when it ends, when a limit is exceeded, and on any exception here,
`KeyboardInterrupt` included. Its standard input is a pipe that this process holds open and never writes to:
should this process be killed, the pipe closes, and `end_with_parent` on the other side does the killing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

#: Why a process was stopped.
TOO_LONG, TOO_TALKATIVE, NO_LONGER_WANTED = "time", "log", "stop"

_GIB = 2**30
_SMALLEST_MEMORY_LIMIT = 2 * _GIB
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_LOOK_EVERY_S = 0.2
# Jobs do no linear algebra worth threads, and several may run at once; each thread also takes address space.
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a process may use.

    Parameters
    ----------
    time_s : float
        Wall time, s.
    memory_bytes : int
        Address space of each process of the group; enforced on Linux.
    log_bytes : int
        What it may print.
    """

    time_s: float
    memory_bytes: int
    log_bytes: int = 64 * 2**20


def memory_limit(processes: int = 1) -> int:
    """Return what each of some processes may use, bytes.

    Together they get half of the memory of this machine, or of its container, so that it survives them; each
    gets 2 GiB at least, which OpenSim needs as address space and rarely uses.

    Parameters
    ----------
    processes : int
        Number of processes that run at once.
    """
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 8 * _GIB
    for file in _CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # absent, or the word "max"
            pages = min(pages, int(Path(file).read_text()))
    return max(pages // 2 // processes, _SMALLEST_MEMORY_LIMIT)


def run_group(
    command: Sequence[str],
    log_file: Path,
    limits: Limits,
    *,
    cwd: Path,
    environment: Mapping[str, str],
    stop: threading.Event | None = None,
    look: Callable[[], None] | None = None,
) -> int | str:
    """Run a command as the leader of a process group.

    Parameters
    ----------
    log_file : Path
        Receives standard output and standard error.
    cwd : Path
        Working folder.
    stop : threading.Event, optional
        Ends the run from another thread.
    look : callable, optional
        Called a few times a second meanwhile.

    Returns
    -------
    int or str
        The exit code (minus the signal where one ended it), or `TOO_LONG`, `TOO_TALKATIVE`,
        `NO_LONGER_WANTED`. No process of the group is left.
    """
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=cwd,
            env=_ONE_THREAD | dict(environment),
            start_new_session=os.name != "nt",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # a flag of Windows
        )
        try:
            _limit_memory(process.pid, limits.memory_bytes)
            return _wait(process, log_file, limits, stop, look)
        finally:
            _kill_group(process)


def end_with_parent(folders: Sequence[str]) -> None:
    """Leave a guard that kills this process's group and removes `folders` once standard input closes.

    Called in a process that `run_group` started. The guard is a process and no thread, because OpenSim does
    not let other Python threads run while it works.
    """
    if not hasattr(os, "fork"):
        return
    guarded = os.getpid()
    if os.fork():
        return
    try:
        os.read(0, 1)  # nothing is ever written: this returns when the parent has gone
        os.kill(guarded, signal.SIGKILL)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.killpg(0, signal.SIGKILL)  # what the job started, and the guard itself


def _wait(
    process: subprocess.Popen,
    log_file: Path,
    limits: Limits,
    stop: threading.Event | None,
    look: Callable[[], None] | None,
) -> int | str:
    end = time.monotonic() + limits.time_s
    while True:
        try:
            return process.wait(max(min(_LOOK_EVERY_S, end - time.monotonic()), 0))
        except subprocess.TimeoutExpired:
            if time.monotonic() >= end:
                return TOO_LONG
            if log_file.stat().st_size > limits.log_bytes:
                return TOO_TALKATIVE
            if stop is not None and stop.is_set():
                return NO_LONGER_WANTED
            if look is not None:
                look()


def _limit_memory(pid: int, limit: int) -> None:
    try:
        from resource import RLIMIT_AS, prlimit
    except ImportError:  # not Linux
        return
    with contextlib.suppress(OSError):  # it has ended already, or the system does not allow limits
        hard = prlimit(pid, RLIMIT_AS)[1]
        prlimit(pid, RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))


def _kill_group(process: subprocess.Popen) -> None:
    if os.name == "nt":
        if process.poll() is None:
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False
            )
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
