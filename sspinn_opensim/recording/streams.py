"""Streams of single sensors as a file holds them: SI units, the sensor's own axes, the sensor's own clock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.anatomy import MIDDLE, segment_of
from sspinn_opensim.text import toml_table

#: Letters that the names of a study and of a file share at least, where they are not the same: the end of a
#: serial number.
_SHORTEST = 3


# Arrays have no single truth value, so two streams are equal only if they are the same object.
@dataclass(frozen=True, eq=False)
class Stream:
    """What one file says of one sensor. NaN stands for a sample or an axis that is missing.

    Parameters
    ----------
    name : str
        Name of the sensor in the file: its serial number, or what the user called it.
    file : Path
        The file, for messages.
    acceleration : (n, 3) array or None
        Specific force in m/s^2 (a resting sensor reads 9.8 m/s^2 upwards). None where it was not exported;
        free acceleration, from which gravity is removed, is not it.
    angular_rate : (n, 3) array or None
        Angular rate in rad/s.
    orientation : (n, 4) array or None
        Quaternion w, x, y, z that turns the sensor's axes into those of a world with z up, if the vendor
        gives one.
    time_s : (n,) array or None
        Time of each sample in s, on the sensor's own clock, from any origin.
    counter : (n,) array of int or None
        Number of each sample, from any origin, not wrapped: lost samples leave a hole.
    rate_hz : float or None
        Sampling rate that the file states.
    segment : str
        Segment or body that the file says carries the sensor, in the file's words; empty: it does not say.
    notes : tuple of str
        What the reader changed or left out, one sentence each.
    lines : sequence of n int or None
        Line of the file of each sample, for messages.
    lacks : tuple of str
        Why a signal is None that the file seems to hold, one clause each.
    others : tuple of Path
        Files from which signals of the sensor come as well.
    """

    name: str
    file: Path
    acceleration: np.ndarray | None = None
    angular_rate: np.ndarray | None = None
    orientation: np.ndarray | None = None
    time_s: np.ndarray | None = None
    counter: np.ndarray | None = None
    rate_hz: float | None = None
    segment: str = ""
    notes: tuple[str, ...] = ()
    lines: Sequence[int] | None = None
    lacks: tuple[str, ...] = ()
    others: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        widths = {"acceleration": 3, "angular_rate": 3, "orientation": 4, "time_s": 0, "counter": 0}
        arrays = {name: getattr(self, name) for name in widths if getattr(self, name) is not None}
        lengths = {len(array) for array in arrays.values()}
        wrong = [n for n, a in arrays.items() if a.shape[1:] != ((widths[n],) if widths[n] else ())]
        if len(lengths) != 1 or wrong:
            raise ValueError(f"stream '{self.name}': shapes {[a.shape for a in arrays.values()]}")

    def cut(self, first: int) -> Stream:
        """Return the stream from a sample on."""
        fields = ("acceleration", "angular_rate", "orientation", "time_s", "counter", "lines")
        known = {name: array for name in fields if (array := getattr(self, name)) is not None}
        return replace(self, **{name: array[first:] for name, array in known.items()})

    def __len__(self) -> int:
        """Return the number of samples."""
        known = (self.acceleration, self.angular_rate, self.orientation, self.time_s, self.counter)
        return next(len(array) for array in known if array is not None)


def stream_of(streams: Sequence[Stream], name: str, where: str | Path, fix: str | None = None) -> Stream:
    """Return the stream of a name or segment; else the only one that has it as a part or is a part of it.

    Else it is the only one whose name tells the same segment and side: ``LeftUpperLeg`` is ``femur_l``.

    Parameters
    ----------
    where : str or Path
        What names it, for messages.
    fix : str, optional
        What to do if there is none; by default what a study says.

    Raises
    ------
    InputError
        If no stream has the name, or several.
    """
    wanted, known = name.lower(), [(s.name.lower(), s.segment.lower()) for s in streams]
    found = [s for s, (own, _) in zip(streams, known, strict=True) if own == wanted]
    found = found or [s for s, (_, segment) in zip(streams, known, strict=True) if segment == wanted]
    found = found or [
        s
        for s, names in zip(streams, known, strict=True)
        if any(_is_part(wanted, own) or _is_part(own, wanted) for own in names)
    ]
    told = segment_of(name)
    if not found and told is not None and (told[1] or told[0] in MIDDLE):
        found = [s for s in streams if segment_of(s.segment or s.name) == told]
    if len(found) != 1:
        if fix is None:
            table = toml_table("sensors", name)
            fix = f"say which one it is by source = ... under {table}"
            fix += "" if found else "; or remove the table, if the sensor was not worn"
        raise InputError(
            f"The recording has no sensor '{name}'." if not found else f"Several sensors match '{name}'.",
            where=where,
            expected="one of " + ", ".join(s.name for s in (found or streams)),
            fix=fix,
        )
    return found[0]


def _is_part(part: str, whole: str) -> bool:
    """Return whether a name is a part of another one: of a serial number, but IMU1 is none of IMU10."""
    ends = r"(?!\d)" if re.fullmatch(r"\D+\d+", part) else ""
    return len(part) >= _SHORTEST and re.search(re.escape(part) + ends, whole) is not None
