"""Files of APDM's Opal sensors: HDF5 of Motion Studio and Mobility Lab, and the text tables made of them.

HDF5 of versions up to 4 (Motion Studio) has a group for each sensor by its case number, with ``Time`` in
microseconds since 1970 and ``Calibrated/Accelerometers``, ``Gyroscopes``, ``Orientation``; labels stand in
attributes of the file. Version 5 (Mobility Lab, Opal v2) has ``Sensors/NUMBER/Accelerometer``, ``Gyroscope``,
``Time``, ``Configuration`` with the label, and ``Processed/NUMBER/Orientation``. Text has names such as
``Lumbar/Acceleration/X`` over a line of units, or three lines (``Format=7``): sensors, quantities, axes.

Signals are in m/s^2 and rad/s. The quaternion (scalar first) turns the sensor's axes into those of the earth,
z up: in a recording at rest it turns the specific force to (0, 0, 9.8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import check_unpacked
from sspinn_opensim.recording.choices import Format, NoOptions, RecordingChoice
from sspinn_opensim.recording.formats.channels import ACCELERATION, ANGULAR_RATE, UNITS, SensorChannels
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.column_streams import Plan, streams_of
from sspinn_opensim.recording.formats.folders import head_of
from sspinn_opensim.recording.formats.named_columns import Header
from sspinn_opensim.recording.formats.text_layout import Sheet, read_sensors, with_orientation
from sspinn_opensim.recording.formats.text_tables import read_bytes, words
from sspinn_opensim.recording.streams import Stream
from sspinn_opensim.recording.units import unit_of

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: Names of the data sets, newest first.
_ACCELEROMETER = ("Accelerometer", "Calibrated/Accelerometers")
_GYROSCOPE = ("Gyroscope", "Calibrated/Gyroscopes")
#: What the library raises on files that are damaged.
_DAMAGE = (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError, MemoryError, OverflowError)
_MICROSECOND = 1e-6
#: How the table of labels calls its columns.
_LABELS = TableOptions(
    time_column="Time",
    acceleration_pattern="{sensor}/Acceleration/{axis}",
    angular_rate_pattern="{sensor}/Angular Velocity/{axis}",
)
_QUANTITIES = {"accelerometer": ACCELERATION, "gyroscope": ANGULAR_RATE}


def read_apdm(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the stream of each sensor, by the label that was set in the vendor's software.

    Raises
    ------
    InputError
        If the file is damaged, or holds no calibrated signals.
    """
    head = head_of(choice.file)
    if head.startswith(_SIGNATURE):
        return _read_hdf5(choice.file)
    if head.startswith(b"Format="):
        return _read_three_lines(choice.file)
    return read_sensors(choice, _LABELS, _turned)


def is_apdm(path: Path, head: bytes) -> bool:
    """Return whether a file is of APDM: text of either layout, or HDF5 with its groups."""
    if head.startswith(_SIGNATURE):
        return _has_sensors(path)
    lines = words(head).splitlines()
    if lines and re.match(r"Format=\d+,", lines[0]):
        return True
    return any(re.match(r"Time,.*/(Acceleration|Angular Velocity)/[XYZ]", line) for line in lines)


FORMAT = Format("apdm", NoOptions, streams=read_apdm, recognises=is_apdm)


def _turned(sensor: str) -> list[str]:
    """Return the columns of a sensor's quaternion in a table of labels."""
    return [f"{sensor}/Orientation/{part}" for part in ("Scalar", "X", "Y", "Z")]


def _read_three_lines(path: Path) -> tuple[Stream, ...]:
    """Read a table with lines of sensors, quantities and axes."""
    lines = read_bytes(path).split(b"\n", 3)
    if len(lines) < 4:
        raise InputError(
            "The recording has no samples.", where=path, expected="rows below three lines of names"
        )
    sensors, quantities, axes = ([cell.strip() for cell in words(line).split(",")] for line in lines[:3])
    where = f"{path}, line 2"
    if not quantities[0].lower().startswith("time"):
        raise InputError("The first column is not time.", where=where, found=quantities[0])
    width = max(len(sensors), len(quantities), len(axes))
    sensors, quantities, axes = (row + [""] * (width - len(row)) for row in (sensors, quantities, axes))
    places: dict[str, dict[str, tuple[int | None, ...]]] = {}
    turns: dict[str, list[int]] = {}
    label = ""
    for k in range(1, width):
        # A block starts with the number of the sensor; three cells on stands what it is called.
        label = (
            (sensors[k + 3 : k + 4] or [""])[0] or sensors[k]
            if re.fullmatch(r"\w*\d+", sensors[k])
            else label
        )
        quantity = _QUANTITIES.get(quantities[k].lower())
        if quantity and axes[k : k + 3] == ["X", "Y", "Z"]:
            own = places.setdefault(label, {})
            if quantity in own:
                raise InputError(f"Two sensors are called '{label}'.", where=f"{path}, line 1")
            own[quantity] = (k, k + 1, k + 2)
        if quantities[k].lower() == "orientation" and axes[k : k + 4] == ["S", "X", "Y", "Z"]:
            turns[label] = [k, k + 1, k + 2, k + 3]
    if not places:
        raise InputError(
            "The recording holds no calibrated signals.", where=where, found=", ".join(quantities)
        )
    channels = tuple(
        SensorChannels(name, own, {quantity: next(iter(UNITS[quantity].values())) for quantity in own})
        for name, own in places.items()
    )
    plan = Plan(channels, 0, None, "us")
    sheet = Sheet(path, Header(where, tuple(map(str, range(width)))), (), lines[3], ",", 4)
    column, numbers, notes = sheet.numbers({*plan.columns, *(k for own in turns.values() for k in own)})
    column[0] = column[0] - column[0][0]
    streams = streams_of(plan, column, path, None, None, numbers, notes)
    return tuple(
        with_orientation(stream, [column[place] for place in turns.get(stream.name, [])])
        for stream in streams
    )


def _has_sensors(path: Path) -> bool:
    import h5py  # takes long to import, and text needs none of it

    try:
        with h5py.File(path) as file:
            _refuse_elsewhere(file, path)
            return any(True for _ in _sensor_groups(file))
    except (InputError, *_DAMAGE):
        return False


def _read_hdf5(path: Path) -> tuple[Stream, ...]:
    import h5py  # as above

    try:
        with h5py.File(path) as file:
            _refuse_elsewhere(file, path)
            return _streams(file, path)
    except _DAMAGE as error:
        raise InputError(
            "The recording is damaged, or not of APDM.",
            where=path,
            expected="HDF5 with Sensors/NUMBER/Accelerometer or CASE/Calibrated/Accelerometers",
            found=f"{type(error).__name__}: {error}".splitlines()[0],
            fix="export it again from the vendor's software",
        ) from error


def _refuse_elsewhere(file: Any, path: Path) -> None:
    """Refuse a file that holds more than its size allows, or takes what it holds from other files."""
    import h5py  # as above

    held = 0

    def look(name: str, link: Any) -> str | None:
        nonlocal held
        if isinstance(link, h5py.SoftLink):
            return None
        if not isinstance(link, h5py.HardLink):
            return name
        if isinstance(own := file[name], h5py.Dataset):
            held += (own.size or 0) * max(own.dtype.itemsize, 8)  # numbers become floats
            return name if own.external or own.is_virtual else None
        return None

    try:
        name = file.visititems_links(look)
    except SystemError as error:  # h5py's word for an error within an error, where a header is damaged
        raise OSError("a part of it cannot be opened") from error
    if name is not None:
        raise InputError("A part of the recording lies in another file.", where=f"{path}, {name}")
    check_unpacked(path, held)


def _sensor_groups(file: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield number, group and group of orientation of each sensor."""
    holder, processed = file.get("Sensors", file), file.get("Processed")
    for number, group in holder.items():
        if hasattr(group, "items") and any(name in group for name in (*_ACCELEROMETER, *_GYROSCOPE)):
            turned = processed.get(number) if processed is not None else group.get("Calibrated")
            yield number, group, turned


def _streams(file: Any, path: Path) -> tuple[Stream, ...]:
    labels = _labels(file)
    groups = list(_sensor_groups(file))
    if not groups:
        raise InputError(
            "The recording holds no calibrated signals of a sensor.",
            where=path,
            expected="Sensors/NUMBER/Accelerometer or CASE/Calibrated/Accelerometers",
            found=", ".join(file),
            fix="export calibrated data, not raw data",
        )
    times = [np.asarray(group["Time"], dtype=np.int64).ravel() for _, group, _ in groups]
    start = min((int(time[0]) for time in times if time.size), default=0)
    streams = []
    for (number, group, turned), time in zip(groups, times, strict=True):
        quaternion = (
            np.asarray(turned["Orientation"]) if turned is not None and "Orientation" in turned else None
        )
        streams.append(
            Stream(
                _label(group) or labels.get(number, "") or number,
                path,
                _signal(group, _ACCELEROMETER, ACCELERATION, path),
                _signal(group, _GYROSCOPE, ANGULAR_RATE, path),
                orientation=None if quaternion is None else quaternion.astype(float),
                time_s=_MICROSECOND * (time - start),
            )
        )
    names = [stream.name for stream in streams]
    if len(set(names)) < len(names):  # several were never given a label of their own
        return tuple(
            replace(s, name=f"{s.name} {number}") for s, (number, _, _) in zip(streams, groups, strict=True)
        )
    return tuple(streams)


def _signal(group: Any, names: tuple[str, ...], quantity: str, path: Path) -> np.ndarray | None:
    name = next((name for name in names if name in group), None)
    if name is None:
        return None
    numbers = np.asarray(group[name], dtype=float)
    spelt = _text(group[name].attrs.get("Units", ""))
    unit = unit_of(spelt) if spelt else next(iter(UNITS[quantity]))
    if unit not in UNITS[quantity]:
        raise InputError(
            f"Unknown unit '{spelt}'.",
            where=f"{path}, {group[name].name}",
            expected=", ".join(UNITS[quantity]),
        )
    if np.any(np.isinf(numbers)):
        raise InputError("A sample is not a number.", where=f"{path}, {group[name].name}", found="infinite")
    with np.errstate(invalid="ignore"):  # damaged bytes may be a NaN that signals
        return UNITS[quantity][unit] * numbers


def _label(group: Any) -> str:
    configuration = group.get("Configuration")
    return "" if configuration is None else _text(configuration.attrs.get("Label 0", ""))


def _labels(file: Any) -> dict[str, str]:
    """Return the label of each sensor by its case number, as attributes of older files list them."""
    cases, labels = file.attrs.get("CaseIdList", ()), file.attrs.get("MonitorLabelList", ())
    return dict(zip(map(_text, np.ravel(cases)), map(_text, np.ravel(labels)), strict=False))


def _text(value: Any) -> str:
    """Return text without the zeros and blanks that fill it up."""
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
    return text.strip("\x00 ")
