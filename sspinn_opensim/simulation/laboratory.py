"""A laboratory's moments and ground forces, and which joint angles two models share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.anatomy import side_of
from sspinn_opensim.dynamics import inverse_dynamics as dynamics
from sspinn_opensim.dynamics.inverse_dynamics import LoadedMotion, external_wrenches, on_independent
from sspinn_opensim.opensim_io.tables.external_loads import ExternalForce, read_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import moment_columns
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.recording.resample import anti_aliased, uniform_clock
from sspinn_opensim.simulation.motion import SplineMotion
from sspinn_opensim.simulation.places import moving_joints
from sspinn_opensim.simulation.states import completed

#: Coordinates of two models are the same if they turn about axes this close (cosine).
_SAME_AXIS = 0.9


def shared_coordinates(source: BodyFunctions, study: BodyFunctions, carriers: set[str]) -> dict[str, int]:
    """Return the joint angles that two models share, and the sign from one to the other.

    They have one name and turn about nearly one axis in the default posture: +1 the same way, -1 the other.
    Only joints count that move a sensor against the root, as no other can be felt.

    Parameters
    ----------
    carriers : set of str
        Bodies of the study's model that carry sensors.
    """
    model = study.tree.model
    felt = moving_joints(model, carriers)
    root = model.root_coordinates()
    ours, theirs = _axes(study), _axes(source)
    found = {}
    for coordinate in model.coordinates:
        name = coordinate.name
        if coordinate.joint in felt and name in ours and name in theirs and name not in root:
            cosine = float(ours[name] @ theirs[name])
            if abs(cosine) > _SAME_AXIS:
                found[name] = 1 if cosine > 0 else -1
    return found


def _axes(functions: BodyFunctions) -> dict[str, np.ndarray]:
    """Return the axis in ground about which each independent angle turns its segment, default posture."""
    model = functions.tree.model
    turning = [c for c in model.coordinates if c.motion == "rotational" and c.name in functions.independent]
    q = np.tile([c.default for c in model.coordinates], (len(turning), 1))
    qdot = np.zeros_like(q)
    qdot[range(len(turning)), [functions.coordinates.index(c.name) for c in turning]] = 1.0
    omega = functions.at("kinematics", **completed(functions, q, qdot, np.zeros_like(q)))["omega"]
    omega = omega.reshape(len(turning), -1, 3)
    found = {}
    for row, coordinate in enumerate(turning):
        joint = model.joint(coordinate.joint)
        relative = omega[row, functions.bodies.index(joint.child.body)]
        if joint.parent.body != GROUND:
            relative = relative - omega[row, functions.bodies.index(joint.parent.body)]
        found[coordinate.name] = relative / max(np.linalg.norm(relative), 1e-12)
    return found


def moments(
    path: Path, functions: BodyFunctions, motion: SplineMotion
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read inverse dynamics; return times (n,), and the moment (n,) of each independent coordinate, N m.

    OpenSim's tool gives a force for dependent coordinates too; it is added to the coordinates they follow.
    """
    table = read_storage(path)
    model = functions.tree.model
    labels = moment_columns(model.coordinate_names, [c.motion for c in model.coordinates])
    known = [k for k, label in enumerate(labels) if label in table.names]
    if not known:
        raise InputError(
            "The table holds no moment of the model.",
            where=str(path),
            expected=f"columns such as {labels[-1]}",
            found=", ".join(table.names[:8]),
            fix="use the inverse dynamics of this model",
        )
    inside = _inside(table.time_s, motion, path)
    tau = np.zeros((int(inside.sum()), len(labels)))
    tau[:, known] = np.column_stack([table.column(labels[k])[inside] for k in known])
    time_s = table.time_s[inside]
    found = on_independent(functions, motion(time_s)[0], tau)
    return time_s, {name: found[name] for name in found if functions.coordinates.index(name) in known}


def inverse_dynamics(
    path: Path,
    functions: BodyFunctions,
    motion: SplineMotion,
    turn: np.ndarray,
    rate_hz: float,
    late_s: float = 0.0,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Work out the moments that a motion needs under the measured ground forces; as `moments`.

    Muscles, springs and contact of the model do not act. The forces are not filtered; between
    their samples they follow natural cubic splines, as in OpenSim's tools.

    Parameters
    ----------
    path : Path
        ExternalLoads file.
    turn : (3, 3) array
        Rotation from the laboratory's ground to that of the motion.
    rate_hz : float
        Of the times returned.
    late_s : float
        By how much the forces lag behind the motion.
    """
    loads = read_external_loads(path)
    for force in loads.forces:
        _refuse_other_frames(force, path)
    known_s = loads.time_s - late_s
    measured_s = known_s[_inside(known_s, motion, loads.datafile)]
    time_s = measured_s[0] + uniform_clock(measured_s[-1] - measured_s[0], rate_hz)
    state = completed(functions, *motion(time_s))
    wrenches = external_wrenches(functions, loads, time_s, state, late_s)
    turned = {part: (x.reshape(-1, 3) @ turn.T).reshape(x.shape) for part, x in wrenches.items()}
    trial = LoadedMotion(time_s, **state, loads=turned, loaded=tuple(force.body for force in loads.forces))
    tau = dynamics.inverse_dynamics(functions, trial, passive=False)
    return time_s, on_independent(functions, trial.q, tau)


def ground_forces(
    path: Path, motion: SplineMotion, rate_hz: float, late_s: float = 0.0
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read ground forces; return times (n,), and per side 'r' or 'l' force, point and torque (n, 3, 3).

    Forces on several bodies of a side add up; the point is that of the largest. They are low-passed for
    the rate, and given `late_s` earlier than the file has them.

    Raises
    ------
    InputError
        If a force is not expressed in ground or acts on a body without a side, or no time is in the motion.
    """
    loads = read_external_loads(path)
    known_s = loads.time_s - late_s
    inside = _inside(known_s, motion, loads.datafile)
    rate = (len(known_s) - 1) / (known_s[-1] - known_s[0])
    found: dict[str, np.ndarray] = {}
    for force, parts in zip(loads.forces, np.moveaxis(loads.vectors.copy(), 1, 0), strict=True):
        _refuse_other_frames(force, path)
        side = side_of(force.body)
        parts[:, [0, 2]] = anti_aliased(parts[:, [0, 2]], rate, rate_hz)
        if side in found:
            larger = np.linalg.norm(parts[:, 0], axis=1) > np.linalg.norm(found[side][:, 0], axis=1)
            found[side][larger, 1] = parts[larger, 1]
            found[side][:, [0, 2]] += parts[:, [0, 2]]
        else:
            found[side] = parts
    return known_s[inside], {side: parts[inside] for side, parts in found.items()}


def _refuse_other_frames(force: ExternalForce, path: Path) -> None:
    if not side_of(force.body) or {force.force_frame, force.point_frame} != {GROUND}:
        raise InputError(
            "An external force cannot be used as the force on a foot.",
            where=f"{path}, {force.name or force.body}",
            expected="a force on a body whose name tells a side, such as calcn_r, expressed in ground",
            found=f"on {force.body}, in {force.force_frame} and {force.point_frame}"
            + ("" if force.point_prefix else ", without a point_identifier"),
        )


def _inside(time_s: np.ndarray, motion: SplineMotion, path: Path) -> np.ndarray:
    end = motion.to_s if motion.stride_s is None else motion.from_s + motion.stride_s
    inside = (time_s > motion.from_s - 1e-6) & (time_s < end + 1e-6)
    if inside.sum() < 2:
        raise InputError(
            "The table and the motion share no time.",
            where=str(path),
            expected=f"{motion.from_s:g} to {end:g} s",
            found=f"{time_s[0]:g} to {time_s[-1]:g} s",
            fix="name the table of this motion",
        )
    return inside
