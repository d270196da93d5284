"""Scores of an estimate in space: one table by groups of curves, with bias, spread and correlation apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich import table
from scipy.spatial.transform import Rotation

from benchmarks.people.feet import body_poses, coordinates, foot_frames, on_foot
from benchmarks.people.references import Measured
from casadi_dynamics.model import Model
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.symbolic.posture import without_forces
from sspinn_opensim.evaluation.curves import Curves, angles_of, read_estimate
from sspinn_opensim.evaluation.metrics import error_numbers
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.recording.units import GRAVITY
from sspinn_opensim.results.folder import ResultsFolder

_NUMBERS = ("rmsd", "bias", "spread", "correlation")
_PAIRED = ("hip_flexion", "knee_angle", "ankle_angle", "hip_adduction", "hip_rotation")
_PELVIS = ("pelvis_tilt", "pelvis_list", "pelvis_rotation")
#: Ground forces and centre of pressure count in stance: with a load of this part of body weight.
_LOADED = 0.1
_WAYS = ("forward", "up", "sideways")
#: Errors that are aimed at in `kuopio2024_walk` and, of tilt and heading, in `gaittoolbox_walk`: degrees,
#: percent of body weight times height, percent of body weight, mm.
TARGETS: Mapping[str, float] = {
    "angle hip_flexion": 4.5,
    "angle knee_angle": 4.5,
    "angle ankle_angle": 4.5,
    "angle hip_adduction": 4.0,
    "angle hip_rotation": 6.0,
    "angle pelvis_tilt": 4.0,
    "angle pelvis_list": 3.0,
    "moment hip_flexion": 1.2,
    "moment knee_angle": 1.2,
    "moment ankle_angle": 1.2,
    "moment hip_adduction": 0.8,
    "force up": 7.0,
    "force forward": 3.0,
    "force sideways": 2.0,
    "pressure forward": 25.0,
    "pressure sideways": 25.0,
    **{f"tilt {segment}": 4.0 for segment in ("pelvis", "femur", "tibia", "calcn")},
    "heading over the turn": 5.0,
}


def angle_scores(angles: Curves, measured: Measured) -> dict[str, dict[str, float]]:
    """Return the errors of angles by group, degrees: of both sides, and of the pelvis.

    A constant heading is nobody's business: rotation of the pelvis is compared without its mean error.
    """
    found = {}
    for name in (*_PAIRED, *_PELVIS):
        rows = []
        for key in (name,) if name in _PELVIS else (f"{name}_r", f"{name}_l"):
            if key in measured.angles and key in angles.angles and np.isfinite(measured.angles[key][1]).any():
                at_s, reference = measured.angles[key]
                rows.append(_row(angles.time_s, np.degrees(angles.angles[key]), at_s, np.degrees(reference)))
        if name == "pelvis_rotation":
            rows = [row | {"rmsd": row["spread"], "bias": 0.0} for row in rows]
        if rows:
            found[f"angle {name}"] = _mean(rows)
    return found


def space_scores(
    folder: Path, measured: Measured, mass_kg: float, height_m: float, late_s: float = 0.0
) -> dict[str, dict[str, float]]:
    """Return the errors of a results folder by group of curves.

    Forces are turned about the vertical by the mean error of the pelvis' rotation: heading is not observable.
    Means are over both sides, with the absolute bias.

    Parameters
    ----------
    mass_kg, height_m : float
        Normalise forces and moments.
    late_s : float
        By how much the estimate is taken to be late, s; such as what the data set says of the sensors' clock.

    Returns
    -------
    dict of str to dict
        ``rmsd``, ``bias``, ``spread`` and ``correlation`` of ``angle``, ``moment`` (percent of body weight
        times height), ``force`` (percent of body weight), ``pressure`` (mm), ``tilt`` of a segment against
        the vertical (degrees; its spread is what no constant turn of the segment's axes removes) and
        ``heading`` over a turn (degrees) and what of it.
    """
    results = ResultsFolder(folder)
    model = read_model(results.subject)
    estimate = read_estimate(folder, model)
    estimate = replace(estimate, time_s=estimate.time_s - late_s)
    weight = mass_kg * GRAVITY
    found = angle_scores(estimate, measured)
    for name in _PAIRED:
        keys = [f"{name}_{side}" for side in "rl"]
        keys = [key for key in keys if key in measured.moments and key in estimate.moments]
        factor = 100.0 / (weight * height_m)
        rows = [
            _row(
                estimate.time_s,
                factor * estimate.moments[key],
                measured.moments[key][0],
                factor * measured.moments[key][1],
            )
            for key in keys
        ]
        if rows:
            found[f"moment {name}"] = _mean(rows)
    turn = _heading_error(estimate, measured)
    for axis, way in enumerate(_WAYS):
        rows = []
        for side, (at_s, force) in measured.ground_force.items():
            own = _turned(estimate.ground_force[side], -turn)[:, axis]
            if np.isfinite(force[:, axis]).any():
                rows.append(_row(estimate.time_s, 100 / weight * own, at_s, 100 / weight * force[:, axis]))
        if rows:
            found[f"force {way}"] = _mean(rows)
    found |= _pressure(results, model, measured, estimate, weight)
    return found | segment_scores(model, read_storage(results.kinematics), measured, late_s)


def _pressure(
    results: ResultsFolder, model: Model, measured: Measured, estimate: Curves, weight_n: float
) -> dict[str, dict[str, float]]:
    """Return the errors of the centre of pressure from the calcaneus, mm, in stance."""
    if not measured.pressure:
        return {}
    forces = read_storage(results.grf)
    feet = foot_frames(model, read_storage(results.kinematics))
    rows: dict[str, list[dict[str, float]]] = {"forward": [], "sideways": []}
    for side, (at_s, reference) in measured.pressure.items():
        prefix = next(n[:-2] for n in forces.names if n.endswith("_px") and f"_{side}_" in n)
        point = np.column_stack([forces.column(f"{prefix}p{axis}") for axis in "xyz"])
        own = on_foot(feet[side], point)
        up_s, up = measured.ground_force[side][0], np.nan_to_num(measured.ground_force[side][1][:, 1])
        loaded = np.interp(at_s, up_s, up) > _LOADED * weight_n
        loaded &= np.interp(at_s, estimate.time_s, estimate.ground_force[side][:, 1]) > _LOADED * weight_n
        for axis, way in enumerate(rows):
            curve = 1000.0 * np.where(loaded, reference[:, axis], np.nan)
            rows[way].append(_row(estimate.time_s, 1000.0 * own[:, axis], at_s, curve))
    return {f"pressure {way}": _mean(each) for way, each in rows.items()}


def segment_scores(
    model: Model, motion: Table, measured: Measured, late_s: float = 0.0
) -> dict[str, dict[str, float]]:
    """Return errors of the tilt of segments and of the pelvis' heading over a turn, see `space_scores`."""
    if not measured.axes:
        return {}
    poses = body_poses(build(without_forces(model)), coordinates(model, motion), measured.axes)
    time_s = motion.time_s - late_s
    tilts: dict[str, list[dict[str, float]]] = {}
    headings = []
    for body, (at_s, axes) in measured.axes.items():
        inside = (at_s >= time_s[0]) & (at_s <= time_s[-1])
        nearest = np.searchsorted(time_s, at_s[inside]).clip(0, len(time_s) - 1)
        own, seen = poses[body][1][nearest], axes[inside]
        # The vertical along the axes of a segment: all of its pose but the heading.
        own_up, seen_up = own[:, 1], seen[:, 1]
        rmsd = _rms_angle_deg(own_up, seen_up)
        spread = _rms_angle_deg(Rotation.align_vectors(seen_up, own_up)[0].apply(own_up), seen_up)
        row = {"rmsd": rmsd, "bias": np.sqrt(max(0.0, rmsd**2 - spread**2)), "spread": spread}
        tilts.setdefault(body.split("_")[0], []).append(row | {"correlation": np.nan})
        if body == "pelvis" and measured.turn_s is not None:
            parts = [(at_s[inside] > a) & (at_s[inside] < b) for a, b in measured.turn_s]
            headings = [_change_deg(each, *parts) for each in (own, seen)]
    found = {f"tilt {segment}": _mean(rows) for segment, rows in tilts.items()}
    if headings:
        off = float(headings[0] - headings[1])
        found["heading over the turn"] = dict(zip(_NUMBERS, (abs(off), off, 0.0, np.nan), strict=True))
    return found


def _rms_angle_deg(first: np.ndarray, second: np.ndarray) -> float:
    """Return the root mean square angle between unit vectors (n, 3), degrees."""
    cosine = np.clip((first * second).sum(axis=1), -1.0, 1.0)
    return float(np.degrees(np.sqrt(np.mean(np.arccos(cosine) ** 2))))


def _change_deg(axes: np.ndarray, before: np.ndarray, after: np.ndarray) -> float:
    """Return by how much axes (n, 3, 3) turn to the left between two parts of the time, degrees."""
    heading = np.unwrap(np.arctan2(-axes[:, 2, 0], axes[:, 0, 0]))
    return float(np.degrees(heading[after].mean() - heading[before].mean()))


def _heading_error(estimate: Curves, measured: Measured) -> float:
    """Return the mean error of the pelvis' rotation, rad; zero where nobody measured it."""
    name = "pelvis_rotation"
    if name not in measured.angles or name not in estimate.angles:
        return 0.0
    at_s, reference = measured.angles[name]
    off = np.interp(at_s, estimate.time_s, np.unwrap(estimate.angles[name])) - reference
    return float(np.angle(np.exp(1j * off[np.isfinite(off)]).mean()))


def _turned(vector: np.ndarray, angle: float) -> np.ndarray:
    """Return vectors (n, 3) turned about y."""
    x, y, z = vector.T
    return np.column_stack([np.cos(angle) * x + np.sin(angle) * z, y, np.cos(angle) * z - np.sin(angle) * x])


def _row(time_s: np.ndarray, own: np.ndarray, at_s: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    known = np.where((at_s >= time_s[0]) & (at_s <= time_s[-1]), reference, np.nan)
    row = error_numbers(np.interp(at_s, time_s, own), known)
    return {name: np.nan if (value := row[name]) is None else float(value) for name in _NUMBERS}


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {
        name: float(np.mean([abs(row[name]) if name == "bias" else row[name] for row in rows]))
        for name in _NUMBERS
    }


def read_angles(file: Path, model: Model) -> Curves:
    """Return the angles of a motion file."""
    motion = read_storage(file)
    return Curves(motion.time_s, angles_of(motion, model))


def space_table(name: str, columns: Mapping[str, Mapping[str, Mapping[str, float]]]) -> table.Table:
    """Return a table of groups: for each estimate rmsd, with bias, spread and correlation.

    Parameters
    ----------
    columns : mapping of str to mapping
        Scores as of `space_scores`, by what made them.
    """
    shown = table.Table(name, *columns, "aimed at", box=None)
    for group in dict.fromkeys(group for scores in columns.values() for group in scores):
        cells = [
            "{rmsd:.2f} (bias {bias:.2f}, spread {spread:.2f}, r {correlation:.2f})".format(**scores[group])
            if group in scores
            else ""
            for scores in columns.values()
        ]
        shown.add_row(group, *cells, f"{TARGETS[group]:g}" if group in TARGETS else "")
    return shown
