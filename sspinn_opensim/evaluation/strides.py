"""Errors stride by stride: how far single strides are off, where the reference covers them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from sspinn_opensim.anatomy import SIDES, without_side
from sspinn_opensim.evaluation.curves import Curves
from sspinn_opensim.evaluation.metrics import QUANTITIES, conversions, mean_key
from sspinn_opensim.evaluation.reference import Reference
from sspinn_opensim.gait import Strides, find_strides
from sspinn_opensim.gait.cycles import covered
from sspinn_opensim.recording import Phase, Recording
from sspinn_opensim.recording.signals.runs import true_runs
from sspinn_opensim.study import Person


def strides_of(estimate: Curves, person: Person, recording: Recording, phases: tuple[Phase, ...]) -> Strides:
    """Return the strides of an estimate, by its own ground forces.

    Parameters
    ----------
    estimate : Curves
        Without vertical forces there is no stride.
    person : Person
        ``mass_kg`` gives body weight.
    recording : Recording
        Says where samples are missing.
    phases : tuple of Phase
        What the person does in it.
    """
    vertical = {side: force[:, 1] for side, force in estimate.ground_force.items()}
    time_s = recording.time_s
    gaps = [(float(time_s[a]), float(time_s[b - 1])) for a, b in true_runs(~recording.usable)]
    return find_strides(estimate.time_s, vertical, person.body_weight_n, phases, gaps)


def score_strides(
    estimate: Curves, reference: Reference, strides: Strides, person: Person, joints: Iterable[str]
) -> dict[str, Any] | None:
    """Return the errors of single strides: their mean, deviation and largest over strides.

    A curve of one side is scored over the strides of that side, any other over those of the right. A stride
    counts for a curve if the reference knows it in every frame.

    Parameters
    ----------
    estimate : Curves
        n frames.
    reference : Reference
        On the same frames.
    strides : Strides
        By time; those not within the frames are left out.
    person : Person
        ``mass_kg`` and ``height_m`` normalise moments and ground forces.
    joints : iterable of str
        Coordinates allowed to count.

    Returns
    -------
    dict or None
        ``angles`` and ``moments`` by coordinate, ``grf_vertical`` and ``grf_horizontal`` by side, each with
        ``rmsd`` (mean over strides), ``rmsd_sd``, ``rmsd_largest`` and ``strides``; for each quantity the
        means over joints or sides (``angle_rmsd_deg``, ``angle_rmsd_deg_sd``, ...), None where nothing can be
        compared. None where no stride is covered.
    """
    allowed, spans = set(joints), _spans(estimate.time_s, strides)
    scores: dict[str, Any] = {}
    for group, (kind, convert) in conversions(person).items():
        curves, known = getattr(estimate, kind), getattr(reference, kind)
        names = [n for n in known if n in curves and (kind == "ground_force" or n in allowed)]
        rows = {n: _score(convert(curves[n]), convert(known[n]), spans[_side(n)]) for n in names}
        scores[group] = {name: row for name, row in rows.items() if row}
    if not any(scores.values()):
        return None
    means: dict[str, float | None] = {}
    for quantity, (group, _, _) in QUANTITIES.items():
        key = mean_key(quantity, "rmsd")
        for number, suffix in (("rmsd", ""), ("rmsd_sd", "_sd")):
            values = [row[number] for row in scores[group].values() if row[number] is not None]
            means[key + suffix] = float(np.mean(values)) if values else None
    return means | scores


def _side(name: str) -> str:
    """Return the side of a curve, or itself if it is one; the right for what has no side."""
    return name if name in SIDES else without_side(name)[1] or "r"


def _spans(time_s: np.ndarray, strides: Strides) -> dict[str, list[tuple[int, int]]]:
    """Return the frames of each stride, first and after the last, by side."""
    found: dict[str, list[tuple[int, int]]] = {"r": [], "l": []}
    for stride in covered(strides.strides, time_s):
        first, last = np.searchsorted(time_s, [stride.from_s, stride.to_s])
        found[stride.side].append((int(first), int(last)))
    return found


def _score(
    estimate: np.ndarray, reference: np.ndarray, spans: list[tuple[int, int]]
) -> dict[str, float | None] | None:
    known = np.isfinite(reference)
    square = np.where(known, estimate - np.where(known, reference, 0.0), 0.0) ** 2
    sums, counts = (np.concatenate([[0.0], np.cumsum(x)]) for x in (square, known))
    rmsd = np.array(
        [np.sqrt((sums[b] - sums[a]) / (b - a)) for a, b in spans if b > a and counts[b] - counts[a] == b - a]
    )
    if not len(rmsd):
        return None
    return {
        "rmsd": float(rmsd.mean()),
        "rmsd_sd": float(rmsd.std(ddof=1)) if len(rmsd) > 1 else None,
        "rmsd_largest": float(rmsd.max()),
        "strides": len(rmsd),
    }
