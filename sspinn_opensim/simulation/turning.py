"""Walks that turn, made of straight ones: the same posture along a path that bends on the floor.

Kinematics are exact: the root goes where the walk goes along the path, and the body turns with it about the
vertical. A foot on the floor turns along, which a real one does not.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from casadi_dynamics.errors import InputError
from casadi_dynamics.symbolic import BodyFunctions
from casadi_dynamics.symbolic.heading import about, root_heading
from sspinn_opensim.recording.resample import uniform_clock
from sspinn_opensim.simulation.motion import Samples, SplineMotion, through

#: Rate at which the motion along the path is sampled before a spline is laid through it, Hz.
_RATE_HZ = 200.0
#: What is left out at either end, where a natural spline bends otherwise, s.
END_S = 0.25


def bent(
    functions: BodyFunctions,
    motion: SplineMotion,
    span_s: tuple[float, float],
    speed_m_s: float,
    path: str,
    radius_m: float,
    straight_m: float,
) -> tuple[SplineMotion, CubicSpline]:
    """Return a walk along x on a path that bends to the left, and its heading (rad) over time.

    Parameters
    ----------
    motion : SplineMotion
        Leads along x.
    span_s : tuple of 2 float
        The part of it that is used, s.
    speed_m_s : float
        Mean speed of it along x: how fast the path is followed.
    path : {'circle', 'back_and_forth'}
        A circle; or straight, half a circle, back, half a circle, and again.
    radius_m, straight_m : float
        Of the circle or of its halves, and length of the straight parts.

    Raises
    ------
    InputError
        The root of the model does not turn about the vertical.
    """
    model = functions.tree.model
    root = root_heading(model)
    if root is None:
        raise InputError(
            "The walk cannot be laid along a path: its model does not turn about the vertical.",
            where=f"model '{model.name}'",
            expected="a root with three rotations and three translations",
            fix='set path = "straight"',
        )
    time_s = span_s[0] + uniform_clock(span_s[1] - span_s[0], _RATE_HZ)
    q, qdot, _ = motion(time_s)
    come = speed_m_s * (time_s - span_s[0])
    heading = come / radius_m if path == "circle" else _back_and_forth(come, radius_m, straight_m)
    steps = list(root.steps)
    velocity = np.einsum("nij,nj->ni", about(np.array([0.0, 1.0, 0.0]), heading), qdot[:, steps])
    placed = root.turned(q, heading)
    placed[:, steps[::2]] = CubicSpline(time_s, velocity[:, ::2]).antiderivative()(time_s)
    return through(Samples(time_s, placed, "path")), CubicSpline(time_s, heading)


def _back_and_forth(come_m: np.ndarray, radius_m: float, straight_m: float) -> np.ndarray:
    """Return the heading after so much of the way; half circles begin and end smoothly."""
    half_m = np.pi * radius_m
    whole, rest = np.divmod(come_m, straight_m + half_m)
    part = np.clip((rest - straight_m) / half_m, 0.0, 1.0)
    return np.pi * (whole + part - np.sin(2 * np.pi * part) / (2 * np.pi))
