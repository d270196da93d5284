"""Job that surveys a motion: what OpenSim's model says to each of its frames.

OpenSim objects whose children are used stay in named variables, as a child dangles when its parent is
collected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from casadi_dynamics.opensim_process.worker.states import (
    LoadedModel,
    array,
    components,
    load,
    rotation,
    set_state,
)
from sspinn_opensim.dynamics.trial import natural_quintic

_GROUND = "ground"
_NUDGE = 0.01  # of a root translation, m, to see which way it points
_FEWEST_FOR_SPLINE = 6

#: The arrays of the motion that is surveyed, by name; see `muscle_survey`.
Given = Mapping[str, np.ndarray]
#: Function from coordinates (N, n) and times (N,) to the values of a coordinate (N,).
ValuesAt = Callable[[np.ndarray, np.ndarray], np.ndarray]


def muscle_survey(opensim: ModuleType, model: str, motion: str, output: str) -> dict:
    """Return facts of a model, and save as an ``.npz`` at `output` what it says to a motion.

    `motion` is an ``.npz``: ``names`` (m,) of coordinates; ``time_s`` (N,); their values ``as_given``, and
    filtered ``q``, ``u``, ``udot`` (N, m), as they stand in a file, ``in_degrees`` or not; ``bodies``,
    ``force_frames``, ``point_frames`` (f,); ``force``, ``point``, ``torque`` (N, f, 3).

    The output holds, for all n coordinates in rad and m: ``q`` (N, n) as given, with defaults where nothing
    is given; ``held`` (N, n), the same with what the model determines (locked coordinates at their default,
    prescribed ones at their function, dependent ones where their couplers want them). Of the filtered motion:
    ``body_position`` (N, f, 3), ``force``, ``point``, ``torque`` (N, f, 3), all in ground; ``tau_free`` and
    ``tau`` (N, n), the generalized forces that drive it without and with the external forces. Springs, limits
    and bushings of the model act; muscles, actuators and contact do not.
    """
    with np.load(motion, allow_pickle=False) as file:
        given = {name: file[name] for name in file.files}
    original = opensim.Model(model)
    facts = _facts(opensim, original, original.initSystem())
    loaded = load(opensim, model)
    as_given, q, u, udot = _in_radians(loaded, given, facts["motions"])
    held = as_given.copy()
    determined = _determined(opensim, original, loaded)
    for column, values_at in determined:
        held[:, column] = values_at(held, given["time_s"])
        q[:, column] = values_at(q, given["time_s"])
        u[:, column], udot[:, column] = _rates(given["time_s"], q[:, column])
    answers = {"q": as_given, "held": held, **_mechanics(loaded, q, u, udot, given)}
    with Path(output).open("wb") as file:
        np.savez(file, **answers)  # pyright: ignore[reportArgumentType]
    return facts | {"root_directions": _root_directions(loaded)}


def _in_radians(loaded: LoadedModel, given: Given, motions: dict[str, str]) -> list[np.ndarray]:
    """Return values, q, u and udot of every coordinate in rad and m; one that is not given rests."""
    parts = ("as_given", "q", "u", "udot")
    shape = (len(given["time_s"]), len(loaded.coordinate_names))
    found = [np.zeros(shape) for _ in parts]
    given_names = [str(name) for name in given["names"]]
    for k, name in enumerate(loaded.coordinate_names):
        if name not in given_names:
            found[0][:, k] = found[1][:, k] = loaded.coordinates[k].getDefaultValue()
            continue
        to_radians = bool(given["in_degrees"]) and motions[name] == "rotational"
        for values, part in zip(found, parts, strict=True):
            column = given[part][:, given_names.index(name)]
            values[:, k] = np.deg2rad(column) if to_radians else column
    return found


def _determined(opensim: ModuleType, model: Any, loaded: LoadedModel) -> list[tuple[int, ValuesAt]]:
    """Return column and values, a function of (q, time), of each coordinate that the model determines."""
    found = []

    def column(name: str) -> int:
        return loaded.coordinate_names.index(name)

    for coordinate in components(opensim.Coordinate, model):
        if coordinate.get_prescribed():
            function = coordinate.getPrescribedFunction()
            found.append(
                (
                    column(coordinate.getName()),
                    lambda _q, time_s, f=function: _at_each(opensim, f, time_s[:, None]),
                )
            )
        elif coordinate.get_locked():
            value = coordinate.getDefaultValue()
            found.append((column(coordinate.getName()), lambda _q, time_s, v=value: np.full(len(time_s), v)))
    for name, inputs, function, scale in _couplers(opensim, model):
        columns = [column(other) for other in inputs]
        found.append(
            (
                column(name),
                lambda q, _time_s, f=function, c=columns, s=scale: s * _at_each(opensim, f, q[:, c]),
            )
        )
    return found


def _rates(time_s: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(time_s) < _FEWEST_FOR_SPLINE or np.ptp(values) == 0:
        return np.zeros(len(time_s)), np.zeros(len(time_s))
    spline = natural_quintic(time_s, values[:, None])
    return spline(time_s, 1)[:, 0], spline(time_s, 2)[:, 0]


def _facts(opensim: ModuleType, model: Any, state: Any) -> dict[str, Any]:
    motion_of_type = {
        opensim.Coordinate.Rotational: "rotational",
        opensim.Coordinate.Translational: "translational",
        opensim.Coordinate.Coupled: "coupled",
    }
    coordinates, bodies = model.getCoordinateSet(), components(opensim.Body, model)
    listed = [coordinates.get(k) for k in range(coordinates.getSize())]
    return {
        "total_mass_kg": model.getTotalMass(state),
        "gravity": [model.getGravity().get(k) for k in range(3)],
        "bodies": [body.getName() for body in bodies],
        "motions": {c.getName(): motion_of_type[c.getMotionType()] for c in listed},
        "ranges": {c.getName(): [c.getRangeMin(), c.getRangeMax()] for c in listed},
        "locked": [c.getName() for c in listed if c.get_locked()],
        "prescribed": [c.getName() for c in listed if c.get_prescribed()],
        "dependent": [name for name, *_ in _couplers(opensim, model)],
    }


def _couplers(opensim: ModuleType, model: Any) -> list[tuple[str, list[str], Any, float]]:
    """Return dependent coordinate, independent ones, function and scale of each coupler that acts."""
    found = []
    for coupler in components(opensim.CoordinateCouplerConstraint, model):
        if not coupler.get_isEnforced():
            continue
        names = coupler.getIndependentCoordinateNames()
        inputs = [names.get(k) for k in range(names.getSize())]
        scale = opensim.PropertyHelper.getValueDouble(coupler.getPropertyByName("scale_factor"))
        found.append((coupler.getDependentCoordinateName(), inputs, coupler.getFunction(), scale))
    return found


def _at_each(opensim: ModuleType, function: Any, rows: np.ndarray) -> np.ndarray:
    return np.array([function.calcValue(opensim.Vector(row.tolist())) for row in rows])


def _mechanics(
    loaded: LoadedModel, q: np.ndarray, u: np.ndarray, udot: np.ndarray, given: Given
) -> dict[str, np.ndarray]:
    """Positions of the loaded bodies, external forces in ground, and inverse dynamics, frame by frame."""
    opensim, model, state = loaded.opensim, loaded.bare, loaded.bare_state
    for force in _passive(loaded):
        force.setAppliesForce(state, True)
    solver = opensim.InverseDynamicsSolver(model)
    frames = {name: frame for name, frame in zip(loaded.body_names, loaded.bodies, strict=True)}
    shape = (len(q), len(given["bodies"]), 3)
    found = {name: np.zeros(shape) for name in ("body_position", "force", "point", "torque")}
    tau_free, tau = np.zeros(q.shape), np.zeros(q.shape)
    for k in range(len(q)):
        set_state(loaded.coordinates, state, q[k], u[k])
        model.realizeDynamics(state)
        accelerations = np.zeros(q.shape[1])
        accelerations[loaded.place] = udot[k]
        tau_free[k] = array(solver.solve(state, opensim.Vector(accelerations.tolist())))[loaded.place]
        tau[k] = tau_free[k]
        for f, name in enumerate(given["bodies"]):
            body = frames[str(name)]
            in_ground = _in_ground(frames, state, given, k, f)
            for part, vector in in_ground.items():
                found[part][k, f] = vector
            found["body_position"][k, f] = array(body.getTransformInGround(state).p())
            tau[k] -= _generalized(loaded, body, in_ground)
    return found | {"tau_free": tau_free, "tau": tau}


def _passive(loaded: LoadedModel) -> list[Any]:
    """Return the forces that act on a moving body whatever muscles do: springs, limits, bushings."""
    opensim = loaded.opensim
    contact = (
        "SmoothSphereHalfSpaceForce",
        "HuntCrossleyForce",
        "ElasticFoundationForce",
        "ExponentialContactForce",
    )
    original = {
        force.getAbsolutePathString()
        for force in components(opensim.Force, loaded.model)
        if force.get_appliesForce()
        and not opensim.Actuator.safeDownCast(force)
        and not opensim.ExternalForce.safeDownCast(force)
        and force.getConcreteClassName() not in (*contact, "MeyerFregly2016Force", "PrescribedForce")
    }
    return [f for f in components(opensim.Force, loaded.bare) if f.getAbsolutePathString() in original]


def _in_ground(frames: Mapping[str, Any], state: Any, given: Given, k: int, f: int) -> dict[str, np.ndarray]:
    vectors = {part: given[part][k, f] for part in ("force", "point", "torque")}
    for part, frame in (("force", "force_frames"), ("torque", "force_frames"), ("point", "point_frames")):
        name = str(given[frame][f])
        if name != _GROUND:
            transform = frames[name].getTransformInGround(state)
            vectors[part] = rotation(transform.R()) @ vectors[part]
            if part == "point":
                vectors[part] = vectors[part] + array(transform.p())
    return vectors


def _generalized(loaded: LoadedModel, body: Any, in_ground: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the generalized forces of a force at a point of ground that acts on a body."""
    opensim, state = loaded.opensim, loaded.bare_state
    jacobian = opensim.Matrix()
    origin = opensim.Vec3(0)
    loaded.matter.calcFrameJacobian(state, body.getMobilizedBodyIndex(), origin, jacobian)
    arm = in_ground["point"] - array(body.getTransformInGround(state).p())
    moment = in_ground["torque"] + np.cross(arm, in_ground["force"])
    wrench = np.concatenate([moment, in_ground["force"]])
    return (jacobian.to_numpy().copy().T @ wrench)[loaded.place]


def _root_directions(loaded: LoadedModel) -> dict[str, list[float]]:
    """Return the direction in ground in which each coordinate that carries the whole body moves it."""
    state, n = loaded.bare_state, len(loaded.coordinates)
    masses = np.array([body.getMass() for body in loaded.bodies])

    def positions(q: np.ndarray) -> np.ndarray:
        set_state(loaded.coordinates, state, q, np.zeros(n))
        loaded.bare.realizePosition(state)
        return np.array([array(body.getTransformInGround(state).p()) for body in loaded.bodies])

    rest = np.array([coordinate.getDefaultValue() for coordinate in loaded.coordinates])
    before, found = positions(rest), {}
    for k, name in enumerate(loaded.coordinate_names):
        if loaded.coordinates[k].getMotionType() != loaded.opensim.Coordinate.Translational:
            continue
        moved = (positions(rest + _NUDGE * (np.arange(n) == k)) - before) / _NUDGE
        mean = masses @ moved / masses.sum()
        if np.linalg.norm(mean) > 0.99:
            found[name] = mean.tolist()
    return found
