"""A motion filtered and differentiated as OpenSim's AnalyzeTool does it, so that both see the same states.

The tool pads each coordinate by half its length, mirrored in the first and last sample; resamples where
the times are not even; filters forward and backward with a Butterworth filter of third order; takes the
speeds from a quintic spline through the coordinates, and the accelerations from one through the speeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.signal import butter, lfilter, lfiltic

from casadi_dynamics.errors import InputError

_ORDER = 3
#: The quintic spline needs as many points as it has conditions.
_FEWEST_FRAMES = 6
#: A cut-off above this share of the sampling rate is lowered to it (OpenSim's own).
_HIGHEST_CUTOFF = 0.49


@dataclass(frozen=True)
class Motion:
    """Coordinates (N, n) with their first and second derivatives at times (N,); s, rad, m."""

    time_s: np.ndarray
    q: np.ndarray
    qdot: np.ndarray
    qddot: np.ndarray


def analyzed_motion(
    time_s: np.ndarray, q: np.ndarray, lowpass_hz: float, window: tuple[float, float] | None = None
) -> Motion:
    """Filter and differentiate a motion.

    Parameters
    ----------
    time_s : (N,) ndarray
    q : (N, n) ndarray
        rad, m.
    lowpass_hz : float
        Cut-off; 0 or less filters nothing.
    window : (float, float), optional
        From and to, s; all frames by default. As in the tool, the last frame at or before each end counts.

    Returns
    -------
    Motion
        At the frames of the motion within the window.

    Raises
    ------
    InputError
        If there are too few frames, their times do not rise, or none lies within the window.
    """
    _check(time_s)
    first, last = (time_s[0], time_s[-1]) if window is None else window
    if lowpass_hz > 0:
        time_s, q = _filtered(*_resampled(*_padded(time_s, q)), lowpass_hz)
    speed = _spline(time_s, q)(time_s, 1)
    acceleration = _spline(time_s, speed)(time_s, 1)
    # What a file prints of a time, a filter's padding and a window's end differ by rounding.
    slack = 1e-6 * (time_s[1] - time_s[0])
    begin, end = (int(np.searchsorted(time_s, limit + slack, "right")) for limit in (first, last))
    chosen = slice(max(begin - 1, 0), end)
    if first > last or chosen.stop <= chosen.start:
        raise InputError(
            "no frame of the motion lies within the window",
            expected=f"frames from {first:g} to {last:g} s",
            found=f"frames from {time_s[0]:g} to {time_s[-1]:g} s",
            fix="give a window within the motion",
        )
    return Motion(time_s[chosen], q[chosen], speed[chosen], acceleration[chosen])


def _check(time_s: np.ndarray) -> None:
    if len(time_s) < _FEWEST_FRAMES:
        raise InputError(
            "the motion is too short to be differentiated",
            expected=f"{_FEWEST_FRAMES} frames or more",
            found=str(len(time_s)),
        )
    if not (np.diff(time_s) > 0).all():
        place = int(np.argmin(np.diff(time_s)))
        raise InputError(
            "the times of the motion do not rise",
            expected="each time once, in rising order",
            found=f"{time_s[place]:g} s, then {time_s[place + 1]:g} s",
            fix="remove the repeated frames",
        )


def _spline(time_s: np.ndarray, values: np.ndarray):
    free = [(3, np.zeros(values.shape[1])), (4, np.zeros(values.shape[1]))]
    return make_interp_spline(time_s, values, k=5, bc_type=(free, free))


def _padded(time_s: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = len(time_s) // 2

    def mirrored(x: np.ndarray) -> np.ndarray:
        return np.concatenate([2 * x[0] - x[n:0:-1], x, 2 * x[-1] - x[-2 : -n - 2 : -1]])

    return mirrored(time_s), mirrored(q)


def _resampled(time_s: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make the times even, a shortest step apart."""
    step = np.diff(time_s).min()
    if (time_s[-1] - time_s[0]) / (len(time_s) - 1) - step <= np.finfo(float).eps:
        return time_s, q
    even = time_s[0] + step * np.arange(int((time_s[-1] - time_s[0]) / step) + 1)
    return even, _spline(time_s, q)(even)


def _filtered(time_s: np.ndarray, q: np.ndarray, lowpass_hz: float) -> tuple[np.ndarray, np.ndarray]:
    rate = 1 / np.diff(time_s).min()
    b, a = butter(_ORDER, min(lowpass_hz, _HIGHEST_CUTOFF * rate) / (rate / 2))
    for _ in range(2):
        q = _one_way(b, a, q)[::-1]
    return time_s, q


def _one_way(b: np.ndarray, a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Filter forward; the first samples stay as they are."""
    to_state = np.column_stack([lfiltic(b, a, unit, unit) for unit in np.eye(_ORDER)])
    state = to_state @ x[_ORDER - 1 :: -1]
    return np.concatenate([x[:_ORDER], lfilter(b, a, x[_ORDER:], axis=0, zi=state)[0]])
