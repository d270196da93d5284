"""Path of the walking frame: heading and place, integrated from yaw rate and the root's velocity in it.

A yaw rate that is off by a hundredth of a rad/s is nothing to the physics of a second, and ten degrees of
heading after twenty. So where a gyroscope on the root has three axes, the heading follows it within
`FOLLOWS_S`: what is left is the gyroscope's own drift.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.signal import lfilter

from casadi_dynamics.symbolic.heading import about
from sspinn_opensim.estimation.ground import GroundForces
from sspinn_opensim.training.subject import Subject

#: Time constant with which the heading follows the gyroscope on the root, s: its shaking is left out.
FOLLOWS_S = 1.0
_UP = np.array([0.0, 1.0, 0.0])
_Frame = tuple[np.ndarray, np.ndarray | None]


class Path:
    """Goes on from frame to frame by trapezoids, from heading zero at the origin.

    Sums are added one after the other: it does not matter into how many pieces the frames are divided.

    Parameters
    ----------
    step_s : float
        Time from frame to frame, s.
    """

    def __init__(self, subject: Subject, step_s: float) -> None:
        self._root, self._step_s = subject.heading, step_s
        #: Of the root's steps on the floor, the place of each among `Roles.steps` and its axis of ground.
        self._level = [(k, i, 2 * (k // 2)) for k, i in enumerate(subject.roles.steps) if k != 1]
        #: Heading of the last frame and its rate; its place and velocity.
        self._last: tuple[_Frame, _Frame] | None = None
        #: By how much the gyroscope has turned more than the integral, and how much of that is followed.
        self._more, self._followed = 0.0, 0.0

    def extend(
        self, velocity: np.ndarray, yaw_rate: np.ndarray, measured: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return heading (n,) in rad and place (n, 3) in m of the next frames.

        Parameters
        ----------
        velocity : (n, steps) array
            Of the root along `Roles.steps`, in the walking frame, m/s.
        yaw_rate : (n, 1) array, or (n, 0) of a body that keeps its heading
            rad/s.
        measured : (n,) array, optional
            By how much a gyroscope says that the frame turned since the frame before, rad; NaN: not known.
        """
        turning, going = self._last or (None, None)
        along = np.zeros((len(velocity), 3))
        for k, _, axis in self._level:
            along[:, axis] = velocity[:, k]
        if self._root is None:
            heading, turning = np.zeros(len(along)), (np.zeros(()), None)
        else:
            integral = self._summed(yaw_rate[:, 0], turning)
            heading = (
                integral if measured is None else integral + self._following(measured, integral, turning)
            )
            turning = integral[-1:].reshape(()), yaw_rate[-1:].reshape(())
            along = in_ground(along, heading)
        place = self._summed(along, going)
        self._last = turning, (place[-1], along[-1])
        return heading, place

    def _following(self, measured: np.ndarray, integral: np.ndarray, before: _Frame | None) -> np.ndarray:
        """Return what makes the heading follow the gyroscope: a low pass of first order of the difference."""
        start = integral[0] if before is None else before[0]
        missing = np.nan_to_num(measured - np.diff(integral, prepend=start))
        more = self._more + np.cumsum(missing)
        share = self._step_s / (FOLLOWS_S + self._step_s)
        found, _ = lfilter([share], [1.0, share - 1.0], more, zi=[(1.0 - share) * self._followed])
        self._more, self._followed = float(more[-1]), float(found[-1])
        return found

    def _summed(self, rates: np.ndarray, before: _Frame | None) -> np.ndarray:
        """Return the integral of rates (n, ...) at every frame, from where that before was, and its rate."""
        start, last = before or (np.zeros_like(rates[0]), None)
        whole = np.concatenate([rates[:1] if last is None else last[None], rates])
        trapezoids = 0.5 * self._step_s * (whole[:-1] + whole[1:])
        if last is None:
            trapezoids[0] = 0.0
        return np.cumsum(np.concatenate([start[None], trapezoids]), axis=0)[1:]

    def put(self, q: np.ndarray, heading: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Return coordinates (n, c) that are told in the walking frame as those in ground."""
        out = q.copy() if self._root is None else self._root.turned(q, heading)
        for _, i, axis in self._level:
            out[:, i] = place[:, axis]
        return out


def in_ground(vectors: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Return vectors (n, ..., 3) of a frame that is turned about the vertical by a heading (n,) in ground."""
    return np.einsum("nij,n...j->n...i", about(_UP, heading), vectors)


def forces_in_ground(
    ground: GroundForces, heading: np.ndarray, place: np.ndarray, *, turns: bool
) -> GroundForces:
    """Return forces on the feet, (n, feet, 3), that are told in the walking frame as those in ground."""
    if turns:
        parts = {name: in_ground(getattr(ground, name), heading) for name in ("force", "point", "torque")}
        ground = replace(ground, **parts)
    return replace(ground, point=ground.point + place[:, None])
