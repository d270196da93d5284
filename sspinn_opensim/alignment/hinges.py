"""The axis of a hinge between two segments, along the axes of the sensors on both."""

from __future__ import annotations

import numpy as np


def hinge_axes(
    rates: tuple[np.ndarray, np.ndarray],
    up: tuple[np.ndarray, np.ndarray],
    near: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the level axis of a hinge as each of two sensors sees it.

    Both segments turn alike but about the axis j of the hinge, so that |w1 x j1| = |w2 x j2| at all times
    (Seel, Raisch, Schauer 2014, Sensors 14:6891, eq. 5). Here both are level, as up is known from gravity.

    Parameters
    ----------
    rates : 2 (s, 3) arrays
        Angular rates at the same times, rad/s.
    up, near : 2 (3,) arrays each
        Direction of up; a level direction near the axis.
    """
    from scipy.optimize import least_squares  # takes long to import

    level = [z - (z @ y) * y for y, z in zip(up, near, strict=True)]
    level = [z / np.linalg.norm(z) for z in level]
    ahead = [np.cross(y, z) for y, z in zip(up, level, strict=True)]

    def axes(angles: np.ndarray) -> list[np.ndarray]:
        pairs = zip(angles, level, ahead, strict=True)
        return [np.cos(angle) * z + np.sin(angle) * x for angle, z, x in pairs]

    def differ(angles: np.ndarray) -> np.ndarray:
        first, second = (
            np.linalg.norm(np.cross(w, j), axis=1) for w, j in zip(rates, axes(angles), strict=True)
        )
        return first - second

    found = axes(least_squares(differ, np.zeros(2)).x)
    return found[0], found[1]
