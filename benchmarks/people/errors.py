"""Errors of an estimate over time beside how fast it changes: what bands of uncertainty are made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.people.references import Measured
from casadi_dynamics.osim import read_model
from sspinn_opensim.estimation.uncertainty import mean_square_rate
from sspinn_opensim.evaluation.curves import read_estimate
from sspinn_opensim.recording.units import GRAVITY
from sspinn_opensim.results.folder import ResultsFolder

#: Beside the results folder of a recording.
ERRORS = "errors.npz"
_AXES = {"forward": 0, "up": 1}


def curve_errors(folder: Path, measured: Measured, mass_kg: float, height_m: float) -> dict[str, np.ndarray]:
    """Return the errors of one results folder.

    Parameters
    ----------
    mass_kg, height_m : float
        Normalise forces and moments.

    Returns
    -------
    dict of str to (2, n) ndarray
        By ``angle.``, ``moment.`` and a coordinate, ``force.``, a direction and ``_`` a side: the error at
        the times of the reference, rad, in parts of body weight times height or of body weight; and the mean
        square rate of the estimate there.
    """
    estimate = read_estimate(folder, read_model(ResultsFolder(folder).subject))
    weight_n = mass_kg * GRAVITY
    pairs = {f"angle.{k}": (estimate.angles.get(k), *own, 1.0) for k, own in measured.angles.items()}
    bwbh = weight_n * height_m
    pairs |= {f"moment.{k}": (estimate.moments.get(k), *own, bwbh) for k, own in measured.moments.items()}
    for side, (time_s, force) in measured.ground_force.items():
        for name, axis in _AXES.items():
            own = estimate.ground_force.get(side)
            pairs[f"force.{name}_{side}"] = (
                None if own is None else own[:, axis],
                time_s,
                force[:, axis],
                weight_n,
            )
    found = {}
    for name, (curve, time_s, reference, unit) in pairs.items():
        known = np.isfinite(reference) & (time_s >= estimate.time_s[0]) & (time_s <= estimate.time_s[-1])
        if curve is None or not known.any():
            continue
        rate = mean_square_rate(estimate.time_s, curve / unit)
        at_s = time_s[known]
        error = np.interp(at_s, estimate.time_s, curve / unit) - reference[known] / unit
        found[name] = np.stack([error, np.interp(at_s, estimate.time_s, rate)])
    return found


def write_errors(errors: Mapping[str, np.ndarray], folder: Path) -> None:
    """Write errors beside a results folder."""
    np.savez_compressed(folder.parent / ERRORS, allow_pickle=False, **errors)


def read_errors(people: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return the errors of every recording below a folder, those of all seeds one after the other."""
    seeds: dict[str, list[dict[str, np.ndarray]]] = {}
    for file in sorted(people.rglob(ERRORS)):
        with np.load(file) as arrays:
            seeds.setdefault(recording_of(file.parent), []).append({k: arrays[k] for k in arrays.files})
    return {
        name: {curve: np.concatenate([seed[curve] for seed in own], axis=1) for curve in own[0]}
        for name, own in seeds.items()
    }


def recording_of(folder: Path) -> str:
    """Return the name of the recording that a folder beside results is of: its own, or that above a seed."""
    return (folder.parent if folder.name.startswith("seed_") else folder).name


def person_of(recording: str) -> str:
    """Return whose a recording is, by its name: trials and levels of one person are one person."""
    parts = recording.split("_")
    return "_".join(parts[: 1 if parts[0] == "p01" else 2])
