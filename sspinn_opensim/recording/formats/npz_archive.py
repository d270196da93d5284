"""A NumPy archive: time in s, and signals of sensors along their own axes, stacked or an array each.

Stacked are ``acc`` (n, k, 3), ``gyr`` and ``quat`` (n, k, 4) beside the names ``segments`` (k,). Else there are
``NAME_acc`` (n, 3) and ``NAME_gyro`` for each sensor NAME. No other array is opened.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.lib.npyio import NpzFile

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.recording import units
from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.streams import Stream
from sspinn_opensim.settings.bounds import OneOf

#: Names of one array, of which the first that an archive has is taken.
_TIME = ("t_imu", "time_s", "time", "t")
_NAMES, _ACCELERATION = ("segments", "sensors", "names"), ("acc", "acceleration")
_ANGULAR_RATE, _ORIENTATION = ("gyr", "gyro", "angular_rate"), ("quat", "orientation")
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
        with np.load(choice.file) as archive:
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


def _streams(archive: NpzFile, file: Path, options: NpzOptions) -> tuple[Stream, ...]:
    def found(names: Sequence[str]) -> str:
        return next((name for name in names if name in archive.files), "")

    def numbers(name: str, *shape: int, unit: float = 1.0) -> np.ndarray | None:
        array = unit * np.asarray(archive[name], dtype=float) if name in archive.files else None
        if array is None or (len(array.shape) == 1 + len(shape) and array.shape[1:] == shape):
            return array
        expected = ", ".join(["n", *map(str, shape)])
        raise InputError(f"'{name}' has a wrong shape.", where=file, expected=f"({expected})", found=str(array.shape))

    time = options.time_array or found(_TIME)
    if time not in archive.files:
        raise InputError(
            f"The recording has no array '{time or _TIME[0]}' of time.",
            where=file,
            found=", ".join(archive.files),
            fix=nearest(time, archive.files) or "name it: time_array under [recording.npz]",
        )
    time_s = numbers(time)
    factors = {
        "acceleration": units.ACCELERATION[options.acceleration_unit],
        "angular_rate": units.ANGULAR_RATE[options.angular_rate_unit],
        "orientation": 1.0,
    }
    widths, streams = {"acceleration": 3, "angular_rate": 3, "orientation": 4}, []
    stacks = dict(zip(widths, map(found, (_ACCELERATION, _ANGULAR_RATE, _ORIENTATION)), strict=True))
    if found(_NAMES) and (stacks["acceleration"] or stacks["angular_rate"]):
        names = [str(name) for name in np.ravel(archive[found(_NAMES)])]
        signals = {
            kind: numbers(name, len(names), widths[kind], unit=factors[kind]) for kind, name in stacks.items()
        }
        for k, name in enumerate(names):
            own = {kind: None if array is None else array[:, k] for kind, array in signals.items()}
            streams.append(Stream(name, file, time_s=time_s, segment=name, **own))
        return tuple(streams)
    ends = {f"_{name}": kind for kind, known in zip(widths, (_ACCELERATION, _ANGULAR_RATE, _ORIENTATION), strict=True) for name in known}
    sensors: dict[str, dict[str, np.ndarray | None]] = {}
    for name in archive.files:
        for end, kind in ends.items():
            if name.endswith(end):
                own = sensors.setdefault(name.removesuffix(end), {})
                own[kind] = numbers(name, widths[kind], unit=factors[kind])
    sensors = {name: own for name, own in sensors.items() if {"acceleration", "angular_rate"} & set(own)}
    if not sensors:
        raise InputError(
            "The recording has no array that is known as a signal of a sensor.",
            where=file,
            expected="NAME_acc and NAME_gyro (n, 3), or acc and gyr (n, k, 3) beside segments (k,)",
            found=", ".join(archive.files),
        )
    return tuple(Stream(name, file, time_s=time_s, **own) for name, own in sensors.items())
