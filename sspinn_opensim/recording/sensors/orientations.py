"""Orientations of sensors from their own gyroscopes and accelerometers, without magnetometers."""

from __future__ import annotations

import numpy as np
from vqf import offlineVQF

from sspinn_opensim.recording.signals.runs import true_runs
from sspinn_opensim.recording.types import Recording


def filtered_orientations(recording: Recording) -> np.ndarray:
    """Return how each sensor is turned, by the filter VQF on the whole recording.

    Each sensor has a world of its own: z is up, its heading begins anywhere and may drift. VQF: Laidig and
    Seel 2023, Inf Fusion 91:187. What was not measured begins a new piece.

    Parameters
    ----------
    recording : Recording
        Along any axes.

    Returns
    -------
    (n, k, 4) array
        Quaternions w, x, y, z from the axes of the signals to the world; NaN where nothing was measured, and
        of sensors that lack a channel.
    """
    found = np.full((*recording.acceleration.shape[:2], 4), np.nan)
    complete = np.all(recording.acceleration_available & recording.angular_rate_available, axis=1)
    for first, last in true_runs(recording.usable):
        for k in np.flatnonzero(complete):
            rate, force = (
                np.ascontiguousarray(signal[first:last, k])
                for signal in (recording.angular_rate, recording.acceleration)
            )
            found[first:last, k] = offlineVQF(rate, force, None, 1.0 / recording.sampling_rate_hz)["quat6D"]
    return found


def directions_of_up(recording: Recording) -> np.ndarray:
    """Return the direction of up along the axes of each sensor, (n, k, 3); NaN where it is not known."""
    w, x, y, z = np.moveaxis(filtered_orientations(recording), -1, 0)
    # Third row of the rotation matrix: z of the world in the axes of the sensor.
    return np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x**2 + y**2)], axis=-1)
