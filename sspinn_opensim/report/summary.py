"""The top of a report: who was recorded, and the result in plain words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sspinn_opensim.evaluation.data import EvaluationData
from sspinn_opensim.evaluation.metrics import mean_key
from sspinn_opensim.recording import Recording
from sspinn_opensim.report.axis import Axis
from sspinn_opensim.study import Study

#: Means over ten people, walking 0.9-2 m/s and running 3-4.9 m/s, as the method's authors report them
#: (arXiv 2506.11786, version 1 and project page); shown beside results on recordings of that data set only.
PAPER_DATA = "dorschky2019"
PAPER = {"angle_rmsd_deg": "8.7 to 9.1", "moment_rmsd_bwbh": "3.8 to 4.9"}

#: Mean over joints or sides -> (label, unit behind the number, digits).
_CARDS = {
    "angle_rmsd_deg": ("Joint angles", "deg", 1),
    "moment_rmsd_bwbh": ("Joint moments", "BWBH%", 2),
    "grf_vertical_rmsd_bw": ("Vertical ground force", "%BW", 1),
    "grf_horizontal_rmsd_bw": ("Fore-aft ground force", "%BW", 1),
}

#: deg; angle errors closer than this are not told apart.
SAME_ANGLE_ERROR_DEG = 0.5


def facts(study: Study, recording: Recording) -> list[str]:
    """Return who was recorded, and how."""
    sensors = ", ".join(sensor.name for sensor in recording.sensors)
    speed, cycle = recording.speed_m_s, recording.cycle_s
    return [
        f"{study.person.height_m:g} m, {study.person.mass_kg:g} kg",
        *([f"{speed:.2f} m/s"] if speed else []),
        *([f"gait cycle {cycle:.3f} s"] if cycle else []),
        f"{len(recording.sensors)} sensors at {recording.sampling_rate_hz:.4g} Hz ({sensors})",
        f"model {study.model.file.name}",
    ]


def hints(data: EvaluationData) -> list[str]:
    """Return how the numbers were scored."""
    seeds, cycles = len(data.seeds), data.cycles
    part = f"{data.frames_s[0]:.1f} to {data.frames_s[-1]:.1f} s"
    over = f"{cycles} gait cycle{'s'[: cycles > 1]}" if cycles else part
    of = f"Median of {seeds} trainings (seeds)" if seeds > 1 else "One training (seed)"
    source = data.reference.source if data.reference else "no reference"
    return [f"{of}, scored over {over} against {source}, at zero time shift."]


def shown_hint(axis: Axis, data: EvaluationData) -> list[str]:
    """Return which part of a longer recording the charts over time show, in words; nothing if all of it."""
    first, last = axis.span
    if axis.cycle_s or (first <= data.frames_s[0] and last >= data.frames_s[-1]):
        return []
    return [f"Charts over time show {first:.1f} to {last:.1f} s; the files hold the whole recording."]


def summary(study: Study, trial: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the scores of a trial, and what the cards show of them; None without a reference."""
    paper = PAPER if study.reference and study.reference.format == PAPER_DATA else {}
    return {
        "trial": trial,
        "same_deg": SAME_ANGLE_ERROR_DEG,
        "cards": [
            (label, f"{trial['median'][key]:.{digits}f}", unit, list(_card(trial, key, digits, paper)))
            for key, (label, unit, digits) in _CARDS.items()
            if trial and trial["median"][key] is not None
        ],
    }


def _card(
    trial: Mapping[str, Any], key: str, digits: int, paper: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Give (name, number) of what stands under one number."""
    if len(trial["seeds"]) > 1:
        low, high = trial["range_over_seeds"][key]
        yield "seeds", f"{low:.{digits}f} to {high:.{digits}f}"
    joints = len(trial["median"]["angles"])
    for rival in ("baseline", "constant_posture"):
        if trial[rival][key] is not None:
            seen = len(trial[rival]["angles"])
            name = rival.replace("_", " ") + (f", {seen} of {joints} joints" if seen < joints else "")
            yield name, f"{trial[rival][key]:.{digits}f}"
    if lag := trial["declared_lag"]:
        yield f"with {1000 * lag['lag_s']:.0f} ms lag", f"{lag['median'][key]:.{digits}f}"
    covered = trial["median"][mean_key(key.partition("_rmsd")[0], "coverage")]
    if covered is not None:
        yield "in the 95 % band", f"{100 * covered:.0f} %"
    if key in paper:
        yield "paper, 10 people", paper[key]
