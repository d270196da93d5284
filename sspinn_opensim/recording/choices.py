"""Choices of a study about its recording, and the entry of a file format in the registry of readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from sspinn_opensim.recording.streams import Stream
from sspinn_opensim.recording.types import Recording
from sspinn_opensim.settings.bounds import (
    Angles,
    AnyPath,
    Bounds,
    Names,
    NonNegative,
    Place,
    Positive,
    Rate,
    Speed,
)

#: Sprinting to the slowest gait.
Cycle = Annotated[float, Bounds(0.3, 5.0, "give the time of a stride in s")]
#: What becomes of accelerometers that read another gravity at rest.
Correction = Literal["offset", "scale", "none"]
#: The set of sensors that leaves none out.
ALL_SENSORS = "all"


@dataclass(frozen=True)
class SensorChoice:
    """``[sensors.NAME]``: one sensor and its place on the model.

    Parameters
    ----------
    name : str
        The NAME of the table.
    body : str
        Body that carries it; default: NAME.
    source : str
        Name of the sensor in the file, such as its serial number; default: NAME.
    position : tuple of 3 float or None
        Position in m along the body's axes, from `origin`. Left out: taken from the file, if it says; else
        the usual place on the segment.
    origin : str
        Joint of the model from whose centre `position` is measured; empty: the origin of the body.
    imu_frame : str
        IMU frame of the model that says where the sensor sits; then `position` and `origin` are left out, and
        a rotation is that of the sensor in the frame.
    axes : tuple of 3 str or None
        For each of the sensor's x, y, z the axis of body or IMU frame it points along, such as
        ``["-z", "y", "x"]``.
    orientation_deg : tuple of 3 float or None
        Instead of `axes`: body-fixed XYZ angles in degrees of the sensor's axes in the body, or IMU frame.
    """

    name: str
    body: str = ""
    source: str = ""
    position: Place | None = None
    origin: str = ""
    imu_frame: str = ""
    axes: Names | None = None
    orientation_deg: Angles | None = None


@dataclass(frozen=True)
class RecordingChoice:
    """``[recording]``: the IMU file and how to read it.

    Parameters
    ----------
    format : str
        Name of the format, a key of `sspinn_opensim.recording.FORMATS`; empty in a study without a recording.
    file : Path
        The recording: a file, or a folder if the format has one file a sensor. Without one the study file.
    name : str
        Name of the trial in reports and in ``metrics.json``; default: name of the file without its ending.
    speed_m_s : float or None
        Mean forward speed in m/s; overrides the speed stored in the file.
    sampling_rate_hz : float or None
        Rate to resample to, Hz. Left out: what the format gives by default.
    recorded_rate_hz : float or None
        Rate at which it was recorded, Hz, for files that do not say it.
    from_s, to_s : float or None
        Part that is used, s of the recording's time. Left out: all of it.
    pieces : tuple of pairs of float
        Instead: several parts, each from a time to a time, in their order.
    cycle_s : float or None
        Period, s, of a part that is one mean stride; it is repeated.
    standing_s : pair of float or None
        When the person stands still, for the alignment and the gyroscopes' bias; it may lie outside the part
        that is used.
    rest_correction : {'offset', 'scale', 'none'}
        What is done to an accelerometer that does not read gravity at rest.
    accepted : tuple of str
        Serious findings that are meant so: kinds of `findings.KINDS`, each alone or with ``:sensor``.
    sensors : str or tuple of str
        Which of the study's sensors are used: ``all``, a set of `sensor_sets.PRESETS`, or names.
    options : object
        What the format's own table ``[recording.FORMAT]`` says: its `Format.options`. None: all defaults.
    """

    format: str
    file: AnyPath
    name: str = ""
    speed_m_s: Speed | None = None
    sampling_rate_hz: Rate | None = None
    recorded_rate_hz: Rate | None = None
    from_s: float | None = None
    to_s: float | None = None
    pieces: tuple[tuple[float, float], ...] = ()
    cycle_s: Cycle | None = None
    standing_s: tuple[float, float] | None = None
    rest_correction: Correction = "offset"
    accepted: tuple[str, ...] = ()
    sensors: str | tuple[str, ...] = ALL_SENSORS
    options: Any = None

    @property
    def there(self) -> bool:
        """Whether there is a recording: people whose sensors stream need none."""
        return bool(self.format)


@dataclass(frozen=True)
class OutputChoice:
    """``[output]``: what is written, and the part of it that is analysed for muscle forces.

    Parameters
    ----------
    from_s, to_s : float or None
        Start and end in s of the recording's time. Left out: one late cycle of a tiled recording, else
        everything.
    consistent : bool
        Whether the estimate is corrected until motion, ground forces and masses agree.
    """

    from_s: NonNegative | None = None
    to_s: Positive | None = None
    consistent: bool = True


@dataclass(frozen=True)
class NoOptions:
    """Options of a format that has none."""


@dataclass(frozen=True)
class Format:
    """One format of recordings: how it is read, and what else must be known of its files.

    A format has `streams`, or `read` where its files hold no streams of sensors.

    Parameters
    ----------
    name : str
        ``format`` in a study, and the name of the table of its options.
    options : type
        Dataclass of the keys that only this format has; each has a default. `NoOptions`: it has none.
    read : callable or None
        Returns the recording of a choice, with the chosen sensors in their order, in SI and body axes.
    streams : callable or None
        Returns the stream of every sensor in a file or folder.
    recognises : callable or None
        Says of a file, by its path and its first 4096 bytes, whether it has this format.
    lacking : callable or None
        Says in words what a file of the same software is that lacks what is needed, by its path and first
        bytes; nothing if it is none. `export` says what to export instead.
    segment_axes : bool
        Whether signals are along the axes of the segments unless the study says otherwise. False: along those
        of the sensors, whose axes the study states or the alignment finds.
    axes_within_deg : float
        How well those axes are known, degrees: the alignment refines them. 0: exactly.
    sensor_tables : tuple of str
        Those of the options that hold tables by the NAME of a sensor.
    places_sensors : bool
        Whether the file says where its sensors sit, so that a study may leave their positions out.
    folders : bool
        Whether `file` may be a folder in which each file is of one sensor.
    folder_each : bool
        Whether each sensor may have a folder of its own in that folder.
    export : str
        What to export from the vendor's software where a file lacks the signals that training needs.
    laboratory_lag_s : float or None
        For a format whose files also hold what a laboratory measured: by how many s its sensors are declared
        to lag that, one number for all files, never fitted. None: the files hold sensors alone.
    """

    name: str
    options: type
    read: Callable[[RecordingChoice, Sequence[SensorChoice]], Recording] | None = None
    streams: Callable[[RecordingChoice], tuple[Stream, ...]] | None = None
    recognises: Callable[[Path, bytes], bool] | None = None
    lacking: Callable[[Path, bytes], str] | None = None
    segment_axes: bool = False
    axes_within_deg: float = 0.0
    sensor_tables: tuple[str, ...] = ()
    places_sensors: bool = False
    folders: bool = False
    folder_each: bool = False
    export: str = ""
    laboratory_lag_s: float | None = None
