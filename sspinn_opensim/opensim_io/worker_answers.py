"""OpenSim's own answers at random states of a model, to test converted models against.

Used inside the worker process, which hands over its `opensim` module; nothing here imports it. OpenSim
objects whose children are used stay in named variables, as a child dangles when its parent is collected.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np

_SPEED_RAD_S = 3.0
_ACCELERATION_RAD_S2 = 20.0
#: Half-widths of the random root position (m), so that states lie near the origin.
_TRANSLATION_M = 1.0
_FORCE_N, _TORQUE_NM = 500.0, 20.0
#: The external force acts at this point of each foot (m, body frame).
_POINT_ON_FOOT = (0.05, -0.02, 0.01)
_FOOT = re.compile(r"^(foot|calcn)_[rl]$")
#: Forces are asked for this far beyond the ranges of the coordinates, as a part of the range.
_BEYOND_RANGE = 0.3
#: Part of the masses that is left where only forces are asked for; OpenSim wants some mass.
_LIGHT = 1e-9
#: Penetration of the lowest contact sphere at the near-ground states, m.
_PENETRATION_M = (-0.002, 0.02)


def model_answers(
    opensim, model_path: str, samples: int, seed: int, states: dict[str, np.ndarray] | None = None
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
    loaded = _load(opensim, model_path)
    random = np.random.default_rng(seed)
    given = states if states is not None else _random_states(loaded, samples, random)
    answers = {
        "coord_names": np.array(loaded.coordinate_names),
        "body_names": np.array(loaded.body_names),
        "gravity": _array(loaded.model.getGravity()),
        **_mass_properties(loaded),
        **{name: np.asarray(given[name], float) for name in ("q", "qd", "qdd")},
        **_external_wrenches(loaded, len(given["q"]), random, given),
    }
    answers.update(_tree_answers(loaded, answers))
    answers.update(_muscle_answers(loaded, answers["q"]))
    answers.update(_contact_answers(loaded, samples, random, given))
    answers.update(_force_answers(loaded, samples, random, given))
    return answers


def _load(opensim, path: str) -> SimpleNamespace:
    """Load a model twice: with its forces, and with all of them disabled for inverse dynamics."""
    model, bare = opensim.Model(path), opensim.Model(path)
    for force in _components(opensim.Force, bare):  # also those outside the ForceSet
        force.set_appliesForce(False)
    for loaded_model in (model, bare):
        for coordinate in _components(opensim.Coordinate, loaded_model):  # each is to take any value
            coordinate.set_locked(False)
            coordinate.set_clamped(False)
            coordinate.set_prescribed(False)
        loaded_model.finalizeFromProperties()
    state, bare_state = model.initSystem(), bare.initSystem()
    coordinates = bare.getCoordinateSet()
    n = coordinates.getSize()
    loaded = SimpleNamespace(opensim=opensim, model=model, state=state, bare=bare, bare_state=bare_state)
    loaded.path = path
    loaded.coordinates = [coordinates.get(k) for k in range(n)]
    loaded.coordinate_names = [coordinate.getName() for coordinate in loaded.coordinates]
    loaded.keep_alive = coordinates
    loaded.bodies = _components(opensim.Body, bare)  # also those outside the BodySet
    loaded.body_names = [body.getName() for body in loaded.bodies]
    loaded.place = _places_in_tree(loaded)
    loaded.matter = bare.getMatterSubsystem()
    frames = _components(opensim.PhysicalOffsetFrame, bare)
    loaded.imus = [frame for frame in frames if frame.getName().endswith("_imu")]
    loaded.contacts = _components(opensim.SmoothSphereHalfSpaceForce, model)
    return loaded


def _components(kind, model) -> list:
    """Return all components of a class, wherever in the model they are, in the order of OpenSim's list."""
    found = (kind.safeDownCast(component) for component in model.getComponentsList())
    return [component for component in found if component is not None]


def _places_in_tree(loaded) -> np.ndarray:
    """Index in OpenSim's speed vector of each coordinate of the CoordinateSet, found by unique speeds."""
    state = loaded.bare_state
    for k, coordinate in enumerate(loaded.coordinates):
        coordinate.setSpeedValue(state, float(k + 1))
    speeds = _array(state.getU())
    places = np.array([int(np.flatnonzero(speeds == k + 1)[0]) for k in range(len(loaded.coordinates))])
    for coordinate in loaded.coordinates:
        coordinate.setSpeedValue(state, 0.0)
    return places


def _random_states(loaded, samples: int, random) -> dict[str, np.ndarray]:
    low, high = _sampled_range(loaded)
    shape = (samples, len(low))
    return {
        "q": random.uniform(low, high, shape),
        "qd": random.uniform(-_SPEED_RAD_S, _SPEED_RAD_S, shape),
        "qdd": random.uniform(-_ACCELERATION_RAD_S2, _ACCELERATION_RAD_S2, shape),
    }


def _sampled_range(loaded) -> tuple[np.ndarray, np.ndarray]:
    low = np.array([coordinate.getRangeMin() for coordinate in loaded.coordinates])
    high = np.array([coordinate.getRangeMax() for coordinate in loaded.coordinates])
    translational = 2  # OpenSim's Coordinate::Translational
    slides = np.array([coordinate.getMotionType() == translational for coordinate in loaded.coordinates])
    return np.where(slides, -_TRANSLATION_M, low), np.where(slides, _TRANSLATION_M, high)


def _mass_properties(loaded) -> dict[str, np.ndarray]:
    inertias = []
    for body in loaded.bodies:
        inertia = body.getInertia()
        moments, products = inertia.getMoments(), inertia.getProducts()
        inertias.append(np.concatenate([_array(moments), _array(products)]))
    return {
        "mass": np.array([body.getMass() for body in loaded.bodies]),
        "com_B": np.array([_array(body.getMassCenter()) for body in loaded.bodies]),
        "inertia_B": np.array(inertias),
    }


def _external_wrenches(loaded, samples: int, random, given) -> dict[str, np.ndarray]:
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


def _tree_answers(loaded, inputs) -> dict[str, np.ndarray]:
    rows = [_tree_answer(loaded, inputs, k) for k in range(len(inputs["q"]))]
    stacked = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    names = [frame.getName() for frame in loaded.imus]
    bodies = [frame.findBaseFrame().getName() for frame in loaded.imus]
    return {**stacked, "imu_frames": np.array(names), "imu_bodies": np.array(bodies)}


def _tree_answer(loaded, inputs, k: int) -> dict[str, np.ndarray]:
    opensim, state = loaded.opensim, loaded.bare_state
    _set_state(loaded.coordinates, state, inputs["q"][k], inputs["qd"][k])
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


def _inverse_dynamics(loaded, inputs, k: int, udot: np.ndarray) -> dict[str, np.ndarray]:
    opensim, state, matter = loaded.opensim, loaded.bare_state, loaded.matter
    accelerations = opensim.Vector(udot.tolist())
    solver = opensim.InverseDynamicsSolver(loaded.bare)
    tau = _array(solver.solve(state, accelerations))[loaded.place]
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


def _constraint_answers(loaded) -> dict[str, np.ndarray]:
    state, coordinates = loaded.bare_state, loaded.coordinates
    errors, jacobian = _array(state.getQErr()), loaded.opensim.Matrix()
    loaded.matter.calcG(state, jacobian)
    rows = jacobian.to_numpy().copy().reshape(-1, len(loaded.place))
    return {
        "qdot": np.array([coordinate.getQDotValue(state) for coordinate in coordinates]),
        "constraint_error": errors,
        "constraint_G": rows[:, loaded.place],
    }


def _gravity_force(loaded) -> np.ndarray:
    """Gravity's term of tau, the joint forces that hold the weight, in OpenSim's order of speeds."""
    gravity = _array(loaded.model.getGravity())
    total = np.zeros(len(loaded.place))
    for body in loaded.bodies:
        jacobian = loaded.opensim.Matrix()
        loaded.matter.calcStationJacobian(
            loaded.bare_state, body.getMobilizedBodyIndex(), body.getMassCenter(), jacobian
        )
        total -= jacobian.to_numpy().copy().T @ (body.getMass() * gravity)
    return total


def _body_answers(loaded, body_acceleration) -> dict[str, np.ndarray]:
    state = loaded.bare_state
    answer = {name: [] for name in ("p", "R", "v", "w", "a", "alpha", "com")}
    for body in loaded.bodies:
        transform = body.getTransformInGround(state)
        velocity = body.getVelocityInGround(state)
        acceleration = body_acceleration.get(int(body.getMobilizedBodyIndex()))
        answer["p"].append(_array(transform.p()))
        answer["R"].append(_rotation(transform.R()))
        answer["w"].append(_array(velocity.get(0)))
        answer["v"].append(_array(velocity.get(1)))
        answer["alpha"].append(_array(acceleration.get(0)))
        answer["a"].append(_array(acceleration.get(1)))
        answer["com"].append(_array(body.findStationLocationInGround(state, body.getMassCenter())))
    return {f"body_{name}": np.array(values) for name, values in answer.items()}


def _imu_answers(loaded, body_acceleration) -> dict[str, np.ndarray]:
    state, gravity = loaded.bare_state, _array(loaded.model.getGravity())
    positions, gyros, accelerometers = [], [], []
    for frame in loaded.imus:
        body = loaded.opensim.Body.safeDownCast(frame.findBaseFrame())
        origin = body.getTransformInGround(state)
        placed = frame.getTransformInGround(state)
        spin = _array(frame.getVelocityInGround(state).get(0))
        acceleration = body_acceleration.get(int(body.getMobilizedBodyIndex()))
        alpha, origin_acceleration = _array(acceleration.get(0)), _array(acceleration.get(1))
        arm = _array(placed.p()) - _array(origin.p())
        linear = origin_acceleration + np.cross(alpha, arm) + np.cross(spin, np.cross(spin, arm))
        axes = _rotation(placed.R())
        positions.append(_array(placed.p()))
        gyros.append(axes.T @ spin)
        accelerometers.append(axes.T @ (linear - gravity))
    shape = (len(loaded.imus), 3)
    return {
        "imu_p": np.reshape(positions, shape),
        "imu_gyro": np.reshape(gyros, shape),
        "imu_acc": np.reshape(accelerometers, shape),
    }


def _muscle_answers(loaded, q: np.ndarray) -> dict[str, np.ndarray]:
    model, state = loaded.model, loaded.state
    muscle_set, coordinate_set = model.getMuscles(), model.getCoordinateSet()
    muscles = [muscle_set.get(k) for k in range(muscle_set.getSize())]
    coordinates = [coordinate_set.get(k) for k in range(coordinate_set.getSize())]
    lengths = np.zeros((len(q), len(muscles)))
    arms = np.zeros((len(q), len(muscles), len(coordinates)))
    for k, row in enumerate(q):
        _set_state(coordinates, state, row, np.zeros(len(row)))
        model.realizePosition(state)
        for j, muscle in enumerate(muscles):
            lengths[k, j] = muscle.getLength(state)
            arms[k, j] = [muscle.computeMomentArm(state, coordinate) for coordinate in coordinates]
    names = [muscle.getName() for muscle in muscles]
    return {"musc_names": np.array(names, str), "musc_len": lengths, "musc_ma": arms}


def _contact_answers(loaded, samples: int, random, given) -> dict[str, np.ndarray]:
    model, state, contacts = loaded.model, loaded.state, loaded.contacts
    coordinate_set = model.getCoordinateSet()
    coordinates = [coordinate_set.get(k) for k in range(coordinate_set.getSize())]
    if "c_q" in given:
        q, qd = np.asarray(given["c_q"], float), np.asarray(given["c_qd"], float)
    elif contacts and "pelvis_ty" in loaded.coordinate_names:
        q, qd = _near_ground_states(loaded, coordinates, samples, random)
    else:
        q = qd = np.zeros((0, len(coordinates)))
    force = np.zeros((len(q), len(contacts), 6))
    for k in range(len(q)):
        _set_state(coordinates, state, q[k], qd[k])
        model.realizeVelocity(state)
        for j, contact in enumerate(contacts):
            values = contact.getRecordValues(state)
            force[k, j] = [values.get(i) for i in range(6)]
    names = [contact.getName() for contact in contacts]
    return {"contact_names": np.array(names, str), "c_q": q, "c_qd": qd, "contact_force": force}


def _force_answers(loaded, samples: int, random, given) -> dict[str, np.ndarray]:
    """Return the generalized forces of each force: what inverse dynamics asks for less where it acts."""
    opensim = loaded.opensim
    driven = (opensim.Actuator, opensim.ExternalForce)
    everything = _components(opensim.Force, loaded.model)
    applied = {force.getAbsolutePathString() for force in everything if force.get_appliesForce()}
    controlled = [force for force in everything if any(kind.safeDownCast(force) for kind in driven)]
    applied -= {force.getAbsolutePathString() for force in controlled}
    low, high = _sampled_range(loaded)
    low, high = low - _BEYOND_RANGE * (high - low), high + _BEYOND_RANGE * (high - low)
    shape = (samples if applied else 0, len(low))
    q = np.asarray(given.get("f_q", random.uniform(low, high, shape)), float)
    qd = np.asarray(given.get("f_qd", random.uniform(-_SPEED_RAD_S, _SPEED_RAD_S, shape)), float)
    names, tau = [], np.zeros((len(q), len(applied), len(low)))
    if applied:
        names, tau = _forces_of_a_light_model(loaded, applied, q, qd)
    return {"force_names": np.array(names, str), "f_q": q, "f_qd": qd, "force_tau": tau}


def _forces_of_a_light_model(loaded, applied: set[str], q: np.ndarray, qd: np.ndarray):
    """Return names and generalized forces; full masses would add rounding that can exceed a small force."""
    opensim = loaded.opensim
    model = opensim.Model(loaded.path)
    for force in _components(opensim.Force, model):
        force.set_appliesForce(False)
    for coordinate in _components(opensim.Coordinate, model):
        coordinate.set_locked(False)
        coordinate.set_clamped(False)
        coordinate.set_prescribed(False)
    for body in _components(opensim.Body, model):
        body.setMass(_LIGHT * body.getMass())
        inertia = body.getInertia()
        parts = [*_array(inertia.getMoments()), *_array(inertia.getProducts())]
        body.setInertia(opensim.Inertia(*(float(_LIGHT * part) for part in parts)))
    model.finalizeFromProperties()
    state = model.initSystem()
    coordinate_set = model.getCoordinateSet()
    coordinates = [coordinate_set.get(k) for k in range(coordinate_set.getSize())]
    forces = [f for f in _components(opensim.Force, model) if f.getAbsolutePathString() in applied]
    solver, still = opensim.InverseDynamicsSolver(model), opensim.Vector(q.shape[1], 0.0)
    tau = np.zeros((len(q), len(forces), q.shape[1]))
    for k in range(len(q)):
        _set_state(coordinates, state, q[k], qd[k])
        model.realizeDynamics(state)
        alone = _array(solver.solve(state, still))
        for j, force in enumerate(forces):
            force.setAppliesForce(state, True)
            model.realizeDynamics(state)
            tau[k, j] = (alone - _array(solver.solve(state, still)))[loaded.place]
            force.setAppliesForce(state, False)
    return [force.getName() for force in forces], tau


def _near_ground_states(loaded, coordinates, samples: int, random) -> tuple[np.ndarray, np.ndarray]:
    """Random states with small angles, so that heel and toe of both feet come near the ground together."""
    drawn = _random_states(loaded, samples, random)
    q, qd = 0.15 * drawn["q"], 0.3 * drawn["qd"]
    height = loaded.coordinate_names.index("pelvis_ty")
    for k in range(samples):
        _set_state(coordinates, loaded.state, q[k], qd[k])
        loaded.model.realizePosition(loaded.state)
        q[k, height] -= _lowest_point(loaded) + random.uniform(*_PENETRATION_M)
    return q, qd


def _lowest_point(loaded) -> float:
    geometry_set = loaded.model.getContactGeometrySet()
    heights = []
    for k in range(geometry_set.getSize()):
        sphere = loaded.opensim.ContactSphere.safeDownCast(geometry_set.get(k))
        if sphere is not None:
            frame = sphere.getFrame()
            center = frame.findStationLocationInGround(loaded.state, sphere.get_location())
            heights.append(center.get(1) - sphere.getRadius())
    return min(heights)


def _set_state(coordinates, state, q: np.ndarray, qd: np.ndarray) -> None:
    do_not_assemble = False
    for coordinate, value, speed in zip(coordinates, q, qd, strict=True):
        coordinate.setValue(state, float(value), do_not_assemble)
        coordinate.setSpeedValue(state, float(speed))


def _array(vector) -> np.ndarray:
    return np.array([vector.get(k) for k in range(vector.size())])


def _rotation(rotation) -> np.ndarray:
    return np.array([[rotation.get(i, j) for j in range(3)] for i in range(3)])
