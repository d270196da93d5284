"""Static optimization of one frame after the other, of joint moments that are known."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.muscles.solver import MuscleSolver

#: A reserve beyond this share of the largest moment of its joint is told (Hicks et al. 2015, J Biomech Eng
#: 137(2):020905), as in the verdict on a whole trial.
RESERVE_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class MuscleFrame:
    """The muscles of one frame.

    Attributes
    ----------
    activations, forces : (m,) ndarray
        0 to 1, and of the tendons, N; in the order of `MuscleSolver.muscles`.
    actuation : (k,) ndarray
        What reserves, torques and residuals gave, N m or N; in the order of `MuscleSolver.actuators`.
    unmet : tuple of str
        Coordinates along which the muscles could not give what was asked: a reserve gave more than
        `RESERVE_SHARE` of the largest moment so far, or nothing did.
    """

    activations: np.ndarray
    forces: np.ndarray
    actuation: np.ndarray
    unmet: tuple[str, ...] = ()


class FrameSolver:
    """Static optimization frame by frame: that of `MuscleSolver`, of moments that something else estimates.

    Which bounds hold in one frame is the first guess for the next, so frames that follow one another cost
    least.

    Parameters
    ----------
    solver : MuscleSolver
        Of the model with its reserves.
    actuated : sequence of str
        The coordinate of each moment.
    least_moment : float
        A joint that was never loaded by more than this is judged as if it had been, N m.

    Raises
    ------
    InputError
        If a moment acts along a coordinate that is not free in the model.
    """

    def __init__(self, solver: MuscleSolver, actuated: Sequence[str], *, least_moment: float = 1.0) -> None:
        held = [name for name in actuated if name not in solver.free]
        if held:
            raise InputError(
                f"the moment of '{held[0]}' has nothing to act on",
                expected="coordinates that are free in the model",
                found=f"{len(held)} locked or coupled: {', '.join(held[:8])}",
            )
        self._solver = solver
        self._demand, self._program = solver.frame_demand(), solver.program()
        self._rows = np.array([solver.free.index(name) for name in actuated], int)
        # What pulls along the coordinate of a reserve: its actuators, where muscles cross it.
        self._helped = np.array([solver.free.index(n) for n in actuated if n in solver.crossed], int)
        driven = np.array([solver.free.index(n) if n in solver.free else -1 for n in solver.driven], int)
        self._reserves = (driven[:, None] == self._helped).astype(float)
        self._largest = np.full(len(self._helped), float(least_moment))

    def twin(self) -> FrameSolver:
        """Return another one of the same muscles, whose first guesses and largest moments are its own."""
        other = copy.copy(self)
        other._program, other._largest = self._solver.program(), self._largest.copy()
        return other

    @property
    def muscles(self) -> tuple[str, ...]:
        """Names of the muscles."""
        return self._solver.muscles

    @property
    def actuators(self) -> tuple[str, ...]:
        """Names of reserves, torques and residuals."""
        return self._solver.actuators

    @property
    def driven(self) -> tuple[str, ...]:
        """The coordinate of each of them."""
        return self._solver.driven

    def solve(self, q: np.ndarray, qdot: np.ndarray, moments: np.ndarray) -> MuscleFrame:
        """Return the muscles of a frame.

        Parameters
        ----------
        q, qdot : (n,) ndarray
            Along all coordinates of the model, in its order, and their rates; finite.
        moments : (a,) ndarray
            Of inverse dynamics along the actuated coordinates, N m or N; finite.
        """
        demand = self._demand.at(self._solver.at_rest(q[None]), qdot[None])
        tau = demand.tau[0]
        tau[self._rows] += moments
        strength = self._solver.strength(demand)[0]
        controls, solved = self._program.share(demand.arms[0] * strength, tau)
        force, count = strength * controls, len(self.muscles)
        return MuscleFrame(
            controls[:count], force[:count], force[count:], self._unmet(tau, force[count:], solved)
        )

    def _unmet(self, tau: np.ndarray, actuation: np.ndarray, solved: bool) -> tuple[str, ...]:
        asked, reserve = np.abs(tau[self._helped]), np.abs(actuation @ self._reserves)
        np.maximum(self._largest, asked, out=self._largest)
        beyond = reserve > RESERVE_SHARE * self._largest if solved else np.ones(len(self._helped), bool)
        return tuple(self._solver.free[row] for row in self._helped[beyond])
