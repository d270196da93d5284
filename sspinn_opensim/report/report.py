"""The report of one study: a single self-contained page, ``report.html``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sspinn_opensim.evaluation.data import EvaluationData
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.report import charts, sections
from sspinn_opensim.report.axis import Axis
from sspinn_opensim.report.compared import Compared
from sspinn_opensim.report.gait import gait_section, uncovered_hint
from sspinn_opensim.report.movement import Movement
from sspinn_opensim.report.page import Page
from sspinn_opensim.report.summary import facts, hints, shown_hint, summary
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import Study


def write_report(
    study: Study,
    results: Path,
    data: EvaluationData,
    metrics: Mapping[str, Any],
    *,
    movement: Movement | None = None,
    versions: Mapping[str, str] | None = None,
) -> Path:
    """Write ``report.html`` into a results folder.

    Parameters
    ----------
    study : Study
        Shown with all its settings.
    results : Path
        A finished results folder: ``subject.osim`` and ``seeds/``; training, muscle forces, the verdict of
        static optimization and ``scaling.json`` are shown where they are there.
    data : EvaluationData
        The curves.
    metrics : mapping
        From `evaluate`.
    movement : Movement, optional
        Moves at the top.
    versions : mapping of str to str, optional
        Versions of the programs that made the results, by name.

    Returns
    -------
    Path
        The page. It loads nothing from elsewhere and can be mailed as it is.

    Raises
    ------
    InputError
        A file is missing or malformed, or the page cannot be written.
    """
    trial = metrics["trials"].get(study.recording.name)
    forces = ResultsFolder(results).muscle_forces
    muscles_to_s = float(read_storage(forces).time_s[-1]) if forces.is_file() else None
    compared = Compared(study, data, trial, Axis.of(data, muscles_to_s))
    parts = [
        sections.movement_section(movement),
        sections.angle_section(compared),
        sections.moment_section(compared),
        sections.ground_force_section(compared),
        gait_section(compared, results),
        sections.muscle_section(compared, results),
        sections.consistency_section(results),
        sections.fit_section(results),
        sections.training_section(results),
        sections.notes_section(metrics.get("notes", {})),
        sections.subject_section(results),
        sections.files_section(results),
        sections.reading_section(compared),
        sections.settings_section(study, versions or {}),
    ]
    page = Page(
        title=f"{study.person.name}, {study.recording.name}",
        sections=[part for part in parts if part],
        facts=facts(study, data.recording),
        alerts=sections.fit_alert(results),
        hints=[*(hints(data) if trial else ()), *shown_hint(compared.axis, data), *uncovered_hint(results)],
        summary=summary(study, trial),
        links=True,
        figure=movement and _figure_data(movement, compared),
    )
    return write_atomically(ResultsFolder(results).report, page.html())


def _figure_data(movement: Movement, compared: Compared) -> dict[str, Any]:
    """Return the movement with what ties it to the charts."""
    return movement.to_json() | {
        "cycle_s": compared.axis.cycle_s,
        "start_s": float(compared.data.recording.time_s[0]),
        "chart": {"left": charts.LEFT, "width": charts.WIDTH - charts.LEFT - charts.RIGHT},
    }
