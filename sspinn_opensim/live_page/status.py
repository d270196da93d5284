"""The state of a stream in words, and what has become of each sensor in the last second."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sspinn_opensim.streaming.events import Event
from sspinn_opensim.streaming.live import LiveEstimator

#: Over so many looks, half a second from one to the next, rates are told.
_LOOKS = 4
#: Looks in which a sensor that works sends something.
_SILENT = 2


@dataclass(frozen=True)
class _Look:
    """Counts of all sensors at a time."""

    at_s: float
    received: tuple[int, ...]
    held: tuple[int, ...]
    estimated: int


class Status:
    """Follows events and counts.

    Parameters
    ----------
    names : sequence of str
        Of the sensors.
    standing_s : float
        The person stands for so long at the start.
    """

    def __init__(self, names: Sequence[str], standing_s: float) -> None:
        self._names, self._standing_s = tuple(names), standing_s
        self._looks: deque[_Look] = deque(maxlen=_LOOKS + 1)
        self._state, self._text = "waiting", ""
        self._late: dict[str, str] = {}

    def happened(self, event: Event) -> None:
        """Take what happened."""
        if event.kind == "began":
            self._state = "estimating"
        elif event.kind == "withdrawn":
            self._state, self._text = "withdrawn", event.text
        elif event.kind == "missing":
            self._text = event.text
        elif event.kind == "late":
            self._late |= dict.fromkeys(event.sensors, event.text)

    def now(self, live: LiveEstimator, refused: Mapping[str, int], now_s: float) -> dict[str, Any]:
        """Return JSON values: the state in words, sensors, delay, and what was refused."""
        health = list(live.health.values())
        look = _Look(
            now_s,
            tuple(sensor.received for sensor in health),
            tuple(sensor.held for sensor in health),
            live.estimated,
        )
        self._looks.append(look)
        first, recent = self._looks[0], self._looks[max(len(self._looks) - 1 - _SILENT, 0)]
        lasted_s = max(look.at_s - first.at_s, 1e-9)
        earliest_s, sensors = min(sensor.delay_s for sensor in health), []
        for k, (name, sensor) in enumerate(zip(self._names, health, strict=True)):
            sends, held = look.received[k] > recent.received[k], look.held[k] > recent.held[k]
            state = (
                "missing" if not look.received[k] else "silent" if not sends else "held" if held else "fine"
            )
            sensors.append(
                {
                    "name": name,
                    "state": state,
                    "late": self._late.get(name, ""),
                    "rate_hz": round((look.received[k] - first.received[k]) / lasted_s, 1),
                    "received": sensor.received,
                    "lost": sensor.lost,
                    "too_late": sensor.too_late,
                    "held": sensor.held,
                    "strange": sensor.strange,
                    "delay_ms": round(1000 * (sensor.delay_s - earliest_s), 1),
                    "drift_ppm": round(sensor.drift_ppm, 1),
                }
            )
        state, text = self._in_words(sensors, "" if live.aligning is None else live.aligning.told)
        return {
            "state": state,
            "text": text,
            "sensors": sensors,
            "one_clock": live.clock.shared,
            "estimated": live.estimated,
            "frames_hz": round((look.estimated - first.estimated) / lasted_s, 1),
            "latency_ms": live.latency.percentiles_ms(),
            "smoothing_ms": round(1000 * live.frames.look_ahead_s, 1),
            "refused": dict(refused),
            "network": live.network,
            "muscles": "" if live.muscles is None else live.muscles.told,
        }

    def _in_words(self, sensors: list[dict[str, Any]], aligning: str) -> tuple[str, str]:
        if self._state == "estimating":
            held = [sensor["name"] for sensor in sensors if sensor["state"] == "held"]
            if held:
                return "bridging", f"Gaps of {_listed(held)} are bridged."
            return "estimating", f"{len(sensors)} sensors send."
        absent = [sensor["name"] for sensor in sensors if sensor["state"] in {"missing", "silent"}]
        if absent:
            return self._state, self._text or f"The estimate waits for {_listed(absent)}."
        text = aligning or "All sensors are there: the estimate begins within a second."
        if not aligning and self._state == "withdrawn":
            text = "All sensors are there again: the estimate goes on within a second."
        elif not aligning and self._standing_s:
            text = f"All sensors are there. Stand still for {self._standing_s:g} s."
        return self._state, text


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} sensors"
