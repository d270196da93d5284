"""Filters without lag, for signals and motions alike: low-pass, band-pass, and means over windows."""

from __future__ import annotations

import numpy as np

#: Samples by which a signal is continued at either end, in periods of the cut-off.
_PADDING = 4.0
#: Samples that are filtered at once.
_BLOCK = 64


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
    """Return a Butterworth filter as sections of second order, (m, 6), as SciPy has them.

    Written out: loading SciPy takes longer than all that is filtered before a study is refused.

    Parameters
    ----------
    *corners_hz : float
        One of a low-pass, two of a band-pass, below half of the rate.
    rate_hz : float
        Sampling rate.
    order : int
        Even; a band-pass has twice as many poles.
    """
    warped = np.tan(np.pi * np.array(corners_hz) / rate_hz)
    # One pole of each conjugate pair, for a corner at 1, and what becomes of it in this filter.
    poles = np.exp(1j * np.pi * (np.arange(order // 2) + (order + 1) / 2) / order)
    passed, zeros = 1.0 + 0.0j, (1.0, 2.0, 1.0)  # what is passed whole, exp(i w), and two zeros at -1
    if len(corners_hz) == 1:
        poles = warped * poles
    else:
        middle = 0.5 * (warped[1] - warped[0]) * poles
        apart = np.sqrt(middle**2 - warped.prod())
        poles = np.concatenate([middle + apart, middle - apart])
        centre = 1j * np.sqrt(warped.prod())
        passed, zeros = (1 + centre) / (1 - centre), (1.0, 0.0, -1.0)
    poles = (1 + poles) / (1 - poles)
    sections = np.zeros((len(poles), 6))
    sections[:, 3:] = np.transpose([np.ones(len(poles)), -2 * poles.real, np.abs(poles) ** 2])
    at = passed ** -np.arange(3)
    sections[:, :3] = np.outer(np.abs(sections[:, 3:] @ at) / np.abs(zeros @ at), zeros)
    return sections


def both_ways(sections: np.ndarray, signal: np.ndarray, padding: int) -> np.ndarray:
    """Return a signal (n, ...) filtered forwards and backwards, so without lag.

    Parameters
    ----------
    sections : (m, 6) array
        The filter, as `butterworth` returns it.
    padding : int
        Samples by which the signal is continued at either end first, mirrored about its last sample.
    """
    before, after = 2 * signal[0] - signal[padding:0:-1], 2 * signal[-1] - signal[-2 : -padding - 2 : -1]
    whole = np.concatenate([before, signal, after]).reshape(len(before) + len(signal) + len(after), -1)
    for _ in range(2):
        for section in sections:
            whole = _filtered(section, whole)
        whole = whole[::-1]
    return whole[len(before) : len(before) + len(signal)].reshape(signal.shape)


def _filtered(section: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Return a signal (n, k) filtered by a section of second order, as if it had always been as at its start.

    A block of samples at a time: what it becomes by itself, and what the last two before it add.
    """
    first, one, two, _, *back = section
    change = signal - signal[0]
    driven = first * change
    driven[1:] += one * change[:-1]
    driven[2:] += two * change[:-2]
    response = np.zeros(_BLOCK + 2)  # of what is fed back to a pulse, after two samples of rest
    for k in range(2, len(response)):
        response[k] = (k == 2) - back[0] * response[k - 1] - back[1] * response[k - 2]
    at = np.arange(_BLOCK)
    own = np.tril(response[2 + at[:, None] - at])
    carried = -np.outer(response[2:], back[::-1])
    carried[:, 1] -= back[1] * response[1:-1]
    blocks = np.zeros((-(-len(signal) // _BLOCK), _BLOCK, signal.shape[1]))
    blocks.reshape(-1, signal.shape[1])[: len(signal)] = driven
    blocks = own @ blocks
    for k in range(1, len(blocks)):
        blocks[k] += carried @ blocks[k - 1, -2:]
    steady = section[:3].sum() / section[3:].sum() * signal[0]
    return blocks.reshape(-1, signal.shape[1])[: len(signal)] + steady


def running_mean(signal: np.ndarray, width: int) -> np.ndarray:
    """Return the means of a signal (n, ...) over all windows of so many samples, (n - width + 1, ...)."""
    total = np.concatenate([np.zeros((1, *signal.shape[1:])), np.cumsum(signal, axis=0)])
    return (total[width:] - total[:-width]) / width


def mean_around(signal: np.ndarray, width: int, *, wraps: bool = False) -> np.ndarray:
    """Return the means of a signal (n, ...) over so many samples around each, (n, ...).

    Parameters
    ----------
    wraps : bool
        Whether the signal begins anew at its end; else it stays as it is there.
    """
    if width == 1:
        return signal
    around = [(width // 2, width - 1 - width // 2), *[(0, 0)] * (signal.ndim - 1)]
    return running_mean(np.pad(signal, around, "wrap" if wraps else "edge"), width)
