"""Scores of an estimate against a laboratory, at zero time shift, with bias and spread apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.people.references import SAGITTAL, Measured
from casadi_dynamics.osim import read_model
from sspinn_opensim.evaluation.baseline import sagittal_joints, segment_angle_baseline
from sspinn_opensim.evaluation.curves import Curves, read_estimate
from sspinn_opensim.evaluation.metrics import error_numbers
from sspinn_opensim.gait import contacts
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.recording import Recording
from sspinn_opensim.recording.movement.sagittal import sagittal_signals
from sspinn_opensim.recording.units import GRAVITY
from sspinn_opensim.results.folder import ResultsFolder

#: Cadence and stance time are compared where the laboratory saw this much, s.
_MANY_STRIDES_S = 20.0
#: Delays that are tried, s: belts of one data set are up to 0.09 s away from its sensors.
_DELAYS_S = np.arange(-48, 49) * 0.0025


def scores(folder: Path, measured: Measured, mass_kg: float, height_m: float) -> dict[str, float]:
    """Return the errors of one results folder.

    Parameters
    ----------
    mass_kg, height_m : float
        Normalise forces and moments.

    Returns
    -------
    dict of str to float
        Degrees, percent of body weight times height, percent of body weight, steps a minute, ms, m/s.
    """
    results = ResultsFolder(folder)
    estimate = read_estimate(folder, read_model(results.subject))
    weight = mass_kg * GRAVITY
    found = {
        **_errors("angle", estimate.time_s, estimate.angles, measured.angles, 180.0 / np.pi),
        **_errors("moment", estimate.time_s, estimate.moments, measured.moments, 100.0 / (weight * height_m)),
    }
    for axis, name in ((1, "up"), (0, "forward")):
        forces = {side: force[:, axis] for side, force in estimate.ground_force.items()}
        reference = {side: (t, force[:, axis]) for side, (t, force) in measured.ground_force.items()}
        found |= _errors(f"force_{name}", estimate.time_s, forces, reference, 100.0 / weight)
        for side in reference if name == "up" else ():
            one = _errors("", estimate.time_s, forces, {side: reference[side]}, 100.0 / weight)
            found[f"force_up_{side}"] = one["_rmsd"]
    found |= timing(estimate, measured, weight)
    up = {side: (t, force[:, 1]) for side, (t, force) in measured.ground_force.items()}
    own_up = {side: force[:, 1] for side, force in estimate.ground_force.items()}
    compared = {
        "angle": (estimate.angles, measured.angles, 180.0 / np.pi),
        "moment": (estimate.moments, measured.moments, 100.0 / (weight * height_m)),
        "force_up": (own_up, up, 100.0 / weight),
    }
    for name in ("angle", "force_up"):
        found |= _delay(name, estimate.time_s, *compared[name])
    for name, curves in compared.items() if measured.lag_s else ():
        if errors := _errors("", estimate.time_s - measured.lag_s, *curves):
            found[f"{name}_rmsd_at_stated_lag"] = errors["_rmsd"]
    for name in SAGITTAL:
        if name.startswith("knee") and name in estimate.angles:
            found[f"range_{name}"] = float(np.degrees(np.ptp(np.percentile(estimate.angles[name], (1, 99)))))
    if measured.way:
        motion, (at_s, way_m) = read_storage(results.kinematics), measured.way
        own = np.interp(at_s[[0, -1]], motion.time_s, motion.values[:, motion.names.index("pelvis_tx")])
        found["speed_estimated"], found["speed_measured"] = (
            float(np.ptp(x) / np.ptp(at_s)) for x in (own, way_m[[0, -1]])
        )
    return found


def baseline_scores(folder: Path, measured: Measured, recording: Recording) -> dict[str, float]:
    """Return the errors of the angles that gyroscopes and mean gravity give by themselves.

    Parameters
    ----------
    folder : Path
        Results: frames are those of its estimate.
    recording : Recording
        The whole recording, along the axes of the segments as the estimate had it.
    """
    model = read_model(ResultsFolder(folder).subject)
    signals = sagittal_signals(recording, model)
    curves = segment_angle_baseline(signals, sagittal_joints(model, signals.rate))
    time_s = read_estimate(folder, model).time_s
    angles = curves.angles_at(time_s).angles
    return _errors("baseline", time_s, angles, measured.angles, 180.0 / np.pi)


def accelerometer_delay(recording: Recording, measured: Measured, mass_kg: float) -> dict[str, float]:
    """Return how late the pelvis' accelerometer is behind the plates, with no model and no network between.

    Its specific force along the body, times the mass, stands for the sum of the vertical forces.
    """
    if measured.both_up is None or "pelvis" not in (bodies := [s.body for s in recording.sensors]):
        return {}
    force = mass_kg * recording.acceleration[:, bodies.index("pelvis"), 1]
    weight = mass_kg * GRAVITY
    own, both = {"both": force}, {"both": measured.both_up}
    return _delay("accelerometer", recording.time_s, own, both, 100.0 / weight)


def _delay(name: str, time_s: np.ndarray, estimate, reference, factor: float) -> dict[str, float]:
    """Return by how much an estimate is late, ms, and its rmsd without it: what a lag of clocks explains."""
    found = [_errors("", time_s - late_s, estimate, reference, factor) for late_s in _DELAYS_S]
    if not found[0]:
        return {}
    rmsd = [errors["_rmsd"] for errors in found]
    best = int(np.argmin(rmsd))
    return {f"{name}_late_ms": 1000.0 * float(_DELAYS_S[best]), f"{name}_rmsd_in_time": rmsd[best]}


def _errors(name: str, time_s: np.ndarray, estimate, reference, factor: float) -> dict[str, float]:
    """Return the means over curves of rmsd, absolute bias and spread, at the reference's own times."""
    rows = []
    for key, (at_s, curve) in reference.items():
        if key not in estimate:
            continue
        known = np.where((at_s >= time_s[0]) & (at_s <= time_s[-1]), curve, np.nan)
        rows.append(error_numbers(factor * np.interp(at_s, time_s, estimate[key]), factor * known))
    if not rows:
        return {}
    return {
        f"{name}_rmsd": float(np.mean([row["rmsd"] for row in rows])),
        f"{name}_bias": float(np.mean([abs(row["bias"]) for row in rows])),
        f"{name}_spread": float(np.mean([row["spread"] for row in rows])),
    }


def timing(estimate: Curves, measured: Measured, weight_n: float) -> dict[str, float]:
    """Return cadences and the error of stance time, where a laboratory saw many strides."""
    found: dict[str, float] = {}
    strides: dict[str, list[float]] = {"measured": [], "estimated": []}
    for side, (time_s, force) in measured.ground_force.items():
        if time_s[-1] - time_s[0] < _MANY_STRIDES_S:
            return {}
        own = estimate.ground_force[side][:, 1]
        both = {
            "measured": contacts(time_s, force[:, 1], weight_n),
            "estimated": contacts(estimate.time_s, own, weight_n),
        }
        stance_s = {}
        for name, seen in both.items():
            strides[name].append(float(np.median(np.diff([contact.strike_s for contact in seen]))))
            stance_s[name] = np.median([c.toe_off_s - c.strike_s for c in seen if c.begins and c.ends])
        gait = (time_s > both["measured"][0].toe_off_s) & (time_s < both["measured"][-1].strike_s)
        curves = {side: own}, {side: (time_s[gait], force[gait, 1])}
        found[f"force_up_gait_{side}"] = _errors("", estimate.time_s, *curves, 100.0 / weight_n)["_rmsd"]
        # Each foot by itself: belts may have clocks of their own.
        found |= _delay(f"force_up_gait_{side}", estimate.time_s, *curves, 100.0 / weight_n)
        found[f"stance_error_ms_{side}"] = float(1000.0 * (stance_s["estimated"] - stance_s["measured"]))
    return found | {f"cadence_{name}": float(120.0 / np.mean(s)) for name, s in strides.items() if s}
