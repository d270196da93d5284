"""The report of one study: a single self-contained page, ``report.html``."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.evaluation.data import EvaluationData
from sspinn_opensim.files import write_atomically
from sspinn_opensim.report import charts
from sspinn_opensim.report.page import Page
from sspinn_opensim.report.sections import (
    angle_section,
    files_section,
    ground_force_section,
    moment_section,
    movement_section,
    muscle_section,
    reading_section,
    settings_section,
    subject_section,
    training_section,
)
from sspinn_opensim.report.summary import header
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import Study

#: More frames than this make the page large, not the animation smoother.
MOST_FRAMES = 1500
_ORIGIN = "Estimates from inertial sensors"


def write_report(
    results: Path,
    study: Study,
    *,
    data: EvaluationData,
    metrics: Mapping[str, Any],
    stick_figure: Mapping[str, Any] | None = None,
    histories: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    versions: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``report.html`` into a results folder.

    Parameters
    ----------
    results : Path
        A finished results folder: ``subject.osim`` and ``seeds/``; muscle forces, the verdict of static
        optimization and ``scaling.json`` are shown where they are there.
    data : EvaluationData
        What was compared.
    metrics : dict
        From `evaluate`.
    stick_figure : dict, optional
        ``time_s`` (n,), ``points`` {name: (n, 2)} and ``segments`` [[name, name], ...] in ground x, y (m),
        ``forces`` {name: {``point``: (n, 2) m, ``force``: (n, 2) N}}.
    histories : dict, optional
        By seed, the columns of its training history; ``step`` is the horizontal axis. See `read_histories`.
    versions, settings : dict, optional
        Shown as they are; settings may be nested.

    Returns
    -------
    Path
        The page. It loads nothing from elsewhere and can be mailed as it is.

    Raises
    ------
    InputError
        A file is missing or malformed, or the page cannot be written.
    """
    results = Path(results)
    page = Page(study=study, data=data, trial=metrics["trials"].get(study.recording.name))
    figure = _stick_figure_data(stick_figure, page) if stick_figure else None
    sections = [
        movement_section(figure),
        angle_section(page),
        moment_section(page),
        ground_force_section(page),
        muscle_section(page, results),
        training_section(histories or {}),
        subject_section(results),
        files_section(results),
        reading_section(page),
        settings_section(versions or {}, settings or {}),
    ]
    html = page_of(
        f"{study.person.name}, {study.recording.name}",
        header(page, [section for section in sections if section]),
        "\n".join(section.html for section in sections if section),
        _script(figure) if figure else "",
    )
    return write_atomically(ResultsFolder(results).report, html)


def page_of(title: str, top: str, main: str, script: str = "", origin: str = _ORIGIN) -> str:
    """Return a self-contained page of HTML parts, in the style of all pages here; the title is plain text."""
    return Template(_template("page.html")).substitute(
        title=escape(title),
        style=_template("page.css"),
        header=top,
        main=main,
        footer=f"Written by sspinn_opensim. {escape(origin)}; not a medical device.",
        script=script,
    )


def read_histories(results: Path) -> dict[str, dict[str, list[float]]]:
    """Read ``training/seed_<k>/history.csv`` of every seed, by folder name, columns by name.

    Raises
    ------
    InputError
        A cell is not a number.
    """
    histories = {}
    for path in ResultsFolder(Path(results)).histories():
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        try:
            names = rows[0] if rows else {}
            histories[path.parent.name] = {name: [float(row[name]) for row in rows] for name in names}
        except (TypeError, ValueError) as error:
            raise InputError("the training history is damaged", where=str(path), found=str(error)) from error
    return histories


def _stick_figure_data(figure: Mapping[str, Any], page: Page) -> dict[str, Any]:
    """Thin, round to millimetres and newtons, and add what ties the animation to the charts."""
    time_s = np.asarray(figure["time_s"], float)
    stride = -(-len(time_s) // MOST_FRAMES)

    def rounded(values, digits: int) -> list:
        # A foot in the air has no centre of pressure; its force is zero, so any point will do.
        return np.round(np.nan_to_num(np.asarray(values, float)[::stride]), digits).tolist()

    points = {name: rounded(track, 3) for name, track in figure["points"].items()}
    missing = {name for segment in figure["segments"] for name in segment} - set(points)
    if missing:
        raise InputError(
            "the stick figure draws a point that it does not have",
            expected=", ".join(points),
            found=", ".join(sorted(missing)),
        )
    return {
        "time_s": np.round(time_s[::stride], 5).tolist(),
        "points": points,
        "segments": [list(segment) for segment in figure["segments"]],
        "forces": {
            name: {"point": rounded(force["point"], 3), "force": rounded(force["force"], 1)}
            for name, force in figure.get("forces", {}).items()
        },
        "centre": "pelvis" if "pelvis" in points else next(iter(points)),
        "cycle_s": page.cycle_s,
        "start_s": float(page.data.recording.time_s[0]),
        "chart": {"left": charts.LEFT, "width": charts.WIDTH - charts.LEFT - charts.RIGHT},
    }


def _script(figure: Mapping[str, Any]) -> str:
    data = json.dumps(figure, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    code = _template("stick_figure.js")
    return (
        f'<script type="application/json" id="stick-figure-data">{data}</script>\n<script>\n{code}</script>'
    )


def _template(name: str) -> str:
    return files("sspinn_opensim.report").joinpath("templates", name).read_text(encoding="utf-8")
