"""References of the public recordings: what cameras, plates and belts measured, on the clock of the sensors.

Nothing that trains, aligns or checks imports this module.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.people.feet import foot_frames, on_foot
from casadi_dynamics.osim import read_model
from sspinn_opensim.evaluation.curves import ground_force_of
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.recording.formats.matlab_tables import read_rows
from sspinn_opensim.recording.units import GRAVITY

#: Sagittal coordinates of the legs, as gait2392 and the built-in model call and count them.
SAGITTAL = tuple(f"{joint}_{side}" for side in "rl" for joint in ("hip_flexion", "knee_angle", "ankle_angle"))
#: Of participant P01: mass, and the part of the repeated mean cycle that is scored.
_DORSCHKY_MASS_KG, _DORSCHKY_FROM_S, _DORSCHKY_CYCLES = 73.0, 2.0, 4


@dataclass(frozen=True)
class Measured:
    """Curves that a laboratory measured; NaN outside the part that may be scored.

    Parameters
    ----------
    angles, moments, ground_force : mapping of str to pair of ndarray
        By coordinate or side: times in s, and angles in rad, moments in N m, or forces (n, 3) in N along
        forward, up and right.
    way : pair of ndarray, optional
        Times in s, and how far the pelvis has come, m.
    lag_s : float
        By how much the sensors lag the laboratory, as the data set states; not used at zero shift.
    both_up : pair of ndarray, optional
        Times in s, and the sum of the vertical forces of both feet, N.
    pressure : mapping of str to pair of ndarray
        By side: times in s, and the centre of pressure in stance (n, 2) from the origin of the calcaneus
        forward and right along the foot as seen from above, m.
    axes : mapping of str to pair of ndarray
        By body: times in s, and the axes (n, 3, 3) of the segment that cameras saw, in columns, in a ground
        whose y points up: forward, up and right, with zeros of the laboratory's own.
    turn_s : pair of pair of float, optional
        When the person walked straight before and after a turn, s.
    """

    angles: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    moments: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    ground_force: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    way: tuple[np.ndarray, np.ndarray] | None = None
    lag_s: float = 0.0
    both_up: tuple[np.ndarray, np.ndarray] | None = None
    pressure: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    axes: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    turn_s: tuple[tuple[float, float], tuple[float, float]] | None = None

    @property
    def sagittal(self) -> Measured:
        """The part that a planar model knows of too: angles and moments of `SAGITTAL` alone."""
        angles, moments = (
            {name: curve for name, curve in curves.items() if name in SAGITTAL}
            for curves in (self.angles, self.moments)
        )
        return replace(self, angles=angles, moments=moments)


def kuopio(folder: Path) -> Measured:
    """Read inverse kinematics, inverse dynamics and plates of the overground walk, inside its windows."""
    windows = json.loads((folder / "windows.json").read_text())
    motion, moments, forces = (
        read_storage(folder / f"walk_{kind}") for kind in ("ik.mot", "id.sto", "grf.mot")
    )
    angle = dict(zip(motion.names, motion.values.T, strict=True))
    moment = dict(zip(moments.names, moments.values.T, strict=True))
    leg = {side: windows[f"moments_and_grf_{side}_s"] for side in "rl"}
    model, pressure = read_model(folder / "subject.osim"), {}
    for side, foot in foot_frames(model, motion).items():
        stances = [(s["from_s"], s["to_s"]) for s in windows["stances_on_plates"] if s["foot"] == side]
        point = np.column_stack([forces.column(f"ground_force_{side}_p{axis}") for axis in "xyz"])
        down = np.any([(motion.time_s >= a) & (motion.time_s <= b) for a, b in stances], axis=0)
        at = np.column_stack([np.interp(motion.time_s, forces.time_s, each) for each in point.T])
        pressure[side] = (motion.time_s, np.where(down[:, None], on_foot(foot, at), np.nan))
    return Measured(
        {
            name: _inside(motion.time_s, np.radians(angle[name]), windows["angles_s"])
            for name in motion.names
            if not name.startswith("pelvis_t") or name == "pelvis_tilt"
        },
        {
            name.removesuffix("_moment"): _inside(moments.time_s, moment[name], leg[name[-len("r_moment")]])
            for name in moments.names
            if name.endswith(("_r_moment", "_l_moment"))
        },
        {
            side: _inside(forces.time_s, force, leg[side])
            for side, force in ground_force_of(forces, where=str(folder)).items()
        },
        way=(motion.time_s, angle["pelvis_tx"]),
        lag_s=0.008,
        pressure=pressure,
    )


def gaittoolbox(folder: Path) -> Measured:
    """Read the cameras of the walk there and back: segments, and angles where the person walks straight."""
    motion = read_storage(folder / "angles.mot")
    there_s, back_s = (11.0, 14.0), (16.5, 20.0)
    straight = np.any([(motion.time_s > a) & (motion.time_s < b) for a, b in (there_s, back_s)], axis=0)
    with np.load(folder / "vicon.npz") as seen:
        axes = {
            str(segment).replace("foot", "calcn"): (
                seen["t"].astype(float),
                Rotation.from_quat(turn, scalar_first=True).as_matrix(),
            )
            for segment, turn in zip(seen["segments"], seen["quat_wxyz"], strict=True)
        }
    angle = dict(zip(motion.names, motion.values.T, strict=True))
    legs = (name for name in motion.names if name[-2:] in {"_r", "_l"})
    return Measured(
        {name: (motion.time_s, np.where(straight, np.radians(angle[name]), np.nan)) for name in legs},
        lag_s=0.022,
        axes=axes,
        turn_s=(there_s, back_s),
    )


def capsense(file: Path) -> Measured:
    """Read the belts of a treadmill under each foot."""
    with np.load(file) as arrays:
        time_s, belts = arrays["t_grf"].astype(float), arrays["grf"].astype(float)
        columns = list(arrays["grf_cols"])
    forces = {side: (time_s, belts[:, [columns.index(f"{side}F{axis}") for axis in "xyz"]]) for side in "rl"}
    return Measured(ground_force=forces)


def dorschky(file: Path) -> Measured:
    """Read the mean gait cycle of a right leg, repeated; whole cycles after the first second are scored."""
    rows = {(row.kind, row.name): row.mean for row in read_rows(file, {"angle", "moment", "GRF", "dur"})}
    cycle_s = float(rows["dur", "dur"][0])
    time_s = _DORSCHKY_FROM_S + np.arange(0.0, _DORSCHKY_CYCLES * cycle_s, 0.01)
    weight_n = _DORSCHKY_MASS_KG * GRAVITY

    def repeated(curve: np.ndarray, later: float = 0.0) -> np.ndarray:
        at_s = time_s - later * cycle_s
        return np.interp(at_s, np.arange(len(curve)) * cycle_s / len(curve), curve, period=cycle_s)

    def of(kind: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return {name: (time_s, repeated(c)) for (of_kind, name), c in rows.items() if of_kind == kind}

    forward, up = (weight_n * repeated(rows["GRF", f"GRF_{axis}_r"]) for axis in "xy")
    force = np.column_stack([forward, up, np.full_like(up, np.nan)])
    # The other leg is taken to do the same half a cycle later.
    other_up = weight_n * repeated(rows["GRF", "GRF_y_r"], 0.5)
    both_up = (time_s, up + other_up)
    return Measured(of("angle"), of("moment"), {"r": (time_s, force)}, lag_s=0.015, both_up=both_up)


def _inside(
    time_s: np.ndarray, curve: np.ndarray, window: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    inside = (time_s >= window[0]) & (time_s <= window[1])
    return time_s, np.where(inside[:, None] if curve.ndim == 2 else inside, curve, np.nan)
