"""The parts of the report, each a piece of HTML made from the data of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from sspinn_opensim.anatomy import without_side
from sspinn_opensim.evaluation.data import EvaluationData
from sspinn_opensim.evaluation.metrics import BAND_DEVIATIONS, QUANTITIES, STANDARD_GRAVITY, mean_key
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.report.charts import Line, line_chart
from sspinn_opensim.report.markup import keys, table, words
from sspinn_opensim.report.muscle_charts import group_details
from sspinn_opensim.report.page import Page, Section
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.gui_steps import gui_steps, opensim_files
from sspinn_opensim.text import fixed, signed


def movement_section(figure: Mapping[str, Any] | None) -> Section | None:
    """Show the animated stick figure."""
    if figure is None:
        return None
    last = len(figure["time_s"]) - 1
    body = f"""<p class="hint">Side view, right side <b style="color:var(--estimate)">blue</b>,
left side <b style="color:var(--left)">orange</b>, ground forces <b style="color:var(--good)">green</b>.
The time mark runs through the charts below.</p>
<div class="stage">
<canvas id="stick-figure" role="img" aria-label="Animated stick figure of the estimate"></canvas>
<div class="controls"><button id="play" type="button">Pause</button>
<input id="frame" type="range" min="0" max="{last}" value="0" aria-label="Frame">
<select id="speed" aria-label="Speed"><option value="1">1\u00d7</option>
<option value="0.5" selected>\u00bd\u00d7</option>
<option value="0.25">\u00bc\u00d7</option></select><span id="clock"></span></div></div>"""
    return Section("movement", "Movement", body)


def angle_section(page: Page) -> Section:
    """Joint angles and their errors."""
    data, reference = page.data, page.data.reference
    angles = next(iter(data.seeds.values())).angles
    held = [name for name in angles if np.ptp(angles[name]) == 0]
    names = [name for name in _joints_first(page, angles) if name not in held]
    figures = [
        _curve_chart(page, name, "angles", np.degrees, "deg", reference and reference.angles.get(name))
        for name in names
    ]
    hint = "Signs are those of the model's coordinates."
    if held:
        hint += f" Not estimated, and held at a value: {', '.join(words(name) for name in held)}."
    body = f'<p class="hint">{escape(hint)}</p>' + _legend(page, baseline=True) + _charts(figures)
    return Section("angles", "Joint angles", body + _error_table(page, "angle"))


def moment_section(page: Page) -> Section:
    """Joint moments and their errors."""
    data, reference = page.data, page.data.reference
    names = _joints_first(page, next(iter(data.seeds.values())).moments)
    mass = page.study.person.mass_kg
    figures = [
        _curve_chart(
            page, name, "moments", lambda m: m / mass, "N m/kg", reference and reference.moments.get(name)
        )
        for name in names
    ]
    roots = set(data.model.root_coordinates())
    hint = "Moments about the joints, positive along the coordinate, per kilogram of body mass."
    if roots & set(names):
        hint += (
            f" {', '.join(words(name) for name in names if name in roots)}: what the estimate leaves"
            " unexplained"
            " between the model and the ground; zero would be perfect."
        )
    body = f'<p class="hint">{escape(hint)}</p>' + _legend(page) + _charts(figures)
    return Section("moments", "Joint moments", body + _error_table(page, "moment"))


def ground_force_section(page: Page) -> Section:
    """Ground forces and their errors."""
    data = page.data
    per_bw = 100.0 / (page.study.person.mass_kg * STANDARD_GRAVITY)
    figures = []
    for side in sorted(next(iter(data.seeds.values())).ground_force, reverse=True):
        for quantity, axis, label in (("grf_vertical", 1, "vertical"), ("grf_horizontal", 0, "fore-aft")):
            lines = []
            if data.reference and side in data.reference.ground_force:
                force = data.reference.ground_force[side][:, axis] * per_bw
                lines.append((data.frames_s, force, "reference"))
            for curves, role in _seed_roles(data):
                lines.append((curves.time_s, curves.ground_force[side][:, axis] * per_bw, role))
            band = _band(page, "ground_force", side, lambda f, axis=axis: f[:, axis] * per_bw)
            title = f"{'Right' if side == 'r' else 'Left'} foot, {label}"
            note = _note(page, quantity, side)
            figures.append(page.chart(lines, band, title=title, unit="%BW", note=note))
    hint = "Force of the ground on the foot in percent of body weight; fore-aft is positive forward."
    tables = _error_table(page, "grf_vertical") + _error_table(page, "grf_horizontal")
    body = f'<p class="hint">{hint}</p>' + _legend(page) + _charts(figures, "charts four") + tables
    return Section("ground", "Ground forces", body)


def muscle_section(page: Page, results: Path) -> Section | None:
    """Muscle forces from OpenSim's static optimization, and whether to trust them."""
    path = ResultsFolder(results).muscle_forces
    if not path.is_file():
        return None
    forces = read_storage(path)
    reference = (page.data.reference and page.data.reference.muscle_forces) or {}
    figures = []
    for base in dict.fromkeys(without_side(name)[0] for name in forces.names):
        lines = []
        sides = [name for name in forces.names if without_side(name)[0] == base]
        for name in sides:
            if name in reference:
                role = "left-reference" if without_side(name)[1] == "l" and len(sides) > 1 else "reference"
                lines.append((page.data.frames_s, reference[name], role))
        for name in sides:
            role = "left" if without_side(name)[1] == "l" and len(sides) > 1 else "estimate"
            lines.append((forces.time_s, forces.column(name), role))
        figures.append(page.chart(lines, title=base.replace("_", " "), unit="N"))
    entries = [("estimate", "right"), ("left", "left")]
    if reference:
        entries += [("reference", "reference, right"), ("left-reference", "reference, left")]
    verdict = _read_json(ResultsFolder(results).static_optimization_verdict)
    body = (verdict_block(verdict) if verdict else "") + keys(entries)
    return Section(
        "muscles", "Muscle forces", body + _charts(figures, "charts small") + group_details(results)
    )


def training_section(histories: Mapping[str, Mapping[str, Sequence[float]]]) -> Section | None:
    """Every loss term over the training, by seed."""
    histories = {seed: columns for seed, columns in histories.items() if len(columns.get("step", ()))}
    if not histories:
        return None
    terms = dict.fromkeys(name for columns in histories.values() for name in columns if name != "step")
    figures = []
    for term in sorted(terms, key=lambda name: (name != "total", list(terms).index(name))):
        runs = [(columns["step"], columns[term]) for columns in histories.values() if term in columns]
        roles = ["estimate"] + ["seed"] * (len(runs) - 1)
        lines = [Line(np.array(x), np.array(y), role) for (x, y), role in zip(runs, roles, strict=True)]
        figures.append(
            line_chart(lines[::-1], title=term.replace("_", " "), unit="", x_label="step", log=True)
        )
    seeds = (
        "One line per seed; the first, whose estimate OpenSim gets, is bold. " if len(histories) > 1 else ""
    )
    hint = f"{seeds}Logarithmic axis. Each term is a mean square of quantity over scale, before its weight."
    body = f'<p class="hint">{hint}</p>' + _charts(figures, "charts small")
    return Section("training", "Training", body)


def subject_section(results: Path) -> Section | None:
    """Scale factors and masses of the bodies."""
    scaling = _read_json(ResultsFolder(results).scaling)
    if not scaling:
        return None
    masses = scaling.get("body_mass_kg", {})
    rows = []
    for body, factors in scaling.get("factors", {}).items():
        before, after = masses.get(body, (None, None))
        rows.append([body, *(f"{factor:.3f}" for factor in factors), fixed(before, 2), fixed(after, 2)])
    text = f"Scaled to {scaling['height_m']:.2f} m and {scaling['mass_kg']:.2f} kg"
    if scaling.get("generic_height_m"):
        text += f" from a generic model of {scaling['generic_height_m']:.2f} m"
    if scaling.get("generic_mass_kg"):
        text += f" and {scaling['generic_mass_kg']:.2f} kg"
    columns = ["body", "factor x", "factor y", "factor z", "generic mass (kg)", "mass (kg)"]
    return Section("subject", "Model of the person", f"<p>{escape(text)}.</p>" + table(columns, rows))


def files_section(results: Path) -> Section:
    """Say what is in the folder and how to open it in OpenSim."""
    steps = "".join(f"<li>{escape(step)}</li>" for step in gui_steps(opensim_files(results)))
    files = [file for file in ResultsFolder(results).files() if file is not ResultsFolder.report]
    listed = table(["file", "holds"], [[file.label, file.says] for file in files], wrap=1)
    return Section("files", "Files, and what to load in OpenSim", f"<ol>{steps}</ol>{listed}")


def reading_section(page: Page) -> Section:
    """Say what the numbers can and cannot tell."""
    points = [
        "The network learned from this very recording, from its inertial signals and the physics of the "
        "model; no angle, moment or force was shown to it. How well it does on recordings it never saw is "
        "another question.",
        "The dashed baseline integrates each gyroscope, takes the missing offset from mean gravity, and sets "
        "the straightest knee to 5 degrees of flexion. It uses no network, no physics and no labels, and "
        "gives angles only.",
    ]
    if page.trial:
        points += [
            "RMSD splits into bias (a constant offset) and spread (the shape): "
            "RMSD\u00b2 = bias\u00b2 + spread\u00b2. "
            "Angle errors closer than half a degree are not a difference.",
            "With several seeds every number is the median over seeds, the mean over joints included; so "
            "the mean shown need not be the mean of the medians above it.",
            "BWBH% is percent of body weight times body height; %BW is percent of body weight.",
            "The paper's numbers are means over ten other people; they give a sense of scale, not a rank.",
        ]
        if page.data.deviations:
            points.append(
                "The band is the estimate and 1.96 of its standard deviations to either side. An honest band "
                "holds the reference in 95 % of the frames; one that holds less promises too much, one that "
                "holds all may be too wide to be of use, so its mean half width stands beside."
            )
        if page.trial["declared_lag"]:
            lag_ms = 1000 * page.trial["declared_lag"]["lag_s"]
            points.append(
                "The sensors are known to lag this reference. "
                f"The column \u201clag {lag_ms:.0f} ms\u201d "
                "repeats the comparison with the reference delayed by that one number, declared for all "
                "trials and fitted to none."
            )
    items = "".join(f"<li>{escape(point)}</li>" for point in points)
    return Section("reading", "How to read this page", f"<ul>{items}</ul>")


def settings_section(versions: Mapping[str, str], settings: Mapping[str, Any]) -> Section | None:
    """Versions and settings, enough to repeat the run."""
    parts = []
    if versions:
        rows = [[name, str(version)] for name, version in versions.items()]
        parts.append("<h3>Versions</h3>" + table(["program", "version"], rows, wrap=1))
    if settings:
        rows = [[name, value] for name, value in _flat(settings)]
        parts.append(
            f"<details><summary>All settings</summary>{table(['setting', 'value'], rows, wrap=1)}</details>"
        )
    return Section("settings", "Versions and settings", "".join(parts)) if parts else None


def _seed_roles(data: EvaluationData):
    """Seeds with the role of their line, the first seed last so that it is drawn on top."""
    first, *others = data.seeds.values()
    return [(curves, "seed") for curves in others] + [(first, "estimate")]


def _joints_first(page: Page, names) -> list[str]:
    """Joints that can be scored against the reference first, then the others, the root's last."""
    data = page.data
    roots = set(data.model.root_coordinates())
    known = set(data.reference.angles) | set(data.reference.moments) if data.reference else set()
    rank = {name: (name in roots, name not in data.joints, name not in known) for name in names}
    return sorted(names, key=lambda name: rank[name])


def _curve_chart(page: Page, name: str, kind: str, convert, unit: str, reference: np.ndarray | None) -> str:
    data = page.data
    lines = []
    if reference is not None:
        lines.append((data.frames_s, convert(reference), "reference"))
    baseline = getattr(data.baseline, kind).get(name)
    if baseline is not None:
        lines.append((data.frames_s, convert(baseline), "baseline"))
    lines += [
        (curves.time_s, convert(getattr(curves, kind)[name]), role) for curves, role in _seed_roles(data)
    ]
    band = _band(page, kind, name, convert)
    quantity = "angle" if kind == "angles" else "moment"
    return page.chart(lines, band, title=words(name), unit=unit, note=_note(page, quantity, name))


def _band(page: Page, kind: str, name: str, convert) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return times and edges of the first seed's 95 % band; None where the estimate has none."""
    seed, curves = next(iter(page.data.seeds.items()))
    deviations = getattr(page.data.deviations.get(seed), kind, {})
    if name not in deviations:
        return None
    middle = convert(getattr(curves, kind)[name])
    half = BAND_DEVIATIONS * np.abs(convert(deviations[name]))
    return curves.time_s, middle - half, middle + half


def _note(page: Page, quantity: str, name: str) -> str:
    group, suffix, _ = QUANTITIES[quantity]
    score = page.trial and page.trial["median"][group].get(name)
    if not score:
        return ""
    unit = {"deg": "\u00b0", "bwbh": " BWBH%", "bw": " %BW"}[suffix]
    return f"RMSD {score['rmsd']:.2f}{unit}" if quantity == "moment" else f"RMSD {score['rmsd']:.1f}{unit}"


def _error_table(page: Page, quantity: str) -> str:
    group, _, unit = QUANTITIES[quantity]
    trial = page.trial
    if not trial or not trial["median"][group]:
        return ""
    digits = 2 if quantity == "moment" else 1
    seeds = trial["seeds"] if len(trial["seeds"]) > 1 else {}
    lag = trial["declared_lag"]
    rivals = [("baseline", trial["baseline"]), ("constant posture", trial["constant_posture"])]
    rivals = [(name, scores) for name, scores in rivals if scores[group]]
    extra = rivals + [(seed.replace("_", " "), scores) for seed, scores in seeds.items()]
    if lag:
        extra.append((f"lag {1000 * lag['lag_s']:.0f} ms", lag["median"]))
    banded = trial["median"][mean_key(quantity, "coverage")] is not None
    columns = ["", "RMSD", "bias", "spread", "correlation"]
    columns += ["in 95 % band (%)", "band, \u00b1"] if banded else []
    columns += [f"RMSD, {name}" for name, _ in extra]
    rows = []
    for name, score in trial["median"][group].items():
        cells = [fixed(score["rmsd"], digits), signed(score["bias"], digits), fixed(score["spread"], digits)]
        cells.append(fixed(score["correlation"], 3))
        cells += _band_cells(score["coverage"], score["half_width"], digits) if banded else []
        cells += [fixed((scores[group].get(name) or {}).get("rmsd"), digits) for _, scores in extra]
        label = {"r": "right foot", "l": "left foot"}.get(name, words(name))
        rows.append([label, *cells])
    if len(rows) > 1:
        means = trial["median"]
        cells = [fixed(means[mean_key(quantity, number)], digits) for number in ("rmsd", "bias", "spread")]
        cells[1] = f"|{cells[1]}|"
        cells.append(fixed(means[mean_key(quantity, "correlation")], 3))
        if banded:
            both = (means[mean_key(quantity, number)] for number in ("coverage", "half_width"))
            cells += _band_cells(*both, digits)
        cells += [fixed(scores[mean_key(quantity, "rmsd")], digits) for _, scores in extra]
        rows.append(["mean", *cells])
    direction = {"grf_vertical": "Vertical force", "grf_horizontal": "Fore-aft force"}.get(quantity, "Errors")
    bold = len(rows) > 1 and rows[-1][0] == "mean"
    return f"<h3>{direction}, {unit}</h3>" + table(columns, rows, bold_last=bold)


def _band_cells(coverage: float | None, half_width: float | None, digits: int) -> list[str]:
    return [fixed(None if coverage is None else 100 * coverage, 0), fixed(half_width, digits)]


def verdict_block(verdict: Mapping[str, Any]) -> str:
    """Say whether muscle forces are to be trusted, and why, with tables behind a click."""
    ok = verdict.get("ok")
    frames, failed = verdict.get("frames"), verdict.get("failed_frames")
    opening = '<b class="good">Can be used.</b>' if ok else '<b class="bad">Not to be trusted.</b>'
    if ok and verdict.get("warnings"):
        opening = '<b class="good">Can be used, with care.</b>'
    method = verdict.get("method") or "OpenSim static optimization"
    method = method[:1].upper() + method[1:]
    text = f"{opening} {escape(method)} solved {frames - failed} of {frames} frames" if frames else opening
    if verdict.get("worst_reserve_percent") is not None:
        text += (
            "; the largest reserve (a motor that helps the muscles out) is "
            f"{verdict['worst_reserve_percent']:.2g} % of the peak moment of its joint"
        )
    lists = []
    for key, name in (("failures", "Why not"), ("warnings", "To look at")):
        if verdict.get(key):
            items = "".join(f"<li>{escape(str(item))}</li>" for item in verdict[key])
            lists.append(f"<p><b>{name}</b></p><ul>{items}</ul>")
    tables = []
    muscles = verdict.get("muscles") or {}
    if muscles:
        rows = [
            [name, fixed(m["peak_force_n"], 0), fixed(m["peak_activation"], 2), str(m["saturated_frames"])]
            for name, m in muscles.items()
        ]
        tables.append(table(["muscle", "peak force (N)", "peak activation", "saturated frames"], rows))
    for key, name in (("reserves", "reserve at"), ("residuals", "residual at")):
        if verdict.get(key):
            rows = [[name, fixed(v["peak"], 2), fixed(v["percent"], 2)] for name, v in verdict[key].items()]
            tables.append(table([name, "peak (N m or N)", "percent"], rows))
    details = (
        f"<details><summary>Peaks, reserves, residuals</summary>{''.join(tables)}</details>" if tables else ""
    )
    state = "passed" if ok else "failed"
    return f'<div class="verdict {state}"><p>{text}.</p>{"".join(lists)}</div>{details}'


def _legend(page: Page, baseline: bool = False) -> str:
    several = len(page.data.seeds) > 1
    entries = [("estimate", "estimate (first seed)" if several else "estimate")]
    if several:
        entries.append(("seed", "other seeds"))
    if next(iter(page.data.seeds)) in page.data.deviations:
        entries.append(("band", "95 % band of the estimate"))
    if page.data.reference:
        entries.append(("reference", "reference"))
    if baseline and page.data.baseline.angles:
        entries.append(("baseline", "baseline: gyroscopes and gravity"))
    return keys(entries)


def _charts(figures: Sequence[str], style: str = "charts") -> str:
    return f'<div class="{style}">{"".join(figures)}</div>'


def _flat(settings: Mapping[str, Any], prefix: str = ""):
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)


def _read_json(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
