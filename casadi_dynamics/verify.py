"""A model's functions against what OpenSim answered for the same model at the same states."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

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
    for name, ours, stored in _quantities(_Answers(model, functions, answers, order)):
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
    known = _Answers(functions.tree.model, functions, answers, order)
    counts = _parting(known)[:, places].sum(axis=0)
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


@dataclass(frozen=True)
class _Answers:
    """Answers of OpenSim, and the functions that they are held against.

    Attributes
    ----------
    stored : mapping of str to ndarray
        As for `compare`; of a second group of states by the names of the first.
    order : list of int
        Where each of our coordinates stands in the stored order.
    """

    model: Model
    functions: BodyFunctions
    stored: Mapping[str, np.ndarray]
    order: list[int]

    def has(self, name: str) -> bool:
        """Return whether an array is there, with something in it."""
        return len(self.stored.get(name, ())) > 0

    def states(self, q: str, u: str, udot: str = "") -> dict[str, np.ndarray]:
        """Return our inputs `q`, `u` and, if it is named, `udot`, (N, n), by the names of the arrays."""
        names = {"q": q, "u": u, "udot": udot}
        return {ours: self.stored[name][:, self.order] for ours, name in names.items() if name}

    @cached_property
    def state(self) -> dict[str, np.ndarray]:
        """Our inputs `q`, `u` and `udot`, (N, n)."""
        return self.states("q", "qd", "qdd")

    def group(self, prefix: str) -> _Answers:
        """Return the answers at the states of a prefix, and what holds for every group."""
        own = {k.removeprefix(prefix): v for k, v in self.stored.items() if k.startswith(prefix)}
        common = {name: self.stored[name] for name in _PLACES if name in self.stored}
        return replace(self, stored=own | common)


#: Name of a quantity, our values and OpenSim's.
_Quantity = tuple[str, np.ndarray, np.ndarray]


def _quantities(answers: _Answers) -> Iterator[_Quantity]:
    if "body_names" in answers.stored:
        yield from _bodies(answers)
    for prefix in ("", "t_"):
        if f"{prefix}q" in answers.stored:
            group = answers.group(prefix)
            yield from _motion(group)
            yield from _forces(group)
            yield from _coupled(group, obeyed=not prefix)
            yield from _between_bodies(group)
            yield from _whole(group)
            yield from _imu(group)
    if answers.has("musc_names"):
        yield from _muscles(answers)
    if answers.has("contact_names"):
        yield from _contact(answers)
    if answers.has("force_names"):
        yield from _passive(answers)


def _bodies(answers: _Answers) -> Iterator[_Quantity]:
    stored = answers.stored
    places = _places(answers.functions.bodies, stored["body_names"], "body")
    bodies = [answers.model.bodies[i] for i in places]
    for ours, name in (("mass", "mass"), ("mass_center", "com_B"), ("inertia", "inertia_B")):
        if name in stored:
            yield f"model {ours}", np.array([getattr(body, ours) for body in bodies]), stored[name]


def _motion(answers: _Answers) -> Iterator[_Quantity]:
    functions, stored = answers.functions, answers.stored
    wanted = {ours: name for ours, name in _KINEMATICS.items() if name in stored}
    if wanted:
        places = _places(functions.bodies, stored["body_names"], "body")
        outputs = functions.at("kinematics", **answers.state)
        for ours, name in wanted.items():
            values = outputs[ours]
            axes = (3, 3) if ours == "rotation" else (3,)
            values = values.reshape(len(values), len(functions.bodies), *axes)
            yield f"body {ours}", values[:, places], stored[name]


def _forces(answers: _Answers) -> Iterator[_Quantity]:
    functions, stored, order = answers.functions, answers.stored, answers.order
    q = answers.state["q"]
    if "tau" in stored:
        yield "tau", _dynamics(answers)["tau"], stored["tau"][:, order]
    if "tau_ext" in stored and len(stored["ext_bodies"]):
        yield "tau with external forces", _driven(answers), stored["tau_ext"][:, order]
    if "G" in stored:
        yield "gravity", functions.at("gravity", q=q)["G"], stored["G"][:, order]
    if "M" in stored:
        matrix = functions.at("mass_matrix", q=q)["M"].reshape(-1, *q.shape[1:] * 2)
        yield "mass matrix", matrix, stored["M"][:, order][:, :, order]


def _driven(answers: _Answers) -> np.ndarray:
    """Return the forces (N, n) that drive the motion against the wrenches of the answers."""
    functions, stored = answers.functions, answers.stored
    bodies = [str(name) for name in stored["ext_bodies"]]
    _places(functions.bodies, bodies, "body")
    samples = len(answers.state["q"])
    station = np.tile(stored["ext_point_B"], (samples, len(bodies)))
    where = functions.at(functions.stations(bodies), **answers.state, station=station)
    wrenches = {
        "force": stored["ext_F"].reshape(samples, -1),
        "point": where["position"],
        "torque": stored["ext_T"].reshape(samples, -1),
    }
    return functions.at(functions.inverse_dynamics(bodies), **answers.state, **wrenches)["tau"]


def _coupled(answers: _Answers, *, obeyed: bool) -> Iterator[_Quantity]:
    """Compare the rates of coordinates and, where couplers are obeyed, the forces on the independent ones."""
    functions, stored, order = answers.functions, answers.stored, answers.order
    if "qdot" in stored:
        rates = functions.at("rates", **answers.state)
        yield "rate of coordinates", rates["qdot"], stored["qdot"][:, order]
    if "tau_ind" in stored and obeyed:
        names = [str(stored["coord_names"][i]) for i in stored["ind_idx"]]
        places = _places(functions.independent, names, "independent coordinate")
        picked = [functions.coordinates.index(name) for name in functions.independent]
        given = {f"{name}_independent": value[:, picked] for name, value in answers.state.items()}
        jacobian = functions.at("coupling", **given)["C"].reshape(-1, len(order), len(picked))
        tau = _dynamics(answers)["tau"][..., None]
        yield "tau of independent coordinates", (jacobian.mT @ tau)[:, places, 0], stored["tau_ind"]


def _between_bodies(answers: _Answers) -> Iterator[_Quantity]:
    """Compare constraints between bodies by what does not depend on the axes their errors are given in."""
    functions, stored = answers.functions, answers.stored
    bodies_alone = functions.constraint_equations and len(functions.independent) == len(functions.coordinates)
    if "constraint_G" not in stored or not bodies_alone:
        return
    multipliers = np.zeros((len(answers.state["q"]), len(functions.constraint_equations)))
    outputs = functions.at("constraints", **answers.state, multipliers=multipliers)
    theirs = stored["constraint_G"][:, :, answers.order]
    ours = outputs["G"].reshape(theirs.shape)
    yield "constraint directions", ours.mT @ ours, theirs.mT @ theirs
    ours, theirs = outputs["position_error"], stored["constraint_error"]
    yield "constraint errors", (ours**2).sum(axis=1), (theirs**2).sum(axis=1)


def _muscles(answers: _Answers) -> Iterator[_Quantity]:
    """Compare the muscles' paths; where OpenSim finds none around a surface, there is nothing to compare."""
    functions, stored, order = answers.functions, answers.stored, answers.order
    names = [str(name) for name in stored["musc_names"]]
    _places(functions.muscle_names, names, "muscle")
    q = stored["q"][:, order]
    outputs = functions.at(functions.muscles(names), q=q, u=np.zeros_like(q))
    if "musc_len" in stored:
        found = np.isfinite(stored["musc_len"])
        yield "muscle length", outputs["length"][found], stored["musc_len"][found]
    if "musc_ma" in stored:
        arms = outputs["moment_arm"].reshape(len(q), len(names), len(order))
        # They take OpenSim long, so that only the first samples may have them. Along a coupled coordinate
        # OpenSim divides by the slope of the coupler, which may vanish: nothing to compare with there.
        free = [functions.coordinates.index(name) for name in functions.independent]
        arms, theirs = arms[..., free], stored["musc_ma"][:, :, order][..., free]
        couplers = couplers_in_order(answers.model.constraints)
        if functions.constraint_equations or any(len(c.independent) > 1 for c in couplers):
            arms = constrained_moment_arms(functions, q, arms)
        found = np.isfinite(theirs) & np.isfinite(arms)
        yield "moment arm", arms[found], theirs[found]


def _whole(answers: _Answers) -> Iterator[_Quantity]:
    """Compare the mass centre and the energy of the whole model."""
    functions, stored = answers.functions, answers.stored
    if "com" in stored:
        whole = functions.at("center_of_mass", **answers.state)
        yield "mass centre", whole["position"], stored["com"]
        if "com_v" in stored:
            yield "velocity of the mass centre", whole["velocity"], stored["com_v"]
    if "KE" in stored:
        energy = functions.at("energy", **answers.state)
        yield "kinetic energy", energy["kinetic"][:, 0], stored["KE"]


def _imu(answers: _Answers) -> Iterator[_Quantity]:
    functions, stored = answers.functions, answers.stored
    names = stored.get("imu_frames", stored.get("imu_bodies", ()))
    if not len(names):
        return
    places = _places(functions.sensors, names, "sensor")
    position = {sensor.name: sensor.position for sensor in answer_sensors(answers.model, stored)}
    unused = (0.0, 0.0, 0.0)
    outputs = _dynamics(answers, np.ravel([position.get(name, unused) for name in functions.sensors]))
    for ours, name in (("imu_angular_rate", "imu_gyro"), ("imu_acceleration", "imu_acc")):
        if name in stored:
            yield ours, _split(outputs[ours], 3)[:, places], stored[name]


def _contact(answers: _Answers) -> Iterator[_Quantity]:
    functions = answers.functions
    named = dict(_contact_records(answers))
    places = _places(functions.contact_forces, named, "contact force")
    records = np.stack(list(named.values()), axis=1)
    outputs = functions.at("contact", **answers.states("c_q", "c_qd"))
    yield "contact force", _split(outputs["force"], 3)[:, places], records[..., :3]
    yield "contact moment", _split(outputs["moment"], 3)[:, places], records[..., 3:6]


def _contact_records(answers: _Answers) -> Iterator[tuple[str, np.ndarray]]:
    """Yield force and moment (Nc, 6) by our label: of the force, or of each body that it acts on."""
    stored = answers.stored
    values = stored["contact_force"] if "contact_force" in stored else stored["contact_values"]
    for i, name in enumerate(map(str, stored["contact_names"])):
        if name in answers.functions.contact_forces or "contact_labels" not in stored:
            yield name, values[:, i, :6]
            continue
        for block, label in enumerate(json.loads(str(stored["contact_labels"][i]))[::6]):
            body = label.removeprefix(f"{name}.").split(".")[0]
            yield f"{name}.{body}", values[:, i, 6 * block : 6 * block + 6]


def _passive(answers: _Answers) -> Iterator[_Quantity]:
    functions, stored, order = answers.functions, answers.stored, answers.order
    places = _places(functions.forces, stored["force_names"], "force")
    each = _split(functions.at("passive_forces", **answers.states("f_q", "f_qd"))["each"], len(order))
    whole = ~_parting(answers)[:, places]
    for i, name in enumerate(stored["force_names"]):
        kept = whole[:, i]
        yield f"force {name}", each[kept, places[i]], stored["force_tau"][kept, i][:, order]


def _parting(answers: _Answers) -> np.ndarray:
    """Return (N, forces) where Simbody may drop contacts: it does after one that it keeps from pulling."""
    return answers.functions.at("parting", **answers.states("f_q", "f_qd"))["pull"] > 0


def _dynamics(answers: _Answers, sensor_position: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return the outputs of `dynamics` without external forces, each (N, size)."""
    functions = answers.functions
    sizes = {name: functions.dynamics.numel_in(name) for name in ("contact_force", "sensor_position")}
    inputs = {name: np.zeros(size) for name, size in sizes.items()}
    if sensor_position is not None:
        inputs["sensor_position"] = sensor_position
    return functions.at("dynamics", **answers.state, **inputs)


def _split(stacked: np.ndarray, size: int) -> np.ndarray:
    """Return what stands one after the other, (N, k size), as (N, k, size)."""
    return stacked.reshape(len(stacked), stacked.shape[1] // size, size)


def _places(known: tuple[str, ...], names: Iterable[object], kind: str) -> list[int]:
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


def _order(coordinates: tuple[str, ...], stored: np.ndarray) -> list[int]:
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
