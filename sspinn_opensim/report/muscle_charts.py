"""Forces and activations of muscle groups: charts for a page, and SVG files that stand alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from sspinn_opensim.anatomy import readable, without_side
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.static_optimization.groups import Group, groups_of
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.report.chart_group import COLORS, ChartGroup
from sspinn_opensim.report.charts import Band, Chart, Line
from sspinn_opensim.results.folder import ResultsFolder

_IN_A_ROW = 3
#: Quantity, unit and table of the curves of a muscle group.
Tables = Sequence[tuple[str, str, Table]]


def read_groups(folder: Path) -> Iterator[tuple[Group, Tables]]:
    """Give every muscle group of a folder of static optimization with its curves; none without forces.

    Parameters
    ----------
    folder : Path
        Holds the model, muscle forces and activations.
    """
    files = ResultsFolder(folder)
    if not all(path.is_file() for path in (files.subject, files.muscle_forces, files.muscle_activations)):
        return
    forces, activations = read_storage(files.muscle_forces), read_storage(files.muscle_activations)
    tables = (("force", "N", forces), ("activation", "", activations))
    for group in groups_of(files.subject, forces.names):
        yield group, tables


def write_group_figures(folder: Path) -> list[ChartGroup]:
    """Draw every muscle group of a folder into its folder ``muscle_groups``; return what was drawn."""
    drawn = [(group.name, group_charts(group, tables)) for group, tables in read_groups(folder)]
    write_figures(folder, drawn)
    return [charts for _, charts in drawn]


def write_figures(folder: Path, groups: Sequence[tuple[str, ChartGroup]]) -> None:
    """Write figures by name into the folder ``muscle_groups`` of another, in place of those in it."""
    pictures = ResultsFolder(folder).muscle_groups
    pictures.mkdir(exist_ok=True)
    for old in pictures.glob("*.svg"):
        old.unlink()
    for name, group in groups:
        file = re.sub(r"[^\w.-]+", "_", name).strip("._") or "group"
        write_atomically(pictures / f"{file}.svg", group.svg())


def group_charts(group: Group, tables: Tables) -> ChartGroup:
    """Return a row of charts for each quantity, a column for each side, a line for each muscle."""
    members = dict.fromkeys(without_side(name)[0] for names in group.sides.values() for name in names)
    roles = {base: f"m{k % (2 * len(COLORS))}" for k, base in enumerate(members)}
    charts = []
    for quantity, unit, table in tables:
        columns = [table.column(name) for names in group.sides.values() for name in names]
        top = 1.0 if quantity == "activation" else max(float(np.max(column)) for column in columns)
        for side, names in group.sides.items():
            lines = [Line(table.time_s, table.column(name), roles[without_side(name)[0]]) for name in names]
            title = f"{quantity}, {side}" if side else quantity
            charts.append(Chart(tuple(lines), title, unit, y_range=(0.0, top)))
    legend = [(roles[base], base.replace("_", " ")) for base in members]
    return ChartGroup(readable(group.name), charts, len(group.sides), legend)


def comparison_charts(
    group: Group, percent: np.ndarray, trials: Mapping[str, Mapping[str, np.ndarray]], *, unit: str
) -> ChartGroup:
    """Return a chart for each muscle with every trial, their mean, and one standard deviation about it.

    Parameters
    ----------
    group : Group
        Muscles to show.
    percent : ndarray, shape (n,)
        Of the analysed window.
    trials : mapping
        By trial, the curve of each muscle at `percent`.
    unit : str
        Of the curves.
    """
    charts = []
    for name in (name for names in group.sides.values() for name in names):
        curves = np.array([trial[name] for trial in trials.values()])
        mean = curves.mean(axis=0)
        deviation = curves.std(axis=0, ddof=1) if len(curves) > 1 else np.zeros_like(mean)
        lines = [Line(percent, curve, "trial") for curve in curves] + [Line(percent, mean, "mean")]
        band = Band(percent, mean - deviation, mean + deviation)
        title = name.replace("_", " ")
        charts.append(Chart(tuple(lines), title, unit, "window (%)", y_range=(0.0, 0.0), bands=(band,)))
    legend = [("trial", f"{len(trials)} trials"), ("mean", "mean, with one standard deviation")]
    return ChartGroup(readable(group.name), charts, min(_IN_A_ROW, len(charts)), legend)
