"""Places of sensors on a model: where each sits in the axes of its body, and whether anybody wears one there.

A place is held against the bones of its segment: lines from the centre of the joint that carries it to those
of the joints that it carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.model import ImuFrame, Model
from sspinn_opensim.anatomy.joint_centres import joint_centre
from sspinn_opensim.anatomy.names import MIDDLE, segment_of
from sspinn_opensim.anatomy.sensor_places import near_centre, usual_position
from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.sensors.placement import check_placement
from sspinn_opensim.recording.types import PROXIMAL, Sensor
from sspinn_opensim.text import toml_table

_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def place(sensor: Sensor, model: Model) -> ImuFrame:
    """Return the place of a sensor; its axes are those of the IMU frame it names, else of its body."""
    check_placement((sensor,), model)
    if sensor.imu_frame:
        frame = next(f for f in model.imu_frames if f.name == sensor.imu_frame)
        return ImuFrame(sensor.name, frame.body, frame.position, frame.rotation)
    if sensor.position is None:
        x, y, z = usual_position(model, sensor.body).tolist()
    else:
        x, y, z = (_origin(model, sensor) + np.array(sensor.position)).tolist()
    return ImuFrame(sensor.name, sensor.body, (x, y, z), _IDENTITY)


def _origin(model: Model, sensor: Sensor) -> np.ndarray:
    """Return the point that a sensor's position is measured from, in the axes of its body.

    A position measured 'from the level of the hips' has no side: the centre of a joint on the parent body is
    taken at the body's own z.
    """
    if not sensor.origin:
        return np.zeros(3)
    if sensor.origin == PROXIMAL:
        return near_centre(model, sensor.body)
    joint = model.joint(sensor.origin)
    flat = np.array([1.0, 1.0, 0.0 if joint.parent.body == sensor.body else 1.0])
    return joint_centre(model, joint, sensor.body) * flat


@dataclass(frozen=True)
class _Girth:
    """Distances from the bones of a segment, m, beyond which a place is doubted, and refused."""

    doubted_m: float
    refused_m: float


#: Half of the thickest part of a segment is the least that must be allowed. Girths of the 99th percentile of
#: soldiers (Gordon et al. 2014, NATICK/TR-15/007: thigh 0.77 m, calf 0.46 m) are those of circles of 12 and 7
#: cm; bones run up to 3 cm beside the middle. A foot is as long behind the ankle as it is high. The hips are
#: 9 cm deep in a pelvis that is 40 cm wide; a trunk is as deep as it is wide beside its joints.
_GIRTHS = {
    "thigh": _Girth(0.15, 0.19),
    "shank": _Girth(0.11, 0.15),
    "foot": _Girth(0.12, 0.16),
    "pelvis": _Girth(0.20, 0.27),
    "trunk": _Girth(0.27, 0.37),
}
#: Between the legs there is less room: their bones are 8 to 9 cm from the middle of the body (hips; knees and
#: ankles less), so that further inward than this, m, a sensor would sit on the other leg.
_INWARD = _Girth(0.085, 0.11)


def odd_places(sensors: Sequence[Sensor], model: Model) -> list[Finding]:
    """Return sensors that the study places where nobody wears one.

    Parameters
    ----------
    sensors : sequence of Sensor
        As a study says; their bodies and frames are those of the model.
    model : Model
        Scaled to the person or not: a leg differs by a few centimetres along the bone alone.
    """
    return [found for sensor in sensors if (found := _odd(sensor, model))]


def _odd(sensor: Sensor, model: Model) -> Finding | None:
    frame = place(sensor, model)
    told = segment_of(frame.body)
    if told is None or told[0] not in _GIRTHS or (sensor.position is None and not sensor.imu_frame):
        return None
    segment, side = told
    at = np.array(frame.position)
    away = min((at - _nearest(at, *line) for line in _bones(model, frame.body)), key=np.linalg.norm)
    off_m, girth = float(np.linalg.norm(away)), _GIRTHS[segment]
    words = f"{side} {segment}".strip()
    if segment not in MIDDLE and side:
        inward_m = float(away[2] if side == "left" else -away[2])
        if inward_m > _INWARD.doubted_m and inward_m / _INWARD.doubted_m > off_m / girth.doubted_m:
            says = f"It sits {100 * inward_m:.0f} cm inward of the bones of the {words}, to the other leg."
            return _finding(sensor, frame, says, serious=inward_m > _INWARD.refused_m)
    if off_m <= girth.doubted_m:
        return None
    says = f"It sits {100 * off_m:.0f} cm from the bones of the {words}."
    return _finding(sensor, frame, says, serious=off_m > girth.refused_m)


def _finding(sensor: Sensor, frame: ImuFrame, says: str, *, serious: bool) -> Finding:
    where = ", ".join(f"{value:.3g}" for value in frame.position)
    return Finding(
        "serious" if serious else "doubt",
        "place",
        f"{says[:-1]}: at ({where}) m in the axes of '{frame.body}'.",
        sensor=sensor.name,
        advice=f"look at position and origin of {toml_table('sensors', sensor.name)}: m, x forward, y up, z "
        "to the right on both sides",
    )


def _bones(model: Model, body: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the lines of the bones of a body, in its axes, m: from the joint that carries it to the next."""
    near = near_centre(model, body)
    ends = [
        joint_centre(model, joint, body)
        for joint in model.joints
        if joint.parent.body == body and "patell" not in joint.child.body
    ]
    ends += [np.array(sphere.location) for sphere in model.contact_spheres if sphere.body == body]
    return [(near, end) for end in [*ends, np.array(model.body(body).mass_center)]]


def _nearest(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the point of a line between two points that is nearest to another point."""
    along = end - start
    length = float(along @ along)
    share = 0.0 if length == 0.0 else float(np.clip((point - start) @ along / length, 0.0, 1.0))
    return start + share * along
