"""OpenSim's muscles, contact and other forces at given or random states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from casadi_dynamics.opensim_process.worker.states import (
    SPEED_RAD_S,
    LoadedModel,
    array,
    components,
    random_states,
    sampled_range,
    set_state,
)

#: Forces are asked for this far beyond the ranges of the coordinates, as a part of the range.
_BEYOND_RANGE = 0.3
#: Part of the masses that is left where only forces are asked for; OpenSim wants some mass.
_LIGHT = 1e-9
#: Penetration of the lowest contact sphere at the near-ground states, m.
_PENETRATION_M = (-0.002, 0.02)


def muscle_answers(
    loaded: LoadedModel, q: np.ndarray, spans: dict[str, list[str]] | None = None
) -> dict[str, np.ndarray]:
    """Return lengths and moment arms, (N, m) and (N, m, n).

    Moment arms take OpenSim longest by far. With `spans` only those along the coordinates that it names for a
    muscle are asked for; the others are NaN.
    """
    model, state = loaded.model, loaded.state
    muscle_set, coordinate_set = model.getMuscles(), model.getCoordinateSet()
    muscles = [muscle_set.get(k) for k in range(muscle_set.getSize())]
    coordinates = [coordinate_set.get(k) for k in range(coordinate_set.getSize())]
    lengths = np.zeros((len(q), len(muscles)))
    arms = np.full((len(q), len(muscles), len(coordinates)), np.nan)
    every = [coordinate.getName() for coordinate in coordinates]
    asked = [[every.index(name) for name in (spans or {}).get(muscle.getName(), every)] for muscle in muscles]
    for k, row in enumerate(q):
        set_state(coordinates, state, row, np.zeros(len(row)))
        model.realizePosition(state)
        for j, muscle in enumerate(muscles):
            lengths[k, j] = muscle.getLength(state)
            for i in asked[j]:
                arms[k, j, i] = muscle.computeMomentArm(state, coordinates[i])
    names = [muscle.getName() for muscle in muscles]
    return {"musc_names": np.array(names, str), "musc_len": lengths, "musc_ma": arms}


def contact_answers(
    loaded: LoadedModel, samples: int, random: np.random.Generator, given: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the wrench of each contact sphere where the lowest of them is near the ground."""
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
        set_state(coordinates, state, q[k], qd[k])
        model.realizeVelocity(state)
        for j, contact in enumerate(contacts):
            values = contact.getRecordValues(state)
            force[k, j] = [values.get(i) for i in range(6)]
    names = [contact.getName() for contact in contacts]
    return {"contact_names": np.array(names, str), "c_q": q, "c_qd": qd, "contact_force": force}


def force_answers(
    loaded: LoadedModel, samples: int, random: np.random.Generator, given: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the generalized forces of each force: what inverse dynamics asks for less where it acts."""
    opensim = loaded.opensim
    driven = (opensim.Actuator, opensim.ExternalForce)
    everything = components(opensim.Force, loaded.model)
    applied = {force.getAbsolutePathString() for force in everything if force.get_appliesForce()}
    controlled = [force for force in everything if any(kind.safeDownCast(force) for kind in driven)]
    applied -= {force.getAbsolutePathString() for force in controlled}
    low, high = sampled_range(loaded)
    low, high = low - _BEYOND_RANGE * (high - low), high + _BEYOND_RANGE * (high - low)
    shape = (samples if applied else 0, len(low))
    q = np.asarray(given.get("f_q", random.uniform(low, high, shape)), float)
    qd = np.asarray(given.get("f_qd", random.uniform(-SPEED_RAD_S, SPEED_RAD_S, shape)), float)
    names, tau = [], np.zeros((len(q), len(applied), len(low)))
    if applied:
        names, tau = _forces_of_a_light_model(loaded, applied, q, qd)
    return {"force_names": np.array(names, str), "f_q": q, "f_qd": qd, "force_tau": tau}


def _forces_of_a_light_model(
    loaded: LoadedModel, applied: set[str], q: np.ndarray, qd: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Return names and generalized forces; full masses would add rounding that can exceed a small force."""
    opensim = loaded.opensim
    model = opensim.Model(loaded.path)
    for force in components(opensim.Force, model):
        force.set_appliesForce(False)
    for coordinate in components(opensim.Coordinate, model):
        coordinate.set_locked(False)
        coordinate.set_clamped(False)
        coordinate.set_prescribed(False)
    for body in components(opensim.Body, model):
        body.setMass(_LIGHT * body.getMass())
        inertia = body.getInertia()
        parts = [*array(inertia.getMoments()), *array(inertia.getProducts())]
        body.setInertia(opensim.Inertia(*(float(_LIGHT * part) for part in parts)))
    model.finalizeFromProperties()
    state = model.initSystem()
    coordinate_set = model.getCoordinateSet()
    coordinates = [coordinate_set.get(k) for k in range(coordinate_set.getSize())]
    forces = [f for f in components(opensim.Force, model) if f.getAbsolutePathString() in applied]
    solver, still = opensim.InverseDynamicsSolver(model), opensim.Vector(q.shape[1], 0.0)
    tau = np.zeros((len(q), len(forces), q.shape[1]))
    for k in range(len(q)):
        set_state(coordinates, state, q[k], qd[k])
        model.realizeDynamics(state)
        alone = array(solver.solve(state, still))
        for j, force in enumerate(forces):
            force.setAppliesForce(state, True)
            model.realizeDynamics(state)
            tau[k, j] = (alone - array(solver.solve(state, still)))[loaded.place]
            force.setAppliesForce(state, False)
    return [force.getName() for force in forces], tau


def _near_ground_states(
    loaded: LoadedModel, coordinates: Sequence[Any], samples: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Random states with small angles, so that heel and toe of both feet come near the ground together."""
    drawn = random_states(loaded, samples, random)
    q, qd = 0.15 * drawn["q"], 0.3 * drawn["qd"]
    height = loaded.coordinate_names.index("pelvis_ty")
    for k in range(samples):
        set_state(coordinates, loaded.state, q[k], qd[k])
        loaded.model.realizePosition(loaded.state)
        q[k, height] -= _lowest_point(loaded) + random.uniform(*_PENETRATION_M)
    return q, qd


def _lowest_point(loaded: LoadedModel) -> float:
    geometry_set = loaded.model.getContactGeometrySet()
    heights = []
    for k in range(geometry_set.getSize()):
        sphere = loaded.opensim.ContactSphere.safeDownCast(geometry_set.get(k))
        if sphere is not None:
            frame = sphere.getFrame()
            center = frame.findStationLocationInGround(loaded.state, sphere.get_location())
            heights.append(center.get(1) - sphere.getRadius())
    return min(heights)
