"""Sensors whose signals come late, told from walking: the same delay between right and left in every segment.

From a step of the right leg to that of the left one it takes thigh, shank and foot equally long. A sensor
whose clock is behind makes this longer or shorter for its own segment alone. Clocks that sensors set
themselves hide such a delay from everything else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sspinn_opensim.anatomy import segment_of

#: How much of the past is looked at, and how often, s.
_PAST_S, _EVERY_S = 8.0, 2.0
#: Strides last between these, s.
_SHORTEST_S, _LONGEST_S = 0.5, 2.2
#: Signals vary at least so much in walking (rad/s), and repeat after a stride with at least this correlation.
_WALKING, _REPEATS = 0.4, 0.5
#: A delay from this on is told, after so many looks in a row that agree, s.
_LEAST_S, _IN_A_ROW = 0.015, 2


@dataclass(frozen=True)
class LateSensor:
    """A sensor, by its place, whose signals come later than those of the others, by `delay_s`."""

    sensor: int
    delay_s: float


class LateSensors:
    """Watches for sensors whose signals come late.

    Parameters
    ----------
    bodies : sequence of str
        Body of each sensor; three segments with a sensor on either side are needed.
    step_s : float
        Time from frame to frame.
    """

    def __init__(self, bodies: Sequence[str], step_s: float) -> None:
        places: dict[str, dict[str, int]] = {}
        for k, body in enumerate(bodies):
            segment, side = segment_of(body) or ("", "")
            if side:
                places.setdefault(segment, {})[side] = k
        self._pairs = [(p["right"], p["left"]) for p in places.values() if len(p) == 2]
        self._past: deque[np.ndarray] = deque(maxlen=round(_PAST_S / step_s))
        self._step_s, self._since, self._in_a_row, self._last = step_s, 0, 0, -1

    def reset(self) -> None:
        """Forget the past, as frames are missing."""
        self._past.clear()

    def take(self, angular_rate: np.ndarray) -> LateSensor | None:
        """Take a frame, and return a late sensor if one was found now.

        Parameters
        ----------
        angular_rate : (k, 3) ndarray
            Along the axes of the bodies, z to the right.
        """
        if len(self._pairs) < 3:
            return None
        self._past.append(angular_rate[:, 2])
        self._since += 1
        if len(self._past) < (self._past.maxlen or 0) or self._since * self._step_s < _EVERY_S:
            return None
        self._since = 0
        found = latest(np.array(self._past), self._pairs, self._step_s)
        if found is None:
            self._in_a_row, self._last = 0, -1
            return None
        self._in_a_row = self._in_a_row + 1 if found.sensor == self._last else 1
        self._last = found.sensor
        return found if self._in_a_row == _IN_A_ROW else None


def latest(rates: np.ndarray, pairs: Sequence[tuple[int, int]], step_s: float) -> LateSensor | None:
    """Return the sensor that is late in a piece of walking, if there is one.

    Parameters
    ----------
    rates : (n, k) ndarray
        Angular rates about the axis to the right, rad/s.
    pairs : sequence of pairs of int
        Sensors on the right and on the left of a segment.
    """
    lags = [_lag_s(rates[:, right], rates[:, left], step_s) for right, left in pairs]
    known = [lag for lag in lags if lag is not None]
    if len(known) < 3:
        return None
    off = [0.0 if lag is None else lag - float(np.median(known)) for lag in lags]
    worst = int(np.abs(off).argmax())
    if abs(off[worst]) < _LEAST_S:
        return None
    right, left = pairs[worst]
    return LateSensor(right if off[worst] > 0 else left, abs(off[worst]))


def _lag_s(right: np.ndarray, left: np.ndarray, step_s: float) -> float | None:
    """Return by how much the right side comes after the left one; None where nobody walks."""
    right, left = right - right.mean(), left - left.mean()
    if min(right.std(), left.std()) < _WALKING:
        return None
    # Fourier transforms of signals that are long enough for every shift to be one of its own.
    size = 2 ** (2 * len(right) - 2).bit_length()
    spectrum, other = np.fft.rfft(right, size), np.fft.rfft(left, size)
    own = np.fft.irfft(spectrum * spectrum.conj(), size)
    across = np.fft.irfft(spectrum * other.conj(), size)
    first, last = round(_SHORTEST_S / step_s), round(_LONGEST_S / step_s)
    stride = first + int(own[first:last].argmax())
    overlap = 1.0 - stride / len(right)
    if own[stride] < _REPEATS * overlap * own[0]:
        return None
    best = stride // 4 + int(across[stride // 4 : stride - stride // 4].argmax())
    before, here, after = across[best - 1 : best + 2]
    bend = before - 2 * here + after
    return (best + (0.5 * (before - after) / bend if bend < 0 else 0.0)) * step_s
