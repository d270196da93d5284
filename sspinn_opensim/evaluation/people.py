"""Scores of many people as one result: apart for groups (seen, unseen), by activity, speed and person.

A number of a group is made seed by seed: the mean over the trials of a person, then over people, so that
every person counts once; then the median over seeds, with the lowest and the highest seed beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from casadi_dynamics.errors import InputError
from sspinn_opensim.evaluation.evaluate import UNITS
from sspinn_opensim.evaluation.metrics import NUMBERS, QUANTITIES, mean_key

#: m/s; width of the classes of speed.
SPEED_STEP_M_S = 0.5

HOW = (
    "mean over the trials of each person, then over people, for each seed; then the median over seeds and "
    "[lowest, highest]; zero time shift; baseline and constant posture have no seeds"
)


@dataclass(frozen=True)
class PersonTrial:
    """One trial of one person, evaluated.

    Attributes
    ----------
    person, trial : str
        Their names.
    group : str
        What is kept apart from other groups, such as ``seen``, ``unseen`` or ``unseen, adapted``.
    scores : mapping
        The trial's entry of ``metrics.json`` (``metrics["trials"][name]`` of `evaluate`).
    speed_m_s : float or None
        Mean speed, if it is known.
    activity : str
        Such as ``walking``; empty: not sorted by it.
    """

    person: str
    trial: str
    group: str
    scores: Mapping[str, Any]
    speed_m_s: float | None = None
    activity: str = ""


def summarize_people(
    trials: Sequence[PersonTrial], *, speed_step_m_s: float = SPEED_STEP_M_S
) -> dict[str, Any]:
    """Sum up the trials of many people.

    Parameters
    ----------
    trials : sequence of PersonTrial
        In each group every trial has the same seeds.
    speed_step_m_s : float
        Width of the classes of speed, m/s.

    Returns
    -------
    dict
        ``units``, ``how``, and ``groups`` by name in order of appearance: ``all`` and, by name,
        ``activities``, ``speeds``, ``people``, each a block with ``people``, ``trials``, ``seeds`` (how
        many), ``means`` (by `mean_key`, such as ``angle_rmsd_deg``) and, by joint or side, ``angles``,
        ``moments``, ``grf_vertical``, ``grf_horizontal``. Every number is a dict of ``median`` and ``range``
        over seeds; an ``rmsd`` also has that of the ``baseline``, of the ``constant_posture`` and with the
        ``declared_lag``. None where no trial has the number. Ready for JSON.

    Raises
    ------
    InputError
        There is no trial, one is there twice, or the trials of a group have different seeds.
    """
    if not trials:
        raise InputError(
            "There is no evaluated trial to sum up.", fix="name a [reference] in the studies to be scored"
        )
    seen: set[tuple[str, str, str]] = set()
    groups: dict[str, list[PersonTrial]] = {}
    for trial in trials:
        key = (trial.group, trial.person, trial.trial)
        if key in seen:
            raise InputError(
                f"The trial '{trial.trial}' of {trial.person} is there twice in the group '{trial.group}'.",
                fix="give every trial of a person a name of its own: [recording] name",
            )
        seen.add(key)
        groups.setdefault(trial.group, []).append(trial)
    return {
        "units": UNITS,
        "how": HOW,
        "groups": {name: _group(name, members, speed_step_m_s) for name, members in groups.items()},
    }


def _group(name: str, trials: Sequence[PersonTrial], step_m_s: float) -> dict[str, Any]:
    seeds = list(trials[0].scores["seeds"])
    for trial in trials:
        if set(trial.scores["seeds"]) != set(seeds):
            raise InputError(
                f"The trials of the group '{name}' have different seeds.",
                where=f"{trial.person}, {trial.trial}",
                expected=", ".join(seeds),
                found=", ".join(trial.scores["seeds"]),
                fix="train and evaluate all of them with the same --seeds",
            )

    def by(key: Callable[[PersonTrial], str]) -> dict[str, Any]:
        parts: dict[str, list[PersonTrial]] = {}
        for trial in trials:
            parts.setdefault(key(trial), []).append(trial)
        return {part: _block(members, seeds) for part, members in parts.items() if part}

    speeds = by(lambda trial: _speed_class(trial.speed_m_s, step_m_s))
    return {
        "all": _block(trials, seeds),
        "activities": by(lambda trial: trial.activity),
        "speeds": dict(sorted(speeds.items(), key=lambda item: float(item[0].split()[0]))),
        "people": by(lambda trial: trial.person),
    }


def _speed_class(speed_m_s: float | None, step_m_s: float) -> str:
    if speed_m_s is None:
        return ""
    # A speed on a border, such as 1.5, belongs above it whatever its last bit says.
    low = math.floor(speed_m_s / step_m_s + 1e-9) * step_m_s
    return f"{low:g} to {low + step_m_s:g} m/s"


def _block(trials: Sequence[PersonTrial], seeds: Sequence[str]) -> dict[str, Any]:
    def number(pick: Callable[[Mapping[str, Any]], float | None]) -> dict[str, Any] | None:
        """Over people and seeds; `pick` finds the number in the scores of one estimate or rival."""
        values = [_over_people(trials, lambda scores, s=seed: pick(scores["seeds"][s])) for seed in seeds]
        return _over_seeds(values)

    def with_rivals(pick: Callable[[Mapping[str, Any]], float | None]) -> dict[str, Any] | None:
        found = number(pick)
        if found is None:
            return None
        for rival in ("baseline", "constant_posture"):
            found[rival] = _over_people(trials, lambda scores, r=rival: pick(scores[r]))
        if all(trial.scores["declared_lag"] for trial in trials):
            values = [
                _over_people(trials, lambda scores, s=seed: pick(scores["declared_lag"]["seeds"][s]))
                for seed in seeds
            ]
            found["declared_lag"] = _over_seeds(values)
        return found

    means, joints = {}, {}
    for quantity, (group, _, _) in QUANTITIES.items():
        for kind in NUMBERS:
            key = mean_key(quantity, kind)
            means[key] = (with_rivals if kind == "rmsd" else number)(lambda scores, k=key: scores[k])
        names = dict.fromkeys(name for trial in trials for name in trial.scores["median"][group])
        joints[group] = {
            name: {
                kind: (with_rivals if kind == "rmsd" else number)(
                    lambda scores, g=group, n=name, k=kind: (scores[g].get(n) or {}).get(k)
                )
                for kind in NUMBERS
            }
            for name in names
        }
    people = list(dict.fromkeys(trial.person for trial in trials))
    return {"people": len(people), "trials": len(trials), "seeds": len(seeds), "means": means, **joints}


def _over_people(
    trials: Iterable[PersonTrial], pick: Callable[[Mapping[str, Any]], float | None]
) -> float | None:
    """Mean over the people of the mean over their trials; None where no trial has the number."""
    values: dict[str, list[float]] = {}
    for trial in trials:
        value = pick(trial.scores)
        if value is not None:
            values.setdefault(trial.person, []).append(value)
    return fmean(fmean(own) for own in values.values()) if values else None


def _over_seeds(values: Iterable[float | None]) -> dict[str, Any] | None:
    known = [value for value in values if value is not None]
    return {"median": median(known), "range": [min(known), max(known)]} if known else None
