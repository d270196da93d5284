"""A model's functions against what OpenSim answered for the same model at the same states."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import ImuFrame, Model
from casadi_dynamics.model.constraints import couplers_in_order
from casadi_dynamics.osim.frames import rotation_from_xyz
from casadi_dynamics.symbolic import BodyFunctions
from casadi_dynamics.symbolic.moment_arms import constrained_moment_arms

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
#: What differences of large numbers leave of a quantity that is zero, SI units.
_ROUNDING = 1e-9
#: Arrays of the answers that hold for every group of states.
_PLACES = (
    "coord_names ind_idx body_names ext_bodies ext_point_B imu_frames imu_bodies imu_offset imu_euler".split()
)


def answer_sensors(model: Model, answers: Mapping[str, np.ndarray]) -> tuple[ImuFrame, ...]:
    """Return the virtual sensors that the answers speak of, to be given to `casadi_dynamics.symbolic.build`.

    Parameters
    ----------
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
        - `qdot` (N, n), the rates of the coordinates, `tau_ind` (N, i), `tau` on the independent coordinates
          `ind_idx` (i,), `com`, `com_v` (N, 3), place and velocity of the mass centre, `KE` (N,), kinetic
          energy,
        - `constraint_error` (N, e), `constraint_G` (N, e, n), the equations of constraints between bodies and
          the Jacobian of their rates, where the model has no couplers beside them,
        - `musc_names` (m,) with `musc_len` (N, m) and `musc_ma` (N, m, n), of which those are compared
          along coordinates that follow no other,
        - `imu_frames` or `imu_bodies` (k,) with `imu_gyro`, `imu_acc` (N, k, 3; in sensor axes),
        - `contact_names` (c,) with `contact_force` (Nc, c, 6) or `contact_values` (Nc, c, 12), whose first
          six columns are the force on the sphere's body and the torque about its origin, in ground, at the
          states `c_q`, `c_qd` (Nc, n); with `contact_labels` (c,: JSON lists of column labels
          `force.body.quantity.axis`) those of every body in turn,
        - `force_names` (f,) with `force_tau` (Nf, f, n), the generalized forces that each force applies at
          the states `f_q`, `f_qd` (Nf, n). States where two surfaces of a `HuntCrossleyForce` part too fast
          to push are left out for that force: there Simbody forgets the contacts of its other surfaces.

        SI units and radians. Arrays whose names begin with `t_` are a second group of states, which need not
        obey the couplers. Samples whose moment arms are all NaN have none.

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


def states_left_out(functions: BodyFunctions, answers: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return at how many states `compare` leaves each force out; forces compared everywhere are not named.

    Parameters
    ----------
    functions, answers
        As for `compare`.
    """
    if "force_names" not in answers:
        return {}
    order = _order(functions.coordinates, answers["coord_names"])
    places = _places(functions.forces, answers["force_names"], "force")
    inputs = {"q": answers["f_q"][:, order], "u": answers["f_qd"][:, order]}
    counts = _parting(functions, inputs)[:, places].sum(axis=0)
    return {str(name): int(n) for name, n in zip(answers["force_names"], counts, strict=True) if n}


def relative_error(ours: np.ndarray, stored: np.ndarray) -> float:
    """Return the largest difference over the largest absolute value of `stored`; NaN counts as infinite.

    Where all of `stored` is zero, or smaller than what rounding leaves of a zero (SI units), the difference
    itself is returned.
    """
    if stored.size == 0:
        return 0.0
    worst = float(np.abs(ours - stored).max())
    largest = float(np.abs(stored).max())
    return np.inf if np.isnan(worst) else worst / (largest if largest > _ROUNDING else 1.0)


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
            yield from _coupled(functions, group, state, order, obeyed=not prefix)
            yield from _between_bodies(functions, group, state, order)
            yield from _whole(functions, group, state)
            yield from _imu(model, functions, group, state)
    if len(answers.get("musc_names", ())):
        yield from _muscles(model, functions, answers, order)
    if len(answers.get("contact_names", ())):
        yield from _contact(functions, answers, order)
    if len(answers.get("force_names", ())):
        yield from _passive(functions, answers, order)


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
    if "tau" in answers:
        yield "tau", _dynamics(functions, q, u, udot)["tau"], answers["tau"][:, order]
    if "tau_ext" in answers and len(answers["ext_bodies"]):
        yield "tau with external forces", _driven(functions, answers, state), answers["tau_ext"][:, order]
    if "G" in answers:
        gravity = functions.at("gravity", q=q)["G"]
        yield "gravity", gravity, answers["G"][:, order]
    if "M" in answers:
        matrix = functions.at("mass_matrix", q=q)["M"].reshape(-1, *q.shape[1:] * 2)
        yield "mass matrix", matrix, answers["M"][:, order][:, :, order]


def _driven(functions: BodyFunctions, answers, state) -> np.ndarray:
    """Return the forces that drive the motion against the wrenches of the answers."""
    bodies = [str(name) for name in answers["ext_bodies"]]
    _places(functions.bodies, bodies, "body")
    names = ("q", "u", "udot")
    inputs = dict(zip(names, state, strict=True))
    samples = len(state[0])
    station = np.tile(answers["ext_point_B"], (samples, len(bodies)))
    where = functions.at(functions.stations(bodies), **inputs, station=station)
    inputs |= {
        "force": answers["ext_F"].reshape(samples, -1),
        "point": where["position"],
        "torque": answers["ext_T"].reshape(samples, -1),
    }
    return functions.at(functions.inverse_dynamics(bodies), **inputs)["tau"]


def _coupled(functions: BodyFunctions, answers, state, order, obeyed: bool):
    """Compare the rates of coordinates and, where couplers are obeyed, the forces on the independent ones."""
    inputs: dict[str, np.ndarray] = dict(zip(("q", "u", "udot"), state, strict=True))
    if "qdot" in answers:
        rates = functions.at("rates", **inputs)
        yield "rate of coordinates", rates["qdot"], answers["qdot"][:, order]
    if "tau_ind" in answers and obeyed:
        names = [str(answers["coord_names"][i]) for i in answers["ind_idx"]]
        places = _places(functions.independent, names, "independent coordinate")
        picked = [functions.coordinates.index(name) for name in functions.independent]
        given = {f"{name}_independent": value[:, picked] for name, value in inputs.items()}
        jacobian = functions.at("coupling", **given)["C"].reshape(-1, len(order), len(picked))
        tau = _dynamics(functions, *state)["tau"][..., None]
        yield "tau of independent coordinates", (jacobian.mT @ tau)[:, places, 0], answers["tau_ind"]


def _between_bodies(functions: BodyFunctions, answers, state, order):
    """Compare constraints between bodies by what does not depend on the axes their errors are given in."""
    bodies_alone = functions.constraint_equations and len(functions.independent) == len(functions.coordinates)
    if "constraint_G" not in answers or not bodies_alone:
        return
    inputs: dict[str, np.ndarray] = dict(zip(("q", "u", "udot"), state, strict=True))
    inputs["multipliers"] = np.zeros((len(state[0]), len(functions.constraint_equations)))
    outputs = functions.at("constraints", **inputs)
    stored = answers["constraint_G"][:, :, order]
    ours = outputs["G"].reshape(stored.shape)
    yield "constraint directions", ours.mT @ ours, stored.mT @ stored
    lengths = ((errors**2).sum(axis=1) for errors in (outputs["position_error"], answers["constraint_error"]))
    yield "constraint errors", *lengths


def _muscles(model: Model, functions: BodyFunctions, answers, order):
    """Compare the muscles' paths; where OpenSim finds none around a surface, there is nothing to compare."""
    names = [str(name) for name in answers["musc_names"]]
    _places(functions.muscle_names, names, "muscle")
    if not names:
        return
    q = answers["q"][:, order]
    outputs = functions.at(functions.muscles(names), q=q, u=np.zeros_like(q))
    if "musc_len" in answers:
        found = np.isfinite(answers["musc_len"])
        yield "muscle length", outputs["length"][found], answers["musc_len"][found]
    if "musc_ma" in answers:
        arms = outputs["moment_arm"].reshape(len(q), len(names), len(order))
        # They take OpenSim long, so that only the first samples may have them. Along a coupled coordinate
        # OpenSim divides by the slope of the coupler, which may vanish: nothing to compare with there.
        free = [functions.coordinates.index(name) for name in functions.independent]
        arms, stored = arms[..., free], answers["musc_ma"][:, :, order][..., free]
        couplers = couplers_in_order(model.constraints)
        if functions.constraint_equations or any(len(c.independent) > 1 for c in couplers):
            arms = constrained_moment_arms(functions, q, arms)
        found = np.isfinite(stored) & np.isfinite(arms)
        yield "moment arm", arms[found], stored[found]


def _whole(functions: BodyFunctions, answers, state):
    """Compare the mass centre and the energy of the whole model."""
    q, u, udot = state
    if "com" in answers:
        whole = functions.at("center_of_mass", q=q, u=u, udot=udot)
        yield "mass centre", whole["position"], answers["com"]
        if "com_v" in answers:
            yield "velocity of the mass centre", whole["velocity"], answers["com_v"]
    if "KE" in answers:
        energy = functions.at("energy", q=q, u=u)
        yield "kinetic energy", energy["kinetic"][:, 0], answers["KE"]


def _imu(model: Model, functions: BodyFunctions, answers, state):
    names = answers.get("imu_frames", answers.get("imu_bodies", ()))
    if not len(names):
        return
    places = _places(functions.sensors, names, "sensor")
    position = {sensor.name: sensor.position for sensor in answer_sensors(model, answers)}
    unused = (0.0, 0.0, 0.0)
    positions = np.ravel([position.get(name, unused) for name in functions.sensors])
    q, u, udot = state
    outputs = _dynamics(functions, q, u, udot, positions)
    for ours, stored in (("imu_angular_rate", "imu_gyro"), ("imu_acceleration", "imu_acc")):
        if stored in answers:
            yield ours, _split(outputs[ours], 3)[:, places], answers[stored]


def _contact(functions: BodyFunctions, answers, order):
    named = dict(_contact_records(functions, answers))
    places = _places(functions.contact_forces, named, "contact force")
    records = np.stack(list(named.values()), axis=1)
    inputs = {"q": answers["c_q"][:, order], "u": answers["c_qd"][:, order]}
    outputs = functions.at("contact", **inputs)
    yield "contact force", _split(outputs["force"], 3)[:, places], records[..., :3]
    yield "contact moment", _split(outputs["moment"], 3)[:, places], records[..., 3:6]


def _contact_records(functions: BodyFunctions, answers) -> Iterator[tuple[str, np.ndarray]]:
    """Return force and moment (Nc, 6) by our label: of the force, or of each body that it acts on."""
    values = answers["contact_force"] if "contact_force" in answers else answers["contact_values"]
    for i, name in enumerate(map(str, answers["contact_names"])):
        if name in functions.contact_forces or "contact_labels" not in answers:
            yield name, values[:, i, :6]
            continue
        for block, label in enumerate(json.loads(str(answers["contact_labels"][i]))[::6]):
            body = label.removeprefix(f"{name}.").split(".")[0]
            yield f"{name}.{body}", values[:, i, 6 * block : 6 * block + 6]


def _passive(functions: BodyFunctions, answers, order):
    places = _places(functions.forces, answers["force_names"], "force")
    inputs = {"q": answers["f_q"][:, order], "u": answers["f_qd"][:, order]}
    each = _split(functions.at("passive_forces", **inputs)["each"], len(order))
    whole = ~_parting(functions, inputs)[:, places]
    for i, name in enumerate(answers["force_names"]):
        kept = whole[:, i]
        yield f"force {name}", each[kept, places[i]], answers["force_tau"][kept, i][:, order]


def _parting(functions: BodyFunctions, inputs) -> np.ndarray:
    """Return (N, forces) where Simbody may drop contacts: it does after one that it keeps from pulling."""
    return functions.at("parting", **inputs)["pull"] > 0


def _kinematics(functions: BodyFunctions, q, u, udot) -> dict[str, np.ndarray]:
    """Return the outputs of `kinematics` as (N, bodies, 3), the rotation as (N, bodies, 3, 3)."""
    outputs = functions.at("kinematics", q=q, u=u, udot=udot)
    rotation = _split(outputs.pop("rotation"), 9)
    parts = {name: _split(value, 3) for name, value in outputs.items()}
    return {**parts, "rotation": rotation.reshape(*rotation.shape[:2], 3, 3)}


def _dynamics(functions: BodyFunctions, q, u, udot, positions=None) -> dict[str, np.ndarray]:
    """Return the outputs of `dynamics` without external forces, each (N, size)."""
    sizes = {name: functions.dynamics.numel_in(name) for name in ("contact_force", "sensor_position")}
    still = {name: np.zeros(size) for name, size in sizes.items()}
    if positions is not None:
        still["sensor_position"] = positions
    return functions.at("dynamics", q=q, u=u, udot=udot, **still)


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
