"""Watch over the sensors of a stream: which are missing and which come late, each said once."""

from __future__ import annotations

import numpy as np

from sspinn_opensim.streaming.events import Event
from sspinn_opensim.streaming.frames import FrameMaker
from sspinn_opensim.streaming.lateness import LateSensor
from sspinn_opensim.streaming.sensors import StreamedSensors, listed

#: After so long without an estimate, s, it is said which sensors are missing; delays are looked at as often.
_PATIENT_S, _LOOK_S = 3.0, 2.0
#: A sensor whose packets come so much later than those of the others is named, s.
_LATE_S = 0.015


class SensorWatch:
    """Says which sensors the estimate waits for, and which come late.

    Parameters
    ----------
    sensors : StreamedSensors
        Of the stream.
    frames : FrameMaker
        Which their samples come to.
    """

    def __init__(self, sensors: StreamedSensors, frames: FrameMaker) -> None:
        self._sensors, self._frames = sensors, frames
        self._late: set[int] = set()
        self._missing: tuple[int, ...] = ()
        self._idle_since_s: float | None = None
        self._looked_s = -np.inf

    def frame_came(self) -> None:
        """Take note that no sensor is missing."""
        self._idle_since_s, self._missing = None, ()

    def late(self, found: LateSensor | None, time_s: float) -> list[Event]:
        """Return that the signals of a sensor are late, if that is new."""
        if found is None or found.sensor in self._late:
            return []
        when = "after" if found.delay_s > 0 else "before"
        return [
            self._is_late(found.sensor, f"signals come {1000 * abs(found.delay_s):.0f} ms {when}", time_s)
        ]

    def look(self, now_s: float, *, estimating: bool, packets_tell: bool) -> list[Event]:
        """Return which sensors the estimate waits for, and whose packets come late.

        Parameters
        ----------
        now_s : float
            On this machine's monotonic clock.
        estimating : bool
            Whether there is an estimate.
        packets_tell : bool
            Whether packets can be told to come late: the times of all samples are of one clock.
        """
        if now_s - self._looked_s < _LOOK_S:
            return []
        self._looked_s = now_s
        newest = now_s - self._frames.ahead_s
        if not estimating:
            return self._waits(now_s, newest)
        if not packets_tell:
            return []
        delays = np.array([health.delay_s for health in self._frames.health])
        later = delays - np.median(delays)
        return [
            self._is_late(k, f"packets come {1000 * later[k]:.0f} ms after", newest)
            for k in np.flatnonzero(later > _LATE_S).tolist()
            if k not in self._late
        ]

    def _waits(self, now_s: float, newest: float) -> list[Event]:
        missing = self._frames.missing()
        self._idle_since_s = now_s if self._idle_since_s is None else self._idle_since_s
        if not missing or missing == self._missing or now_s - self._idle_since_s < _PATIENT_S:
            return []
        self._missing = missing
        names, health = self._sensors.named(missing), self._frames.health
        text = f"The estimate waits for {listed(names)}."
        if useless := [k for k in missing if 0 < health[k].received == health[k].strange]:
            text += f" Of {listed(self._sensors.named(useless))} no sample can be used: axes are missing, "
            text += "or their time is impossible."
        return [Event(newest, "missing", text, names)]

    def _is_late(self, k: int, how: str, time_s: float) -> Event:
        self._late.add(k)
        name = self._sensors.names[k]
        return Event(time_s, "late", f"Sensor '{name}': its {how} those of the others.", (name,))
