"""Strides, mean curves and spatiotemporal values in files that a spreadsheet opens."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import check_input
from sspinn_opensim.anatomy import SIDES
from sspinn_opensim.files import write_atomically
from sspinn_opensim.gait.cycles import PERCENT, Cycle
from sspinn_opensim.gait.spatiotemporal import NUMBERS, StrideValues
from sspinn_opensim.gait.strides import Stride, Strides
from sspinn_opensim.text import csv_table

#: Columns of a table of cycles before those of the curves.
_KEYS = ("kind", "side", "strides", "percent")
#: What a stride is made of beside side and kind.
_EVENTS = ("from_s", "toe_off_s", "to_s")
_SIDE_OF = {word: side for side, word in SIDES.items()}


def write_strides(path: Path, values: Iterable[StrideValues]) -> Path:
    """Write a row for each stride; what is not known is left empty."""
    rows = [[SIDES[v.side], v.kind, *(_text(getattr(v, name)) for name in NUMBERS)] for v in values]
    return _write(path, ("side", "kind", *NUMBERS), rows)


def read_strides(path: Path) -> Strides:
    """Read the events that `write_strides` wrote.

    Raises
    ------
    InputError
        The table is damaged.
    """
    try:
        return Strides(
            tuple(
                Stride(_SIDE_OF[row["side"]], row["kind"], *(float(row[name]) for name in _EVENTS))
                for row in _rows(path)
            ),
            {},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def write_cycles(path: Path, cycles: Sequence[Cycle]) -> Path:
    """Write mean and deviation (``_sd``) of every curve, a row for each percent of the cycle of each side."""
    names = list(cycles[0].mean) if cycles else []
    rows = []
    for cycle in cycles:
        curves = [curve for name in names for curve in (cycle.mean[name], cycle.sd[name])]
        for k, percent in enumerate(PERCENT):
            key = [cycle.kind, SIDES[cycle.side], str(cycle.strides), f"{percent:g}"]
            rows.append([*key, *(_text(curve[k]) for curve in curves)])
    return _write(path, (*_KEYS, *(label for name in names for label in (name, f"{name}_sd"))), rows)


def read_cycles(path: Path) -> list[Cycle]:
    """Read what `write_cycles` wrote.

    Raises
    ------
    InputError
        The table is damaged.
    """
    rows = _rows(path)
    try:
        return [_cycle(rows[k : k + len(PERCENT)]) for k in range(0, len(rows), len(PERCENT))]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def _rows(path: Path) -> list[dict[str, str]]:
    with check_input(path, "the table").open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return [{label.removeprefix("'"): cell for label, cell in row.items()} for row in rows]


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"The table {path.name} is damaged.",
        where=str(path),
        found=str(error),
        fix="run sspinn estimate again",
    )


def _cycle(rows: Sequence[dict[str, str]]) -> Cycle:
    """Return the cycle of rows from 0 to 100 percent."""
    curves = {
        label: np.array([float(row[label]) for row in rows]) for label in rows[0] if label not in _KEYS[:2]
    }
    if curves["percent"].tolist() != PERCENT.tolist():
        raise ValueError("its rows do not count from 0 to 100 percent")
    names = [name for name in curves if name not in _KEYS and not name.endswith("_sd")]
    return Cycle(
        _SIDE_OF[rows[0]["side"]],
        rows[0]["kind"],
        int(rows[0]["strides"]),
        {name: curves[name] for name in names},
        {name: curves[f"{name}_sd"] for name in names},
    )


def _text(value: float) -> str:
    return f"{value:.9g}" if math.isfinite(value) else ""


def _write(path: Path, labels: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    return write_atomically(path, csv_table([labels, *rows]))
