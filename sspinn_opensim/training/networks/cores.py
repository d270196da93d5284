"""Cores of the processor that the layers of a network share.

Torch's own operations are so small here that two threads make them slower. What is large, the products of a
network's matrices, is cut into ranges that do not depend on how many threads there are, so that they change
no bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from casadi_dynamics.cores import in_ranges

#: Threads that share the work; as many as torch has, where nothing else is said.
_threads: ContextVar[int | None] = ContextVar("threads that share a layer", default=None)


@contextmanager
def shared_by(threads: int) -> Iterator[None]:
    """Let so many threads share the work of layers, whatever torch's own operations do."""
    before = _threads.set(threads)
    try:
        yield
    finally:
        _threads.reset(before)


def shared_in_blocks(compute: Callable[[int, int], None], count: int, block: int) -> None:
    """Compute a range in as many parts as there are threads, whole blocks each.

    Parameters
    ----------
    compute : callable
        Takes the first and the last (exclusive) of a part; the same bits for any division into parts.
    """
    parts = min(_sharing(), -(-count // block))
    shared_in_ranges(compute, count, -(-count // (parts * block)) * block)


def shared_in_ranges(compute: Callable[[int, int], None], count: int, size: int) -> None:
    """Compute a range in parts of one size, the last of what is left.

    Parameters
    ----------
    compute : callable
        Takes the first and the last (exclusive) of a part; safe from several threads.
    """
    inference = torch.is_inference_mode_enabled()

    def without_gradient(first: int, last: int) -> None:
        # Other threads know neither that the caller wants no gradient nor which tensors they may change.
        with torch.inference_mode(inference), torch.no_grad():
            compute(first, last)

    in_ranges(without_gradient, count, size, min(_sharing(), -(-count // size)))


def _sharing() -> int:
    return _threads.get() or torch.get_num_threads()
