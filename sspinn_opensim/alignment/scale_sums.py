"""Sums for `scales`: gravity over strides, forces at joints, and how faults of sensors change them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.model import Model
from sspinn_opensim.alignment.neighbours import joints_between
from sspinn_opensim.alignment.strides import attitudes
from sspinn_opensim.anatomy.names import MIDDLE
from sspinn_opensim.recording.movement.phases import GAIT, Phase
from sspinn_opensim.recording.sensors.placement import site_of
from sspinn_opensim.recording.sensors.rest import Rest, rest_of
from sspinn_opensim.recording.signals.filters import mean_around
from sspinn_opensim.recording.types import Recording
from sspinn_opensim.recording.units import GRAVITY

#: What is looked at: so much of the longest gait and of the longest standing, s, at so many samples a second,
#: in windows of a stride at every half of one, three at least.
_LONGEST_S, _STANDING_S, _ENOUGH_HZ, _FEWEST = 20.0, 5.0, 100.0, 3
#: Harmonics of the stride, on either side of zero: soft tissue swings faster.
_HARMONICS = 4
#: Standard deviation of the difference between both forces at a joint in each harmonic: m/s^2, and as a part
#: of that harmonic. Root mean squares of what is left over these: 0.5 to 1.3 in nine recordings of seven
#: people who walk and 21 virtual ones, 1 to 2.4 in running.
_FORCE_SD, _FORCE_SHARE = 0.35, 0.12
#: Of ways from sensors to joints, m, and of lags between neighbours, s.
_WAY_SD_M, _LAG_SD_S = 0.06, 0.012
#: Of gravity over strides, m/s^2, and as a part, what an error of a gyroscope's scale that is none adds.
#: Sensors of seven people who walk: -2.4 to 2.4 %, but for two whose accelerometers are off at rest, too.
_GRAVITY_SD, _SCALE_SD = 0.12, 0.04
#: Of the magnitude in the stillest moments, m/s^2.
_REST_SD = 0.2
#: Less is no force, m/s^2.
_NOTHING = 1e-6


@dataclass(frozen=True, eq=False)
class Sums:
    """Normal equations of what is seen for faults of k sensors, with ways and lags fitted.

    Attributes
    ----------
    sensors : tuple of int
        That are looked at.
    turning : tuple of int
        Those of them that turn enough to tell a scale of their rates: on legs.
    gravity : dict of int to float
        Over strides, by each of them, m/s^2.
    square, slope : (4 k, 4 k) and (4 k,) array
        For scales of the rates, scales of the forces, and offsets forward and up of all sensors in turn.
    cost, count : float
        Sum of squares without a fault, and how many.
    """

    sensors: tuple[int, ...]
    turning: tuple[int, ...]
    gravity: dict[int, float]
    square: np.ndarray
    slope: np.ndarray
    cost: float
    count: int


@dataclass(frozen=True, eq=False)
class _Sensor:
    """What a sensor says over w windows of t samples, in the sagittal plane: complex, forward and up.

    Attributes
    ----------
    force, per_way : (w, t) complex array
        Specific force, and what a way from the sensor adds to it, along the axes of the segment.
    angle, rate : (w, t) array
        How far it has turned, rad, and turns, rad/s.
    gravity : float
        Mean of the force over windows in axes that stand still, m/s^2.
    """

    force: np.ndarray
    per_way: np.ndarray
    angle: np.ndarray
    rate: np.ndarray
    gravity: float

    @property
    def changes(self) -> tuple[np.ndarray, ...]:
        """How the force in axes that stand still changes with each scale and offset, but by its way."""
        world = self.force * self.turned
        return 1j * self.angle * world, world, self.turned, 1j * self.turned

    @property
    def turned(self) -> np.ndarray:
        """Attitude."""
        return np.exp(1j * self.angle)


@dataclass(frozen=True, eq=False)
class Gait:
    """Gait in a recording, of which sums are made.

    Attributes
    ----------
    recording : Recording
        Along the axes of the bodies.
    sites : dict of int to (str, str)
        Segment and side of the sensors that are looked at.
    part, every, at : slice, int, (w, t) array
        The part of the recording, the step in it, and samples of windows of a stride in that.
    joints : list of (int, int, (2, 3) array)
        As `joints_between` yields them.
    rests : dict of int to Rest
        The stillest moments of sensors with all channels.
    """

    recording: Recording
    sites: dict[int, tuple[str, str]]
    part: slice
    every: int
    at: np.ndarray
    joints: list[tuple[int, int, np.ndarray]]
    rests: dict[int, Rest]


def find_gait(recording: Recording, model: Model, doing: Sequence[Phase]) -> Gait | None:
    """Return the gait in a recording; None where there is none, or no sensor whose axes are known.

    Parameters
    ----------
    recording, model, doing
        As for `odd_scales`.
    """
    windows = _windows(recording, doing)
    force, rate = recording.acceleration_available, recording.angular_rate_available
    sagittal = force[:, :2].all(axis=1) & rate[:, 2]
    known = [site_of(sensor) if sensor.axes_known else None for sensor in recording.sensors]
    sites = {k: site for k, site in enumerate(known) if site and sagittal[k]}
    if windows is None or not sites:
        return None
    joints = list(joints_between(recording, model))
    return Gait(recording, sites, *windows, joints, _rests(recording, list(sites), windows[0], doing))


def sums_of(gait: Gait, mended: np.ndarray | None = None) -> Sums:
    """Return what scales and offsets of sensors would change, and how far off what is seen is.

    Parameters
    ----------
    mended : (k,) array, optional
        By what the angular rates of each sensor are multiplied.
    """
    recording, at = gait.recording, gait.at
    count = len(recording.sensors)
    mended = np.ones(count) if mended is None else mended
    seen = {k: _sensor(recording, k, gait.part, gait.every, at, mended[k]) for k in gait.sites}
    square, slope, cost, seen_once = np.zeros((4 * count, 4 * count)), np.zeros(4 * count), 0.0, 0
    for parent, child, ways in gait.joints:
        step_s = gait.every / recording.sampling_rate_hz
        slopes, differences = _at_joint((seen[parent], seen[child]), ways, step_s)
        faults = np.concatenate([np.arange(k, 4 * count, count) for k in (parent, child)])
        squares, own, left = _eliminated(slopes, differences)
        square[np.ix_(faults, faults)] += squares
        slope[faults] += own
        cost += left
        seen_once += len(differences)
    # How strides differ says nothing: all of them together count as one.
    seen_once //= len(at)
    for k in gait.sites:
        slopes, differences = _gravity(seen[k], gait.rests.get(k))
        faults = np.arange(k, 4 * count, count)
        square[np.ix_(faults, faults)] += slopes.T @ slopes
        slope[faults] += slopes.T @ differences
        cost += float(differences @ differences)
        seen_once += len(differences)
    return Sums(
        tuple(gait.sites),
        tuple(k for k, (segment, _) in gait.sites.items() if segment not in MIDDLE),
        {k: seen[k].gravity for k in gait.sites},
        square,
        slope,
        cost,
        seen_once,
    )


def _eliminated(slopes: np.ndarray, differences: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return normal equations of the faults at a joint, ways and lag fitted, and the squares that are left.

    Parameters
    ----------
    slopes, differences : (m, 13) and (m,) array
        As `_at_joint` returns them.
    """
    square, slope = slopes.T @ slopes, slopes.T @ differences
    faults, fitted = slice(None, 8), slice(8, None)
    inner = square[fitted, fitted] + np.diag([_WAY_SD_M**-2] * 4 + [_LAG_SD_S**-2])
    share = np.linalg.solve(inner, np.column_stack([square[fitted, faults], slope[fitted]]))
    return (
        square[faults, faults] - square[faults, fitted] @ share[:, :-1],
        slope[faults] - square[faults, fitted] @ share[:, -1],
        float(differences @ differences - slope[fitted] @ share[:, -1]),
    )


def _windows(recording: Recording, doing: Sequence[Phase]) -> tuple[slice, int, np.ndarray] | None:
    """Return a part of gait, the step in it, and samples (w, t) of windows of a stride in that."""
    bouts = [(phase, s) for phase in doing if phase.kind in GAIT and (s := phase.stride_s) is not None]
    if not bouts:
        return None
    bout, stride_s = max(bouts, key=lambda each: each[0].duration_s)
    every = max(int(recording.sampling_rate_hz / _ENOUGH_HZ), 1)
    part = _part(recording, bout, _LONGEST_S)
    length = round(stride_s * recording.sampling_rate_hz / every)
    usable = recording.usable[part][::every]
    at = np.arange(0, max(len(usable) - length, 0), max(length // 2, 1))[:, None] + np.arange(length)
    at = at[usable[at].all(axis=1)]
    return (part, every, at) if len(at) >= _FEWEST and length > 2 * _HARMONICS else None


def _part(recording: Recording, phase: Phase, longest_s: float) -> slice:
    """Return the first seconds of a phase."""
    until_s = min(phase.to_s, phase.from_s + longest_s)
    first, last = (int(np.searchsorted(recording.time_s, t)) for t in (phase.from_s, until_s))
    return slice(first, last)


def _sensor(recording: Recording, k: int, part: slice, every: int, at: np.ndarray, mended: float) -> _Sensor:
    """Return what a sensor says over windows, with its angular rates times a factor."""
    step_s = every / recording.sampling_rate_hz
    force, rate = (
        mean_around(signal[part, k], every)[::every]
        for signal in (recording.acceleration, recording.angular_rate)
    )
    rate = mended * rate
    plane, about = (force[:, 0] + 1j * force[:, 1])[at], rate[:, 2][at]
    # Who walks is as upright after a stride as before: the rest is bias.
    about = about - about.mean(axis=1, keepdims=True)
    angle = step_s * (np.cumsum(about, axis=1) - 0.5 * about)
    angle -= angle.mean(axis=1, keepdims=True)
    if recording.acceleration_available[k].all() and recording.angular_rate_available[k].all():
        attitude = attitudes(step_s * rate[at][:, :-1, None])[:, :, 0]
        mean = np.einsum("wtij,wtj->wi", attitude, force[at]) / at.shape[1]
    else:
        mean = (plane * np.exp(1j * angle)).mean(axis=1, keepdims=True)
    gravity = float(np.median(np.linalg.norm(mean, axis=1)))
    per_way = 1j * np.gradient(rate[:, 2], step_s)[at] - about**2
    return _Sensor(plane, per_way, angle, about, gravity)


def _rests(
    recording: Recording, sensors: Sequence[int], gait: slice, doing: Sequence[Phase]
) -> dict[int, Rest]:
    """Return the stillest moments of sensors with all channels."""
    still = [phase for phase in doing if phase.kind == "standing"]
    longest = sorted(still, key=lambda phase: -phase.duration_s)[:1]
    parts = [gait, *(_part(recording, phase, _STANDING_S) for phase in longest)]
    known = np.all(recording.acceleration_available & recording.angular_rate_available, axis=1)
    usable = np.concatenate([recording.usable[part] for part in parts])
    found = {}
    for k in sensors:
        if not known[k]:
            continue
        force, rate = (
            np.concatenate([signal[part, k] for part in parts])
            for signal in (recording.acceleration, recording.angular_rate)
        )
        rest = rest_of(force, rate, recording.sampling_rate_hz, usable)
        if rest is not None:
            found[k] = rest
    return found


def _at_joint(
    both: tuple[_Sensor, _Sensor], ways: np.ndarray, step_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far harmonics of the force at a joint differ between sensors, in standard deviations.

    Returns
    -------
    (m, 13) and (m,) array
        Slopes of the differences, by the four faults of either sensor, their ways forward and up, and the lag
        of the second; and the differences.
    """
    length = both[0].angle.shape[1]
    order = np.concatenate([np.arange(-_HARMONICS, 0), np.arange(1, _HARMONICS + 1)])
    project = np.exp(-2j * np.pi * np.outer(np.arange(length), order) / length) / length
    faults, fitted, felt = [], [], []
    for sensor, way, sign in zip(both, ways, (1, -1), strict=True):
        at = complex(way[0], way[1])
        world = (sensor.force + sensor.per_way * at) * sensor.turned
        mean = world.mean(axis=1, keepdims=True)
        weight = np.maximum(np.abs(mean), _NOTHING)
        upright = 1j * np.conj(mean) / weight  # turns the mean up, however the sensor leans
        of_way = sensor.turned * sensor.per_way
        rate, scale, *offset = sensor.changes
        # Accelerations at the joint change with the scale of the rates, too.
        rate = rate + (1j * sensor.angle * of_way + sensor.turned * (sensor.per_way - sensor.rate**2)) * at
        for slopes, changes in ((faults, (rate, scale, *offset)), (fitted, (of_way, 1j * of_way))):
            for change in changes:
                leans = (np.conj(mean) * change.mean(axis=1, keepdims=True)).imag / weight**2
                slopes.append(sign * (upright * (change - 1j * leans * world)) @ project)
        felt.append((upright * world) @ project)
    slopes = np.stack([*faults, *fitted, 2j * np.pi * order / (length * step_s) * felt[1]], axis=-1)
    size = np.sqrt(np.mean([np.abs(each) ** 2 for each in felt], axis=(0, 1)))
    weight = 1 / (np.hypot(_FORCE_SD, _FORCE_SHARE * size) * np.sqrt(len(felt[0])))
    difference = ((felt[0] - felt[1]) * weight).ravel()
    slopes = (slopes * weight[:, None]).reshape(len(difference), -1)
    return np.concatenate([slopes.real, slopes.imag]), np.concatenate([difference.real, difference.imag])


def _gravity(sensor: _Sensor, rest: Rest | None) -> tuple[np.ndarray, np.ndarray]:
    """Return how far gravity is off over strides, and at rest, in standard deviations.

    Returns
    -------
    (m, 4) and (m,) array
        Slopes, by the four faults of the sensor, and what is off.
    """
    mean = (sensor.force * sensor.turned).mean(axis=1)
    size = np.maximum(np.abs(mean), _NOTHING)
    changes = [(np.conj(mean) * change.mean(axis=1)).real / size for change in sensor.changes]
    slope = np.median(changes, axis=1)
    sd = float(np.hypot(_GRAVITY_SD, _SCALE_SD * slope[0]))
    slopes, off = [slope / sd], [(sensor.gravity - GRAVITY) / sd]
    if rest is not None:
        force = float(np.linalg.norm(rest.acceleration))
        slopes.append(np.array([0.0, force, *(rest.acceleration[:2] / force)]) / _REST_SD)
        off.append(rest.error / _REST_SD)
    return np.array(slopes), np.array(off)
