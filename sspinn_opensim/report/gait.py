"""The gait of a report: mean curves of both sides, spatiotemporal values, errors of single strides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sspinn_opensim.anatomy import SIDES, readable
from sspinn_opensim.evaluation.metrics import QUANTITIES
from sspinn_opensim.gait import Cycle
from sspinn_opensim.gait.events import THRESHOLD_BW
from sspinn_opensim.gait.files import read_cycles
from sspinn_opensim.opensim_io.tables.motion_files import force_columns
from sspinn_opensim.report.charts import Chart
from sspinn_opensim.report.compared import Compared
from sspinn_opensim.report.cycle_charts import LEGEND, cycle_charts
from sspinn_opensim.report.page import Section, Table
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.read_back import read_spatiotemporal
from sspinn_opensim.text import fixed

#: Value -> label and digits, in the order of the table.
_VALUES = {
    "speed_m_s": ("speed (m/s)", 2),
    "stride_s": ("stride time (s)", 3),
    "step_s": ("step time (s)", 3),
    "stride_length_m": ("stride length (m)", 2),
    "step_length_m": ("step length (m)", 2),
    "step_width_m": ("step width (m)", 3),
    "stance_percent": ("stance (%)", 1),
    "swing_s": ("swing time (s)", 3),
    "double_support_percent": ("double support (%)", 1),
    "flight_percent": ("flight (%)", 1),
}
#: Quantity that is scored -> what it is, unit and digits.
_SCORED = {
    "angle": ("angle", "deg", 1),
    "moment": ("moment", "BWBH%", 2),
    "grf_vertical": ("vertical force", "%BW", 1),
    "grf_horizontal": ("fore-aft force", "%BW", 1),
}
#: So many phases, and uncovered spans, are listed: a page of an hour should not list hundreds.
_LISTED, _NAMED = 60, 6


def gait_section(compared: Compared, results: Path) -> Section | None:
    """Return the section; None for a folder whose estimate has no gait beside it."""
    files = ResultsFolder(results)
    if not (files.gait_cycles.is_file() and files.spatiotemporal.is_file()):
        return None
    told = read_spatiotemporal(files)
    cycles = read_cycles(files.gait_cycles)
    kinds = list(dict.fromkeys(cycle.kind for cycle in cycles))
    content = {
        "hint": _hint(told, kinds),
        "tables": [(kind.capitalize(), _values(told[kind])) for kind in kinds],
        "legend": LEGEND,
        "groups": [
            (f"{heading}, {kind}: mean and standard deviation over strides", charts)
            for kind in kinds
            for heading, charts in _groups(compared, [c for c in cycles if c.kind == kind])
            if charts
        ],
        "errors": _errors(compared.trial),
        "course": _course(told["phases"]),
    }
    return Section("gait", "Gait", "gait.html", content)


def uncovered_hint(results: Path) -> list[str]:
    """Return which spans of a recording the method does not cover, in words; nothing if it covers all."""
    spans = read_spatiotemporal(ResultsFolder(results)).get("uncovered", [])
    if not spans:
        return []
    named = [f"{s['from_s']:.1f} to {s['to_s']:.1f} s ({s['reason']})" for s in spans[:_NAMED]]
    more = f" and {len(spans) - _NAMED} more" if len(spans) > _NAMED else ""
    return [
        f"Not covered, so nothing was learnt there and the estimate there is not to be trusted: "
        f"{'; '.join(named)}{more}."
    ]


def _hint(told: Mapping[str, Any], kinds: Sequence[str]) -> str:
    if not kinds:
        return "No whole stride of steady gait was found."
    counted = [(kind, told[kind]["both"]["strides"], told[kind]["cadence_steps_per_min"]) for kind in kinds]
    said = [
        f"{number} strides of {kind}, {cadence:.1f} steps a minute over all of them"
        for kind, number, cadence in counted
    ]
    left = sum(told["left_out"].values())
    reasons = ", ".join(f"{reason} ({number})" for reason, number in told["left_out"].items())
    out = f" Left out: {reasons}." if left else ""
    return (
        f"{'; '.join(said)}, told from the estimated ground forces: a foot is down where it carries "
        f"{100 * THRESHOLD_BW:g} % of body weight.{out} Step: from the strike of the other foot to that of "
        "this one. Symmetry index: right minus left in percent of their mean (Robinson et al. 1987)."
    )


def _values(table: Mapping[str, Any]) -> Table:
    sides, indices = ("both", "right", "left"), table["symmetry_index_percent"]
    rows = []
    for name, (label, digits) in _VALUES.items():
        if table["both"][name] is None:
            continue
        cells = [
            f"{fixed(table[s][name], digits)} \u00b1 {fixed(table[s][f'{name}_sd'], digits)}" for s in sides
        ]
        rows.append([label, *cells, fixed(indices.get(name), 1)])
    rows.append(["strides", *(str(table[side]["strides"]) for side in sides), ""])
    return Table(["mean \u00b1 standard deviation", "both", "right", "left", "symmetry index (%)"], rows)


def _groups(compared: Compared, cycles: Sequence[Cycle]) -> Iterator[tuple[str, list[Chart]]]:
    """Give heading and charts of angles, moments and ground forces of one kind of gait."""
    person, first = compared.study.person, cycles[0].mean
    joints = [name for name in compared.data.joints if name in first and np.ptp(first[name]) > 0]
    yield "Joint angles", list(cycle_charts(cycles, joints, "deg", 1.0))
    moments = [f"{name}_moment" for name in compared.data.joints if f"{name}_moment" in first]
    yield "Joint moments", list(cycle_charts(cycles, moments, "N m/kg", 1.0 / person.mass_kg))
    feet = [name.removesuffix("_ground_force_vy") for name in first if name.endswith("_ground_force_vy")]
    forces = [force_columns(foot)[0] + axis for axis in "yxz" for foot in feet]
    forces = [name for name in forces if first[name].any()]  # sideways none act in the plane
    yield "Ground forces", list(cycle_charts(cycles, forces, "%BW", 100.0 / person.body_weight_n))


def _errors(trial: Mapping[str, Any] | None) -> Table:
    """Return the errors of single strides; without rows where there are none."""
    columns = ["", "mean", "standard deviation", "largest", "strides"]
    scores = trial.get("per_stride") if trial else None
    rows: list[list[str]] = []
    for quantity, (what, unit, digits) in _SCORED.items() if scores else ():
        for name, row in scores[QUANTITIES[quantity][0]].items() if scores else ():
            label = f"{SIDES[name]} foot" if name in SIDES else readable(name)
            numbers = [fixed(row[key], digits) for key in ("rmsd", "rmsd_sd", "rmsd_largest")]
            rows.append([f"{label}: {what} ({unit})", *numbers, f"{row['strides']:.0f}"])
    return Table(columns, rows)


def _course(phases: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [p["kind"], f"{p['from_s']:.1f}", f"{p['to_s']:.1f}", fixed(p["cadence_steps_per_min"], 1)]
        for p in phases[:_LISTED]
    ]
    if len(phases) > _LISTED:
        rows.append([f"and {len(phases) - _LISTED} more", "", "", ""])
    return Table(["", "from (s)", "to (s)", "steps/min in steady gait, by how the signals repeat"], rows)
