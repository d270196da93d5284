"""Error numbers between an estimate and a reference: pure functions on arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from sspinn_opensim.dynamics.agreement import agreement
from sspinn_opensim.evaluation.curves import Curves
from sspinn_opensim.evaluation.reference import Reference
from sspinn_opensim.study import Person

#: Quantity -> (key of its per-joint numbers, suffix of its mean, unit in words).
QUANTITIES = {
    "angle": ("angles", "deg", "degrees"),
    "moment": ("moments", "bwbh", "percent of body weight times body height (BWBH%)"),
    "grf_vertical": ("grf_vertical", "bw", "percent of body weight"),
    "grf_horizontal": ("grf_horizontal", "bw", "percent of body weight"),
}

NUMBERS = ("rmsd", "bias", "spread", "correlation", "coverage", "half_width")
#: Those that have no unit.
PLAIN_NUMBERS = ("correlation", "coverage")

#: Standard deviations to either side of a normal distribution's middle that hold 95 % of it.
BAND_DEVIATIONS = 1.96


def error_numbers(
    estimate: np.ndarray, reference: np.ndarray, deviation: np.ndarray | None = None
) -> dict[str, float | None]:
    """Compare one curve with its reference.

    Parameters
    ----------
    estimate, reference : ndarray, shape (n,)
        Same unit, same times. Frames where the reference is NaN are left out.
    deviation : ndarray, shape (n,), optional
        Standard deviation that the estimate claims for itself.

    Returns
    -------
    dict
        ``rmsd`` (root mean square difference), ``bias`` (mean of estimate - reference), ``spread``
        (standard deviation of the difference, so rmsd^2 = bias^2 + spread^2), in the unit given, and
        ``correlation`` (Pearson), None where one of the curves is constant. Of the band of
        `BAND_DEVIATIONS` about the estimate, ``coverage`` (share of frames whose reference lies inside) and
        ``half_width`` (mean, in the unit given); None without a deviation. All None without a frame.
    """
    known = np.isfinite(reference)
    estimate, reference = estimate[known], reference[known]
    if len(reference) == 0:
        return dict.fromkeys(NUMBERS)
    found = agreement(estimate, reference)
    error = np.abs(estimate - reference)
    half_width = None if deviation is None else BAND_DEVIATIONS * deviation[known]
    return {
        "rmsd": found.rmsd,
        "bias": found.bias,
        "spread": found.spread,
        "correlation": found.correlation,
        "coverage": None if half_width is None else float(np.mean(error <= half_width)),
        "half_width": None if half_width is None else float(np.mean(half_width)),
    }


def evaluate_curves(
    estimate: Curves,
    reference: Reference | Curves,
    person: Person,
    joints: Iterable[str] | None = None,
    band: Curves | None = None,
) -> dict[str, Any]:
    """Compare an estimate with a reference, joint by joint and in the mean.

    Parameters
    ----------
    estimate : Curves
        n frames.
    reference : Reference or Curves
        On the same n frames; what it holds decides which joints and sides are scored.
    person : Person
        ``mass_kg`` and ``height_m`` normalise moments and ground forces.
    joints : iterable of str, optional
        Coordinates allowed to count. By default all that both sides have.
    band : Curves, optional
        Standard deviations of the estimate, for the curves that have one.

    Returns
    -------
    dict
        ``angles`` and ``moments`` by coordinate, ``grf_vertical`` and ``grf_horizontal`` by side, each with
        the numbers of `error_numbers` in degrees, BWBH% or percent of body weight; and for each quantity
        its means over joints or sides (``angle_rmsd_deg``, ``angle_bias_deg`` as mean of the absolute
        biases, ``angle_spread_deg``, ``angle_correlation``, ``angle_coverage``, ``angle_half_width_deg``;
        likewise ``moment_..._bwbh``,
        ``grf_vertical_..._bw`` and ``grf_horizontal_..._bw``), None where nothing can be compared.
    """
    allowed = None if joints is None else set(joints)
    band = band or Curves(estimate.time_s)
    scores = {}
    for group, (kind, convert) in conversions(person).items():
        own, known, deviation = (getattr(source, kind) for source in (estimate, reference, band))
        scores[group] = _by_name(own, known, deviation, convert, None if kind == "ground_force" else allowed)
    means = {}
    for quantity, (group, _, _) in QUANTITIES.items():
        for number in NUMBERS:
            key = mean_key(quantity, number)
            known = (score[number] for score in scores[group].values())
            values = [abs(value) if number == "bias" else value for value in known if value is not None]
            means[key] = float(np.mean(values)) if values else None
    return means | scores


def conversions(person: Person) -> dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Return, by group of scores, which curves it compares and how they get the unit of the scores.

    Parameters
    ----------
    person : Person
        ``mass_kg`` and ``height_m`` normalise moments and ground forces.
    """
    per_bwbh = 100.0 / (person.body_weight_n * person.height_m)
    per_bw = 100.0 / person.body_weight_n
    return {
        "angles": ("angles", np.degrees),
        "moments": ("moments", lambda moment: moment * per_bwbh),
        "grf_vertical": ("ground_force", lambda force: force[:, 1] * per_bw),
        "grf_horizontal": ("ground_force", lambda force: force[:, 0] * per_bw),
    }


def mean_key(quantity: str, number: str) -> str:
    """Return the name of a mean over joints or sides, such as ``angle_rmsd_deg`` or ``angle_correlation``."""
    return f"{quantity}_{number}" + ("" if number in PLAIN_NUMBERS else f"_{QUANTITIES[quantity][1]}")


def combine(
    results: Sequence[Mapping[str, Any]], rule: Callable[[list[float]], Any] = median
) -> dict[str, Any]:
    """Apply `rule` (the median by default) number by number to nested results of equal structure."""
    first = results[0]
    combined: dict[str, Any] = {}
    for key, value in first.items():
        values = [result[key] for result in results]
        if isinstance(value, Mapping):
            combined[key] = combine(values, rule)
        else:
            known = [number for number in values if number is not None]
            combined[key] = rule(known) if known else None
    return combined


def _by_name(estimate, reference, band, convert, allowed) -> dict[str, dict[str, float | None]]:
    names = [name for name in reference if name in estimate and (allowed is None or name in allowed)]
    scores = {
        name: error_numbers(
            convert(estimate[name]), convert(reference[name]), convert(band[name]) if name in band else None
        )
        for name in names
    }
    return {name: score for name, score in scores.items() if score["rmsd"] is not None}
