"""Signals of a recording as the network sees them and the losses compare with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import Phase, Recording, phases
from sspinn_opensim.recording.movement.foot_speed import foot_speed, resting_feet
from sspinn_opensim.recording.sensors.orientations import directions_of_up
from sspinn_opensim.training.coverage import covered_samples, uncovered
from sspinn_opensim.training.lead_in import lead_in_frames, with_lead_in
from sspinn_opensim.training.subject import Subject

#: Scales that bring signals and body constants to the order of one.
ACCELERATION_SCALE, RATE_SCALE = 10.0, 4.0
HEIGHT_SCALE_M, MASS_SCALE_KG, SPEED_SCALE_M_S = 1.75, 75.0, 2.0
#: Height, mass, speed, and whether it is known.
CONSTANTS = 4
#: A recording that states how strides differ is their mean; so many are taken to be behind it.
STRIDES_AVERAGED = 10
#: Noise on the inputs in training: share of the stride-to-stride deviation, and the gyroscopes' bias, rad/s.
NOISE_SHARE, GYRO_BIAS = 0.5, 0.005
#: Beside a step standing people shift their weight for about this long, s.
WEIGHT_SHIFT_S = 0.3
#: Deviation that stands in where a recording states no variance, m/s^2 and rad/s.
UNKNOWN_DEVIATION = (0.5, 0.1)


@dataclass(frozen=True)
class Signals:
    """The channels that both the recording and the model have.

    Attributes
    ----------
    acceleration, angular_rate : Tensor
        (frames, channels), m/s^2 and rad/s.
    acceleration_channels, rate_channels : (k, 3) bool Tensor
        Which channels these are.
    acceleration_variance, rate_variance : Tensor
        Per channel, variance of the mean stride, in double precision; 0 if unknown.
    acceleration_deviation, rate_deviation : Tensor
        Per channel, standard deviation from stride to stride.
    constants : Tensor
        Height, mass and speed (0 if unknown), scaled, and 1 if the speed is known, else 0.
    step_s : float
        Time from frame to frame, s.
    speed_m_s : float or None
        Mean forward speed, if known.
    covered : (frames,) bool Tensor
        Which frames the method covers: windows of training lie in them.
    usable : (frames,) bool Tensor
        Which frames were measured; what lies between two pieces was not.
    standing : (frames,) bool Tensor
        Where the person stands.
    still : (frames,) bool Tensor
        Where the person stands and does not yet, or still, shift weight to walk.
    foot_speed : (frames, k) Tensor
        How fast the sensors on feet move over the ground by dead reckoning, m/s; NaN where unknown.
    rests : (frames, k) bool Tensor
        Where a sensor on a walking foot hardly moves: the foot is flat on the floor.
    runs : bool
        Whether the person runs in some of it.
    up : (frames, k, 3) Tensor or None
        Direction of up along the axes of each sensor, by its orientation filter; NaN where a sensor lacks a
        channel. None where the model stays in the plane.
    """

    acceleration: Tensor
    angular_rate: Tensor
    acceleration_channels: Tensor
    rate_channels: Tensor
    acceleration_variance: Tensor
    rate_variance: Tensor
    acceleration_deviation: Tensor
    rate_deviation: Tensor
    constants: Tensor
    step_s: float
    speed_m_s: float | None
    covered: Tensor
    usable: Tensor
    standing: Tensor
    still: Tensor
    foot_speed: Tensor
    rests: Tensor
    runs: bool
    up: Tensor | None = None

    @property
    def input_size(self) -> int:
        """Numbers per frame that the network sees."""
        return self.acceleration.shape[-1] + 2 * self.angular_rate.shape[-1] + self.constants.shape[-1]

    @cached_property
    def acceleration_axes(self) -> float:
        """Axes per accelerometer: by it a mean over channels is one over sensors, summed over axes."""
        return _axes(self.acceleration_channels)

    @cached_property
    def rate_axes(self) -> float:
        """Axes per gyroscope."""
        return _axes(self.rate_channels)

    @cached_property
    def _used(self) -> tuple[np.ndarray, np.ndarray]:
        return self.acceleration_channels.numpy(), self.rate_channels.numpy()

    @cached_property
    def _constants(self) -> np.ndarray:
        return self.constants.double().numpy()

    @cached_property
    def acceleration_places(self) -> tuple[int, ...]:
        """Places of the used channels among the axes of all accelerometers, sensor by sensor."""
        return _places(self.acceleration_channels)

    @cached_property
    def rate_places(self) -> tuple[int, ...]:
        """Places of the used channels among the axes of all gyroscopes, sensor by sensor."""
        return _places(self.rate_channels)

    def inputs(self, acceleration: Tensor, angular_rate: Tensor) -> Tensor:
        """Return the network's view of signals (..., channels)."""
        constants = self.constants.expand(*acceleration.shape[:-1], -1)
        parts = [acceleration / ACCELERATION_SCALE, angular_rate / RATE_SCALE, angular_rate.tanh(), constants]
        return torch.cat(parts, dim=-1)

    def inputs_of_frame(self, acceleration: np.ndarray, angular_rate: np.ndarray) -> np.ndarray:
        """Return the network's view of one frame, (channels,) each: what `inputs` is of double precision."""
        parts = (acceleration / ACCELERATION_SCALE, angular_rate / RATE_SCALE, np.tanh(angular_rate))
        return np.concatenate([*parts, self._constants])

    def leading_in(self, first: int, length: int, acceleration: Tensor, angular_rate: Tensor) -> Tensor:
        """Return the network's view of what leads in to a piece of signals (frames, channels)."""
        rows = first - torch.arange(lead_in_frames(self.step_s), 0, -1)
        rows, sign = with_lead_in(rows, torch.tensor(first), torch.tensor(length))
        return self.inputs(acceleration[rows], sign[:, None] * angular_rate[rows])

    def pick(self, acceleration: np.ndarray, angular_rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the used channels of signals (..., k, 3), rounded as those of a recording are."""
        of_forces, of_rates = self._used
        forces, rates = np.asarray(acceleration)[..., of_forces], np.asarray(angular_rate)[..., of_rates]
        return forces.astype(np.float32).astype(float), rates.astype(np.float32).astype(float)


def input_columns(own: Sequence[str], known: Sequence[str]) -> list[int | None]:
    """Return where the inputs of a study's network are among those of a network with more channels.

    Parameters
    ----------
    own, known : sequence of str
        Names of the channels, accelerations first, as in `cohort.topology`. Those that are not known have no
        place.
    """
    place = {name: k for k, name in enumerate(known)}
    rates = sum(" angular rate " in name for name in known)
    found = [place.get(name) for name in own]
    twice = [place.get(name) for name in own if " angular rate " in name]
    # As `Signals.inputs` puts them: accelerations, rates, rates once more, and four constants.
    constants = range(len(known) + rates, len(known) + rates + CONSTANTS)
    return [*found, *(None if k is None else rates + k for k in twice), *constants]


def channels(recording: Recording, subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Return the channels (k, 3) of acceleration and angular rate that recording and model both have."""
    return (
        recording.acceleration_available & subject.modelled.acceleration,
        recording.angular_rate_available & subject.modelled.angular_rate,
    )


def make_signals(
    recording: Recording,
    subject: Subject,
    told: tuple[Phase, ...] | None = None,
) -> Signals:
    """Return the signals of a recording that the subject's model can explain.

    Parameters
    ----------
    told : tuple of Phase, optional
        What the person does; by default it is told from the recording.
    """
    told = phases(recording) if told is None else told
    spans = uncovered(recording, told, turns=subject.heading is not None)
    standing, still = _standing(told, recording.time_s)
    accelerometer, gyroscope = channels(recording, subject)
    for kind, has in (("accelerometer", accelerometer), ("gyroscope", gyroscope)):
        if not has.any():  # a mean over none is no number, and would look like a training that diverged
            raise InputError(
                f"No {kind} tells anything that the model can explain.",
                where=f"recording '{recording.name}'",
                expected="at least one of its axes",
                fix="export accelerations with gravity and angular rates of the sensors",
            )
    variance_a = recording.acceleration_variance[accelerometer]
    variance_r = recording.angular_rate_variance[gyroscope]

    def tensor(values: ArrayLike) -> Tensor:
        return torch.as_tensor(np.array(values), dtype=torch.float32)

    return Signals(
        acceleration=tensor(recording.acceleration[:, accelerometer]),
        angular_rate=tensor(recording.angular_rate[:, gyroscope]),
        acceleration_channels=torch.as_tensor(accelerometer),
        rate_channels=torch.as_tensor(gyroscope),
        acceleration_variance=torch.as_tensor(variance_a / STRIDES_AVERAGED),
        rate_variance=torch.as_tensor(variance_r / STRIDES_AVERAGED),
        acceleration_deviation=tensor(_deviation(variance_a, UNKNOWN_DEVIATION[0])),
        rate_deviation=tensor(_deviation(variance_r, UNKNOWN_DEVIATION[1])),
        constants=tensor(
            [
                subject.height_m / HEIGHT_SCALE_M,
                subject.model.total_mass / MASS_SCALE_KG,
                (recording.speed_m_s or 0.0) / SPEED_SCALE_M_S,
                recording.speed_m_s is not None,
            ]
        ),
        step_s=1.0 / recording.sampling_rate_hz,
        speed_m_s=recording.speed_m_s,
        covered=torch.as_tensor(covered_samples(recording.time_s, spans)),
        usable=torch.as_tensor(recording.usable.copy()),
        standing=torch.as_tensor(standing),
        still=torch.as_tensor(still),
        foot_speed=tensor(foot_speed(recording, told)),
        rests=torch.as_tensor(resting_feet(recording, told)),
        runs=any(phase.kind == "running" for phase in told),
        up=None if subject.planar else tensor(directions_of_up(recording)),
    )


def _standing(told: Sequence[Phase], time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return at which times (n,) the person stands, and at which of these no step is near; bool."""
    standing, still = np.zeros((2, len(time_s)), bool)
    for phase in told:
        if phase.kind == "standing":
            standing |= (time_s >= phase.from_s) & (time_s <= phase.to_s)
            from_s = phase.from_s + (WEIGHT_SHIFT_S if phase.from_s > time_s[0] else 0.0)
            to_s = phase.to_s - (WEIGHT_SHIFT_S if phase.to_s < time_s[-1] else 0.0)
            still |= (time_s >= from_s) & (time_s <= to_s)
    return standing, still


def _axes(used: Tensor) -> float:
    return float(used.sum()) / max(int(used.any(-1).sum()), 1)


def _places(used: Tensor) -> tuple[int, ...]:
    return tuple(used.flatten().nonzero().flatten().tolist())


def _deviation(variance: np.ndarray, unknown: float) -> np.ndarray:
    return np.where(variance > 0, np.sqrt(variance), unknown)


@dataclass(frozen=True)
class Windows:
    """A batch of windows of a recording.

    Attributes
    ----------
    acceleration, angular_rate : (batch, frames, channels) Tensors
        As recorded, m/s^2 and rad/s.
    inputs : (batch, frames, inputs) Tensor
        What the network sees of them: in training, disturbed as sensors and strides are.
    on_the_way : (batch,) bool Tensor or None
        Windows in which the person never stands; None: all.
    still : (batch, frames) bool Tensor or None
        `Signals.still`; None: nobody stands still.
    foot_speed : (batch, frames, k) Tensor or None
        `Signals.foot_speed`, m/s; None: unknown.
    up : (batch, frames, k, 3) Tensor or None
        `Signals.up`.
    rests : (batch, frames, k) bool Tensor or None
        `Signals.rests`; None: no foot rests.
    """

    acceleration: Tensor
    angular_rate: Tensor
    inputs: Tensor
    on_the_way: Tensor | None = None
    still: Tensor | None = None
    foot_speed: Tensor | None = None
    up: Tensor | None = None
    rests: Tensor | None = None

    def part(self, frames: slice) -> Self:
        """Return some frames of each window."""
        of_frames = {name: x for name, x in vars(self).items() if torch.is_tensor(x) and name != "on_the_way"}
        return replace(self, **{name: x[:, frames] for name, x in of_frames.items()})


def draw_windows(
    signals: Signals, frames: int, count: int, generator: torch.Generator, starts: Tensor
) -> Windows:
    """Return random windows, their inputs disturbed as sensors and strides are.

    Parameters
    ----------
    starts : (m, 3) Tensor
        Where a window may begin; see `window_starts`.
    """
    chosen = starts[torch.randint(len(starts), (count,), generator=generator)]
    return windows_at(signals, frames, chosen, generator)


def windows_at(
    signals: Signals, frames: int, starts: Tensor, disturbed_by: torch.Generator | None = None
) -> Windows:
    """Return the windows that begin at places, (count, 3) as of `window_starts`.

    Parameters
    ----------
    disturbed_by : Generator, optional
        Draws the noise of the inputs; they are as recorded by default.
    """
    start, first, length = starts.split(1, dim=1)
    rows, sign = with_lead_in(start + torch.arange(frames), first, length)
    acceleration, rate = signals.acceleration[rows], sign[..., None] * signals.angular_rate[rows]
    seen_a, seen_r = acceleration, rate
    if disturbed_by is not None:
        seen_a = acceleration + _noise(acceleration, signals.acceleration_deviation, disturbed_by)
        bias = GYRO_BIAS * torch.randn(len(rows), 1, rate.shape[-1], generator=disturbed_by)
        seen_r = rate + _noise(rate, signals.rate_deviation, disturbed_by) + bias
    return Windows(
        acceleration=acceleration,
        angular_rate=rate,
        inputs=signals.inputs(seen_a, seen_r),
        on_the_way=~signals.standing[rows].any(dim=1),
        still=signals.still[rows],
        foot_speed=signals.foot_speed[rows],
        up=None if signals.up is None else signals.up[rows],
        rests=signals.rests[rows],
    )


def _noise(like: Tensor, deviation: Tensor, generator: torch.Generator) -> Tensor:
    """Return noise, half of whose power changes from stride to stride, half from sample to sample."""
    slow = torch.randn(like.shape[0], 1, like.shape[2], generator=generator)
    fast = torch.randn(like.shape, generator=generator)
    return NOISE_SHARE * deviation * (slow + fast) / 2**0.5
