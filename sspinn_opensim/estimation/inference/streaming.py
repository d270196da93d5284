"""The estimate frame by frame, as samples arrive."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.estimation.inference.applied import applied
from sspinn_opensim.estimation.inference.frame import Frames
from sspinn_opensim.estimation.inference.ground import GroundForces
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.networks.one_frame import memory_of
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
        estimator = applied(estimator)
        self.network, self.signals = estimator.network, signals
        self._one_frame = self.network.one_frame()
        #: Everything after the network.
        self.frames = Frames(subject, estimator, signals)
        self.coordinates = subject.model.coordinate_names
        self.actuated = tuple(self.coordinates[i] for i in subject.roles.actuated)
        self.feet = tuple(dict.fromkeys(subject.feet))
        self._shape = tuple(signals.acceleration_channels.shape)
        #: How long network and physics took for the last sample, s.
        self.spent_s = (0.0, 0.0)
        self.reset()

    @property
    def step_s(self) -> float:
        """Time from sample to sample, s."""
        return self.signals.step_s

    def reset(self, *, keep_place: bool = False) -> None:
        """Forget all samples, and where the body has come to and faces unless that is kept."""
        with torch.inference_mode():
            self._memory = memory_of(self.network.start(self.signals.constants[None].double()))
        self.frames.pause(keep_place=keep_place)

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
        with torch.inference_mode():
            lead = self.signals.leading_in(0, len(acceleration), *self._picked(acceleration, angular_rate))
            self._memory = memory_of(self.network.settle(lead[None]))

    def follow(self, acceleration: np.ndarray, angular_rate: np.ndarray) -> None:
        """Take samples (n, k, 3) whose estimates nobody needs: the network remembers them, nothing else."""
        # One after the other as in `step`: a call of torch would take as long as ten of them.
        for forces, rates in zip(acceleration, angular_rate, strict=True):
            seen = self.signals.inputs_of_frame(*self.signals.pick(forces, rates))
            _, self._memory = self._one_frame(seen, self._memory)

    def _picked(
        self, acceleration: np.ndarray, angular_rate: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor]:
        forces, rates = self.signals.pick(acceleration, angular_rate)
        return torch.from_numpy(forces), torch.from_numpy(rates)

    def twin(self) -> StreamingEstimator:
        """Return another one with the same network and functions, and a memory of its own.

        Calls of the two must not overlap.
        """
        other = copy.copy(self)
        other.frames = copy.copy(self.frames)
        other.reset()
        return other

    def go_on_from(self, other: StreamingEstimator) -> None:
        """Go on where another estimator of the same person is and faces; both have taken the last sample."""
        self.frames.go_on_from(other.frames)

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
        for name, sample in (("acceleration", acceleration), ("angular_rate", angular_rate)):
            if np.shape(sample) != self._shape:
                raise InputError(
                    f"The sample's {name} has the wrong shape.",
                    expected=f"{self._shape} for {self._shape[0]} sensors",
                    found=str(np.shape(sample)),
                    fix="give all sensors in the order of the study",
                )
        accelerometer, gyroscope = self.signals.pick(acceleration, angular_rate)
        seen = self.signals.inputs_of_frame(accelerometer, gyroscope)
        # A sum is quick, and not finite if anything in it is not.
        if not isfinite(seen.sum()):
            raise InputError(
                "The sample holds a number that is not finite.",
                expected="finite numbers on every channel used in training",
                found="nan or infinity",
                fix="repeat the last good sample, or stop",
            )
        outputs, self._memory = self._one_frame(seen, self._memory)
        remembered = time.perf_counter()
        found = self.frames.next(outputs, gyroscope)
        force, point, torque = (found[name].reshape(-1, 3) for name in ("force", "point", "torque"))
        ground = GroundForces(self.feet, force, point, torque)
        estimate = FrameEstimate(found["q"], found["moments"], ground, float(found["heading"][0]))
        self.spent_s = (remembered - began, time.perf_counter() - remembered)
        return estimate
