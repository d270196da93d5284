"""Sinks of estimates: Lab Streaming Layer, UDP, and files of OpenSim that are whole at any moment."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections import deque
from math import isfinite
from pathlib import Path
from typing import Protocol

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.files import write_atomically
from sspinn_opensim.muscles import MuscleFrame
from sspinn_opensim.opensim_io.tables.storage import storage_head, storage_row
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.streaming.channels import Channels, numbers_of
from sspinn_opensim.streaming.events import Event
from sspinn_opensim.streaming.live import LiveFrame
from sspinn_opensim.streaming.lsl import lsl, stream_info

log = logging.getLogger(__name__)

#: Names and types of the outlets, in the order of the tables, and of what happens.
OUTLETS = (
    ("sspinn_coordinates", "Kinematics"),
    ("sspinn_moments", "Moments"),
    ("sspinn_ground_forces", "GroundForces"),
)
#: Those of muscles.
MUSCLE_OUTLETS = (
    ("sspinn_muscle_forces", "MuscleForces"),
    ("sspinn_muscle_activations", "MuscleActivations"),
    ("sspinn_reserves", "Reserves"),
)
EVENTS = ("sspinn_events", "Markers")
#: Files of a part, muscles last.
_FILES = (
    ResultsFolder.kinematics.name,
    ResultsFolder.moments.name,
    ResultsFolder.grf.name,
    ResultsFolder.muscle_forces.name,
    ResultsFolder.muscle_activations.name,
    "muscle_reserves.sto",
)


class Sink(Protocol):
    """Where estimates go."""

    def take(self, frame: LiveFrame) -> None:
        """Take the next estimate."""
        ...

    def tell(self, event: Event) -> None:
        """Take what happened."""
        ...

    def close(self) -> None:
        """End what was begun."""
        ...


class LslSink:
    """Outlets: coordinates (rad, m), joint moments (N m), ground forces (N, m, N m), and what happens.

    With muscles also forces (N), activations (0 to 1), and what reserves give (N m). A frame that could not
    be estimated is not sent, nor muscles where they were not solved. Times are those of the samples.
    """

    def __init__(self, channels: Channels, rate_hz: float, scope: str = "machine") -> None:
        module = lsl(scope)
        labels = (channels.coordinates, channels.moments, channels.forces)
        self._outlets = [
            module.StreamOutlet(stream_info(module, name, kind, names, units, rate_hz))
            for (name, kind), names, units in zip(OUTLETS, labels, channels.units, strict=True)
        ]
        count = len(channels.muscles)
        units = (["N"] * count, ["1"] * count, channels.actuator_units)
        self._muscles = [
            module.StreamOutlet(stream_info(module, name, kind, names, own, rate_hz))
            for (name, kind), names, own in zip(MUSCLE_OUTLETS, _muscle_names(channels), units, strict=True)
            if count
        ]
        self._events = module.StreamOutlet(stream_info(module, *EVENTS, ["event"], [""], 0.0, text=True))
        self._clock = module.local_clock

    def take(self, frame: LiveFrame) -> None:
        """Send the numbers of a frame."""
        at = frame.machine_s + self._clock() - time.monotonic()
        for outlet, numbers in zip(self._outlets, numbers_of(frame.estimate), strict=True):
            outlet.push_sample(numbers.tolist(), at)
        if frame.muscles is not None:
            for outlet, numbers in zip(self._muscles, _numbers_of_muscles(frame.muscles), strict=True):
                outlet.push_sample(numbers.tolist(), at)

    def tell(self, event: Event) -> None:
        """Send what happened as a text."""
        self._events.push_sample([event.text])

    def close(self) -> None:
        """Close the outlets."""
        self._outlets.clear()
        self._muscles.clear()


class UdpSink:
    """One JSON object a frame in one datagram, names beside numbers, and one for what happens.

    ``{"time_s": ..., "coordinates": {NAME: rad or m}, "moments": {NAME: N m}, "ground_forces": {NAME: N, m},
    "held": [SENSOR, ...], "late": false}``, with muscles, where they were solved, also
    ``"muscle_forces": {NAME: N}, "muscle_activations": {NAME: 0 to 1}, "reserves": {NAME: N m, N}, "unmet":
    [COORDINATE, ...]``, and ``{"time_s": ..., "event": KIND, "text": ..., "sensors": [...]}``.
    """

    def __init__(self, channels: Channels, host: str, port: int) -> None:
        self._names = (channels.coordinates, channels.moments, channels.forces)
        self._muscles = _muscle_names(channels)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._address, self._failed = (host, port), False

    def take(self, frame: LiveFrame) -> None:
        """Send a frame."""
        keys = ("coordinates", "moments", "ground_forces")
        tables: dict[str, object] = {
            key: dict(zip(names, numbers.tolist(), strict=True))
            for key, names, numbers in zip(keys, self._names, numbers_of(frame.estimate), strict=True)
        }
        if frame.muscles is not None:
            keys = ("muscle_forces", "muscle_activations", "reserves")
            numbers = _numbers_of_muscles(frame.muscles)
            for key, names, own in zip(keys, self._muscles, numbers, strict=True):
                tables[key] = dict(zip(names, own.tolist(), strict=True))
            tables["unmet"] = list(frame.muscles.unmet)
        self._send({"time_s": frame.time_s, **tables, "held": list(frame.held), "late": frame.late})

    def tell(self, event: Event) -> None:
        """Send what happened."""
        sensors = list(event.sensors)
        self._send({"time_s": event.time_s, "event": event.kind, "text": event.text, "sensors": sensors})

    def _send(self, content: dict) -> None:
        try:
            self._socket.sendto(json.dumps(content).encode(), self._address)
        except OSError as error:  # nobody listens, or its queue is full: the next one may get through
            if not self._failed:
                log.warning(f"Nothing can be sent to {self._address[0]}:{self._address[1]}: {error}")
            self._failed = True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class RollingFiles:
    """Tables of OpenSim, a part of the stream each, that are whole at any moment.

    A part ``0001`` is a folder with `kinematics.mot`, `moments.sto` and `grf.mot`, and with muscles
    `muscle_forces.sto`, `muscle_activations.sto` and `muscle_reserves.sto` of the frames in which they were
    solved. It ends after some seconds, or where the estimate is withdrawn, so that no file has a gap.
    The oldest parts are removed. Times are those of the samples, from the first
    estimate on.

    Parameters
    ----------
    part_s : float
        Length of a part; what was not yet written is lost if the process is killed.
    kept_s : float
        So much of the stream is kept.
    """

    def __init__(
        self, folder: Path, channels: Channels, title: str, *, part_s: float = 10.0, kept_s: float = 3600.0
    ) -> None:
        self._folder, self._channels, self._title, self._part_s = folder, channels, title, part_s
        self._kept: deque[Path] = deque()
        self._most = max(round(kept_s / part_s), 1)
        self._tables = _tables(channels)
        self._rows: list[list[str]] = [[] for _ in self._tables]
        self._first_s: float | None = None
        self._part_from_s, self._parts = 0.0, 0
        self._scale = channels.degrees_per_unit
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, frame: LiveFrame) -> None:
        """Keep a frame, and write the part that it ends."""
        first = self._first_s = frame.time_s if self._first_s is None else self._first_s
        at = frame.time_s - first
        if self._rows[0] and at - self._part_from_s >= self._part_s:
            self._write()
        if not self._rows[0]:
            self._part_from_s = at
        q, moments, forces = numbers_of(frame.estimate)
        numbers = [q * self._scale, moments, forces]
        if frame.muscles is not None:
            numbers += _numbers_of_muscles(frame.muscles)
        for rows, own in zip(self._rows, numbers, strict=False):  # muscles may not be solved
            # Adding zero turns -0.0 into 0.0. No clock tells more than a nanosecond.
            rows.append(storage_row([round(at, 9), *(own + 0.0).tolist()]))

    def tell(self, event: Event) -> None:
        """End the part where the estimate is withdrawn."""
        if event.kind == "withdrawn":
            self._write()

    def close(self) -> None:
        """Write what is left."""
        self._write()

    def _write(self) -> None:
        if not self._rows[0]:
            return
        self._parts += 1
        part = ResultsFolder(self._folder / f"{self._parts:04d}")
        try:
            part.path.mkdir(exist_ok=True)
            for (name, names, in_degrees), rows in zip(self._tables, self._rows, strict=True):
                if rows:
                    head = storage_head(self._title, names, len(rows), in_degrees=in_degrees)
                    write_atomically(part.path / name, [head, *rows])
            self._kept.append(part.path)
        except (InputError, OSError) as error:  # the stream goes on: whoever walks cannot repeat it
            log.warning(f"A part of the stream is not written: {error}")
        for rows in self._rows:
            rows.clear()
        while len(self._kept) > self._most:
            _remove(self._kept.popleft())


def _remove(part: Path) -> None:
    """Remove a part, and nothing else that someone put there."""
    for name in _FILES:
        (part / name).unlink(missing_ok=True)
    if not any(part.iterdir()):
        part.rmdir()


def _tables(channels: Channels) -> list[tuple[str, tuple[str, ...], bool]]:
    """Return name, columns and whether angles are in degrees of each file of a part."""
    columns = (channels.coordinates, channels.moments, channels.forces, *_muscle_names(channels))
    return [
        (file, names, file == ResultsFolder.kinematics.name)
        for file, names in zip(_FILES, columns, strict=True)
        if names
    ]


def _muscle_names(channels: Channels) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return names of forces, activations and reserves; none where there are no muscles."""
    return channels.muscles, channels.muscles, channels.actuators


def _numbers_of_muscles(muscles: MuscleFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return muscles.forces, muscles.activations, muscles.actuation


def finite(frame: LiveFrame) -> bool:
    """Return whether all numbers of a frame are."""
    # A sum is quick, and not finite if anything in it is not.
    return all(isfinite(numbers.sum()) for numbers in numbers_of(frame.estimate))
