"""Muscle forces of whole trials at once: the static optimization of OpenSim on compiled functions."""

from sspinn_opensim.muscles.setup import FastOptimizer
from sspinn_opensim.muscles.solver import MuscleSolver, fast_muscle_forces

__all__ = ["FastOptimizer", "MuscleSolver", "fast_muscle_forces"]
