"""Tables with named columns, of text or not: which columns are time and which are signals of sensors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.recording import units
from sspinn_opensim.recording.choices import RecordingChoice
from sspinn_opensim.recording.formats.channels import (
    ACCELERATION,
    ANGULAR_RATE,
    Channel,
    SensorChannels,
    channel_of,
    channels_by_letters,
    channels_by_order,
    sensors_of,
    without_unit,
)
from sspinn_opensim.recording.formats.column_options import SensorColumns, TableOptions, column_names
from sspinn_opensim.recording.formats.column_streams import Plan
from sspinn_opensim.recording.types import AXES

#: What a column of time is called where the study does not say, without its unit.
_TIME_NAMES = (
    *("time", "timestamp", "time stamp", "t", "epoch", "epoc"),
    *("datetime", "date time", "date_time", "date/time", "unix time", "unix_time"),
)
_TIME_UNIT = re.compile(
    r"(?P<name>.+?)[ _](?P<unit>s|sec|ms|us|µs|ns|seconds|milliseconds|microseconds|nanoseconds)", re.I
)
#: Columns that a message lists.
_SHOWN = 12


@dataclass(frozen=True)
class Header:
    """The names of columns, and what else stands above the numbers.

    Parameters
    ----------
    where : str
        File and line, for messages.
    names : tuple of str
        Names of the columns; empty where there is none.
    units : tuple of str
        Units on a line of their own, one a column; or none at all.
    groups : tuple of str
        Names of sensors on a line above, one a column; or none at all.
    """

    where: str
    names: tuple[str, ...]
    units: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def names_columns(cells: Sequence[str], options: TableOptions) -> bool:
    """Say whether a line of cells names columns: one of time, or a signal of a sensor."""
    named = {options.counter_column, *(name for own in options.columns for name in _named(own))} - {""}
    return bool(channels_by_letters(cells) or channels_by_order(cells)) or any(
        cell in named or _channel(cell, options) is not None or _is_time(cell, options)
        for cell in cells
        if cell
    )


def plan_of(header: Header, choice: RecordingChoice, options: TableOptions, rate_hz: float | None) -> Plan:
    """Return which columns are what.

    Parameters
    ----------
    rate_hz : float or None
        Rate that the file states beside its table.

    Raises
    ------
    InputError
        If there is neither a column of time nor a rate, a column that the study names is missing or used
        twice, or no column is a signal.
    """
    keys = f"[recording.{choice.format}]"
    time = _time_place(header, options, keys, has_rate=bool(choice.recorded_rate_hz or rate_hz))
    counter = _place(header, options.counter_column) if options.counter_column else None
    channels = {
        place: own for place, own in _channels(header, options).items() if place not in (time, counter)
    }
    sensors = _sensors(header, options, channels, keys)
    if not sensors:
        raise InputError(
            "The recording has no column of an accelerometer or gyroscope that is known by its name.",
            where=header.where,
            expected="NAME_acc_x ... NAME_gyro_z for each sensor NAME",
            found=_listed(header.names),
            fix=f"name the columns: [recording.{choice.format}.columns.NAME] with "
            "acceleration = [x, y, z] and angular_rate = [x, y, z]",
        )
    for sensor in sensors:
        _refuse_misspelt(sensor, header, channels, options)
    _refuse_used_twice(sensors, {"time": time, "the counter": counter}, header, keys)
    return Plan(sensors, time, counter, _time_unit(header, time, options, keys), _own_times(header, time))


def _time_place(header: Header, options: TableOptions, keys: str, *, has_rate: bool) -> int | None:
    """Return the column of time; None where there is none and a rate is known."""
    names = header.names
    found = [k for k, name in enumerate(names) if name == options.time_column]
    found += [k for k, name in enumerate(names) if _is_time(name, options)]
    if found:
        return found[0]
    if has_rate and options.time_column == TableOptions.time_column:
        return None
    raise InputError(
        f"The recording has no column '{options.time_column}'.",
        where=header.where,
        found=_listed(names),
        fix=nearest(options.time_column, names)
        or f"name the column of time: time_column under {keys}; without one, write "
        "recorded_rate_hz = ... under [recording]",
    )


def _own_times(header: Header, time: int | None) -> dict[int, int]:
    """Return the column of time of each column, where that comes again: the last to its left."""
    if time is None or header.names.count(header.names[time]) == 1:
        return {}
    last, own = time, {}
    for place, name in enumerate(header.names):
        last = place if name == header.names[time] else last
        own[place] = last
    return own


def _sensors(
    header: Header, options: TableOptions, channels: Mapping[int, Channel], keys: str
) -> tuple[SensorChannels, ...]:
    """Return the sensors that are found by the names of columns, and those whose columns the study names."""
    stated = {ACCELERATION: options.acceleration_unit, ANGULAR_RATE: options.angular_rate_unit}
    mapped = {own.name for own in options.columns}
    by_name = {place: own for place, own in channels.items() if own.sensor not in mapped}
    found = list(sensors_of(by_name, stated, header.where, keys))
    for own in options.columns:
        named = {place: channel for place, channel in channels.items() if channel.sensor == own.name}
        for quantity in (ACCELERATION, ANGULAR_RATE):
            names = getattr(own, quantity)
            if names is None:
                continue
            named = {place: channel for place, channel in named.items() if channel.quantity != quantity}
            _refuse_repeated(own, header, keys)
            for axis, name in enumerate(names):
                if name:
                    place = _place(header, name)
                    named[place] = Channel(own.name, quantity, axis, _unit_at(header, place))
        found += sensors_of(named, stated, header.where, keys)
    return tuple(sensor for sensor in found if sensor.columns)


def _named(own: SensorColumns) -> tuple[str, ...]:
    return (*(own.acceleration or ()), *(own.angular_rate or ()))


def _is_time(name: str, options: TableOptions) -> bool:
    """Say whether a name is that of the column of time, with or without its unit."""
    plain = _time_and_unit(name)[0]
    if options.time_column != TableOptions.time_column:
        return options.time_column in (name, without_unit(name)[0])
    return plain.lower() in _TIME_NAMES


def _time_and_unit(name: str) -> tuple[str, str]:
    plain, unit = without_unit(name)
    match = None if unit else _TIME_UNIT.fullmatch(plain)
    return (match["name"], match["unit"]) if match else (plain, unit)


def _time_unit(header: Header, time: int | None, options: TableOptions, keys: str) -> str:
    if time is None:
        return ""
    spelt = _time_and_unit(header.names[time])[1] or _unit_at(header, time)
    unit = units.unit_of(spelt)
    known = unit if unit in units.TIME else ""
    if known and options.time_unit and known != options.time_unit:
        raise InputError(
            "The unit of time is stated twice, and differently.",
            where=header.where,
            expected=f'time_unit = "{known}", as the file says',
            found=f'time_unit = "{options.time_unit}" in the study',
            fix=f"leave time_unit out of {keys}",
        )
    return options.time_unit or known


def _unit_at(header: Header, place: int) -> str:
    return without_unit(header.names[place])[1] or (header.units[place] if header.units else "")


def _channels(header: Header, options: TableOptions) -> dict[int, Channel]:
    """Return what each column is that is known by its name."""
    found = {}
    spelt = {place: _channel(name, options) for place, name in enumerate(header.names) if name}
    if not any(spelt.values()) and not options.columns:
        spelt = channels_by_letters(header.names) or channels_by_order(header.names)
    for place, channel in spelt.items():
        if channel is not None:
            sensor = channel.sensor or (header.groups[place] if header.groups else "")
            unit = channel.unit or (header.units[place] if header.units else "")
            found[place] = Channel(sensor, channel.quantity, channel.axis, unit)
    return found


def _channel(name: str, options: TableOptions) -> Channel | None:
    """Return what a name says, by the patterns of the study first."""
    patterns = {ACCELERATION: options.acceleration_pattern, ANGULAR_RATE: options.angular_rate_pattern}
    for quantity, pattern in patterns.items():
        if pattern and (found := _expression(pattern).fullmatch(name)):
            parts = found.groupdict()
            axis = "xyz".index(parts.get("axis", "x").lower())
            return Channel(parts.get("sensor", ""), quantity, axis, without_unit(name)[1])
    return channel_of(name)


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern of the study."""
    for part in ("{sensor}", "{axis}"):
        if pattern.count(part) > 1:
            raise InputError(f"A pattern of column names holds {part} more than once.", found=pattern[:200])
    return re.compile(
        re.escape(pattern)
        .replace(re.escape("{sensor}"), "(?P<sensor>.+?)")
        .replace(re.escape("{axis}"), "(?P<axis>[xyzXYZ])")
    )


def _place(header: Header, name: str) -> int:
    """Return the place of a column that the study names, with or without its unit."""
    plain = [without_unit(own)[0] for own in header.names]
    for names in (header.names, plain):
        if names.count(name) == 1:
            return names.index(name)
        if names.count(name) > 1:
            raise InputError(
                f"Several columns are named '{name}'.", where=header.where, fix="give each its own name"
            )
    raise InputError(
        f"The recording has no column '{name}'.",
        where=header.where,
        found=_listed(header.names),
        fix=nearest(name, header.names) or "name a column of the file in the study",
    )


def _refuse_misspelt(
    sensor: SensorChannels, header: Header, channels: Mapping[int, Channel], options: TableOptions
) -> None:
    """Refuse a column that is most likely the missing axis of a sensor, misspelt."""
    own = next((own for own in options.columns if own.name == sensor.name), SensorColumns(""))
    for quantity, kind in ((ACCELERATION, "acc"), (ANGULAR_RATE, "gyr")):
        missing = [
            axis for axis, place in enumerate(sensor.places.get(quantity, (None,) * 3)) if place is None
        ]
        if not missing or not sensor.name or getattr(own, quantity) is not None:
            continue
        for place, name in enumerate(header.names):
            rest = name.lower().removeprefix(sensor.name.lower()).lstrip(" _.:/-")
            ends = [AXES[axis] for axis in missing]
            if rest == name.lower() or place in channels or name in _named(own) or not rest.startswith(kind):
                continue
            if without_unit(rest)[0][-1:] in ends:
                patterns = column_names(sensor.name, "acc" if kind == "acc" else "gyro")
                raise InputError(
                    f"The column '{name}' looks like a signal of '{sensor.name}' but is not named like one.",
                    where=header.where,
                    expected=", ".join(patterns),
                    fix=nearest(name.lower(), patterns),
                )


def _refuse_repeated(own: SensorColumns, header: Header, keys: str) -> None:
    """Refuse a column that the study names twice for one sensor."""
    names = [name for name in _named(own) if name]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"The column '{name}' is used twice.",
                where=f"{header.where}, {keys}",
                expected="a column of its own for each signal",
                found=", ".join(names),
                fix=f"correct the columns of '{own.name}' in the study",
            )


def _refuse_used_twice(
    sensors: Sequence[SensorChannels], others: Mapping[str, int | None], header: Header, keys: str
) -> None:
    """Refuse a column that is two signals, or time and a signal."""
    used = {place: words for words, place in others.items() if place is not None}
    for sensor in sensors:
        for quantity, places in sensor.places.items():
            for axis, place in zip(AXES, places, strict=True):
                words = f"the {quantity.replace('_', ' ')} {axis} of '{sensor.name}'"
                if place is not None and used.setdefault(place, words) != words:
                    raise InputError(
                        f"The column '{header.names[place]}' is used twice.",
                        where=f"{header.where}, {keys}",
                        expected="a column of its own for each signal",
                        found=f"{used[place]}, and {words}",
                        fix=f"correct the columns of '{sensor.name}' in the study",
                    )


def _listed(names: Sequence[str]) -> str:
    shown = [name for name in names if name]
    return ", ".join(shown[:_SHOWN]) + (f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else "")
