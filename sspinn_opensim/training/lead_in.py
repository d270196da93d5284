"""Lead-in: what a network sees before the first sample of a piece, the piece's own beginning in reverse.

A causal network has to settle before it can be trusted. Where nothing was recorded before a piece, it settles
on the first samples of the piece played backwards in time: from the last of them to the first. Played
backwards, specific forces are what they were, as an acceleration is a second derivative, and angular rates
change their sign. So the first frames of a piece are estimated with knowledge of what follows within
`LEAD_IN_S`; every later frame depends on the samples before it alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sspinn_opensim.training.settings import LEAD_IN_S


def lead_in_frames(step_s: float, lead_in_s: float = LEAD_IN_S) -> int:
    """Return the frames of a lead-in.

    One less than the time holds: speeds of the first frame that is scored are central differences, and the
    frame before it must be one that was recorded.
    """
    return max(round(lead_in_s / step_s), 1) - 1


def with_lead_in(rows: Tensor, first: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """Return which frames stand for frames before the first of a piece, and the sign of their angular rate.

    Parameters
    ----------
    rows : Tensor of int
        Frames of the recording, perhaps before `first`.
    first, length : Tensor of int
        First frame of the piece and its number of frames; they are broadcast against `rows`.

    Returns
    -------
    rows, sign : Tensor
        Of the shape of `rows`. A piece shorter than its lead-in goes back and forth.
    """
    before = (first - rows).clamp(min=0)
    there = (length - 1).clamp(min=1)
    phase = before % (2 * there)
    backwards = (phase > 0) & (phase <= there)
    reflected = torch.where(phase <= there, phase, 2 * there - phase)
    # A piece of a single frame is that frame.
    reflected = torch.minimum(reflected, length - 1)
    return torch.where(before > 0, first + reflected, rows), torch.where(backwards, -1.0, 1.0)
