"""Muscle forces over time, from whichever optimizer."""

from __future__ import annotations

import dataclasses

import numpy as np

from sspinn_opensim.opensim_io.tables.storage import Table


@dataclasses.dataclass(frozen=True)
class Solution:
    """What distributing joint moments over muscles gave, frame by frame.

    Parameters
    ----------
    muscles : tuple of str
        ``m`` names.
    time_s : ndarray, shape (n,)
    forces : ndarray, shape (n, m)
        Of the tendons, N.
    activations : ndarray, shape (n, m)
    actuation : dict
        By name of a reserve, residual or other coordinate actuator its force, shape (n,), N m or N.
    failed : ndarray of bool, shape (n,)
        Frames that the optimizer gave up.
    violation : ndarray, shape (n,)
        Acceleration error that it left; NaN where it does not say.
    objective : ndarray, shape (n,)
        Minimum it reached; NaN where it does not say.
    method : str
        Which optimizer.
    wall_s : float
        Duration, s.
    workers : int
        Processes that shared the work.
    later : ndarray of bool, shape (n,), optional
        Frames that it solved at a later attempt only, with a looser criterion.
    """

    muscles: tuple[str, ...]
    time_s: np.ndarray
    forces: np.ndarray
    activations: np.ndarray
    actuation: dict[str, np.ndarray]
    failed: np.ndarray
    violation: np.ndarray
    objective: np.ndarray
    method: str = "OpenSim static optimization"
    wall_s: float = 0.0
    workers: int = 1
    later: np.ndarray | None = None

    @property
    def relaxed(self) -> np.ndarray:
        """Frames that a later attempt solved, shape (n,)."""
        return np.zeros(len(self.time_s), bool) if self.later is None else self.later

    def forces_table(self) -> Table:
        """Return the muscle forces as a table, N."""
        return Table(self.muscles, self.time_s, self.forces, False, "muscle forces")

    def activations_table(self) -> Table:
        """Return the activations as a table."""
        return Table(self.muscles, self.time_s, self.activations, False, "muscle activations")
