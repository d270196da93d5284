"""Sharing of a frame among muscles and actuators at the least sum of powers of their controls.

    minimise sum_i |x_i|^p   subject to   A x = tau,   lower <= x <= upper

with a row of A for each free coordinate and a column, at control 1, for each muscle and actuator. For p = 2
this is a quadratic program whose Hessian is the identity, the very problem that the dual active-set method of
DAQP is made for (Arnström, Bemporad, Axehill 2022, IEEE Trans Automat Contr 67(8):4362-4369). Frames
follow one another: which bounds hold in one frame is the first guess for the next.

Other powers go through a sequence of such programs (Newton's method with the bounds and equations kept): the
curvature of the sum at the point reached scales the controls, and a search along the line to the program's
solution finds the least sum on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import daqp
import numpy as np

from casadi_dynamics.errors import InputError

#: What DAQP takes for no bound.
_UNBOUNDED = 1e30
#: DAQP's marks: a bound that may hold, holds above, holds below; an equation.
_FREE, _AT_UPPER, _AT_LOWER, _EQUATION = 0, 1, 3, 5
_SOLVED = 1
#: Weight of one unit of what a frame cannot do beside one unit of control, for frames without a solution.
_PENALTY = 1e3
#: Newton's method stops where a step would lower the sum by less than this share of it.
_ENOUGH, _MOST_STEPS = 1e-10, 100
#: Least curvature beside the largest: powers above 2 have none at zero.
_LEAST_CURVATURE = 1e-8
#: What may be left of an equation, in parts of the frame's largest force and at least 1 N m.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class LoadSharing:
    """The controls of a trial.

    Attributes
    ----------
    controls : (N, c) ndarray
    solved : (N,) ndarray of bool
        Whether the bounds let the equations be met.
    missing : (N, r) ndarray
        What is left of `tau`; zero but for rounding where a frame is solved.
    """

    controls: np.ndarray
    solved: np.ndarray
    missing: np.ndarray


def share(
    matrix: np.ndarray, tau: np.ndarray, lower: np.ndarray, upper: np.ndarray, exponent: float = 2.0
) -> LoadSharing:
    """Solve each frame of a trial.

    Parameters
    ----------
    matrix : (N, r, c) ndarray
        Generalized forces at control 1.
    tau : (N, r) ndarray
        What they must add up to.
    lower, upper : (c,) ndarray
        Bounds of the controls; may be infinite.
    exponent : float
        2 or more: the sums of smaller powers have no curvature to speak of where controls are zero.

    Returns
    -------
    LoadSharing
        Where the bounds leave no solution, the controls that come closest.
    """
    frames, rows, columns = matrix.shape
    program = Program(rows, lower, upper, exponent)
    controls, solved = np.empty((frames, columns)), np.zeros(frames, bool)
    for i in range(frames):
        controls[i], solved[i] = program.share(matrix[i], tau[i])
    missing = tau - np.einsum("nrc,nc->nr", matrix, controls)
    allowed = _ROUNDING * np.maximum(np.abs(tau).max(axis=1, initial=0.0), 1.0)
    return LoadSharing(controls, solved & (np.abs(missing).max(axis=1, initial=0.0) <= allowed), missing)


def _check(lower: np.ndarray, upper: np.ndarray, exponent: float) -> None:
    if not (np.isfinite(exponent) and exponent >= 2):
        raise InputError(
            "static optimization cannot minimise this power of the activations here",
            where="activation exponent",
            expected="2 or more",
            found=f"{exponent:g}",
            fix="choose 2 or 3, or let OpenSim solve",
        )
    if (wrong := np.flatnonzero(~(lower <= upper))).size:
        raise InputError(
            "the smallest control of a muscle or actuator is above its largest",
            expected="min_control at most max_control",
            found=f"{lower[wrong[0]]:g} and {upper[wrong[0]]:g}",
            fix="correct them in the model or the file of actuators",
        )


class Program:
    """The program of one frame after the other.

    Parameters
    ----------
    rows : int
        Free coordinates.
    lower, upper : (c,) ndarray
        Bounds of the controls; may be infinite.
    exponent : float
        2 or more.
    """

    def __init__(self, rows: int, lower: np.ndarray, upper: np.ndarray, exponent: float = 2.0) -> None:
        _check(lower, upper, exponent)
        self._lower, self._upper = (np.clip(bound, -_UNBOUNDED, _UNBOUNDED) for bound in (lower, upper))
        self._exponent = exponent
        self._identity = np.eye(len(lower))
        self._marks = np.full(len(lower) + rows, _EQUATION, np.int32)
        self._marks[: len(lower)] = _FREE

    def share(self, matrix: np.ndarray, tau: np.ndarray) -> tuple[np.ndarray, bool]:
        """Return the controls (c,) of the next frame, and whether the bounds let the equations be met.

        Parameters
        ----------
        matrix : (r, c) ndarray
            Generalized forces at control 1.
        tau : (r,) ndarray
            What they must add up to.
        """
        found = self._solve(matrix, tau, self._exponent)
        return (self._closest(matrix, tau), False) if found is None else (found, True)

    def _solve(self, matrix: np.ndarray, tau: np.ndarray, exponent: float) -> np.ndarray | None:
        """Return the controls, or None if there are none within the bounds."""
        ones, zeros = np.ones(matrix.shape[1]), np.zeros(matrix.shape[1])
        x = self._nearest(matrix, tau, ones, zeros)
        if exponent == 2.0 or x is None:
            return x
        for _ in range(_MOST_STEPS):
            size = np.abs(x)
            slope = exponent * np.sign(x) * size ** (exponent - 1)
            curvature = exponent * (exponent - 1) * size ** (exponent - 2)
            scale = np.sqrt(np.maximum(curvature, _LEAST_CURVATURE * curvature.max()))
            target = self._nearest(matrix, tau, scale, slope / scale - scale * x)
            if target is None:  # the frame has a solution, so this is rounding at the end of the search
                return x
            step = target - x
            if -slope @ step <= _ENOUGH * np.sum(size**exponent):
                return x
            x = x + _best_share(x, step, exponent) * step
        return x

    def _closest(self, matrix: np.ndarray, tau: np.ndarray) -> np.ndarray:
        """Return controls within the bounds that leave as little of `tau` undone as can be."""
        columns = matrix.shape[1]
        weight = _PENALTY * matrix
        hessian = self._identity + weight.T @ weight
        bounds = np.zeros((0, columns)), self._upper, self._lower
        return daqp.solve(hessian, -_PENALTY * weight.T @ tau, *bounds, np.zeros(columns, np.int32))[0]

    def _nearest(
        self, matrix: np.ndarray, tau: np.ndarray, scale: np.ndarray, linear: np.ndarray
    ) -> np.ndarray | None:
        """Minimise 1/2 |y|^2 + linear y over y = scale x, and return x."""
        columns = len(scale)
        upper = np.concatenate([self._upper * scale, tau])
        lower = np.concatenate([self._lower * scale, tau])
        y, _, flag, info = daqp.solve(
            self._identity, linear, np.ascontiguousarray(matrix / scale), upper, lower, self._marks
        )
        if flag != _SOLVED:
            self._marks[:columns] = _FREE
            return None
        force = info["lam"][:columns]
        self._marks[:columns] = np.where(force > 0, _AT_UPPER, np.where(force < 0, _AT_LOWER, _FREE))
        return y / scale


def _best_share(x: np.ndarray, step: np.ndarray, exponent: float) -> float:
    """Return the share of a step, at most 1, at which the sum of powers, which is convex, is least."""

    def slope(share: float) -> float:
        here = x + share * step
        return float(np.sum(np.sign(here) * np.abs(here) ** (exponent - 1) * step))

    if slope(1.0) <= 0:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return (low + high) / 2
