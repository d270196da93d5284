"""A sensor of the study as the recording knows it: its place, and the rotation into body axes."""

from __future__ import annotations

import math

import numpy as np

from sspinn_opensim.recording.choices import SensorChoice
from sspinn_opensim.recording.rotation import angles_from_rotation, rotation_from_angles, rotation_from_axes
from sspinn_opensim.recording.types import PROXIMAL, Sensor


def mounting_rotation(choice: SensorChoice) -> np.ndarray:
    """Return the axes of the sensor in the body as the columns of a (3, 3) array; identity by default."""
    if choice.axes is not None:
        return rotation_from_axes(choice.axes, f"[sensors.{choice.name}] axes of the study")
    if choice.orientation_deg is not None:
        first, second, third = (math.radians(angle) for angle in choice.orientation_deg)
        return rotation_from_angles((first, second, third))
    return np.eye(3)


def place_sensor(choice: SensorChoice, position: tuple[float, float, float] | None = None) -> Sensor:
    """Return the sensor of a study entry.

    Parameters
    ----------
    choice : SensorChoice
        What the study says of the sensor.
    position : tuple of 3 float, optional
        Position in m that the file gives, from the joint that carries the segment; used where the study gives
        none.

    Returns
    -------
    Sensor
    """
    if choice.imu_frame:
        return Sensor(name=choice.name, body=choice.body, imu_frame=choice.imu_frame)
    from_file = choice.position is None and position is not None
    return Sensor(
        name=choice.name,
        body=choice.body,
        position=choice.position or position or (0.0, 0.0, 0.0),
        orientation=angles_from_rotation(mounting_rotation(choice)),
        origin=choice.origin or (PROXIMAL if from_file else ""),
    )
