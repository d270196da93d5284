"""Programs made of a tape: each computes a range of samples, in one thread or in several."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from casadi_dynamics.cores import in_ranges

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
