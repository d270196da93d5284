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
#: Keeps the ends of the spline free (`knots.Band.add_stiffness`).
_END_WEIGHT = 1e14
#: Samples whose Hessians are added to the band at once.
_CHUNK = 512


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
        band, mixed = self._band(), knots.by_window(self.mixed, self.weights)
        for _ in range(_MOST):
            newton = _Newton(self, band.copy(), mixed, step, amount, multiplier)
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

    def _band(self) -> knots.Band:
        """Return the Hessian by the coefficients where the amounts are held."""
        frames, states = self.motion_slope.shape
        band = knots.Band(frames + knots.MORE, states // len(self.weights))
        for first in range(0, frames, _CHUNK):
            band.add_motion(self.motion[first : first + _CHUNK], self.weights, first)
        band.add_stiffness(self.stiffness, _END_WEIGHT)
        return band


class _Newton:
    """Newton's step from one point, with its matrices factorised once.

    Parameters
    ----------
    band : Band
        Of the program; it is used up.
    mixed : (n, a, 5 c) ndarray
        Of the program, by the coefficients of each knot.
    """

    def __init__(
        self,
        program: QuadraticProgram,
        band: knots.Band,
        mixed: np.ndarray,
        step: np.ndarray,
        amount: np.ndarray,
        multiplier: np.ndarray,
    ) -> None:
        self._amount, self._multiplier, self._back = amount, multiplier, mixed.swapaxes(1, 2)
        moved = knots.at_knots(step, program.weights)
        self._by_amount = _times(program.amount, amount) + _times(program.mixed, moved)
        self._by_amount += program.amount_slope - multiplier
        by_motion = _times(program.motion, moved) + program.motion_slope
        self._by_spline = knots.onto_coefficients(by_motion, program.weights)
        self._by_spline += knots.onto_windows(_times(self._back, amount))
        self._by_spline += program.spline_slope + program.stiffness * knots.bending(step)
        inner, diagonal = program.amount.copy(), np.arange(amount.shape[1])
        inner[:, diagonal, diagonal] += multiplier / amount
        self._inverse = np.linalg.inv(inner)
        #: How the amounts follow the coefficients.
        self._follows = self._inverse @ mixed
        band.subtract_squares(mixed, self._follows)
        self._factor = cholesky_banded(band.lapack(), lower=True, check_finite=False)

    def direction(self, products: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the steps of spline, amounts and multipliers to given changes of amount times multiplier."""
        own = _times(self._inverse, products / self._amount - self._by_amount)
        right = -self._by_spline - knots.onto_windows(_times(self._back, own))
        change = cho_solve_banded((self._factor, True), right.ravel(), check_finite=False)
        change = change.reshape(right.shape)
        more = own - _times(self._follows, knots.windows(change))
        return change, more, (products - self._multiplier * more) / self._amount


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (matrices @ vectors[..., None])[..., 0]


def _longest(values: np.ndarray, change: np.ndarray) -> float:
    """Return the largest part of a change, up to 1, after which no value is negative."""
    falling = change < 0
    return min(1.0, float((-values[falling] / change[falling]).min())) if falling.any() else 1.0
