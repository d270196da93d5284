"""Places of virtual sensors on the model of the motion and on the model of the study."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.anatomy import joint_centres, side_of, without_side
from sspinn_opensim.recording.mounting import rotation_from_angles
from sspinn_opensim.simulation.settings import VirtualSensorChoice
from sspinn_opensim.simulation.virtual import VirtualSensor

#: Segment -> its bodies by name in the models in use, offset from the middle of the segment to the skin where
#: a sensor is strapped (forward, up, outward; m), and the natural frequency of a sensor on the soft tissue
#: there, Hz. The offsets and frequencies are choices of this project: the sensor of a runner's thigh then
#: moves by one to three centimetres, on the shank by about one, the order that bone pins show (Leardini,
#: Chiari, Della Croce, Cappozzo 2005, Gait Posture 21:212-225).
SEGMENTS: dict[str, tuple[tuple[str, ...], tuple[float, float, float], float]] = {
    "pelvis": (("pelvis",), (-0.10, 0.08, 0.0), 9.0),
    "femur": (("femur", "thigh"), (0.0, 0.0, 0.07), 7.0),
    "tibia": (("tibia", "shank"), (0.02, 0.0, 0.045), 12.0),
    "foot": (("calcn", "foot"), (0.0, 0.04, 0.0), 25.0),
}
#: On any other body.
_OTHER_HZ = 10.0


def virtual_sensors(
    functions: BodyFunctions, choices: tuple[VirtualSensorChoice, ...]
) -> tuple[VirtualSensor, ...]:
    """Return the sensors of the settings; by default one on each segment of pelvis and legs.

    Raises
    ------
    InputError
        If the model lacks a body, or has none of those that carry sensors by default.
    """
    model = functions.tree.model
    chosen = choices or tuple(VirtualSensorChoice(name, body) for name, body in _default_bodies(model))
    if not chosen:
        raise InputError(
            "None of the model's bodies is one that carries a sensor by default.",
            where=f"model '{model.name}'",
            expected="pelvis, femur_r, tibia_r, calcn_r or foot_r, and so on",
            found=", ".join(functions.bodies),
            fix="name the sensors in the settings: [sensors.NAME] with body and position",
        )
    return tuple(_sensor(functions, choice) for choice in chosen)


def _default_bodies(model: Model) -> list[tuple[str, str]]:
    names = {body.name for body in model.bodies}
    found = []
    for segment, (bodies, _, _) in SEGMENTS.items():
        for side in ("",) if segment == "pelvis" else ("_r", "_l"):
            found += [(segment + side, body + side) for body in bodies if body + side in names][:1]
    return found


def _sensor(functions: BodyFunctions, choice: VirtualSensorChoice) -> VirtualSensor:
    body = choice.body or choice.name
    functions.tree.model.body(body)
    _, _, frequency = _segment(body)
    position = _surface(functions, body) if choice.position is None else np.array(choice.position)
    x, y, z = map(float, position)
    return VirtualSensor(
        name=choice.name,
        body=body,
        position=(x, y, z),
        rotation=tuple(map(tuple, rotation_from_angles(tuple(np.radians(choice.orientation_deg))))),
        wobble_hz=choice.wobble_hz or frequency,
    )


def _segment(body: str) -> tuple[str, tuple[float, float, float], float]:
    stem = without_side(body)[0].lower()
    for segment, (bodies, offset, frequency) in SEGMENTS.items():
        if stem in bodies:
            return segment, offset, frequency
    return "", (0.0, 0.0, 0.0), _OTHER_HZ


def _surface(functions: BodyFunctions, body: str) -> np.ndarray:
    """Return the usual place on a segment: between its joints, or its mass centre where it has but one."""
    model = functions.tree.model
    segment, offset, _ = _segment(body)
    outward = -1.0 if side_of(body) == "l" else 1.0
    middle = near_centre(functions, body)
    if segment != "pelvis":
        far = [j for j in model.joints if j.parent.body == body and "patell" not in j.child.body]
        ends = [joint_centres.joint_centre(model, joint, body) for joint in far]
        middle = 0.5 * (middle + np.mean(ends, axis=0)) if ends else np.array(model.body(body).mass_center)
    return middle + np.array(offset) * (1.0, 1.0, outward)


def near_centre(functions: BodyFunctions, body: str) -> np.ndarray:
    """Return the centre of the joint that carries a segment, in the body's axes from its origin, m.

    A foot is carried by its ankle, though a subtalar joint may lie between. The root is carried by its hips:
    the middle of the joints of its segments, torso left out.
    """
    model = functions.tree.model
    joint = model.joint_of(body)
    if joint.parent.body == GROUND:
        hips = [j for j in model.joints if j.parent.body == body and side_of(j.child.body)]
        centres = [joint_centres.joint_centre(model, j, body) for j in hips]
        return np.mean(centres, axis=0) if hips else np.zeros(3)
    while without_side(joint.parent.body)[0].lower() == "talus":  # a part of the foot without a sensor
        joint = model.joint_of(joint.parent.body)
    return joint_centres.joint_centre(model, joint, body)


def on_study(
    source: BodyFunctions, study: BodyFunctions, sensor: VirtualSensor
) -> tuple[str, np.ndarray] | None:
    """Return body and position of a sensor on the model of a study, or None where it has no such body.

    The person measures from the joint that carries the segment, so that is what both models share.
    """
    names = set(study.bodies)
    side = without_side(sensor.body)[1]
    segment, _, _ = _segment(sensor.body)
    candidates = (
        sensor.body,
        *(f"{name}_{side}" if side else name for name in SEGMENTS.get(segment, ((),))[0]),
    )
    body = next((name for name in candidates if name in names), None)
    if body is None:
        return None
    if source.tree.model.content_hash == study.tree.model.content_hash:
        return body, np.array(sensor.position)
    return body, np.array(sensor.position) - near_centre(source, sensor.body) + near_centre(study, body)


def joint_distance(functions: BodyFunctions, first: str, second: str) -> float:
    """Return the distance between the centres of two joints in the default posture, m."""
    model = functions.tree.model
    centres = [joint_centres.in_ground(model, model.joint(name)) for name in (first, second)]
    return float(np.linalg.norm(centres[0] - centres[1]))


def moving_joints(model: Model, bodies: Iterable[str]) -> set[str]:
    """Return the joints between ground and these bodies."""
    found = set()
    for carrier in bodies:
        body = carrier
        while body != GROUND:
            joint = model.joint_of(body)
            found.add(joint.name)
            body = joint.parent.body
    return found
