"""Memory that was given back: kept for the next step of a training, or handed to the system."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

#: Options of glibc's `mallopt` (malloc.h).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
#: The largest blocks that glibc keeps by itself, and twice that, as it sets its own limits (mallopt(3)).
_LARGEST_BLOCK, _USUALLY_KEPT = 32 << 20, 64 << 20
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
    _set(library, _ALL, _AT_ONCE)
    try:
        yield
    finally:
        _set(library, _USUALLY_KEPT, 0)
        library.malloc_trim(0)


def hand_over() -> None:
    """Hand all memory that was given back to the system, which glibc does not do in between blocks in use."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def _set(library: ctypes.CDLL, kept: int, at_once: int) -> None:
    for option, value in (
        (_MMAP_THRESHOLD, _LARGEST_BLOCK),
        (_TRIM_THRESHOLD, kept),
        (_TOP_PAD, at_once),
    ):
        library.mallopt(option, ctypes.c_int(value))
