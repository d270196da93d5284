"""What the planar model costs by itself: the laboratory's own motion and forces put through it.

No network and no sensor is involved. The segments of the laboratory's three-dimensional motion are projected
on the plane of walking, the planar model takes these angles, and its inverse dynamics under the measured
ground forces are compared with the laboratory's. A planar estimate cannot be expected to do better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

import numpy as np
from scipy.interpolate import make_interp_spline

import osim_models
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import BodyFunctions, build
from sspinn_opensim.anatomy.joint_centres import joint_centre
from sspinn_opensim.dynamics.inverse_dynamics import LoadedMotion, inverse_dynamics
from sspinn_opensim.evaluation.metrics import error_numbers
from sspinn_opensim.opensim_io.scaling.scale import scale_by_height_and_mass
from sspinn_opensim.opensim_io.tables.storage import Table
from sspinn_opensim.recording.resample import uniform_clock
from sspinn_opensim.recording.units import GRAVITY
from sspinn_opensim.simulation import laboratory
from sspinn_opensim.simulation.reference_tables import reference_tables
from sspinn_opensim.simulation.settings import SimulationSettings
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.walk import Walk, read_walk, scored_window
from sspinn_opensim.study import Person

#: Planar segment -> body of the laboratory's model, and the axis whose projection says how it is turned.
_SEGMENTS = {
    "pelvis": ("pelvis", 0),
    "torso": ("torso", 1),
    **{f"femur_{s}": (f"femur_{s}", 1) for s in "rl"},
    **{f"tibia_{s}": (f"tibia_{s}", 1) for s in "rl"},
    **{f"foot_{s}": (f"calcn_{s}", 0) for s in "rl"},
}
_FEET = ("foot_r", "foot_l")
RATE_HZ = 100.0


def floor(trials: Sequence, out: Path, settings_of: Callable[..., SimulationSettings]) -> dict:
    """Return errors of the projection for each trial, and their means by kind of movement.

    Parameters
    ----------
    trials : sequence of Trial
    out : Path
        Folder for the scaled planar models.
    settings_of : callable
        Trial to settings.
    """
    rows = [_trial(trial, out, settings_of(trial)) for trial in trials]
    groups = {}
    for kind in sorted({row["kind"] for row in rows}):
        chosen = [row for row in rows if row["kind"] == kind]
        groups[kind] = {
            quantity: {
                name: mean(row[quantity][name] for row in chosen if name in row[quantity])
                for name in chosen[0][quantity]
            }
            for quantity in _QUANTITIES
        }
    return {"groups": groups, "trials": rows}


_QUANTITIES = {
    "identity_deg": "laboratory's angles written as an estimate, deg",
    "projected_deg": "angles of the projected segments, deg",
    "projected_bias_deg": "    of which bias (magnitude), deg",
    "moments_bwbh": "moments, planar inverse dynamics with measured forces, BWBH%",
    "root": "what is left at the root: force x, y in %BW, moment in BWBH%",
}


def format_floor(found: dict) -> str:
    """Return the floor as text."""
    lines = []
    for kind, group in found["groups"].items():
        lines.append(f"{kind}: root mean square errors, mean over trials")
        for quantity, label in _QUANTITIES.items():
            values = group[quantity]
            lines.append(f"  {label}: mean {mean(values.values()):.2f}")
            lines.append("      " + ", ".join(f"{name} {value:.2f}" for name, value in values.items()))
    return "\n".join(lines)


def _trial(trial, out: Path, settings: SimulationSettings) -> dict:
    walk = read_walk(trial.model, trial.motion, settings)
    mass = trial.mass_kg or walk.functions.tree.model.total_mass
    planar = _scaled(out / "floor", Person(trial.height_m, mass, trial.person))
    signs = laboratory.shared_coordinates(walk.functions, planar, {*_FEET, "pelvis"})
    tables = reference_tables(walk, signs, settings)
    time_s = uniform_clock(walk.to_s - walk.from_s, RATE_HZ)
    state = _planar_motion(walk, planar, time_s)
    window = scored_window(walk) or (time_s[0] + 0.1, time_s[-1] - 0.1)
    inside = (time_s >= window[0]) & (time_s < window[1])
    lab_q = tables["kinematics"]
    angles, bias, identity = {}, {}, {}
    for name in signs:
        column = np.radians(np.interp(time_s, lab_q.time_s, lab_q.column(name)))[inside]
        ours = state["q"][inside, planar.coordinates.index(name)]
        numbers = error_numbers(np.degrees(ours), np.degrees(column))
        angles[name], bias[name] = numbers["rmsd"], abs(numbers["bias"])
        source = completed(walk.functions, *walk.motion(walk.from_s + time_s[inside]))["q"]
        own = signs[name] * source[:, walk.functions.coordinates.index(name)]
        identity[name] = error_numbers(np.degrees(own), np.degrees(column))["rmsd"]
    lab_tau, grf = tables["moments"], tables["grf"]
    valid = inside & _covered(time_s, lab_tau) & _covered(time_s, grf)
    tau = _planar_forces(walk, planar, state, time_s, grf)[valid]
    weight = mass * GRAVITY
    per_bwbh = 100 / (weight * trial.height_m)
    moments = {}
    for name in signs:
        wanted = np.interp(time_s[valid], lab_tau.time_s, lab_tau.column(f"{name}_moment"))
        ours = tau[:, planar.coordinates.index(name)]
        moments[name] = error_numbers(per_bwbh * ours, per_bwbh * wanted)["rmsd"]
    scale = {"pelvis_tx": 100 / weight, "pelvis_ty": 100 / weight, "pelvis_tilt": per_bwbh}
    root = {
        name: float(np.sqrt(np.mean((factor * tau[:, planar.coordinates.index(name)]) ** 2)))
        for name, factor in scale.items()
    }
    return {
        "trial": trial.name,
        "kind": "walking" if trial.keep_s else "running",
        "identity_deg": identity,
        "projected_deg": angles,
        "projected_bias_deg": bias,
        "moments_bwbh": moments,
        "root": root,
    }


def _scaled(folder: Path, person: Person) -> BodyFunctions:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{person.name}.osim"
    if not file.is_file():
        scale_by_height_and_mass(osim_models.path("planar_gait.osim"), file, person)
    return build(read_model(file))


def _poses(functions: BodyFunctions, walk: Walk, time_s: np.ndarray) -> dict[str, np.ndarray]:
    found = functions.at("kinematics", **completed(functions, *walk.motion(walk.from_s + time_s)))
    return {
        "position": found["position"].reshape(len(time_s), -1, 3),
        "rotation": found["rotation"].reshape(len(time_s), -1, 3, 3),
    }


def _planar_motion(walk: Walk, planar: BodyFunctions, time_s: np.ndarray) -> dict[str, np.ndarray]:
    """Return the state of the planar model whose segments are those of the laboratory, projected."""
    source = walk.functions
    # Beyond the ends, so that derivatives at the ends are sound, as far as the motion is periodic.
    poses = _poses(source, walk, time_s)
    turned = {}
    for segment, (body, axis) in _SEGMENTS.items():
        along = poses["rotation"][:, source.bodies.index(body), :, axis]
        angle = np.arctan2(along[:, 1], along[:, 0]) - (np.pi / 2 if axis == 1 else 0.0)
        turned[segment] = np.unwrap(angle)
    hips = np.mean([_centre(source, poses, f"hip_{s}") for s in "rl"], axis=0)
    q = np.zeros((len(time_s), len(planar.coordinates)))
    values = {
        "pelvis_tilt": turned["pelvis"],
        "pelvis_tx": hips[:, 0],
        "pelvis_ty": hips[:, 1],
        "lumbar_extension": turned["torso"] - turned["pelvis"],
    }
    for s in "rl":
        values[f"hip_flexion_{s}"] = turned[f"femur_{s}"] - turned["pelvis"]
        values[f"knee_angle_{s}"] = turned[f"tibia_{s}"] - turned[f"femur_{s}"]
        values[f"ankle_angle_{s}"] = turned[f"foot_{s}"] - turned[f"tibia_{s}"]
    for name, value in values.items():
        q[:, planar.coordinates.index(name)] = value
    spline = make_interp_spline(time_s, q, k=5)
    return {"q": q, "u": spline(time_s, 1), "udot": spline(time_s, 2)}


def _centre(functions: BodyFunctions, poses: dict[str, np.ndarray], joint: str) -> np.ndarray:
    """Return the centre of a joint in ground, (n, 3)."""
    model = functions.tree.model
    found = model.joint(joint)
    place = functions.bodies.index(found.child.body)
    centre = joint_centre(model, found, found.child.body)
    return poses["position"][:, place] + poses["rotation"][:, place] @ centre


def _planar_forces(
    walk: Walk, planar: BodyFunctions, state: dict[str, np.ndarray], time_s: np.ndarray, grf: Table
) -> np.ndarray:
    """Return the planar model's forces; the ground acts where it did as seen from the laboratory's ankle."""
    poses = _poses(walk.functions, walk, time_s)
    # The walk's own clock has travelled on by as many strides as the window lies after the start.
    travelled = _travelled(walk)
    moved = planar.at("kinematics", **state)
    place = {body: planar.bodies.index(body) for body in _FEET}
    ankles = moved["position"].reshape(len(time_s), -1, 3)
    force, point = (np.zeros((len(time_s), 2, 3)) for _ in range(2))
    torque = np.zeros((len(time_s), 2, 3))
    for k, foot in enumerate(_FEET):
        side = foot[-1]

        def column(label: str) -> np.ndarray:
            return np.interp(time_s, grf.time_s, grf.column(label))

        for axis, name in enumerate("xyz"):
            force[:, k, axis] = column(f"ground_force_{side}_v{name}")
            point[:, k, axis] = column(f"ground_force_{side}_p{name}")
        torque[:, k, 2] = column(f"ground_torque_{side}_z")
        point[:, k, 0] += travelled
        offset = point[:, k] - _centre(walk.functions, poses, f"ankle_{side}")
        point[:, k] = ankles[:, place[foot]] + offset * (1.0, 1.0, 0.0)
        force[:, k, 2] = 0.0
        # The sideways parts turn nothing in the plane.
    parts = (("force", force), ("point", point), ("torque", torque))
    loads = {name: value.reshape(len(time_s), -1) for name, value in parts}
    return inverse_dynamics(planar, LoadedMotion(time_s, **state, loads=loads, loaded=_FEET), passive=False)


def _travelled(walk: Walk) -> float:
    window = scored_window(walk)
    if window is None:
        return 0.0
    forward = walk.functions.coordinates.index("pelvis_tx")
    return float(walk.motion.advance[forward] * window[0])


def _covered(time_s: np.ndarray, table: Table) -> np.ndarray:
    return (time_s > table.time_s[0] - 1e-6) & (time_s < table.time_s[-1] + 1e-6)
