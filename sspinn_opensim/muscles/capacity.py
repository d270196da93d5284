"""The active force of muscles at full activation, as OpenSim's static optimization sees it.

The tendon does not stretch and passive fibres give nothing: what the path is longer than the slack tendon is
fibre, along the tendon. (OpenSim: `Muscle::calcInextensibleTendonActiveFiberForce`.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.muscles.curves import force_curves
from sspinn_opensim.opensim_io.model.muscle_laws import (
    DeGrooteFreglyCurves,
    MillardCurves,
    MuscleLaw,
    ThelenCurves,
)

#: A fibre without pennation is never shorter than this, in optimal fibre lengths (OpenSim's pennation model).
_SHORTEST_FIBER = 0.01


class Capacity:
    """The strength of muscles.

    Parameters
    ----------
    physiology : bool
        Whether force depends on fibre length and velocity; without, it is the maximal isometric force.

    Raises
    ------
    InputError
        If force is to depend on length and velocity and the curves of a muscle's class are not known here.
    """

    def __init__(self, laws: Sequence[MuscleLaw], physiology: bool = True) -> None:
        unknown = [law for law in laws if law.curves is None]
        if physiology and unknown:
            raise InputError(
                f"the curves of {unknown[0].kind} '{unknown[0].name}' are not known here",
                expected="Thelen2003Muscle, Millard2012EquilibriumMuscle or DeGrooteFregly2016Muscle",
                found=", ".join(sorted({law.kind for law in unknown})),
                fix="let OpenSim solve, or set physiology = false",
            )
        self._physiology = physiology
        self._groups = {
            curves: np.array([i for i, law in enumerate(laws) if law.curves == curves])
            for curves in dict.fromkeys(law.curves for law in laws)
        }

        self._force = np.array([law.max_isometric_force for law in laws])
        self._optimal = np.array([law.optimal_fiber_length for law in laws])
        self._slack = np.array([law.tendon_slack_length for law in laws])
        self._fastest = np.array([law.max_contraction_velocity for law in laws]) * self._optimal
        self._height = self._optimal * np.sin([law.pennation_angle for law in laws])
        steepest = np.array([law.max_pennation_angle for law in laws])
        oblique = self._height / np.maximum(np.sin(steepest), np.finfo(float).eps)
        self._shortest = np.where(self._height > 0, oblique, _SHORTEST_FIBER * self._optimal)
        along = np.where(self._height > 0, oblique * np.cos(steepest), self._shortest)
        # De Groote's muscles know no shortest fibre: where the path is slack, OpenSim turns the fibre around.
        endless = [isinstance(law.curves, DeGrooteFreglyCurves) for law in laws]
        self._shortest_along = np.where(endless, -np.inf, along)

    def __call__(self, length: np.ndarray, speed: np.ndarray) -> np.ndarray:
        """Return the largest active force along the tendon.

        Parameters
        ----------
        length, speed : (N, m) ndarray
            Of the muscle-tendon units, m and m/s; lengthening is positive.

        Returns
        -------
        (N, m) ndarray
            N; zero where the fibre would be shorter than it can be.
        """
        if not self._physiology:
            return np.broadcast_to(self._force, length.shape).copy()
        along = length - self._slack
        exists = along > self._shortest_along
        fiber = np.where(exists, np.hypot(self._height, along), self._shortest)
        cosine = np.where(exists, along, 0.0) / np.maximum(fiber, np.finfo(float).tiny)
        normalized, velocity = fiber / self._optimal, speed * cosine / self._fastest
        force = np.empty_like(fiber)
        for curves, muscles in self._groups.items():
            over_length, over_velocity = force_curves(curves)
            force[:, muscles] = over_length(normalized[:, muscles]) * over_velocity(velocity[:, muscles])
            force[:, muscles] *= self._along_tendon(curves, muscles, cosine, normalized)
        return np.where(exists, self._force * force, 0.0)

    def _along_tendon(self, curves: Any, muscles, cosine, normalized) -> np.ndarray | float:
        """Return the share of the fibre's force that OpenSim counts along the tendon.

        For Thelen's muscles it is the cosine of the pennation angle. Millard's take that cosine at the fibre
        length in optimal lengths, read as metres, which leaves out nearly all of the pennation; De Groote's
        leave out all. To give OpenSim's forces, so does this.
        """
        if isinstance(curves, ThelenCurves):
            return cosine[:, muscles]
        if isinstance(curves, MillardCurves):
            sine = np.minimum(self._height[muscles] / normalized[:, muscles], 1.0)
            return np.sqrt(1 - sine**2)
        return 1.0
