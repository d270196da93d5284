"""Filters without lag, for signals and motions alike: low-pass, band-pass, and means over windows.

They are those of `scipy.signal`, which takes a third of a second to import: too long for whoever waits to be
told that a recording cannot be used.
"""

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
    """Return a Butterworth filter as sections of second order (m, 2, 3), numerators before denominators.

    Parameters
    ----------
    *corners_hz : float
        One of a low-pass, two of a band-pass, below half of the rate.
    rate_hz : float
        Sampling rate.
    order : int
        An even number; a band-pass has twice as many poles.
    """
    # Corners on the axis that the bilinear transform z = (1 + s) / (1 - s) takes to the unit circle.
    warped = np.tan(np.pi * np.array(corners_hz) / rate_hz)
    poles = np.exp(0.5j * np.pi * (1.0 + (2 * np.arange(order // 2) + 1) / order))
    if len(warped) == 1:
        poles, numerator, passed = warped[0] * poles, np.array([1.0, 2.0, 1.0]), 1.0
    else:
        half, middle = np.ptp(warped) / 2 * poles, np.sqrt(warped.prod())
        root = np.sqrt(half**2 - middle**2)
        poles, numerator = np.concatenate([half + root, half - root]), np.array([1.0, 0.0, -1.0])
        passed = (1 + 1j * middle) / (1 - 1j * middle)
    poles = (1 + poles) / (1 - poles)
    sections = np.empty((len(poles), 2, 3))
    sections[:, 1] = np.stack([np.ones(len(poles)), -2 * poles.real, np.abs(poles) ** 2], axis=1)
    powers = passed ** -np.arange(3.0)
    sections[:, 0] = np.abs(sections[:, 1] @ powers / (numerator @ powers))[:, None] * numerator
    return sections


def both_ways(sections: np.ndarray, signal: np.ndarray, padding: int) -> np.ndarray:
    """Return a signal (n, ...) filtered forwards and backwards, so without lag.

    Parameters
    ----------
    sections : (m, 2, 3) array
        The filter, as `butterworth` returns it.
    padding : int
        Samples by which the signal is continued at either end first, mirrored about its last sample.
    """
    columns = signal.reshape(len(signal), -1)
    before = 2 * columns[:1] - columns[padding:0:-1]
    after = 2 * columns[-1:] - columns[-2 : -padding - 2 : -1]
    columns = np.concatenate([before, columns, after])
    for _ in range(2):
        columns = _forwards(sections, columns)[::-1]
    return columns[padding : len(columns) - padding].reshape(signal.shape)


def _forwards(sections: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Return a signal (n, k) filtered as if it had always been what it is at first."""
    from scipy.linalg import get_lapack_funcs  # takes long to import, and a study needs none of it

    level = signal[:1]
    signal = signal - level
    for numerator, denominator in sections:
        fed = numerator[0] * signal
        fed[1:] += numerator[1] * signal[:-1]
        fed[2:] += numerator[2] * signal[:-2]
        # What was filtered, times the denominator, is what was fed: a triangular system of three diagonals.
        diagonals = np.repeat(denominator[:, None], len(fed), axis=1)
        (solve,) = get_lapack_funcs(("tbtrs",), (diagonals, fed))
        signal, _ = solve(diagonals, fed, uplo="L")
        level = level * (numerator.sum() / denominator.sum())
    return level + signal


def running_mean(signal: np.ndarray, width: int) -> np.ndarray:
    """Return the means of a signal (n, ...) over all windows of so many samples, (n - width + 1, ...)."""
    total = np.concatenate([np.zeros((1, *signal.shape[1:])), np.cumsum(signal, axis=0)])
    return (total[width:] - total[:-width]) / width
