"""The columns of Xsens' text exports: counters and clocks that wrap, rotations in three forms, increments.

References
----------
Xsens, MTw Awinda User Manual: table of exported data (units; the counter wraps at 65535).
Xsens DOT User Manual, XD0502P rev. E, section 4.2 (angular velocity in degree/s, free acceleration in the
local earth frame, dv/dt is acceleration, counter and clock of 32 bits, the clock in microseconds).
Xsens, MT Low Level Communication Protocol: SampleTimeFine in ticks of 10 kHz.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.formats.text_tables import TextTable
from sspinn_opensim.recording.streams import Stream

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

BITS_16, BITS_32 = 2**16, 2**32
#: Gravity that Xsens' filters take away from the specific force, m/s^2. The value is not published with every
#: product: anywhere on Earth the error is below 0.03 m/s^2.
GRAVITY = 9.81
MADE_OF_FREE = f"Specific force is made of free acceleration, orientation and {GRAVITY} m/s^2."
#: Free acceleration: while it varies by less than this (m/s^2, each axis) over this many samples, its
#: magnitude is below that: an accelerometer at rest feels 9.8 m/s^2, and nobody falls freely for so long.
_STILL_SAMPLES, _STILL_SPREAD, _HIGHEST_FREE = 25, 0.3, 3.0
#: A quaternion or matrix is a rotation if its norm, or its columns' products, are right within this.
_ROTATION_TOLERANCE = 0.02
_LARGEST_ANGLE_DEG = 360.5
#: A step of SampleTimeFine from here on is in microseconds, below in ticks of 100 us: both then mean rates
#: from 20 to 2000 Hz.
_TICKS_BELOW = 500
#: Ticks of 100 us in a day, at which some clocks start again.
_DAY_TICKS = 864_000_000
#: Rates that a device can have, Hz.
_RATES_HZ = (1.0, 10_000.0)
#: Columns of a rotation by form.
QUATERNIONS = (
    ("Quat_q0", "Quat_q1", "Quat_q2", "Quat_q3"),
    ("Quat_W", "Quat_X", "Quat_Y", "Quat_Z"),
    ("Quaternion_w", "Quaternion_x", "Quaternion_y", "Quaternion_z"),
)
MATRIX = tuple(f"Mat[{row}][{column}]" for row in (1, 2, 3) for column in (1, 2, 3))
EULER = (("Roll", "Pitch", "Yaw"), ("Euler_X", "Euler_Y", "Euler_Z"))
FREE_ACCELERATION = (
    ("FreeAcc_X", "FreeAcc_Y", "FreeAcc_Z"),
    ("FreeAcc_E", "FreeAcc_N", "FreeAcc_U"),
)
ACCELERATION, ANGULAR_RATE = ("Acc_X", "Acc_Y", "Acc_Z"), ("Gyr_X", "Gyr_Y", "Gyr_Z")
ROTATION_INCREMENT = (("OriInc_q0", "OriInc_q1", "OriInc_q2", "OriInc_q3"), ("dq_W", "dq_X", "dq_Y", "dq_Z"))
VELOCITY_INCREMENT = (("VelInc_X", "VelInc_Y", "VelInc_Z"), ("dv[1]", "dv[2]", "dv[3]"))
COUNTERS, CLOCKS = ("PacketCounter", "Counter"), ("SampleTimeFine", "Timestamp")


def in_small_letters(*groups: tuple[str, ...]) -> frozenset[str]:
    """Return the names of groups of columns in small letters, as they are compared."""
    return frozenset(name.lower() for group in groups for name in group)


#: All columns that are read.
WANTED = in_small_letters(
    *QUATERNIONS,
    MATRIX,
    *EULER,
    *FREE_ACCELERATION,
    ACCELERATION,
    ANGULAR_RATE,
    *ROTATION_INCREMENT,
    *VELOCITY_INCREMENT,
    COUNTERS,
    CLOCKS,
)


def first_of(table: TextTable, forms: tuple[tuple[str, ...], ...]) -> np.ndarray | None:
    """Return the columns of the first form that the table has, side by side, or None."""
    return next((found for names in forms if (found := table.vector(*names)) is not None), None)


def counter(table: TextTable, largest: int | None = None) -> np.ndarray | None:
    """Return the counter of packets without its wraps, (n,) int; None where the file has none.

    Parameters
    ----------
    largest : int, optional
        At which number it starts again. Default: 2^16, or 2^32 if it goes beyond.

    Raises
    ------
    InputError
        If a number is no count, goes backward, or never goes forward.
    """
    name = next((name for name in COUNTERS if table.has(name)), None)
    values = None if name is None else table.column(name)
    if values is None or not np.any(np.isfinite(values)):
        return None
    if largest is None:
        largest = BITS_16 if np.nanmax(values) < BITS_16 else BITS_32
    return _unwrapped(table, str(name), values, largest)


def clock(table: TextTable, packets: np.ndarray | None) -> np.ndarray | None:
    """Return the times of the samples in s by `SampleTimeFine`, (n,); None where the file has none.

    The unit is that which makes the typical step one of a device for motion: ticks of 100 us (MTw, MTi) or
    microseconds (DOT).
    """
    name = next((name for name in CLOCKS if table.has(name)), None)
    values = None if name is None else table.column(name)
    if values is None or len(values) < 2 or not np.all(np.isfinite(values)):
        return None
    if name == CLOCKS[1]:  # of the server of DOT: without wraps, with fractions
        return 1e-6 * values
    # Clocks of MTi start again after a day.
    day = np.max(values) < _DAY_TICKS and np.any(np.diff(values) < 0)
    ticks = _unwrapped(table, str(name), values, _DAY_TICKS if day else BITS_32)
    unit_s = 1e-4 if _typical_step(ticks, packets) < _TICKS_BELOW else 1e-6
    return unit_s * ticks


def from_the_first(streams: Sequence[Stream]) -> tuple[Stream, ...]:
    """Return streams whose times, which have one origin if devices are synchronized, count from the first.

    An origin of its own for each would put sensors together that started one after the other. Differences of
    large numbers are rounded to what the files hold.
    """
    start_s = min((float(stream.time_s[0]) for stream in streams if stream.time_s is not None), default=0.0)
    return tuple(
        stream if stream.time_s is None else replace(stream, time_s=np.round(stream.time_s - start_s, 9))
        for stream in streams
    )


def _typical_step(times: np.ndarray, packets: np.ndarray | None) -> float:
    """Return the median time from packet to packet; repeated ones tell nothing."""
    steps, numbers = np.diff(times), 1 if packets is None else np.diff(packets)
    forward = (steps > 0) & (numbers > 0)
    return float(np.median((steps / np.where(forward, numbers, 1))[forward])) if np.any(forward) else np.inf


def _unwrapped(table: TextTable, name: str, values: np.ndarray, largest: int) -> np.ndarray:
    odd = ~(np.isfinite(values) & (values >= 0) & (values < largest))
    odd[~odd] = values[~odd] != np.floor(values[~odd])
    if np.any(odd):
        row = int(np.argmax(odd))
        raise InputError(
            f"'{name}' is not a count.",
            where=table.at(row),
            expected=f"a whole number below {largest}",
            found=f"{values[row]:g}",
        )
    steps = np.diff(values.astype(np.int64)) % largest
    wrong = steps > largest // 2
    if np.any(wrong) or (steps.size and not np.any(steps)):
        row = int(np.argmax(wrong)) + 1
        raise InputError(
            f"'{name}' does not go forward.",
            where=table.at(row),
            expected=f"more than {values[row - 1]:.0f}",
            found=f"{values[row]:.0f}",
            fix="rows lost their order or come from two recordings: export the file again",
        )
    return np.concatenate([[0], np.cumsum(steps)]) + int(values[0])


def orientation(table: TextTable) -> tuple[np.ndarray | None, str]:
    """Return the quaternions w, x, y, z from the sensor to its world, (n, 4), and what is wrong with them.

    Taken from the quaternion, else the matrix, else the angles that the file has: all say the same.
    """
    forms = (
        (first_of(table, QUATERNIONS), _of_quaternions, "quaternions"),
        (table.vector(*MATRIX), _of_matrices, "matrices"),
        (first_of(table, EULER), _of_angles, "Euler angles"),
    )
    for values, convert, words in forms:
        if values is not None:
            found = convert(values)
            return found, "" if found is not None else f"its {words} are no rotations: they are left out."
    return None, ""


def _of_quaternions(values: np.ndarray) -> np.ndarray | None:
    with np.errstate(over="ignore", invalid="ignore"):
        norm = np.linalg.norm(values, axis=1)
    return None if _departs(norm - 1.0) else values / norm[:, None]


def _of_matrices(values: np.ndarray) -> np.ndarray | None:
    from scipy.spatial.transform import Rotation  # takes long to import, and a study needs none of it

    matrix = values.reshape(-1, 3, 3)
    known = np.all(np.isfinite(values), axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        product = np.swapaxes(matrix, 1, 2) @ matrix - np.eye(3)
    if _departs(product) or np.any(np.linalg.det(matrix[known]) < 0):
        return None
    return _converted(known, matrix, Rotation.from_matrix)


def _of_angles(values: np.ndarray) -> np.ndarray | None:
    from scipy.spatial.transform import Rotation

    known = np.all(np.isfinite(values), axis=1)
    if np.any(np.abs(values[known]) > _LARGEST_ANGLE_DEG):
        return None
    # Roll, pitch and yaw are turns about fixed axes x, y, z: about the moving ones z, y, x.
    return _converted(known, values[:, ::-1], lambda rows: Rotation.from_euler("ZYX", rows, degrees=True))


def unit_quaternions(values: np.ndarray | None) -> tuple[np.ndarray | None, str]:
    """Return quaternions of norm 1, and what is wrong with them; None where there are none."""
    found = None if values is None else _of_quaternions(values)
    wrong = values is not None and found is None
    return found, "its quaternions are no rotations: they are left out." if wrong else ""


def _departs(error: np.ndarray) -> bool:
    known = error[~np.isnan(error)]
    return bool(known.size and np.max(np.abs(known)) > _ROTATION_TOLERANCE)


def _converted(known: np.ndarray, rows: np.ndarray, convert: Callable[[np.ndarray], Rotation]) -> np.ndarray:
    """Return the quaternions of the rows that are known; NaN for the others."""
    found = np.full((len(rows), 4), np.nan)
    if np.any(known):
        found[known] = convert(rows[known]).as_quat(scalar_first=True)
    return found


def rates_of_increments(increments: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return the mean angular rate in rad/s over the interval that ends at each sample, (n, 3).

    Parameters
    ----------
    increments : (n, 4) array
        Turn of the sensor over each interval, quaternion w, x, y, z.
    """
    from scipy.spatial.transform import Rotation

    known = np.all(np.isfinite(increments), axis=1)
    known[known] = np.abs(np.linalg.norm(increments[known], axis=1) - 1.0) < _ROTATION_TOLERANCE
    found = np.full((len(increments), 3), np.nan)
    if np.any(known):
        found[known] = Rotation.from_quat(increments[known], scalar_first=True).as_rotvec() * rate_hz
    return found


def rates_of_orientations(
    quaternions: np.ndarray, rate_hz: float, counter: np.ndarray | None = None
) -> np.ndarray:
    """Return the mean angular rate in rad/s over the interval that ends at each sample, sensor axes, (n, 3).

    Unknown (NaN) at the first sample, where an orientation is, and where the counter (n,) of the samples
    jumps: the turn is that of several intervals.
    """
    w, x, y, z = quaternions[:-1].T
    a, b, c, d = quaternions[1:].T
    # The product of the conjugate of the first with the second.
    increments = np.stack(
        [
            w * a + x * b + y * c + z * d,
            w * b - x * a - y * d + z * c,
            w * c + x * d - y * a - z * b,
            w * d - x * c + y * b - z * a,
        ],
        axis=1,
    )
    rates = np.concatenate([np.full((1, 3), np.nan), rates_of_increments(increments, rate_hz)])
    if counter is not None:
        rates[1:][np.diff(counter) != 1] = np.nan
    return rates


def specific_force(free_acceleration: np.ndarray, quaternions: np.ndarray) -> np.ndarray:
    """Return what the accelerometer felt, ``R^T (a + g)``, (n, 3) m/s^2 along the sensor's axes.

    Parameters
    ----------
    free_acceleration : (n, 3) array
        Acceleration without gravity in the world, z up.
    quaternions : (n, 4) array
        Orientation w, x, y, z of the sensor in that world.
    """
    from scipy.spatial.transform import Rotation

    known = np.all(np.isfinite(quaternions), axis=1) & np.all(np.isfinite(free_acceleration), axis=1)
    found = np.full((len(quaternions), 3), np.nan)
    if np.any(known):
        turns = Rotation.from_quat(quaternions[known], scalar_first=True)
        found[known] = turns.inv().apply(free_acceleration[known] + [0.0, 0.0, GRAVITY])
    return found


def resting_magnitude(acceleration: np.ndarray) -> float | None:
    """Return the mean magnitude in m/s^2 while a sensor rests; None where it never does for long enough."""
    blocks = len(acceleration) // _STILL_SAMPLES
    if not blocks:
        return None
    parts = acceleration[: blocks * _STILL_SAMPLES].reshape(blocks, _STILL_SAMPLES, 3)
    with np.errstate(over="ignore", invalid="ignore"):
        still = np.all(np.std(parts, axis=1) < _STILL_SPREAD, axis=1)
        if not np.any(still):
            return None
        return float(np.median(np.linalg.norm(parts[still], axis=2)))


def is_free(acceleration: np.ndarray) -> float | None:
    """Return the magnitude at rest in m/s^2 if it tells that gravity was removed; else None."""
    resting = resting_magnitude(acceleration)
    return resting if resting is not None and resting < _HIGHEST_FREE else None


@dataclass(frozen=True, eq=False)
class Signals:
    """Specific force in m/s^2 and angular rate in rad/s of a table, each (n, 3) or None.

    Parameters
    ----------
    notes : tuple of str
        What was made of other columns, one sentence each.
    lacks : tuple of str
        Why a signal is None that the file seems to hold, one clause each.
    """

    acceleration: np.ndarray | None
    angular_rate: np.ndarray | None
    notes: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


def signals(table: TextTable, rate_unit: float, rate_hz: float | None, turns: np.ndarray | None) -> Signals:
    """Return what accelerometer and gyroscope measured, from the columns that a file has.

    Increments (velocity, orientation) are divided by the interval, which the manual of DOT states as exact.
    Free acceleration becomes specific force again where orientation and angular rate are there too; without a
    gyroscope nothing in the file is as it was measured, and it is left out.

    Parameters
    ----------
    rate_unit : float
        Factor of the angular rates in the file to rad/s.
    rate_hz : float or None
        Sampling rate, if known.
    turns : (n, 4) array or None
        Orientation w, x, y, z of the sensor in a world with z up.
    """
    notes, lacks = [], []
    angular_rate = table.vector(*ANGULAR_RATE)
    if angular_rate is not None:
        angular_rate = rate_unit * angular_rate
    acceleration, free = table.vector(*ACCELERATION), first_of(table, FREE_ACCELERATION)
    if acceleration is not None:
        resting = is_free(acceleration)
        if resting is not None:
            acceleration = None
            lacks.append(
                "Acc_X, Acc_Y, Acc_Z hold free acceleration, without gravity, or another unit: "
                f"{resting:.2g} m/s^2 at rest, where an accelerometer feels 9.8"
            )
    if rate_hz is not None:
        turned, sped = first_of(table, ROTATION_INCREMENT), first_of(table, VELOCITY_INCREMENT)
        if angular_rate is None and turned is not None:
            angular_rate = rates_of_increments(turned, rate_hz)
            notes.append("Angular rate is the turn of each interval over its length.")
        if acceleration is None and sped is not None:
            acceleration = rate_hz * sped
            notes.append("Specific force is the change of velocity in each interval over its length.")
    if acceleration is None and free is not None:
        if angular_rate is not None and turns is not None:
            acceleration = specific_force(free, turns)
            notes.append(MADE_OF_FREE)
        else:
            lacks.append("FreeAcc is free acceleration, from which a filter of the vendor removed gravity")
    return Signals(acceleration, angular_rate, tuple(notes), tuple(lacks))


def rate_of(time_s: np.ndarray | None, packets: np.ndarray | None) -> float | None:
    """Return the rate in Hz by the clock, lost packets counted in."""
    if time_s is None or len(time_s) < 2:
        return None
    step_s = _typical_step(time_s, packets)
    return 1.0 / step_s if np.isfinite(step_s) else None


def stated_rate(text: str) -> float | None:
    """Return the rate in Hz of a text such as ``100.0Hz``; None where it is none that a device has."""
    found = re.match(r"\s*(\d+\.?\d*)\s*Hz", text, re.IGNORECASE)
    rate = float(found[1]) if found else 0.0
    return rate if _RATES_HZ[0] <= rate <= _RATES_HZ[1] else None
