"""A process beside a stream: it takes one task after the other and sends an answer to each.

Nothing of this makes a frame wait: a thread hands tasks over, and answers are looked for without waiting.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from casadi_dynamics.opensim_process.temporary import temporary_folder
from sspinn_opensim.interruption import ignored

#: The least that POSIX knows.
_LEAST_PRIORITY = 19


class EndedError(Exception):
    """The process has ended by itself; the text says how."""


class TaskProcess:
    """A process that is started at once, so that it has imported what it needs when the first task comes.

    Parameters
    ----------
    target : callable
        Function of a module, of a file with `given` pickled and a pipe to `serve`.
    name : str
        What it is for.
    """

    def __init__(self, target: Callable[[Path, Connection], None], given: object, name: str) -> None:
        self._open = ExitStack()
        #: Where files for it may be laid; removed with it.
        self.folder = Path(self._open.enter_context(temporary_folder(name)))
        self.thread = ThreadPoolExecutor(1, name)
        self._handed: Future[None] | None = None
        # By way of a file: what goes with the start waits until the process has imported everything.
        file = self.folder / "given.pickle"
        file.write_bytes(pickle.dumps(given))
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self.process = context.Process(target=target, args=(file, there), daemon=True)
        self.process.start()
        # At once: what it imports takes seconds of a core. Threads that it begins take it over.
        yield_to_all(self.process.pid)
        there.close()

    def hand_over(self, make: Callable[[], object]) -> None:
        """Send the task that a function returns, both in a thread."""
        self._handed = self.thread.submit(lambda: self._pipe.send(make()))

    def answer(self) -> Any:
        """Return the answer to the task if it is there, else None.

        Raises
        ------
        EndedError
            The process has ended.
        """
        try:
            if self._handed is not None and self._handed.done():
                handed, self._handed = self._handed, None
                handed.result()
            return self._pipe.recv() if self._pipe.poll() else None
        except (EOFError, OSError):
            self.process.join()
            raise EndedError(f"has ended, with exit status {self.process.exitcode}") from None

    def close(self) -> None:
        """End the process and remove its files."""
        self.process.kill()
        self.process.join()
        self.thread.shutdown(cancel_futures=True)
        self._pipe.close()
        self._open.close()


def yield_to_all(pid: int | None) -> None:
    """Let a process run only where no other wants the core, as far as the system knows such a thing.

    Linux has a policy for it (``SCHED_IDLE``): whoever wakes takes the core from it at once, where the least
    priority alone would keep it for a slice.
    """
    if pid is None or not hasattr(os, "setpriority"):
        return
    try:
        os.setpriority(os.PRIO_PROCESS, pid, _LEAST_PRIORITY)
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    except OSError:  # it has ended already, or the system forbids it: it works beside at what it has
        return


def serve(pipe: Connection, answer: Callable[[Any], object]) -> None:
    """Answer one task after the other until the other process is gone."""
    # Ctrl-C is pressed for all; the process that streams ends this one.
    with ignored():
        while True:
            try:
                task = pipe.recv()
            except (EOFError, OSError):
                return
            pipe.send(answer(task))
