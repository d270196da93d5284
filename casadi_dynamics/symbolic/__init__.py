"""A model as CasADi functions."""

from casadi_dynamics.symbolic.build import BodyFunctions, build

__all__ = ["BodyFunctions", "build"]
