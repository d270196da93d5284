"""The last frames of a stream without a gap among them, in memory that does not grow."""

from __future__ import annotations

import numpy as np

from sspinn_opensim.recording import Recording


class Recent:
    """Signals along the bodies of the last frames that followed each other.

    Parameters
    ----------
    sensors : int
        How many there are.
    frames : int
        How many are kept.
    """

    def __init__(self, sensors: int, frames: int) -> None:
        self._rows = np.zeros((frames, 2, sensors, 3))
        self._first = 0
        #: Number of the next frame; numbers go on over gaps.
        self.count = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return self.count - self.first

    @property
    def first(self) -> int:
        """Number of the first frame that is there."""
        return max(self._first, self.count - len(self._rows))

    def put(self, acceleration: np.ndarray, angular_rate: np.ndarray) -> None:
        """Take the next frame, (k, 3) each."""
        row = self._rows[self.count % len(self._rows)]
        row[0], row[1] = acceleration, angular_rate
        self.count += 1

    def forget(self) -> None:
        """Forget all: what comes does not follow them."""
        self._first = self.count

    def from_frame(self, first: int, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return acceleration and angular rate (n, k, 3) of at most so many frames from a number on."""
        last = self.count if most is None else min(self.count, first + most)
        rows = self._rows[np.arange(first, last) % len(self._rows)]
        return rows[:, 0], rows[:, 1]


def recording_of(like: Recording, acceleration: np.ndarray, angular_rate: np.ndarray) -> Recording:
    """Return signals (n, k, 3) as a recording of the same sensors."""
    return Recording(
        name="stream",
        time_s=np.arange(len(acceleration)) / like.sampling_rate_hz,
        sensors=like.sensors,
        acceleration=acceleration * like.acceleration_available,
        angular_rate=angular_rate * like.angular_rate_available,
        acceleration_available=like.acceleration_available,
        angular_rate_available=like.angular_rate_available,
        acceleration_variance=np.zeros_like(like.acceleration_variance),
        angular_rate_variance=np.zeros_like(like.angular_rate_variance),
        speed_m_s=like.speed_m_s,
    )
