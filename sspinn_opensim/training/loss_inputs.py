"""Inputs of the losses: what the body model makes of a batch of motions, beside what was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor

from casadi_dynamics.compiled import TorchFunction, compile_torch
from sspinn_opensim.training.contact_points import farthest_on_foot, levers, slopes_of_soles
from sspinn_opensim.training.motion import Motion, RawMotion, columns, differentiate
from sspinn_opensim.training.mounting import Mounting
from sspinn_opensim.training.outliers import ErrorScales
from sspinn_opensim.training.signals import Signals, Windows
from sspinn_opensim.training.subject import TRUNK_LEAN_RAD, Subject

#: Frames of a window that have a derivative.
_INNER = slice(1, -1)


@dataclass(frozen=True)
class BodyConstants:
    """Numbers of a body that no step changes, as tensors.

    Attributes
    ----------
    parameters : (parameters,) Tensor
        Those of the body's functions.
    sensor_position : (3 k,) Tensor
        Places of the sensors in body axes, m.
    joint_range : (2, actuated) Tensor
        Lowest and highest angle of each actuated coordinate, rad.
    unfelt_default : (unfelt,) Tensor
        Default of each coordinate of `Subject.unfelt`, rad.
    trunk_lean : (turns,) Tensor
        `TRUNK_LEAN_RAD` along each coordinate of `Subject.root_turns_backward`, rad.
    modelled_force : (points, 3) bool Tensor
        Components of the contact forces that the model has.
    farthest_on_foot : tuple of int
        Of `contact_points.farthest_on_foot`.
    levers : (k, points) Tensor
        Of `contact_points.levers`.
    soles : (k, points) Tensor
        Of `contact_points.slopes_of_soles`, for all sensors.
    turned_by_tissue : (k, 3) bool Tensor
        `Subject.turned_by_tissue`.
    up_along_trunk : (k, 3) Tensor
        `Subject.up_along_trunk`.
    points_below_shanks : (shanks, points) Tensor
        `Subject.points_below_shanks`.
    ends_of_shanks : TorchFunction or None
        `Subject.ends_of_shanks`; None where there are no shanks.
    """

    parameters: Tensor
    sensor_position: Tensor
    joint_range: Tensor
    unfelt_default: Tensor
    trunk_lean: Tensor
    modelled_force: Tensor
    farthest_on_foot: tuple[int, ...]
    levers: Tensor
    soles: Tensor
    turned_by_tissue: Tensor
    up_along_trunk: Tensor
    points_below_shanks: Tensor
    ends_of_shanks: TorchFunction | None

    @cached_property
    def levers_by_axis(self) -> Tensor:
        """Return `levers` for forces (..., 3 points), to be multiplied from the right: (3 points, 3 k)."""
        return torch.kron(self.levers.T.contiguous(), torch.eye(3, dtype=self.levers.dtype))

    @classmethod
    def of(cls, subject: Subject, dtype: torch.dtype = torch.float32) -> Self:
        """Return the constants of a body in a precision."""
        coordinates = subject.model.coordinates
        ranges = np.array([_limits(coordinates[i].range) for i in subject.roles.actuated])
        places, feet = subject.contact_in_default_posture, subject.feet
        return cls(
            torch.as_tensor(subject.functions.parameters, dtype=dtype),
            torch.as_tensor(subject.sensor_position, dtype=dtype),
            torch.as_tensor(ranges.T, dtype=dtype),
            torch.tensor([coordinates[i].default for i in subject.unfelt], dtype=dtype),
            TRUNK_LEAN_RAD * torch.tensor(list(subject.root_turns_backward.values()), dtype=dtype),
            torch.as_tensor(subject.modelled.force),
            farthest_on_foot(places, feet),
            torch.as_tensor(levers(places, feet, planar=subject.planar), dtype=dtype),
            torch.as_tensor(slopes_of_soles(places, feet, subject.feet_of_sensors), dtype=dtype),
            torch.as_tensor(subject.turned_by_tissue),
            torch.as_tensor(subject.up_along_trunk, dtype=dtype),
            torch.as_tensor(subject.points_below_shanks, dtype=dtype),
            compile_torch(subject.ends_of_shanks, dtype) if subject.shanks else None,
        )


def _limits(written: tuple[float, float]) -> tuple[float, float]:
    """Return the lower and the upper end of a range; one without length limits nothing."""
    low, high = sorted(written)
    return (low, high) if low < high else (-np.inf, np.inf)


@dataclass(frozen=True)
class LossInputs:
    """What the terms look at, (batch, frames, ...) for the frames that are scored; heights from the floor.

    Each frame is seen along the axes of the walking frame of that moment (see `motion`): x is ahead, z to the
    right, whatever the person's heading.

    Attributes
    ----------
    subject, signals, constants, mounting
        The body, its recording's channels, its constants and how its sensors are mounted.
    acceleration, angular_rate : (batch, frames, channels) Tensors
        As recorded, m/s^2 and rad/s.
    predicted_acceleration, predicted_rate : (batch, frames, channels) Tensors
        As the body's motion would make them, m/s^2 and rad/s.
    motion, raw : Motion, RawMotion
        Coordinates with their derivatives, and the outputs of the network they come from.
    tau : (batch, frames, coordinates) Tensor
        Generalized forces that the motion needs beside the contact forces, N and N m.
    force_bw : (batch, frames, points, 3) Tensor
        Contact forces in the walking frame over body weight.
    contact_position, contact_velocity : (batch, frames, points, 3) Tensors
        Of the contact points, m and m/s, along the axes of the walking frame; the velocity is that in ground,
        along forces that the model has.
    on_the_way : (batch,) bool Tensor or None
        Windows in which the person never stands; None: all.
    still : (batch, frames) bool Tensor or None
        Frames in which the person stands still; None: none.
    sensor_velocity : (batch, frames, k, 3) Tensor or None
        Of the sensors' places, in ground, m/s.
    foot_speed : (batch, frames, k) Tensor or None
        How fast sensors on feet move over the ground by dead reckoning, m/s; NaN where unknown.
    ankle_ahead, shank_lean : (batch, frames, shanks) Tensor or None
        Place of ankles forward, m, and lean of the shanks above them forward, rad, held constant; None where
        the person runs, or the model leaves the plane.
    rests : (batch, frames, k) bool Tensor or None
        Frames in which a sensor on a walking foot hardly moves; None: none.
    error_scales : ErrorScales or None
        How large the errors of each channel usually are; None: no error is an outlier.
    up, predicted_up : (batch, frames, k, 3) Tensors or None
        Direction of up along the axes of each sensor, by its orientation filter (NaN where unknown) and as
        the body's motion would make it; None where the model stays in the plane.
    """

    subject: Subject
    signals: Signals
    constants: BodyConstants
    mounting: Mounting
    acceleration: Tensor
    angular_rate: Tensor
    predicted_acceleration: Tensor
    predicted_rate: Tensor
    motion: Motion
    raw: RawMotion
    tau: Tensor
    force_bw: Tensor
    contact_position: Tensor
    contact_velocity: Tensor
    predicted_up: Tensor
    on_the_way: Tensor | None = None
    still: Tensor | None = None
    sensor_velocity: Tensor | None = None
    foot_speed: Tensor | None = None
    ankle_ahead: Tensor | None = None
    shank_lean: Tensor | None = None
    rests: Tensor | None = None
    error_scales: ErrorScales | None = None
    up: Tensor | None = None

    @cached_property
    def force_axes(self) -> tuple[Tensor, ...]:
        """Contact forces along each axis of ground, (batch, frames, points): one way for all gradients."""
        with torch.enable_grad():  # a term that does not count may be the first to look
            return self.force_bw.unbind(-1)

    @property
    def load(self) -> Tensor:
        """Upward part of the contact forces over body weight."""
        return self.force_axes[1]

    @cached_property
    def height(self) -> Tensor:
        """Height of the contact points, (batch, frames, points), m."""
        with torch.enable_grad():
            return self.contact_position[..., 1]

    @cached_property
    def lever_force(self) -> Tensor:
        """Contact forces at two points of each foot, over body weight, (batch, frames, k, 3)."""
        with torch.enable_grad():
            return triples(self.force_bw.flatten(-2) @ self.constants.levers_by_axis)

    @cached_property
    def torques(self) -> Tensor:
        """Torques of the actuated coordinates that the motion needs, (batch, frames, actuated), N m."""
        with torch.enable_grad():
            return columns(self.tau, self.subject.roles.actuated)


def loss_inputs(
    subject: Subject,
    dynamics: TorchFunction,
    signals: Signals,
    constants: BodyConstants,
    mounting: Mounting,
    windows: Windows,
    raw: RawMotion,
    error_scales: ErrorScales | None = None,
) -> LossInputs:
    """Run the body model over the inner frames of a batch and return what the terms look at.

    Parameters
    ----------
    dynamics : TorchFunction
        `Subject.compiled`; one serves all people of a topology.
    windows, raw : Windows, RawMotion
        What was recorded, and what the network made of it, (batch, frames, ...). Differences over time take
        the first and the last frame.

    Returns
    -------
    LossInputs
        (batch, frames - 2, ...).
    """
    motion = differentiate(raw, subject, signals.step_s)
    inner, recorded = raw.part(_INNER), windows.part(_INNER)
    out = dynamics(
        q=motion.q,
        u=motion.u,
        udot=motion.udot,
        contact_force=inner.force.flatten(-2),
        sensor_position=constants.sensor_position + mounting.shift.flatten(),
        parameters=constants.parameters,
    )
    axes = mounting.axes()
    floor = motion.q.new_tensor([0.0, subject.floor_m, 0.0])
    ankle_ahead = shank_lean = None
    if constants.ends_of_shanks is not None and not signals.runs:
        ankle_ahead, shank_lean = ankles_and_lean(constants.ends_of_shanks, motion.q)
    return LossInputs(
        subject=subject,
        signals=signals,
        constants=constants,
        mounting=mounting,
        acceleration=recorded.acceleration,
        angular_rate=recorded.angular_rate,
        predicted_acceleration=out["imu_acceleration"] @ columns(axes, signals.acceleration_places),
        predicted_rate=out["imu_angular_rate"] @ columns(axes, signals.rate_places),
        motion=motion,
        raw=inner,
        tau=out["tau"],
        force_bw=inner.force / subject.body_weight,
        contact_position=triples(out["contact_position"]) - floor,
        # Where no force is modelled, sideways in a planar estimate, nothing can stop a point either.
        contact_velocity=triples(out["contact_velocity"]) * constants.modelled_force,
        on_the_way=recorded.on_the_way,
        still=recorded.still,
        sensor_velocity=triples(out["imu_velocity"]),
        foot_speed=recorded.foot_speed,
        ankle_ahead=ankle_ahead,
        shank_lean=shank_lean,
        rests=recorded.rests,
        error_scales=error_scales,
        up=recorded.up,
        predicted_up=triples(out["imu_up"] @ axes),
    )


@torch.no_grad()
def ankles_and_lean(ends_of_shanks: TorchFunction, q: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far ahead ankles are, m, and shanks lean, rad, (batch, frames, shanks) each."""
    ankle, knee = triples(ends_of_shanks(q=q)["place"]).unflatten(-2, (-1, 2)).unbind(-2)
    along = knee - ankle
    return ankle[..., 0], torch.atan2(along[..., 0], along[..., 1])


def triples(x: Tensor) -> Tensor:
    """Return vectors of three, (..., k, 3), of one after another, (..., 3 k)."""
    return x.unflatten(-1, (-1, 3))
