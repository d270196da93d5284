"""Orientations of sensors from their own gyroscopes and accelerometers, without magnetometers."""

from __future__ import annotations

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.types import Recording


def filtered_orientations(recording: Recording) -> np.ndarray:
    """Return how each sensor is turned, by the filter VQF on the whole recording.

    Each sensor has a world of its own: z is up, and its heading begins anywhere and may drift. VQF: Laidig
    and Seel 2023, Inf Fusion 91:187.

    Parameters
    ----------
    recording : Recording
        Along any axes.

    Returns
    -------
    (n, k, 4) array
        Quaternions w, x, y, z from the axes of the signals to the world.

    Raises
    ------
    InputError
        A sensor lacks a channel, or the library is not installed.
    """
    try:
        from vqf import offlineVQF
    except ImportError as error:
        raise InputError(
            "Orientations of sensors need the library vqf, which is not installed.",
            fix='python -m pip install "sspinn_opensim[opensense]"',
        ) from error
    complete = np.all(recording.acceleration_available & recording.angular_rate_available, axis=1)
    if not complete.all():
        raise InputError(
            "An orientation takes all six channels of a sensor.",
            where=f"recording '{recording.name}'",
            found=f"'{recording.sensor_names[int(np.argmin(complete))]}' lacks one",
            fix="leave this sensor out of the study",
        )
    step_s = 1.0 / recording.sampling_rate_hz
    found = [
        offlineVQF(
            np.ascontiguousarray(recording.angular_rate[:, k]),
            np.ascontiguousarray(recording.acceleration[:, k]),
            None,
            step_s,
        )["quat6D"]
        for k in range(len(recording.sensors))
    ]
    return np.stack(found, axis=1)
