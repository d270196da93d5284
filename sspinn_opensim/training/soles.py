"""Which contact points belong together under a foot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def farthest_on_foot(feet: Sequence[str], position: np.ndarray) -> tuple[int, ...]:
    """Return for each contact point the one of its foot that is farthest away; itself, if alone.

    Parameters
    ----------
    feet : sequence of str
        For each contact point the foot it belongs to.
    position : (points, 3) ndarray
        In one posture, m.
    """
    places, names = np.asarray(position, float), np.array(feet)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    apart[names[:, None] != names[None]] = -1.0
    return tuple(int(i) for i in apart.argmax(axis=1))
