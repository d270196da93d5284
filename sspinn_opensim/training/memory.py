"""Memory that was given back: kept for the next step of a training, or handed to the system."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

#: Options of glibc's `mallopt` (malloc.h).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
#: The largest blocks that glibc can keep; and those from which on all are handed over, where nothing is said.
_LARGEST_BLOCK, _LARGE = 32 << 20, 4 << 20
#: More than a step ever needs: all that it gives back is kept.
_ALL, _AT_ONCE = (1 << 31) - 1, 64 << 20


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep the memory that is given back instead of handing it to the system, and hand it over at the end.

    A step, or a round of a correction, gives back tens of megabytes and asks for as many at the next. From
    the system they come as empty pages, and to get those takes a tenth of the time. Other C libraries than
    glibc are left alone.
    """
    library = _glibc()
    if library is None:
        yield
        return
    _set(library, _LARGEST_BLOCK, _ALL, _AT_ONCE)
    try:
        yield
    finally:
        hand_over()


def hand_over() -> None:
    """Hand all memory that was given back to the system, and from now on large blocks as soon as they are.

    By itself glibc keeps blocks of up to 32 MB once it has seen some, and nothing goes back from between
    blocks in use: a long recording's signals and what is made of them lie there with holes as large as they.
    """
    if (library := _glibc()) is not None:
        _set(library, _LARGE, 2 * _LARGE, 0)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def _set(library: ctypes.CDLL, largest: int, kept: int, at_once: int) -> None:
    for option, value in (
        (_MMAP_THRESHOLD, largest),
        (_TRIM_THRESHOLD, kept),
        (_TOP_PAD, at_once),
    ):
        library.mallopt(option, ctypes.c_int(value))
