"""Inverse dynamics of a whole trial from OpenSim's files, by the model's own functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.interpolate import make_interp_spline

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.opensim_io.external_loads import ExternalLoads, read_external_loads
from sspinn_opensim.opensim_io.motion_files import coordinates_of
from sspinn_opensim.opensim_io.storage import Table, read_storage

#: The quintic spline needs as many points as it has conditions.
_FEWEST_FRAMES = 6


def trial_forces(
    functions: BodyFunctions, kinematics: Path, external_loads: Path | None = None, *, passive: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return the generalized forces that drive a recorded motion, as OpenSim's InverseDynamicsTool does.

    The coordinates are differentiated by the natural quintic spline through the samples, unfiltered, which is
    the tool's `GCVSpline`. A coordinate without a column stays at its default value. Unlike the tool, speeds
    of Ball and Free joints are worked out from the rates of their coordinates.

    Parameters
    ----------
    functions : BodyFunctions
        Of the model, by `casadi_dynamics.symbolic.build`.
    kinematics : Path
        ``.mot`` or ``.sto`` file of coordinates.
    external_loads : Path, optional
        ExternalLoads file whose data cover the times of the motion.
    passive : bool
        Whether the model's own springs, bushings, limits and contact act.

    Returns
    -------
    time_s : (N,) ndarray
    tau : (N, n) ndarray
        In the order of the model's coordinates; N m or N.

    Raises
    ------
    InputError
        If a file cannot be used, or the loads do not cover the motion or name a body that the model lacks.
    """
    model = functions.tree.model
    table = read_storage(kinematics)
    q, qdot, qddot = _splined(table.time_s, _coordinates(model, table), kinematics)
    moved = _call(functions, "speeds", q=q, qdot=qdot, qddot=qddot)
    state = {"q": q, "u": moved["u"], "udot": moved["udot"]}
    loads = ExternalLoads((), Path()) if external_loads is None else read_external_loads(external_loads)
    inputs = _wrenches(model, functions, loads, table.time_s, state)
    driven = functions.inverse_dynamics([force.body for force in loads.forces])
    tau = _mapped(driven, functions, state | inputs)["tau"]
    if passive and functions.forces:
        tau = tau - _mapped(functions.passive_forces, functions, state)["total"]
    return table.time_s, tau


def _coordinates(model: Model, table: Table) -> np.ndarray:
    known = [c for c in model.coordinates if c.name in table.names]
    if not known:
        raise InputError(
            "The table holds no coordinate of the model.",
            where=f"table '{table.header}', model '{model.name}'",
            expected=f"columns such as {model.coordinates[0].name}" if model.coordinates else "coordinates",
            found=", ".join(table.names[:8]),
            fix="use the kinematics of this model",
        )
    values = np.tile([c.default for c in model.coordinates], (len(table.time_s), 1)).astype(float)
    places = [model.coordinates.index(c) for c in known]
    values[:, places] = coordinates_of(table, [c.name for c in known], [c.motion for c in known])
    return values


def _splined(time_s: np.ndarray, values: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if len(time_s) < _FEWEST_FRAMES:
        raise InputError(
            "The motion is too short to be differentiated.",
            where=str(path),
            expected=f"{_FEWEST_FRAMES} frames or more",
            found=str(len(time_s)),
        )
    free = [(3, np.zeros(values.shape[1])), (4, np.zeros(values.shape[1]))]
    spline = make_interp_spline(time_s, values, k=5, bc_type=(free, free))
    return spline(time_s), spline(time_s, 1), spline(time_s, 2)


def _wrenches(model: Model, functions: BodyFunctions, loads: ExternalLoads, time_s, state):
    """Return force, point and torque of each load at the times of the motion, in ground."""
    if not loads.forces:
        return {name: np.zeros((len(time_s), 0)) for name in ("force", "point", "torque")}
    data = read_storage(loads.datafile)
    if data.time_s[0] > time_s[0] + 1e-9 or data.time_s[-1] < time_s[-1] - 1e-9:
        raise InputError(
            "The external loads do not cover the motion.",
            where=str(loads.datafile),
            expected=f"{time_s[0]:g} to {time_s[-1]:g} s",
            found=f"{data.time_s[0]:g} to {data.time_s[-1]:g} s",
            fix="cut the motion to the times of the loads",
        )
    bodies = _mapped(functions.kinematics, functions, state)
    parts: dict[str, list[np.ndarray]] = {"force": [], "point": [], "torque": []}
    for load in loads.forces:
        prefixes = {"force": load.force_prefix, "point": load.point_prefix, "torque": load.torque_prefix}
        for part, prefix in prefixes.items():
            frame = load.point_frame if part == "point" else load.force_frame
            columns = [data.column(prefix + axis) if prefix else np.zeros(len(data.time_s)) for axis in "xyz"]
            vector = np.column_stack([np.interp(time_s, data.time_s, column) for column in columns])
            parts[part].append(_in_ground(model, bodies, frame, vector, is_point=part == "point"))
    return {part: np.hstack(vectors) for part, vectors in parts.items()}


def _in_ground(model: Model, bodies, frame: str, vector: np.ndarray, *, is_point: bool) -> np.ndarray:
    if frame == GROUND:
        return vector
    place = model.bodies.index(model.body(frame))
    rotation = bodies["rotation"].reshape(len(vector), -1, 3, 3)[:, place]
    turned = np.einsum("nij,nj->ni", rotation, vector)
    return turned + bodies["position"].reshape(len(vector), -1, 3)[:, place] if is_point else turned


def _call(functions: BodyFunctions, name: str, **inputs) -> dict[str, np.ndarray]:
    function = getattr(functions, name)
    outputs = function.map(len(inputs["q"])).call({key: value.T for key, value in inputs.items()})
    return {key: np.array(value).T for key, value in outputs.items()}


def _mapped(function, functions: BodyFunctions, inputs) -> dict[str, np.ndarray]:
    """Evaluate at N samples; each output is (N, size)."""
    samples = len(inputs["q"])
    columns = {name: inputs[name].T for name in function.name_in() if name in inputs}
    columns["parameters"] = np.tile(functions.parameters[:, None], (1, samples))
    return {name: np.array(value).T for name, value in function.map(samples).call(columns).items()}
