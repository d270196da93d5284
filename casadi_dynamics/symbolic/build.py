"""A model's functions, built for the sensors that sit on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from casadi_dynamics.model import ImuFrame, Model
from casadi_dynamics.symbolic.body_functions import BodyFunctions
from casadi_dynamics.symbolic.parameters import Parameters
from casadi_dynamics.symbolic.tree import build_tree


def build(
    model: Model, sensors: tuple[ImuFrame, ...] = (), parameter_names: Sequence[str] = ()
) -> BodyFunctions:
    """Build the functions of a model.

    Parameters
    ----------
    sensors : tuple of ImuFrame
        What carries the sensors. Body and orientation become part of the functions; the position is the
        input `sensor_position` (see `sensor_positions`).
    parameter_names : sequence of str, optional
        Names that are to be parameters even where the number is zero in this model: those of another subject,
        so that both share one program although a number is zero in one of them only.

    Raises
    ------
    InputError
        If a sensor names a body that the model does not have.
    """
    for sensor in sensors:
        model.body(sensor.body)
    return BodyFunctions(build_tree(model, Parameters(model, parameter_names)), tuple(sensors))


def sensor_positions(sensors: tuple[ImuFrame, ...]) -> np.ndarray:
    """Return the input `sensor_position` of `dynamics` for sensors where the model or study puts them."""
    return np.array([x for sensor in sensors for x in sensor.position])
