"""Mirrored axes of a sensor: whether its gyroscope turns as gravity in its accelerometer does.

Whoever walks straight is as upright after a stride as before. The attitude R of a sensor over a stride
follows from its gyroscope; the mean of R f over it is gravity, of 9.81 m/s^2, and seen from the end of one
stride it points where it does at the start of the next. If axes of the gyroscope have other signs than those
of the accelerometer, rotations about several axes no longer undo each other: up drifts from stride to stride,
or gravity comes out too large or too small. Nothing is known of the person for that.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sspinn_opensim.alignment.strides import attitudes, bouts_of, middle_direction
from sspinn_opensim.recording.movement.phases import Phase

#: Signs that the gyroscope's axes may have against those of the accelerometer.
SIGNS = tuple(itertools.product((1, -1), repeat=3))
#: Windows of a stride at every half of one: so many at most, of so many samples a second.
_MOST_WINDOWS, _ENOUGH_HZ = 120, 100.0
#: Up drifts by about this over a stride, degrees, and gravity is off by this part, with axes that are right:
#: at most 4.3 degrees (a mean stride of running, repeated) and 3 % in eight recordings of five people.
_DRIFT_DEG, _GRAVITY_SHARE, _GRAVITY = 2.0, 0.03, 9.81


@dataclass(frozen=True, eq=False)
class Mirrors:
    """What k sensors say with each of the m signs of `SIGNS` for the axes of their gyroscopes.

    Attributes
    ----------
    up : (m, k, 3) array
        Mean direction of up over strides, along the sensors' own axes.
    cost : (m, k) array
        How unlikely the drift of up and the size of gravity are: minus the logarithm of a likelihood with
        heavy tails.
    gravity, drift_deg : (k,) array
        Mean of R f over a stride, m/s^2, and how far up is off from one stride to the next, degrees, with the
        axes as they are.
    """

    up: np.ndarray
    cost: np.ndarray
    gravity: np.ndarray
    drift_deg: np.ndarray


def find_mirrors(
    time_s: np.ndarray,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    phases: Sequence[Phase],
    usable: np.ndarray,
) -> Mirrors | None:
    """Return what sensors say with every sign of their gyroscopes' axes; None without three half strides.

    Parameters
    ----------
    time_s : (n,) array
        Even clock, s.
    acceleration, angular_rate : (n, k, 3) array
        Specific force in m/s^2, angular rate in rad/s.
    phases : sequence of Phase
        What the person does.
    usable : (n,) array of bool
        False where a stride must not be taken from.
    """
    step_s = float(time_s[-1] - time_s[0]) / (len(time_s) - 1)
    every = max(int(1 / (_ENOUGH_HZ * step_s)), 1)
    bouts = bouts_of(phases)
    ups, gravities, drifts = [], [], []
    for bout, stride_s in bouts:
        length = round(stride_s / (step_s * every))
        first, last = (int(np.searchsorted(time_s, t)) for t in (bout.from_s, bout.to_s))
        starts = np.arange(first, last - length * every, max(length // 2, 1) * every)
        starts = starts[: max(_MOST_WINDOWS // len(bouts), 4)]
        at = starts[:, None] + every * np.arange(length)
        good = np.asarray(usable[at].all(axis=1))
        if good.sum() < 3:
            continue
        # Means over a step of the clock: their sum over a stride is the angle.
        rate = angular_rate[at]
        for offset in range(1, every):
            rate = rate + angular_rate[np.minimum(at + offset, len(angular_rate) - 1)]
        up, gravity, start, end = _of_windows(acceleration[at], rate * step_s)
        pairs = np.flatnonzero(good[:-2] & good[2:])
        drifts.append(np.cross(start[:, pairs + 2], end[:, pairs]))
        ups.append(up[:, good])
        gravities.append(gravity[:, good])
    if not drifts or not sum(part.shape[1] for part in drifts):
        return None
    drift = np.concatenate(drifts, axis=1)
    drift_deg = np.degrees(np.linalg.norm(np.median(drift, axis=1), axis=-1))
    gravity = np.median(np.concatenate(gravities, axis=1), axis=1)
    off = gravity / _GRAVITY - 1.0
    cost = 2 * np.log1p((drift_deg / _DRIFT_DEG) ** 2) + 2 * np.log1p((off / _GRAVITY_SHARE) ** 2)
    up = np.stack([middle_direction(each) for each in np.concatenate(ups, axis=1)])
    return Mirrors(up, cost, gravity[0], drift_deg[0])


def _of_windows(force: np.ndarray, turns: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what each window of a stride tells with each sign of the gyroscope's axes.

    Parameters
    ----------
    force, turns : (s, t, k, 3) array
        Specific force and small rotations from sample to sample.

    Returns
    -------
    tuple of array
        Mean up (m, s, k, 3), size of gravity (m, s, k), up at the start and at the end (m, s, k, 3).
    """
    by_hand = {}
    for handed in (1, -1):
        attitude = attitudes(handed * turns)
        # What every axis of the force adds to each axis of the mean, which the signs then add up.
        felt_by_axis = (attitude[:, :-1] * force[:, :, :, None]).mean(axis=1)
        by_hand[handed] = felt_by_axis, attitude[:, :-1].mean(axis=1), attitude[:, -1]
    found = []
    for signs in SIGNS:
        # With axes turned by half a turn, or by half a turn and inverted, the attitude is E R E.
        handed = int(np.prod(signs))
        signed = handed * np.array(signs, float)
        felt_by_axis, mean_attitude, last = by_hand[handed]
        felt = signed * (felt_by_axis @ signed)
        gravity = np.linalg.norm(felt, axis=-1)
        start = felt / np.maximum(gravity, 1e-9)[..., None]
        mean, end = (
            signed * np.einsum("skji,skj->ski", turned, signed * start) for turned in (mean_attitude, last)
        )
        mean = mean / np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-9)
        found.append((mean, gravity, start, end))
    return tuple(np.stack(parts) for parts in zip(*found, strict=True))
