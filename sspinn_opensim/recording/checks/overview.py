"""Overview of a recording: its sensors, what the person does in it, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sspinn_opensim.anatomy.names import segment_of
from sspinn_opensim.recording.checks.faults import find_faults
from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.movement.foot_speed import SpeedEstimate, speed_estimate
from sspinn_opensim.recording.movement.phases import GAIT, Phase, phases
from sspinn_opensim.recording.sensors.rest import rests_of
from sspinn_opensim.recording.types import Recording


@dataclass(frozen=True)
class SensorFacts:
    """One sensor in numbers.

    Attributes
    ----------
    name, source, body : str
        In the study, in the file, and what it sits on; empty: not known.
    channels : str
        Which channels were measured, in words.
    resting_m_s2 : float or None
        Magnitude of the specific force in its stillest moments, as it was recorded, m/s^2. None: it never
        rests.
    bias_deg_s : float or None
        Magnitude of the gyroscope's bias from rest, deg/s; None: it never rests for long, or there is none.
    bias_subtracted : bool
        Whether it is subtracted: it is known well enough, and larger than what is not known of it.
    peak_m_s2, peak_deg_s : float or None
        Largest magnitudes; None: not measured.
    """

    name: str
    source: str
    body: str
    channels: str
    resting_m_s2: float | None
    bias_deg_s: float | None
    bias_subtracted: bool
    peak_m_s2: float | None
    peak_deg_s: float | None


@dataclass(frozen=True, eq=False)
class Overview:
    """What is in a recording and what is wrong with it.

    Attributes
    ----------
    recording : Recording
        As it is worked on.
    sensors : tuple of SensorFacts
        In the order of the recording.
    phases : tuple of Phase
        What the person does.
    speed : SpeedEstimate or None
        By the foot sensors; None where they do not say it.
    findings : tuple of Finding
        Notes, doubts, and what is serious.
    """

    recording: Recording
    sensors: tuple[SensorFacts, ...]
    phases: tuple[Phase, ...]
    speed: SpeedEstimate | None
    findings: tuple[Finding, ...]

    @property
    def duration_s(self) -> float:
        """From the first to the last sample, s."""
        return float(self.recording.time_s[-1] - self.recording.time_s[0])

    @property
    def cadence_steps_per_min(self) -> float | None:
        """Mean cadence over all gait, weighted by its time."""
        gait = [p for p in self.phases if p.kind in GAIT and p.cadence_steps_per_min]
        time_s = sum(p.duration_s for p in gait)
        if not time_s:
            return None
        return sum(p.cadence_steps_per_min * p.duration_s for p in gait if p.cadence_steps_per_min) / time_s

    def time_of(self, kind: str) -> float:
        """Return how long a kind of phase lasts in all, s."""
        return sum(p.duration_s for p in self.phases if p.kind == kind)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "name": self.recording.name,
            "samples": len(self.recording.time_s),
            "sampling_rate_hz": round(self.recording.sampling_rate_hz, 6),
            "duration_s": round(self.duration_s, 6),
            "sensors": [_rounded(asdict(sensor)) for sensor in self.sensors],
            "phases": [_rounded(asdict(phase)) for phase in self.phases],
            "cadence_steps_per_min": _round(self.cadence_steps_per_min),
            "speed_estimate": None
            if self.speed is None
            else {"speed_m_s": _round(self.speed.speed_m_s), "how": self.speed.how},
            "stated_speed_m_s": self.recording.speed_m_s,
            "clocks": None if self.recording.clocks is None else asdict(self.recording.clocks),
            "gyroscope_biases": [asdict(bias) for bias in self.recording.gyro_biases],
            "findings": [finding.to_json() for finding in self.findings],
        }


def overview_of(
    recording: Recording, as_recorded: Recording | None = None, sources: Sequence[str] = ()
) -> Overview:
    """Return the overview of a recording.

    Parameters
    ----------
    as_recorded : Recording, optional
        The same before accelerometers were corrected; by default the recording.
    sources : sequence of str
        Names of the sensors in the file, where they are not those of the recording.
    """
    found = phases(recording)
    return Overview(
        recording,
        _facts(recording, as_recorded or recording, sources or recording.sensor_names),
        found,
        speed_estimate(recording, found),
        find_faults(recording, found),
    )


def _facts(recording: Recording, as_recorded: Recording, sources: Sequence[str]) -> tuple[SensorFacts, ...]:
    biases = {bias.sensor: bias for bias in recording.gyro_biases}
    facts = []
    for k, (sensor, rest) in enumerate(zip(recording.sensors, rests_of(as_recorded), strict=True)):
        felt = recording.acceleration_available[k].any()
        turning = recording.angular_rate_available[k].any()
        bias = biases.get(sensor.name) if turning else None
        placed = sensor.body != sources[k] or segment_of(sensor.body) is not None
        body = sensor.imu_frame or (sensor.body if placed else "")
        facts.append(
            SensorFacts(
                name=sensor.name,
                source=sources[k],
                body=body,
                channels=_channels(recording.acceleration_available[k], recording.angular_rate_available[k]),
                resting_m_s2=None if rest is None else rest.magnitude,
                bias_deg_s=None if bias is None else float(np.degrees(np.linalg.norm(bias.bias_rad_s))),
                bias_subtracted=bias is not None and bias.subtracted,
                peak_m_s2=_peak(as_recorded.acceleration[:, k]) if felt else None,
                peak_deg_s=_peak(np.degrees(recording.angular_rate[:, k])) if turning else None,
            )
        )
    return tuple(facts)


def _peak(signal: np.ndarray) -> float:
    return float(np.linalg.norm(signal, axis=1).max())


def _channels(acceleration: np.ndarray, angular_rate: np.ndarray) -> str:
    parts = []
    for words, known in (("acceleration", acceleration), ("angular rate", angular_rate)):
        axes = "".join(axis for axis, is_known in zip("xyz", known, strict=True) if is_known)
        if axes:
            parts.append(f"{words} {axes}")
    return ", ".join(parts) or "none"


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in values.items()}
