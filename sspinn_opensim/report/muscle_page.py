"""Muscle forces of a laboratory's trials as pages: one for each trial, and one that compares them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.static_optimization.comparison import (
    VERDICT_COLUMNS,
    MuscleComparison,
    verdict_row,
)
from sspinn_opensim.opensim_io.static_optimization.groups import groups_of
from sspinn_opensim.report.chart_group import ChartGroup
from sspinn_opensim.report.muscle_charts import comparison_charts, write_figures, write_group_figures
from sspinn_opensim.report.page import Page, Section, Table
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.read_back import read_verdict

_ORIGIN = "Muscle forces by OpenSim's static optimization of measured motion and forces"


def write_trial_page(folder: Path, title: str, facts: Sequence[str], notes: Sequence[str]) -> Path:
    """Write figures and page of a trial.

    Parameters
    ----------
    folder : Path
        A finished folder of static optimization.
    title : str
        Heading of the page.
    facts : sequence of str
        What was analysed, in a line under the title.
    notes : sequence of str
        What was mended on the way in.
    """
    content = {"verdict": read_verdict(ResultsFolder(folder)), "notes": notes}
    trust = Section("verdict", "Can the forces be trusted?", "verdict.html", content)
    return _write(folder, title, facts, [trust, *_sections(write_group_figures(folder))])


def write_comparison_page(comparison: MuscleComparison, model: Path, out: Path, title: str) -> Path:
    """Write figures and page that show every muscle over all trials, with mean and deviation."""
    forces = comparison.curves["muscle_forces"]
    groups = [
        (group.name, comparison_charts(group, comparison.percent, forces, unit="N"))
        for group in groups_of(model, comparison.muscles)
    ]
    write_figures(out, groups)
    rows = [[name, *verdict_row(verdict)] for name, verdict in comparison.verdicts.items()]
    columns = ["trial", *(column.replace("_", " ") for column in VERDICT_COLUMNS)]
    content = {"table": Table(columns, rows, wrap=len(columns) - 1)}
    trials = Section("trials", "Trials", "table.html", content)
    facts = [f"{len(comparison.verdicts)} trials", f"{len(comparison.muscles)} muscles"]
    return _write(out, title, facts, [trials, *_sections(charts for _, charts in groups)])


def _sections(groups: Iterable[ChartGroup]) -> list[Section]:
    return [
        Section(f"group-{k}", group.title, "group.html", {"charts": group.charts, "legend": group.legend})
        for k, group in enumerate(groups)
    ]


def _write(folder: Path, title: str, facts: Sequence[str], sections: Sequence[Section]) -> Path:
    page = Page(title, sections, facts=facts, links=True, origin=_ORIGIN)
    return write_atomically(ResultsFolder(folder).report, page.html())
