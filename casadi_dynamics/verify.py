"""A model's functions against what OpenSim answered for the same model at the same states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import casadi as ca
import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import ImuFrame, Model
from casadi_dynamics.osim.frames import rotation_from_xyz
from casadi_dynamics.symbolic import BodyFunctions

#: Output of `BodyFunctions.kinematics` -> array of the answers with the same quantity.
_KINEMATICS = {
    "position": "body_p",
    "rotation": "body_R",
    "velocity": "body_v",
    "omega": "body_w",
    "acceleration": "body_a",
    "alpha": "body_alpha",
    "mass_center": "body_com",
}

#: Arrays of the answers that hold for every group of states.
_PLACES = ("body_names ext_bodies ext_point_B imu_frames imu_bodies imu_offset imu_euler").split()


def answer_sensors(model: Model, answers: Mapping[str, np.ndarray]) -> tuple[ImuFrame, ...]:
    """Return the virtual sensors that the answers speak of, to be given to `casadi_dynamics.symbolic.build`.

    Parameters
    ----------
    model : Model
    answers : mapping of str to ndarray
        With `imu_frames` (frames of the model), or with `imu_bodies`, `imu_offset` (m) and `imu_euler` (rad,
        body-fixed XYZ): one placement on each of these bodies, whose names then are the sensors' names.

    Returns
    -------
    tuple of ImuFrame
        Empty if the answers hold no sensors.

    Raises
    ------
    InputError
        If the model has no such frame.
    """
    if "imu_frames" in answers:
        frames = {frame.name: frame for frame in model.imu_frames}
        places = _places(tuple(frames), answers["imu_frames"], "IMU frame")
        return tuple(model.imu_frames[i] for i in places)
    if "imu_bodies" not in answers:
        return ()
    position = tuple(float(x) for x in answers["imu_offset"])
    rotation = tuple(tuple(float(x) for x in row) for row in rotation_from_xyz(answers["imu_euler"]))
    return tuple(ImuFrame(str(body), str(body), position, rotation) for body in answers["imu_bodies"])


def compare(model: Model, functions: BodyFunctions, answers: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Compare the functions of a model with stored answers of OpenSim.

    Coordinates, bodies, sensors and contact forces are matched by name. What the answers do not hold is not
    compared.

    Parameters
    ----------
    model : Model
    functions : BodyFunctions
        Built from `model` with the sensors of `answer_sensors`.
    answers : mapping of str to ndarray
        `coord_names` (n,), states `q`, `qd`, `qdd` (N, n) and any of

        - `body_names` (b,) with `mass` (b,), `com_B` (b, 3), `inertia_B` (b, 6: xx yy zz xy xz yz) and the
          motions in ground `body_p`, `body_v`, `body_w`, `body_a`, `body_alpha`, `body_com` (N, b, 3),
          `body_R` (N, b, 3, 3),
        - `tau` (N, n), generalized forces without external forces, `M` (N, n, n), mass matrix, `G` (N, n),
          generalized gravity forces,
        - `tau_ext` (N, n), the same as `tau` with the forces `ext_F` at `ext_point_B` (3,) in body axes and
          the torques `ext_T` (N, e, 3; in ground) on the bodies `ext_bodies` (e,),
        - `imu_frames` or `imu_bodies` (k,) with `imu_gyro`, `imu_acc` (N, k, 3; in sensor axes),
        - `contact_names` (c,) with `contact_force` (Nc, c, 6) or `contact_values` (Nc, c, 12), whose first
          six columns are the force on the sphere's body and the torque about its origin, in ground, at the
          states `c_q`, `c_qd` (Nc, n).

        SI units and radians. Arrays whose names begin with `t_` are a second group of states.

    Returns
    -------
    dict of str to float
        For each quantity the largest difference over the quantity's largest absolute value.

    Raises
    ------
    InputError
        If the answers name something the model does not have, or are those of another model.
    """
    order = _order(functions.coordinates, answers["coord_names"])
    errors: dict[str, float] = {}
    for name, ours, stored in _quantities(model, functions, answers, order):
        errors[name] = max(errors.get(name, 0.0), relative_error(ours, np.asarray(stored)))
    return errors


def relative_error(ours: np.ndarray, stored: np.ndarray) -> float:
    """Return the largest difference over the largest absolute value of `stored`; NaN counts as infinite.

    Where all of `stored` is zero the difference itself is returned.
    """
    if stored.size == 0:
        return 0.0
    worst = float(np.abs(ours - stored).max())
    return np.inf if np.isnan(worst) else worst / (float(np.abs(stored).max()) or 1.0)


def _quantities(model, functions, answers, order) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    if "body_names" in answers:
        yield from _bodies(model, functions, answers)
    for prefix in ("", "t_"):
        if f"{prefix}q" in answers:
            group = {k.removeprefix(prefix): v for k, v in answers.items() if k.startswith(prefix)}
            group.update((name, answers[name]) for name in _PLACES if name in answers)
            state = [group[name][:, order] for name in ("q", "qd", "qdd")]
            yield from _motion(functions, group, state)
            yield from _forces(functions, group, state, order)
            yield from _imu(model, functions, group, state)
    if len(answers.get("contact_names", ())):
        yield from _contact(functions, answers, order)


def _bodies(model: Model, functions: BodyFunctions, answers):
    bodies = [model.bodies[i] for i in _places(functions.bodies, answers["body_names"], "body")]
    for name, stored in (("mass", "mass"), ("mass_center", "com_B"), ("inertia", "inertia_B")):
        if stored in answers:
            yield f"model {name}", np.array([getattr(body, name) for body in bodies]), answers[stored]


def _motion(functions: BodyFunctions, answers, state):
    wanted = {ours: stored for ours, stored in _KINEMATICS.items() if stored in answers}
    if wanted:
        places = _places(functions.bodies, answers["body_names"], "body")
        motion = _kinematics(functions, *state)
        for ours, stored in wanted.items():
            yield f"body {ours}", motion[ours][:, places], answers[stored]


def _forces(functions: BodyFunctions, answers, state, order):
    q, u, udot = state
    still = np.zeros_like(q)
    tau = _dynamics(functions, q, u, udot)["tau"]
    if "tau" in answers:
        yield "tau", tau, answers["tau"][:, order]
    if "tau_ext" in answers:
        yield "tau with external forces", tau - _external(functions, answers, q), answers["tau_ext"][:, order]
    gravity = _dynamics(functions, q, still, still)["tau"]
    if "G" in answers:
        yield "gravity", gravity, answers["G"][:, order]
    if "M" in answers:
        columns = [_dynamics(functions, q, still, still + unit)["tau"] for unit in np.eye(q.shape[1])]
        matrix = np.stack(columns, axis=-1) - gravity[:, :, None]
        yield "mass matrix", matrix, answers["M"][:, order][:, :, order]


def _external(functions: BodyFunctions, answers, q) -> np.ndarray:
    """Return J^T w of the external wrenches; velocities are linear in u, so unit speeds give J exactly."""
    places = _places(functions.bodies, answers["ext_bodies"], "body")
    still = np.zeros_like(q)
    columns = []
    for unit in np.eye(q.shape[1]):
        motion = _kinematics(functions, q, still + unit, still)
        omega = motion["omega"][:, places]
        arm = motion["rotation"][:, places] @ answers["ext_point_B"]
        velocity = motion["velocity"][:, places] + np.cross(omega, arm)
        columns.append((velocity * answers["ext_F"] + omega * answers["ext_T"]).sum(axis=(1, 2)))
    return np.stack(columns, axis=-1)


def _imu(model: Model, functions: BodyFunctions, answers, state):
    names = answers.get("imu_frames", answers.get("imu_bodies", ()))
    if not len(names):
        return
    places = _places(functions.sensors, names, "sensor")
    position = {sensor.name: sensor.position for sensor in answer_sensors(model, answers)}
    unused = (0.0, 0.0, 0.0)
    positions = np.ravel([position.get(name, unused) for name in functions.sensors])
    outputs = _dynamics(functions, *state, positions)
    for ours, stored in (("imu_angular_rate", "imu_gyro"), ("imu_acceleration", "imu_acc")):
        if stored in answers:
            yield ours, _split(outputs[ours], 3)[:, places], answers[stored]


def _contact(functions: BodyFunctions, answers, order):
    places = _places(functions.contact_forces, answers["contact_names"], "contact force")
    inputs = {"q": answers["c_q"][:, order], "u": answers["c_qd"][:, order]}
    outputs = _evaluate(functions.contact, inputs, functions.parameters)
    records = answers["contact_force"] if "contact_force" in answers else answers["contact_values"]
    yield "contact force", _split(outputs["force"], 3)[:, places], records[..., :3]
    yield "contact moment", _split(outputs["moment"], 3)[:, places], records[..., 3:6]


def _kinematics(functions: BodyFunctions, q, u, udot) -> dict[str, np.ndarray]:
    """Return the outputs of `kinematics` as (N, bodies, 3), the rotation as (N, bodies, 3, 3)."""
    outputs = _evaluate(functions.kinematics, {"q": q, "u": u, "udot": udot}, functions.parameters)
    rotation = _split(outputs.pop("rotation"), 9)
    parts = {name: _split(value, 3) for name, value in outputs.items()}
    return {**parts, "rotation": rotation.reshape(*rotation.shape[:2], 3, 3)}


def _dynamics(functions: BodyFunctions, q, u, udot, positions=None) -> dict[str, np.ndarray]:
    """Return the outputs of `dynamics` without external forces, each (N, size)."""
    if positions is None:
        positions = np.zeros(functions.dynamics.numel_in("sensor_position"))
    inputs = {
        "q": q,
        "u": u,
        "udot": udot,
        "contact_force": np.zeros((len(q), functions.dynamics.numel_in("contact_force"))),
        "sensor_position": np.tile(positions, (len(q), 1)),
    }
    return _evaluate(functions.dynamics, inputs, functions.parameters)


def _evaluate(function: ca.Function, inputs: Mapping, parameters: np.ndarray) -> dict[str, np.ndarray]:
    """Return each output (N, size) by name, for inputs (N, size) and parameters that all samples share."""
    samples = len(inputs["q"])
    columns = {name: np.transpose(value) for name, value in inputs.items()}
    columns["parameters"] = np.tile(parameters[:, None], (1, samples))
    return {name: np.array(value).T for name, value in function.map(samples).call(columns).items()}


def _split(stacked: np.ndarray, size: int) -> np.ndarray:
    return stacked.reshape(len(stacked), stacked.shape[1] // size, size)


def _places(known: tuple[str, ...], names, kind: str) -> list[int]:
    """Return where each of the stored `names` stands in our tuple `known`."""
    for name in map(str, names):
        if name not in known:
            raise InputError(
                f"The stored answers speak of the {kind} '{name}', which the functions do not have.",
                expected=f"one of {', '.join(known)}",
                found=name,
                fix=nearest(name, known) or "use the answers of this model",
            )
    return [known.index(str(name)) for name in names]


def _order(coordinates: tuple[str, ...], stored) -> list[int]:
    """Return where each of our coordinates stands in the stored order."""
    places = _places(coordinates, stored, "coordinate")
    missing = [name for i, name in enumerate(coordinates) if i not in places]
    if missing:
        raise InputError(
            f"The stored answers do not speak of the coordinate '{missing[0]}'.",
            expected=", ".join(coordinates),
            found=", ".join(map(str, stored)),
            fix="use the answers of this model",
        )
    return [places.index(i) for i in range(len(coordinates))]
