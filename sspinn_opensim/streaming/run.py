"""The loop of a stream: from a source through the live estimator to sinks, with its times and its health."""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from sspinn_opensim.streaming.events import Event
from sspinn_opensim.streaming.latency import PATH, described
from sspinn_opensim.streaming.live import LiveEstimator, LiveFrame
from sspinn_opensim.streaming.muscles import MuscleSummary
from sspinn_opensim.streaming.rehearsal import Rehearsal
from sspinn_opensim.streaming.sinks import Sink, finite
from sspinn_opensim.streaming.sources import Source

log = logging.getLogger(__name__)

#: A frame waits at most so long after its deadline, s.
_LONGEST_WAIT_S = 0.005
#: Frames that follow each other more quickly leave nothing to rehearse for, s.
_PAUSES_S = 0.002
#: A thread that computes lets this one go on after so long, s; Python's own 5 ms are the way of ten samples.
_TURN_S = 0.0005
#: Latency and health are logged so often, s.
_REPORT_S = 10.0
#: Events that are kept for the summary.
_EVENTS = 1000


@dataclass(frozen=True)
class Summary:
    """What a stream came to.

    Attributes
    ----------
    estimated : int
        Frames.
    lasted_s : float
        From its begin to its end.
    events : tuple of Event
        What happened, at most 1000.
    latency_ms : dict
        Percentiles of the parts of the way, see `latency.PARTS`.
    sensors : dict
        Health of each sensor.
    refused : dict of str to int
        Messages that were none, by the reason.
    muscles : MuscleSummary or None
        What became of the muscles, where they were asked for.
    network : str
        Which network estimated at the end.
    """

    estimated: int
    lasted_s: float
    events: tuple[Event, ...]
    latency_ms: dict[str, dict[str, float]]
    sensors: dict[str, Any]
    refused: dict[str, int]
    muscles: MuscleSummary | None = None
    network: str = ""

    def to_json(self) -> dict:
        """Return plain values."""
        return asdict(self)


def run(
    source: Source,
    live: LiveEstimator,
    sinks: Sequence[Sink],
    *,
    seconds: float | None = None,
    rehearse: bool = True,
) -> Summary:
    """Stream until the source or the time ends, or the user interrupts (Ctrl-C), which is no error.

    Parameters
    ----------
    seconds : float, optional
        How long; by default until one of the others.
    rehearse : bool
        Whether the way of a sample is rehearsed in the pauses, see `rehearsal`; not of a recording that is
        played so fast that there are none.
    """
    began = time.monotonic()
    rehearsal = Rehearsal(live) if rehearse and live.machine_step_s >= _PAUSES_S else None
    events: list[Event] = []
    reported, lost = began, 0
    with _without_long_collections(), _short_turns():
        try:
            while seconds is None or time.monotonic() - began < seconds:
                wait_s = _LONGEST_WAIT_S
                if rehearsal is not None:
                    wait_s = rehearsal.wait_s(time.monotonic(), _LONGEST_WAIT_S)
                arrived = source.receive(wait_s)
                if arrived is None:
                    break
                for sample, arrived_s in arrived:
                    live.take(sample, arrived_s)
                _hand_on(live, sinks, events, source.now_s())
                if rehearsal is not None:
                    rehearsal.taken(time.monotonic())
                    rehearsal.rehearse(time.monotonic())
                if time.monotonic() - reported >= _REPORT_S:
                    reported, lost = time.monotonic(), _report(live, lost)
        except KeyboardInterrupt:
            log.info("The stream ends.")
        finally:
            for event in live.close():
                _tell(event, sinks, events)
            for sink in sinks:
                sink.close()
            source.close()
    return Summary(
        live.estimated,
        time.monotonic() - began,
        tuple(events),
        live.latency.percentiles_ms(),
        {name: asdict(health) for name, health in live.health.items()},
        dict(source.refused),
        None if live.muscles is None else live.muscles.summary,
        live.network,
    )


def _hand_on(live: LiveEstimator, sinks: Sequence[Sink], events: list[Event], now_s: float) -> None:
    for found in live.advance(now_s):
        if isinstance(found, Event):
            _tell(found, sinks, events)
            continue
        if not finite(found):
            continue
        began = time.perf_counter()
        for sink in sinks:
            sink.take(found)
        if not found.late:
            _count(live, found, time.perf_counter() - began)


def _tell(event: Event, sinks: Sequence[Sink], events: list[Event]) -> None:
    log.info(str(event))
    if len(events) < _EVENTS:
        events.append(event)
    for sink in sinks:
        sink.tell(event)


def _count(live: LiveEstimator, frame: LiveFrame, output_s: float) -> None:
    spent = dict(frame.spent_s, output=output_s)
    spent["path"] = sum(spent.get(part, 0.0) for part in PATH)
    live.latency.add(**spent, total=max(time.monotonic() - frame.machine_s, 0.0))


def _report(live: LiveEstimator, lost_before: int) -> int:
    """Log latency and health; return how many samples are lost or were held by now."""
    percentiles = live.latency.percentiles_ms()
    if percentiles:
        smoothed = live.frames.look_ahead_s
        own = f"; {1000 * smoothed:.0f} ms of it smooth sensors that are faster" if smoothed else ""
        log.info(f"ms, 50 / 95 / 99 of 100 frames: {described(percentiles)}{own}")
    lost = sum(health.lost + health.held for health in live.frames.health)
    if lost > lost_before:
        worst = max(live.health.items(), key=lambda item: item[1].lost + item[1].held)
        log.info(
            f"{lost - lost_before} samples were lost or late and bridged since; most of all of '{worst[0]}': "
            f"{worst[1].held} frames in all"
        )
    return lost


@contextmanager
def _without_long_collections() -> Iterator[None]:
    """Let the collector of garbage pass over all that is there already: it would stop the stream for long."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let no other thread of Python (the page, a network that is read) keep the stream waiting for long."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)
