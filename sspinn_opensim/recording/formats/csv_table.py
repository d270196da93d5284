"""A plain table of text: one row of column names, one column of time in s, one column per signal.

Commas, semicolons or tabs separate the columns; numbers have a decimal point. Columns belong to a sensor by
their names, or as the study says, which also knows their units and how each sensor was mounted.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.recording import units
from sspinn_opensim.recording.choices import Format, RecordingChoice, SensorChoice
from sspinn_opensim.recording.mounting import mounting_rotation, place_sensor, rotate
from sspinn_opensim.recording.resample import interpolate
from sspinn_opensim.recording.types import Recording, check_time
from sspinn_opensim.settings.bounds import Names, OneOf

#: A step may depart from the typical one by this fraction of it before samples count as lost.
_JITTER = 0.5
#: By the rounding of binary numbers alone a clock strays by less than this fraction of a step.
_EXACT = 1e-3
#: A clock rounded to decimals strays by up to one unit of its last decimal from the line between its ends,
#: which are rounded too. Beyond this fraction of a step rounding is not told from jitter.
_LARGEST_ROUNDING = 0.25
#: Decimals of a clock that are looked for.
_MOST_DECIMALS = 7
#: No wearable sensor samples more slowly than this; a larger step is a time in milliseconds or a row number.
_LONGEST_STEP_S = 0.2


#: Kinds of signals in the names of columns: specific force, angular rate.
KINDS = ("acc", "gyro")


def column_names(sensor: str, kind: str) -> tuple[str, str, str]:
    """Return the columns of x, y and z of one of `KINDS` that belong to a sensor by their names."""
    return f"{sensor}_{kind}_x", f"{sensor}_{kind}_y", f"{sensor}_{kind}_z"


@dataclass(frozen=True)
class SensorColumns:
    """``[recording.csv.columns.NAME]``: columns of sensor NAME that are not called by the pattern.

    Parameters
    ----------
    name : str
        The NAME of the table.
    acceleration, angular_rate : tuple of 3 str or None
        Columns of the sensor's x, y, z signal; ``""`` = not measured. Default: those of ``NAME_acc_x`` ...
        ``NAME_gyro_z`` that the file has.
    """

    name: str
    acceleration: Names | None = None
    angular_rate: Names | None = None


@dataclass(frozen=True)
class CsvOptions:
    """``[recording.csv]``: what a table of text does not say of itself.

    Parameters
    ----------
    time_column : str
        Column that holds time in s.
    acceleration_unit, angular_rate_unit : str
        Units in the file.
    columns : tuple of SensorColumns
        Columns of sensors that are not called by the pattern.
    """

    time_column: str = "time"
    acceleration_unit: Annotated[str, OneOf(units.ACCELERATION)] = "m/s^2"
    angular_rate_unit: Annotated[str, OneOf(units.ANGULAR_RATE)] = "rad/s"
    columns: tuple[SensorColumns, ...] = ()


@dataclass(frozen=True, eq=False)
class CsvTable:
    """A text table.

    Parameters
    ----------
    path : Path
        The file, for messages.
    columns : tuple of m str
        Names in the first line.
    values : (n, m) array
        NaN where a cell is empty or says ``nan``.
    lines : tuple of n int
        Line of the file of each row.
    """

    path: Path
    columns: tuple[str, ...]
    values: np.ndarray
    lines: tuple[int, ...]

    def column(self, name: str) -> np.ndarray:
        """Return a column, which must exist and hold a number in every row."""
        if name not in self.columns:
            raise InputError(
                f"The recording has no column '{name}'.",
                where=f"{self.path}, line 1",
                found=", ".join(self.columns),
                fix=nearest(name, self.columns) or "name the column in the study",
            )
        values = self.values[:, self.columns.index(name)]
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise InputError(
                "A sample is empty or not a number.",
                where=f"{self.path}, line {self.lines[bad[0]]}, column '{name}'",
                found=f"{bad.size} such samples of {values.size} in this column",
                fix="fill the gap before reading, cut the recording, or leave the column out",
            )
        return values


def read_csv(choice: RecordingChoice, sensors: Sequence[SensorChoice]) -> Recording:
    """Read a CSV recording.

    Returns
    -------
    Recording
        At the file's own mean rate: a clock that is rounded or jitters is replaced by a uniform one.
    """
    table, options = read_table(choice.file), choice.options or CsvOptions()
    clock = _clock(table, options.time_column)
    signals = [_sensor_signals(table, sensor, options) for sensor in sensors]
    stacked = np.stack([np.stack(pair, axis=1) for pair, _ in signals], axis=1)
    available = np.array([flags for _, flags in signals])
    time_s, stacked, notes = _on_uniform_clock(clock, stacked)
    unknown = np.zeros((len(sensors), 3))
    return Recording(
        name=choice.name,
        time_s=time_s,
        sensors=tuple(place_sensor(sensor) for sensor in sensors),
        acceleration=stacked[:, :, 0],
        angular_rate=stacked[:, :, 1],
        acceleration_available=available[:, 0],
        angular_rate_available=available[:, 1],
        acceleration_variance=unknown,
        angular_rate_variance=unknown,
        speed_m_s=choice.speed_m_s,
        notes=notes,
    )


FORMAT = Format("csv", CsvOptions, read_csv, segment_axes=True, sensor_tables=("columns",))


def read_table(path: str | Path) -> CsvTable:
    """Read a text table of numbers under one line of names."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"The recording cannot be read: {error.strerror}.", where=path) from error
    except UnicodeDecodeError as error:
        raise InputError(
            "The recording is not a text table.", where=path, fix="save it as CSV, UTF-8"
        ) from error
    header, _, _ = text.partition("\n")
    delimiter = max(",;\t", key=header.count)
    rows = csv.reader(text.splitlines(), delimiter=delimiter)
    columns = tuple(name.strip() for name in next(rows, []))
    _check_header(columns, path)
    values, lines = [], []
    for cells in rows:
        if any(cell.strip() for cell in cells):
            values.append(_numbers(cells, columns, f"{path}, line {rows.line_num}"))
            lines.append(rows.line_num)
    if not values:
        raise InputError(
            "The recording has no samples.", where=path, expected="rows of numbers below the column names"
        )
    return CsvTable(path, columns, np.array(values), tuple(lines))


def _check_header(columns: tuple[str, ...], path: Path) -> None:
    where = f"{path}, line 1"
    if not any(columns):
        raise InputError(
            "The recording is empty.", where=where, expected="a line of column names, then numbers"
        )
    if all(_is_number(name) for name in columns if name):
        raise InputError(
            "The first line holds numbers, not column names.",
            where=where,
            found=", ".join(columns[:4]) + (" ..." if len(columns) > 4 else ""),
            fix="write the names of the columns in the first line",
        )
    for name in columns:
        if columns.count(name) > 1:
            raise InputError(f"Two columns are named '{name}'.", where=where, fix="rename one of them")


def _numbers(cells: list[str], columns: tuple[str, ...], where: str) -> list[float]:
    if len(cells) != len(columns):
        raise InputError(
            "A row does not match the line of names.",
            where=where,
            expected=f"{len(columns)} cells",
            found=f"{len(cells)} cells",
        )
    numbers = []
    for name, cell in zip(columns, cells, strict=True):
        text = cell.strip()
        if text and not _is_number(text):
            comma = "," in text and _is_number(text.replace(",", "."))
            raise InputError(
                "A cell is not a number.",
                where=f"{where}, column '{name}'",
                found=f"'{text}'",
                fix="write numbers with a decimal point" if comma else "",
            )
        numbers.append(float(text or "nan"))
    return numbers


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _clock(table: CsvTable, column: str) -> np.ndarray:
    time_s = table.column(column)
    where = f"{table.path}, column '{column}'"
    if time_s.size > 1 and np.median(np.diff(time_s)) > _LONGEST_STEP_S:
        raise InputError(
            "Time is not in seconds.",
            where=where,
            expected=f"steps below {_LONGEST_STEP_S:g} s",
            found=f"steps of {np.median(np.diff(time_s)):g}",
            fix="write time in seconds; divide milliseconds by 1000",
        )
    check_time(time_s, where, _JITTER, table.lines)
    return time_s


def _on_uniform_clock(
    time_s: np.ndarray, signals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return a uniform clock, the signals (n, ...) on it, and a note where that changed something.

    A sensor samples evenly: where decimals explain how its clock strays, the samples are left as they are.
    """
    uniform = np.linspace(time_s[0], time_s[-1], time_s.size)
    step, stray = (time_s[-1] - time_s[0]) / (time_s.size - 1), np.max(np.abs(time_s - uniform))
    if stray <= _EXACT * step:
        return uniform, signals, ()
    strays = f"The clock strays from even steps of {1000 * step:.4g} ms by up to {1000 * stray:.2g} ms"
    decimals = _decimals(time_s)
    if stray <= min(1.001 * 10.0**-decimals, _LARGEST_ROUNDING * step):
        note = f"{strays}, as its {decimals} decimals explain: samples are taken as even."
        return uniform, signals, (note,)
    note = f"{strays}: signals are interpolated to even steps."
    return uniform, interpolate(time_s, signals, uniform), (note,)


def _decimals(time_s: np.ndarray) -> int:
    """Return how many decimals the times are written with, at most `_MOST_DECIMALS`."""
    close = (np.allclose(time_s, np.round(time_s, n), rtol=0.0, atol=1e-9) for n in range(_MOST_DECIMALS))
    return next((n for n, holds in enumerate(close) if holds), _MOST_DECIMALS)


def _sensor_signals(
    table: CsvTable, sensor: SensorChoice, options: CsvOptions
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return both signals (n, 3) of a sensor in body axes and SI, and their flags (3,)."""
    named = next((own for own in options.columns if own.name == sensor.name), SensorColumns(sensor.name))
    _refuse_unknown_columns(table, named)
    rotation = mounting_rotation(sensor)
    factors = (
        units.factor(options.acceleration_unit, units.ACCELERATION, "acceleration_unit"),
        units.factor(options.angular_rate_unit, units.ANGULAR_RATE, "angular_rate_unit"),
    )
    signals, flags = [], []
    for kind, names, factor in zip(KINDS, (named.acceleration, named.angular_rate), factors, strict=True):
        by_name = column_names(sensor.name, kind)
        columns = names or [name if name in table.columns else "" for name in by_name]
        available = np.array([bool(column) for column in columns])
        measured = [factor * table.column(name) if name else np.zeros(len(table.lines)) for name in columns]
        signal, available = rotate(np.stack(measured, axis=1), available, rotation)
        signals.append(signal)
        flags.append(available)
    if not np.any(flags):
        raise InputError(
            f"The recording has no column for sensor '{sensor.name}'.",
            where=f"{table.path}, line 1",
            expected=f"{sensor.name}_acc_x ... {sensor.name}_gyro_z",
            found=", ".join(table.columns),
            fix=nearest(f"{sensor.name}_acc_x", table.columns)
            or f"name the columns in [recording.csv.columns.{sensor.name}]: acceleration, angular_rate",
        )
    return signals, flags


def _refuse_unknown_columns(table: CsvTable, sensor: SensorColumns) -> None:
    """Refuse a column that carries the sensor's name but fits no pattern: most likely a misspelt one."""
    named = {*(sensor.acceleration or ()), *(sensor.angular_rate or ())}
    if sensor.acceleration and sensor.angular_rate:
        return
    patterns = [name for kind in KINDS for name in column_names(sensor.name, kind)]
    for column in table.columns:
        prefix = f"{sensor.name}_"
        if column.lower().startswith((f"{prefix}acc", f"{prefix}gyr")) and column not in (*patterns, *named):
            raise InputError(
                f"The column '{column}' looks like a signal of '{sensor.name}' but is not named like one.",
                where=f"{table.path}, line 1",
                expected=", ".join(patterns),
                fix=nearest(column.lower(), patterns),
            )
