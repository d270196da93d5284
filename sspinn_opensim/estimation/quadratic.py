"""Quadratic programs over a whole motion: a spline, and amounts at each sample that cannot be negative.

The amounts of a sample touch no other sample, and the spline's coefficients no sample farther than two knots
away. So for a guess of the amounts that are zero, small systems side by side and a banded one for the spline
give the answer; where it has negative amounts, or zeros that pull, the guess is mended there (Hintermueller,
Ito and Kunisch 2002, SIAM J Optim 13:865, the primal-dual active set strategy). In the plane few guesses are
enough. Where they go in circles, as with cones of many sides, an interior-point method (Mehrotra 1992, SIAM J
Optim 2:575) takes over, with systems of the same form. The work grows with the length of the motion alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve_banded

from sspinn_opensim.estimation import knots

#: Guesses of the amounts that are zero, before they are taken to go in circles.
_GUESSES = 12
#: Amounts nearer to zero are on neither side of it: rounding. So are multipliers, over the curvature.
_ROUNDING, _ROUNDING_OF_PULL = 1e-10, 3e-11
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


class Curvature:
    """The Hessian of a program; what follows from it is made once, and kept for other slopes.

    Parameters
    ----------
    weights : (3, 5) ndarray
        `knots.derivative_weights`.
    motion, amount : (n, k, k) and (n, a, a) ndarrays
        By the step of value, speed and acceleration, and by the amounts.
    mixed : (n, a, k) ndarray
        By both.
    stiffness : float
        Of the squares of the spline's fourth differences.
    """

    def __init__(
        self, weights: np.ndarray, motion: np.ndarray, amount: np.ndarray, mixed: np.ndarray, stiffness: float
    ) -> None:
        self.weights, self.stiffness = weights, stiffness
        self.motion, self.amount, self.mixed = motion, amount, mixed
        #: Of both, by the coefficients of each knot, (n, a, 5 c).
        self.by_window = knots.by_window(mixed, weights)
        self._guess: _Guess | None = None

    def band(self) -> knots.Band:
        """Return the Hessian by the coefficients where the amounts are held."""
        frames, states = self.motion.shape[:2]
        band = knots.Band(frames + knots.MORE, states // len(self.weights))
        band.add_motion(self.motion, self.weights)
        band.add_stiffness(self.stiffness, _END_WEIGHT)
        return band

    def where_zero(self, zero: np.ndarray) -> _Guess:
        """Return the systems where some amounts, (n, a) bool, are zero; only where that changed anew."""
        if self._guess is None:
            self._guess = _Guess(self, zero)
        else:
            self._guess.change(zero)
        return self._guess


class _Guess:
    """The systems of a Hessian where some amounts are zero and the others free."""

    def __init__(self, curvature: Curvature, zero: np.ndarray) -> None:
        # Not the curvature itself, which holds this: in a circle memory is not given back at once.
        self._amount, self._by_window = curvature.amount, curvature.by_window
        self._band, self._zero = curvature.band(), zero
        #: Of the Hessian by the amounts that are free, and how these follow the coefficients.
        self.inverse = self._inverse(slice(None))
        self.follows = self.inverse @ self._by_window
        self._band.subtract_squares(self._by_window, self.follows)
        self._factor = self._band.factor()

    def change(self, zero: np.ndarray) -> None:
        """Go on to another guess."""
        changed = np.flatnonzero((zero != self._zero).any(axis=1))
        if not len(changed):
            return
        self._zero, mixed = zero, self._by_window[changed]
        self.inverse[changed] = self._inverse(changed)
        follows = self.inverse[changed] @ mixed
        self._band.subtract_squares(mixed, follows - self.follows[changed], changed)
        self.follows[changed] = follows
        self._factor = self._band.factor()

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return the coefficients (n + 4, c) of the reduced system."""
        return cho_solve_banded((self._factor, True), right.ravel(), check_finite=False).reshape(right.shape)

    def _inverse(self, frames: slice | np.ndarray) -> np.ndarray:
        held, inner = self._zero[frames], self._amount[frames].copy()
        inner[held] = 0.0
        inner.swapaxes(1, 2)[held] = 0.0
        diagonal = np.arange(inner.shape[1])
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

    def solve_by_guesses(self, zero: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Return the step of the coefficients (n + 4, c), the amounts, and the multipliers of their bounds.

        Parameters
        ----------
        zero : (n, a) bool ndarray
            The first guess: which amounts are zero.

        Returns
        -------
        tuple of ndarrays or None
            None where guesses go in circles.
        """
        known, mixed = self.curvature, self.curvature.by_window
        back = mixed.swapaxes(1, 2)
        slope = knots.onto_coefficients(self.motion_slope, known.weights) + self.spline_slope
        nothing = _ROUNDING_OF_PULL * np.einsum("nii->ni", known.amount)
        for _ in range(_GUESSES):
            guess = known.where_zero(zero)
            own = -_times(guess.inverse, self.amount_slope)
            step = guess.solve(-slope - knots.onto_windows(_times(back, own)))
            moved = knots.windows(step)
            amount = own - _times(guess.follows, moved)
            pull = _times(known.amount, amount) + _times(mixed, moved) + self.amount_slope
            wrong = np.where(zero, pull < -nothing, amount < -_ROUNDING)
            if not wrong.any():
                multiplier = np.where(zero, np.maximum(pull, 0.0), 0.0)
                return step, np.maximum(amount, 0.0), multiplier
            zero = zero ^ wrong
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
        frames, states = self.motion_slope.shape
        step = np.zeros((frames + knots.MORE, states // len(self.curvature.weights)))
        band = self.curvature.band()
        for _ in range(_MOST):
            newton = _Newton(self, band.copy(), step, amount, multiplier)
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
    """Newton's step from one point, with its matrices factorised once.

    Parameters
    ----------
    band : Band
        Of the program; it is used up.
    """

    def __init__(
        self,
        program: QuadraticProgram,
        band: knots.Band,
        step: np.ndarray,
        amount: np.ndarray,
        multiplier: np.ndarray,
    ) -> None:
        known, mixed = program.curvature, program.curvature.by_window
        self._amount, self._multiplier, self._back = amount, multiplier, mixed.swapaxes(1, 2)
        moved = knots.at_knots(step, known.weights)
        self._by_amount = _times(known.amount, amount) + _times(known.mixed, moved)
        self._by_amount += program.amount_slope - multiplier
        by_motion = _times(known.motion, moved) + program.motion_slope
        self._by_spline = knots.onto_coefficients(by_motion, known.weights)
        self._by_spline += knots.onto_windows(_times(self._back, amount))
        self._by_spline += program.spline_slope + known.stiffness * knots.bending(step)
        inner, diagonal = known.amount.copy(), np.arange(amount.shape[1])
        inner[:, diagonal, diagonal] += multiplier / amount
        self._inverse = np.linalg.inv(inner)
        #: How the amounts follow the coefficients.
        self._follows = self._inverse @ mixed
        band.subtract_squares(mixed, self._follows)
        self._factor = band.factor()

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
