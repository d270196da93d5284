"""A plain table of text: one row of column names, one column of time in s, one column per signal.

Commas, semicolons or tabs separate the columns; numbers have a decimal point. The study says which columns
belong to which sensor, their units, and how each sensor was mounted.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.recording import units
from sspinn_opensim.recording.mounting import mounting_rotation, place_sensor
from sspinn_opensim.recording.resample import interpolate
from sspinn_opensim.recording.rotation import rotate
from sspinn_opensim.recording.types import AXES, Recording, check_time
from sspinn_opensim.study import RecordingChoice, SensorChoice

#: A step may depart from the typical one by this fraction of it before samples count as lost.
_JITTER = 0.5
#: A clock written with three decimals strays by up to this from the line between its ends, which are rounded
#: too; such a clock is uniform, only printed coarsely.
_PRINTED_STEP_S = 1e-3
#: No wearable sensor samples more slowly than this; a larger step is a time in milliseconds or a row number.
_LONGEST_STEP_S = 0.2


@dataclass(frozen=True, eq=False)
class Table:
    """A text table.

    Parameters
    ----------
    path : Path
    columns : tuple of m str
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

    Parameters
    ----------
    choice : RecordingChoice
        File, time column and units.
    sensors : sequence of SensorChoice
        The sensors to take; columns of others are left alone.

    Returns
    -------
    Recording
        At the file's own mean rate: a clock that is rounded or jitters is replaced by a uniform one.

    Raises
    ------
    InputError
        If a column is missing, a cell is no number, time does not increase, or samples are lost.
    """
    table = read_table(choice.file)
    clock = _clock(table, choice.time_column)
    acceleration = units.factor(choice.acceleration_unit, units.ACCELERATION, "acceleration_unit")
    angular_rate = units.factor(choice.angular_rate_unit, units.ANGULAR_RATE, "angular_rate_unit")
    signals = [_sensor_signals(table, sensor, acceleration, angular_rate) for sensor in sensors]
    stacked = np.stack([np.stack(pair, axis=1) for pair, _ in signals], axis=1)
    available = np.array([flags for _, flags in signals])
    time_s, stacked = _on_uniform_clock(clock, stacked)
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
    )


def read_table(path: str | Path) -> Table:
    """Read a text table of numbers under one line of names.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If the file cannot be read, has no line of names or no rows, repeats a name, or a row has too few or
        many cells or one that is no number; the message names line and column.
    """
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
    return Table(path, columns, np.array(values), tuple(lines))


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


def _clock(table: Table, column: str) -> np.ndarray:
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


def _on_uniform_clock(time_s: np.ndarray, signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a uniform clock and the signals (n, ...) on it."""
    uniform = np.linspace(time_s[0], time_s[-1], time_s.size)
    if np.max(np.abs(time_s - uniform)) <= _PRINTED_STEP_S:
        return uniform, signals
    return uniform, interpolate(time_s, signals, uniform)


def _sensor_signals(
    table: Table, sensor: SensorChoice, acceleration: float, angular_rate: float
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return both signals (n, 3) of a sensor in body axes and SI, and their flags (3,)."""
    _refuse_unknown_columns(table, sensor)
    rotation = mounting_rotation(sensor)
    chosen = (
        ("acc", sensor.acceleration_columns, acceleration),
        ("gyro", sensor.angular_rate_columns, angular_rate),
    )
    signals, flags = [], []
    for kind, names, factor in chosen:
        columns = names or tuple(_default(table, f"{sensor.name}_{kind}_{axis}") for axis in AXES)
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
            or f"name the columns in [sensors.{sensor.name}]: acceleration_columns, angular_rate_columns",
        )
    return signals, flags


def _default(table: Table, name: str) -> str:
    return name if name in table.columns else ""


def _refuse_unknown_columns(table: Table, sensor: SensorChoice) -> None:
    """Refuse a column that carries the sensor's name but fits no pattern: most likely a misspelt one."""
    named = {*(sensor.acceleration_columns or ()), *(sensor.angular_rate_columns or ())}
    if sensor.acceleration_columns and sensor.angular_rate_columns:
        return
    patterns = [f"{sensor.name}_{kind}_{axis}" for kind in ("acc", "gyro") for axis in AXES]
    for column in table.columns:
        prefix = f"{sensor.name}_"
        if column.lower().startswith((f"{prefix}acc", f"{prefix}gyr")) and column not in (*patterns, *named):
            raise InputError(
                f"The column '{column}' looks like a signal of '{sensor.name}' but is not named like one.",
                where=f"{table.path}, line 1",
                expected=", ".join(patterns),
                fix=nearest(column.lower(), patterns),
            )
