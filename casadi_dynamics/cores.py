"""Cores of the processor, and work that threads share among them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache
from typing import TypeVar

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


def usable_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_ranges(compute: Callable[[int, int], None], samples: int, size: int, threads: int) -> None:
    """Compute all samples in ranges of a size, on so many threads at most.

    Parameters
    ----------
    compute : callable
        Takes the first and the last (exclusive) sample of a range; safe from several threads.
    """
    firsts = itertools.count(0, size)  # `next` is one step for the interpreter: no two threads get the same

    def work() -> None:
        for first in firsts:
            if first >= samples:
                return
            compute(first, min(first + size, samples))

    others: list[Future[None]] = []
    with suppress(RuntimeError):  # once the interpreter is ending it starts no threads
        for _ in range(threads - 1):
            others.append(_pool().submit(work))
    try:
        work()
    finally:
        # Those that have not begun have nothing left to do: they may wait for a thread that waits for them.
        others = [other for other in others if not other.cancel()]
        wait(others)  # whatever interrupts this thread, the memory is not given up while others write to it
    for other in others:
        other.result()


def side_by_side(function: Callable[[_Item], _Found], items: Iterable[_Item]) -> list[_Found]:
    """Return what a function gives of each item, in their order; as many at a time as there are cores.

    Worth it where the function spends its time in what lets other threads go on, as NumPy does with large
    arrays.
    """
    given = list(items)
    found: dict[int, _Found] = {}

    def compute(first: int, _: int) -> None:
        found[first] = function(given[first])

    in_ranges(compute, len(given), 1, min(usable_cores(), len(given)))
    return [found[k] for k in range(len(given))]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="casadi_dynamics")


# A forked process, such as a worker of a DataLoader, has none of the threads it seems to have.
os.register_at_fork(after_in_child=_pool.cache_clear)
