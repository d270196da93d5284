"""Files of x-io's x-IMU3: ``Inertial.csv`` in a folder a device, or any table with its columns.

Times are in microseconds (``Timestamp (us)``) or s, jitter by milliseconds and may repeat. The quaternion in
``Quaternion.csv`` is the orientation of the sensor relative to the earth, z up.
"""

from __future__ import annotations

from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import Format, NoOptions, RecordingChoice
from sspinn_opensim.recording.formats import xio_tables
from sspinn_opensim.recording.formats.folders import head_of
from sspinn_opensim.recording.streams import Stream


def read_x_imu3(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the stream of each device: of a file, a device's folder, or a folder of such.

    Raises
    ------
    InputError
        If a folder holds no such file, or a file is damaged.
    """
    path = choice.file
    files = xio_tables.device_files(path, lambda file: is_x_imu3(file, head_of(file)))
    if not files:
        raise InputError(
            "The folder holds no recording of an x-IMU3.",
            where=path,
            expected="Inertial.csv, in a folder a device",
        )
    return tuple(
        xio_tables.read_device(file, _name(file), choice, file.with_name("Quaternion.csv"), inverse=False)
        for file in files
    )


def is_x_imu3(_path: Path, head: bytes) -> bool:
    """Return whether a file is a table of an x-IMU3's gyroscope and accelerometer."""
    names = xio_tables.names_of(head)
    return bool(names) and names[0] in ("Time (s)", "Timestamp (us)") and len(names) == 7


FORMAT = Format(
    "x_imu3", NoOptions, streams=read_x_imu3, recognises=is_x_imu3, folders=True, folder_each=True
)


def _name(file: Path) -> str:
    """Return what a sensor is called: its folder, for in it all files have the same names."""
    return file.parent.name if file.name == "Inertial.csv" else file.stem
