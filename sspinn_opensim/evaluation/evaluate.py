"""Scores of estimates and of their rivals against a reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.evaluation.curves import Curves
from sspinn_opensim.evaluation.data import EvaluationData
from sspinn_opensim.evaluation.metrics import QUANTITIES, combine, evaluate_curves
from sspinn_opensim.evaluation.reference import Reference
from sspinn_opensim.evaluation.strides import score_strides
from sspinn_opensim.files import write_atomically
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import Person, Study

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
    "per_stride": "rmsd over the frames of single strides: mean, standard deviation (_sd) and largest over "
    "the strides of the curve's side (else the right) that the reference covers; null if none",
}


def evaluate(study: Study, data: EvaluationData) -> dict[str, Any]:
    """Score the estimates of a results folder against the study's reference.

    Parameters
    ----------
    study : Study
        Names recording and person.
    data : EvaluationData
        From `read_evaluation_data`.

    Returns
    -------
    dict
        What ``metrics.json`` holds: ``units``, and ``trials.<recording>`` with ``median``, ``seeds``,
        ``range_over_seeds`` ([lowest, highest]), ``baseline``, ``constant_posture``, ``declared_lag``
        (the same for the reference delayed by the declared lag; None where none is declared), ``per_stride``
        (from `score_strides`) and ``window``.
        Without a reference, ``trials`` is empty and ``reference`` says so.

    Raises
    ------
    InputError
        The reference and the estimate have no joint, side or frame in common.
    """
    if data.reference is None:
        return {"units": UNITS, "reference": "none named in the study: nothing is scored", "trials": {}}
    trial = _trial(data, data.reference, study.person)
    return {"units": UNITS, "reference": data.reference.source, "trials": {study.recording.name: trial}}


def write_metrics(results: Path, metrics: dict[str, Any]) -> Path:
    """Write ``metrics.json`` into a results folder."""
    return write_atomically(
        ResultsFolder(results).metrics, json.dumps(metrics, indent=1, allow_nan=False) + "\n"
    )


def _per_stride(data: EvaluationData, reference: Reference, person: Person) -> dict[str, Any] | None:
    """Return the errors of single strides, the median over seeds; the strides are those of the first."""
    scores = [
        score_strides(curves, reference, data.strides, person, data.joints) for curves in data.seeds.values()
    ]
    known = [score for score in scores if score]
    return combine(known) if known else None


def _trial(data: EvaluationData, reference: Reference, person: Person) -> dict[str, Any]:
    def score(curves: Curves, to: Reference, seed: str = "") -> dict[str, Any]:
        return evaluate_curves(curves, to, person, data.joints, data.deviations.get(seed))

    seeds = {name: score(curves, reference, name) for name, curves in data.seeds.items()}
    first = next(iter(seeds.values()))
    if not any(first[group] for group, _, _ in QUANTITIES.values()):
        raise InputError(
            "The reference shares no joint, side or time with the estimate.",
            where=reference.source,
            expected=f"{', '.join(data.joints)} at {data.frames_s[0]:g} to {data.frames_s[-1]:g} s",
            found=", ".join([*reference.angles, *reference.moments]) or "no joint",
        )
    lag = None
    if data.lagged_reference is not None:
        lagged = {name: score(curves, data.lagged_reference, name) for name, curves in data.seeds.items()}
        lag = {
            "lag_s": data.lag_s,
            "median": combine(list(lagged.values())),
            "seeds": lagged,
            "baseline": score(data.baseline, data.lagged_reference),
        }

    def compared(curves: Curves) -> dict[str, Any]:
        """Scores of a rival, and the estimate's mean over the joints that the rival has."""
        scores = score(curves, reference)
        same = [[seed["angles"][name]["rmsd"] for name in scores["angles"]] for seed in seeds.values()]
        ours = float(np.median(np.mean(same, axis=1))) if scores["angles"] else None
        return scores | {"estimate_on_same_joints_deg": ours}

    return {
        "median": combine(list(seeds.values())),
        "seeds": seeds,
        "range_over_seeds": combine(list(seeds.values()), lambda values: [min(values), max(values)]),
        "baseline": compared(data.baseline),
        "constant_posture": compared(data.posture),
        "declared_lag": lag,
        "per_stride": _per_stride(data, reference, person),
        "window": {
            "from_s": float(data.frames_s[0]),
            "to_s": float(data.frames_s[-1]),
            "frames": len(data.frames_s),
            "gait_cycles": data.cycles,
        },
    }
