"""Sensors of a study as they stream: along their own axes, of which those are used that the network sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sspinn_opensim.recording import Recording
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject


@dataclass(frozen=True, eq=False)
class StreamedSensors:
    """The sensors of a study as they stream.

    Attributes
    ----------
    names, bodies : tuple of k str
        In the order of the study.
    rotation : (k, 3, 3) ndarray
        From the axes of each sensor to those of its body.
    used : (k, 6) bool ndarray
        Axes of the bodies that the network sees, accelerations first.
    """

    names: tuple[str, ...]
    bodies: tuple[str, ...]
    rotation: np.ndarray
    used: np.ndarray

    @classmethod
    def of(cls, recording: Recording, subject: Subject, signals: Signals) -> StreamedSensors:
        """Return the sensors of a recording, of which a network sees these signals."""
        return cls(
            recording.sensor_names,
            tuple(frame.body for frame in subject.functions.imu_frames),
            recording.rotations,
            np.hstack([signals.acceleration_channels.numpy(), signals.rate_channels.numpy()]),
        )

    @cached_property
    def needed(self) -> np.ndarray:
        """Own axes of the sensors (k, 6) that these are made of."""
        mixed = np.abs(self.rotation) > 1e-6  # less than a millionth of a radian is rounding
        acceleration, rate = np.split(self.used, 2, axis=1)
        return np.hstack([(used[:, :, None] & mixed).any(axis=1) for used in (acceleration, rate)])

    def along_bodies(self, signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return acceleration and angular rate (k, 3) along the axes of the bodies."""
        both = np.where(self.needed, signals, 0.0).reshape(-1, 2, 3)
        turned = both @ self.rotation.transpose(0, 2, 1)
        return turned[:, 0], turned[:, 1]

    def whole(self, signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the same of signals (..., k, 6), and of all axes, not only of those that the network sees.

        What is not measured is zero.
        """
        both = np.nan_to_num(signals).reshape(*signals.shape[:-1], 2, 3)
        turned = both @ self.rotation.transpose(0, 2, 1)
        return turned[..., 0, :], turned[..., 1, :]

    def turned(self, turns: np.ndarray) -> StreamedSensors:
        """Return the sensors turned (k, 3, 3) from where they are said to sit."""
        return replace(self, rotation=turns @ self.rotation)

    def named(self, places: Sequence[int]) -> tuple[str, ...]:
        """Return the names of some sensors."""
        return tuple(self.names[k] for k in places)


def listed(names: Sequence[str]) -> str:
    """Return the names of sensors in words."""
    return ("sensors " if len(names) > 1 else "sensor ") + ", ".join(f"'{name}'" for name in names)
