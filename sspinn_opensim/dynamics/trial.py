"""Filter, derivatives and loads of a trial at its frames, number for number as OpenSim's tools have them.

`InverseDynamicsTool` and `AnalyzeTool` pad each coordinate by half its length, mirrored in the first and last
sample; resample where the times are not even; and filter forward and backward with a Butterworth filter of
third order. The first takes speeds and accelerations from one quintic spline through the coordinates, the
second the accelerations from another one through the speeds. Between samples external loads follow natural
cubic splines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from casadi_dynamics.errors import InputError

if TYPE_CHECKING:
    from scipy.interpolate import BSpline

#: Cut-off for the coordinates of walking where nobody chooses another, Hz.
USUAL_LOWPASS_HZ = 6.0
_ORDER = 3
#: The quintic spline needs as many points as it has conditions.
_FEWEST_FRAMES = 6
#: A cut-off above this share of the sampling rate is lowered to it (OpenSim's own).
_HIGHEST_CUTOFF = 0.49
#: What a file prints of a time and a window's end differ by rounding, s.
_ROUNDING_S = 1e-9


@dataclass(frozen=True)
class SampledMotion:
    """Coordinates (N, n) with their first and second derivatives at times (N,); s, rad, m."""

    time_s: np.ndarray
    q: np.ndarray
    qdot: np.ndarray
    qddot: np.ndarray

    def rows(self, chosen: slice | np.ndarray) -> SampledMotion:
        """Return some of the frames."""
        return SampledMotion(self.time_s[chosen], self.q[chosen], self.qdot[chosen], self.qddot[chosen])


def filter_margin_s(lowpass_hz: float) -> float:
    """Return the time a low-pass filter needs on either side, s: half a period of its cut-off."""
    return 0.5 / lowpass_hz if lowpass_hz > 0 else 0.0


def inside(time_s: np.ndarray, from_s: float, to_s: float) -> np.ndarray:
    """Return which times lie in a window, ends and rounding included, (N,) bool."""
    return (time_s >= from_s - _ROUNDING_S) & (time_s <= to_s + _ROUNDING_S)


def differentiated(
    time_s: np.ndarray,
    q: np.ndarray,
    lowpass_hz: float = 0.0,
    window: tuple[float, float] = (-np.inf, np.inf),
    *,
    by_speeds: bool = False,
) -> SampledMotion:
    """Filter and differentiate a motion as OpenSim's InverseDynamicsTool does.

    Parameters
    ----------
    time_s : (N,) ndarray
        Rising.
    q : (N, n) ndarray
        rad, m; or whatever unit the derivatives are wanted in.
    lowpass_hz : float
        Cut-off; 0 or less filters nothing.
    window : (float, float)
        From and to, s: the frames to return. Those beyond count for the derivatives.
    by_speeds : bool
        Take accelerations as the AnalyzeTool does, from a spline through the speeds.

    Returns
    -------
    SampledMotion
        At the given times within the window.

    Raises
    ------
    InputError
        If there are too few frames, or their times do not rise.
    """
    filtered_s, filtered = low_passed(time_s, q, lowpass_hz)
    spline = natural_quintic(filtered_s, filtered)
    at_s = time_s[inside(time_s, *window)]
    acceleration = (
        natural_quintic(filtered_s, spline(filtered_s, 1))(at_s, 1) if by_speeds else spline(at_s, 2)
    )
    return SampledMotion(at_s, spline(at_s), spline(at_s, 1), acceleration)


def analyzed(
    time_s: np.ndarray, q: np.ndarray, lowpass_hz: float, window: tuple[float, float] | None = None
) -> SampledMotion:
    """Filter and differentiate a motion as OpenSim's AnalyzeTool does.

    Parameters
    ----------
    time_s, q, lowpass_hz
        As those of `differentiated`.
    window : (float, float), optional
        From and to, s; all frames by default. As in the tool, the last frame at or before each end counts.

    Returns
    -------
    SampledMotion
        At the frames of the filtered motion, evenly spaced, within the window.

    Raises
    ------
    InputError
        If there are too few frames, their times do not rise, or none lies within the window.
    """
    first, last = (time_s[0], time_s[-1]) if window is None else window
    time_s, q = low_passed(time_s, q, lowpass_hz)
    moving = differentiated(time_s, q, by_speeds=True)
    # What a file prints of a time, a filter's padding and a window's end differ by rounding.
    slack = 1e-6 * (time_s[1] - time_s[0])
    begin, end = (int(np.searchsorted(time_s, limit + slack, "right")) for limit in (first, last))
    chosen = slice(max(begin - 1, 0), end)
    if first > last or chosen.stop <= chosen.start:
        raise InputError(
            "No frame of the motion lies within the window.",
            expected=f"frames from {first:g} to {last:g} s",
            found=f"frames from {time_s[0]:g} to {time_s[-1]:g} s",
            fix="give a window within the motion",
        )
    return SampledMotion(time_s, q, moving.qdot, moving.qddot).rows(chosen)


def loads_at(at_s: np.ndarray, time_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return columns (N, k) of external loads between their samples; beyond the ends they are held.

    Parameters
    ----------
    at_s : (N,) ndarray
        When, s.
    time_s : (m,) ndarray
        Of the samples, s.
    values : (m, k) ndarray
        The samples, in any unit.
    """
    from scipy.interpolate import CubicSpline  # takes long to import

    within = np.clip(at_s, time_s[0], time_s[-1])
    if len(time_s) == 1:
        return np.repeat(values, len(at_s), axis=0)
    return CubicSpline(time_s, values, bc_type="natural")(within)


def low_passed(time_s: np.ndarray, q: np.ndarray, lowpass_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Return times and values as OpenSim's tools filter them, padded at both ends; 0 Hz changes nothing.

    Raises
    ------
    InputError
        If there are too few frames to be differentiated, or their times do not rise.
    """
    if len(time_s) < _FEWEST_FRAMES:
        raise InputError(
            "The motion is too short to be differentiated.",
            expected=f"{_FEWEST_FRAMES} frames or more",
            found=str(len(time_s)),
        )
    if not (np.diff(time_s) > 0).all():
        place = int(np.argmin(np.diff(time_s)))
        raise InputError(
            "The times of the motion do not rise.",
            expected="each time once, in rising order",
            found=f"{time_s[place]:g} s, then {time_s[place + 1]:g} s",
            fix="remove the repeated frames",
        )
    if lowpass_hz <= 0:
        return time_s, q
    time_s, q = _evenly(_padded(time_s), _padded(q))
    rate = 1 / np.diff(time_s).min()
    b, a = _butterworth(min(lowpass_hz, _HIGHEST_CUTOFF * rate) / (rate / 2))
    for _ in range(2):
        q = _one_way(b, a, q)[::-1]
    return time_s, q


def natural_quintic(time_s: np.ndarray, values: np.ndarray) -> BSpline:
    """Return the quintic spline without third and fourth derivative at its ends: OpenSim's GCVSpline."""
    from scipy.interpolate import make_interp_spline  # takes long to import

    free = [(3, np.zeros(values.shape[1])), (4, np.zeros(values.shape[1]))]
    return make_interp_spline(time_s, values, k=5, bc_type=(free, free))


def _padded(x: np.ndarray) -> np.ndarray:
    n = len(x) // 2
    return np.concatenate([2 * x[0] - x[n:0:-1], x, 2 * x[-1] - x[-2 : -n - 2 : -1]])


def _evenly(time_s: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make the times even, a shortest step apart."""
    step = np.diff(time_s).min()
    if (time_s[-1] - time_s[0]) / (len(time_s) - 1) - step <= np.finfo(float).eps:
        return time_s, q
    even = time_s[0] + step * np.arange(int((time_s[-1] - time_s[0]) / step) + 1)
    return even, natural_quintic(time_s, q)(even)


def _butterworth(share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return numerator and denominator of the third-order filter, of powers of the delay.

    The analogue one is 1 / (s^3 + 2 s^2 + 2 s + 1); s = (1 - z) / (k (1 + z)) with k the tangent of half the
    cut-off's angle per sample (Oppenheim and Schafer, Discrete-Time Signal Processing, 7.3).

    Parameters
    ----------
    share : float
        Cut-off over half the sampling rate, between 0 and 1.
    """
    k = np.tan(np.pi * share / 2)
    minus, plus = np.array([1.0, -1.0]), np.array([1.0, 1.0]) * k
    powers = [np.polymul(_power(minus, i), _power(plus, _ORDER - i)) for i in range(_ORDER + 1)]
    below = powers[0] + 2 * powers[1] + 2 * powers[2] + powers[3]
    return powers[0] / below[0], below / below[0]


def _power(polynomial: np.ndarray, exponent: int) -> np.ndarray:
    return (np.poly1d(polynomial) ** exponent).coeffs


def _one_way(b: np.ndarray, a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Filter forward; the first samples stay as they are."""
    from scipy.signal import lfilter, lfiltic  # takes long to import

    known, filtered = x[:_ORDER], np.array(x, float)
    # What the filter remembers of the first samples: values and sums are the same, latest first.
    memory = np.column_stack([lfiltic(b, a, column[::-1], column[::-1]) for column in known.T])
    filtered[_ORDER:] = lfilter(b, a, x[_ORDER:], axis=0, zi=memory)[0]
    return filtered
