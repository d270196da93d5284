"""Inverse dynamics of a whole trial from OpenSim's files, by the model's own functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline, make_interp_spline

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.opensim_io.tables.external_loads import ExternalLoads, read_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import coordinates_of, with_plain_names
from sspinn_opensim.opensim_io.tables.motion_units import warn_of_unit
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage

#: The quintic spline needs as many points as it has conditions.
_FEWEST_FRAMES = 6


def trial_forces(
    functions: BodyFunctions,
    kinematics: Path | Table,
    external_loads: Path | None = None,
    *,
    passive: bool = True,
    window: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[np.ndarray, np.ndarray]:
    """Return the generalized forces that drive a recorded motion, as OpenSim's InverseDynamicsTool does.

    The coordinates are differentiated by the natural quintic spline through the samples, unfiltered, which is
    the tool's `GCVSpline`. A coordinate without a column stays at its default value. Unlike the tool, speeds
    of Ball and Free joints are worked out from the rates of their coordinates.

    Parameters
    ----------
    functions : BodyFunctions
        Of the model, by `casadi_dynamics.symbolic.build`.
    kinematics : Path or Table
        ``.mot`` or ``.sto`` file of coordinates, or what it holds.
    external_loads : Path, optional
        ExternalLoads file whose data cover the times of the motion.
    passive : bool
        Whether the model's own springs, bushings, limits and contact act.
    window : (float, float)
        From and to, s: the frames to evaluate. Those beyond count for the derivatives.

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
    table = kinematics if isinstance(kinematics, Table) else read_storage(kinematics)
    where = table.header if isinstance(kinematics, Table) else str(kinematics)
    splined = _splined(table.time_s, coordinate_values(functions.tree.model, table), where)
    rows = (table.time_s >= window[0] - 1e-9) & (table.time_s <= window[1] + 1e-9)
    time_s, (q, qdot, qddot) = table.time_s[rows], (values[rows] for values in splined)
    moved = _call(functions, "speeds", q=q, qdot=qdot, qddot=qddot)
    state = {"q": q, "u": moved["u"], "udot": moved["udot"]}
    loads = ExternalLoads((), Path()) if external_loads is None else read_external_loads(external_loads)
    inputs = external_wrenches(functions, loads, time_s, state)
    driven = functions.inverse_dynamics([force.body for force in loads.forces])
    tau = _mapped(driven, functions, state | inputs)["tau"]
    if passive and functions.forces:
        tau = tau - _mapped(functions.passive_forces, functions, state)["total"]
    return time_s, tau


def coordinate_values(model: Model, table: Table) -> np.ndarray:
    """Return the coordinates (N, n) of a table in rad and m; those without a column are at their default.

    Raises
    ------
    InputError
        If the table holds no coordinate of the model, or does not say whether it is in degrees.
    """
    table = with_plain_names(table)
    warn_of_unit(table, model, table.header)
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


def external_wrenches(
    functions: BodyFunctions, loads: ExternalLoads, time_s: np.ndarray, state: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return force, point and torque of external loads at the times of a motion, in ground.

    Parameters
    ----------
    functions : BodyFunctions
    loads : ExternalLoads
    time_s : (N,) ndarray
    state : dict of str to (N, n) ndarray
        `q`, `u` and `udot` at these times, for loads that are expressed in the axes of a body.

    Returns
    -------
    dict of str to (N, 3 l) ndarray
        ``force``, ``point`` and ``torque``, N, m, N m; between samples a natural cubic spline, as OpenSim's
        ExternalForce has it.

    Raises
    ------
    InputError
        If the loads do not cover the motion, or name a body that the model lacks.
    """
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
    model = functions.tree.model
    in_ground = all(load.force_frame == load.point_frame == GROUND for load in loads.forces)
    bodies = {} if in_ground else _mapped(functions.kinematics, functions, state)
    parts: dict[str, list[np.ndarray]] = {"force": [], "point": [], "torque": []}
    none, prefixes = np.zeros(len(data.time_s)), [_prefixes(load) for load in loads.forces]
    names = [name and name + axis for each in prefixes for name in each.values() for axis in "xyz"]
    columns = np.column_stack([data.column(name) if name else none for name in names])
    vectors = iter(np.split(_at(time_s, data.time_s, columns), len(names) // 3, axis=1))
    for load, each in zip(loads.forces, prefixes, strict=True):
        for part in each:
            frame, vector = load.point_frame if part == "point" else load.force_frame, next(vectors)
            parts[part].append(_in_ground(model, bodies, frame, vector, is_point=part == "point"))
    return {part: np.hstack(vectors) for part, vectors in parts.items()}


def _prefixes(load) -> dict[str, str]:
    return {"force": load.force_prefix, "point": load.point_prefix, "torque": load.torque_prefix}


def _at(time_s: np.ndarray, known_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    inside = np.clip(time_s, known_s[0], known_s[-1])
    return CubicSpline(known_s, values, bc_type="natural")(inside) if len(known_s) > 1 else values


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
