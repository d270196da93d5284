"""A model as CasADi functions."""

from casadi_dynamics.symbolic.body_functions import BodyFunctions
from casadi_dynamics.symbolic.build import build
from casadi_dynamics.symbolic.fixed import fix_coordinates, keep_coordinates
from casadi_dynamics.symbolic.posture import Posture, posture

__all__ = ["BodyFunctions", "Posture", "build", "fix_coordinates", "keep_coordinates", "posture"]
