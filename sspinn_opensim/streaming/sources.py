"""Sources of samples: UDP, Lab Streaming Layer, and a recording played at its own speed."""

from __future__ import annotations

import logging
import select
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import Recording
from sspinn_opensim.recording.units import ACCELERATION, ANGULAR_RATE, factor, unit_of
from sspinn_opensim.streaming.addresses import bound_for_samples
from sspinn_opensim.streaming.lsl import channels_of, lsl
from sspinn_opensim.streaming.samples import (
    LARGEST_MESSAGE,
    RefusedError,
    Sample,
    SampleClock,
    checked_sample,
    read_message,
)

log = logging.getLogger(__name__)

#: Bytes that the system keeps while nobody reads: a second of many sensors.
_KEPT_BYTES = 4 * 2**20
#: Messages that are read at once, so that a flood of them holds nothing else up.
_AT_ONCE = 2048
#: Whether streams have appeared is asked for every so often until all sensors are there, and whether samples
#: have come, s.
_LOOK_EVERY_S, _POLL_S = 0.5, 0.0005
_CHANNELS = tuple(f"{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz")

Arrived = tuple[Sample, float]


class Source(Protocol):
    """Where samples come from.

    Attributes
    ----------
    clock : SampleClock
        What the times of its samples are of.
    refused : Counter
        How much was refused, by the reason.
    """

    clock: SampleClock
    refused: Counter[str]

    def receive(self, timeout_s: float) -> list[Arrived] | None:
        """Return what came, with when it arrived; wait a little if nothing did. None: nothing will."""
        ...

    def now_s(self) -> float:
        """Return the time on this machine's monotonic clock; of a recording, when its last sample was due."""
        ...

    def close(self) -> None:
        """Let go of what was opened."""
        ...


class UdpSource:
    """Messages of `samples` from a port.

    Parameters
    ----------
    host, port : str, int
        Address to listen at; of this machine alone by default.
    """

    def __init__(
        self, names: Sequence[str], host: str = "127.0.0.1", port: int = 0, *, shared_clock: bool = False
    ) -> None:
        self._places = {name: k for k, name in enumerate(names)}
        self.clock, self.refused = SampleClock(shared=shared_clock), Counter()
        self._socket = bound_for_samples(host, port)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KEPT_BYTES)
        self._socket.setblocking(False)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]

    def receive(self, timeout_s: float) -> list[Arrived]:
        """Return what came; see `Source`."""
        found: list[Arrived] = []
        select.select([self._socket], [], [], timeout_s)
        for _ in range(_AT_ONCE):
            try:
                data = self._socket.recv(LARGEST_MESSAGE + 1)
            except (BlockingIOError, ConnectionError):
                break
            arrived_s = time.monotonic()
            try:
                found += [(sample, arrived_s) for sample in read_message(data, self._places)]
            except RefusedError as error:
                count_refused(self.refused, str(error))
        return found

    def now_s(self) -> float:
        """Return the time; see `Source`."""
        return time.monotonic()

    def close(self) -> None:
        """Close the port."""
        self._socket.close()


class RecordingSource:
    """A recording, sample by sample when it is due.

    Parameters
    ----------
    signals : (n, k, 6) ndarray
        Along the sensors' own axes, as of `own_axes`.
    speed : float
        How many times faster than it was recorded.
    """

    def __init__(self, recording: Recording, signals: np.ndarray, speed: float = 1.0) -> None:
        self._time_s, self._signals, self.clock = recording.time_s, signals, SampleClock(speed=speed)
        self._next, self._began_s, self._now_s = 0, 0.0, 0.0
        self.refused: Counter[str] = Counter()

    def receive(self, timeout_s: float) -> list[Arrived] | None:
        """Return what is due; see `Source`."""
        if self._next == len(self._time_s):
            return None
        if not self._began_s:  # it begins when someone looks: what is made before that takes its time
            self._began_s = self._now_s = time.monotonic()
        due = self._began_s + (self._time_s - self._time_s[0])[self._next] / self.clock.speed
        now = time.monotonic()
        if due > now:
            time.sleep(min(due - now, timeout_s))
            if due > time.monotonic():
                return []
        row, self._next = self._next, self._next + 1
        at = float(self._time_s[row])
        self._now_s = self._began_s + at - float(self._time_s[0])
        found: list[Arrived] = []
        for k, own in enumerate(self._signals[row]):
            try:
                found.append((checked_sample(k, at, own, row), self._now_s))
            except RefusedError as error:
                count_refused(self.refused, str(error))
        return found

    def now_s(self) -> float:
        """Return when the last sample was due: however busy the machine, none of a recording is late."""
        return self._now_s

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class _Inlet:
    """An open stream: its inlet, and for each sensor the columns and factors of its six signals."""

    inlet: Any
    columns: dict[int, np.ndarray]
    factors: dict[int, np.ndarray]


class LslSource:
    """Streams of Lab Streaming Layer whose channels are those of the sensors.

    A stream may hold many sensors: its channels are labelled ``NAME_acc_x`` to ``NAME_gyro_z``, as those of a
    table. Or one: then it is called as the sensor is, and its channels are ``acc_x`` to ``gyro_z``. Units are
    those that the channels state, m/s^2 and rad/s where they state none. LSL puts all on one clock.

    Parameters
    ----------
    stream : str
        Name of the only stream to read; empty: every one of a kind.
    kind : str
        Type of the streams.
    """

    clock = SampleClock(of_machine=True)

    def __init__(
        self, names: Sequence[str], *, stream: str = "", kind: str = "IMU", scope: str = "machine"
    ) -> None:
        self._lsl, self._names = lsl(scope), tuple(names)
        what = ("name", stream) if stream else ("type", kind)
        # It looks on by itself, in the background.
        self._resolver = self._lsl.ContinuousResolver(*what)
        self.refused: Counter[str] = Counter()
        self._inlets: dict[str, _Inlet] = {}
        self._passed: set[str] = set()
        self._looked_s = -np.inf
        self._to_monotonic_s = time.monotonic() - self._lsl.local_clock()

    def receive(self, timeout_s: float) -> list[Arrived]:
        """Return what came; see `Source`."""
        self._look()
        found: list[Arrived] = []
        until = time.monotonic() + timeout_s
        while not found:
            for inlet in self._inlets.values():
                rows, times = inlet.inlet.pull_chunk(timeout=0.0, max_samples=_AT_ONCE)
                arrived_s = time.monotonic()
                for row, time_s in zip(rows, times, strict=True):
                    found += self._samples(inlet, np.asarray(row, float), time_s, arrived_s)
            left = until - time.monotonic()
            if found or left <= 0:
                break
            time.sleep(min(_POLL_S, left))
        return found

    def now_s(self) -> float:
        """Return the time; see `Source`."""
        return time.monotonic()

    def close(self) -> None:
        """Close the streams."""
        for inlet in self._inlets.values():
            inlet.inlet.close_stream()

    def _samples(self, inlet: _Inlet, row: np.ndarray, time_s: float, arrived_s: float) -> list[Arrived]:
        found: list[Arrived] = []
        for sensor, columns in inlet.columns.items():
            values = np.where(columns < 0, np.nan, row[columns]) * inlet.factors[sensor]
            try:
                found.append((checked_sample(sensor, time_s + self._to_monotonic_s, values), arrived_s))
            except RefusedError as error:
                count_refused(self.refused, str(error))
        return found

    def _look(self) -> None:
        """Open streams that have appeared, as long as sensors are missing."""
        now = time.monotonic()
        known = {sensor for inlet in self._inlets.values() for sensor in inlet.columns}
        if len(known) == len(self._names) or now - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = now
        for info in self._resolver.results():
            if info.uid() in self._inlets or info.uid() in self._passed:
                continue
            self._open(info, known)

    def _open(self, info: Any, known: set[int]) -> None:
        # A sender that ends and begins again is found again, and what is lost meanwhile is a gap.
        inlet = self._lsl.StreamInlet(
            info, max_buflen=10, recover=True, processing_flags=self._lsl.proc_clocksync
        )
        try:
            channels = channels_of(inlet.info(timeout=2.0))
            inlet.open_stream(timeout=2.0)
        except (TimeoutError, RuntimeError, self._lsl.LostError) as error:
            log.warning(f"The stream '{info.name()}' cannot be opened: {error}")
            return
        try:
            columns, factors = columns_of(channels, self._names, info.name())
        except InputError as error:
            log.warning(str(error))
            columns, factors = {}, {}
        columns = {sensor: own for sensor, own in columns.items() if sensor not in known}
        if not columns:
            self._passed.add(info.uid())
            inlet.close_stream()
            return
        self._inlets[info.uid()] = _Inlet(inlet, columns, factors)
        named = ", ".join(self._names[k] for k in columns)
        log.info(f"Stream '{info.name()}' on {info.hostname()}: {named}")


def columns_of(
    channels: Sequence[tuple[str, str]], names: Sequence[str], stream: str
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Return for each sensor of a stream the columns of its six signals (-1: none), and factors to SI units.

    Parameters
    ----------
    channels : sequence of pairs of str
        Label and unit of each channel.
    names : sequence of str
        Sensors of the study.
    stream : str
        Name of the stream, which is the sensor's where labels name none.

    Raises
    ------
    InputError
        A channel is in a unit that is not known.
    """
    places = {label: column for column, (label, _) in enumerate(channels)}
    columns, factors = {}, {}
    for sensor, name in enumerate(names):
        labels = [f"{name}_{channel}" for channel in _CHANNELS]
        if stream == name and not any(label in places for label in labels):
            labels = list(_CHANNELS)
        own = np.array([places.get(label, -1) for label in labels])
        if (own < 0).all():
            continue
        units = [channels[column][1] if column >= 0 else "" for column in own]
        columns[sensor] = own
        pairs = zip(units, labels, strict=True)
        factors[sensor] = np.array([_factor(unit, label, stream) for unit, label in pairs])
    return columns, factors


def _factor(unit: str, label: str, stream: str) -> float:
    known = ACCELERATION if "_acc_" in f"_{label}" else ANGULAR_RATE
    return factor(unit_of(unit) or unit, known, f"stream '{stream}', channel '{label}'") if unit else 1.0


def count_refused(refused: Counter[str], reason: str) -> None:
    """Count what was refused; the first of each kind is told."""
    refused[reason] += 1
    if refused[reason] == 1:
        log.warning(f"A message was refused: {reason}. More like it are counted only.")


def own_axes(recording: Recording, rotation: np.ndarray) -> np.ndarray:
    """Return the signals of a recording along the sensors' own axes, (n, k, 6), NaN where not measured.

    Parameters
    ----------
    rotation : (k, 3, 3) ndarray
        From the axes of each sensor to those that the recording's signals are along.
    """
    parts = []
    for signal, known in (
        (recording.acceleration, recording.acceleration_available),
        (recording.angular_rate, recording.angular_rate_available),
    ):
        own = np.einsum("kij,nki->nkj", rotation, signal)
        made_of = (np.abs(rotation) > 1e-6) & ~known[:, :, None]
        parts.append(np.where(made_of.any(axis=1), np.nan, own))
    return np.concatenate(parts, axis=2)
