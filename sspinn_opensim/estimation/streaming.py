"""The estimate frame by frame, as samples arrive."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.estimation.decode import MotionReader, applied
from sspinn_opensim.estimation.ground import GroundForces
from sspinn_opensim.estimation.path import Path, forces_in_ground
from sspinn_opensim.estimation.root_gyroscope import RootGyroscope
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject


@dataclass(frozen=True)
class FrameEstimate:
    """One estimated frame; names and units as in `Estimate`.

    Attributes
    ----------
    q : (c,) ndarray
    moments : (a,) ndarray
    ground : GroundForces
        (feet, 3).
    heading_rad : float
        Of the walking frame, from zero at the first sample.
    """

    q: np.ndarray
    moments: np.ndarray
    ground: GroundForces
    heading_rad: float = 0.0


class StreamingEstimator:
    """Gives the estimate of each sample before the next one comes.

    Parameters
    ----------
    estimator : PersonNetwork
        Trained.
    signals : Signals
        Of the recording it was trained on, or of another with the same sensors: channels and body constants.
    """

    def __init__(self, estimator: PersonNetwork, subject: Subject, signals: Signals) -> None:
        self._estimator, self._subject, self._signals = applied(estimator), subject, signals
        self._reader, self._path = MotionReader(subject), Path(subject, signals.step_s)
        self._gyroscope = RootGyroscope(subject, signals, self._estimator.mounting)
        self.coordinates = subject.model.coordinate_names
        self.actuated = tuple(self.coordinates[i] for i in subject.roles.actuated)
        self.feet = tuple(dict.fromkeys(subject.feet))
        #: How long network and physics took for the last sample, s.
        self.spent_s = (0.0, 0.0)
        self.reset()

    @property
    def step_s(self) -> float:
        """Time from sample to sample, s."""
        return self._signals.step_s

    def reset(self, *, keep_place: bool = False) -> None:
        """Forget all samples, and where the body has come to and faces unless that is kept."""
        self._state = None
        self._gyroscope.pause()
        if keep_place:
            self._path.pause()
        else:
            self._path = Path(self._subject, self._signals.step_s)

    def settle(self, acceleration: np.ndarray, angular_rate: np.ndarray, *, keep_place: bool = False) -> None:
        """Forget all samples, and settle on the first ones of a recording before `step` is given them.

        Without this the first second of estimates is not to be trusted. With it they are those of the
        estimate of a whole recording, for the price of waiting for these samples once.

        Parameters
        ----------
        acceleration, angular_rate : (n, k, 3) ndarrays
            The first 0.6 s of all sensors, as for `step`.
        keep_place : bool
            Whether the body goes on from where it is, as after a gap.
        """
        self.reset(keep_place=keep_place)
        signals = self._signals.pick(acceleration, angular_rate)
        lead = self._signals.leading_in(0, len(acceleration), *signals)
        self._state = self._estimator.network.settle(lead[None].double())

    def step(self, acceleration: np.ndarray, angular_rate: np.ndarray) -> FrameEstimate:
        """Take one sample and return the estimate at its time.

        Parameters
        ----------
        acceleration, angular_rate : (k, 3) ndarrays
            Of all sensors in body axes, m/s^2 and rad/s; channels that training did not use are not read.

        Raises
        ------
        InputError
            If the shape is wrong or a used channel is not finite; the state is as before.
        """
        began = time.perf_counter()
        expected = tuple(self._signals.acceleration_channels.shape)
        for name, sample in (("acceleration", acceleration), ("angular_rate", angular_rate)):
            if np.shape(sample) != expected:
                raise InputError(
                    f"The sample's {name} has the wrong shape.",
                    expected=f"{expected} for {expected[0]} sensors",
                    found=str(np.shape(sample)),
                    fix="give all sensors in the order of the study",
                )
        accelerometer, gyroscope = self._signals.pick(acceleration, angular_rate)
        inputs = self._signals.inputs(accelerometer, gyroscope)
        if not inputs.isfinite().all():
            raise InputError(
                "The sample holds a number that is not finite.",
                expected="finite numbers on every channel used in training",
                found="nan or infinity",
                fix="repeat the last good sample, or stop",
            )
        with torch.inference_mode():
            outputs, self._state = self._estimator.network.step(inputs[None].double(), self._state)
            remembered = time.perf_counter()
            raw = self._estimator.decoder(outputs)
            q = self._reader.coordinates(raw)
            ground = self._reader.ground(q, raw.force)
        velocity, yaw_rate = raw.velocity.numpy(), raw.yaw_rate.numpy()
        turned = self._gyroscope.turns(q.numpy(), gyroscope[None].numpy())
        heading, place = self._path.extend(velocity, yaw_rate, turned)
        values = self._subject.completed(self._path.put(q.numpy(), heading, place))[0]
        turns = self._subject.heading is not None
        ground = forces_in_ground(ground, heading, place, turns=turns)
        found = FrameEstimate(
            values,
            raw.torque[0].numpy(),
            GroundForces(ground.feet, ground.force[0], ground.point[0], ground.torque[0]),
            float(heading[0]),
        )
        self.spent_s = (remembered - began, time.perf_counter() - remembered)
        return found
