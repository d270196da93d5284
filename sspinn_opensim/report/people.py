"""Scores of many people as tables: JSON, Markdown and a page of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sspinn_opensim.anatomy import SIDES, readable
from sspinn_opensim.evaluation.evaluate import FEWEST_SEEDS
from sspinn_opensim.evaluation.metrics import NUMBERS, QUANTITIES, mean_key
from sspinn_opensim.evaluation.people import HOW
from sspinn_opensim.files import write_atomically
from sspinn_opensim.report.page import Page, Section, Table
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.text import fixed, markdown_table, signed

#: Label of the row over all joints of a table.
MEAN = "mean"
_TITLES = {
    "angle": "Joint angles (deg)",
    "moment": "Joint moments (BWBH%)",
    "grf_vertical": "Vertical ground force (%BW)",
    "grf_horizontal": "Fore-aft ground force (%BW)",
}


def people_markdown(summary: Mapping[str, Any]) -> str:
    """Return the summary as Markdown tables."""
    parts = [f"## {title}\n\n{markdown_table(columns, rows)}\n" for title, columns, rows in _tables(summary)]
    return "\n".join([*parts, *_notes(summary), ""])


def people_page(summary: Mapping[str, Any], title: str) -> str:
    """Return the summary as one self-contained HTML page."""
    sections = [
        Section(f"table-{k}", heading, "table.html", {"table": Table(columns, rows, rows[-1][0] == MEAN)})
        for k, (heading, columns, rows) in enumerate(_tables(summary))
    ]
    return Page(title, sections, hints=_notes(summary)).html()


def write_people(summary: Mapping[str, Any], folder: Path, title: str) -> Path:
    """Write ``people.json``, ``people.md`` and ``people.html`` into a folder; return the page.

    Raises
    ------
    InputError
        A file cannot be written.
    """
    files = ResultsFolder(Path(folder))
    write_atomically(files.people_scores, json.dumps(summary, indent=1, allow_nan=False) + "\n")
    write_atomically(files.people_text, f"# {title}\n\n{people_markdown(summary)}")
    return write_atomically(files.people_page, people_page(summary, title))


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
        readable(name) if name not in "rl" else SIDES[name]: numbers for name, numbers in block[group].items()
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
