"""Gyroscope on the root: which channels it is, and how its readings lie to the root."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sspinn_opensim.training.mounting import Mounting
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject


@dataclass(frozen=True, eq=False)
class RootGyroscope:
    """A gyroscope with three axes on the root of a body that turns.

    Attributes
    ----------
    columns : list of int
        Its channels of angular rate, as the network is given them.
    axes : (3, 3) ndarray
        From its readings to the frame that the root's coordinates turn.
    """

    columns: list[int]
    axes: np.ndarray

    @classmethod
    def of(cls, subject: Subject, signals: Signals, mounting: Mounting) -> RootGyroscope | None:
        """Return that of a person, or None where there is none."""
        if subject.heading is None:
            return None
        joint = subject.model.joint(subject.model.coordinates[subject.heading.turns[0]].joint)
        for k, frame in enumerate(subject.functions.imu_frames):
            if frame.body == joint.child.body and bool(signals.rate_channels[k].all()):
                before = int(signals.rate_channels[:k].sum())
                with torch.no_grad():
                    turned = mounting.axes()[3 * k : 3 * k + 3, 3 * k : 3 * k + 3].double().numpy()
                # From readings to the frame that the root's coordinates turn, at rest along ground.
                axes = (
                    np.array(joint.parent.rotation)
                    @ np.array(joint.child.rotation).T
                    @ np.array(frame.rotation)
                    @ turned
                )
                return cls([before, before + 1, before + 2], axes)
        return None
