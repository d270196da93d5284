"""Calibration by standing still: gyroscopes by what they read, and how sensors are inclined by gravity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sspinn_opensim.recording.sensors.gyro_bias import gyro_biases
from sspinn_opensim.streaming.events import Event
from sspinn_opensim.streaming.frames import Frame
from sspinn_opensim.streaming.sensors import StreamedSensors, listed

#: Whoever stands still has at most these deviations (m/s^2, rad/s), and sensors upright within degrees.
_STILL_M_S2, _STILL_RAD_S, _UPRIGHT_DEG = 0.5, 0.2, 45.0

#: By how much sensors are turned, (k, 3, 3), by acceleration and angular rate (n, k, 3) of who stands still.
Inclined = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What standing at the start says of k sensors.

    Attributes
    ----------
    event : Event
        What was done: ``standing``, or ``not_standing`` and nothing was.
    bias : (k, 3) ndarray
        Of the gyroscopes along the bodies, rad/s.
    turns : (k, 3, 3) ndarray or None
        By how much sensors are turned from where they are said to sit.
    up : (k, 3) ndarray or None
        Mean specific force along the bodies, m/s^2.
    """

    event: Event
    bias: np.ndarray
    turns: np.ndarray | None = None
    up: np.ndarray | None = None


def calibrated(
    sensors: StreamedSensors, standing: Sequence[Frame], inclined: Inclined | None, *, axes_known: bool
) -> Calibration:
    """Return what sensors say while the person stands.

    Parameters
    ----------
    standing : sequence of Frame
        So long the person was asked to stand.
    inclined : callable, optional
        By how much sensors are turned, by where they feel up.
    axes_known : bool
        Whether the study says how sensors sit.
    """
    # What is still to be turned needs all axes.
    turned = inclined is not None or not axes_known
    along = sensors.whole if turned else sensors.along_bodies
    signals = [along(frame.signals) for frame in standing]
    acceleration, rate = (np.array([pair[i] for pair in signals]) for i in (0, 1))
    time_s, names = np.array([frame.time_s for frame in standing]), sensors.names
    used_a, used_r = np.split(sensors.used | turned, 2, axis=1)
    spread_a = np.where(used_a, acceleration.std(axis=0), 0.0).max(axis=1)
    spread_r = np.where(used_r, rate.std(axis=0), 0.0).max(axis=1)
    moving = sensors.named(np.flatnonzero((spread_a > _STILL_M_S2) | (spread_r > _STILL_RAD_S)).tolist())
    bias = np.zeros((len(names), 3))
    if moving:
        text = f"Nobody stood still at the start ({listed(moving)} moved): gyroscopes stay as they are."
        return Calibration(Event(time_s[-1], "not_standing", text, moving), bias)
    biases = gyro_biases(names, time_s, acceleration, rate, (time_s[0], time_s[-1]))
    for own in biases:
        if own.subtracted:
            k = names.index(own.sensor)
            bias[k] = np.where(used_r[k], own.bias_rad_s, 0.0)
    corrected = sum(own.subtracted for own in biases)
    text = f"The person stands: {corrected} of {len(names)} gyroscopes are corrected by what they read."
    turns = None
    if inclined is not None:
        turns = inclined(acceleration, rate - bias)
        text += f" By where they feel up, sensors are turned by {_in_words(turns, names)} degrees."
        acceleration = np.einsum("kij,nkj->nki", turns, acceleration)
        bias = along_turned(turns, bias)
    return Calibration(Event(time_s[-1], "standing", text), bias, turns, acceleration.mean(axis=0))


def along_turned(turns: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return the biases (k, 3) of sensors along axes that are turned by so much, (k, 3, 3)."""
    return np.einsum("kij,kj->ki", turns, bias)


def tilted(sensors: StreamedSensors, time_s: float, up: np.ndarray) -> list[Event]:
    """Return which sensors feel up (k, 3) far from where it should be: they sit otherwise than it is said."""
    whole = sensors.used[:, 0] & sensors.used[:, 1]
    angles = np.degrees(np.arccos(np.clip(up[:, 1] / np.linalg.norm(up, axis=1).clip(1e-9), -1, 1)))
    return [
        Event(
            time_s,
            "tilted",
            f"Sensor '{sensors.names[k]}' feels up {angles[k]:.0f} degrees from where it should be: it "
            "sits otherwise than in the study.",
            (sensors.names[k],),
        )
        for k in np.flatnonzero(whole & (angles > _UPRIGHT_DEG)).tolist()
    ]


def _in_words(turns: np.ndarray, names: Sequence[str]) -> str:
    angles = np.degrees(np.arccos(np.clip((np.trace(turns, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    return f"{np.median(angles):.0f}, at most {angles.max():.0f} ({names[int(angles.argmax())]})"
