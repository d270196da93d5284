"""Quadratic programs over a whole motion: a spline, and amounts at each sample that cannot be negative.

The amounts of a sample touch no other sample, and the spline's coefficients no sample farther than two knots
away. So each step of the interior-point method (Mehrotra 1992, SIAM J Optim 2:575) solves small systems side by
side, and one banded system for the spline: the work grows with the length of the motion and no faster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

from sspinn_opensim.estimation import knots

#: Amounts and multipliers begin at no less than this, so that they are inside.
_INSIDE = 1e-2
#: Of the way to the nearest bound that a step may go.
_ALMOST = 0.99
#: More iterations are never needed: each gains a factor of 2 to 100.
_MOST = 60
#: Relative to 1/scale^2 of motions: keeps the ends of the spline free (`knots.banded_hessian`).
_END_WEIGHT = 1e8


@dataclass(frozen=True)
class QuadraticProgram:
    """Half of x^T H x + g^T x, least over steps of a spline and amounts of zero and more.

    Attributes
    ----------
    weights : (3, 5) ndarray
        `knots.derivative_weights`.
    motion, amount : (n, k, k) and (n, a, a) ndarrays
        Hessians by the step of value, speed and acceleration, and by the amounts.
    mixed : (n, a, k) ndarray
        By both.
    motion_slope, amount_slope : (n, k) and (n, a) ndarrays
        Gradients where both are zero.
    """

    weights: np.ndarray
    motion: np.ndarray
    amount: np.ndarray
    mixed: np.ndarray
    motion_slope: np.ndarray
    amount_slope: np.ndarray

    def solve(
        self, amount: np.ndarray, multiplier: np.ndarray, tolerance: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the step of the coefficients (n + 4, c), the amounts, and the multipliers of their bounds.

        Parameters
        ----------
        amount, multiplier : (n, a) ndarray
            Where to begin.
        tolerance : float
            Mean product of amount and multiplier that is small enough.

        Raises
        ------
        RuntimeError
            There is no progress.
        """
        amount, multiplier = np.maximum(amount, _INSIDE), np.maximum(multiplier, _INSIDE)
        frames, states = self.motion_slope.shape
        step = np.zeros((frames + knots.MORE, states // len(self.weights)))
        diagonal = np.arange(amount.shape[1])
        for _ in range(_MOST):
            moved = knots.at_knots(step, self.weights)
            by_amount = (
                _times(self.amount, amount) + _times(self.mixed, moved) + self.amount_slope - multiplier
            )
            by_motion = _times(self.motion, moved) + self.motion_slope
            by_motion += _times(self.mixed.swapaxes(1, 2), amount)
            inner = self.amount.copy()
            inner[:, diagonal, diagonal] += multiplier / amount
            inverse = np.linalg.inv(inner)
            follows = inverse @ self.mixed
            reduced = self.motion - self.mixed.swapaxes(1, 2) @ follows
            band = knots.banded_hessian(reduced, self.weights, _END_WEIGHT)
            factor = cholesky_banded(band, lower=True, overwrite_ab=True, check_finite=False)

            def direction(
                products: np.ndarray,
                amount: np.ndarray = amount,
                multiplier: np.ndarray = multiplier,
                by: tuple[np.ndarray, np.ndarray] = (by_amount, by_motion),
                inverse: np.ndarray = inverse,
                follows: np.ndarray = follows,
                factor: np.ndarray = factor,
            ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
                """Return Newton's step to given changes of amount times multiplier."""
                own = _times(inverse, products / amount - by[0])
                slope = -by[1] - _times(self.mixed.swapaxes(1, 2), own)
                right = knots.onto_coefficients(slope, self.weights)
                change = cho_solve_banded((factor, True), right.ravel(), check_finite=False)
                change = change.reshape(right.shape)
                more = own - _times(follows, knots.at_knots(change, self.weights))
                return change, more, (products - multiplier * more) / amount

            gap = float(np.mean(amount * multiplier))
            _, more, pull = direction(-amount * multiplier)
            ahead = (amount + _longest(amount, more) * more) * (
                multiplier + _longest(multiplier, pull) * pull
            )
            centre = max(gap * (float(np.mean(ahead)) / gap) ** 3, 0.1 * tolerance)
            change, more, pull = direction(centre - amount * multiplier - more * pull)
            length = min(1.0, _ALMOST * _longest(amount, more), _ALMOST * _longest(multiplier, pull))
            step, amount, multiplier = (
                step + length * change,
                amount + length * more,
                multiplier + length * pull,
            )
            if length > 0.9 and float(np.mean(amount * multiplier)) < tolerance:
                return step, amount, multiplier
        raise RuntimeError("the quadratic program of a consistent motion made no progress")


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (matrices @ vectors[..., None])[..., 0]


def _longest(values: np.ndarray, change: np.ndarray) -> float:
    """Return the largest part of a change, up to 1, after which no value is negative."""
    falling = change < 0
    return min(1.0, float((-values[falling] / change[falling]).min())) if falling.any() else 1.0
