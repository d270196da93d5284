"""Muscle forces of a laboratory's trials as pages: one for each trial, and one that compares them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.static_optimization.comparison import VERDICT_COLUMNS, Comparison, verdict_row
from sspinn_opensim.opensim_io.static_optimization.groups import groups_of
from sspinn_opensim.report.markup import table
from sspinn_opensim.report.muscle_charts import FOLDER, comparison_figure, words, write_group_figures
from sspinn_opensim.report.page import Section
from sspinn_opensim.report.report import page_of
from sspinn_opensim.report.sections import verdict_block
from sspinn_opensim.results.folder import ResultsFolder

PAGE = "report.html"
_ORIGIN = "Muscle forces by OpenSim's static optimization of measured motion and forces"


def write_trial_page(
    folder: Path,
    title: str,
    facts: Sequence[str],
    notes: Sequence[str],
    *,
    model: str = ResultsFolder.subject.name,
) -> Path:
    """Write figures and page of a trial.

    Parameters
    ----------
    folder : Path
        A finished folder of static optimization.
    facts : sequence of str
        What was analysed, in a line under the title.
    notes : sequence of str
        What was mended on the way in.
    model : str
        The model's file in `folder`.
    """
    figures = write_group_figures(
        folder, model, ResultsFolder.muscle_forces.name, ResultsFolder.muscle_activations.name
    )
    verdict = json.loads(ResultsFolder(folder).static_optimization_verdict.read_text(encoding="utf-8"))
    sections = [Section("verdict", "Can the forces be trusted?", verdict_block(verdict) + _notes(notes))]
    sections += _groups(figures)
    return _write(folder / PAGE, title, facts, sections)


def write_comparison_page(comparison: Comparison, model: Path, out: Path, title: str) -> Path:
    """Write figures and page that show every muscle over all trials, with mean and deviation."""
    (out / FOLDER).mkdir(exist_ok=True)
    forces, figures = comparison.curves["muscle_forces"], {}
    for group in groups_of(model, comparison.muscles):
        svg = comparison_figure(group, comparison.percent, forces, unit="N")
        figures[group.name] = write_atomically(out / FOLDER / f"{group.name}.svg", svg)
    rows = [[name, *verdict_row(verdict)] for name, verdict in comparison.verdicts.items()]
    columns = ["trial", *(column.replace("_", " ") for column in VERDICT_COLUMNS)]
    last = len(columns) - 1
    sections = [Section("trials", "Trials", table(columns, rows, wrap=last)), *_groups(figures)]
    facts = [f"{len(comparison.verdicts)} trials", f"{len(comparison.muscles)} muscles"]
    return _write(out / PAGE, title, facts, sections)


def _groups(figures: Mapping[str, Path]) -> list[Section]:
    return [
        Section(f"group-{k}", words(name), f'<div class="scroll">{path.read_text(encoding="utf-8")}</div>')
        for k, (name, path) in enumerate(figures.items())
    ]


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<p><b>Mended on the way in</b></p><ul>{items}</ul>"


def _write(path: Path, title: str, facts: Sequence[str], sections: Sequence[Section]) -> Path:
    links = "".join(f'<a href="#{section.key}">{escape(section.title)}</a>' for section in sections)
    facts_line = escape(" \u00b7 ".join(facts))
    top = f'<h1>{escape(title)}</h1>\n<p class="facts">{facts_line}</p>\n<nav>{links}</nav>'
    main = "\n".join(section.html for section in sections)
    return write_atomically(path, page_of(title, top, main, origin=_ORIGIN))
