"""Filters without lag, for signals and motions alike: low-pass, band-pass, and means over windows."""

from __future__ import annotations

import numpy as np

#: Samples by which a signal is continued at either end, in periods of the cut-off.
_PADDING = 4.0


def low_pass(signal: np.ndarray, cutoff_hz: float, rate_hz: float, *, order: int = 2) -> np.ndarray:
    """Return a signal (n, ...) without what is faster than a cut-off.

    A Butterworth filter runs forwards and backwards, so that it has no lag. Its corner is set so that both
    runs together take 3 dB at the cut-off (Winter 2009, Biomechanics and Motor Control of Human Movement,
    section 2.2.4.4; here with the tangents of the bilinear transform, so that it holds up to half the rate).

    Parameters
    ----------
    cutoff_hz, rate_hz : float
        Cut-off and sampling rate, Hz. A cut-off beyond half of the rate takes next to nothing.
    order : int
        Of the filter that runs twice.
    """
    tangent = np.tan(np.pi * min(cutoff_hz / rate_hz, 0.499)) / (np.sqrt(2.0) - 1.0) ** (0.5 / order)
    corner_hz = min(rate_hz / np.pi * np.arctan(tangent), 0.499 * rate_hz)
    padding = min(round(_PADDING * rate_hz / cutoff_hz) + 3 * order, signal.shape[0] - 1)
    return both_ways(butterworth(corner_hz, rate_hz=rate_hz, order=order), signal, padding)


def butterworth(*corners_hz: float, rate_hz: float, order: int = 2) -> np.ndarray:
    """Return a Butterworth filter as sections of second order, (m, 6).

    Parameters
    ----------
    *corners_hz : float
        One of a low-pass, two of a band-pass, below half of the rate.
    rate_hz : float
        Sampling rate.
    order : int
        A band-pass has twice as many poles.
    """
    from scipy.signal import butter  # takes long to import, and a study needs none of it

    kind = "lowpass" if len(corners_hz) == 1 else "bandpass"
    return np.asarray(butter(order, np.squeeze(corners_hz), kind, fs=rate_hz, output="sos"))


def both_ways(sections: np.ndarray, signal: np.ndarray, padding: int) -> np.ndarray:
    """Return a signal (n, ...) filtered forwards and backwards, so without lag.

    Parameters
    ----------
    sections : (m, 6) array
        The filter, as `butterworth` returns it.
    padding : int
        Samples by which the signal is continued at either end first, mirrored about its last sample.
    """
    from scipy.signal import sosfiltfilt  # takes long to import

    return sosfiltfilt(sections, signal, axis=0, padlen=padding)


def running_mean(signal: np.ndarray, width: int) -> np.ndarray:
    """Return the means of a signal (n, ...) over all windows of so many samples, (n - width + 1, ...)."""
    total = np.concatenate([np.zeros((1, *signal.shape[1:])), np.cumsum(signal, axis=0)])
    return (total[width:] - total[:-width]) / width
