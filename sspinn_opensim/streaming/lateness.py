"""Sensors whose signals come late, told by the joints between them.

Sensors on both sides of a joint feel the same specific force at its centre (see `alignment.neighbours`), and
the lag at which their magnitudes fit best is how late one is to the other. A clock that a sensor sets itself
hides such a delay from everything else. Here the lag is looked for while the signals stream: sums over pieces
of them are kept, older ones are forgotten little by little, so a piece may be short, gaps may lie in between,
and samples that are missing are left out. The ways from sensors to joints are fitted along, to first order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.model import ImuFrame, Model
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.anatomy.joint_centres import joint_centre
from sspinn_opensim.anatomy.sensor_places import joint_above

#: Segment -> the one that carries it, and mean and standard deviation of the lag between sensors on both that
#: says nothing, s, about: those of 10 recordings of people and 13 virtual ones. Soft tissue comes late.
_CARRIED_BY = {
    "foot": ("shank", 0.0, 0.005),
    "shank": ("thigh", -0.006, 0.008),
    "thigh": ("pelvis", -0.003, 0.011),
}
#: A delay from this on is told, s, if the lags of all joints of the sensor fit to it within so many standard
#: deviations, and it explains lags better than that of any other sensor: by so much, in squares of these.
_LEAST_S, _FITS, _BETTER = 0.02, 3.0, 4.0
#: No lag counts for more than so many standard deviations: one that cannot be told is no evidence.
_OUTLYING = 5.0
#: Of so many seconds of movement it is told, after so many looks in a row that agree.
_ENOUGH_S, _IN_A_ROW = 3.5, 2
#: Lags up to this are looked for, s, on a grid no finer than this, s, in pieces of this, s; after so long, s,
#: a piece counts a third. Signals that are smooth need not be compared at every place of the grid.
_LARGEST_S, _GRID_S, _PIECE_S, _REMEMBERED_S = 0.1, 0.01, 1.0, 30.0
_EVERY = 2
#: Tissue swings above 10 Hz: a Hann window of this half width, s, lets half of that through. So much of a
#: window has to be there.
_REACH_S, _THERE = 0.05, 0.5
#: Whoever moves feels forces at joints that vary by this at least, m/s^2.
_MOVES_M_S2 = 0.7
#: Both sensors say the same of a joint only if their difference is smaller than this part of the variance.
_EXPLAINED = 0.75
#: Standard deviation of the ways from sensors to joints, m, and of the difference of both forces, m/s^2, so
#: many samples of which count as one.
_WAY_SD_M, _FORCE_SD_M_S2, _TOGETHER = 0.05, 1.0, 10.0

#: Signals (k, 6), and the sensors that are missing.
_Frame = tuple[np.ndarray, Sequence[int]]


@dataclass(frozen=True)
class LateSensor:
    """A sensor, by its place, whose signals come later than those of the others by `delay_s`, or earlier."""

    sensor: int
    delay_s: float


@dataclass(frozen=True, eq=False)
class SharedJoint:
    """A joint between two sensors, `parent` and `child` by their places.

    Attributes
    ----------
    ways : (2, 3) ndarray
        From each sensor to the centre of the joint, in the axes of its body, m.
    usual_s, deviation_s : float
        Mean and standard deviation among people of the lag between both.
    """

    parent: int
    child: int
    ways: np.ndarray
    usual_s: float
    deviation_s: float


def shared_joints(model: Model, sensors: Sequence[ImuFrame]) -> list[SharedJoint]:
    """Return the joints that have a sensor on both sides."""
    sites = [segment_of(sensor.body) for sensor in sensors]
    found = []
    for child, site in enumerate(sites):
        if site is None or site[0] not in _CARRIED_BY:
            continue
        carrier, *usual_s = _CARRIED_BY[site[0]]
        joint = joint_above(model, sensors[child].body)
        for parent, other in enumerate(sites):
            if joint is not None and other in ((carrier, site[1]), (carrier, "")):
                both = (sensors[parent], sensors[child])
                ways = np.array([joint_centre(model, joint, own.body) - own.position for own in both])
                found.append(SharedJoint(parent, child, ways, *usual_s))
    return found


class LateSensors:
    """Watches for sensors whose signals come late.

    Parameters
    ----------
    joints : sequence of SharedJoint
        Two at least; without them nothing is told.
    step_s : float
        Time from frame to frame.
    along_bodies : callable
        Turns signals (n, k, 6) of frames into acceleration and angular rate (n, k, 3) along the axes of the
        bodies, zero where not measured.
    """

    def __init__(
        self,
        joints: Sequence[SharedJoint],
        step_s: float,
        along_bodies: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    ) -> None:
        self._joints = tuple(joints) if len(joints) > 1 else ()
        self._along_bodies = along_bodies
        every = max(round(_GRID_S / step_s), 1)
        self._grid_s = every * step_s
        self._widest, piece = round(_LARGEST_S / self._grid_s), round(_PIECE_S / self._grid_s)
        #: Places on the grid of what a piece is made of: at its ends lags and a difference more.
        places = piece + 2 * (self._widest + 1)
        self._kernel = _windows(places, every, max(round(_REACH_S / step_s), 1))
        self._forward = piece * every
        #: Those from which on pieces are to be made.
        self._past: deque[_Frame] = deque(maxlen=self._kernel.shape[1])
        #: The last piece, what it is on the grid, and the joints that it was not looked at for yet.
        self._piece: tuple[_Frame, ...] = ()
        self._smooth: tuple[np.ndarray, ...] = ()
        self._pending: list[int] = []
        lags = 2 * self._widest + 1
        self._sums = np.zeros((len(self._joints), lags, 9, 9))
        self._lags_s: list[float | None] = [None] * len(self._joints)
        #: The ways that fit best so far, about which forces are taken to be linear.
        self._ways = np.array([joint.ways for joint in self._joints])
        self._in_a_row, self._last = 0, -1

    def pause(self) -> None:
        """Take note that the next frame does not follow the last one."""
        self._past.clear()

    def take(self, signals: np.ndarray, missing: Sequence[int] = ()) -> LateSensor | None:
        """Take a frame, and return a late sensor if one was found now.

        Parameters
        ----------
        signals : (k, 6) ndarray
            Acceleration and angular rate of each sensor, as `along_bodies` takes them.
        missing : sequence of int
            Sensors that have not been measured in this frame.
        """
        if not self._joints:
            return None
        self._past.append((signals, missing))
        if len(self._past) < self._kernel.shape[1]:
            return None
        found = None
        while self._pending:  # nothing but frames came
            found = self.work() or found
        self._piece = tuple(self._past)
        for _ in range(self._forward):
            self._past.popleft()
        self._pending = list(range(len(self._joints)))
        return found

    def work(self) -> LateSensor | None:
        """Do a part of what can wait until a frame is out; return a late sensor if one was found now."""
        if not self._pending:
            return None
        if self._piece:
            self._smooth, self._piece = self._smoothed(self._piece), ()
            return None
        k = self._pending.pop()
        self._add(k)
        self._lags_s[k] = self._lag_s(k)
        return None if self._pending else self._look()

    def _smoothed(self, frames: Sequence[_Frame]) -> tuple[np.ndarray, ...]:
        """Return force, rate and its change (n, k, 3) on the grid, and where they are known (n, k)."""
        measured, missing = zip(*frames, strict=True)
        force, rate = self._along_bodies(np.array(measured))
        there = np.ones((len(force), len(force[0])))
        for row, sensors in enumerate(missing):
            there[row, list(sensors)] = 0.0
        share = self._kernel @ there
        weight = 1.0 / np.maximum(share, _THERE)[:, :, None]

        def smooth(signals: np.ndarray) -> np.ndarray:
            given = (signals * there[:, :, None]).reshape(len(there), -1)
            return (self._kernel @ given).reshape(*share.shape, 3) * weight

        turned = smooth(rate)
        known = share >= _THERE
        known[1:-1] &= known[:-2] & known[2:]
        return smooth(force), turned, np.gradient(turned, self._grid_s, axis=0), known

    def _add(self, k: int) -> None:
        """Add what the last piece says of a joint: sums of products of what both sensors say, by lag."""
        joint, (force, rate, turning, known) = self._joints[k], self._smooth
        measured = (force[:, [joint.parent, joint.child]] != 0).any(axis=0).all(axis=0)
        axes = slice(0, 3 if measured.all() else 2)
        places = np.arange(self._widest + 1, len(known) - self._widest - 1, _EVERY)
        parent, child = (
            _at_joint(force[at, sensor], rate[at, sensor], turning[at, sensor], way, axes)
            for at, sensor, way in zip(
                (places, slice(None)), (joint.parent, joint.child), self._ways[k], strict=True
            )
        )
        there = known[places, joint.parent]
        if not there.any() or (parent @ [1.0, *self._ways[k, 0]])[there].std() < _MOVES_M_S2:
            return
        at = np.arange(-self._widest, self._widest + 1)[:, None] + places
        rows = np.ones((*at.shape, 9))
        rows[:, :, :4], rows[:, :, 4:8] = parent, child[at]
        rows *= (there & known[at, joint.child])[:, :, None]
        self._sums[k] = self._sums[k] * np.exp(-_PIECE_S / _REMEMBERED_S) + rows.transpose(0, 2, 1) @ rows

    def _look(self) -> LateSensor | None:
        found = latest(self._lags_s, self._joints)
        if found is None:
            self._in_a_row, self._last = 0, -1
            return None
        self._in_a_row = self._in_a_row + 1 if found.sensor == self._last else 1
        self._last = found.sensor
        return found if self._in_a_row == _IN_A_ROW else None

    def _lag_s(self, k: int) -> float | None:
        """Return by how much the child of a joint comes after its parent; None where they do not tell."""
        sums, stated = self._sums[k], self._joints[k].ways.ravel()
        count = sums[:, 8, 8]
        if count.min() * _EVERY * self._grid_s < _ENOUGH_S:
            return None
        mean = sums / count[:, None, None]
        # Parent less child is to vanish with the ways that fit best: parabolas of them.
        sign = np.array([1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0])
        square = mean[:, :8, :8] * np.outer(sign, sign)
        ways, forces = [1, 2, 3, 5, 6, 7], [0, 4]
        off = square[:, forces][:, :, forces].sum(axis=(1, 2))
        held = (_FORCE_SD_M_S2**2 / _WAY_SD_M**2 * _TOGETHER / count)[:, None]
        slope = square[:, ways][:, :, forces].sum(axis=2) - held * stated
        bend = square[:, ways][:, :, ways] + held[:, :, None] * np.eye(6)
        best_ways = -np.linalg.solve(bend, slope[:, :, None])[:, :, 0]
        cost = off + held[:, 0] * (stated @ stated) + (slope * best_ways).sum(axis=1)
        best = 1 + int(cost[1:-1].argmin())
        of_child = np.array([1.0, *best_ways[best, 3:]])
        magnitude = of_child @ mean[best, 4:8, 8]
        variance = of_child @ mean[best, 4:8, 4:8] @ of_child - magnitude**2
        before, here, after = cost[best - 1 : best + 2]
        curve = before - 2 * here + after
        if here > _EXPLAINED * variance or curve <= 0 or here > min(before, after):
            return None
        self._ways[k] = best_ways[best].reshape(2, 3)
        return (best - self._widest + 0.5 * (before - after) / curve) * self._grid_s


def latest(lags_s: Sequence[float | None], joints: Sequence[SharedJoint]) -> LateSensor | None:
    """Return the sensor that is late, if the delay of one explains the lags of the joints.

    Parameters
    ----------
    lags_s : sequence of float or None
        By how much the child of each joint comes after its parent; None where it is not known.
    """
    known = [(lag, joint) for lag, joint in zip(lags_s, joints, strict=True) if lag is not None]
    found: list[tuple[float, LateSensor, bool]] = []
    for sensor in sorted({end for _, joint in known for end in (joint.parent, joint.child)}):
        own = [(lag, joint) for lag, joint in known if sensor in (joint.parent, joint.child)]
        sign = np.array([1.0 if joint.child == sensor else -1.0 for _, joint in own])
        lag_s = sign * [lag for lag, _ in own]
        usual_s = sign * [joint.usual_s for _, joint in own]
        deviation_s = np.array([joint.deviation_s for _, joint in own])
        weights = deviation_s**-2
        delay_s, beyond_s = (float(np.average(late, weights=weights)) for late in (lag_s, lag_s - usual_s))
        before, after = (
            np.minimum(((lag_s - usual_s - late) / deviation_s) ** 2, _OUTLYING**2)
            for late in (0.0, beyond_s)
        )
        fits = bool(after.max() <= _FITS**2) and abs(beyond_s) >= _LEAST_S
        found.append((float(before.sum() - after.sum()), LateSensor(sensor, delay_s), fits))
    if not found:
        return None
    (explained, late, fits), *others = sorted(found, key=lambda each: each[0], reverse=True)
    clear = not others or explained - others[0][0] >= _BETTER
    return late if fits and clear else None


def _windows(places: int, every: int, reach: int) -> np.ndarray:
    """Return the matrix (places, frames) that takes means under a Hann window around every so many frames."""
    window = np.hanning(2 * reach + 3)[1:-1]
    kernel = np.zeros((places, (places - 1) * every + len(window)))
    for row in range(places):
        kernel[row, row * every : row * every + len(window)] = window / window.sum()
    return kernel


def _at_joint(
    force: np.ndarray, rate: np.ndarray, turning: np.ndarray, way: np.ndarray, axes: slice
) -> np.ndarray:
    """Return the magnitude of the force at a joint by one sensor, linear in the way to it, (n, 4).

    A number and a gradient to the way, which at this one give the magnitude.
    """
    if axes.stop == 2:
        rate, turning = rate * (0.0, 0.0, 1.0), turning * (0.0, 0.0, 1.0)
    # The turn of a way by a rate w is w w' - w'w 1, and that by its change the cross product.
    per_way = rate[:, :, None] * rate[:, None, :] - (rate * rate).sum(axis=1)[:, None, None] * np.eye(3)
    per_way[:, [2, 0, 1], [1, 2, 0]] += turning
    per_way[:, [1, 2, 0], [2, 0, 1]] -= turning
    whole = (force + per_way @ way)[:, axes]
    size = np.maximum(np.linalg.norm(whole, axis=1), 1e-9)
    gradient = ((whole / size[:, None])[:, None, :] @ per_way[:, axes])[:, 0]
    return np.column_stack([size - gradient @ way, gradient])
