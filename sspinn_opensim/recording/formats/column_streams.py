"""Streams of sensors from columns of numbers, by a plan that says what each column is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import units
from sspinn_opensim.recording.formats.channels import (
    ACCELERATION,
    ANGULAR_RATE,
    SensorChannels,
)
from sspinn_opensim.recording.streams import Stream

#: A time beyond this counts from 1970, not from the start of a recording, s.
_DATE_S = 1e8
#: Dates from 2001 to 2100, s since 1970, and what may be from sample to sample, s: together they tell a unit.
_DATES_S, _STEPS_S = (9.8e8, 4.1e9), (2e-4, 0.2)
#: Times since 1970 are counted from one of these, 12 days apart, s.
_PERIOD_S = 2**20


@dataclass(frozen=True)
class Plan:
    """Which columns are needed, by their places, and what for.

    Parameters
    ----------
    sensors : tuple of SensorChannels
        The sensors.
    time, counter : int or None
        Columns of time and of the number of each sample.
    time_unit : str
        Unit of time, a key of `units.TIME`; empty: it is not stated.
    own_times : mapping of int to int
        Column of time of each signal, where they have several.
    """

    sensors: tuple[SensorChannels, ...]
    time: int | None
    counter: int | None
    time_unit: str
    own_times: Mapping[int, int] = field(default_factory=dict)

    def in_seconds(self) -> Plan:
        """Return the plan with time in s."""
        return replace(self, time_unit="s")

    @property
    def columns(self) -> list[int]:
        """Columns to read, in rising order."""
        own = {place for sensor in self.sensors for place in sensor.columns}
        own |= {self.own_times[place] for place in own if self.own_times}
        return sorted(own | {place for place in (self.time, self.counter) if place is not None})


def streams_of(
    plan: Plan,
    column: Mapping[int, np.ndarray],
    path: Path,
    recorded_rate_hz: float | None,
    rate_hz: float | None = None,
    lines: Sequence[int] | None = None,
    notes: tuple[str, ...] = (),
) -> tuple[Stream, ...]:
    """Return a stream for each sensor of a plan.

    Parameters
    ----------
    column : mapping of int to (n,) array
        Numbers of the columns that the plan asks for.
    recorded_rate_hz : float or None
        Rate that the study states.
    rate_hz : float or None
        Rate that the file states beside its table; a column of time says it better.
    lines : sequence of n int, optional
        Line of the file of each row.
    notes : tuple of str
        What the reader mended.

    Raises
    ------
    InputError
        If a counter is no whole number, or the signals of one sensor have times that differ.
    """
    if plan.own_times:
        found: list[Stream] = []
        for sensor in plan.sensors:
            time = _own_time(sensor, plan.own_times, column, path)
            own = replace(plan, sensors=(sensor,), time=time, own_times={})
            # Below the last sample of a slower sensor cells are empty, or zero.
            there = np.isfinite(column[time])
            there[np.max(np.flatnonzero(there & (column[time] != 0.0)), initial=0) + 1 :] = False
            kept = {place: column[place][there] for place in own.columns}
            own_lines = lines if lines is None else [lines[row] for row in np.flatnonzero(there).tolist()]
            found += streams_of(own, kept, path, recorded_rate_hz, rate_hz, own_lines, notes)
        return tuple(found)
    unit = plan.time_unit
    if not unit and plan.time is not None and (unit := _unit_of_date(column[plan.time])):
        notes = (*notes, f"Times are taken to count {unit} from 1970.") if unit != "s" else notes
    time_s = None if plan.time is None else _seconds(column[plan.time], units.TIME.get(unit, 1.0))
    counter = None if plan.counter is None else _whole(column[plan.counter], path, lines)
    if counter is None and time_s is not None and not plan.time_unit and _counts(time_s):
        # Without a rate these are handed on as times, and the clocks say what is wrong with them.
        stated = recorded_rate_hz or rate_hz
        if stated:
            time_s, counter = None, time_s.astype(np.int64)
            notes = (*notes, f"The column of time counts samples, which were taken at {stated:g} Hz.")
    return tuple(
        Stream(
            sensor.name or path.stem,
            path,
            sensor.signal(ACCELERATION, column),
            sensor.signal(ANGULAR_RATE, column),
            time_s=time_s,
            counter=counter,
            rate_hz=rate_hz if time_s is None else None,
            notes=notes,
            lines=lines,
        )
        for sensor in plan.sensors
    )


def _unit_of_date(time: np.ndarray) -> str:
    """Return the unit in which times count from 1970, if one makes them a date and their steps usual."""
    steps = np.diff(time)
    if not (steps.size and np.all(np.isfinite(time))):
        return ""
    step = float(np.median(steps))
    fits = (
        unit
        for unit, unit_s in units.TIME.items()
        if _DATES_S[0] < unit_s * time[0] < _DATES_S[1] and _STEPS_S[0] <= unit_s * step <= _STEPS_S[1]
    )
    return next(fits, "")


def _seconds(time: np.ndarray, unit_s: float) -> np.ndarray:
    """Return times in s; of those since 1970 from a day not long before, so that they keep their digits."""
    if not (time.size and _DATE_S < unit_s * time[0] < np.inf):
        return unit_s * time
    # The same day for all sensors, as a rule; where not, they have no time in common, which is told.
    periods = np.floor(unit_s * time[0] / _PERIOD_S) - 1
    return (time - periods * (_PERIOD_S * round(1 / unit_s))) * unit_s


def _own_time(
    sensor: SensorChannels, own_times: Mapping[int, int], column: Mapping[int, np.ndarray], path: Path
) -> int:
    """Return the column of time of a sensor, of which each signal may have a copy."""
    first, *others = dict.fromkeys(own_times[place] for place in sensor.columns)
    for other in others:
        if not np.array_equal(column[first], column[other], equal_nan=True):
            raise InputError(
                f"The signals of '{sensor.name}' were not sampled at the same times.",
                where=path,
                expected="accelerometer and gyroscope at one rate",
                found=f"times that differ, in columns {first + 1} and {other + 1}",
                fix="export all signals of a sensor at one rate",
            )
    return first


def _counts(time_s: np.ndarray) -> bool:
    """Say whether a column counts samples: whole numbers, most of them one apart."""
    steps = np.diff(time_s)
    return len(steps) > 0 and float(np.median(steps)) == 1.0 and bool(np.all(time_s == np.round(time_s)))


def _whole(numbers: np.ndarray, path: Path, lines: Sequence[int] | None) -> np.ndarray:
    bad = np.flatnonzero(~(np.isfinite(numbers) & (numbers == np.round(numbers)) & (np.abs(numbers) < 2**53)))
    if bad.size:
        row = int(bad[0])
        raise InputError(
            "The counter of the samples is not a whole number.",
            where=f"{path}, " + (f"line {lines[row]}" if lines is not None else f"row {row + 1}"),
            found=f"{numbers[row]:g}",
        )
    return numbers.astype(np.int64)
