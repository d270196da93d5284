"""A NumPy archive: time in s, and signals of sensors along their own axes, stacked or an array each.

Stacked are ``acc`` (n, k, 3), ``gyr`` and ``quat`` (n, k, 4) beside the names ``segments`` (k,). Else there
are ``NAME_acc`` (n, 3) and ``NAME_gyro`` for each sensor NAME. No other array is opened.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.lib.npyio import NpzFile

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.input_files import check_unpacked
from sspinn_opensim.recording import units
from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.streams import Stream
from sspinn_opensim.settings.bounds import OneOf

#: Names of an array, of which the first that an archive has is taken; widths of those of signals.
_TIME, _NAMES = ("t_imu", "time_s", "time", "t"), ("segments", "sensors", "names")
_SIGNALS = {
    "acceleration": (("acc", "acceleration"), 3),
    "angular_rate": (("gyr", "gyro", "angular_rate"), 3),
    "orientation": (("quat", "orientation"), 4),
}
#: What the library raises on files that are damaged, or no archives.
_DAMAGE = (
    OSError, EOFError, ValueError, KeyError, NotImplementedError, RuntimeError, MemoryError,
    struct.error, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


@dataclass(frozen=True)
class NpzOptions:
    """``[recording.npz]``: what an archive does not say of itself.

    Parameters
    ----------
    time_array : str
        Array that holds time in s; empty: ``t_imu``, ``time_s``, ``time`` or ``t``.
    acceleration_unit, angular_rate_unit : str
        Units in the file.
    """

    time_array: str = ""
    acceleration_unit: Annotated[str, OneOf(units.ACCELERATION)] = "m/s^2"
    angular_rate_unit: Annotated[str, OneOf(units.ANGULAR_RATE)] = "rad/s"


def read_npz(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the streams of an archive, in the order of its arrays."""
    try:
        with _opened(choice.file) as archive:
            return _streams(archive, choice.file, choice.options or NpzOptions())
    except _DAMAGE as error:
        raise InputError(
            "The recording is no NumPy archive, or it is damaged.",
            where=choice.file,
            expected="arrays of numbers, as numpy.savez writes them",
            found=f"{type(error).__name__}: {error}".splitlines()[0],
        ) from error


def is_npz(path: Path, head: bytes) -> bool:
    """Return whether a file is a NumPy archive."""
    return path.suffix == ".npz" and head.startswith(b"PK")


FORMAT = Format("npz", NpzOptions, streams=read_npz, recognises=is_npz)


def _opened(path: Path) -> NpzFile:
    archive = np.load(path)
    if not isinstance(archive, NpzFile) or archive.zip is None:
        raise OSError("a single array")
    check_unpacked(path, sum(member.file_size for member in archive.zip.infolist()))
    return archive


def _streams(archive: NpzFile, file: Path, options: NpzOptions) -> tuple[Stream, ...]:
    time = options.time_array or next((name for name in _TIME if name in archive.files), "")
    if time not in archive.files:
        raise InputError(
            f"The recording has no array '{time or 'time_s'}' of time.",
            where=file,
            found=", ".join(archive.files),
            fix=nearest(time, archive.files) or "name it: time_array under [recording.npz]",
        )
    time_s = _numbers(archive, file, time)
    stacked = _stacked(archive, file)
    signals = stacked or _single(archive, file)
    if not signals:
        raise InputError(
            "The recording has no array that is known as a signal of a sensor.",
            where=file,
            expected="NAME_acc and NAME_gyro (n, 3), or acc and gyr (n, k, 3) beside segments (k,)",
            found=", ".join(archive.files),
        )
    force, rate = units.ACCELERATION[options.acceleration_unit], units.ANGULAR_RATE[options.angular_rate_unit]
    return tuple(
        Stream(
            name,
            file,
            None if "acceleration" not in own else force * own["acceleration"],
            None if "angular_rate" not in own else rate * own["angular_rate"],
            own.get("orientation"),
            time_s=time_s,
            segment=name if stacked else "",
        )
        for name, own in signals.items()
    )


def _stacked(archive: NpzFile, file: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return the signals of each sensor of an archive that names them; none if it does not."""
    named = next((name for name in _NAMES if name in archive.files), None)
    sensors = [str(name) for name in np.ravel(archive[named])] if named else []
    for name in sensors:
        if sensors.count(name) > 1:
            raise InputError(
                f"Two sensors are named '{name}'.",
                where=f"{file}, array '{named}'",
                found=", ".join(sensors[:20]),
                fix="give each sensor its own name",
            )
    found = {sensor: {} for sensor in sensors}
    for kind, (names, width) in _SIGNALS.items():
        name = next((name for name in names if name in archive.files), None)
        if name is not None and sensors:
            stack = _numbers(archive, file, name, len(sensors), width)
            for k, sensor in enumerate(sensors):
                found[sensor][kind] = stack[:, k]
    return {sensor: own for sensor, own in found.items() if own}


def _single(archive: NpzFile, file: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return the signals of each sensor of an archive with an array for each."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for array in archive.files:
        for kind, (names, width) in _SIGNALS.items():
            end = next((f"_{name}" for name in names if array.endswith(f"_{name}")), None)
            if end is not None:
                found.setdefault(array.removesuffix(end), {})[kind] = _numbers(archive, file, array, width)
    return found


def _numbers(archive: NpzFile, file: Path, name: str, *shape: int) -> np.ndarray:
    """Return an array (n, ...) of numbers."""
    numbers = np.asarray(archive[name], dtype=float)
    if numbers.ndim != 1 + len(shape) or numbers.shape[1:] != shape:
        expected = ", ".join(["n", *map(str, shape)])
        raise InputError(
            f"The array '{name}' has a wrong shape.",
            where=file,
            expected=f"({expected})",
            found=str(numbers.shape),
        )
    return numbers
