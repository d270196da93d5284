"""Fit of a trained network to its recording: what the loss is made of, sensor by sensor, in plain units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from sspinn_opensim.training.coverage import scored_frames, window_starts
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.lead_in import lead_in_frames
from sspinn_opensim.training.loss_inputs import BodyConstants, LossInputs, loss_inputs
from sspinn_opensim.training.loss_terms import TERMS
from sspinn_opensim.training.losses import beyond_limits, term_value
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.signals import Signals, Windows, windows_at
from sspinn_opensim.training.subject import Subject

#: So many windows are looked at, spread over the recording: an hour takes no longer than two minutes.
MOST_WINDOWS = 120
#: Delays of a sensor that are tried, to either side, s.
LARGEST_DELAY_S = 0.12


@dataclass(frozen=True)
class SensorFit:
    """How well the motion explains one sensor.

    Attributes
    ----------
    sensor, body : str
        Its name, and the body that it sits on.
    acceleration_m_s2, angular_rate_rad_s : float or None
        Root mean square of what is not explained, over the axes that the model feels; None without one. Of a
        gyroscope on a leg that is the axis to the right: about others it is turned by tissue, and in joints
        that models lack (`Subject.turned_by_tissue`).
    acceleration_share, angular_rate_share : float or None
        The same over the standard deviation of what was recorded.
    turned_deg, moved_m : float
        How far training turned and shifted it from where it was said to sit.
    delay_s : float
        By how much later than the motion its signals fit best.
    """

    sensor: str
    body: str
    acceleration_m_s2: float | None
    angular_rate_rad_s: float | None
    acceleration_share: float | None
    angular_rate_share: float | None
    turned_deg: float
    moved_m: float
    delay_s: float


@dataclass(frozen=True)
class Fit:
    """What is left of the loss after training.

    Attributes
    ----------
    planar : bool
        Whether the motion stays in the sagittal plane: in space other terms count, and more is explained.
    windows : int
        Windows of the recording that were looked at.
    intensity_m_s2 : float
        Root mean square over sensors of how much their accelerations vary, m/s^2.
    terms : dict of str to float
        Loss terms, scaled and not weighted, without noise on the inputs.
    sensors : tuple of SensorFit
        In the order of the model's virtual IMUs.
    beyond_limits_deg : dict of str to float
        By actuated coordinate, root mean square of how far it is inside the margin of its range, or beyond.
    mean_angles_deg : dict of str to float
        By actuated coordinate, mean over the windows; of left ones that have the axis of the right one across
        the plane, the mirror image.
    speed_share : float or None
        Mean forward speed over the known one, where the person does not stand; None if it is not known.
    """

    planar: bool
    windows: int
    intensity_m_s2: float
    terms: dict[str, float]
    sensors: tuple[SensorFit, ...]
    beyond_limits_deg: dict[str, float]
    mean_angles_deg: dict[str, float]
    speed_share: float | None

    def to_json(self) -> dict:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the fit of `to_json`."""
        sensors = tuple(SensorFit(**sensor) for sensor in values["sensors"])
        return cls(**{**values, "sensors": sensors})


def fit_of(
    estimator: PersonNetwork, subject: Subject, signals: Signals, settings: TrainingSettings
) -> Fit | None:
    """Return how well a trained network fits a recording, over windows as it was trained on.

    Without a window, in a recording that nothing was trained on, there is None.

    Parameters
    ----------
    settings : TrainingSettings
        Length of a window, and of its start that is not scored.
    """
    unscored, most, least = settings.window_frames(signals.step_s)
    covered = signals.covered.numpy()
    scored = scored_frames(covered, most, least)
    if not scored:
        return None
    starts = window_starts(covered, unscored + scored)[::scored]
    if not len(starts):
        lead_in = lead_in_frames(signals.step_s, settings.unscored_s)
        starts = window_starts(covered, unscored + scored, lead_in)[::scored]
    chosen = np.linspace(0, len(starts) - 1, min(len(starts), MOST_WINDOWS)).round().astype(int)
    windows = windows_at(signals, unscored + scored, torch.as_tensor(starts[chosen]))
    # Not in inference mode: what is made and kept meanwhile serves the next training too.
    with torch.no_grad():
        e = _inputs(estimator, subject, signals, windows, unscored)
        terms = {name: float(term_value(name, e)) for name, term in TERMS.items() if not term.leads_force}
        varied = e.acceleration.flatten(0, 1).var(0).mean() * signals.acceleration_axes
        return Fit(
            planar=subject.planar,
            windows=len(e.tau),
            intensity_m_s2=float(varied.sqrt()),
            terms=terms,
            sensors=tuple(_sensors(e, signals)),
            beyond_limits_deg=_of_joints(beyond_limits(e).square().mean((0, 1)).sqrt(), e),
            mean_angles_deg=_as_on_the_right(_of_joints(_angles(e).mean((0, 1)), e), subject),
            speed_share=_speed_share(e, signals),
        )


def _as_on_the_right(angles: dict[str, float], subject: Subject) -> dict[str, float]:
    """Return mean angles in which mirror images are equal, of joints with one axis on both sides too."""
    names = subject.model.coordinate_names
    turned = {names[left] for _, left, sign in subject.mirrored_turns if sign > 0}
    return {name: -angle if name in turned else angle for name, angle in angles.items()}


def _inputs(
    estimator: PersonNetwork, subject: Subject, signals: Signals, windows: Windows, unscored: int
) -> LossInputs:
    # The first derivatives need the frame before the first that is scored.
    settling = unscored - 1
    state = estimator.network.settle(windows.inputs[:, :settling])
    windows = windows.part(slice(settling, None))
    raw = estimator.decoder(estimator.network(windows.inputs, state)[0])
    constants = BodyConstants.of(subject)
    return loss_inputs(subject, subject.compiled(), signals, constants, estimator.mounting, windows, raw)


def _sensors(e: LossInputs, signals: Signals) -> Iterator[SensorFit]:
    kinds = (
        (signals.acceleration_channels, e.predicted_acceleration, e.acceleration),
        (signals.rate_channels, e.predicted_rate, e.angular_rate),
    )
    of_tissue = (torch.zeros_like(e.constants.turned_by_tissue), e.constants.turned_by_tissue)
    turned, moved = e.mounting.rotation.norm(dim=-1), e.mounting.shift.norm(dim=-1)
    for k, frame in enumerate(e.subject.functions.imu_frames):
        misfit, share, both = [], [], []
        for (channels, predicted, recorded), loose in zip(kinds, of_tissue, strict=True):
            own = _columns(channels, k, loose)
            if not len(own):
                misfit.append(None)
                share.append(None)
                continue
            error, varied = predicted[..., own] - recorded[..., own], recorded[..., own].flatten(0, 1).std(0)
            misfit.append(float(error.square().sum(-1).mean().sqrt()))
            scale = varied.square().sum().sqrt().clamp(min=1e-6)
            share.append(misfit[-1] / float(scale))
            both.append((predicted[..., own] / scale, recorded[..., own] / scale))
        yield SensorFit(
            sensor=frame.name,
            body=frame.body,
            acceleration_m_s2=misfit[0],
            angular_rate_rad_s=misfit[1],
            acceleration_share=share[0],
            angular_rate_share=share[1],
            turned_deg=math.degrees(float(turned[k])),
            moved_m=float(moved[k]),
            delay_s=_delay_s(both, signals.step_s),
        )


def _columns(channels: Tensor, sensor: int, left_out: Tensor) -> list[int]:
    """Return where the channels of a sensor stand among those that are used, without some."""
    owner = torch.arange(len(channels))[:, None].expand_as(channels)[channels]
    return torch.nonzero((owner == sensor) & ~left_out[channels]).flatten().tolist()


def _delay_s(signals: list[tuple[Tensor, Tensor]], step_s: float) -> float:
    """Return the delay at which recorded signals differ least from predicted ones, by a parabola."""
    most = round(LARGEST_DELAY_S / step_s)
    frames = signals[0][0].shape[1] if signals else 0
    if frames < 4 * most:
        return 0.0
    inner = slice(most, frames - most)
    errors = [
        sum(
            float((recorded[:, most + k : frames - most + k] - predicted[:, inner]).square().mean())
            for predicted, recorded in signals
        )
        for k in range(-most, most + 1)
    ]
    best = int(np.argmin(errors))
    if not 0 < best < len(errors) - 1:
        return (best - most) * step_s
    before, here, after = errors[best - 1 : best + 2]
    bend = before - 2 * here + after
    return (best - most + (0.5 * (before - after) / bend if bend > 0 else 0.0)) * step_s


def _angles(e: LossInputs) -> Tensor:
    return e.motion.q[..., list(e.subject.roles.actuated)]


def _of_joints(angles: Tensor, e: LossInputs) -> dict[str, float]:
    names = e.subject.model.coordinate_names
    joints = (names[i] for i in e.subject.roles.actuated)
    return dict(zip(joints, torch.rad2deg(angles).tolist(), strict=True))


def _speed_share(e: LossInputs, signals: Signals) -> float | None:
    if not signals.speed_m_s or e.on_the_way is None or not e.on_the_way.any():
        return None
    return float(e.motion.u[..., e.subject.roles.forward][e.on_the_way].mean()) / signals.speed_m_s
