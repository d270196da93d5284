"""Errors of real sensors on ideal signals: turned, shifted, shaken by soft tissue, biased, or not worn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: A sensor's turn in the sagittal plane: its deviation is drawn up to this, and largest, rad (8, 15 degrees).
TURN_RAD, LARGEST_TURN_RAD = 0.14, 0.26
#: Its shift along x and y, m.
SHIFT_M = 0.02
#: Largest share of the soft tissue's motion that counts, and how far it turns the sensor, rad a metre.
TISSUE, TISSUE_TURN_RAD_M = 1.2, 4.0
#: Constant and white errors: m/s^2 and rad/s; and of the scale of the accelerometer.
BIAS, NOISE, SCALE = (0.15, 0.01), (0.3, 0.06), 0.01
#: Share of the windows in which sensors are missing, and the sets that people wear then, by segment.
SPARSE = 0.3
SETS = (("foot", "femur"), ("foot", "tibia"), ("femur", "tibia"), ("tibia", "pelvis"), ("foot",))


@dataclass(frozen=True)
class Worn:
    """Signals as sensors that people wear give them, (windows, frames, k, 2) and (windows, frames, k)."""

    acceleration: Tensor
    angular_rate: Tensor


def wear(
    acceleration: Tensor,
    angular_rate: Tensor,
    tissue: Tensor,
    step_s: float,
    segments: tuple[str, ...],
    generator: torch.Generator,
) -> Worn:
    """Return ideal signals with all that is wrong with real ones, drawn anew for each window and sensor.

    Parameters
    ----------
    acceleration, tissue : (windows, frames, k, 2) Tensor
        Specific force, and acceleration of soft tissue, along x and y of the segments, m/s^2.
    angular_rate : (windows, frames, k) Tensor
        About z, rad/s.
    segments : tuple of str
        Segment of each sensor, without its side.
    """
    windows, _, sensors, _ = acceleration.shape

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    turning = torch.gradient(angular_rate, spacing=step_s, dim=1)[0]
    x, y = (SHIFT_M * normal(2, windows, 1, sensors)).unbind()
    squared = angular_rate.square()
    shifted = torch.stack([-squared * x - turning * y, turning * x - squared * y], dim=-1)
    shaken = TISSUE * uniform(windows, 1, sensors, 1) * tissue
    felt = (acceleration + shifted + shaken) * (1 + SCALE * normal(windows, 1, sensors, 1))
    # Some people's sensors are aligned well, others' badly.
    turn = TURN_RAD * uniform(windows, 1, 1) * normal(windows, 1, sensors)
    angle = turn.clamp(-LARGEST_TURN_RAD, LARGEST_TURN_RAD)
    c, s = angle.cos(), angle.sin()
    turned = torch.stack([c * felt[..., 0] + s * felt[..., 1], c * felt[..., 1] - s * felt[..., 0]], dim=-1)
    # What shakes along the segment also turns the sensor on it.
    sliding = shaken[..., 1].cumsum(1) * step_s
    rocked = TISSUE_TURN_RAD_M * normal(windows, 1, sensors) * (sliding - sliding.mean(1, keepdim=True))
    rate = angular_rate + rocked.clamp(-1.0, 1.0)
    turned = turned + BIAS[0] * normal(windows, 1, sensors, 2) + NOISE[0] * normal(*turned.shape)
    rate = rate + BIAS[1] * normal(windows, 1, sensors) + NOISE[1] * normal(*rate.shape)
    worn = _worn(windows, segments, generator)[:, None]
    return Worn(turned * worn[..., None], rate * worn)


def _worn(windows: int, segments: tuple[str, ...], generator: torch.Generator) -> Tensor:
    """Return which sensors are worn in each window, (windows, k) of ones and zeros."""
    sets = torch.tensor([[float(segment in chosen) for segment in segments] for chosen in SETS])
    chosen = sets[torch.randint(len(SETS), (windows,), generator=generator)]
    single = (torch.rand((windows, len(segments)), generator=generator) > 0.25).float()
    part = torch.where(torch.rand((windows, 1), generator=generator) < 0.5, chosen, single)
    sparse = torch.rand((windows, 1), generator=generator) < SPARSE
    return torch.where(sparse, part, torch.ones_like(part))
