"""Static trials of virtual people: the markers that cameras saw, and the posture that they tell."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from scipy.optimize import least_squares

from benchmarks.virtual_imu import Trial
from sspinn_opensim.opensim_io.tables.motion_files import kinematics_table
from sspinn_opensim.opensim_io.tables.storage import write_storage
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.walk import build_current

#: Frames of the written posture: as many as a motion file needs.
_FRAMES = 20
#: Markers are as good as this, m, and where they say little joints are near their default, rad.
_MARKER_M, _JOINT_RAD = 0.01, 0.5


def seen_markers(trial: Trial) -> dict[str, np.ndarray] | None:
    """Return the mean place of each marker in the static trial, m; None where there is no such trial."""
    static = next(iter(trial.motion.parent.glob("*_ST.trc")), None)
    if static is None:
        return None
    lines = static.read_text(encoding="utf-8", errors="replace").splitlines()
    unit_m = {"mm": 1e-3, "m": 1.0}[lines[2].split("\t")[4].strip()]
    names = [name.strip() for name in lines[3].split("\t")[2:] if name.strip()]
    cells = [line.split("\t")[2 : 2 + 3 * len(names)] for line in lines[5:]]
    rows = [[float(c) if c.strip() else np.nan for c in row] for row in cells if len(row) == 3 * len(names)]
    places = unit_m * np.nanmean(rows, axis=0).reshape(-1, 3)
    return dict(zip(names, places, strict=True))


def markers_of(trial: Trial) -> dict[str, dict[str, np.ndarray]]:
    """Return the places of the markers of the trial's model by body and name, in body axes, m."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for marker in ElementTree.parse(trial.model).iter("Marker"):
        body = (marker.findtext("socket_parent_frame") or "").split("/")[-1]
        place = np.array((marker.findtext("location") or "").split(), dtype=float)
        found.setdefault(body, {})[marker.get("name", "")] = place
    return found


def write_standing(trial: Trial, file: Path) -> Path | None:
    """Write the posture in the static trial as a motion file, by least squares over the markers.

    Returns
    -------
    Path or None
        None where there is no static trial.
    """
    seen = seen_markers(trial)
    if seen is None:
        return None
    functions = build_current(trial.model)
    model = functions.tree.model
    own = [
        (functions.bodies.index(body), place, seen[name])
        for body, markers in markers_of(trial).items()
        for name, place in markers.items()
        if body in functions.bodies and name in seen
    ]
    bodies, places, there = (np.array(part) for part in zip(*own, strict=True))
    default = np.array([c.default for c in model.coordinates])
    locked = np.array([c.locked for c in model.coordinates])
    turns = np.array([c.motion != "translational" for c in model.coordinates]) & ~locked
    root = model.root_coordinates()
    joints = turns & ~np.isin(model.coordinate_names, root)

    def misses(free: np.ndarray) -> np.ndarray:
        q = default.copy()
        q[~locked] = free
        state = completed(functions, q[None], *np.zeros((2, 1, len(q))))
        found = functions.at("kinematics", **state)
        rotation = found["rotation"].reshape(-1, 3, 3)[bodies]
        at = found["position"].reshape(-1, 3)[bodies] + np.einsum("nij,nj->ni", rotation, places)
        return np.append(((at - there) / _MARKER_M).ravel(), (q - default)[joints] / _JOINT_RAD)

    found = []
    for facing in np.radians([0.0, 90.0, 180.0, 270.0]):
        first = default.copy()
        first[model.coordinate_names.index("pelvis_rotation")] = facing
        found.append(least_squares(misses, first[~locked]))
    q = default.copy()
    q[~locked] = min(found, key=lambda each: each.cost).x
    time_s, motions = np.arange(_FRAMES) / 100.0, [c.motion for c in model.coordinates]
    table = kinematics_table(model.coordinate_names, motions, time_s, np.tile(q, (_FRAMES, 1)))
    file.parent.mkdir(parents=True, exist_ok=True)
    return write_storage(file, table)
