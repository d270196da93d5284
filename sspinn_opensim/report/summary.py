"""The top of the report: who was recorded, and the result in plain words and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from sspinn_opensim.evaluation.metrics import mean_key
from sspinn_opensim.report.page import Page, Section

#: Means over ten people, walking 0.9-2 m/s and running 3-4.9 m/s, as the method's authors report them
#: (arXiv 2506.11786, version 1 and project page); shown beside results on recordings of that data set only.
PAPER_DATA = "dorschky2019"
PAPER = {"angle_rmsd_deg": "8.7 to 9.1", "moment_rmsd_bwbh": "3.8 to 4.9"}

#: Headline key -> (label, unit behind the number, digits).
HEADLINES = {
    "angle_rmsd_deg": ("Joint angles", "deg", 1),
    "moment_rmsd_bwbh": ("Joint moments", "BWBH%", 2),
    "grf_vertical_rmsd_bw": ("Vertical ground force", "%BW", 1),
    "grf_horizontal_rmsd_bw": ("Fore-aft ground force", "%BW", 1),
}

#: deg; angle errors closer than this are not told apart.
SAME_ANGLE_ERROR_DEG = 0.5


def header(page: Page, sections: Sequence[Section]) -> str:
    """Who, what, and the headline numbers in plain language."""
    study, recording = page.study, page.data.recording
    facts = [
        f"{study.person.height_m:g} m, {study.person.mass_kg:g} kg",
        f"{len(recording.sensors)} sensors at {recording.sampling_rate_hz:.4g} Hz"
        f" ({', '.join(sensor.name for sensor in recording.sensors)})",
        f"model {study.model.file.name}",
    ]
    if recording.speed_m_s:
        facts.insert(1, f"{recording.speed_m_s:.2f} m/s")
    if recording.cycle_s:
        facts.insert(2, f"gait cycle {recording.cycle_s:.3f} s")
    facts_line = escape(" \u00b7 ".join(facts))
    links = "".join(f'<a href="#{section.key}">{escape(section.title)}</a>' for section in sections)
    parts = [
        f"<h1>{escape(study.person.name)}, {escape(study.recording.name)}</h1>",
        f'<p class="facts">{facts_line}</p>',
    ]
    if page.trial is None:
        parts.append(
            '<p class="lead">Joint angles, moments and ground forces estimated from inertial sensors alone. '
            "The study names no reference, so nothing on this page is scored; the dashed line shows what "
            "gyroscopes and gravity give without a network and without physics.</p>"
        )
    else:
        parts.append(f'<p class="lead">{_verdict(page.trial)}</p>')
        parts.append(_cards(page.trial, PAPER if study.reference.format == PAPER_DATA else {}))
        parts.append(f'<p class="hint">{escape(_scoring(page))}</p>')
    parts.append(f"<nav>{links}</nav>")
    return "\n".join(parts)


def _verdict(trial: Mapping[str, Any]) -> str:
    sentences = []
    median, baseline = trial["median"], trial["baseline"]
    if median["angle_rmsd_deg"] is not None:
        joints = len(median["angles"])
        sentences.append(
            f"The estimated joint angles are off by <b>{median['angle_rmsd_deg']:.1f} degrees</b> "
            f"(root mean square, mean of {joints} {'joint' if joints == 1 else 'joints'})."
        )
        ours, other = baseline["estimate_on_same_joints_deg"], baseline["angle_rmsd_deg"]
        if other is not None:
            on = (
                ""
                if len(baseline["angles"]) == joints
                else f" over the {len(baseline['angles'])} joints it can see"
            )
            opening = f"Gyroscopes and gravity alone reach <b>{other:.1f} degrees</b>{on}"
            if on:
                opening += f", where the estimate has {ours:.1f}"
            if abs(ours - other) < SAME_ANGLE_ERROR_DEG:
                sentences.append(f"{opening}: for the angles of this recording, no real difference.")
            elif ours < other:
                sentences.append(f"{opening}: the estimate is {other - ours:.1f} degrees closer.")
            else:
                sentences.append(f"{opening}: for the angles of this recording the simple method is better.")
    if median["moment_rmsd_bwbh"] is not None:
        sentences.append(
            f"Joint moments are off by <b>{median['moment_rmsd_bwbh']:.2f} %</b> of body weight times height."
        )
    if median["grf_vertical_rmsd_bw"] is not None:
        off = f"{median['grf_vertical_rmsd_bw']:.1f} %"
        sentences.append(f"The vertical ground force is off by <b>{off}</b> of body weight.")
    return " ".join(sentences)


def _scoring(page: Page) -> str:
    seeds, cycles = len(page.data.seeds), page.data.cycles
    over = (
        f"{cycles} gait cycle{'s' if cycles > 1 else ''}" if cycles else "the written part of the recording"
    )
    of = f"Median of {seeds} trainings (seeds)" if seeds > 1 else "One training (seed)"
    return f"{of}, scored over {over} against {page.data.reference.source}, at zero time shift."


def _cards(trial: Mapping[str, Any], paper: Mapping[str, str]) -> str:
    cards = []
    for key, (label, unit, digits) in HEADLINES.items():
        value = trial["median"][key]
        if value is None:
            continue
        facts = []
        if len(trial["seeds"]) > 1:
            low, high = trial["range_over_seeds"][key]
            facts.append(("seeds", f"{low:.{digits}f} to {high:.{digits}f}"))
        for name, column in (("baseline", "baseline"), ("constant posture", "constant_posture")):
            if trial[column][key] is not None:
                seen, all_joints = len(trial[column]["angles"]), len(trial["median"]["angles"])
                part = f", {seen} of {all_joints} joints" if seen < all_joints else ""
                facts.append((name + part, f"{trial[column][key]:.{digits}f}"))
        if trial["declared_lag"]:
            lag_ms = 1000 * trial["declared_lag"]["lag_s"]
            facts.append((f"with {lag_ms:.0f} ms lag", f"{trial['declared_lag']['median'][key]:.{digits}f}"))
        covered = trial["median"][mean_key(key.partition("_rmsd")[0], "coverage")]
        if covered is not None:
            facts.append(("in the 95 % band", f"{100 * covered:.0f} %"))
        if key in paper:
            facts.append(("paper, 10 people", paper[key]))
        rows = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts)
        number = f"{value:.{digits}f} <small>{unit}</small>"
        cards.append(
            f'<div class="card"><div class="label">{label}, RMSD</div><div class="value">{number}</div>'
            f"<dl>{rows}</dl></div>"
        )
    return f'<div class="cards">{"".join(cards)}</div>'
