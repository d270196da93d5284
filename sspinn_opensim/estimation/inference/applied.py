"""Networks as they are applied: in double precision, in which they are not trained.

Sums of one frame and of many are made in another order, and only so the estimate frame by frame is that of
the whole recording to more digits than anyone reads.
"""

from __future__ import annotations

import copy

from sspinn_opensim.training.estimator import PersonNetwork


def applied(estimator: PersonNetwork) -> PersonNetwork:
    """Return a copy of a trained network for double precision."""
    return copy.deepcopy(estimator).double().eval()
