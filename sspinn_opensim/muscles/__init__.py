"""Muscle forces of whole trials at once: the static optimization of OpenSim on compiled functions."""

from sspinn_opensim.muscles.fast_optimizer import FastOptimizer
from sspinn_opensim.muscles.frame_solver import FrameSolver, MuscleFrame
from sspinn_opensim.muscles.solver import MuscleSolver, fast_muscle_forces

__all__ = ["FastOptimizer", "FrameSolver", "MuscleFrame", "MuscleSolver", "fast_muscle_forces"]
