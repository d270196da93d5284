"""Outliers in the errors of sensors: Student's distribution, with a scale that is found for each channel.

A sensor that rings at impact, or on muscles that shake, makes a few samples that no body explains. Their
squares would be most of the loss, and the motion would bend to them. The negative logarithm of Student's
density grows with the logarithm of a large error instead.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Degrees of freedom. Four is what Lange, Little, Taylor (1989, J Am Stat Assoc 84:881) advise where few data
#: tell. On five real recordings the kurtosis of a channel's errors is 3 to 33, in the middle 7.
DEGREES = 4.0
#: Share of the newest batch in the scales that are found: they follow within about twenty steps.
FOLLOW = 0.05


class ErrorScales(nn.Module):
    """How large the errors of each channel usually are, squared; those of one trial.

    Before a step they are as large as the signals, as nothing is known of the motion: then no error is an
    outlier. A fixed, small scale would take walking for an outlier of standing.

    Parameters
    ----------
    acceleration, angular_rate : (frames, channels) Tensors
        Signals, m/s^2 and rad/s.
    """

    acceleration: Tensor
    angular_rate: Tensor

    def __init__(self, acceleration: Tensor, angular_rate: Tensor) -> None:
        super().__init__()
        self.register_buffer("acceleration", acceleration.var(dim=0))
        self.register_buffer("angular_rate", angular_rate.var(dim=0))

    @torch.no_grad()
    def follow(self, acceleration_error: Tensor, rate_error: Tensor) -> None:
        """Take the errors (..., channels) of a batch into account."""
        for known, error in ((self.acceleration, acceleration_error), (self.angular_rate, rate_error)):
            known.lerp_(likelier_square(error.flatten(0, -2), known), FOLLOW)


def likelier_square(error: Tensor, square: Tensor) -> Tensor:
    """Return the squared scales of Student's distribution that explain errors better than those given.

    One step of the EM algorithm of Lange, Little, Taylor (1989): each error is weighted by how little of an
    outlier it is.

    Parameters
    ----------
    error : (samples, channels) Tensor
    square : (channels,) Tensor
    """
    weight = (DEGREES + 1.0) / (DEGREES + error.square() / square.clamp(min=1e-12))
    return (weight * error.square()).mean(dim=0)


def heavy_tailed(error: Tensor, allowed: Tensor, found: Tensor) -> Tensor:
    """Return what errors (..., channels) cost.

    Errors as large as the channel's usual ones weigh as if their square over the allowed one was meant,
    larger ones less.

    Parameters
    ----------
    allowed : (channels,) Tensor
        Squared error that starts to matter.
    found : (channels,) Tensor
        Squared scale of the channel's errors. Below a quarter of what is allowed, no error is an outlier.
    """
    usual = torch.maximum(found, 0.25 * allowed)
    return (DEGREES + 1.0) * usual / allowed * torch.log1p(error.square() / (DEGREES * usual))
