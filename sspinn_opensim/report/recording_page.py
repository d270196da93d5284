"""Page of a recording: findings, sensors, phases, signals over time, and the sensors on the body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.symbolic import build
from casadi_dynamics.symbolic.posture import posture, upright, without_forces
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.anatomy import joint_of_leg, segment_of
from sspinn_opensim.anatomy.sagittal import sagittal_coordinates
from sspinn_opensim.recording import Recording, on_model
from sspinn_opensim.recording.checks.overview import Overview
from sspinn_opensim.recording.movement.phases import GAIT
from sspinn_opensim.recording.sensors.placement import body_of_segment
from sspinn_opensim.recording.sensors.places import place
from sspinn_opensim.report.charts import MOST_POINTS, Band, Chart, Line
from sspinn_opensim.report.page import Page, Section, Table
from sspinn_opensim.report.placement import Mark, placement_figure
from sspinn_opensim.report.recording_tables import (
    LIKE_COLUMNS,
    PHASE_COLUMNS,
    SENSOR_COLUMNS,
    bias_hint,
    phase_rows,
    sensor_rows,
    turn_table,
)

#: s of gait whose channels are shown one by one.
_CLOSE_UP_S = 3.0
#: Angles about z of a stride that shows both legs, rad, by joint of the leg.
_STRIDE = {"hip_r": 0.4, "knee_r": -0.15, "hip_l": -0.25, "knee_l": -0.35, "ankle_r": 0.05}
_HEADINGS = {"serious": "Serious", "doubt": "To look at", "note": "Notes"}
_LEGEND = "\u25cf axes stated or found (x long, y short)   orange ring: axes not known yet"


def recording_page(
    overview: Overview,
    title: str,
    facts: Sequence[str],
    verdict: tuple[bool, str],
    picture: str | None,
    alignment: Alignment | None = None,
) -> str:
    """Return the page of a recording.

    Parameters
    ----------
    title : str
        Its name.
    facts : sequence of str
        Parts of the line under the title.
    verdict : (bool, str)
        Whether it can be used, and the sentence that says so.
    picture : str or None
        SVG of the sensors on the body.
    alignment : Alignment or None
        How the sensors sit on their segments, where that had to be found.
    """
    groups = [
        (
            heading,
            [
                f"{finding} [{finding.key}]".removeprefix(f"{severity}: ")
                for finding in overview.findings
                if finding.severity == severity
            ],
        )
        for severity, heading in _HEADINGS.items()
    ]
    ok, sentence = verdict
    content = {"ok": ok, "verdict": sentence, "groups": groups}
    sections = [
        Section("findings", "Can it be used?", "findings.html", content),
        Section(
            "sensors",
            "Sensors",
            "table.html",
            {"table": Table(SENSOR_COLUMNS, sensor_rows(overview), left=4), "hint": bias_hint(overview)},
        ),
    ]
    columns, turns = ((), ()) if alignment is None else turn_table(alignment)
    if turns:
        heading = "How they are turned" if len(columns) > len(LIKE_COLUMNS) else "What they move like"
        content = {"table": Table(columns, turns, left=4)}
        sections.append(Section("turns", heading, "table.html", content))
    if picture is not None:
        hint = "Where each sensor is taken to sit, in some stride: not the posture of the person."
        sections.append(
            Section("places", "Where they sit", "picture.html", {"svg": inline(picture), "hint": hint})
        )
    sections += [
        Section(
            "phases",
            "What the person does",
            "table.html",
            {"table": Table(PHASE_COLUMNS, phase_rows(overview.phases))},
        ),
        _section("signals", "Magnitudes over the whole recording", _magnitudes(overview), ()),
    ]
    shown = _close_up(overview)
    if shown is not None:
        from_s, to_s = shown
        axes = [("m0", "x"), ("m1", "y"), ("m2", "z")]
        title_of_axes = f"Channels from {from_s:.1f} to {to_s:.1f} s"
        sections.append(_section("channels", title_of_axes, _channels(overview, from_s, to_s), axes))
    return Page(
        title, sections, facts=facts, links=True, origin="Inertial sensors as they were recorded"
    ).html()


def sensors_picture(recording: Recording, model: Model) -> str | None:
    """Return an SVG of a model in a stride with the sensors of a recording on it; None: it carries none."""
    marks = _marks(recording, model)
    if not marks:
        return None
    functions = build(without_forces(model))
    signs = sagittal_coordinates(model)
    values = upright(model)
    for joint in model.joints:
        angle = _STRIDE.get(joint_of_leg(joint.child.body, joint.parent.body))
        for axis in joint.rotations if angle is not None else ():
            name = axis.coordinate
            if name in signs and abs(values.get(name, 0.0)) < 1e-9:
                values[name] = signs[name] * float(angle or 0.0)
    posture(model, values)  # a coordinate out of its range would say so here
    q = np.array([[values[name] for name in functions.coordinates]])
    return placement_figure(model, functions, q, marks, "Sensors on the model", _LEGEND)


def _marks(recording: Recording, model: Model) -> list[Mark]:
    """Return where sensors sit on a model, as far as it has their bodies or segments."""
    bodies = {body.name for body in model.bodies}
    frames = {frame.name for frame in model.imu_frames}
    marks = []
    for known in on_model(recording, model).sensors:
        sensor = known
        if sensor.imu_frame not in frames and sensor.body not in bodies:
            told = segment_of(sensor.body)
            body = body_of_segment(model, told) if told else None
            if body is None:
                continue
            sensor = replace(sensor, body=body)
        frame = place(sensor, model)
        marks.append(
            Mark(
                frame.body,
                sensor.name,
                np.array(frame.position),
                None,
                np.zeros((3, 3)),
                sensor.axes_known,
                sensor.rotation,
            )
        )
    return marks


def inline(document: str) -> str:
    """Return the element of an SVG document, to stand in a page."""
    return document[document.index("<svg") :]


def _section(key: str, title: str, charts: Sequence[Chart], legend: Sequence[tuple[str, str]]) -> Section:
    content = {"hint": "", "legend": legend, "charts": charts, "style": "charts", "tables": []}
    return Section(key, title, "curves.html", content)


def _magnitudes(overview: Overview) -> list[Chart]:
    """Return the range of each magnitude in as many stretches of time as a chart shows."""
    recording, charts = overview.recording, []
    for k, sensor in enumerate(recording.sensors):
        for title, unit, signal in (
            ("specific force", "m/s²", recording.acceleration[:, k]),
            ("angular rate", "deg/s", np.degrees(recording.angular_rate[:, k])),
        ):
            x, low, high = _range(recording.time_s, np.linalg.norm(signal, axis=1))
            line = Line(x, 0.5 * (low + high), "mean")
            charts.append(Chart((line,), f"{sensor.name}: {title}", unit, bands=(Band(x, low, high),)))
    return charts


def _range(time_s: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = -(-len(values) // (MOST_POINTS // 2))
    starts = np.arange(0, len(values), size)
    low, high = (function.reduceat(values, starts) for function in (np.minimum, np.maximum))
    return time_s[np.minimum(starts + size // 2, len(values) - 1)], low, high


def _close_up(overview: Overview) -> tuple[float, float] | None:
    """Return a few seconds in the middle of the longest gait, else of the recording."""
    gait = [p for p in overview.phases if p.kind in GAIT]
    time_s = overview.recording.time_s
    from_s, to_s = float(time_s[0]), float(time_s[-1])
    if gait:
        longest = max(gait, key=lambda p: p.duration_s)
        from_s, to_s = longest.from_s, longest.to_s
    middle = 0.5 * (from_s + to_s)
    half = min(_CLOSE_UP_S, to_s - from_s) / 2
    return (middle - half, middle + half) if half > 0 else None


def _channels(overview: Overview, from_s: float, to_s: float) -> list[Chart]:
    recording, charts = overview.recording, []
    shown = (recording.time_s >= from_s) & (recording.time_s <= to_s)
    time_s = recording.time_s[shown]
    for k, sensor in enumerate(recording.sensors):
        for title, unit, signal, known in (
            ("specific force", "m/s²", recording.acceleration, recording.acceleration_available),
            ("angular rate", "deg/s", np.degrees(recording.angular_rate), recording.angular_rate_available),
        ):
            lines = tuple(
                Line(time_s, signal[shown, k, axis], f"m{axis}") for axis in range(3) if known[k, axis]
            )
            if lines:
                charts.append(Chart(lines, f"{sensor.name}: {title}", unit))
    return charts
