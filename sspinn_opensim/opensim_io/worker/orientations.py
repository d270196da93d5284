"""Jobs about orientations: IMUs placed on a model by a posture, and inverse kinematics that follows them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType


def follow_orientations(
    opensim: ModuleType,
    model: str,
    standing: str,
    orientations: str,
    placed: str,
    motion: str,
    from_s: float,
    to_s: float,
) -> dict:
    """Place IMUs as they are turned in the default posture, and find the motion that follows them.

    `standing` and `orientations` are tables of quaternions in a world with y up; the model with IMU frames is
    written to `placed`, its coordinates to `motion`.
    """
    placer = opensim.IMUPlacer()
    placer.set_model_file(model)
    placer.set_orientation_file_for_calibration(standing)
    placer.set_sensor_to_opensim_rotations(opensim.Vec3(0))  # they are in OpenSim's axes already
    placer.set_output_model_file(placed)
    returned = bool(placer.run(False))
    tool = opensim.IMUInverseKinematicsTool()
    tool.set_model_file(placed)
    tool.set_orientations_file(orientations)
    tool.set_sensor_to_opensim_rotations(opensim.Vec3(0))
    # Without a range it would stop after two seconds.
    tool.set_time_range(0, from_s)
    tool.set_time_range(1, to_s)
    tool.set_results_directory(str(Path(motion).parent))
    tool.set_output_motion_file(motion)
    tool.set_report_errors(False)
    return {"placed": returned, "returned": bool(tool.run(False))}
