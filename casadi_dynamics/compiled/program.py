"""Programs made of a tape: each computes a range of samples, in one thread or in several."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache, partial
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")

#: Operations that keep a thread busy for long enough (about 0.1 ms) to be worth waking it.
_WORTH_A_THREAD = 2_000_000
#: Ranges begin at multiples of this, so that only the last one has lanes without a sample.
_GRAIN = 64
#: Ranges per thread: a thread that was held up leaves the rest to the others.
_RANGES_PER_THREAD = 4


class Program(Protocol):
    """A compiled tape.

    Attributes
    ----------
    operations : int
        Length of the tape: a measure of the work per sample.
    """

    @property
    def operations(self) -> int: ...  # noqa: D102

    def run(self, inputs: bytes, outputs: bytes, first: int, last: int) -> None:
        """Compute the samples `first` to `last` - 1; safe from several threads on ranges of their own.

        Parameters
        ----------
        inputs : bytes
            Numbers of 64 bits: per input its address, and its strides between samples and between entries,
            in entries. A stride of 0 between samples is one value for all.
        outputs : bytes
            Per output, as such a number, the address of its contiguous rows, one per sample.
        """


def usable_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def numbers(packed: bytes) -> memoryview:
    """Return what `Program.run` was given as a sequence of numbers."""
    return memoryview(packed).cast("B").cast("q")


def run(program: Program, inputs: bytes, outputs: bytes, samples: int, threads: int) -> None:
    """Compute all samples, on as many of the allowed threads as the work is worth."""
    threads = min(threads, samples * program.operations // _WORTH_A_THREAD)
    if threads < 2:
        program.run(inputs, outputs, 0, samples)
        return
    size = -(-samples // (threads * _RANGES_PER_THREAD * _GRAIN)) * _GRAIN
    in_ranges(partial(program.run, inputs, outputs), samples, size, threads)


def in_ranges(compute: Callable[[int, int], None], samples: int, size: int, threads: int) -> None:
    """Compute all samples in ranges of a size, on so many threads.

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

    others = []
    with suppress(RuntimeError):  # once the interpreter is ending it starts no threads
        for _ in range(threads - 1):
            others.append(_pool().submit(work))
    try:
        work()
    finally:  # whatever interrupts this thread, the memory is not given up while others write to it
        wait(others)
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
