"""The sink that shows a stream in a browser: what frames, events and the health of sensors become there."""

from __future__ import annotations

import logging
import socket
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import numpy as np

from sspinn_opensim.live_page.board import Board, compact
from sspinn_opensim.live_page.curves import groups_of, numbers
from sspinn_opensim.live_page.figure import Figure
from sspinn_opensim.live_page.guard import guard_of
from sspinn_opensim.live_page.server import PageFile, PageServer
from sspinn_opensim.live_page.status import Status
from sspinn_opensim.streaming.channels import Channels
from sspinn_opensim.streaming.events import Event
from sspinn_opensim.streaming.latency import FEEDBACK_LIMIT_S, PARTS
from sspinn_opensim.streaming.live import LiveEstimator, LiveFrame
from sspinn_opensim.viewer import scripts

log = logging.getLogger(__name__)

PORT = 8600
#: Readers are told so often at most; what a new one is sent of the past, and one that lags at once, s.
_TELL_EVERY_S, _PAST_S, _AT_ONCE_S = 0.02, 20.0, 1.0
#: How often the health of sensors and the delay are told, s.
_STATUS_EVERY_S = 0.5
#: Without frames events and health are looked at so often, s.
_IDLE_S = 0.1
_ASSETS = Path(__file__).parent / "assets"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
#: States of a row: as it should be, with a gap bridged, made after its time.
_FINE, _HELD, _LATE = 0, 1, 2


@dataclass(frozen=True)
class About:
    """What the page says of the stream.

    Attributes
    ----------
    title, model : str
        Names of the study and of its model.
    rate_hz : float
        Frames a second.
    channels : Channels
        What a frame holds.
    body_weight_n : float
        Mass times gravity.
    standing_s : float
        The person stands for so long at the start.
    figure : Figure or None
        The body, to be drawn.
    """

    title: str
    model: str
    rate_hz: float
    channels: Channels
    body_weight_n: float
    standing_s: float = 0.0
    figure: Figure | None = None


class LivePage:
    """Shows estimates in a browser; see `Sink`.

    `take` and `tell` only put something aside. A thread makes texts of it, at most fifty times a second and
    right after a frame, when the next one is furthest; others send them. So the estimate waits for nobody;
    whoever reads too slowly misses frames.

    Parameters
    ----------
    refused : mapping of str to int
        Messages that were refused, by the reason: counted by the source.
    host, port : str, int
        Where it listens; a host beyond this machine gets a token in its address.

    Raises
    ------
    InputError
        The address cannot be listened at.
    """

    def __init__(
        self,
        about: About,
        live: LiveEstimator,
        refused: Mapping[str, int],
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
    ) -> None:
        self._about, self._live, self._refused = about, live, refused
        self._status = Status(live.sensors.names, about.standing_s)
        rows = round(_PAST_S * about.rate_hz)
        self._frames: deque[tuple[LiveFrame, float]] = deque(maxlen=rows)
        self._events: deque[tuple[Event, str]] = deque(maxlen=rows)
        self._first_s: float | None = None
        self._board = Board(
            self._setup(), kept_rows=rows, most_rows=max(round(_AT_ONCE_S * about.rate_hz), 1)
        )
        guard = guard_of(host)
        self._server = PageServer(_files(), self._board, guard, host, port)
        where = socket.gethostname() if host in {"0.0.0.0", "::", ""} else host
        where = f"[{where}]" if ":" in where else where
        self.url = f"http://{where}:{self._server.port}/" + (f"{guard.token}/" if guard.token else "")
        # Free when there is news. A bare lock: to let go of it never waits, as the lock inside an Event may.
        self._news, self._due_s, self._ends = Lock(), -np.inf, False
        self._thread = Thread(target=self._tell_on, name="live page, texts", daemon=True)
        self._server.start()
        self._thread.start()
        log.info(f"The page: {self.url}")
        if guard.token:
            log.warning("Whoever has this address sees the page; what is sent is not encrypted.")

    @property
    def port(self) -> int:
        """The port that it is shown at."""
        return self._server.port

    def take(self, frame: LiveFrame) -> None:
        """Put a frame aside."""
        now = time.monotonic()
        self._frames.append((frame, max(now - frame.machine_s, 0.0)))
        if now >= self._due_s:
            # By the clock and not by the last time: frames that come a little late would make pauses longer.
            self._due_s = max(self._due_s, now - _TELL_EVERY_S) + _TELL_EVERY_S
            self._wake()

    def tell(self, event: Event) -> None:
        """Put aside what happened."""
        self._events.append((event, time.strftime("%H:%M:%S")))

    def close(self) -> None:
        """Tell readers that the stream has ended, and close the port."""
        self._ends = True
        self._wake()
        self._thread.join()
        self._server.stop()

    def _setup(self) -> dict[str, Any]:
        about = self._about
        return {
            "title": about.title,
            "model": about.model,
            "rate_hz": about.rate_hz,
            "past_s": _PAST_S,
            "groups": [group.to_json() for group in groups_of(about.channels, about.body_weight_n)],
            "parts": PARTS,
            "limit_ms": 1000 * FEEDBACK_LIMIT_S,
            "scene": about.figure and about.figure.scene,
            "view": about.figure and about.figure.view,
        }

    def _wake(self) -> None:
        """Let the thread know of news; only the thread that streams calls this."""
        if self._news.locked():
            self._news.release()

    def _tell_on(self) -> None:
        told_s = -np.inf
        while True:
            self._news.acquire(timeout=_IDLE_S)
            ends, now = self._ends, time.monotonic()
            latest: dict[str, object] = {}
            events = [self._event(*self._events.popleft()) for _ in range(len(self._events))]
            frames = [self._frames.popleft() for _ in range(len(self._frames))]
            rows = [self._row(frame, delay_s) for frame, delay_s in frames]
            if frames and self._about.figure and self._board.readers:
                latest["pose"] = self._about.figure.pose(frames[-1][0])
            if events or ends or now - told_s >= _STATUS_EVERY_S:
                told_s = now
                latest["status"] = self._status.now(self._live, self._refused, now)
            if rows or latest or events:
                self._board.put(rows, latest, events)
            if ends:
                self._board.end()
                return

    def _event(self, event: Event, clock: str) -> dict[str, Any]:
        self._status.happened(event)
        return {"clock": clock, "kind": event.kind, "text": event.text, "sensors": event.sensors}

    def _row(self, frame: LiveFrame, delay_s: float) -> bytes:
        """Return time (s, from the first frame on), delay (ms), state, and the numbers of a frame."""
        first = self._first_s = frame.time_s if self._first_s is None else self._first_s
        state = _LATE if frame.late else _HELD if frame.held else _FINE
        delay = None if frame.late else round(1000 * delay_s, 1)
        values = (numbers(self._about.channels, frame).round(3) + 0.0).tolist()
        known = [value if value == value else None for value in values]  # noqa: PLR0124, NaN is not itself
        return compact([round(frame.time_s - first, 4), delay, state, *known])


def _files() -> dict[str, PageFile]:
    """Return the files of the page, by the path they are asked for."""
    found = {
        name: PageFile("text/javascript; charset=utf-8", text.encode()) for name, text in scripts().items()
    }
    for path in sorted(_ASSETS.iterdir()):
        if path.suffix in _TYPES:
            name = "" if path.name == "live.html" else path.name
            found[name] = PageFile(f"{_TYPES[path.suffix]}; charset=utf-8", path.read_bytes())
    return found
