"""Tables of Shimmer's sensors, as ConsensysPRO exports them: calibrated, one sensor a file or all in one.

A line ``sep=,`` (or a tab) may come first; names such as "Shimmer_8665_Accel_WR_X_CAL" stand over a line
of units ("m/(s^2)", "deg/s", "ms"). Of the two accelerometers that of wide range (WR, up to 16 g) is read
where it was recorded, as the impact of a foot exceeds the 2 g of the other (LN, low noise). Time is
"Timestamp_Unix_CAL", or "TimestampSync_Unix_CAL" where clocks were synchronized afterwards; else the same
as a date, "Timestamp_FormattedUnix_CAL". What others made of such tables lacks the line of units, or
the name of the sensor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.folders import head_of, recorded_files, sensors_of_folder
from sspinn_opensim.recording.formats.text_layout import read_table
from sspinn_opensim.recording.formats.text_tables import first_lines, read_bytes
from sspinn_opensim.recording.streams import Stream

_SIGNAL = re.compile(r"(?:(?P<sensor>.+)_)?(?P<what>Accel_LN|Accel_WR|Gyro)_(?P<axis>[XYZ])_CAL")
_TIME = re.compile(r"(?:(?P<sensor>.+)_)?(?P<what>Timestamp(?:Sync)?_(?:Formatted)?Unix)_CAL")
_RAW = re.compile(r"(?:.+_)?(?:Accel_LN|Accel_WR|Gyro)_[XYZ]_(?:RAW|UNCAL)")
#: The first of these that a sensor has is its time.
_TIMES = tuple(f"Timestamp{sync}_{form}" for sync in ("Sync", "") for form in ("Unix", "FormattedUnix"))
_DATE = re.compile(rb"(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{3})")
#: Names and units of several sensors in one file take less.
_NAMES_BYTES = 100_000
_UNIX_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class ShimmerOptions:
    """``[recording.shimmer]``: which files of a folder.

    Parameters
    ----------
    trial : str
        The trial in the names of the files, or how these start, if a folder holds several.
    """

    trial: str = ""


def read_shimmer(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the stream of each sensor of a file or folder.

    Raises
    ------
    InputError
        If the folder holds no such file, or several trials and none is chosen; if a file is damaged, or has
        no time or raw data only.
    """
    path, options = choice.file, choice.options or ShimmerOptions()
    files = recorded_files(path, _is_calibrated, "tables of ConsensysPRO with calibrated signals")
    return sensors_of_folder(path, files, options.trial, lambda file: _read_file(file, choice))


def is_shimmer(path: Path, head: bytes) -> bool:
    """Return whether a file names signals as ConsensysPRO does."""
    return any(_is_signal(name) for name in _names(path, head))


FORMAT = Format(
    "shimmer",
    ShimmerOptions,
    streams=read_shimmer,
    recognises=is_shimmer,
    folders=True,
    export="export calibrated data with the accelerometer of wide range and the gyroscope",
)


def _is_calibrated(path: Path, head: bytes) -> bool:
    return any(_SIGNAL.fullmatch(name) for name in _names(path, head))


def _is_signal(name: str) -> bool:
    return bool(_SIGNAL.fullmatch(name) or _RAW.fullmatch(name))


def _names(path: Path, head: bytes) -> tuple[str, ...]:
    """Return the names of the columns: of the first lines that with the first signal."""
    for line in first_lines(path, head)[:4]:
        names = tuple(cell.strip().strip('"') for cell in re.split(r"[,;\t]", line))
        if any(map(_is_signal, names)):
            return names
    return ()


def _read_file(path: Path, choice: RecordingChoice) -> tuple[Stream, ...]:
    head = head_of(path, _NAMES_BYTES)
    names = _names(path, head)
    signals = [found for found in map(_SIGNAL.fullmatch, names) if found]
    times = [found for found in map(_TIME.fullmatch, names) if found]
    if not signals:
        raise InputError(
            "The table has no calibrated signals.",
            where=path,
            found=", ".join(list(filter(_RAW.fullmatch, names))[:3]),
            fix="export calibrated data",
        )
    if not times:
        raise InputError(
            "The table has no time since 1970.",
            where=path,
            expected="a column Timestamp_Unix_CAL",
            found=", ".join(name for name in names if "Timestamp" in name) or "no time",
            fix="export again with the time stamp in Unix format",
        )
    used: dict[str | None, str] = {}
    for found in sorted(times, key=lambda found: -_TIMES.index(found["what"])):
        used[found["sensor"]] = found["what"]
    dates = any("Formatted" in what for what in used.values())
    data = _DATE.sub(_unix_ms, read_bytes(path)) if dates else None
    # Without a line of units these are those of ConsensysPRO.
    table = TableOptions(angular_rate_unit="" if b"/s" in head else "deg/s")
    return read_table(path, choice, table, _speller(signals, used), data)


def _unix_ms(found: re.Match[bytes]) -> bytes:
    """Return a date as milliseconds since 1970; what is no date as it is."""
    year, month, day, hour, minute, second, ms = map(int, found.groups())
    try:
        days = date(year, month, day).toordinal() - _UNIX_DAY
    except ValueError:
        return found[0]
    return b"%d" % ((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms)


def _speller(signals: Iterable[re.Match[str]], times: Mapping[str | None, str]) -> Callable[[str], str]:
    """Return what spells a column's name as tables of any origin do; empty for those that are not read.

    Parameters
    ----------
    signals : iterable of match
        The columns that are signals.
    times : mapping of str to str
        For each sensor the name of its column of time.
    """
    wide = {found["sensor"] for found in signals if found["what"] == "Accel_WR"}

    def spelt(name: str) -> str:
        if found := _TIME.fullmatch(name):
            return "time (ms)" if found["what"] == times.get(found["sensor"]) else ""
        found = _SIGNAL.fullmatch(name)
        if found is None or (found["what"] == "Accel_LN" and found["sensor"] in wide):
            return ""
        kind = "gyro" if found["what"] == "Gyro" else "acc"
        return "_".join(filter(None, (found["sensor"], kind, found["axis"].lower())))

    return spelt
