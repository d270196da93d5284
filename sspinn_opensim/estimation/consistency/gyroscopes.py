"""Gyroscopes beside an estimate, which its correction follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from sspinn_opensim.recording import Recording
from sspinn_opensim.training.mounting import Mounting
from sspinn_opensim.training.signals import channels
from sspinn_opensim.training.subject import Subject

#: Deviation of a gyroscope from the motion, rad/s, five times the scales of training: it also holds what an
#: estimate cannot follow. Across the axis to the right, legs have tissue and turns that models lack.
RATE_RAD_S, ACROSS_RAD_S = 0.5, 2.5


@dataclass(frozen=True, eq=False)
class Gyroscopes:
    """What the gyroscopes of a recording measured, and how their readings follow from the model's.

    Attributes
    ----------
    angular_rate : (n, c) ndarray
        Along the axes of the sensors, rad/s, at the times of the estimate; in a gap as the recording goes on
        there, as zeros would leak into what is measured when it is filtered.
    measured : (n,) bool ndarray
        False where the recording has a gap.
    turn : (r, c) ndarray
        Rates of the virtual sensors, those that the model has, times this are readings.
    deviation : (c,) ndarray
        How far from the motion they may be, rad/s.
    """

    angular_rate: np.ndarray
    measured: np.ndarray
    turn: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, recording: Recording, subject: Subject, mounting: Mounting) -> Self:
        """Return those of a recording, turned as a training found its sensors to sit."""
        _, used = channels(recording, subject)
        with torch.no_grad():
            axes = mounting.axes().double().numpy()
        modelled = subject.modelled.angular_rate
        return cls(
            recording.angular_rate[:, used],
            recording.usable,
            axes[np.ix_(modelled.ravel(), used.ravel())],
            np.where(subject.turned_by_tissue, ACROSS_RAD_S, RATE_RAD_S)[used],
        )

    def part(self, chosen: slice) -> Gyroscopes:
        """Return those at some of the times."""
        return Gyroscopes(self.angular_rate[chosen], self.measured[chosen], self.turn, self.deviation)
