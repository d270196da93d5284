"""Shocks of steps: by them, signals that were smoothed and axes in another unit than the others are told.

Every step shocks the whole body in all directions, so each sensor has some of its power above 10 Hz, beside
that of the movement below 4 Hz, and each axis of its accelerometer feels some of it. A low-pass filter takes
the shocks away, an axis that is in g where the others are in m/s^2 feels a tenth of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.movement.phases import GAIT, Phase
from sspinn_opensim.recording.types import AXES, Recording

#: How much of the longest gait is looked at, and the least, s.
_LONGEST_S, _SHORTEST_S = 20.0, 2.0
#: Bands of movement, of shocks that a filter takes away, and of those that all axes feel, Hz.
_MOVEMENT_HZ, _SHOCKS_HZ, _ALL_AXES_HZ = (0.5, 4.0), (10.0, 25.0), (8.0, 25.0)
#: How many times less of its power a sensor has in shocks than the others have in the median, with three
#: sensors at least: 29 at most (the trunk of somebody who walks slowly) in 23 recordings of 20 people, real
#: and virtual, 167 sensors; smoothed with 6 Hz 70 and more, with 3 Hz over 1000. It is doubted, or refused.
_DOUBTED, _REFUSED, _FEWEST = 70.0, 300.0, 3
#: Of the geometric mean of what its other axes feel of shocks, an axis feels this part at least: 0.30 and
#: more in the same recordings, a tenth of 0.3 to 4.4 in g. It is not asked where shocks have less than this
#: part of the power of the movement (0.016 and more there), nor where the sensor turns so much less about one
#: axis than about another (0.044 and more) that its motion stays in a plane, as simulated ones may.
_LEAST_OF_AXIS, _SHOCKED, _OUT_OF_PLANE = 0.18, 0.005, 0.03
#: What has less than this part of the largest power, or of others' shocks, never changes: told as dead.
_DEAD = 1e-6


def check_shocks(recording: Recording, found: tuple[Phase, ...]) -> list[Finding]:
    """Return sensors that feel shocks far less than others, or along one axis far less than along others."""
    bout = max((p for p in found if p.kind in GAIT), key=lambda p: p.duration_s, default=None)
    rate_hz = recording.sampling_rate_hz
    if bout is None or bout.duration_s < _SHORTEST_S or rate_hz < 2 * _SHOCKS_HZ[1]:
        return []
    ends = bout.from_s, min(bout.to_s, bout.from_s + _LONGEST_S)
    part = slice(*np.searchsorted(recording.time_s, ends).tolist())
    frequency = np.fft.rfftfreq(part.stop - part.start, 1 / rate_hz)
    force, rate = (_power(signal[part]) for signal in (recording.acceleration, recording.angular_rate))
    findings = []
    for what, power, available in (
        ("accelerations", force, recording.acceleration_available),
        ("angular rates", rate, recording.angular_rate_available),
    ):
        movement, shocks = (
            _of_band(power, frequency, band).sum(axis=1) for band in (_MOVEMENT_HZ, _SHOCKS_HZ)
        )
        measured = np.flatnonzero(available.any(axis=1))
        measured = measured[movement[measured] > _DEAD * movement[measured].max(initial=0.0)]
        share = shocks[measured] / np.maximum(movement[measured], 1e-12)
        findings += _smoothed(share, what, [recording.sensors[k].name for k in measured])
    force = _power(_along_own_axes(recording, part))
    movement, shocks = (_of_band(force, frequency, band) for band in (_MOVEMENT_HZ, _ALL_AXES_HZ))
    shocked = shocks.sum(axis=1) > _SHOCKED * movement.sum(axis=1)
    measured = recording.acceleration_available & recording.angular_rate_available
    for k in np.flatnonzero(shocked & measured.all(axis=1)).tolist():
        turning = np.linalg.eigvalsh(np.cov(recording.angular_rate[part, k].T))
        if turning[0] < _OUT_OF_PLANE**2 * turning[-1]:
            continue
        findings += _of_axes(np.sqrt(shocks[k]), recording.sensors[k].name)
    return findings


def _along_own_axes(recording: Recording, part: slice) -> np.ndarray:
    """Return accelerations (n, k, 3) of a part along the axes that were recorded: each may have its unit."""
    return np.einsum("nki,kij->nkj", recording.acceleration[part], recording.rotations)


def _smoothed(share: np.ndarray, what: str, names: list[str]) -> Iterator[Finding]:
    """Return which of k sensors have a far smaller share of shocks (k,) than the others."""
    if len(names) < _FEWEST:
        return
    for k, name in enumerate(names):
        less = float(np.median(np.delete(share, k))) / max(float(share[k]), 1e-12)
        if less > _DOUBTED:
            says = (
                f"beside the movement its {what} have {_times(less)} less power above {_SHOCKS_HZ[0]:g} Hz "
                "than those of the other sensors; 29 times is the most that is usual."
            )
            advice = "export it without smoothing, as the others"
            yield Finding(
                "serious" if less > _REFUSED else "doubt", "smoothed", says, sensor=name, advice=advice
            )


def _of_axes(shocks: np.ndarray, name: str) -> Iterator[Finding]:
    """Return whether an axis of a sensor feels too little of the shocks along all three."""
    others = np.sqrt(np.maximum(np.roll(shocks, 1) * np.roll(shocks, -1), 1e-12))
    axis = int((shocks / others).argmin())
    if _DEAD < shocks[axis] / others[axis] < _LEAST_OF_AXIS:
        says = (
            f"along its {AXES[axis]} it feels {_times(others[axis] / shocks[axis])} less of the shocks of "
            "steps than along its other axes; 3 times is the most that is usual."
        )
        advice = "look at the unit of that axis: what is in g, beside others in m/s^2, is 9.8 times too small"
        yield Finding("doubt", "acceleration_unit", says, sensor=name, advice=advice)


def _times(less: float) -> str:
    """Return a factor in words."""
    return f"{less:.0f} times" if less < 1000 else "more than 1000 times"


def _power(signal: np.ndarray) -> np.ndarray:
    """Return the power of signals (n, k, 3) at each frequency."""
    window = np.hanning(len(signal))[:, None, None]
    spectrum = np.fft.rfft((signal - signal.mean(axis=0)) * window, axis=0)
    return spectrum.real**2 + spectrum.imag**2


def _of_band(power: np.ndarray, frequency: np.ndarray, band: tuple[float, float]) -> np.ndarray:
    """Return the power of signals in a band, (k, 3)."""
    return power[(frequency >= band[0]) & (frequency < band[1])].sum(axis=0)
