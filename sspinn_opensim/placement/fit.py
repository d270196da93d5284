"""Position and orientation of a sensor on a moving body from its signals, with their uncertainty.

A sensor at `p` of a body, whose axes are the columns of `C` there, reads

    acceleration  C^T (a + K p) + bias        a = R^T (a_origin - g),  K = [alpha]x + [omega]x [omega]x
    angular rate  C^T omega + bias            alpha and omega in body axes

Both are linear in the biases and in the columns of `C`, alone and times `p`, so all that the frames say about
a sensor is in the triangular factors of two small matrices; the search never looks at a frame again.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from sspinn_opensim.placement.motion import Readings, Segment, cross_matrix, lowpass

#: The search: `p` (3), a turn of `C` in body axes (3), biases of accelerometer (3) and gyroscope (3).
_P, _TURN, _BIAS = slice(3), slice(3, 6), slice(6, 12)
#: Spread of a bias before anything is known, m/s^2 and rad/s; of a turn from the nearest of 24 starts, rad.
BIAS_DEVIATION = (0.3, 0.1)
TURN_DEVIATION_RAD = 0.25
#: Frames closer than this hardly tell anything new: motion and soft tissue live below some 10 Hz.
CORRELATION_S = 0.1
#: Residuals below this count as this: no sensor is better, and weights stay finite. m/s^2, rad/s.
LEAST_RESIDUAL = (1e-5, 1e-6)
#: Between bodies, residuals below this are alike, m/s^2, rad/s: the noise of a good sensor.
SMALL_RESIDUAL = (0.1, 0.02)
#: What is not narrowed to this part of its spread before is said to be not observable.
OBSERVED = 0.5
#: Residuals before the first fit, m/s^2 and rad/s.
_FIRST_RESIDUAL = (2.0, 0.3)
_ITERATIONS, _REWEIGHTINGS = 60, 12


@dataclass(frozen=True)
class Guess:
    """Where a sensor is before its signals are looked at.

    Attributes
    ----------
    position : (3,) ndarray
        In body axes, m.
    deviation_m : float
        Standard deviation of each of its components.
    rotation : (3, 3) ndarray
        Columns are the sensor's axes in the body. Any other is as good where signals tell; where they do not,
        this one is kept, or the one of its 24 quarter turns that fits.
    """

    position: np.ndarray
    deviation_m: float
    rotation: np.ndarray


@dataclass(frozen=True)
class Place:
    """Where a sensor was found on a body.

    Attributes
    ----------
    position : (3,) ndarray
        In body axes, m.
    rotation : (3, 3) ndarray
        Columns are the axes of the readings in the body.
    covariance : (6, 6) ndarray
        Of position and of a small turn about the body's axes, m and rad.
    observable : (6,) bool ndarray
        Which of these the signals tell; the others stay where they were guessed.
    acceleration_bias, rate_bias : (3,) ndarrays
        Along the axes of the readings.
    acceleration_residual, rate_residual : float
        Root mean square of what is left unexplained below `CUTOFF_HZ`, m/s^2 and rad/s.
    """

    position: np.ndarray
    rotation: np.ndarray
    covariance: np.ndarray
    observable: np.ndarray
    acceleration_bias: np.ndarray
    rate_bias: np.ndarray
    acceleration_residual: float
    rate_residual: float

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviations of position (m) and turn (rad), (6,)."""
        return np.sqrt(np.diag(self.covariance))


def locate(
    segment: Segment,
    readings: Readings,
    guess: Guess,
    *,
    stride_s: float | None = None,
) -> Place:
    """Return where on a segment a sensor sits.

    Parameters
    ----------
    stride_s : float, optional
        Period of the movement; what the model leaves unexplained in the same way in every stride counts once.

    Returns
    -------
    Place
        Least squares over `p`, `C` and biases with a weak prior; every channel is weighted by what it leaves
        unexplained.
    """
    fit = _Fit(segment, readings, guess)
    state, start, residual = _search(fit, QUARTER_TURNS)
    return fit.place(state, start, residual, stride_s)


def misfit(segment: Segment, readings: Readings, guess: Guess, turns: np.ndarray | None = None) -> float:
    """Return how badly a sensor fits on a segment, wherever on it; bodies compare by it.

    It is the sum over channels of the logarithm of the residual, which counts as no less than
    `SMALL_RESIDUAL`. Segment, readings and guess are those of `locate`, `turns` (s, 3, 3) of the guess to
    start from are the 24 quarter turns by default.
    """
    fit = _Fit(segment, readings, guess)
    _, _, residual = _search(fit, QUARTER_TURNS if turns is None else turns)
    channels = readings.acceleration_available, readings.rate_available
    each = zip(residual, channels, SMALL_RESIDUAL, strict=True)
    return float(sum(np.log(np.maximum(r[used], least)).sum() for r, used, least in each))


def _search(fit: _Fit, turns: np.ndarray) -> tuple[_State, np.ndarray, tuple[np.ndarray, ...]]:
    """Return the best state, the start it came from (1, 3, 3), and the residual of every channel."""
    starts = fit.guess.rotation @ turns
    state = _State(np.tile(fit.guess.position, (len(starts), 1)), starts, np.zeros((len(starts), 6)))
    residual = tuple(np.full(3, value) for value in _FIRST_RESIDUAL)
    state, cost = fit.descend(state, starts, residual, tolerance=1e-6)
    # Starts that end alike differ by rounding: the first, which is the guess itself, wins.
    best = int(np.flatnonzero(cost <= cost.min() + 1e-4 * (1 + abs(cost.min())))[0])
    state, start = state.take(best), starts[best : best + 1]
    for _ in range(_REWEIGHTINGS):
        before, residual = residual, fit.residual(state)
        if np.allclose(before, residual, rtol=0.02, atol=0.0):
            break
        state, _ = fit.descend(state, start, residual)
    return state, start, fit.residual(state)


def _quarter_turns() -> np.ndarray:
    turns = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            turn = np.zeros((3, 3))
            turn[list(order), range(3)] = signs
            if np.linalg.det(turn) > 0:
                turns.append(turn)
    return np.array(sorted(turns, key=lambda turn: -np.trace(turn)))


#: The 24 ways to put a cube down, the identity first.
QUARTER_TURNS = _quarter_turns()


@dataclass(frozen=True)
class _State:
    """Several candidates at once: position (s, 3), rotation (s, 3, 3) and biases (s, 6)."""

    position: np.ndarray
    rotation: np.ndarray
    bias: np.ndarray

    def take(self, index: int) -> _State:
        return _State(*(x[index : index + 1] for x in vars(self).values()))

    def moved(self, step: np.ndarray) -> _State:
        turn = Rotation.from_rotvec(step[:, _TURN]).as_matrix()
        return _State(self.position + step[:, _P], turn @ self.rotation, self.bias + step[:, _BIAS])

    def where(self, chosen: np.ndarray, other: _State) -> _State:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _State(*(np.where(chosen.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in pairs))


class _Instrument:
    """A sensor's accelerometer or gyroscope on a segment, condensed to a small triangular system."""

    def __init__(self, columns, factors, signal, available, bias: slice, least: float, step_s: float) -> None:
        q, self.factor = factors
        self.columns, self.bias, self.least = columns, bias, least
        self.channels = np.flatnonzero(available)
        self.read = lowpass(signal, step_s)[:, self.channels]
        self.target = q.T @ self.read
        # What no place on this segment can explain: no part of the search, but of the residual.
        self.beyond = np.maximum(np.sum(self.read**2, 0) - np.sum(self.target**2, 0), 0.0)

    def coefficients(self, state: _State) -> tuple[np.ndarray, np.ndarray]:
        """Return what multiplies the columns, per channel (s, c, columns), and its slopes (.., 12)."""
        p, rotation, width = state.position, state.rotation, self.columns.shape[1]
        count = len(p)
        # A turn phi in body axes changes a column c of C by phi x c = -[c]x phi.
        change = -cross_matrix(np.swapaxes(rotation, 1, 2))
        found = np.zeros((count, len(self.channels), width))
        slope = np.zeros((count, len(self.channels), width, 12))
        for row, channel in enumerate(self.channels):
            axis, d_axis = rotation[:, :, channel], change[:, channel]
            found[:, row, :3], slope[:, row, :3, _TURN] = axis, d_axis
            if width > 4:
                found[:, row, 3:12] = (axis[:, :, None] * p[:, None, :]).reshape(count, 9)
                slope[:, row, 3:12, _P] = np.einsum("si,jk->sijk", axis, np.eye(3)).reshape(count, 9, 3)
                slope[:, row, 3:12, _TURN] = np.einsum("sik,sj->sijk", d_axis, p).reshape(count, 9, 3)
            found[:, row, -1] = state.bias[:, self.bias][:, channel]
            slope[:, row, -1, _BIAS.start + self.bias.start + channel] = 1.0
        return found, slope

    def rows(self, state: _State, residual: np.ndarray, thinning: float) -> tuple[np.ndarray, np.ndarray]:
        """Return what is left of the triangular system over its spread, (s, rows), and its slopes."""
        found, slope = self.coefficients(state)
        scale = 1.0 / (residual[self.channels] * thinning**0.5)
        rows = ((found @ self.factor.T - self.target.T) * scale[:, None]).reshape(len(found), -1)
        return rows, (self.factor @ slope * scale[:, None, None]).reshape(len(found), -1, 12)

    def frames(self, state: _State, residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what is left of every frame over its spread, (n, c), and its slopes (c, n, 12)."""
        found, slope = (x[0] for x in self.coefficients(state))
        spread = residual[self.channels]
        return (self.columns @ found.T - self.read) / spread, self.columns @ slope / spread[:, None, None]

    def residual(self, state: _State) -> np.ndarray:
        """Return the root mean square of what is left in each channel, (3,)."""
        found = self.coefficients(state)[0][0]
        square = np.sum((found @ self.factor.T - self.target.T) ** 2, axis=1) + self.beyond
        each = np.full(3, self.least)
        each[self.channels] = np.maximum(np.sqrt(square / len(self.read)), self.least)
        return each


class _Fit:
    """The least-squares problem of one sensor on one segment."""

    def __init__(self, segment: Segment, readings: Readings, guess: Guess) -> None:
        self.segment, self.guess = segment, guess
        s, r, (low_a, low_r) = segment, readings, LEAST_RESIDUAL
        sides = (
            (s.force_columns, s.force_factors, r.acceleration, r.acceleration_available, slice(0, 3), low_a),
            (s.rate_columns, s.rate_factors, r.angular_rate, r.rate_available, slice(3, 6), low_r),
        )
        self.instruments = [_Instrument(*side, s.step_s) for side in sides]
        self.thinning = max(CORRELATION_S / segment.step_s, 1.0)
        deviations = [guess.deviation_m, TURN_DEVIATION_RAD, *BIAS_DEVIATION]
        self.prior = np.repeat(1.0 / np.square(deviations), 3)

    def descend(self, state: _State, start: np.ndarray, residual, tolerance: float = 1e-10):
        """Return the states after Levenberg and Marquardt's iterations, and their costs (s,).

        All starts move at once: ten times as fast as `scipy.optimize.least_squares` from one start after the
        other, whose minima are the same within 5e-9.
        """
        damping = np.full(len(start), 1e-3)
        identity = np.eye(12)
        cost, gradient, hessian = self.expand(state, start, residual)
        for _ in range(_ITERATIONS):
            damped = hessian * (1.0 + damping[:, None, None] * identity)
            step = -np.linalg.solve(damped, gradient[..., None])[..., 0]
            tried = state.moved(step)
            found = self.expand(tried, start, residual)
            better = found[0] <= cost
            settled = np.abs(cost - found[0]) <= tolerance * (1 + cost)
            state = tried.where(better, state)
            cost, gradient, hessian = (
                np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
                for new, old in zip(found, (cost, gradient, hessian), strict=True)
            )
            damping = np.where(better, damping / 10, damping * 10).clip(1e-12, 1e12)
            if np.all(settled | (damping >= 1e12)):
                break
        return state, cost

    def expand(self, state: _State, start: np.ndarray, residual):
        """Return cost (s,), gradient (s, 12) and Gauss and Newton's Hessian (s, 12, 12)."""
        parts = [i.rows(state, r, self.thinning) for i, r in zip(self.instruments, residual, strict=True)]
        rows, slopes = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        offset = self.offset(state, start)
        cost = np.sum(rows**2, axis=1) + np.sum(self.prior * offset**2, axis=1)
        gradient = np.einsum("sr,srk->sk", rows, slopes) + self.prior * offset
        hessian = np.swapaxes(slopes, 1, 2) @ slopes + np.diag(self.prior)
        return cost, gradient, hessian

    def offset(self, state: _State, start: np.ndarray) -> np.ndarray:
        """Return how far states are from the prior's middle, (s, 12)."""
        turn = Rotation.from_matrix(state.rotation @ np.swapaxes(start, 1, 2)).as_rotvec()
        return np.hstack([state.position - self.guess.position, turn, state.bias])

    def residual(self, state: _State) -> tuple[np.ndarray, ...]:
        """Return the root mean square residual of each accelerometer and gyroscope channel, (3,) each."""
        return tuple(instrument.residual(state) for instrument in self.instruments)

    def place(self, state: _State, start: np.ndarray, residual, stride_s: float | None) -> Place:
        """Return the only state as a place, with its covariance."""
        parts = [i.frames(state, r) for i, r in zip(self.instruments, residual, strict=True)]
        error, slopes = np.hstack([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
        spread_a, spread_r = (r[i.channels] for i, r in zip(self.instruments, residual, strict=True))
        scores = np.einsum("nc,cnk->nk", error, slopes)
        share, strides = repetition(error, self.segment.step_s, stride_s)
        information = np.einsum("cnk,cnl->kl", slopes, slopes) / self.thinning + np.diag(self.prior)
        spread = long_run(scores, self.segment.step_s) / self.thinning**2
        # What is alike in every stride does not average out over them.
        spread *= 1.0 + max(strides - 1.0, 0.0) * share
        inverse = np.linalg.inv(information)
        covariance = (inverse @ (spread + np.diag(self.prior)) @ inverse)[:6, :6]
        doubt = np.sqrt(share) * self.doubt(state, spread_r)
        before = np.sqrt(1.0 / self.prior[:6])
        gain = before**2 / (before**2 + doubt**2)
        covariance = gain[:, None] * covariance * gain + np.diag((1.0 - gain) * before**2)
        observable = np.sqrt(np.diag(covariance)) < OBSERVED * before
        # Where signals say little, the place stays as it was, with all the doubt there was.
        change = self.offset(state, start)[0, :6] * np.where(observable, gain, 0.0)
        kept = np.ix_(~observable, ~observable)
        covariance[~observable] = covariance[:, ~observable] = 0.0
        covariance[kept] = np.diag(before[~observable] ** 2)
        return Place(
            position=self.guess.position + change[_P],
            rotation=Rotation.from_rotvec(change[_TURN]).as_matrix() @ start[0],
            covariance=covariance,
            observable=observable,
            acceleration_bias=state.bias[0, :3],
            rate_bias=state.bias[0, 3:],
            acceleration_residual=float(np.sqrt(np.mean(spread_a**2))) if spread_a.size else 0.0,
            rate_residual=float(np.sqrt(np.mean(spread_r**2))) if spread_r.size else 0.0,
        )

    def doubt(self, state: _State, spread_r: np.ndarray) -> np.ndarray:
        """Return how wrong place and turn may be because the model does not know all of the rotation, (6,).

        The gyroscope sees rotation that the model does not have (sideways in a planar model, soft tissue).
        What it has in common with the known rotation passes for a tilt or a lever arm; it is taken to be as
        large as what it has not in common, which is the residual.
        """
        segment, c = self.segment, state.rotation[0]
        known = max(float(np.sqrt(np.mean(np.sum(segment.rate_columns[:, :3] ** 2, axis=1)))), 1e-9)
        each = np.zeros(3)
        each[self.instruments[1].channels] = spread_r
        unknown = np.sqrt(c**2 @ each**2) / known
        sensed = np.eye(3) - np.outer(segment.axis, segment.axis) if segment.planar else np.eye(3)
        # The unknown rotation u, in parts of the known rotation about k, moves the point p as a lever of
        # u x p (tangential), u (k . p) and u x (u x p) (centripetal) would; signs are not known.
        p, turn = state.position[0], np.abs(cross_matrix(unknown))
        arms = (turn @ np.abs(p), unknown * abs(segment.axis @ p), turn @ turn @ np.abs(p))
        lever = np.sqrt(sum(np.sum((sensed @ arm) ** 2) for arm in arms))
        tilt = np.linalg.norm(unknown) * (1.0 - segment.axis**2) if segment.planar else np.zeros(3)
        return np.concatenate([np.full(3, lever), tilt])


def long_run(scores: np.ndarray, step_s: float) -> np.ndarray:
    """Return the covariance of the sum of correlated rows (n, k): Newey and West's (1987)."""
    lags = min(round(2 * CORRELATION_S / step_s), len(scores) - 1)
    total = scores.T @ scores
    for lag in range(1, lags + 1):
        pair = scores[:-lag].T @ scores[lag:]
        total += (1 - lag / (lags + 1)) * (pair + pair.T)
    return total


def repetition(error: np.ndarray, step_s: float, stride_s: float | None) -> tuple[float, float]:
    """Return the share of the variance of errors (n, c) that strides repeat, and the number of strides.

    Without a known stride all may be alike, and there is one.
    """
    if stride_s is None or len(error) * step_s < 1.5 * stride_s:
        return 1.0, 1.0
    shares = []
    for ahead in (1, 2):
        lag = round(ahead * stride_s / step_s)
        if lag < 0.8 * len(error):
            both = np.sum(error[:-lag] * error[lag:]) / (len(error) - lag)
            shares.append(both / max(np.sum(error**2) / len(error), 1e-300))
    return float(np.clip(np.mean(shares), 0.0, 1.0)), len(error) * step_s / stride_s
