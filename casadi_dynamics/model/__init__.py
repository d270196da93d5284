"""What a model is: frozen dataclasses of numbers and names."""

from casadi_dynamics.model.functions import Constant, Linear, Multiplier, Polynomial, SimmSpline
from casadi_dynamics.model.functions import Function as Function
from casadi_dynamics.model.types import (
    Body,
    ContactForce,
    ContactSphere,
    Coordinate,
    Frame,
    HalfSpace,
    ImuFrame,
    Joint,
    Model,
    TransformAxis,
)

__all__ = [
    "Body",
    "Constant",
    "ContactForce",
    "ContactSphere",
    "Coordinate",
    "Frame",
    "Function",
    "HalfSpace",
    "ImuFrame",
    "Joint",
    "Linear",
    "Model",
    "Multiplier",
    "Polynomial",
    "SimmSpline",
    "TransformAxis",
]
