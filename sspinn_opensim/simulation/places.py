"""Places of virtual sensors on the model of the motion and on the model of the study."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.anatomy import joint_centres, without_side
from sspinn_opensim.anatomy.sensor_places import near_centre, usual_position
from sspinn_opensim.recording.signals.rotations import rotation_from_angles
from sspinn_opensim.simulation.settings import VirtualSensorChoice
from sspinn_opensim.simulation.virtual import VirtualSensor

#: Name of a sensor -> bodies that carry it in the models in use, and the natural frequency of a sensor on the
#: soft tissue there, Hz. The frequencies are choices of this project: the sensor of a runner's thigh then
#: moves by one to three centimetres, on the shank by about one, the order that bone pins show (Leardini,
#: Chiari, Della Croce, Cappozzo 2005, Gait Posture 21:212-225).
CARRIERS: dict[str, tuple[tuple[str, ...], float]] = {
    "pelvis": (("pelvis",), 9.0),
    "femur": (("femur", "thigh"), 7.0),
    "tibia": (("tibia", "shank"), 12.0),
    "foot": (("calcn", "foot"), 25.0),
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
    for segment, (bodies, _) in CARRIERS.items():
        for side in ("",) if segment == "pelvis" else ("_r", "_l"):
            found += [(segment + side, body + side) for body in bodies if body + side in names][:1]
    return found


def _sensor(functions: BodyFunctions, choice: VirtualSensorChoice) -> VirtualSensor:
    model, body = functions.tree.model, choice.body or choice.name
    model.body(body)
    position = usual_position(model, body) if choice.position is None else np.array(choice.position)
    x, y, z = map(float, position)
    return VirtualSensor(
        name=choice.name,
        body=body,
        position=(x, y, z),
        rotation=tuple(map(tuple, rotation_from_angles(tuple(np.radians(choice.orientation_deg))))),
        wobble_hz=choice.wobble_hz or _carrier(body)[1],
    )


def _carrier(body: str) -> tuple[tuple[str, ...], float]:
    """Return the bodies that may carry a sensor of this one, without their sides, and its frequency, Hz."""
    stem = without_side(body)[0].lower()
    return next((entry for entry in CARRIERS.values() if stem in entry[0]), ((), _OTHER_HZ))


def on_study(
    source: BodyFunctions, study: BodyFunctions, sensor: VirtualSensor
) -> tuple[str, np.ndarray] | None:
    """Return body and position of a sensor on the model of a study, or None where it has no such body.

    The person measures from the joint that carries the segment, so that is what both models share.
    """
    names = set(study.bodies)
    side = without_side(sensor.body)[1]
    carriers, _ = _carrier(sensor.body)
    candidates = (sensor.body, *(f"{name}_{side}" if side else name for name in carriers))
    body = next((name for name in candidates if name in names), None)
    if body is None:
        return None
    first, second = source.tree.model, study.tree.model
    if first.content_hash == second.content_hash:
        return body, np.array(sensor.position)
    return body, np.array(sensor.position) - near_centre(first, sensor.body) + near_centre(second, body)


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
