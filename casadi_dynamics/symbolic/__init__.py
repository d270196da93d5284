"""A model as CasADi functions."""

from casadi_dynamics.symbolic.build import BodyFunctions, build
from casadi_dynamics.symbolic.fixed import fix_coordinates, keep_coordinates

__all__ = ["BodyFunctions", "build", "fix_coordinates", "keep_coordinates"]
