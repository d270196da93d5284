"""The sections of a report, made from the data and the scores of an evaluation."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import check_input
from sspinn_opensim.anatomy import SIDES, readable, without_side
from sspinn_opensim.gait.files import read_cycles
from sspinn_opensim.opensim_io.tables.storage import Table as StorageTable
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.report.axis import Axis
from sspinn_opensim.report.charts import Chart, Line
from sspinn_opensim.report.compared import Compared
from sspinn_opensim.report.cycle_charts import LEGEND, cycle_charts
from sspinn_opensim.report.movement import Movement
from sspinn_opensim.report.muscle_charts import group_charts, read_groups
from sspinn_opensim.report.page import Section, Table
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.gui_steps import gui_steps, opensim_files
from sspinn_opensim.results.read_back import read_consistency, read_fit, read_scaling_report, read_verdict
from sspinn_opensim.study import Study
from sspinn_opensim.text import fixed, signed

#: Columns of moments and ground forces, and what they hold of a coordinate or a foot.
_COLUMN = re.compile(r"(?P<name>.+?)_(?P<what>ground_force_v|ground_force_p|moment|force)(?P<axis>[xyz]?)")
_HELD = {
    "moment": "moment",
    "force": "force",
    "ground_force_v": "ground force",
    "ground_force_p": "point of the ground force",
}
_AXES = {"x": "fore-aft", "y": "vertical", "z": "sideways"}
#: So many notes of a verb are listed.
_NOTED = 20


def movement_section(movement: Movement | None) -> Section | None:
    """Show the moving body."""
    if movement is None:
        return None
    scene = movement.scene
    drawn = {
        "bones": scene.bones.bones,
        "muscles": scene.muscles,
        "forces": scene.forces,
        "sensors": scene.sensors,
        "spheres": scene.spheres,
    }
    content = {
        "last": len(movement.time_s) - 1,
        "still": movement.still(),
        "muscles": bool(scene.muscles),
        "notes": [f"Not drawn: {note}" for note in scene.bones.notes[:_NOTED]],
        "parts": [part for part, things in drawn.items() if things],
    }
    return Section("movement", "Movement", "movement.html", content)


def angle_section(compared: Compared) -> Section:
    """Joint angles and their errors."""
    angles = compared.data.first[0].angles
    held = [name for name in angles if np.ptp(angles[name]) == 0]
    names = compared.joints_first(name for name in angles if name not in held)
    charts = [
        compared.curves(
            "angles", name, np.degrees, title=readable(name), unit="deg", note=compared.note("angle", name)
        )
        for name in names
    ]
    hint = "Signs are those of the model's coordinates."
    if held:
        hint += f" Not estimated, and held at a value: {', '.join(readable(name) for name in held)}."
    tables = compared.errors("angle")
    return _curves("angles", "Joint angles", hint, charts, tables, legend=compared.legend(baseline=True))


def moment_section(compared: Compared) -> Section:
    """Joint moments and their errors."""
    names = compared.joints_first(compared.data.first[0].moments)
    mass_kg = compared.study.person.mass_kg
    charts = [
        compared.curves(
            "moments",
            name,
            lambda moment: moment / mass_kg,
            title=readable(name),
            unit="N m/kg",
            note=compared.note("moment", name),
        )
        for name in names
    ]
    roots = [readable(name) for name in names if name in compared.data.model.root_coordinates()]
    hint = "Moments about the joints, positive along the coordinate, per kilogram of body mass."
    if roots:
        hint += (
            f" {', '.join(roots)}: what the estimate leaves unexplained between the model and the ground; "
            "zero would be perfect."
        )
    tables = compared.errors("moment")
    return _curves("moments", "Joint moments", hint, charts, tables, legend=compared.legend())


def ground_force_section(compared: Compared) -> Section:
    """Ground forces and their errors."""
    per_bw = 100.0 / compared.study.person.body_weight_n
    estimated = compared.data.first[0].ground_force
    # Forces sideways are not scored, and zero where the root stays in the plane.
    directions = [("grf_vertical", 1, "vertical"), ("grf_horizontal", 0, "fore-aft")]
    in_space = any(force[:, 2].any() for force in estimated.values())
    if in_space:
        directions.append(("", 2, "sideways"))
    charts = [
        compared.curves(
            "ground_force",
            side,
            lambda force, axis=axis: force[:, axis] * per_bw,
            title=f"{SIDES[side].capitalize()} foot, {direction}",
            unit="%BW",
            note=compared.note(quantity, side) if quantity else "",
        )
        for side in sorted(estimated, reverse=True)
        for quantity, axis, direction in directions
    ]
    hint = "Force of the ground on the foot in percent of body weight; fore-aft is positive forward"
    hint += ", sideways to the person's right." if in_space else "."
    tables = [*compared.errors("grf_vertical"), *compared.errors("grf_horizontal")]
    legend = compared.legend()
    style = "charts" if in_space else "charts four"
    return _curves("ground", "Ground forces", hint, charts, tables, legend=legend, style=style)


def muscle_section(compared: Compared, results: Path) -> Section | None:
    """Muscle forces from static optimization, by muscle and by group, and whether to trust them."""
    folder = ResultsFolder(results)
    if not folder.muscle_forces.is_file():
        return None
    forces, reference = read_storage(folder.muscle_forces), compared.data.reference
    measured = (reference and reference.muscle_forces) or {}
    cycles = read_cycles(folder.muscle_cycles) if folder.muscle_cycles.is_file() else []
    if cycles and not measured:
        charts = list(cycle_charts([c for c in cycles if c.kind == cycles[0].kind], forces.names, "N", 1.0))
        legend = LEGEND
    else:
        charts, legend = _muscles_over_time(compared, forces, measured)
    content = {
        "verdict": read_verdict(folder),
        "trusted": read_fit(folder).get("ok", True),
        "part_s": (float(forces.time_s[0]), float(forces.time_s[-1])),
        "legend": legend,
        "charts": charts,
        "groups": [group_charts(*group) for group in read_groups(results)],
    }
    return Section("muscles", "Muscle forces", "muscles.html", content)


def _muscles_over_time(
    compared: Compared, forces: StorageTable, measured: Mapping[str, np.ndarray]
) -> tuple[list[Chart], list[tuple[str, str]]]:
    """Return a chart for each muscle, both sides in one, and what the lines are."""
    if not len(compared.axis.of_times(forces.time_s)[0]):  # another part was analysed than the charts show
        first, last = float(forces.time_s[0]), float(forces.time_s[-1])
        compared = dataclasses.replace(compared, axis=Axis(None, first, last, (first, last)))
    muscles: dict[str, dict[str, str]] = {}
    for name in forces.names:
        base, side = without_side(name)
        muscles.setdefault(base, {})[side] = name
    charts = []
    for base, by_side in muscles.items():
        left = {"l"} if len(by_side) > 1 else set()
        lines = [
            (compared.data.frames_s, measured[name], "left-reference" if side in left else "reference")
            for side, name in by_side.items()
            if name in measured
        ]
        lines += [
            (forces.time_s, forces.column(name), "left" if side in left else "estimate")
            for side, name in by_side.items()
        ]
        charts.append(compared.chart(lines, title=base.replace("_", " "), unit="N"))
    legend = [("estimate", "right"), ("left", "left")]
    if measured:
        legend += [("reference", "reference, right"), ("left-reference", "reference, left")]
    return charts, legend


def fit_section(results: Path) -> Section | None:
    """Verdict on the training, and how well the motion explains each sensor."""
    found = read_fit(ResultsFolder(results))
    if not found or not found["seeds"]:
        return None
    columns = ["sensor", "acceleration (m/s²)", "(%)", "angular rate (rad/s)", "(%)", "turned (deg)"]
    columns += ["moved (mm)", "late (ms)"]
    rows = [
        [
            sensor["sensor"],
            fixed(sensor["acceleration_m_s2"], 2),
            _percent(sensor["acceleration_share"]),
            fixed(sensor["angular_rate_rad_s"], 3),
            _percent(sensor["angular_rate_share"]),
            fixed(sensor["turned_deg"], 1),
            fixed(1000 * sensor["moved_m"], 0),
            signed(1000 * sensor["delay_s"], 0),
        ]
        for sensor in next(iter(found["seeds"].values()))["sensors"]
    ]
    content = found | {"table": Table(columns, rows)}
    return Section("fit", "Verdict on the training", "fit.html", content)


def consistency_section(results: Path) -> Section | None:
    """Show what held the root before motion and forces agreed, and how far each curve moved for it."""
    found = read_consistency(ResultsFolder(results))
    if not found:
        return None
    held = [
        [
            readable(name),
            r["unit"],
            *(fixed(r[key], 1) for key in ("before", "before_percent")),
            *(fixed(r[key], 2) for key in ("after", "after_percent")),
            *(fixed(r[key], 1) for key in ("after_filtered", "after_filtered_percent")),
        ]
        for name, r in found["residuals"].items()
    ]
    filtered = f"filtered at {found['filter_hz']:g} Hz"
    columns = ["", "unit", "before", "(%)", "after", "(%)", filtered, "(%)"]
    moved = [
        [
            _curve_name(name),
            m["unit"],
            *(fixed(m[key], 4 if m["unit"] == "m" else 2) for key in ("rms", "largest")),
            *(fixed(m[key], 2) for key in ("rms_deviations", "largest_deviations")),
        ]
        for name, m in found["moved"].items()
        if m["largest"] > 0  # a model in the plane has no sideways curves
    ]
    headings = ["curve", "unit", "moved (RMS)", "at most", "in deviations (RMS)", "at most"]
    content = {"residuals": Table(columns, held), "moved": Table(headings, moved), "filter": filtered}
    return Section("consistency", "Agreement of motion and forces", "consistency.html", content)


def _curve_name(column: str) -> str:
    """Return the name of a curve as the other sections have it, and what of it a column holds."""
    found = _COLUMN.fullmatch(column)
    if found is None:
        return readable(column)
    what, axis = _HELD[found["what"]], _AXES.get(found["axis"] or "", "")
    return f"{readable(found['name'])}: {what}{', ' if axis else ''}{axis}"


def fit_alert(results: Path) -> list[str]:
    """Return what stands at the top of the page where a training is not like those of good recordings."""
    found = read_fit(ResultsFolder(results))
    if not found or found["ok"]:
        return []
    return [f"Do not trust this estimate: {'; '.join(found['failures'][:3])}. See: Verdict on the training."]


def _percent(share: float | None) -> str:
    return fixed(None if share is None else 100 * share, 0)


def training_section(results: Path) -> Section | None:
    """Every loss term over the training, by seed."""
    histories = {seed: terms for seed, terms in read_histories(results).items() if terms.get("step")}
    if not histories:
        return None
    terms = list(dict.fromkeys(name for columns in histories.values() for name in columns if name != "step"))
    charts = []
    for term in sorted(terms, key=lambda name: (name != "total", terms.index(name))):
        runs = [(columns["step"], columns[term]) for columns in histories.values() if term in columns]
        lines = [Line(np.array(x), np.array(y), "seed" if k else "estimate") for k, (x, y) in enumerate(runs)]
        charts.append(Chart(tuple(lines[::-1]), term.replace("_", " "), x_label="step", log=True))
    hint = "Logarithmic axis. Each term is a mean square of quantity over scale, before its weight."
    if len(histories) > 1:
        hint = f"One line per seed; the first, whose estimate OpenSim gets, is bold. {hint}"
    return _curves("training", "Training", hint, charts, style="charts small")


def read_histories(results: Path) -> dict[str, dict[str, list[float]]]:
    """Read ``training/seed_<k>/history.csv`` of every seed, by folder name, columns by name.

    Raises
    ------
    InputError
        A cell is not a number.
    """
    histories = {}
    for path in ResultsFolder(results).histories():
        try:
            with check_input(path, "the history").open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            names = rows[0] if rows else {}
            histories[path.parent.name] = {name: [float(row[name]) for row in rows] for name in names}
        except (TypeError, ValueError, csv.Error) as error:
            raise InputError(
                "The training history is damaged.", where=str(path), found=str(error), fix="train again"
            ) from error
    return histories


def notes_section(notes: Mapping[str, Sequence[str]]) -> Section | None:
    """Say what each verb noted on the way."""
    told = {verb: [text.removeprefix("note: ") for text in said] for verb, said in notes.items()}
    content = {"notes": [(verb, _first(said)) for verb, said in told.items() if said]}
    return Section("notes", "Notes", "notes.html", content) if content["notes"] else None


def _first(said: Sequence[str]) -> list[str]:
    """Return the first notes: a page of an hour should not list hundreds."""
    more = len(said) - _NOTED
    return [*said[:_NOTED], *([f"and {more} more, in manifest.json"] if more > 0 else [])]


def subject_section(results: Path) -> Section | None:
    """Scale factors and masses of the bodies."""
    scaling = read_scaling_report(ResultsFolder(results))
    if not scaling:
        return None
    rows = []
    for body, factors in scaling.get("factors", {}).items():
        before, after = scaling.get("body_mass_kg", {}).get(body, (None, None))
        rows.append([body, *(f"{factor:.3f}" for factor in factors), fixed(before, 2), fixed(after, 2)])
    columns = ["body", "factor x", "factor y", "factor z", "generic mass (kg)", "mass (kg)"]
    keys = ("height_m", "mass_kg", "generic_height_m", "generic_mass_kg")
    content = {key: scaling.get(key) for key in keys} | {"table": Table(columns, rows)}
    return Section("subject", "Model of the person", "subject.html", content)


def files_section(results: Path) -> Section:
    """Say what is in the folder and how to open it in OpenSim."""
    files = [file for file in ResultsFolder(results).files() if file is not ResultsFolder.report]
    rows = [[file.label, file.says] for file in files]
    content = {"steps": gui_steps(opensim_files(results)), "table": Table(["file", "holds"], rows, wrap=1)}
    return Section("files", "Files, and what to load in OpenSim", "files.html", content)


def reading_section(compared: Compared) -> Section:
    """Say what the numbers can and cannot tell."""
    lag = compared.trial and compared.trial["declared_lag"]
    content = {
        "scored": compared.trial is not None,
        "banded": bool(compared.data.deviations),
        "one_seed": len(compared.data.seeds) == 1,
        "lag_ms": 1000 * lag["lag_s"] if lag else None,
    }
    return Section("reading", "How to read this page", "reading.html", content)


def settings_section(study: Study, versions: Mapping[str, str]) -> Section:
    """Versions and settings, enough to repeat the run."""
    settings = Table(["setting", "value"], list(_flat(dataclasses.asdict(study))), wrap=1)
    programs = Table(["program", "version"], [[name, str(v)] for name, v in versions.items()], wrap=1)
    content = {"versions": programs, "settings": settings}
    return Section("settings", "Versions and settings", "settings.html", content)


def _curves(
    key: str,
    title: str,
    hint: str,
    charts: list[Chart],
    tables: Iterable[tuple[str, Table]] = (),
    legend: Iterable[tuple[str, str]] = (),
    style: str = "charts",
) -> Section:
    content = {"hint": hint, "legend": list(legend), "charts": charts, "tables": list(tables), "style": style}
    return Section(key, title, "curves.html", content)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=lambda path: path.name)
            yield f"{prefix}{key}", text
