"""A recording on another clock."""

from __future__ import annotations

import dataclasses

import numpy as np

from sspinn_opensim.recording.signals.filters import low_pass
from sspinn_opensim.recording.types import Recording

#: Cut-off of the low-pass before the rate is lowered, as a fraction of the new rate, and the filter's order.
#: Run forwards and backwards it takes 3 dB there and 37 dB at the new Nyquist frequency.
_CUTOFF, _ORDER = 0.325, 6


def resample(recording: Recording, sampling_rate_hz: float) -> Recording:
    """Return the recording at another rate: low-pass without lag if the rate falls, then cubic splines.

    Returns
    -------
    Recording
        Starts at the same time; the same object if it has this rate already.
    """
    old_rate = recording.sampling_rate_hz
    if abs(old_rate / sampling_rate_hz - 1.0) < 1e-9:
        return recording
    time_s = recording.time_s[0] + uniform_clock(recording.time_s[-1] - recording.time_s[0], sampling_rate_hz)
    acceleration, angular_rate = (
        interpolate(recording.time_s, anti_aliased(signal, old_rate, sampling_rate_hz), time_s)
        for signal in (recording.acceleration, recording.angular_rate)
    )
    # A sample is usable where both samples around it are.
    usable = np.interp(time_s, recording.time_s, recording.usable) > 1.0 - 1e-6
    return dataclasses.replace(
        recording, time_s=time_s, acceleration=acceleration, angular_rate=angular_rate, usable=usable
    )


def uniform_clock(duration_s: float, sampling_rate_hz: float) -> np.ndarray:
    """Return the times k / rate from 0 that do not pass `duration_s`, in s."""
    # A last sample that misses the end by rounding belongs to the recording.
    return np.arange(int(np.floor(duration_s * sampling_rate_hz + 1e-6)) + 1) / sampling_rate_hz


def anti_aliased(signal: np.ndarray, old_rate_hz: float, new_rate_hz: float) -> np.ndarray:
    """Return a signal (n, ...) without what a new rate cannot hold; itself where the rate does not fall."""
    if new_rate_hz >= old_rate_hz:
        return signal
    return low_pass(signal, _CUTOFF * new_rate_hz, old_rate_hz, order=_ORDER)


def interpolate(time_s: np.ndarray, signal: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Interpolate a signal (n, ...) along its first axis by cubic splines; beyond its ends it is held."""
    from scipy.interpolate import CubicSpline  # takes long to import, and a study needs none of it

    return CubicSpline(time_s, signal, axis=0)(np.clip(at_s, time_s[0], time_s[-1]))
