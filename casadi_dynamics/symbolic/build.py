"""A model's named CasADi functions."""

from __future__ import annotations

from dataclasses import dataclass

import casadi as ca
import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import ImuFrame, Model
from casadi_dynamics.symbolic.contact import center_of, lowest_point, smooth_force
from casadi_dynamics.symbolic.dynamics import Wrench, force_at, generalized_forces
from casadi_dynamics.symbolic.kinematics import (
    BodyMotion,
    body_motions,
    joint_motion,
    point_acceleration,
)
from casadi_dynamics.symbolic.parameters import Parameters


@dataclass(frozen=True)
class BodyFunctions:
    """The functions of a model, with the names of every axis of their inputs and outputs.

    Attributes
    ----------
    dynamics : casadi.Function
        Inputs `q`, `u`, `udot` (n each), `contact_force` (3 per contact point; on the foot, in ground, N),
        `sensor_position` (3 per sensor; in body axes, m) and `parameters`. Outputs `tau` (n; generalized
        forces that drive the motion), `imu_acceleration` (3 per sensor; specific force in sensor axes,
        m/s^2), `imu_angular_rate` (3 per sensor; in sensor axes, rad/s), `contact_position` and
        `contact_velocity` (3 per contact point, in ground).
    kinematics : casadi.Function
        Inputs `q`, `u`, `udot`, `parameters`. Outputs per body `position` (3), `rotation` (9, row by row),
        `velocity`, `omega`, `acceleration`, `alpha` (3 each; of the origin, in ground) and `mass_center` (3).
    contact : casadi.Function
        Inputs `q`, `u`, `parameters`. Outputs `force` (3 per contact force; on the foot, in ground) and
        `moment` (3; about the origin of the foot body, in ground), by the contact law of the model.
    coordinates, sensors, contact_points, bodies, contact_forces : tuple of str
        Names along the axes.
    parameter_names : tuple of str
    parameters : (m,) ndarray
        The model's own values.
    """

    dynamics: ca.Function
    kinematics: ca.Function
    contact: ca.Function
    coordinates: tuple[str, ...]
    sensors: tuple[str, ...]
    contact_points: tuple[str, ...]
    bodies: tuple[str, ...]
    contact_forces: tuple[str, ...]
    parameter_names: tuple[str, ...]
    parameters: np.ndarray


def build(model: Model, sensors: tuple[ImuFrame, ...] = ()) -> BodyFunctions:
    """Build the functions of a model.

    Parameters
    ----------
    model : Model
    sensors : tuple of ImuFrame
        What carries the sensors. Body and orientation become part of the functions; the position is the
        input `sensor_position` (see `sensor_positions`).

    Returns
    -------
    BodyFunctions

    Raises
    ------
    InputError
        If a sensor names a body that the model does not have.
    """
    for sensor in sensors:
        model.body(sensor.body)
    parameters = Parameters(model)
    n = len(model.coordinates)
    q, u, udot = (ca.SX.sym(name, n) for name in ("q", "u", "udot"))
    state = {c.name: (q[i], u[i], udot[i]) for i, c in enumerate(model.coordinates)}
    joints = {joint.name: joint_motion(joint, state, parameters) for joint in model.joints}
    motions = body_motions(model, joints, parameters)

    points = {s.name: lowest_point(motions[s.body], *center_of(s, parameters)) for s in model.contact_spheres}
    state_inputs = {"q": q, "u": u, "udot": udot}
    return BodyFunctions(
        dynamics=_dynamics(model, joints, motions, parameters, state_inputs, points, sensors),
        kinematics=_kinematics(model, motions, parameters, state_inputs),
        contact=_contact(model, motions, parameters, q, u, points),
        coordinates=model.coordinate_names,
        sensors=tuple(s.name for s in sensors),
        contact_points=tuple(points),
        bodies=tuple(b.name for b in model.bodies),
        contact_forces=tuple(f.name for f in model.contact_forces),
        parameter_names=tuple(parameters.names),
        parameters=parameters.values,
    )


def sensor_positions(sensors: tuple[ImuFrame, ...]) -> np.ndarray:
    """Return the input `sensor_position` of `dynamics` for sensors where the model or study puts them."""
    return np.array([x for sensor in sensors for x in sensor.position])


def _dynamics(model, joints, motions, parameters, state_inputs, points, sensors) -> ca.Function:
    force = ca.SX.sym("contact_force", 3 * len(points))
    external: dict[str, Wrench] = {}
    for i, sphere in enumerate(model.contact_spheres):
        motion = motions[sphere.body]
        wrench = force_at(motion, points[sphere.name].position, force[3 * i : 3 * i + 3])
        external[sphere.body] = external[sphere.body] + wrench if sphere.body in external else wrench
    placement = ca.SX.sym("sensor_position", 3 * len(sensors))
    readings = [
        _virtual_imu(sensor, motions[sensor.body], placement[3 * i : 3 * i + 3], model)
        for i, sensor in enumerate(sensors)
    ]
    inputs = {
        **state_inputs,
        "contact_force": force,
        "sensor_position": placement,
        "parameters": parameters.vector,
    }
    outputs = {
        "tau": generalized_forces(model, joints, motions, parameters, external),
        "imu_acceleration": _stack(acceleration for acceleration, _ in readings),
        "imu_angular_rate": _stack(rate for _, rate in readings),
        "contact_position": _stack(p.position for p in points.values()),
        "contact_velocity": _stack(p.velocity for p in points.values()),
    }
    return _function("dynamics", inputs, outputs)


def _virtual_imu(sensor: ImuFrame, motion: BodyMotion, position: ca.SX, model: Model):
    """Specific force R^T (a - g) and angular rate R^T omega, in sensor axes."""
    gravity = motion.rotation.T @ ca.DM(model.gravity)
    to_sensor = ca.DM(sensor.rotation).T
    return to_sensor @ (point_acceleration(motion, position) - gravity), to_sensor @ motion.omega


def _kinematics(model, motions, parameters, state_inputs) -> ca.Function:
    def each(part):
        return _stack(part(motions[body.name], body) for body in model.bodies)

    outputs = {
        "position": each(lambda m, b: m.position),
        "rotation": each(lambda m, b: ca.vec(m.rotation.T)),
        "velocity": each(lambda m, b: m.rotation @ m.velocity),
        "omega": each(lambda m, b: m.rotation @ m.omega),
        "acceleration": each(lambda m, b: m.rotation @ m.acceleration),
        "alpha": each(lambda m, b: m.rotation @ m.alpha),
        "mass_center": each(lambda m, b: m.position + m.rotation @ parameters[f"{b.name}.mass_center"]),
    }
    return _function("kinematics", {**state_inputs, "parameters": parameters.vector}, outputs)


def _contact(model, motions, parameters, q, u, points) -> ca.Function:
    heights = {h.name: h.height for h in model.half_spaces}
    spheres = {s.name: s for s in model.contact_spheres}
    forces, moments = [], []
    for law in model.contact_forces:
        if law.dissipation <= 0:
            raise InputError(
                f"The contact force '{law.name}' has no dissipation, so its smoothed law divides by zero.",
                where=f"model '{model.name}', SmoothSphereHalfSpaceForce '{law.name}'",
                expected="dissipation above 0",
                found=str(law.dissipation),
                fix="set a small positive dissipation",
            )
        sphere = spheres[law.sphere]
        motion = motions[sphere.body]
        center, _ = center_of(sphere, parameters)
        force, position = smooth_force(law, points[sphere.name], motion, center, heights[law.half_space])
        forces.append(force)
        moments.append(ca.cross(position - motion.position, force))
    inputs = {"q": q, "u": u, "parameters": parameters.vector}
    return _function("contact", inputs, {"force": _stack(forces), "moment": _stack(moments)})


def _stack(parts) -> ca.SX:
    parts = list(parts)
    return ca.vertcat(*parts) if parts else ca.SX.zeros(0)


def _function(name: str, inputs: dict[str, ca.SX], outputs: dict[str, ca.SX]) -> ca.Function:
    dense = ca.cse([ca.densify(value) for value in outputs.values()])
    return ca.Function(name, list(inputs.values()), dense, list(inputs), list(outputs))
