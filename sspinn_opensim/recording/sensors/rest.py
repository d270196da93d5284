"""Rest of sensors: what each reads in the moments in which it hardly moves, and what that corrects."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.cores import side_by_side
from sspinn_opensim.recording.choices import Correction
from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.signals.filters import running_mean
from sspinn_opensim.recording.signals.magnitude import magnitudes
from sspinn_opensim.recording.signals.runs import windows_within
from sspinn_opensim.recording.types import Recording
from sspinn_opensim.recording.units import GRAVITY

#: Accelerometers of inertial sensors are off by 40 mg (0.4 m/s^2) an axis and 1 % at most (data sheets of
#: consumer parts; calibrated ones by a tenth of it): from here on one is out of order, m/s^2.
#: Sensors of 5 public data sets: good ones within 0.5, two that are known to be wrong off by 0.8 to 2.6.
REST_TOLERANCE = 0.6
#: Farther than this from gravity it is no accelerometer that is off but another quantity or unit, m/s^2.
LARGEST_ERROR = 5.0
#: A sensor hardly moves where for this long the magnitude of its specific force has a standard deviation, and
#: its angular rate a largest value, below these: s, m/s^2, rad/s. Walking has such moments too: a foot in
#: stance, a trunk.
_WINDOW_S, _SPREAD, _RATE = 0.2, 0.5, 0.3
#: Of these moments the stillest count, this share and number at least.
_SHARE, _FEWEST = 0.05, 5
#: In free fall nothing is felt: below half of gravity nobody rests, m/s^2.
_FALLING = 4.9


@dataclass(frozen=True, eq=False)
class Rest:
    """The stillest moments of one sensor.

    Attributes
    ----------
    acceleration, angular_rate : (3,) array
        Means over them, along the sensor's axes: m/s^2, rad/s.
    magnitude : float
        Median of the specific force's magnitude, m/s^2.
    moments : int
        How many windows of 0.2 s were still, overlapping ones too.
    """

    acceleration: np.ndarray
    angular_rate: np.ndarray
    magnitude: float
    moments: int

    @property
    def error(self) -> float:
        """How far the magnitude is from gravity, m/s^2."""
        return self.magnitude - GRAVITY


def rest_of(
    acceleration: np.ndarray, angular_rate: np.ndarray, rate_hz: float, usable: np.ndarray | None = None
) -> Rest | None:
    """Return the stillest moments of a sensor; None if it never rests.

    Parameters
    ----------
    acceleration, angular_rate : (n, 3) array
        Specific force, m/s^2, and angular rate, rad/s, along any axes that turn with the sensor.
    rate_hz : float
        Sampling rate, Hz.
    usable : (n,) array of bool, optional
        Samples that are no gap that was filled. By default all.
    """
    width = max(round(_WINDOW_S * rate_hz), 3)
    if len(acceleration) < width + _FEWEST:
        return None
    magnitude = magnitudes(acceleration)
    mean = running_mean(magnitude, width)
    spread = running_mean(magnitude**2, width) - mean**2
    slow = windows_within(magnitudes(angular_rate) < _RATE, width)
    still = (spread < _SPREAD**2) & slow & (mean > _FALLING)
    if usable is not None:
        still &= windows_within(usable, width)
    still = np.flatnonzero(still)
    if len(still) < _FEWEST:
        return None
    vector, rate = running_mean(acceleration, width), running_mean(angular_rate, width)
    moving = running_mean((acceleration**2).sum(axis=1), width) - (vector**2).sum(axis=1)
    chosen = still[np.argsort(moving[still], kind="stable")[: max(_FEWEST, int(_SHARE * len(still)))]]
    return Rest(
        vector[chosen].mean(axis=0), rate[chosen].mean(axis=0), float(np.median(mean[chosen])), len(still)
    )


def rests_of(recording: Recording) -> tuple[Rest | None, ...]:
    """Return the rest of each sensor; None also where a channel is missing, for a part is no magnitude."""
    known = np.all(recording.acceleration_available & recording.angular_rate_available, axis=1)

    def of(k: int) -> Rest | None:
        signals = recording.acceleration[:, k], recording.angular_rate[:, k]
        return rest_of(*signals, recording.sampling_rate_hz, recording.usable) if known[k] else None

    return tuple(side_by_side(of, range(len(recording.sensors))))


def corrected_at_rest(recording: Recording, correction: Correction) -> Recording:
    """Return a recording whose accelerometers read gravity at rest, with a finding for each that did not.

    Only sensors that are off by more than `REST_TOLERANCE` are changed. One posture does not tell an offset
    from a scale. An offset is the default: of the two sensors of capsense_walk (Pearl et al. 2022) that read
    12.2 and 11 m/s^2, the foot then moves like the other foot of the same person (95th percentile of the
    magnitude 18.5 to 21.8 beside 19.0 to 21.0 m/s^2, scaled 16.4 to 18.8 in four people) and its steps
    are as fast as the treadmill; scaled they are 9 to 15 % too slow.

    Parameters
    ----------
    correction : {'offset', 'scale', 'none'}
        What is taken away: a constant along gravity at rest, a factor, or nothing.
    """
    acceleration, found = recording.acceleration.copy(), []
    for k, rest in enumerate(rests_of(recording)):
        if rest is None or not REST_TOLERANCE < abs(rest.error) < LARGEST_ERROR:
            continue
        name = recording.sensors[k].name
        offset = rest.acceleration * (1.0 - GRAVITY / float(np.linalg.norm(rest.acceleration)))
        factor = GRAVITY / rest.magnitude
        if correction == "offset":
            acceleration[:, k] -= offset
            done = f"an offset of {np.linalg.norm(offset):.2f} m/s^2 along gravity at rest is taken away"
        elif correction == "scale":
            acceleration[:, k] *= factor
            done = f"it is scaled by {factor:.4f}"
        else:
            done = ""
        found.append(
            Finding(
                "doubt" if done else "serious",
                "resting_magnitude",
                f"it reads {rest.magnitude:.2f} m/s^2 in its stillest moments instead of {GRAVITY:.2f}"
                + (f"; {done}." if done else "."),
                sensor=name,
                advice="calibrate this accelerometer before the next recording"
                if done
                else 'rest_correction = "offset" under [recording] corrects it',
            )
        )
    if not found:
        return recording
    return dataclasses.replace(recording, acceleration=acceleration, findings=(*recording.findings, *found))
