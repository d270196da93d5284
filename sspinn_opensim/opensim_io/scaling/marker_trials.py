"""Marker trials (``.trc``): what laboratories have, read with every doubt named, written as OpenSim wants.

OpenSim has two readers of these files. One refuses a wrong number of markers, the other drops the last
markers without a word; neither says that a marker is a row of zeros, or that the unit in the header cannot
be right. What is read here is written anew for OpenSim, in metres, complete and with a header that is true.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import read_input
from sspinn_opensim.files import write_atomically

_METRES_PER = {"m": 1.0, "meter": 1.0, "meters": 1.0, "metre": 1.0, "metres": 1.0, "cm": 0.01, "mm": 0.001}
#: Without a unit in the header: markers on a person span decimetres to a few metres, in mm some hundreds.
_LARGEST_SPAN_IN_METRES = 10.0
_KEYS = [
    "DataRate",
    "CameraRate",
    "NumFrames",
    "NumMarkers",
    "Units",
    "OrigDataRate",
    "OrigDataStartFrame",
    "OrigNumFrames",
]
_AXIS = re.compile("[xyzXYZ][0-9]*")
#: Stands in all three coordinates of a marker that was not seen, in some laboratories' files.
_NINES = (9999.0, 9999.9, 9999.99, 9999.999, 99999.0, 999999.0)
_NOT_MEASURED = {"", "nan", "-nan", "-", "none", "null", "inf", "-inf"}


@dataclasses.dataclass(frozen=True)
class MarkerTrial:
    """Marker positions over time.

    Parameters
    ----------
    path : Path
        Where they were read.
    names : tuple of str
        Markers.
    time_s : (n,) array
        Increasing, s.
    position_m : (n, markers, 3) array
        In the laboratory's axes, m; NaN where a marker was not seen.
    notes : tuple of str
        What in the file was not as it should be, and how it was taken.
    """

    path: Path
    names: tuple[str, ...]
    time_s: np.ndarray
    position_m: np.ndarray
    notes: tuple[str, ...] = ()

    def part(self, from_s: float | None, to_s: float | None) -> MarkerTrial:
        """Return the frames of a time range."""
        low, high = -math.inf if from_s is None else from_s, math.inf if to_s is None else to_s
        # Times in text are rounded: a range that names the last frame should hold it.
        slack = 1e-6
        inside = (self.time_s >= low - slack) & (self.time_s <= high + slack)
        if low > high or not inside.any():
            raise InputError(
                "the marker trial has no frame in the time range",
                where=str(self.path),
                expected=f"a part of {self.time_s[0]:g} to {self.time_s[-1]:g} s",
                found=f"{low:g} to {high:g} s",
                fix="state a time range of the trial, or none for all of it",
            )
        return dataclasses.replace(self, time_s=self.time_s[inside], position_m=self.position_m[inside])

    def complete(self, needed: Sequence[str]) -> tuple[MarkerTrial, tuple[str, ...]]:
        """Return the frames in which all needed markers are seen, and the markers seen in all of those.

        Parameters
        ----------
        needed : sequence of str
            Markers that no frame may lack; those that the trial does not know are not looked at.

        Returns
        -------
        MarkerTrial
            Without gaps.
        tuple of str
            What was left out, in words.
        """
        seen = np.all(np.isfinite(self.position_m), axis=2)
        columns = [self.names.index(name) for name in dict.fromkeys(needed) if name in self.names]
        frames = np.all(seen[:, columns], axis=1)
        if not frames.any():
            gaps = {self.names[k]: int((~seen[:, k]).sum()) for k in columns if not seen[:, k].all()}
            worst = sorted(gaps, key=gaps.__getitem__, reverse=True)[:6]
            raise InputError(
                "no frame of the marker trial shows all the markers that are needed",
                where=str(self.path),
                found=", ".join(f"{name} missing in {gaps[name]} of {len(seen)} frames" for name in worst),
                fix="choose another time range, fill the gaps, or leave the marker out of the measurements",
            )
        always = np.all(seen[frames], axis=0)
        notes = []
        if not frames.all():
            notes.append(
                f"{int((~frames).sum())} of {len(frames)} frames lack a needed marker and are not used"
            )
        if not always.all():
            left = ", ".join(name for name, kept in zip(self.names, always, strict=True) if not kept)
            notes.append(f"markers with gaps, not needed and left out: {left}")
        names = tuple(name for name, kept in zip(self.names, always, strict=True) if kept)
        kept = dataclasses.replace(
            self, names=names, time_s=self.time_s[frames], position_m=self.position_m[frames][:, always]
        )
        return kept, tuple(notes)

    def place(self, name: str) -> np.ndarray:
        """Return the positions of a marker, (n, 3), m."""
        return self.position_m[:, self.names.index(name)]


def read_marker_trial(path: Path) -> MarkerTrial:
    """Read a ``.trc`` file.

    Parameters
    ----------
    path : Path
        The file. Byte order marks, any line ends, blank lines, wrong counts in the header, cells separated by
        blanks, commas or semicolons, blanks between names above tabs, decimal commas, empty cells, a
        prefix ``Subject:`` of all names, and markers at exactly zero or at 9999 (taken as not seen) are
        accepted; where this is a guess a note says so.
    """
    path = Path(path)
    lines = _lines(path)
    at = next((k for k, line in enumerate(lines) if line.lower().startswith("frame#")), None)
    if at is None:
        fix = "export the markers as .trc (OpenSim's Matlab and Python tools and most camera systems do)"
        raise InputError(
            "not a marker trial", where=str(path), expected="a line 'Frame#  Time  ...'", fix=fix
        )
    separator = next((mark for mark in "\t;," if mark in lines[at]), None)
    header, notes = _header(lines[:at], separator), []
    names = _names(lines[at].split(separator), path, notes)
    time_s, cells = _rows(lines[at + 1 :], at + 2, separator, names, path)
    _drop_nines(cells, names, notes)
    metres = _metres(header, cells, path, notes)
    for key, found, thing in (
        ("nummarkers", len(names), "markers"),
        ("numframes", len(time_s), "frames"),
    ):
        if header.get(key, "").isdigit() and int(header[key]) != found:
            notes.append(f"the header says {header[key]} {thing}, the file holds {found}")
    position = cells.reshape(len(time_s), len(names), 3) * metres
    zero = (position == 0.0).all(axis=2)
    if zero.any():
        position[zero] = np.nan
        which = ", ".join(name for name, hit in zip(names, zero.any(axis=0), strict=True) if hit)
        notes.append(f"exactly zero in some frames, taken as not seen: {which}")
    position.setflags(write=False)
    return MarkerTrial(path, names, time_s, position, tuple(notes))


def write_marker_trial(path: Path, trial: MarkerTrial) -> Path:
    """Write a trial without gaps as OpenSim's readers want it: tabs, metres, true counts.

    A single frame is written twice: OpenSim cannot take a rate from one.
    """
    time_s, position = trial.time_s, trial.position_m
    if len(time_s) == 1:
        time_s, position = np.append(time_s, time_s + 0.01), np.repeat(position, 2, axis=0)
    rate = f"{(len(time_s) - 1) / (time_s[-1] - time_s[0]):.6g}"
    count = str(len(time_s))
    values = [rate, rate, count, str(len(trial.names)), "m", rate, "1", count]
    axes = [f"{axis}{k}" for k in range(1, len(trial.names) + 1) for axis in "XYZ"]
    lines = [
        ["PathFileType", "4", "(X/Y/Z)", path.name],
        _KEYS,
        values,
        ["Frame#", "Time", *(cell for name in trial.names for cell in (name, "", ""))],
        ["", "", *axes],
        [],
    ]
    for number, (time, row) in enumerate(zip(time_s.tolist(), position.tolist(), strict=True), 1):
        lines.append([str(number), repr(time), *(repr(x) for place in row for x in place)])
    return write_atomically(path, "".join("\t".join(line) + "\n" for line in lines))


def _lines(path: Path) -> list[str]:
    data = read_input(path, "the marker trial")
    if b"\0" in data[:4096]:
        raise InputError(
            "not a marker trial but a binary file", where=str(path), fix="export the markers as .trc"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _header(lines: Sequence[str], separator: str | None) -> dict[str, str]:
    """Return the keys of the second line with the values of the third, in lower case."""
    for keys, values in pairwise(lines):
        if keys.lower().startswith("datarate"):
            cells = (line.split(separator if separator in (",", ";") else None) for line in (keys, values))
            return {k.strip().lower(): v.strip() for k, v in zip(*cells, strict=False)}
    return {}


def _names(cells: Sequence[str], path: Path, notes: list[str]) -> tuple[str, ...]:
    names = [cell.strip() for cell in cells[2:] if cell.strip()]
    if not names:  # "Frame#", a tab, and all else apart by blanks
        names = " ".join(cells).split()[2:]
        notes.append("the names are separated by blanks, not by tabs")
    if not names:
        raise InputError(
            "the marker trial names no marker",
            where=f"{path}, line 'Frame#'",
            expected="Frame#, Time and the name of each marker, separated by tabs",
            found=" ".join(cells).strip()[:80],
        )
    prefixes = {name.partition(":")[0] for name in names if ":" in name}
    if len(prefixes) == 1 and all(":" in name for name in names):
        names = [name.partition(":")[2] for name in names]
        notes.append(f"the prefix '{prefixes.pop()}:' of all markers is left out")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(
            "marker names are repeated", where=str(path), found=", ".join(twice), fix="rename or remove one"
        )
    return tuple(names)


def _rows(
    lines: Sequence[str], first: int, separator: str | None, names: Sequence[str], path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Return time, (n,), and coordinates, (n, 3 markers), of the data lines."""
    width, times, rows = 2 + 3 * len(names), [], []
    for number, line in enumerate(lines, first):
        cells = line.split(separator if separator and separator in line else None)
        if not line.strip() or not cells[0].strip() or _is_axes(line):
            continue  # blank, or the line X1 Y1 Z1 ..., mostly below the names
        if len(cells) != width and separator == "\t" and len(line.split()) == width:
            cells = line.split()
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(cells) > width or (len(cells) < width and not (separator and separator in line)):
            raise InputError(
                "a row of the marker trial has another number of cells than its names say",
                where=f"{path}, line {number}",
                expected=f"{width} cells: frame, time and x, y, z of {len(names)} markers",
                found=f"{len(cells)} cells",
                fix="export the trial again; names may hold no tab",
            )
        cells += [""] * (width - len(cells))
        numbers = [_number(cell, k, names, f"{path}, line {number}") for k, cell in enumerate(cells) if k]
        times.append(numbers[0])
        rows.append(numbers[1:])
    time_s = np.array(times)
    if not len(time_s):
        raise InputError("the marker trial has no frame", where=str(path))
    if not np.isfinite(time_s).all() or (np.diff(time_s) <= 0).any():
        raise InputError(
            "time in the marker trial does not increase", where=str(path), fix="export the trial again"
        )
    return time_s, np.array(rows)


def _is_axes(line: str) -> bool:
    """Whether a line is X1 Y1 Z1 ..., which some write from the first cell on."""
    return all(map(_AXIS.fullmatch, re.split("[\\s,;]+", line.strip(" \t,;"))))


def _number(cell: str, column: int, names: Sequence[str], where: str) -> float:
    text = cell.strip()
    if text.lower() in _NOT_MEASURED:
        return math.nan
    try:
        return float(text.replace(",", "."))
    except ValueError:
        what = "time" if column == 1 else f"marker '{names[(column - 2) // 3]}'"
        raise InputError(f"{what} is not a number", where=where, found=repr(text)) from None


def _drop_nines(cells: np.ndarray, names: Sequence[str], notes: list[str]) -> None:
    """Take a marker at 9999 in all three coordinates as not seen."""
    places = cells.reshape(len(cells), len(names), 3)
    nines = np.asarray(np.isin(np.abs(places), _NINES).all(axis=2))
    if nines.any():
        which = ", ".join(name for name, hit in zip(names, np.any(nines, axis=0), strict=True) if hit)
        notes.append(f"{np.abs(places[nines][0, 0]):g} in some frames, taken as not seen: {which}")
        places[nines] = np.nan


def _metres(header: dict[str, str], cells: np.ndarray, path: Path, notes: list[str]) -> float:
    """Return how many metres the unit of the file is."""
    unit = header.get("units", "")
    if unit.lower() in _METRES_PER:
        return _METRES_PER[unit.lower()]
    if unit and not unit.replace(".", "").isdigit():
        raise InputError(
            "the unit of the marker trial is not known", where=str(path), expected="mm, cm or m", found=unit
        )
    finite = cells[np.isfinite(cells)]
    guess = "mm" if finite.size and np.ptp(finite) > _LARGEST_SPAN_IN_METRES else "m"
    notes.append(f"no unit in the header, taken as {guess}")
    return _METRES_PER[guess]
