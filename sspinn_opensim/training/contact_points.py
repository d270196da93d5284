"""Contact points under the feet of a model, and what their places in the default posture make of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def farthest_on_foot(places: np.ndarray, feet: Sequence[str]) -> tuple[int, ...]:
    """Return for each contact point the one of its foot that is farthest away; itself, if alone.

    Parameters
    ----------
    places : (points, 3) ndarray
        Of the contact points in ground, m: forward, up, to the right.
    feet : sequence of str
        Of each point.
    """
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    own = np.array(feet)
    apart[own[:, None] != own[None]] = -1.0
    return tuple(int(i) for i in apart.argmax(axis=1))


def levers(places: np.ndarray, feet: Sequence[str], *, planar: bool) -> np.ndarray:
    """Return the map from forces at the contact points to those of feet with two points each, (k, points).

    Each foot gives two rows: the forces at its rearmost and foremost point that together have the same
    sum and the same moment. In a model that leaves the plane there is a third, the moment sideways over
    the length of the foot. So it does not matter into how many points a foot is divided; one that has
    two points keeps them.

    Parameters
    ----------
    places, feet
        As for `farthest_on_foot`.
    planar : bool
        Whether the model stays in the sagittal plane.
    """
    forward, right = places[:, 0], places[:, 2]
    rows = []
    for foot in dict.fromkeys(feet):
        on = np.array(feet) == foot
        rear, length = forward[on].min(), np.ptp(forward[on])
        front = np.where(on, (forward - rear) / length, 0.0) if length else np.zeros(len(on))
        rows += [on - front, front]
        if not planar and length:
            rows.append(np.where(on, (right - right[on].mean()) / length, 0.0))
    return np.array(rows)


def slopes_of_soles(places: np.ndarray, feet: Sequence[str], soles: Sequence[str]) -> np.ndarray:
    """Return the map from the heights of contact points to the slopes of some soles, (k, points).

    The slope is that of the line from heel to toes which fits the points of a foot best; zeros for what is
    no foot that has a length.

    Parameters
    ----------
    places, feet
        As for `farthest_on_foot`.
    soles : sequence of str
        Feet whose slopes are wanted, or other bodies.
    """
    forward, found = places[:, 0], np.zeros((len(soles), len(feet)))
    for k, foot in enumerate(soles):
        on = np.array(feet) == foot
        from_middle = np.where(on, forward - forward[on].mean(), 0.0) if on.any() else np.zeros(len(on))
        if from_middle.any():
            found[k] = from_middle / (from_middle**2).sum()
    return found
