"""Scores of many people as one result: apart for groups (seen, unseen), by activity, speed and person.

A number of a group is made seed by seed: the mean over the trials of a person, then over people, so that
every person counts once; then the median over seeds, with the lowest and the highest seed beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import fmean, median
from typing import Any

from casadi_dynamics.errors import InputError
from sspinn_opensim.evaluation.evaluate import FEWEST_SEEDS, UNITS
from sspinn_opensim.evaluation.metrics import NUMBERS, QUANTITIES, mean_key
from sspinn_opensim.files import write_atomically
from sspinn_opensim.report.markup import fixed, signed, table, words
from sspinn_opensim.report.report import page_of

#: m/s; width of the classes of speed.
SPEED_STEP_M_S = 0.5

HOW = (
    "mean over the trials of each person, then over people, for each seed; then the median over seeds and "
    "[lowest, highest]; zero time shift; baseline and constant posture have no seeds"
)
#: Label of the row over all joints of a table.
MEAN = "mean"
_TITLES = {
    "angle": "Joint angles (deg)",
    "moment": "Joint moments (BWBH%)",
    "grf_vertical": "Vertical ground force (%BW)",
    "grf_horizontal": "Fore-aft ground force (%BW)",
}


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


def person_trials(
    metrics: Mapping[str, Any],
    *,
    person: str,
    group: str,
    speed_m_s: float | None = None,
    activity: str = "",
) -> list[PersonTrial]:
    """Return the trials of one ``metrics.json``; none where the study had no reference."""
    return [
        PersonTrial(person, name, group, scores, speed_m_s, activity)
        for name, scores in metrics["trials"].items()
    ]


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


def people_markdown(summary: Mapping[str, Any]) -> str:
    """Return the summary as Markdown tables."""
    lines = []
    for title, columns, rows in _tables(summary):
        lines += [f"## {title}", "", _line(columns), _line(["---", *["--:"] * (len(columns) - 1)])]
        lines += [*(_line(row) for row in rows), ""]
    return "\n".join([*lines, *_notes(summary), ""])


def people_page(summary: Mapping[str, Any], title: str) -> str:
    """Return the summary as one self-contained HTML page."""
    parts = [
        f"<section><h2>{escape(heading)}</h2>{table(columns, rows, bold_last=rows[-1][0] == MEAN)}</section>"
        for heading, columns, rows in _tables(summary)
    ]
    notes = "".join(f'<p class="hint">{escape(note)}</p>' for note in _notes(summary))
    return page_of(title, f"<h1>{escape(title)}</h1>\n{notes}", "\n".join(parts))


def write_people(summary: Mapping[str, Any], folder: Path, title: str) -> Path:
    """Write ``people.json``, ``people.md`` and ``people.html`` into a folder; return the page.

    Raises
    ------
    InputError
        A file cannot be written.
    """
    folder = Path(folder)
    write_atomically(folder / "people.json", json.dumps(summary, indent=1, allow_nan=False) + "\n")
    write_atomically(folder / "people.md", f"# {title}\n\n{people_markdown(summary)}")
    return write_atomically(folder / "people.html", people_page(summary, title))


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


# --- as tables ---


def _tables(summary: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return (title, columns, rows) of every table: groups side by side, then each group's parts."""
    groups = summary["groups"]
    tables = [_overview("All people", {name: group["all"] for name, group in groups.items()})]
    for name, group in groups.items():
        for part, title in (("activities", "by activity"), ("speeds", "by speed"), ("people", "by person")):
            if len(group[part]) > (part != "people"):
                tables.append(_overview(f"{name}: {title}", group[part]))
    for name, group in groups.items():
        kinds = group["activities"] if len(group["activities"]) > 1 else {"": group["all"]}
        for kind, block in kinds.items():
            title = f"{name}, {kind}" if kind else name
            for quantity, (key, _, _) in QUANTITIES.items():
                if block[key]:
                    tables.append(_by_joint(f"{title}: {_TITLES[quantity]}", quantity, block))
    return tables


def _overview(title: str, blocks: Mapping[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    """Return RMSDs of all quantities, one row for each block."""
    shown = [q for q in QUANTITIES if any(b["means"][mean_key(q, "rmsd")] for b in blocks.values())]
    columns = ["", "people", "trials"]
    for quantity in shown:
        columns.append(_TITLES[quantity])
        for rival in ("baseline", "declared_lag"):
            if any(_rival(block, quantity, rival) is not None for block in blocks.values()):
                columns.append({"baseline": "baseline", "declared_lag": "with lag"}[rival])
    rows = []
    for name, block in blocks.items():
        row = [name, str(block["people"]), str(block["trials"])]
        for quantity in shown:
            row.append(_with_range(block["means"][mean_key(quantity, "rmsd")], _digits(quantity)))
            for rival in ("baseline", "declared_lag"):
                if any(_rival(other, quantity, rival) is not None for other in blocks.values()):
                    row.append(fixed(_rival(block, quantity, rival), _digits(quantity)))
        rows.append(row)
    return title, columns, rows


def _by_joint(title: str, quantity: str, block: Mapping[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    group, digits = QUANTITIES[quantity][0], _digits(quantity)
    means = {kind: block["means"][mean_key(quantity, kind)] for kind in NUMBERS}
    entries = {
        words(name) if name not in "rl" else {"r": "right", "l": "left"}[name]: numbers
        for name, numbers in block[group].items()
    } | {MEAN: means}
    banded = means["coverage"] is not None
    rivals = [
        r
        for r in ("baseline", "constant_posture", "declared_lag")
        if _value(means["rmsd"].get(r)) is not None
    ]
    columns = [
        "",
        "RMSD",
        "bias",
        "spread",
        "correlation",
        *(["in 95 % band", "band, \u00b1"] if banded else []),
    ]
    columns += [{"declared_lag": "with lag"}.get(rival, rival.replace("_", " ")) for rival in rivals]
    rows = []
    for name, numbers in entries.items():
        bias = _value(numbers["bias"])
        row = [name, _with_range(numbers["rmsd"], digits)]
        row.append(f"|{fixed(bias, digits)}|" if name == MEAN else signed(bias, digits))
        row += [fixed(_value(numbers["spread"]), digits), fixed(_value(numbers["correlation"]), 3)]
        if banded:
            row += [fixed(_value(numbers["coverage"]), 2), fixed(_value(numbers["half_width"]), digits)]
        row += [fixed(_value((numbers["rmsd"] or {}).get(rival)), digits) for rival in rivals]
        rows.append(row)
    return title, columns, rows


def _rival(block: Mapping[str, Any], quantity: str, rival: str) -> float | None:
    return _value((block["means"][mean_key(quantity, "rmsd")] or {}).get(rival))


def _value(number: Mapping[str, Any] | float | None) -> float | None:
    """Return the median of what has seeds, and anything else as it is."""
    return number["median"] if isinstance(number, Mapping) else number


def _with_range(number: Mapping[str, Any] | None, digits: int) -> str:
    if number is None:
        return fixed(None, digits)
    low, high = (fixed(value, digits) for value in number["range"])
    middle = fixed(number["median"], digits)
    return middle if low == high == middle else f"{middle} ({low} to {high})"


def _digits(quantity: str) -> int:
    return 2 if quantity == "moment" else 1


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _notes(summary: Mapping[str, Any]) -> list[str]:
    notes = [
        f"Root mean square differences, with the lowest and highest seed: {HOW}.",
        "Bias is the mean error over people (of the mean row, the mean of its size in each joint and trial); "
        "people whose biases differ in sign cancel. Spread is the deviation of the error about its bias.",
    ]
    joints = [j for group in summary["groups"].values() for j in group["all"]["angles"].values()]
    if any(j["rmsd"]["baseline"] is None for j in joints if j["rmsd"]):
        notes.append("The baseline does not see every joint: compare with it joint by joint.")
    fewest = min(group["all"]["seeds"] for group in summary["groups"].values())
    if fewest < FEWEST_SEEDS:
        notes.append(f"With {fewest} of at least {FEWEST_SEEDS} seeds, chance is not told apart from effect.")
    return notes
