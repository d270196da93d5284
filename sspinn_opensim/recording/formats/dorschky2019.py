"""The mean gait cycles of Dorschky et al. (2019) as continuous recordings.

A file holds one cycle: the mean over ten trials at 100 samples, sample i at the time i T / 100, and the
variance over the trials of every sample. The cycle is repeated and read on a uniform clock through a periodic
cubic spline: it passes through every sample, and where the mean cycle does not quite close (its ends come
from different instants of the trials) the misfit stays within a few samples, which a Fourier series would
spread over the whole cycle.

Only sensor signals, duration and speed are taken from the file; optical angles, moments and ground forces,
which it also holds, are never looked at here. What a file may lack, the study may say: speed and positions.

Sensor axes are the segments' (x forward, y up, z right); positions are measured from the proximal joint of
the segment, that of the pelvis from the level of the hip centres. That joint is found in the model; the
study's ``origin`` names another one.

References
----------
Dorschky E., Nitschke M., Seifer A.-K., van den Bogert A. J., Eskofier B. M. (2019). Estimation of gait
kinematics and kinetics from inertial sensor data using optimal control of musculoskeletal models. Journal of
Biomechanics 95, 109278.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.recording import units
from sspinn_opensim.recording.choices import Format, RecordingChoice, SensorChoice
from sspinn_opensim.recording.formats.matlab_tables import SignalRow, read_rows
from sspinn_opensim.recording.sensors.mounting import mounting_rotation, place_sensor
from sspinn_opensim.recording.signals.rotations import rotate
from sspinn_opensim.recording.types import Recording, Sensor
from sspinn_opensim.settings.bounds import Count

#: The kinds of rows this reader may see.
KINDS = frozenset({"acc", "gyro", "dur", "speed"})
SAMPLES_PER_CYCLE = 100
DEFAULT_RATE_HZ = 100.0
#: s by which the sensors lag the laboratory: the middle of the 13 to 19 ms by which IMU and optical events
#: differ in this set.
_LAG_S = 0.015
#: How well the axes of sensors that were put on by hand are known: the deviation, about each axis, of most.
_AXES_WITHIN_DEG = 3.5

_SIGNALS = (("acc", units.ACCELERATION), ("gyro", units.ANGULAR_RATE))


@dataclass(frozen=True)
class Dorschky2019Options:
    """``[recording.dorschky2019]``: what becomes of the one stored cycle.

    Parameters
    ----------
    cycles : int
        How often it is repeated.
    """

    cycles: Count = 20


def read_dorschky2019(choice: RecordingChoice, sensors: Sequence[SensorChoice]) -> Recording:
    """Read one file and repeat its cycle.

    Parameters
    ----------
    choice : RecordingChoice
        File, `Dorschky2019Options` and sampling rate (100 Hz if left out).
    sensors : sequence of SensorChoice
        Sensors to take, named as in the file; a position left out is the file's.

    Returns
    -------
    Recording
        As many cycles from time 0, with their period, the speed if file or study know it, and the variance of
        each channel (mean over the cycle; zero where the file has none).
    """
    file, rows = choice.file, read_rows(choice.file, KINDS)
    options = choice.options or Dorschky2019Options()
    cycle_s = _positive(rows, "dur")
    if cycle_s is None:
        raise InputError("The file needs one positive row of type 'dur'.", where=file)
    rate = choice.sampling_rate_hz or DEFAULT_RATE_HZ
    # The end of the last cycle is the start of the next one and is left out.
    time_s = np.arange(int(np.ceil(options.cycles * cycle_s * rate - 1e-9))) / rate
    read = [_read_sensor(rows, sensor, file) for sensor in sensors]
    signals, variances, flags = (
        np.stack(parts, axis=1) for parts in zip(*(entry[1] for entry in read), strict=True)
    )
    repeated = _repeat(np.moveaxis(signals, 2, 0), cycle_s, time_s)
    return Recording(
        name=choice.name,
        time_s=time_s,
        sensors=tuple(sensor for sensor, _ in read),
        acceleration=repeated[:, 0],
        angular_rate=repeated[:, 1],
        acceleration_available=flags[0],
        angular_rate_available=flags[1],
        acceleration_variance=variances[0],
        angular_rate_variance=variances[1],
        speed_m_s=choice.speed_m_s if choice.speed_m_s is not None else _positive(rows, "speed"),
        cycle_s=cycle_s,
    )


FORMAT = Format(
    "dorschky2019",
    Dorschky2019Options,
    read_dorschky2019,
    segment_axes=True,
    axes_within_deg=_AXES_WITHIN_DEG,
    places_sensors=True,
    laboratory_lag_s=_LAG_S,
)


def _positive(rows: Sequence[SignalRow], kind: str) -> float | None:
    """Return the one number of a kind of rows; None where there is no such row, or no positive number."""
    found = [row.mean[0] for row in rows if row.kind == kind and row.mean.size]
    return float(found[0]) if len(found) == 1 and found[0] > 0 else None


def _read_sensor(
    rows: Sequence[SignalRow], choice: SensorChoice, file: Path
) -> tuple[Sensor, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return the sensor, and (signals (2, 100, 3), variances (2, 3), available (2, 3)) in body axes."""
    own = [row for row in rows if row.name == choice.name and row.kind in ("acc", "gyro")]
    if not own:
        known = sorted({row.name for row in rows if row.kind in ("acc", "gyro")})
        raise InputError(
            f"The recording has no sensor '{choice.name}'.",
            where=file,
            expected="one of " + ", ".join(known),
            fix=nearest(choice.name, known),
        )
    mounting = mounting_rotation(choice)
    signals, variances, flags = [], [], []
    for kind, known_units in _SIGNALS:
        signal = np.zeros((SAMPLES_PER_CYCLE, 3))
        variance, available = np.zeros(3), np.zeros(3, dtype=bool)
        for row in (row for row in own if row.kind == kind):
            axis, sign = _segment_axis(row, file)
            factor = units.factor(row.unit, known_units, f"{file}, {kind} {row.name}")
            numbers = np.count_nonzero(np.isfinite(row.mean))
            if not row.mean.size == numbers == SAMPLES_PER_CYCLE:
                raise InputError(
                    "A signal has the wrong length, or holds something else than numbers.",
                    where=f"{file}, {kind} {row.name}",
                    expected=f"{SAMPLES_PER_CYCLE} numbers",
                    found=f"{row.mean.size} samples, {numbers} of them numbers",
                )
            signal[:, axis] = sign * factor * row.mean
            # Zero stands for unknown.
            variance[axis] = factor**2 * np.nan_to_num(np.mean(row.variance)) if row.variance.size else 0.0
            available[axis] = True
        rotated, rotated_available = rotate(signal, available, mounting)
        signals.append(rotated)
        # Axes are taken as independent of each other: the file holds no covariance.
        variances.append(np.where(rotated_available, mounting**2 @ variance, 0.0))
        flags.append(rotated_available)
    return _placed(choice, own), (np.array(signals), np.array(variances), np.array(flags))


def _placed(choice: SensorChoice, rows: Sequence[SignalRow]) -> Sensor:
    stated = [row.position for row in rows if np.all(np.isfinite(row.position))]
    if not stated:
        return place_sensor(choice)
    x, y, z = map(float, stated[0])
    return place_sensor(choice, (x, y, z))


def _segment_axis(row: SignalRow, file: Path) -> tuple[int, float]:
    axis = int(np.argmax(np.abs(row.direction)))
    if not np.isclose(np.linalg.norm(row.direction), 1.0) or not np.isclose(abs(row.direction[axis]), 1.0):
        raise InputError(
            "A signal is not along an axis of its segment.",
            where=f"{file}, {row.kind} {row.name}",
            found=str(row.direction),
        )
    return axis, float(np.sign(row.direction[axis]))


def _repeat(cycle: np.ndarray, cycle_s: float, time_s: np.ndarray) -> np.ndarray:
    """Return the samples (100, ...) of one cycle at any times, periodically."""
    from scipy.interpolate import CubicSpline  # takes long to import, and a study needs none of it

    closed = np.concatenate([cycle, cycle[:1]])
    knots = np.linspace(0.0, cycle_s, SAMPLES_PER_CYCLE + 1)
    return CubicSpline(knots, closed, axis=0, bc_type="periodic")(np.mod(time_s, cycle_s))
