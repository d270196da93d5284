"""Analog channels of a C3D file that are of inertial sensors, such as those of EMG systems.

Channels are known by their names (``IM EMG1.ACC X``, ``Sensor 2.Gyro.Z``) or, if these say nothing, by their
descriptions; their units are the file's. Markers, force plates and all other channels are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import units
from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.formats.channels import channel_of
from sspinn_opensim.recording.formats.extras import library
from sspinn_opensim.recording.formats.named_columns import (
    Header,
    SensorColumns,
    TableOptions,
    plan_of,
    streams_of,
)
from sspinn_opensim.recording.streams import Stream
from sspinn_opensim.settings.bounds import OneOf


@dataclass(frozen=True)
class C3dOptions:
    """``[recording.c3d]``: what the names of channels do not say.

    Parameters
    ----------
    acceleration_unit, angular_rate_unit : str
        Units, where the file has none or one that is not known.
    acceleration_pattern, angular_rate_pattern : str
        How channels are called, with ``{sensor}`` and ``{axis}`` in it; empty: as vendors do.
    columns : tuple of SensorColumns
        Channels of sensors that have other names still.
    """

    acceleration_unit: Annotated[str, OneOf(units.ACCELERATION)] = ""
    angular_rate_unit: Annotated[str, OneOf(units.ANGULAR_RATE)] = ""
    acceleration_pattern: str = ""
    angular_rate_pattern: str = ""
    columns: tuple[SensorColumns, ...] = ()


def read_c3d(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the stream of each inertial sensor among the analog channels.

    Raises
    ------
    InputError
        If the file is damaged, or no channel is known as one of a sensor.
    """
    path, options = choice.file, choice.options or C3dOptions()
    ezc3d = library("ezc3d", "c3d", path)
    try:
        content = ezc3d.c3d(str(path))
        analog: Mapping[str, Any] = content["parameters"]["ANALOG"]
        data, rate = content["data"]["analogs"], float(analog["RATE"]["value"][0])
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, MemoryError, TypeError) as error:
        raise InputError(
            "The recording is no C3D file, or it is damaged.",
            where=path,
            found=f"{type(error).__name__}: {error}".splitlines()[0],
        ) from error
    names, spelt = _texts(analog, "LABELS"), _texts(analog, "UNITS")
    if not any(channel_of(name) for name in names):
        described = _texts(analog, "DESCRIPTIONS")
        names = described if any(channel_of(name) for name in described) else names
    count = min(len(names), data.shape[1])
    names, spelt = names[:count], (spelt + [""] * count)[:count]
    table = TableOptions(**vars(options))
    header = Header(f"{path}, analog channels", tuple(names), tuple(spelt))
    plan = plan_of(header, choice, table, rate)
    if rate <= 0 or not data.shape[2]:
        raise InputError("The recording has no analog samples.", where=path, found=f"rate {rate:g} Hz")
    column = {place: np.asarray(data[0, place], dtype=float) for place in plan.columns}
    return streams_of(plan, column, path, None, rate)


def is_c3d(path: Path, head: bytes) -> bool:
    """Return whether a file is C3D: its second byte says so."""
    return path.suffix.lower() == ".c3d" and head[1:2] == b"\x50"


FORMAT = Format("c3d", C3dOptions, streams=read_c3d, recognises=is_c3d, sensor_tables=("columns",))


def _texts(group: Mapping[str, Any], name: str) -> list[str]:
    """Return the texts of a parameter; the 256th and later ones stand in others that have a number."""
    found = [str(text).strip() for text in group.get(name, {}).get("value", ())]
    number = 2
    while f"{name}{number}" in group:
        found += [str(text).strip() for text in group[f"{name}{number}"]["value"]]
        number += 1
    return found
