"""Pairs of files: the accelerations of a sensor in one, its angular rates in another, told by their names.

MbientLab's MetaBase, Movesense and loggers on phones write so. The columns are often called x, y, z alone,
and each file has times of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sspinn_opensim.recording.formats.channels import ACCELERATION, ANGULAR_RATE, without_unit
from sspinn_opensim.recording.formats.folders import told_by_names
from sspinn_opensim.recording.streams import Stream

_SIGNAL = re.compile(
    r"(?:(?P<free>free|lin(?:ear)?|user|dynamic)|(?P<whole>total|raw))?[\s_.-]*"
    r"(?:(?P<force>acc(?:el(?:eration|ero?meters?)?)?)|(?P<rate>gyr(?:o(?:scopes?)?)?|ang(?:ular)?[\s_.-]*vel(?:ocity)?))"
    # What follows in the names that MetaBase and Movesense give: a rate, a version of the firmware.
    r"(?:[\s_.-]*(?:sensor|stream|data))?(?:[\s_.-]+\d[\d.]*Hz)?(?:[\s_.-]+\d+(?:\.\d+)+)?(?![a-z])",
    re.IGNORECASE,
)
#: What is no signal that a stream holds, whatever else the name says.
_OTHER = re.compile(r"uncalibrated|magnet|gravity|orientation|quaternion|euler", re.IGNORECASE)
_AXIS = re.compile(r"(?P<axis>[xyz])(?:[\s_-]*axis)?", re.IGNORECASE)
_COLUMN = {ACCELERATION: "acc", ANGULAR_RATE: "gyro"}


@dataclass(frozen=True)
class SignalFile:
    """What the name of a file says of the one signal in it.

    Attributes
    ----------
    quantity : str
        `ACCELERATION` or `ANGULAR_RATE`.
    sensor : str
        The name without what says that; empty: nothing is left.
    whole : bool
        Whether it says that gravity is in an acceleration, so that one beside it is without.
    """

    quantity: str
    sensor: str
    whole: bool


def signal_file(path: Path) -> SignalFile | None:
    """Return what the name of a file says of its signal; None where it says none, or one without gravity."""
    found = list(_SIGNAL.finditer(path.stem))
    if len(found) != 1 or found[0]["free"] or _OTHER.search(path.stem):
        return None
    (match,) = found
    sensor = f"{path.stem[: match.start()]}_{path.stem[match.end() :]}".strip(" _.-")
    return SignalFile(ACCELERATION if match["force"] else ANGULAR_RATE, sensor, bool(match["whole"]))


def spelling_in(path: Path) -> Callable[[str], str]:
    """Return what spells columns that are named by their axis alone by the signal that the file is of."""
    told = signal_file(path)

    def spelt(name: str) -> str:
        plain, unit = without_unit(name)
        axis = _AXIS.fullmatch(plain) if told else None
        if told is None or axis is None:
            return name
        return f"{_COLUMN[told.quantity]}_{axis['axis'].lower()}" + (f" ({unit})" if unit else "")

    return spelt


@dataclass(frozen=True)
class Pairs:
    """Files of a folder of which two are of one sensor.

    Attributes
    ----------
    rates : dict of Path to Path
        By the file of a sensor's accelerations that of its angular rates.
    without_gravity : dict of Path to Path
        By the same a file of accelerations that is left out.
    """

    rates: dict[Path, Path]
    without_gravity: dict[Path, Path]

    @property
    def leading(self) -> Callable[[Path], bool]:
        """What says of a file whether it stands for a sensor, alone or with another."""
        others = {*self.rates.values(), *self.without_gravity.values()}
        return lambda file: file not in others

    def told(self, files: Sequence[Path]) -> Mapping[Path, tuple[str, str]]:
        """Return the sensor and the trial of each file, by what is left of the names of pairs."""
        spelt = {
            file: file.with_name(f"{_sensor(file)}.csv") if file in self.rates else file for file in files
        }
        told = told_by_names(list(spelt.values()))
        return {file: told[name] for file, name in spelt.items()}

    def named(self, stream: Stream) -> Stream:
        """Return the only stream of a folder by what is left of its file's name, else by the folder's."""
        if stream.file not in self.rates or stream.name != stream.file.stem:
            return stream
        return replace(stream, name=_sensor(stream.file))

    def notes(self, file: Path) -> tuple[str, ...]:
        """Return what is to be said of a file of accelerations."""
        left = self.without_gravity.get(file)
        return (f"'{left.name}' is left out, as '{file.name}' is said to hold gravity too.",) if left else ()


def pairs_of(files: Sequence[Path]) -> Pairs:
    """Return which files of a folder are of one sensor, as far as their names tell without doubt."""
    by_sensor: dict[str, dict[str, list[Path]]] = {}
    for file in files:
        if told := signal_file(file):
            by_sensor.setdefault(told.sensor.lower(), {}).setdefault(told.quantity, []).append(file)
    rates, without_gravity = {}, {}
    for own in by_sensor.values():
        forces, turns = own.get(ACCELERATION, []), own.get(ANGULAR_RATE, [])
        whole = [file for file in forces if _is_whole(file)]
        if len(forces) == 2 and len(whole) == 1:
            without_gravity[whole[0]] = next(file for file in forces if file not in whole)
            forces = whole
        if len(forces) == len(turns) == 1:
            rates[forces[0]] = turns[0]
    return Pairs(rates, without_gravity)


def _is_whole(file: Path) -> bool:
    told = signal_file(file)
    return told is not None and told.whole


def _sensor(file: Path) -> str:
    """Return what is left of a file's name, else that of its folder."""
    told = signal_file(file)
    return (told.sensor if told else file.stem) or file.parent.name
