"""From a results folder to numbers: who is compared with what, on which frames."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.osim import read_model
from sspinn_opensim.evaluation.baseline import (
    SagittalJoint,
    constant_posture,
    sagittal_joints,
    sagittal_signals,
    segment_angle_baseline,
)
from sspinn_opensim.evaluation.curves import Curves, read_band, read_estimate
from sspinn_opensim.evaluation.metrics import QUANTITIES, combine, evaluate_curves
from sspinn_opensim.evaluation.reference import Reference, read_reference
from sspinn_opensim.files import write_atomically
from sspinn_opensim.recording import FORMATS, Recording, bodies_of, on_model, output_window, read_recording
from sspinn_opensim.training.coordinates import held_coordinates

#: With fewer seeds, settings cannot be ranked.
FEWEST_SEEDS = 3

UNITS = {
    "angles": "degrees",
    "moments": "BWBH%: 100 N m / (mass x 9.80665 m/s^2 x height)",
    "grf_vertical, grf_horizontal": "percent of body weight (mass x 9.80665 m/s^2)",
    "rmsd": "root mean square difference over the frames of `window`",
    "bias": "mean of estimate - reference (the headline bias is the mean of the absolute biases)",
    "spread": "standard deviation of the difference: rmsd^2 = bias^2 + spread^2",
    "correlation": "Pearson's r; null where a curve is constant",
    "coverage, half_width": "share of frames whose reference lies in the 95 % band of the estimate, and the "
    "band's mean half width; null without a band",
    "headline": "mean over the joints or sides listed; median over seeds; zero time shift",
}


@dataclass(frozen=True)
class Evidence:
    """Everything an evaluation compares, on the same frames.

    Attributes
    ----------
    recording : Recording
        The whole recording.
    model : Model
        The scaled model.
    frames_s : ndarray, shape (n,)
        The evaluated times.
    cycles : int or None
        How many whole gait cycles they are; None where the cycle is unknown or longer than the output.
    seeds : mapping of str to Curves
        Estimates by seed, the first seed first.
    baseline, posture : Curves
        The label-free baseline and the constant posture (angles only).
    joints : tuple of str
        Coordinates that may be scored: rotational, estimated, not of the root joint.
    reference, lagged_reference : Reference or None
        The reference at zero time shift, and as sensors with the declared lag would see it.
    lag_s : float or None
        The declared lag.
    bands : mapping of str to Curves
        Standard deviations by seed, for the seeds that have them.
    """

    recording: Recording
    model: Model
    frames_s: np.ndarray
    cycles: int | None
    seeds: Mapping[str, Curves]
    baseline: Curves
    posture: Curves
    joints: tuple[str, ...]
    reference: Reference | None
    lagged_reference: Reference | None
    lag_s: float | None
    bands: Mapping[str, Curves] = field(default_factory=dict)


def gather(study, results: Path, recording: Recording | None = None) -> Evidence:
    """Read what a finished results folder is compared with.

    Parameters
    ----------
    study : Study
    results : Path
        Folder with ``subject.osim`` and ``seeds/seed_<k>/`` for every seed of the study.
    recording : Recording, optional
        The study's recording, if it is at hand; else it is read.

    Returns
    -------
    Evidence
        Frames are those of the estimate inside the study's output window, cut to whole gait cycles.

    Raises
    ------
    InputError
        A file is missing or malformed, seeds have different times, or no estimate lies in the window.
    """
    results = Path(results)
    model = read_model(results / "subject.osim")
    recording = on_model(read_recording(study) if recording is None else recording, model)
    whole = {f"seed_{k}": read_estimate(results / "seeds" / f"seed_{k}", model) for k in study.training.seeds}
    time_s = _common_time(whole, results)
    frames, cycles = _evaluated_frames(time_s, recording, study)
    frames_s = time_s[frames]

    signals = sagittal_signals(recording, model)
    joints = sagittal_joints(model, signals.rate)
    every_joint = _all_sagittal_joints(model)
    baseline = segment_angle_baseline(signals, joints)
    lag_s = _declared_lag_s(study.reference)
    return Evidence(
        recording=recording,
        model=model,
        frames_s=frames_s,
        cycles=cycles,
        seeds={name: curves.select(frames) for name, curves in whole.items()},
        baseline=_on_frames(baseline, frames_s),
        posture=constant_posture(frames_s, every_joint),
        joints=_scored_joints(model, study, recording),
        reference=read_reference(study, frames_s, model, joints=every_joint),
        lagged_reference=None
        if lag_s is None
        else read_reference(study, frames_s - lag_s, model, joints=every_joint),
        lag_s=lag_s,
        bands={name: band.select(frames) for name, band in _bands(study, results, model, time_s).items()},
    )


def evaluate(study, results: Path, recording: Recording | None = None) -> dict[str, Any]:
    """Score the estimates of a results folder against the study's reference and write ``metrics.json``.

    Parameters
    ----------
    study, results, recording
        As for `gather`.

    Returns
    -------
    dict
        What the file holds: ``units``, and ``trials.<recording>`` with ``median``, ``seeds``,
        ``range_over_seeds`` ([lowest, highest]), ``baseline``, ``constant_posture``, ``declared_lag``
        (the same for the reference delayed by the declared lag; None where none is declared) and ``window``.
        Without a reference, ``trials`` is empty and ``reference`` says so.

    Raises
    ------
    InputError
        See `gather`; or the reference and the estimate have no joint, side or frame in common.
    """
    evidence = gather(study, results, recording)
    metrics: dict[str, Any] = {"units": UNITS, "reference": None, "trials": {}}
    if evidence.reference is None:
        metrics["reference"] = "none named in the study: nothing is scored"
    else:
        metrics["reference"] = evidence.reference.source
        metrics["trials"][study.recording.name] = _trial(evidence, study.person)
    write_atomically(Path(results) / "metrics.json", json.dumps(metrics, indent=1, allow_nan=False) + "\n")
    return metrics


def _trial(evidence: Evidence, person) -> dict[str, Any]:
    def score(curves: Curves, reference: Reference, seed: str = "") -> dict[str, Any]:
        return evaluate_curves(curves, reference, person, evidence.joints, evidence.bands.get(seed))

    seeds = {name: score(curves, evidence.reference, name) for name, curves in evidence.seeds.items()}
    first = next(iter(seeds.values()))
    if not any(first[group] for group, _, _ in QUANTITIES.values()):
        raise InputError(
            "the reference shares no joint, side or time with the estimate",
            where=evidence.reference.source,
            expected=", ".join(evidence.joints)
            + f" at {evidence.frames_s[0]:g} to {evidence.frames_s[-1]:g} s",
            found=", ".join([*evidence.reference.angles, *evidence.reference.moments]) or "no joint",
        )
    lag = None
    if evidence.lagged_reference is not None:
        lagged = {
            name: score(curves, evidence.lagged_reference, name) for name, curves in evidence.seeds.items()
        }
        lag = {
            "lag_s": evidence.lag_s,
            "median": combine(list(lagged.values())),
            "seeds": lagged,
            "baseline": score(evidence.baseline, evidence.lagged_reference),
        }

    def compared(curves: Curves) -> dict[str, Any]:
        """Scores of a rival, and the estimate's mean over the joints that the rival has."""
        scores = score(curves, evidence.reference)
        same = [[seed["angles"][name]["rmsd"] for name in scores["angles"]] for seed in seeds.values()]
        ours = float(np.median(np.mean(same, axis=1))) if scores["angles"] else None
        return scores | {"estimate_on_same_joints_deg": ours}

    return {
        "median": combine(list(seeds.values())),
        "seeds": seeds,
        "range_over_seeds": combine(list(seeds.values()), lambda values: [min(values), max(values)]),
        "baseline": compared(evidence.baseline),
        "constant_posture": compared(evidence.posture),
        "declared_lag": lag,
        "window": {
            "from_s": float(evidence.frames_s[0]),
            "to_s": float(evidence.frames_s[-1]),
            "frames": len(evidence.frames_s),
            "gait_cycles": evidence.cycles,
        },
    }


def _declared_lag_s(reference) -> float | None:
    if reference is None:
        return None
    own = FORMATS.get(reference.format)
    declared = own and own.laboratory_lag_s if reference.lag_s is None else reference.lag_s
    return declared or None


def _bands(study, results: Path, model: Model, time_s: np.ndarray) -> dict[str, Curves]:
    """Bands by seed; what stands beside the files for OpenSim belongs to the first seed's estimate."""
    found = {
        f"seed_{k}": read_band(results / "seeds" / f"seed_{k}", model, time_s) for k in study.training.seeds
    }
    first = next(iter(found))
    found[first] = found[first] or read_band(results, model, time_s)
    return {name: band for name, band in found.items() if band is not None}


def _common_time(estimates: Mapping[str, Curves], results: Path) -> np.ndarray:
    first, *others = estimates.values()
    for other in others:
        if len(other.time_s) != len(first.time_s) or np.abs(other.time_s - first.time_s).max() > 1e-6:
            raise InputError(
                "the estimates of the seeds have different times",
                where=str(results / "seeds"),
                fix="run `sspinn estimate` again for all seeds",
            )
    return first.time_s


def _evaluated_frames(time_s: np.ndarray, recording: Recording, study) -> tuple[np.ndarray, int | None]:
    """Frames of the output window that the estimate covers, cut to whole cycles where that leaves any."""
    from_s, to_s = output_window(recording, study.output)
    step_s = 1.0 / recording.sampling_rate_hz
    from_s, to_s = max(from_s, time_s[0]), min(to_s, time_s[-1] + step_s)
    cycles = None
    if recording.cycle_s is not None:
        cycles = int((to_s - from_s) / recording.cycle_s + 0.25 * step_s) or None
        if cycles:
            to_s = from_s + cycles * recording.cycle_s
    frames = (time_s > from_s - 0.25 * step_s) & (time_s < to_s - 0.25 * step_s)
    if not frames.any():
        raise InputError(
            "the estimate holds no frame of the output window",
            where=str(study.path),
            expected=f"{from_s:g} to {to_s:g} s",
            found=f"{time_s[0]:g} to {time_s[-1]:g} s",
        )
    return frames, cycles


def _scored_joints(model: Model, study, recording: Recording) -> tuple[str, ...]:
    bodies = [*bodies_of(recording.sensors, model), *(sphere.body for sphere in model.contact_spheres)]
    held = held_coordinates(model, study.coordinates.estimate, study.coordinates.fixed, bodies)
    kept = set(model.root_coordinates()) | set(held)
    return tuple(c.name for c in model.coordinates if c.motion == "rotational" and c.name not in kept)


def _all_sagittal_joints(model: Model) -> dict[str, SagittalJoint]:
    return sagittal_joints(model, [body.name for body in model.bodies])


def _on_frames(curves: Curves, frames_s: np.ndarray) -> Curves:
    angles = {name: np.interp(frames_s, curves.time_s, angle) for name, angle in curves.angles.items()}
    return Curves(time_s=frames_s, angles=angles)
