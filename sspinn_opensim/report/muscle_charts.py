"""Forces and activations of muscle groups as SVG files that stand alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from sspinn_opensim.anatomy import without_side
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.static_optimization.groups import Group, groups_of
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.report.charts import HEIGHT, WIDTH, Band, Line, line_chart

FOLDER = "muscle_groups"
_GAP, _TITLE, _HEAD, _KEY = 18, 26, 20, 17
_KEYS_IN_A_ROW_PX = 8
_LETTER_PX = 6.6
_IN_A_ROW = 3
#: Colours that people with colour-blindness tell apart (Okabe and Ito 2008), then a second round, dashed.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1c2530", "#8c6d31")
_RULES = {
    "text": "font:11px system-ui,'Segoe UI',Helvetica,Arial,sans-serif;fill:#5b6673",
    ".title": "font-size:15px;font-weight:600;fill:#1c2530",
    ".head": "font-size:12px;fill:#1c2530",
    ".end": "text-anchor:end",
    ".mid": "text-anchor:middle",
    ".grid": "stroke:#dde3e9",
    ".zero": "stroke:#5b6673;opacity:.6",
    ".line": "fill:none;stroke-width:1.8;stroke-linejoin:round",
    ".line.trial": "stroke:#9aa4af;stroke-width:1",
    ".line.mean": "stroke:#0072b2;stroke-width:2.4",
    ".band": "fill:#0072b2;opacity:.18;stroke:none",
    **{
        f".line.m{k}": f"stroke:{_COLORS[k % len(_COLORS)]}"
        + (";stroke-dasharray:6 3" if k >= len(_COLORS) else "")
        for k in range(2 * len(_COLORS))
    },
}
#: Inside a page the rules must reach no other chart.
_STYLE = "".join(f".muscles {selector}{{{rule}}}" for selector, rule in _RULES.items())


@dataclass(frozen=True)
class Panel:
    """One chart of a figure."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    band: Band | None = None
    y_range: tuple[float, float] | None = None


def write_group_figures(folder: Path, model: str, forces: str, activations: str) -> dict[str, Path]:
    """Draw every muscle group of a folder's tables; return the files by group.

    Parameters
    ----------
    folder : Path
        Holds the files that follow; the figures go to its folder ``muscle_groups``.

    Raises
    ------
    InputError
        A file is missing or damaged.
    """
    tables = [
        ("force", "N", read_storage(folder / forces)),
        ("activation", "", read_storage(folder / activations)),
    ]
    written = {}
    (folder / FOLDER).mkdir(exist_ok=True)
    for old in (folder / FOLDER).glob("*.svg"):
        old.unlink()
    for group in groups_of(folder / model, tables[0][2].names):
        svg = group_figure(group, tables)
        written[group.name] = write_atomically(folder / FOLDER / f"{_file_name(group.name)}.svg", svg)
    return written


def group_figure(group: Group, tables: Sequence[tuple[str, str, Table]]) -> str:
    """Draw a group: a row for each (quantity, unit, table), a column for each side, a line a muscle."""
    members = dict.fromkeys(without_side(name)[0] for names in group.sides.values() for name in names)
    role = {base: f"m{k % (2 * len(_COLORS))}" for k, base in enumerate(members)}
    rows = []
    for quantity, unit, table in tables:
        columns = [table.column(name) for names in group.sides.values() for name in names]
        top = 1.0 if quantity == "activation" else max(float(np.max(column)) for column in columns)
        row = []
        for side, names in group.sides.items():
            lines = tuple(
                Line(table.time_s, table.column(name), role[without_side(name)[0]]) for name in names
            )
            row.append(Panel(f"{quantity}{', ' + side if side else ''}", unit, lines, y_range=(0.0, top)))
        rows.append(row)
    keys = [(role[base], base.replace("_", " ")) for base in members]
    return figure(rows, title=words(group.name), x_label="time (s)", keys=keys)


def comparison_figure(
    group: Group, percent: np.ndarray, trials: Mapping[str, Mapping[str, np.ndarray]], *, unit: str
) -> str:
    """Draw a group over several trials: a panel for each muscle, with each trial, the mean and one deviation.

    Parameters
    ----------
    percent : ndarray, shape (n,)
        Of the analysed window.
    trials : mapping
        By trial, the curve of each muscle at `percent`.
    """
    panels = []
    for names in group.sides.values():
        for name in names:
            curves = np.array([trial[name] for trial in trials.values()])
            mean = curves.mean(axis=0)
            deviation = curves.std(axis=0, ddof=1) if len(curves) > 1 else np.zeros_like(mean)
            lines = [Line(percent, curve, "trial") for curve in curves] + [Line(percent, mean, "mean")]
            band = Band(percent, mean - deviation, mean + deviation)
            panels.append(Panel(name.replace("_", " "), unit, tuple(lines), band, y_range=(0.0, 0.0)))
    rows = [panels[k : k + _IN_A_ROW] for k in range(0, len(panels), _IN_A_ROW)]
    keys = [("trial", f"{len(trials)} trials"), ("mean", "mean, with one standard deviation")]
    return figure(rows, title=words(group.name), x_label="window (%)", keys=keys)


def figure(
    rows: Sequence[Sequence[Panel]], *, title: str, x_label: str, keys: Sequence[tuple[str, str]]
) -> str:
    """Return panels in rows, under a title and above the keys of their lines, as a complete SVG document."""
    width = max(len(row) for row in rows) * (WIDTH + _GAP) + _GAP
    parts = [f'<text class="title" x="{_GAP}" y="{_TITLE - 6}">{escape(title)}</text>']
    y = _TITLE
    for row in rows:
        for column, panel in enumerate(row):
            x = _GAP + column * (WIDTH + _GAP)
            head = escape(panel.title) + (f" ({escape(panel.unit)})" if panel.unit else "")
            parts.append(f'<text class="head" x="{x}" y="{y + _HEAD - 6}">{head}</text>')
            chart = line_chart(
                panel.lines,
                title=panel.title,
                unit="",
                x_label=x_label,
                band=panel.band,
                y_range=panel.y_range,
            )
            inner = re.search(r"<svg [^>]*>(.*)</svg>", chart, re.DOTALL)
            if inner:
                parts.append(
                    f'<svg x="{x}" y="{y + _HEAD}" width="{WIDTH}" height="{HEIGHT}" '
                    f'viewBox="0 0 {WIDTH} {HEIGHT}">{inner[1]}</svg>'
                )
        y += _HEAD + HEIGHT + _GAP // 2
    x = float(_GAP)
    for role, text in keys:
        needed = 34 + _LETTER_PX * len(text) + _KEYS_IN_A_ROW_PX
        if x > _GAP and x + needed > width:
            x, y = float(_GAP), y + _KEY
        parts.append(f'<path class="line {role}" d="M{x:.0f} {y + 8}h24"/>')
        parts.append(f'<text x="{x + 29:.0f}" y="{y + 12}">{escape(text)}</text>')
        x += needed
    height = y + _KEY + 6
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="muscles" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{escape(title, quote=True)}">'
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def group_details(folder: Path) -> str:
    """Return the figures of a folder's muscle groups as HTML, each behind a click."""
    return "".join(
        f"<details><summary>{escape(words(path.stem))}: forces and activations</summary>"
        f'<div class="scroll">{path.read_text(encoding="utf-8")}</div></details>'
        for path in sorted((folder / FOLDER).glob("*.svg"))
    )


def words(name: str) -> str:
    """Turn the name of a group into words."""
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def _file_name(group: str) -> str:
    return re.sub(r"[^\w.-]+", "_", group).strip("._") or "group"
