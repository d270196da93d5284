"""Sensors as a study mounts them: where each sits, and its axes turned into those of the body."""

from __future__ import annotations

import math

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import SensorChoice
from sspinn_opensim.recording.signals.rotations import angles_from_rotation, rotation_from_angles
from sspinn_opensim.recording.types import AXES, PROXIMAL, Sensor
from sspinn_opensim.text import toml_table


def mounting_rotation(choice: SensorChoice) -> np.ndarray:
    """Return the axes of the sensor in the body as the columns of a (3, 3) array; identity by default."""
    if choice.axes is not None:
        return rotation_from_axes(choice.axes, f"{toml_table('sensors', choice.name)} axes of the study")
    if choice.orientation_deg is not None:
        first, second, third = (math.radians(angle) for angle in choice.orientation_deg)
        return rotation_from_angles((first, second, third))
    return np.eye(3)


def place_sensor(
    choice: SensorChoice, position: tuple[float, float, float] | None = None, *, segment_axes: bool = True
) -> Sensor:
    """Return the sensor of a study entry.

    Parameters
    ----------
    position : tuple of 3 float, optional
        Position in m that the file gives, from the joint that carries the segment; used where the study gives
        none. Without either the sensor has no position but the usual one.
    segment_axes : bool
        Whether signals are along the segment's axes where the study does not say how the sensor is turned.
    """
    orientation = angles_from_rotation(mounting_rotation(choice))
    if choice.imu_frame:
        return Sensor(choice.name, choice.body, orientation=orientation, imu_frame=choice.imu_frame)
    from_file = choice.position is None and position is not None
    return Sensor(
        name=choice.name,
        body=choice.body,
        position=choice.position or position,
        orientation=orientation,
        origin=choice.origin or (PROXIMAL if from_file else ""),
        axes_known=segment_axes or choice.axes is not None or choice.orientation_deg is not None,
    )


def rotation_from_axes(axes: tuple[str, str, str], where: str) -> np.ndarray:
    """Return the axes of the sensor in the body, named, as the columns of a (3, 3) array.

    Parameters
    ----------
    axes : tuple of 3 str
        For the sensor's x, y and z the body axis it points along: ``x``, ``y`` or ``z``, with ``-`` for the
        opposite way.
    """
    rotation = np.zeros((3, 3))
    for column, axis in enumerate(axes):
        name = axis.removeprefix("-").removeprefix("+")
        if name not in AXES or len(axis) > 2:
            raise InputError(
                f"Unknown axis '{axis}'.", where=where, expected="x, y, z, or one of them with - before it"
            )
        rotation[AXES.index(name), column] = -1.0 if axis.startswith("-") else 1.0
    if np.any(np.count_nonzero(rotation, axis=1) != 1):
        raise InputError("A body axis is named twice.", where=where, found=", ".join(axes))
    if np.linalg.det(rotation) < 0:
        raise InputError(
            "The axes are left-handed: no sensor can sit that way.",
            where=where,
            found=", ".join(axes),
            fix="flip the sign of one axis, after comparing it with the axes printed on the sensor",
        )
    return rotation
