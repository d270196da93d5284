"""The walk of the demo: what is asked of it."""

from __future__ import annotations

from casadi_dynamics.model import Model
from sspinn_opensim.simulation.demo.gait_curves import ANGLES, CLEARANCE, FORWARD_FORCE, VERTICAL_FORCE
from sspinn_opensim.simulation.optimal_gait import GaitTask, OptimalGait
from sspinn_opensim.simulation.optimal_gait import solve as solve_task

#: About 109 steps a minute. A whole number of samples, so that the recording's samples are knots.
CYCLE_S = 1.10
KNOTS = 110

WALK = GaitTask(
    cycle_s=CYCLE_S,
    knots=KNOTS,
    speed_m_s=1.25,
    speed_range_m_s=(1.15, 1.35),
    angles=ANGLES,
    vertical_force={"r": VERTICAL_FORCE, "l": VERTICAL_FORCE},
    forward_force={"r": FORWARD_FORCE, "l": FORWARD_FORCE},
    clearance=CLEARANCE,
)


def solve(model: Model) -> OptimalGait:
    """Find the walk."""
    return solve_task(model, WALK)
