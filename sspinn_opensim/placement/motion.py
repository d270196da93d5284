"""Motion of every segment as a frozen network estimates it, and what a sensor on it may read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.recording.signals.filters import low_pass
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.motion import differentiate
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject

#: Both sides of the equations are low-passed alike, which takes noise away and changes no solution.
CUTOFF_HZ = 8.0
#: What a stride may last, s.
_STRIDE_S = (0.4, 2.5)


@dataclass(frozen=True)
class SegmentMotion:
    """How one body moves, in its own axes: (n, 3) arrays.

    Attributes
    ----------
    force : ndarray
        Specific force at the origin, m/s^2.
    rate, acceleration : ndarray
        Angular velocity (rad/s) and angular acceleration (rad/s^2).
    """

    force: np.ndarray
    rate: np.ndarray
    acceleration: np.ndarray


@dataclass(frozen=True)
class Readings:
    """What one sensor read, along axes of its own.

    Attributes
    ----------
    acceleration, angular_rate : (n, 3) ndarrays
        m/s^2, rad/s; what stands in channels that are not available is not looked at.
    acceleration_available, rate_available : (3,) bool ndarrays
    """

    acceleration: np.ndarray
    angular_rate: np.ndarray
    acceleration_available: np.ndarray
    rate_available: np.ndarray


def frozen_motion(estimator: PersonNetwork, subject: Subject, signals: Signals) -> tuple[np.ndarray, ...]:
    """Return `q`, `u` and `udot`, (n - 2, c) each, of all frames of a recording but the first and last.

    Speeds and accelerations are those that training compares with the sensors.
    """
    with torch.inference_mode():
        outputs, _ = estimator.network(signals.inputs(signals.acceleration, signals.angular_rate)[None])
        motion = differentiate(estimator.decoder(outputs), subject, signals.step_s)
    return tuple(x[0].numpy().astype(np.float64) for x in (motion.q, motion.u, motion.udot))


def segment_motions(
    functions: BodyFunctions, q: np.ndarray, u: np.ndarray, udot: np.ndarray
) -> dict[str, SegmentMotion]:
    """Return how every body moves, by name.

    Parameters
    ----------
    q, u, udot : (n, c) ndarrays
        Of all coordinates; those that couplers set follow the others, whatever is given for them.
    """
    if len(functions.independent) < len(functions.coordinates):
        places = [functions.coordinates.index(name) for name in functions.independent]
        given = {
            f"{name}_independent": values[:, places].T
            for name, values in zip(("q", "u", "udot"), (q, u, udot), strict=True)
        }
        whole = functions.coupling(**given, parameters=functions.parameters)
        q, u, udot = (np.array(whole[name]).T for name in ("q", "u", "udot"))
    moved = functions.kinematics(q=q.T, u=u.T, udot=udot.T, parameters=functions.parameters)
    count = len(q)

    def per_body(name: str, *shape: int) -> np.ndarray:
        return np.array(moved[name]).T.reshape(count, -1, *shape)

    rotation = per_body("rotation", 3, 3)
    gravity = np.array(functions.tree.model.gravity)

    def in_body(vectors: np.ndarray) -> np.ndarray:
        return np.einsum("nbji,nbj->nbi", rotation, vectors)

    force = in_body(per_body("acceleration", 3) - gravity)
    rate, acceleration = in_body(per_body("omega", 3)), in_body(per_body("alpha", 3))
    return {
        body: SegmentMotion(force[:, i], rate[:, i], acceleration[:, i])
        for i, body in enumerate(functions.bodies)
    }


class Segment:
    """A body's motion, low-passed and condensed, ready for any number of sensors.

    Attributes
    ----------
    force_columns : (n, 13) ndarray
        Specific force at the origin, the nine numbers of K row by row, and one.
    rate_columns : (n, 4) ndarray
        Angular rate and one.
    planar : bool
        The body turns about one `axis` (3,) of its own alone.
    """

    def __init__(self, motion: SegmentMotion, step_s: float) -> None:
        n = len(motion.force)
        spin = cross_matrix(motion.rate)
        turning = cross_matrix(motion.acceleration) + spin @ spin
        one = np.ones((n, 1))
        force, turning, rate = (
            lowpass(x, step_s) for x in (motion.force, turning.reshape(n, 9), motion.rate)
        )
        self.step_s = step_s
        self.force_columns = np.hstack([force, turning, one])
        self.rate_columns = np.hstack([rate, one])
        _, strength, axes = np.linalg.svd(rate, full_matrices=False)
        self.axis, self.planar = axes[0], bool(strength[1] <= 1e-6 * strength[0])
        self.force_factors = np.linalg.qr(self.force_columns)
        self.rate_factors = np.linalg.qr(self.rate_columns)


def lowpass(signal: np.ndarray, step_s: float) -> np.ndarray:
    """Return a signal (n, ...) without what is faster than `CUTOFF_HZ`, without delay."""
    if 0.45 / step_s <= CUTOFF_HZ:
        return signal
    return low_pass(signal, CUTOFF_HZ, 1.0 / step_s)


def period(signals: np.ndarray, step_s: float) -> float | None:
    """Return the period of a repeating movement, s, or None.

    Parameters
    ----------
    signals : (n, k) ndarray
        Channels of any unit.
    step_s : float
        Time from frame to frame, s.
    """
    centred = signals - signals.mean(axis=0)
    spread = centred.std(axis=0)
    centred = centred[:, spread > 0] / spread[spread > 0]
    first, last = round(_STRIDE_S[0] / step_s), min(round(_STRIDE_S[1] / step_s), len(centred) // 2)
    if last <= first or not centred.size:
        return None
    likeness = np.array([np.mean(centred[:-lag] * centred[lag:]) for lag in range(first, last)])
    best = likeness.max()
    if best < 0.5:
        return None
    # The first peak that is as good as any: later ones are several strides.
    good = np.flatnonzero(likeness >= 0.9 * best)
    peak = int(good[0])
    while peak + 1 < len(likeness) and likeness[peak + 1] > likeness[peak]:
        peak += 1
    return (first + peak) * step_s


def cross_matrix(vector: np.ndarray) -> np.ndarray:
    """Return the matrices (..., 3, 3) that multiply like a cross product with vectors (..., 3)."""
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
