"""Provenance of a recording's signals: what reading found of clocks and gyroscopes, and did to them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SensorClock:
    """What was found of one sensor's clock, and done to it.

    Attributes
    ----------
    sensor : str
        Name of the stream.
    rate_hz : float
        Samples a second by its own clock.
    offset_s : float
        When its first sample was taken, s after that of the first of all sensors.
    lost, filled, repeated : int
        Samples that are missing in the file; samples of the common clock that lie in short gaps, empty cells
        included, and come from a spline; samples dropped because they repeat the one before.
    interpolated : bool
        Whether its samples were moved to other times.
    impact_offset : ImpactOffset or None
        How its clock stands to that of another sensor by the impacts that both felt, where that can be told.
    """

    sensor: str
    rate_hz: float
    offset_s: float = 0.0
    lost: int = 0
    filled: int = 0
    repeated: int = 0
    interpolated: bool = False
    impact_offset: ImpactOffset | None = None


@dataclass(frozen=True)
class ImpactOffset:
    """How a sensor's clock stands to another's by the impacts that both felt.

    Attributes
    ----------
    sensor, other : str
        Names of the streams.
    offset_s, deviation_s : float
        By how much the sensor's times are late, and the standard deviation of that, s.
    drift_ppm, drift_deviation_ppm : float or None
        By how much they get later, millionths; None where the recording is too short to tell.
    corrected : bool
        Whether its times were set by it.
    """

    sensor: str
    other: str
    offset_s: float
    deviation_s: float
    drift_ppm: float | None = None
    drift_deviation_ppm: float | None = None
    corrected: bool = False


@dataclass(frozen=True)
class Clocks:
    """What was done to make one clock of many.

    Attributes
    ----------
    rate_hz : float
        Samples a second of the common clock.
    common_from : {'one clock', 'time', 'counter', 'start'}
        What the sensors have in common: the clock itself, the origin of their time stamps, that of their
        counters, or only that they are taken to start together.
    sensors : tuple of SensorClock
        Each of them.
    left_out_s : tuple of pairs of float
        Stretches that are not usable because too many samples are missing, s of the recording's time.
    """

    rate_hz: float
    common_from: str
    sensors: tuple[SensorClock, ...]
    left_out_s: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class GyroBias:
    """What a gyroscope reads at rest.

    Attributes
    ----------
    sensor : str
        Name of the sensor.
    bias_rad_s, deviation_rad_s : tuple of 3 float
        Along its own axes, and the standard deviation of that, rad/s.
    still_s : float
        For how long it rested, s.
    subtracted : bool
        Whether its signal is without it.
    drift_rad_s : tuple of 3 float or None
        By how much it changed from the first rest to the last; None where there was but one.
    """

    sensor: str
    bias_rad_s: tuple[float, float, float]
    deviation_rad_s: tuple[float, float, float]
    still_s: float
    subtracted: bool
    drift_rad_s: tuple[float, float, float] | None = None
