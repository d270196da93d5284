"""Gyroscope on the root: by how much the walking frame turned, given the root's posture in it."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from sspinn_opensim.training.losses import Mounting
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject


class RootGyroscope:
    """Tells the turn of the frame from frame to frame, sample by sample or for many at once.

    The root turns in ground by what the gyroscope integrates, and in the walking frame by its coordinates;
    the frame turned by the difference: ``R_y(d) = R(q_before) exp(omega step) R(q)^T``.

    Attributes
    ----------
    columns : list of int
        Channels of angular rate, as the network is given them, of the sensor on the root; none where there is
        none with three axes.
    axes : (3, 3) ndarray
        From its readings to the frame that the root's coordinates turn.
    """

    def __init__(self, subject: Subject, signals: Signals, mounting: Mounting) -> None:
        self._root, self._step_s = subject.heading, signals.step_s
        self._before: tuple[np.ndarray, np.ndarray] | None = None
        self.columns: list[int] = []
        self.axes = np.eye(3)
        if self._root is None:
            return
        joint = subject.model.joint(subject.model.coordinates[self._root.turns[0]].joint)
        for k, frame in enumerate(subject.functions.imu_frames):
            if frame.body == joint.child.body and bool(signals.rate_channels[k].all()):
                before = int(signals.rate_channels[:k].sum())
                self.columns = [before, before + 1, before + 2]
                with torch.no_grad():
                    turned = mounting.axes()[3 * k : 3 * k + 3, 3 * k : 3 * k + 3].double().numpy()
                # From readings to the frame that the root's coordinates turn, at rest along ground.
                self.axes = (
                    np.array(joint.parent.rotation)
                    @ np.array(joint.child.rotation).T
                    @ np.array(frame.rotation)
                    @ turned
                )
                return

    def turns(self, q: np.ndarray, angular_rate: np.ndarray) -> np.ndarray | None:
        """Return by how much the walking frame turned since the frame before, (n,) rad; NaN at the first.

        Parameters
        ----------
        q : (n, c) array
            Coordinates in the walking frame.
        angular_rate : (n, channels) array
            As the network is given it, rad/s.

        Returns
        -------
        ndarray or None
            None where no sensor with three axes sits on the root.
        """
        if self._root is None or not self.columns:
            return None
        rotation = self._root.rotation(q)
        rate = angular_rate[:, self.columns].astype(np.float64) @ self.axes.T
        known = self._before is not None
        before = self._before if self._before is not None else (rotation[0], rate[0])
        self._before = rotation[-1], rate[-1]
        between = 0.5 * self._step_s * (np.concatenate([before[1][None], rate[:-1]]) + rate)
        turned = np.concatenate([before[0][None], rotation[:-1]]) @ Rotation.from_rotvec(between).as_matrix()
        turned = turned @ rotation.transpose(0, 2, 1)
        found = np.arctan2(turned[:, 0, 2] - turned[:, 2, 0], turned[:, 0, 0] + turned[:, 2, 2])
        if not known:
            found[0] = np.nan
        return found
