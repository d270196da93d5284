"""Quadratic programs over a whole motion: a spline, and amounts at each sample that cannot be negative.

The amounts of a sample touch no other sample, and the spline's coefficients no sample farther than two knots
away. So a step of the interior-point method (Mehrotra 1992, SIAM J Optim 2:575) solves small systems side by
side, and a banded one for the spline: the work grows with the length of the motion and no faster.
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
#: A step of this length is as good as a whole one.
_WHOLE = 0.9
#: Each iteration gains a factor of 2 to 100. What is not solved then is at least better than before.
_MOST = 60
#: Keeps the ends of the spline free (`knots.banded_hessian`).
_END_WEIGHT = 1e14


@dataclass(frozen=True)
class QuadraticProgram:
    """Half of x^T H x, and g^T x, least over steps x of a spline and amounts of zero and more.

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
    stiffness : float
        Of the squares of the spline's fourth differences.
    spline_slope : (n + 4, c) ndarray
        Their gradient where the step is zero.
    """

    weights: np.ndarray
    motion: np.ndarray
    amount: np.ndarray
    mixed: np.ndarray
    motion_slope: np.ndarray
    amount_slope: np.ndarray
    stiffness: float
    spline_slope: np.ndarray

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
        """
        amount, multiplier = np.maximum(amount, _INSIDE), np.maximum(multiplier, _INSIDE)
        frames, states = self.motion_slope.shape
        step = np.zeros((frames + knots.MORE, states // len(self.weights)))
        for _ in range(_MOST):
            newton = _Newton(self, step, amount, multiplier)
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
        self, program: QuadraticProgram, step: np.ndarray, amount: np.ndarray, multiplier: np.ndarray
    ) -> None:
        self._amount, self._multiplier, self._weights = amount, multiplier, program.weights
        moved, mixed = knots.at_knots(step, program.weights), program.mixed
        self._by_amount = _times(program.amount, amount) + _times(mixed, moved) + program.amount_slope
        self._by_amount -= multiplier
        self._by_motion = _times(program.motion, moved) + _times(mixed.swapaxes(1, 2), amount)
        self._by_motion += program.motion_slope
        self._by_spline = program.spline_slope + program.stiffness * knots.bending(step)
        inner, diagonal = program.amount.copy(), np.arange(amount.shape[1])
        inner[:, diagonal, diagonal] += multiplier / amount
        self._inverse, self._back = np.linalg.inv(inner), mixed.swapaxes(1, 2)
        #: How the amounts follow the motion.
        self._follows = self._inverse @ mixed
        reduced = program.motion - self._back @ self._follows
        band = knots.banded_hessian(reduced, program.weights, program.stiffness, _END_WEIGHT)
        self._factor = cholesky_banded(band, lower=True, overwrite_ab=True, check_finite=False)

    def direction(self, products: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the steps of spline, amounts and multipliers to given changes of amount times multiplier."""
        own = _times(self._inverse, products / self._amount - self._by_amount)
        right = knots.onto_coefficients(-self._by_motion - _times(self._back, own), self._weights)
        right -= self._by_spline
        change = cho_solve_banded((self._factor, True), right.ravel(), check_finite=False)
        change = change.reshape(right.shape)
        more = own - _times(self._follows, knots.at_knots(change, self._weights))
        return change, more, (products - self._multiplier * more) / self._amount


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (matrices @ vectors[..., None])[..., 0]


def _longest(values: np.ndarray, change: np.ndarray) -> float:
    """Return the largest part of a change, up to 1, after which no value is negative."""
    falling = change < 0
    return min(1.0, float((-values[falling] / change[falling]).min())) if falling.any() else 1.0
