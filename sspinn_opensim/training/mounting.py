"""Mounting of sensors: how each is turned and shifted against where it was said to sit, learnt along."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

#: Coefficients of sin(a) / a and (1 - cos(a)) / a^2 by powers of a^2: exact in double precision up to pi.
_SINE = [(-1.0) ** k / math.factorial(2 * k + 1) for k in range(16)]
_COSINE = [(-1.0) ** k / math.factorial(2 * k + 2) for k in range(16)]


#: Sensors that stay on a person between two recordings slip by this part of what they were off their stated
#: place: 0.03 rad (2 degrees) and 6 mm with the scales of `mounting`.
SLIP_PER_SPREAD = 0.2


class Mounting(nn.Module):
    """How far each sensor sits from where it was said to sit: small turns and shifts, one set per person.

    Attributes
    ----------
    rotation, shift : (sensors, 3) Parameter
        In body axes, rad and m.
    expected_rotation, expected_shift : (sensors, 3) Tensor
        What the prior holds them against: zero, or what another recording of the same person found.
    spread : float
        The prior's deviations as a part of those of sensors that nobody knows yet.
    """

    expected_rotation: Tensor
    expected_shift: Tensor

    def __init__(self, sensors: int) -> None:
        super().__init__()
        self.rotation = nn.Parameter(torch.zeros(sensors, 3))
        self.shift = nn.Parameter(torch.zeros(sensors, 3))
        # Not in a checkpoint: whoever goes on with an adaptation is told anew what it began with.
        for name in ("rotation", "shift"):
            self.register_buffer(f"expected_{name}", torch.zeros(sensors, 3), persistent=False)
        self.spread = 1.0

    def expect(self, found: dict[str, Tensor]) -> None:
        """Start from what another recording of the person found, and expect no more than a slip from it."""
        self.load_state_dict(found)
        self.expected_rotation.copy_(self.rotation.detach())
        self.expected_shift.copy_(self.shift.detach())
        self.spread = SLIP_PER_SPREAD

    def axes(self) -> Tensor:
        """Return the matrix (3 k, 3 k) that turns vectors in body axes into readings.

        It multiplies rows (..., 3 k) of one sensor after another from the right.
        """
        turn, square = self.rotation[:, None].expand(-1, 3, -1), self.rotation.square().sum(-1)[:, None]
        straight = torch.eye(3, dtype=turn.dtype)
        skew = torch.linalg.cross(straight.expand_as(turn), turn)
        # The exponential of a skew matrix K, after Rodrigues: I + K sin(a) / a + K^2 (1 - cos(a)) / a^2. The
        # series in a^2 need no division by the angle, whose gradient would be none where nothing is turned.
        powers = square ** torch.arange(len(_SINE), dtype=turn.dtype)
        sine, cosine = ((powers @ torch.tensor(series, dtype=turn.dtype)) for series in (_SINE, _COSINE))
        turned = straight + skew @ skew * cosine[:, None, None] + skew * sine[:, None, None]
        return torch.block_diag(*turned)  # one product for all sensors
