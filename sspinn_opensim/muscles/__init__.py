"""Muscle forces of whole trials at once: the static optimization of OpenSim on compiled functions."""

from sspinn_opensim.muscles.fast_optimizer import FastOptimizer
from sspinn_opensim.muscles.solver import MuscleSolver, fast_muscle_forces

__all__ = ["FastOptimizer", "MuscleSolver", "fast_muscle_forces"]
