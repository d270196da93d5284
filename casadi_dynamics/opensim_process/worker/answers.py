"""OpenSim's own answers at random states of a model, to test converted models against.

OpenSim objects whose children are used stay in named variables, as a child dangles when its parent is
collected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from casadi_dynamics.opensim_process.worker.answers_forces import (
    contact_answers,
    force_answers,
    muscle_answers,
)
from casadi_dynamics.opensim_process.worker.states import (
    LoadedModel,
    array,
    load,
    random_states,
    rotation,
    set_state,
)

_FORCE_N, _TORQUE_NM = 500.0, 20.0
#: The external force acts at this point of each foot (m, body frame).
_POINT_ON_FOOT = (0.05, -0.02, 0.01)
_FOOT = re.compile(r"^(foot|calcn)_[rl]$")


def model_answers(
    opensim: ModuleType,
    model: str,
    samples: int,
    seed: int,
    output: str,
    spans: dict[str, list[str]] | None = None,
) -> dict:
    """Save OpenSim's answers at random states of a model as an ``.npz`` at `output`.

    `spans` are those of `muscle_answers`.
    """
    answers = answers_at_states(opensim, model, samples, seed, spans=spans)
    with Path(output).open("wb") as file:  # savez would append its own suffix to a bare name
        np.savez_compressed(file, **answers)  # pyright: ignore[reportArgumentType]
    return {"arrays": sorted(answers)}


def answers_at_states(
    opensim: ModuleType,
    model_path: str,
    samples: int,
    seed: int,
    states: dict[str, np.ndarray] | None = None,
    *,
    spans: dict[str, list[str]] | None = None,
) -> dict[str, np.ndarray]:
    """Evaluate a model at random states (SI units, rad; coordinates in CoordinateSet order).

    Bodies, frames and forces are OpenSim's; every coordinate is independent (models with coupled
    coordinates give answers of the unconstrained tree). Contact is evaluated at states of its own, `c_q` and
    `c_qd`, where the lowest sphere is near the ground.

    Parameters
    ----------
    opensim : module
        The imported ``opensim``.
    model_path : str
        File of the model.
    samples : int
        Number of states N.
    seed : int
        Seed of the random generator.
    states : dict of ndarray, optional
        ``q``, ``qd`` and ``qdd`` (N, n) instead of random ones; optionally ``ext_F``, ``ext_T`` (N, feet, 3),
        ``ext_point_B`` (3,), ``c_q`` and ``c_qd`` (Nc, n), ``f_q`` and ``f_qd`` (Nf, n).
    spans : dict of str to list of str, optional
        Coordinates whose moment arms are asked for, by muscle; by default all of them.

    Returns
    -------
    dict of ndarray
        ``coord_names``, ``q``, ``qd``, ``qdd`` (N, n), ``gravity`` (3,).
        ``body_names``; ``body_p``, ``body_v``, ``body_w``, ``body_a``, ``body_alpha``, ``body_com`` (N, b, 3)
        and ``body_R`` (N, b, 3, 3): origins, mass centres and rotations in ground, their rates.
        ``mass`` (b,), ``com_B`` (b, 3), ``inertia_B`` (b, 6: xx yy zz xy xz yz about the mass centre).
        ``tau`` (N, n): inverse dynamics, every force disabled, gravity on. ``tau_ext``: the same with the
        force ``ext_F`` (N, feet, 3) at ``ext_point_B`` and the free torque ``ext_T`` on ``ext_bodies``.
        ``M`` (N, n, n): mass matrix; ``G`` (N, n): gravity's term of tau.
        ``qdot`` (N, n): rates of the coordinates, which ``qd``, the speeds, are not in joints that spin.
        ``constraint_error`` (N, m), ``constraint_G`` (N, m, n): equations of the constraints, in OpenSim's
        order, and the Jacobian of their rates to the speeds.
        ``imu_frames``, ``imu_bodies``; ``imu_p``, and in sensor axes ``imu_gyro``, ``imu_acc`` (N, k, 3).
        ``musc_names``; ``musc_len`` (N, m), ``musc_ma`` (N, m, n).
        ``c_q``, ``c_qd`` (Nc, n); ``contact_names``; ``contact_force`` (Nc, c, 6): force and torque about the
        origin of the sphere's body, in ground.
        ``f_q``, ``f_qd`` (Nf, n), also beyond the coordinates' ranges; ``force_names``; ``force_tau``
        (Nf, f, n): the generalized forces that each force applies which no control drives.
    """
    loaded = load(opensim, model_path)
    random = np.random.default_rng(seed)
    given = states if states is not None else random_states(loaded, samples, random)
    answers = {
        "coord_names": np.array(loaded.coordinate_names),
        "body_names": np.array(loaded.body_names),
        "gravity": array(loaded.model.getGravity()),
        **_mass_properties(loaded),
        **{name: np.asarray(given[name], float) for name in ("q", "qd", "qdd")},
        **_external_wrenches(loaded, len(given["q"]), random, given),
    }
    answers.update(_tree_answers(loaded, answers))
    answers.update(muscle_answers(loaded, answers["q"], spans))
    answers.update(contact_answers(loaded, samples, random, given))
    answers.update(force_answers(loaded, samples, random, given))
    return answers


def _mass_properties(loaded: LoadedModel) -> dict[str, np.ndarray]:
    inertias = []
    for body in loaded.bodies:
        inertia = body.getInertia()
        moments, products = inertia.getMoments(), inertia.getProducts()
        inertias.append(np.concatenate([array(moments), array(products)]))
    return {
        "mass": np.array([body.getMass() for body in loaded.bodies]),
        "com_B": np.array([array(body.getMassCenter()) for body in loaded.bodies]),
        "inertia_B": np.array(inertias),
    }


def _external_wrenches(
    loaded: LoadedModel, samples: int, random: np.random.Generator, given: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    feet = sorted((name for name in loaded.body_names if _FOOT.match(name)), reverse=True)
    shape = (samples, len(feet), 3)
    force = random.uniform(-_FORCE_N, _FORCE_N, shape)
    torque = random.uniform(-_TORQUE_NM, _TORQUE_NM, shape)
    return {
        "ext_bodies": np.array(feet),
        "ext_F": np.asarray(given.get("ext_F", force), float),
        "ext_T": np.asarray(given.get("ext_T", torque), float),
        "ext_point_B": np.asarray(given.get("ext_point_B", _POINT_ON_FOOT), float),
    }


def _tree_answers(loaded: LoadedModel, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    rows = [_tree_answer(loaded, inputs, k) for k in range(len(inputs["q"]))]
    stacked = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    names = [frame.getName() for frame in loaded.imus]
    bodies = [frame.findBaseFrame().getName() for frame in loaded.imus]
    return {**stacked, "imu_frames": np.array(names), "imu_bodies": np.array(bodies)}


def _tree_answer(loaded: LoadedModel, inputs: Mapping[str, np.ndarray], k: int) -> dict[str, np.ndarray]:
    opensim, state = loaded.opensim, loaded.bare_state
    set_state(loaded.coordinates, state, inputs["q"][k], inputs["qd"][k])
    loaded.bare.realizeDynamics(state)
    udot = np.zeros(len(loaded.place))
    udot[loaded.place] = inputs["qdd"][k]
    answer = _inverse_dynamics(loaded, inputs, k, udot)
    answer.update(_constraint_answers(loaded))
    # prescribing the accelerations directly: with the forces disabled OpenSim would otherwise let it fall
    body_acceleration = opensim.VectorOfSpatialVec()
    loaded.matter.calcBodyAccelerationFromUDot(state, opensim.Vector(udot.tolist()), body_acceleration)
    answer.update(_body_answers(loaded, body_acceleration))
    answer.update(_imu_answers(loaded, body_acceleration))
    return answer


def _inverse_dynamics(
    loaded: LoadedModel, inputs: Mapping[str, np.ndarray], k: int, udot: np.ndarray
) -> dict[str, np.ndarray]:
    opensim, state, matter = loaded.opensim, loaded.bare_state, loaded.matter
    accelerations = opensim.Vector(udot.tolist())
    solver = opensim.InverseDynamicsSolver(loaded.bare)
    tau = array(solver.solve(state, accelerations))[loaded.place]
    tau_ext = tau.copy()
    for foot, name in enumerate(inputs["ext_bodies"]):
        body = loaded.bodies[loaded.body_names.index(str(name))]
        index = body.getMobilizedBodyIndex()
        jacobian = opensim.Matrix()
        station = opensim.Vec3(*inputs["ext_point_B"].tolist())
        matter.calcFrameJacobian(state, index, station, jacobian)
        wrench = np.concatenate([inputs["ext_T"][k, foot], inputs["ext_F"][k, foot]])
        tau_ext -= (jacobian.to_numpy().copy().T @ wrench)[loaded.place]
    mass_matrix = opensim.Matrix()
    matter.calcM(state, mass_matrix)
    order = loaded.place
    return {
        "tau": tau,
        "tau_ext": tau_ext,
        "M": mass_matrix.to_numpy().copy()[np.ix_(order, order)],
        "G": _gravity_force(loaded)[order],
    }


def _constraint_answers(loaded: LoadedModel) -> dict[str, np.ndarray]:
    state, coordinates = loaded.bare_state, loaded.coordinates
    errors, jacobian = array(state.getQErr()), loaded.opensim.Matrix()
    loaded.matter.calcG(state, jacobian)
    rows = jacobian.to_numpy().copy().reshape(-1, len(loaded.place))
    return {
        "qdot": np.array([coordinate.getQDotValue(state) for coordinate in coordinates]),
        "constraint_error": errors,
        "constraint_G": rows[:, loaded.place],
    }


def _gravity_force(loaded: LoadedModel) -> np.ndarray:
    """Gravity's term of tau, the joint forces that hold the weight, in OpenSim's order of speeds."""
    gravity = array(loaded.model.getGravity())
    total = np.zeros(len(loaded.place))
    for body in loaded.bodies:
        jacobian = loaded.opensim.Matrix()
        loaded.matter.calcStationJacobian(
            loaded.bare_state, body.getMobilizedBodyIndex(), body.getMassCenter(), jacobian
        )
        total -= jacobian.to_numpy().copy().T @ (body.getMass() * gravity)
    return total


def _body_answers(loaded: LoadedModel, body_acceleration: Any) -> dict[str, np.ndarray]:
    state = loaded.bare_state
    answer = {name: [] for name in ("p", "R", "v", "w", "a", "alpha", "com")}
    for body in loaded.bodies:
        transform = body.getTransformInGround(state)
        velocity = body.getVelocityInGround(state)
        acceleration = body_acceleration.get(int(body.getMobilizedBodyIndex()))
        answer["p"].append(array(transform.p()))
        answer["R"].append(rotation(transform.R()))
        answer["w"].append(array(velocity.get(0)))
        answer["v"].append(array(velocity.get(1)))
        answer["alpha"].append(array(acceleration.get(0)))
        answer["a"].append(array(acceleration.get(1)))
        answer["com"].append(array(body.findStationLocationInGround(state, body.getMassCenter())))
    return {f"body_{name}": np.array(values) for name, values in answer.items()}


def _imu_answers(loaded: LoadedModel, body_acceleration: Any) -> dict[str, np.ndarray]:
    state, gravity = loaded.bare_state, array(loaded.model.getGravity())
    positions, gyros, accelerometers = [], [], []
    for frame in loaded.imus:
        body = loaded.opensim.Body.safeDownCast(frame.findBaseFrame())
        origin = body.getTransformInGround(state)
        placed = frame.getTransformInGround(state)
        spin = array(frame.getVelocityInGround(state).get(0))
        acceleration = body_acceleration.get(int(body.getMobilizedBodyIndex()))
        alpha, origin_acceleration = array(acceleration.get(0)), array(acceleration.get(1))
        arm = array(placed.p()) - array(origin.p())
        linear = origin_acceleration + np.cross(alpha, arm) + np.cross(spin, np.cross(spin, arm))
        axes = rotation(placed.R())
        positions.append(array(placed.p()))
        gyros.append(axes.T @ spin)
        accelerometers.append(axes.T @ (linear - gravity))
    shape = (len(loaded.imus), 3)
    return {
        "imu_p": np.reshape(positions, shape),
        "imu_gyro": np.reshape(gyros, shape),
        "imu_acc": np.reshape(accelerometers, shape),
    }
