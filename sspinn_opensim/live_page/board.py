"""Board of what the live page has to tell: memory of a fixed size, and for each reader what is new to it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Condition
from typing import Any

#: So many events are kept for whoever opens the page later.
_EVENTS = 100
#: Readers that hear nothing new are sent a blank after so long, s: a closed connection is noticed.
_BLANK_AFTER_S = 2.0


@dataclass
class _Position:
    """What a reader has been sent: counts of rows and events, and the last number of every other text."""

    rows: int = 0
    events: int = 0
    latest: dict[str, int] = field(default_factory=dict)


class Board:
    """Rows of numbers, events, and texts of which only the latest counts, for readers of any speed.

    Parameters
    ----------
    setup : object
        JSON values that a reader is sent first.
    kept_rows, most_rows : int
        So many of the last rows a new reader is sent, and so many at once one that was there: whoever reads
        slowly misses those in between.
    """

    def __init__(self, setup: object, *, kept_rows: int, most_rows: int) -> None:
        self._setup, self._most = message("setup", setup), most_rows
        self._rows: deque[bytes] = deque(maxlen=kept_rows)
        self._events: deque[bytes] = deque(maxlen=_EVENTS)
        self._latest: dict[str, tuple[int, bytes]] = {}
        self._count, self._told = 0, 0
        self._changed, self._ended = Condition(), False
        self.readers = 0

    def put(self, rows: Sequence[bytes], latest: Mapping[str, object], events: Sequence[object]) -> None:
        """Add rows (JSON arrays), events, and texts that replace those of their kind; wake the readers."""
        told = [message("happened", event) for event in events]
        texts = {kind: message(kind, value) for kind, value in latest.items()}
        with self._changed:
            self._rows.extend(rows)
            self._count += len(rows)
            self._events.extend(told)
            self._told += len(told)
            for kind, text in texts.items():
                self._latest[kind] = (self._latest.get(kind, (0, b""))[0] + 1, text)
            self._changed.notify_all()

    def end(self) -> None:
        """Let all readers go."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def follow(self) -> Iterator[bytes]:
        """Yield what is to be sent to a reader: what there is, and then what is new, until the end."""
        position = _Position()
        yield self._setup
        with self._changed:
            self.readers += 1
            news = self._news(position, len(self._rows))
        try:
            while True:
                yield news
                with self._changed:
                    news = self._news(position, self._most)
                    if not news and not self._ended:
                        self._changed.wait(_BLANK_AFTER_S)
                        news = self._news(position, self._most) or b": \n\n"
                    if self._ended and news in {b"", b": \n\n"}:
                        break
            yield message("end", {})
        finally:
            with self._changed:
                self.readers -= 1

    def _news(self, position: _Position, most: int) -> bytes:
        rows = min(self._count - position.rows, len(self._rows), most)
        events = min(self._told - position.events, len(self._events))
        position.rows, position.events = self._count, self._told
        parts = list(islice(self._events, len(self._events) - events, None))
        if rows:
            chosen = islice(self._rows, len(self._rows) - rows, None)
            parts.append(b"event: rows\ndata: [" + b",".join(chosen) + b"]\n\n")
        for kind, (number, text) in self._latest.items():
            if position.latest.get(kind) != number:
                position.latest[kind] = number
                parts.append(text)
        return b"".join(parts)


def message(kind: str, value: object) -> bytes:
    """Return a server-sent event of a kind with JSON values."""
    return b"event: " + kind.encode() + b"\ndata: " + compact(value) + b"\n\n"


def compact(value: Any) -> bytes:
    """Return JSON without blanks or line breaks."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
