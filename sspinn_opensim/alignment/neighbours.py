"""Lags between sensors on neighbouring segments: the joint between them moves as both say, at the same time.

Rigid bodies that share a joint feel the same specific force at its centre (Seel, Raisch and Schauer 2014,
Sensors 14:6891): f + w' x r + w x (w x r), with the way r from sensor to joint, has one magnitude by both
sensors, however either is turned. The lag at which both fit best is how late one is to the other; ways, known
to some centimetres, are fitted along. Sensors that are late are those few that explain the lags of all pairs.

On 10 recordings of 8 people (walking, one stiff knee, running) lags by the joints come out as -6 to 3 ms at
ankles, -22 to 4 at knees, -18 to 9 at hips, where soft tissue comes late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.model import Model
from sspinn_opensim.anatomy.joint_centres import joint_centre
from sspinn_opensim.anatomy.sensor_places import joint_above
from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.movement.phases import GAIT, Phase
from sspinn_opensim.recording.sensors.placement import site_of
from sspinn_opensim.recording.sensors.places import place
from sspinn_opensim.recording.signals.filters import both_ways, butterworth
from sspinn_opensim.recording.types import Recording, Sensor

#: Segment -> the one that carries it, how large the lag between sensors on both may be that says nothing, s
#: (those of the recordings above, and an eighth more), and its standard deviation, s.
_CARRIED_BY = {
    "foot": ("shank", 0.010, 0.005),
    "shank": ("thigh", 0.025, 0.010),
    "thigh": ("pelvis", 0.020, 0.012),
}
#: A sensor is late by about this, s, if it is late at all: what one must explain to be named.
_USUAL_LAG_S = 0.06
#: A sensor that is late by more than this, s, is doubted, or refused.
_DOUBTED_S, _REFUSED_S = 0.025, 0.032
#: A gyroscope that is late to the accelerometer of its sensor: lags that are tried first, up to which is
#: looked, and from which on they count, s; at so many samples a second.
_GYROSCOPE_TRIED_S, _GYROSCOPE_LARGEST_S, _GYROSCOPE_SMALLEST_S = 0.03, 0.07, 0.018
_GYROSCOPE_ENOUGH_HZ = 50.0
#: What it gains, a logarithm of what is left at the joints of the sensor, from which on it is worth a look,
#: doubted, and refused. Without a fault, in 43 recordings of 20 people, lags of 12 ms and more gain 0.25 at
#: most in space, and 0.48 in the plane (a foot at 5 m/s, thighs).
_GYROSCOPE_HINTS, _GYROSCOPE_DOUBTED, _GYROSCOPE_REFUSED = 0.2, 0.7, 1.4
#: Pelvis and trunk turn too little: theirs gain up to 0.4 at 70 ms.
_GYROSCOPE_ON = ("foot", "shank", "thigh")
#: Lags up to this are looked for, s, at first in steps of this, s.
_LARGEST_S, _STEP_S = 0.2, 0.02
#: Gait that is looked at, s, at so many samples a second: the first of the longest phase.
_LONGEST_S, _SHORTEST_S, _ENOUGH_HZ = 20.0, 2.0, 100.0
#: Tissue swings above this, Hz.
_LOWPASS_HZ = 10.0
#: Samples by which signals are continued at either end before they are filtered.
_PADDING = 9
#: Standard deviation of the ways from sensors to joints, m, and of the difference of both forces, m/s^2, so
#: many samples of which count as one.
_WAY_SD_M, _FORCE_SD, _TOGETHER = 0.05, 1.0, 10.0
#: Both sensors say the same of a joint only if their difference is smaller than this part of the variance.
_EXPLAINED = 0.75
#: A lag beyond what is usual has to be so much likelier, a logarithm, than one within. It is 3.0 at most of
#: good sensors that were refused without this, in 6 of 183 parts of 2.5 to 6 s of these recordings: at a knee
#: of fast walking lags 60 ms apart fit nearly as well.
_LIKELIER = 3.5
_FITS = 4


@dataclass(frozen=True)
class _Lag:
    """By how much sensor `child` is late to sensor `parent`, s, what of it is usual, and its deviation."""

    parent: int
    child: int
    lag_s: float
    usual_s: float
    sd_s: float

    @property
    def ends(self) -> tuple[int, int]:
        """Both sensors."""
        return self.parent, self.child


@dataclass(frozen=True, eq=False)
class _Joint:
    """What one sensor says of a joint: the force (3, n) at its place, what a way adds (3, 3, n), the way."""

    force: np.ndarray
    per_way: np.ndarray
    way: np.ndarray


@dataclass(frozen=True, eq=False)
class _Shared:
    """What the sensors `ends`, the carrying one first, say of a joint, and which of these n samples count."""

    ends: tuple[int, int]
    both: tuple[_Joint, _Joint]
    good: np.ndarray
    step_s: float


def late_sensors(recording: Recording, model: Model, doing: Sequence[Phase]) -> list[Finding]:
    """Return the sensors whose signals come later, or earlier, than those of their neighbours.

    Where a gyroscope is late to the accelerometer beside it, that alone is told: lags of whole sensors then
    mean little.

    Parameters
    ----------
    recording : Recording
        Along the axes of the bodies.
    model : Model
        Carries the sensors; scaled to the person or not.
    doing : sequence of Phase
        What the person does: only straight gait counts.
    """
    shared = _shared(recording, model, doing)
    found = _late_gyroscopes(recording, shared)
    lags = [] if found else _lags(recording, shared)
    if not lags:
        return found
    names = [sensor.name for sensor in recording.sensors]
    for k, late_s in enumerate(_lateness(lags, len(names))):
        if abs(late_s) < _DOUBTED_S:
            continue
        others = [f"'{names[sum(lag.ends) - k]}'" for lag in lags if k in lag.ends]
        says = (
            f"Its signals come {1000 * abs(late_s):.0f} ms {'after' if late_s > 0 else 'before'} those of "
            f"{' and '.join(others)}, by the joints between them."
        )
        advice = "start all sensors by one command, or export them with a common clock"
        severity = "serious" if abs(late_s) > _REFUSED_S else "doubt"
        found.append(Finding(severity, "time_offset", says, sensor=names[k], advice=advice))
    return found


def _late_gyroscopes(recording: Recording, shared: Sequence[_Shared]) -> list[Finding]:
    """Return the sensor whose gyroscope is late, or early, to its accelerometer, if one is."""
    if not shared:
        return []
    step_s = shared[0].step_s
    tried = round(_GYROSCOPE_TRIED_S / step_s)
    costs = _GyroscopeCosts(shared, widest=round(_GYROSCOPE_LARGEST_S / step_s))
    sites = [site_of(sensor) for sensor in recording.sensors]
    told = [k for k, site in enumerate(sites) if site and site[0] in _GYROSCOPE_ON and costs.of(k)]
    # One step to either side says whether it is worth while to look at all.
    gains = {k: max(costs.gain(k, lag) for lag in (-tried, tried)) for k in told}
    if max(gains.values(), default=0.0) < _GYROSCOPE_HINTS:
        return []
    worst = max(gains, key=lambda k: gains[k])
    lag = max(range(-costs.widest, costs.widest + 1), key=lambda lag: costs.gain(worst, lag))
    gain, late_s = costs.gain(worst, lag), step_s * costs.between(worst, lag)
    # The whole sensor, or another one, may be what is late.
    otherwise = max(costs.gain_whole(k) for k in range(len(sites)) if costs.of(k))
    if gain < max(_GYROSCOPE_DOUBTED, otherwise) or abs(late_s) < _GYROSCOPE_SMALLEST_S:
        return []
    less = 100 * (1 - np.exp(-gain))
    return [
        Finding(
            "serious" if gain > _GYROSCOPE_REFUSED else "doubt",
            "time_offset",
            f"Its gyroscope comes {1000 * abs(late_s):.0f} ms {'after' if late_s > 0 else 'before'} its own "
            f"accelerometer: moved so, what it says of its joints departs {less:.0f} % less, in squares, "
            "from what its neighbours say.",
            sensor=recording.sensors[worst].name,
            advice="export both with the time stamps of the sensor, or without a filter that delays one of "
            "them",
        )
    ]


class _GyroscopeCosts:
    """What is left at joints with the gyroscope of one sensor moved, as far as it was asked for."""

    def __init__(self, shared: Sequence[_Shared], widest: int) -> None:
        self.widest = widest
        self._shared = shared
        self._known: dict[tuple[int, int, int, bool], float] = {}

    def of(self, k: int) -> list[int]:
        """Return the joints of a sensor."""
        return [j for j, joint in enumerate(self._shared) if k in joint.ends]

    def gain(self, k: int, lag: int, *, whole: bool = False) -> float:
        """Return by how much costs of a sensor's joints fall, logarithms, its gyroscope or all of it late."""
        return sum(self._cost(j, k, 0, whole) - self._cost(j, k, lag, whole) for j in self.of(k))

    def gain_whole(self, k: int) -> float:
        """Return the same for the whole of a sensor, where that is best."""
        return max(self.gain(k, lag, whole=True) for lag in range(-self.widest, self.widest + 1, 2))

    def between(self, k: int, lag: int) -> float:
        """Return where between lags the best one is."""
        if abs(lag) == self.widest:
            return float(lag)
        before, here, after = (self.gain(k, lag + step) for step in (-1, 0, 1))
        bend = before - 2 * here + after
        return lag + (0.5 * (before - after) / bend if bend < 0 else 0.0)

    def _cost(self, j: int, k: int, lag: int, whole: bool) -> float:
        key = (j, k if lag else -1, lag, whole and lag != 0)
        if key not in self._known:
            joint = self._shared[j]
            at = np.flatnonzero(joint.good)
            at = at[(at >= self.widest) & (at < len(joint.good) - self.widest)]
            at = at[:: max(round(1 / (_GYROSCOPE_ENOUGH_HZ * joint.step_s)), 1)]
            both = list(joint.both)
            end = joint.ends.index(k)
            own = both[end]
            # Samples at either end, where it comes round, are not looked at.
            moved = np.roll(own.per_way, -lag, axis=2)
            both[end] = _Joint(np.roll(own.force, -lag, axis=1) if whole else own.force, moved, own.way)
            self._known[key] = float(np.log(_cost(both[0], both[1], at, 0)))
        return self._known[key]


def joint_lags(recording: Recording, model: Model, doing: Sequence[Phase]) -> list[_Lag]:
    """Return the lag between each two sensors on neighbouring segments, as far as a joint tells it."""
    return _lags(recording, _shared(recording, model, doing))


def _lags(recording: Recording, shared: Sequence[_Shared]) -> list[_Lag]:
    found = []
    for joint in shared:
        site = site_of(recording.sensors[joint.ends[1]])
        assert site is not None
        _, usual_s, sd_s = _CARRIED_BY[site[0]]
        lag_s = _best_lag(*joint.both, joint.good, joint.step_s, usual_s)
        if lag_s is not None:
            found.append(_Lag(*joint.ends, lag_s, usual_s, sd_s))
    return found


def _shared(recording: Recording, model: Model, doing: Sequence[Phase]) -> list[_Shared]:
    """Return what both sensors say of each joint in the longest gait."""
    rate_hz = recording.sampling_rate_hz
    every = max(int(rate_hz / _ENOUGH_HZ), 1)
    bout = max((p for p in doing if p.kind in GAIT), key=lambda p: p.duration_s, default=None)
    if bout is None or bout.duration_s < _SHORTEST_S or rate_hz < 4 * _LOWPASS_HZ:
        return []
    first = int(np.searchsorted(recording.time_s, bout.from_s))
    last = int(np.searchsorted(recording.time_s, min(bout.to_s, bout.from_s + _LONGEST_S)))
    step_s, good = every / rate_hz, recording.usable[first:last:every]
    found: list[_Shared] = []
    for parent, child, ways in joints_between(recording, model):
        axes = _shared_axes(recording, parent, child)
        assert axes is not None
        both = [
            _at_joint(recording, k, slice(first, last), every, way, axes)
            for k, way in zip((parent, child), ways, strict=True)
        ]
        found.append(_Shared((parent, child), (both[0], both[1]), good, step_s))
    return found


def joints_between(recording: Recording, model: Model) -> Iterator[tuple[int, int, np.ndarray]]:
    """Return the joints with a sensor on both sides, as far as both have the channels of the sagittal plane.

    Parameters
    ----------
    recording : Recording
        Along the axes of the bodies; sensors whose axes are not known are passed over.
    model : Model
        Carries the sensors.

    Yields
    ------
    tuple of int, int, (2, 3) array
        The sensor on the carrying segment, the other one, and the ways from both to the centre of the joint,
        in the axes of their bodies, m.
    """
    for parent, child in _pairs(recording.sensors):
        frames = [place(recording.sensors[k], model) for k in (parent, child)]
        joint = joint_above(model, frames[1].body)
        if joint is None or frames[0].body == frames[1].body or not _shared_axes(recording, parent, child):
            continue
        yield parent, child, np.array([joint_centre(model, joint, f.body) - f.position for f in frames])


def _pairs(sensors: Sequence[Sensor]) -> Iterator[tuple[int, int]]:
    """Return sensors on neighbouring segments, the carrying one first."""
    sites = [site_of(sensor) if sensor.axes_known else None for sensor in sensors]
    for child, site in enumerate(sites):
        if site is None or site[0] not in _CARRIED_BY:
            continue
        segment = _CARRIED_BY[site[0]][0]
        for parent, other in enumerate(sites):
            if other in ((segment, site[1]), (segment, "")):
                yield parent, child


def _shared_axes(recording: Recording, one: int, other: int) -> list[int] | None:
    """Return the axes in which two sensors are compared: all, the sagittal ones, or None."""
    force, rate = recording.acceleration_available, recording.angular_rate_available
    if all(force[k].all() and rate[k].all() for k in (one, other)):
        return [0, 1, 2]
    return [0, 1] if all(force[k, :2].all() and rate[k, 2] for k in (one, other)) else None


def _at_joint(
    recording: Recording, k: int, part: slice, every: int, way: np.ndarray, axes: list[int]
) -> _Joint:
    """Return what a sensor says of a joint in a part of a recording."""
    rate_hz = recording.sampling_rate_hz
    lowpass = butterworth(min(_LOWPASS_HZ, 0.4 * rate_hz), rate_hz=rate_hz)
    force, rate = (
        both_ways(lowpass, signal[part, k], _PADDING)
        for signal in (recording.acceleration, recording.angular_rate)
    )
    turning = np.gradient(rate, 1.0 / rate_hz, axis=0)
    force, rate, turning = force[::every], rate[::every].copy(), turning[::every].copy()
    if len(axes) == 2:
        rate[:, :2] = turning[:, :2] = 0.0
    spin = _cross(rate)
    per_way = (_cross(turning) + spin @ spin)[:, axes]
    # Samples last: operations on few axes of many of them are quick then.
    return _Joint(force[:, axes].T.copy(), per_way.transpose(1, 2, 0).copy(), way)


def _cross(vectors: np.ndarray) -> np.ndarray:
    """Return matrices (n, 3, 3) that take the cross product of vectors (n, 3) with another one."""
    return np.cross(vectors[:, None, :], np.eye(3)).transpose(0, 2, 1)


def _best_lag(parent: _Joint, child: _Joint, good: np.ndarray, step_s: float, usual_s: float) -> float | None:
    """Return by how much a child fits best later than its parent, s; None where nothing fits.

    Where lags that say nothing fit nearly as well, the best of these.
    """
    widest = round(_LARGEST_S / step_s)
    at = np.flatnonzero(good)
    at = at[(at >= widest) & (at < len(good) - widest)]
    if len(at) * step_s < _SHORTEST_S / 2:
        return None
    known: dict[int, float] = {}

    def cost(lag: int) -> float:
        if lag not in known:
            known[lag] = _cost(parent, child, at, lag)
        return known[lag]

    stride = max(round(_STEP_S / step_s), 1)
    best = min(range(-widest + 1, widest, stride), key=cost)
    best = min(range(max(best - stride + 1, -widest), min(best + stride, widest + 1)), key=cost)
    usual = round(usual_s / step_s)
    near = min(range(-usual, usual + 1), key=cost)
    if 0.5 * len(at) / _TOGETHER * np.log(cost(near) / cost(best)) < _LIKELIER:
        best = near
    if abs(best) >= widest:
        return None
    magnitude = np.linalg.norm(child.force[:, at + best], axis=0)
    if cost(best) > _EXPLAINED * float(magnitude.var()):
        return None
    before, here, after = cost(best - 1), cost(best), cost(best + 1)
    bend = before - 2 * here + after
    between = 0.5 * (before - after) / bend if bend > 0 and here <= min(before, after) else 0.0
    return step_s * (best + between)


def _cost(parent: _Joint, child: _Joint, at: np.ndarray, lag: int) -> float:
    """Return the mean square difference of both forces at the joint, m^2/s^4, with the ways that fit best."""
    both = [(joint.force[:, i], joint.per_way[:, :, i]) for joint, i in ((parent, at), (child, at + lag))]
    stated = np.concatenate([parent.way, child.way])
    ways, count = stated.copy(), len(at)
    # What the ways cost beside the samples, so many of which count as one.
    weight = _FORCE_SD**2 / _WAY_SD_M**2 * _TOGETHER / count
    for fitted in range(_FITS + 1):
        size, slope = [], []
        for (force, per_way), way, sign in zip(both, (ways[:3], ways[3:]), (1.0, -1.0), strict=True):
            whole = force + way @ per_way
            norm = np.maximum(np.sqrt((whole**2).sum(axis=0)), 1e-9)
            size.append(norm)
            slope.append(np.einsum("in,ijn->jn", sign * whole / norm, per_way))
        off = size[0] - size[1]
        if fitted == _FITS:
            break
        slopes = np.concatenate(slope)
        matrix = slopes @ slopes.T / count + weight * np.eye(6)
        ways = ways - np.linalg.solve(matrix, slopes @ off / count + weight * (ways - stated))
    return float((off**2).mean() + weight * ((ways - stated) ** 2).sum())


def _lateness(lags: Sequence[_Lag], count: int) -> np.ndarray:
    """Return how late each of k sensors is, s: as few as can explain the lags of all pairs.

    Which are late, the least sum of absolute departures says: of pairs beyond what is usual, in their
    standard deviations, and of sensors from none, in `_USUAL_LAG_S`. How late these are, least squares.
    """
    lag_s, usual_s, sd_s = np.array([(lag.lag_s, lag.usual_s, lag.sd_s) for lag in lags]).T
    if np.all(np.abs(lag_s) <= usual_s):
        return np.zeros(count)
    from scipy.optimize import linprog  # takes long to import

    pairs = np.zeros((len(lags), count))
    for row, lag in enumerate(lags):
        pairs[row, lag.child], pairs[row, lag.parent] = 1.0, -1.0
    # Late and early parts of sensors, and what pairs are beyond what is usual.
    costs = np.concatenate([np.full(2 * count, 1 / _USUAL_LAG_S), 1 / sd_s])
    one_way = np.hstack([pairs, -pairs, -np.eye(len(lags))])
    other_way = np.hstack([-pairs, pairs, -np.eye(len(lags))])
    bounds = np.concatenate([usual_s + lag_s, usual_s - lag_s])
    parts = linprog(costs, A_ub=np.vstack([one_way, other_way]), b_ub=bounds, method="highs").x
    late = np.abs(parts[:count] - parts[count : 2 * count]) > 1e-6
    found = np.zeros(count)
    if late.any():
        found[late] = np.linalg.lstsq(pairs[:, late] / sd_s[:, None], lag_s / sd_s, rcond=None)[0]
    return found
