"""The one type every IMU recording becomes, whatever file it came from.

Conventions, everywhere in this package: SI units and radians; body axes x forward, y up, z right when the
person stands upright; accelerometers report specific force ``R^T (a - g)``, so a resting, upright sensor
reads about +9.8 m/s^2 along y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.provenance import Clocks, GyroBias
from sspinn_opensim.recording.signals.rotations import rotation_from_angles

AXES = ("x", "y", "z")

#: Largest departure of a time step from the mean step, as a fraction of it. Above rounding noise, below any
#: real jitter: the readers resample jittered clocks before they build a `Recording`.
TIME_STEP_TOLERANCE = 1e-3


#: Stands for the joint that carries the segment of a sensor; for the pelvis, the level of the hips.
PROXIMAL = "proximal"


@dataclass(frozen=True)
class Sensor:
    """Where one IMU sits.

    Parameters
    ----------
    name : str
        Name of the sensor, unique in a recording.
    body : str
        Body of the model that carries it.
    position : tuple of 3 float or None
        Position in metres, along the axes of the body, measured from `origin`. None: the usual place on the
        segment of the body (`anatomy.sensor_places`), which the scaled model tells.
    orientation : tuple of 3 float
        Orientation of the sensor's own axes in the body, or in its IMU frame, body-fixed XYZ angles in rad;
        ``(0, 0, 0)`` = aligned with it. It says how the sensor was mounted. The signals of a `Recording` are
        already rotated into the axes of body or frame.
    origin : str
        Empty: `position` is measured from the origin of the body frame. Else the name of a joint of the
        model, or `PROXIMAL`: it is measured from the centre of that joint.
    imu_frame : str
        Name of an IMU frame of the model. If given, it says body and placement, `position` is zero, and the
        signals are along the axes of that frame.
    axes_known : bool
        Whether the signals are along the axes of the body (or IMU frame). False: along the sensor's own,
        which the alignment has yet to find.
    stated_within_deg : float or None
        Of a sensor whose axes are not known but nearly: the signals are along the axes of the body but for
        turns about each of them with this standard deviation, degrees.
    """

    name: str
    body: str
    position: tuple[float, float, float] | None = (0.0, 0.0, 0.0)
    orientation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    origin: str = ""
    imu_frame: str = ""
    axes_known: bool = True
    stated_within_deg: float | None = None

    @property
    def rotation(self) -> np.ndarray:
        """The sensor's own axes in the body, or in its IMU frame: the columns of a (3, 3) array."""
        return rotation_from_angles(self.orientation)


# Arrays have no single truth value, so two recordings are equal only if they are the same object.
@dataclass(frozen=True, eq=False)
class Recording:
    """Signals of all sensors on one uniform clock.

    Arrays are read-only float64 (flags: bool), and copies unless they were that already.

    Parameters
    ----------
    name : str
        Name of the trial.
    time_s : (n,) array
        Time in s, strictly increasing and uniform.
    sensors : tuple of k Sensor
        The sensors, in the order of the second axis of the signals.
    acceleration : (n, k, 3) array
        Specific force in m/s^2, in body axes. Zero where not available.
    angular_rate : (n, k, 3) array
        Angular rate in rad/s, in body axes. Zero where not available.
    acceleration_available, angular_rate_available : (k, 3) array of bool
        Which channels were measured.
    acceleration_variance : (k, 3) array
        Variance of each channel from stride to stride, (m/s^2)^2; zero if unknown.
    angular_rate_variance : (k, 3) array
        The same in (rad/s)^2.
    speed_m_s : float or None
        Mean forward speed of the person, if known.
    cycle_s : float or None
        Period in s, if the recording was tiled from one cycle.
    notes : tuple of str
        What the reader changed, one sentence each.
    usable : (n,) array of bool
        False where nothing was measured that may be learnt from or scored: signals between two pieces, or
        filled in where many samples were lost. Default: true everywhere.
    clocks : Clocks or None
        What was done to the sensors' clocks; None where they had none.
    gyro_biases : tuple of GyroBias
        What gyroscopes read at rest.
    findings : tuple of Finding
        What was wrong with clocks, channels and accelerometers when it was read.
    """

    name: str
    time_s: np.ndarray
    sensors: tuple[Sensor, ...]
    acceleration: np.ndarray
    angular_rate: np.ndarray
    acceleration_available: np.ndarray
    angular_rate_available: np.ndarray
    acceleration_variance: np.ndarray
    angular_rate_variance: np.ndarray
    speed_m_s: float | None = None
    cycle_s: float | None = None
    notes: tuple[str, ...] = ()
    usable: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    clocks: Clocks | None = None
    gyro_biases: tuple[GyroBias, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        n, k = np.size(self.time_s), len(self.sensors)
        where = f"recording '{self.name}'"
        if k == 0:
            raise InputError(
                "The recording has no sensor.", where=where, fix="name at least one sensor in the study"
            )
        _check_unique(self.sensor_names, where)
        shapes = {"time_s": (n,), "acceleration": (n, k, 3), "angular_rate": (n, k, 3)}
        flags = {"acceleration_available": (k, 3), "angular_rate_available": (k, 3)}
        variances = {"acceleration_variance": (k, 3), "angular_rate_variance": (k, 3)}
        if not np.size(self.usable):
            object.__setattr__(self, "usable", np.ones(n, bool))
        for name, shape in (shapes | variances).items():
            self._freeze(name, np.float64, shape, where)
        for name, shape in (flags | {"usable": (n,)}).items():
            self._freeze(name, np.bool_, shape, where)
        check_time(self.time_s, where)
        for name in ("acceleration", "angular_rate"):
            _check_finite(getattr(self, name), self.time_s, self.sensors, f"{where}, {name}")
        for name in variances:
            value = getattr(self, name)
            if not np.all(np.isfinite(value) & (value >= 0)):
                raise InputError("A variance is negative or not a number.", where=f"{where}, {name}")
        for label, value in (("speed_m_s", self.speed_m_s), ("cycle_s", self.cycle_s)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise InputError(f"{label} must be positive.", where=where, found=str(value))

    def _freeze(self, name: str, dtype: type, shape: tuple[int, ...], where: str) -> None:
        value = getattr(self, name)
        # What nobody can write to any more needs no copy: another recording's, or what a reader hands over.
        kept = isinstance(value, np.ndarray) and value.dtype == dtype
        if not kept or value.flags.writeable or not value.flags.owndata:
            value = np.array(value, dtype=dtype)
        if value.shape != shape:
            raise InputError(
                f"The array {name} has the wrong shape.",
                where=where,
                expected=f"{shape} for {shape[0]} rows and {len(self.sensors)} sensors",
                found=str(value.shape),
            )
        value.flags.writeable = False
        object.__setattr__(self, name, value)

    @property
    def sampling_rate_hz(self) -> float:
        """Samples a second."""
        return float((self.time_s.size - 1) / (self.time_s[-1] - self.time_s[0]))

    @property
    def sensor_names(self) -> tuple[str, ...]:
        """Names of the sensors, in the order of the arrays."""
        return tuple(sensor.name for sensor in self.sensors)

    @property
    def rotations(self) -> np.ndarray:
        """(k, 3, 3) array: from the own axes of each sensor to those that its signals are along."""
        return np.stack([sensor.rotation for sensor in self.sensors])


def check_time(time_s: np.ndarray, where: str) -> None:
    """Refuse a clock that does not increase uniformly."""

    def place(row: int) -> str:
        return f"{where}, sample {row + 1}"

    if time_s.size < 2:
        raise InputError("A recording needs at least two samples.", where=where, found=str(time_s.size))
    if not np.all(np.isfinite(time_s)):
        row = int(np.flatnonzero(~np.isfinite(time_s))[0])
        raise InputError("Time is not a number.", where=place(row), found=str(time_s[row]))
    step = np.diff(time_s)
    if np.any(step <= 0):
        row = int(np.flatnonzero(step <= 0)[0]) + 1
        raise InputError(
            "Time does not increase.",
            where=place(row),
            expected=f"more than {time_s[row - 1]:.6g} s",
            found=f"{time_s[row]:.6g} s",
            fix="sort the rows by time and remove repeated ones",
        )
    typical = float(np.median(step))
    # Half a unit in the last place of the largest time is not jitter.
    allowed = TIME_STEP_TOLERANCE * typical + np.spacing(np.max(np.abs(time_s)))
    if np.any(np.abs(step - typical) > allowed):
        row = int(np.argmax(np.abs(step - typical))) + 1
        raise InputError(
            "Time is not uniform.",
            where=place(row),
            expected=f"steps of {typical:.6g} s",
            found=f"a step of {step[row - 1]:.6g} s",
            fix="fill the gap, or use the part of the recording before or after it",
        )


def _check_unique(names: Sequence[str], where: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"Two sensors are named '{name}'.", where=where, fix="give each sensor its own name"
            )


def _check_finite(signal: np.ndarray, time_s: np.ndarray, sensors: tuple[Sensor, ...], where: str) -> None:
    if not np.isfinite(signal).all():
        bad = np.argwhere(~np.isfinite(signal))
        row, sensor, axis = bad[0]
        raise InputError(
            "A sample is not a number.",
            where=f"{where}, sensor '{sensors[sensor].name}', axis {AXES[axis]}, "
            f"sample {row + 1} ({time_s[row]:.6g} s)",
            found=f"{signal[row, sensor, axis]}, and {len(bad)} such samples in all",
            fix="fill the gap, or leave the channel out",
        )
