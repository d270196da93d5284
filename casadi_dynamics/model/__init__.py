"""A model as frozen dataclasses of numbers and names."""

from casadi_dynamics.model.functions import (
    Constant,
    Linear,
    Multiplier,
    NaturalSpline,
    PiecewiseLinear,
    Polynomial,
    SimmSpline,
    Sine,
    Step,
)
from casadi_dynamics.model.functions import Function as Function
from casadi_dynamics.model.types import (
    Body,
    ContactForce,
    ContactSphere,
    Coordinate,
    FixedCoordinate,
    Frame,
    HalfSpace,
    ImuFrame,
    Joint,
    Model,
    TransformAxis,
    Winging,
)

__all__ = [
    "Body",
    "Constant",
    "ContactForce",
    "ContactSphere",
    "Coordinate",
    "FixedCoordinate",
    "Frame",
    "Function",
    "HalfSpace",
    "ImuFrame",
    "Joint",
    "Linear",
    "Model",
    "Multiplier",
    "NaturalSpline",
    "PiecewiseLinear",
    "Polynomial",
    "SimmSpline",
    "Sine",
    "Step",
    "TransformAxis",
    "Winging",
]
