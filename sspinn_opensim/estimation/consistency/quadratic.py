"""Quadratic programs over a whole motion: a spline, and amounts at each sample that cannot be negative.

The amounts of a sample touch no other sample, and the spline's coefficients no sample farther than two knots
away. So for a guess of the amounts that are zero, small systems side by side and a banded one for the spline
give the answer; where it has negative amounts, or zeros that pull, the guess is mended there (Hintermueller,
Ito and Kunisch 2002, SIAM J Optim 13:865, the primal-dual active set strategy). Where a sample goes in
circles, as with cones of many sides, one of its amounts is mended at a time (Judice and Pires 1994, Comput
Oper Res 21:587, block principal pivoting; here each sample by itself). Should that not end, an interior-point
method (Mehrotra 1992, SIAM J Optim 2:575) takes over, with systems of the same form. The work grows with the
length of the motion alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve_banded

from sspinn_opensim.estimation.consistency import knots

#: Guesses of the amounts that are zero, at most, and those of a sample that may be no better than one before.
_GUESSES, _NO_BETTER = 60, 1
#: Amounts nearer to zero are on neither side of it: rounding. So are multipliers, over the curvature: what
#: they are the sum of is 1e6 times larger than what digits can tell of it.
_ROUNDING, _ROUNDING_OF_PULL = 1e-10, 1e-9
#: Amounts and multipliers begin at no less than this, so that they are inside.
_INSIDE = 1e-2
#: Of the way to the nearest bound that a step may go.
_ALMOST = 0.99
#: A step of this length is as good as a whole one.
_WHOLE = 0.9
#: Each iteration gains a factor of 2 to 100. What is not solved then is at least better than before.
_MOST = 60
#: Samples whose products are summed while they are in the second cache.
_CHUNK = 128
#: Keeps the ends of the spline free (`knots.Band.factor`).
_END_WEIGHT = 1e14


class Curvature:
    """The Hessian of a program, with the amounts eliminated that are free at present.

    Hessians by the motion are summed onto a band as they come: whole they are the largest arrays there are.

    Parameters
    ----------
    frames, coordinates, amounts : int
        Samples of the motion, and of each its coordinates and its amounts.
    weights : (3, 5) ndarray
        `knots.derivative_weights`.
    stiffness : float
        Of the squares of the spline's fourth differences.

    Attributes
    ----------
    amount, mixed : (n, a, a) and (n, a, k) ndarrays
        By the amounts, and by these and the motion.
    inverse, follows : (n, a, a) and (n, a, k) ndarrays
        Of the Hessian by the amounts that are free, and how these follow the motion.
    """

    def __init__(
        self, frames: int, coordinates: int, amounts: int, weights: np.ndarray, stiffness: float
    ) -> None:
        self.weights, states = weights, coordinates * len(weights)
        self.amount, self.mixed = np.empty((frames, amounts, amounts)), np.empty((frames, amounts, states))
        self.inverse, self.follows = np.zeros_like(self.amount), np.zeros_like(self.mixed)
        self._zero = np.empty((frames, amounts), bool)
        self._band = knots.Band(frames + knots.MORE, coordinates)
        self._band.add_stiffness(stiffness)
        self._factor: np.ndarray | None = None

    def put(
        self, first: int, motion: np.ndarray, amount: np.ndarray, mixed: np.ndarray, zero: np.ndarray
    ) -> None:
        """Take the Hessians of samples from one on: by value, speed and acceleration, amounts, and both.

        Amounts that are not `zero` (n, a), bool, are free at once.
        """
        part = slice(first, first + len(motion))
        self.amount[part], self.mixed[part], self._zero[part] = amount, mixed, zero
        if not zero.all():
            self.inverse[part] = _inverse(amount, zero)
            self.follows[part] = self.inverse[part] @ mixed
            motion = motion - mixed.swapaxes(1, 2) @ self.follows[part]
        self._band.add_motion(motion, self.weights, np.arange(part.start, part.stop))

    def free_but(self, zero: np.ndarray) -> None:
        """Hold amounts (n, a), bool, and free the others; only where that changes there is work."""
        changed = np.flatnonzero((zero != self._zero).any(axis=1))
        for first in range(0, len(changed), _CHUNK):
            some = changed[first : first + _CHUNK]
            mixed, self.inverse[some] = self.mixed[some], _inverse(self.amount[some], zero[some])
            follows = self.inverse[some] @ mixed
            lost = mixed.swapaxes(1, 2) @ (self.follows[some] - follows)
            self._band.add_motion(lost, self.weights, some)
            self.follows[some] = follows
        if len(changed):
            self._zero, self._factor = zero, None

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return the coefficients (n + 4, c) of the band's system."""
        if self._factor is None:
            self._factor = self._band.factor(_END_WEIGHT)
        return cho_solve_banded((self._factor, True), right.ravel(), check_finite=False).reshape(right.shape)

    def held(self) -> knots.Band:
        """Return the Hessian by the coefficients where all amounts are held."""
        self.free_but(np.ones_like(self._zero))
        return self._band


def _inverse(matrices: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return the inverses of what is not held, (n, a) bool, of matrices (n, a, a), and zeros there."""
    inner, diagonal = matrices.copy(), np.arange(matrices.shape[1])
    inner[held] = 0.0
    inner.swapaxes(1, 2)[held] = 0.0
    inner[:, diagonal, diagonal] += held
    inverse = np.linalg.inv(inner)
    inverse[:, diagonal, diagonal] -= held
    return inverse


@dataclass(frozen=True)
class QuadraticProgram:
    """Half of x^T H x, and g^T x, least over steps x of a spline and amounts of zero and more.

    Attributes
    ----------
    curvature : Curvature
        H.
    motion_slope, amount_slope : (n, k) and (n, a) ndarrays
        Gradients where both are zero.
    spline_slope : (n + 4, c) ndarray
        That of the spline's fourth differences where the step is zero.
    """

    curvature: Curvature
    motion_slope: np.ndarray
    amount_slope: np.ndarray
    spline_slope: np.ndarray

    def solve_by_guesses(
        self, zero: np.ndarray, few: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Return the step of the coefficients (n + 4, c), the amounts, and which are best taken as zero next.

        Parameters
        ----------
        zero : (n, a) bool ndarray
            The first guess: which amounts are zero.
        few : float
            Share of the samples at which a guess may be wrong; there amounts may be negative.

        Returns
        -------
        tuple of ndarrays or None
            None where guesses go in circles. Without `few`, the next guess is the one that was right.
        """
        known, mixed = self.curvature, self.curvature.mixed
        back = mixed.swapaxes(1, 2)
        nothing = _ROUNDING_OF_PULL * np.einsum("nii->ni", known.amount)
        fewest, no_better = np.full(len(zero), zero.shape[1] + 1), np.zeros(len(zero), int)
        for _ in range(_GUESSES):
            known.free_but(zero)
            own = -_times(known.inverse, self.amount_slope)
            slope = knots.onto_coefficients(self.motion_slope + _times(back, own), known.weights)
            step = known.solve(-slope - self.spline_slope)
            moved = knots.at_knots(step, known.weights)
            amount = own - _times(known.follows, moved)
            pull = _times(known.amount, amount) + _times(mixed, moved) + self.amount_slope
            wrong = np.where(zero, pull < -nothing, amount < -_ROUNDING)
            count = wrong.sum(axis=1)
            if np.count_nonzero(count) <= few * len(count):
                return step, np.where(wrong, amount, np.maximum(amount, 0.0)), zero ^ wrong
            no_better = np.where(count < fewest, 0, no_better + 1)
            fewest = np.minimum(fewest, count)
            zero = zero ^ np.where((no_better > _NO_BETTER)[:, None], _last(wrong), wrong)
        return None

    def solve(
        self, amount: np.ndarray, multiplier: np.ndarray, tolerance: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the same by the interior-point method.

        Parameters
        ----------
        amount, multiplier : (n, a) ndarray
            Where to begin.
        tolerance : float
            Mean product of amount and multiplier that is small enough.
        """
        amount, multiplier = np.maximum(amount, _INSIDE), np.maximum(multiplier, _INSIDE)
        band, step = self.curvature.held(), np.zeros_like(self.spline_slope)
        for _ in range(_MOST):
            newton = _Newton(self, band, step, amount, multiplier)
            gap = float(np.mean(amount * multiplier))
            _, more, pull = newton.direction(-amount * multiplier)
            ahead = amount + _longest(amount, more) * more
            ahead *= multiplier + _longest(multiplier, pull) * pull
            centre = max(gap * (float(np.mean(ahead)) / gap) ** 3, 0.1 * tolerance)
            change, more, pull = newton.direction(centre - amount * multiplier - more * pull)
            length = min(1.0, _ALMOST * _longest(amount, more), _ALMOST * _longest(multiplier, pull))
            step = step + length * change
            amount, multiplier = amount + length * more, multiplier + length * pull
            if length > _WHOLE and float(np.mean(amount * multiplier)) < tolerance:
                break
        return step, amount, multiplier


class _Newton:
    """Newton's step from one point, with its matrices factorised once."""

    def __init__(
        self,
        program: QuadraticProgram,
        band: knots.Band,
        step: np.ndarray,
        amount: np.ndarray,
        multiplier: np.ndarray,
    ) -> None:
        known, mixed = program.curvature, program.curvature.mixed
        self._amount, self._multiplier = amount, multiplier
        self._weights, self._back = known.weights, mixed.swapaxes(1, 2)
        self._by_amount = _times(known.amount, amount) + _times(mixed, knots.at_knots(step, known.weights))
        self._by_amount += program.amount_slope - multiplier
        self._by_motion = program.motion_slope + _times(self._back, amount)
        self._by_spline = program.spline_slope + band.times(step)
        inner, diagonal = known.amount.copy(), np.arange(amount.shape[1])
        inner[:, diagonal, diagonal] += multiplier / amount
        self._inverse = np.linalg.inv(inner)
        #: How the amounts follow the motion.
        self._follows = self._inverse @ mixed
        reduced = band.copy()
        for first in range(0, len(mixed), _CHUNK):
            some = slice(first, min(first + _CHUNK, len(mixed)))
            lost = -self._back[some] @ self._follows[some]
            reduced.add_motion(lost, known.weights, np.arange(some.start, some.stop))
        self._factor = reduced.factor(_END_WEIGHT)

    def direction(self, products: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the steps of spline, amounts and multipliers to given changes of amount times multiplier."""
        own = _times(self._inverse, products / self._amount - self._by_amount)
        slope = knots.onto_coefficients(self._by_motion + _times(self._back, own), self._weights)
        right = -slope - self._by_spline
        change = cho_solve_banded((self._factor, True), right.ravel(), check_finite=False)
        change = change.reshape(right.shape)
        more = own - _times(self._follows, knots.at_knots(change, self._weights))
        return change, more, (products - self._multiplier * more) / self._amount


def _last(chosen: np.ndarray) -> np.ndarray:
    """Return only the last that is chosen in each row of (n, a), bool."""
    return chosen & (np.cumsum(chosen[:, ::-1], axis=1)[:, ::-1] == 1)


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (matrices @ vectors[..., None])[..., 0]


def _longest(values: np.ndarray, change: np.ndarray) -> float:
    """Return the largest part of a change, up to 1, after which no value is negative."""
    falling = change < 0
    return min(1.0, float((-values[falling] / change[falling]).min())) if falling.any() else 1.0
