"""Instants between those at which a correction is solved: a motion by its spline, and forces that carry it.

A correction is solved at `SOLVED_HZ` or a little more, whatever the rate of the recording: fourth differences
weigh with the eighth power of the rate, at 1000 Hz more than digits can tell, and the answer would depend on
it. Each instant that is solved is a sample of the recording, so the spline through them is, at the samples
between, still the one by which OpenSim differentiates.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sspinn_opensim.estimation.consistency.balance import Balance
from sspinn_opensim.estimation.consistency.gyroscopes import Gyroscopes
from sspinn_opensim.estimation.inference.offline import Estimate
from sspinn_opensim.estimation.uncertainty import Deviations
from sspinn_opensim.recording.resample import anti_aliased

if TYPE_CHECKING:
    from scipy.interpolate import BSpline

#: Rate of the instants that are solved, Hz, that of the training: below twice it every sample is one.
SOLVED_HZ = 100.0
#: What the square of a root residual of one body weight costs beside that of a changed amount.
_STIFFNESS = 1e8
#: Guesses of the amounts that are zero; the last one stands, without what would be negative.
_GUESSES = 12
#: Forces with which the root is asked how it depends on them, N: it does so linearly.
_PROBE_N = 1000.0


def samples_apart(rate_hz: float) -> int:
    """Return how many samples of a recording lie from one solved instant to the next."""
    return max(int(rate_hz / SOLVED_HZ + 1e-6), 1)


def thinned(
    estimate: Estimate, deviations: Deviations, gyroscopes: Gyroscopes | None, every: int
) -> tuple[Estimate, Deviations, Gyroscopes | None]:
    """Return every so many frames of an estimate, and of what belongs to it, to the last one or beyond it.

    A frame beyond the last goes on as the motion did; all else is held.
    """
    frames = len(estimate.time_s)
    step_s = float(estimate.time_s[-1] - estimate.time_s[0]) / (frames - 1)
    places = np.arange(0, frames - 1 + every, every)
    chosen, beyond = np.minimum(places, frames - 1), places[-1] - (frames - 1)

    def going_on(values: np.ndarray) -> np.ndarray:
        some = values[chosen]
        some[-1] += beyond * (values[-1] - values[-2])
        return some

    time_s = estimate.time_s[0] + step_s * places
    some = replace(estimate.part(chosen), time_s=time_s, q=going_on(estimate.q))
    told = replace(deviations.part(chosen), time_s=time_s)
    if gyroscopes is not None:
        rate = anti_aliased(gyroscopes.angular_rate, 1.0 / step_s, 1.0 / (every * step_s))
        gyroscopes = replace(
            gyroscopes, angular_rate=rate[chosen], measured=gyroscopes.measured[chosen] & (chosen == places)
        )
    return some, told, gyroscopes


def motion_between(spline: BSpline, time_s: np.ndarray) -> np.ndarray:
    """Return coordinates, speeds and accelerations (n, 3 c) at times, of a spline through solved instants."""
    return np.concatenate([spline(time_s, order) for order in range(3)], axis=1)


def forces_between(
    balance: Balance, motion: np.ndarray, force: np.ndarray, directions: np.ndarray, every: int
) -> np.ndarray:
    """Return forces at the contact points (n, p, 3), N, that carry a motion (n, k) at all instants.

    Between two solved instants amounts are first taken to change evenly, which keeps them within the cone of
    friction; then they change by the least squares that make the root free. Where no foot touches, or a cone
    is at its bound, something is left.

    Parameters
    ----------
    force : (m, p, 3) ndarray
        At every so many of the instants, from the first on, N.
    directions : (3, g) ndarray
        Of the cone of friction, N.
    """
    frames, points = len(motion), force.shape[1]
    place = np.arange(frames) / every
    before = np.minimum(place.astype(int), len(force) - 2)
    share = (place - before)[:, None, None]
    force = (1 - share) * force[before] + share * force[before + 1]
    amount, ways = _amounts(force, directions), directions.shape[1]
    free = np.repeat(force[..., 1] > 0, ways, axis=1)
    base, by_amount = balance.values(motion, np.zeros_like(force)).root, []
    for k in range(points * ways):
        pushed = np.zeros_like(force)
        pushed[:, k // ways] = _PROBE_N * directions[:, k % ways] / np.linalg.norm(directions[:, k % ways])
        unit = np.linalg.norm(directions[:, k % ways]) / _PROBE_N
        by_amount.append(unit * (balance.values(motion, pushed).root - base))
    found = _nearest(np.stack(by_amount, axis=2), -base, amount, free)
    return found.reshape(frames, points, ways) @ directions.T


def _amounts(force: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return amounts (n, p g) of zero and more whose sums are forces (n, p, 3) within the cone."""
    from scipy.optimize import nnls  # takes long to import

    flat, up = force.reshape(-1, 3), force.reshape(-1, 3)[:, 1] > 0
    found = np.zeros((len(flat), directions.shape[1]))
    if directions.shape[1] == 2:
        # Two directions of the plane: the one answer.
        found[up] = np.maximum(flat[up, :2] @ np.linalg.inv(directions[:2]).T, 0.0)
    else:
        for k in np.flatnonzero(up):
            found[k] = nnls(directions, flat[k])[0]
    return found.reshape(len(force), -1)


def _nearest(matrix: np.ndarray, right: np.ndarray, amount: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return amounts (n, a) of zero and more near others for which matrices (n, r, a) give (n, r).

    Guesses of which are zero are mended as in `quadratic`.
    """
    back = matrix.swapaxes(1, 2)
    whole = _STIFFNESS * back @ matrix + np.eye(amount.shape[1])
    slope = _STIFFNESS * (back @ right[..., None])[..., 0] + amount
    found, zero, open_ = np.zeros_like(amount), ~free, np.flatnonzero(free.any(axis=1))
    diagonal = np.arange(amount.shape[1])
    for _ in range(_GUESSES):
        held, inner = zero[open_], whole[open_]
        inner[held] = 0.0
        inner.swapaxes(1, 2)[held] = 0.0
        inner[:, diagonal, diagonal] += held
        own = np.linalg.solve(inner, np.where(held, 0.0, slope[open_])[..., None])
        pull = (whole[open_] @ own)[..., 0] - slope[open_]
        own = own[..., 0]
        wrong = free[open_] & np.where(held, pull < -1e-6, own < -1e-9)
        found[open_] = np.maximum(own, 0.0)
        zero[open_] = held ^ wrong
        open_ = open_[wrong.any(axis=1)]
        if not len(open_):
            break
    return found
