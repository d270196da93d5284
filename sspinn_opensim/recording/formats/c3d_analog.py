"""Analog channels of a C3D file that are of inertial sensors, such as those of EMG systems.

Channels are known by their names (``IM EMG1.ACC X``, ``Sensor 2.Gyro.Z``) or, if these say nothing, by their
descriptions; their units are the file's. Markers, force plates and all other channels are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import units
from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.formats.c3d_file import read_c3d_file
from sspinn_opensim.recording.formats.channels import channel_of
from sspinn_opensim.recording.formats.column_options import SensorColumns, TableOptions
from sspinn_opensim.recording.formats.column_streams import streams_of
from sspinn_opensim.recording.formats.named_columns import Header, plan_of
from sspinn_opensim.recording.streams import Stream
from sspinn_opensim.settings.bounds import OneOf

#: No analog channel is sampled faster.
_HIGHEST_RATE_HZ = 1e6
#: Stands in messages for the unit of a channel that has none.
_NO_UNIT = "not stated"


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
    file = read_c3d_file(path)
    names, spelt = (list(file.texts(f"ANALOG:{name}")) for name in ("LABELS", "UNITS"))
    if not any(channel_of(name) for name in names):
        described = list(file.texts("ANALOG:DESCRIPTIONS"))
        names = described if any(channel_of(name) for name in described) else names
    names = names[: file.channels]
    # Nothing is assumed: what is not stated is no unit, and asked for.
    spelt = [*(unit or _NO_UNIT for unit in spelt), *[_NO_UNIT] * len(names)][: len(names)]
    header = Header(f"{path}, analog channels", tuple(names), tuple(spelt))
    rate = file.analog_rate_hz
    plan = plan_of(header, choice, TableOptions(**vars(options)), rate)
    if not 0 < rate < _HIGHEST_RATE_HZ or not len(file.frames):
        raise InputError(
            "The recording has no analog samples.",
            where=path,
            found=f"{len(file.frames)} frames, {rate:g} samples a second",
        )
    columns = plan.columns
    values = file.analog(columns)
    if not np.all(np.isfinite(values)):
        raise InputError(
            "An analog sample is not a number.",
            where=path,
            found=f"sample {int(np.argmin(np.isfinite(values).all(axis=0))) + 1}",
        )
    return streams_of(plan, dict(zip(columns, values, strict=True)), path, None, rate)


def is_c3d(path: Path, head: bytes) -> bool:
    """Return whether a file is C3D: its second byte says so."""
    return path.suffix.lower() == ".c3d" and head[1:2] == b"\x50"


FORMAT = Format("c3d", C3dOptions, streams=read_c3d, recognises=is_c3d, sensor_tables=("columns",))
