"""Evidence of how a sensor is turned, combined by its standard deviations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sspinn_opensim.recording.signals.rotations import rotations_from_vectors

_ITERATIONS = 30


@dataclass(frozen=True, eq=False)
class Evidence:
    """One source: a direction that is known along the sensor's axes and along those of its segment.

    Attributes
    ----------
    source : str
        Where it comes from, in a few words.
    direction : (3,) array
        In the sensor's own axes.
    target : (3,) array
        The same direction in the segment's axes.
    sd_deg : tuple of 3 float
        Standard deviations of the turn about the segment's x, y and z that brings one to the other, degrees;
        infinite where it says nothing.
    """

    source: str
    direction: np.ndarray
    target: np.ndarray
    sd_deg: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Combined:
    """The rotation that fits all evidence.

    Attributes
    ----------
    rotation : (3, 3) array
        From the sensor's axes to the segment's.
    sd_deg : (3,) array
        Standard deviations of small rotations about the segment's x, y and z.
    misfit : float
        Root mean square of what is left of the evidence, in standard deviations; above 1 sources disagree,
        and the deviations are that much larger.
    """

    rotation: np.ndarray
    sd_deg: np.ndarray
    misfit: float


def combine(evidence: Sequence[Evidence]) -> Combined:
    """Return the rotation with the highest likelihood, by Gauss-Newton steps on small rotations.

    With d a direction turned by the present rotation and t its target, the rotation by the vector v that
    brings d to t fulfils (1 - t t^T) v = d x t, each row with its own deviation.

    Raises
    ------
    ValueError
        If the evidence leaves a direction open.
    """
    rotation = _first(evidence)
    rows = np.concatenate([np.eye(3) - np.outer(item.target, item.target) for item in evidence])
    sd = np.radians(np.concatenate([item.sd_deg for item in evidence]))
    known = np.isfinite(sd)
    weighted = rows[known] / sd[known, None]
    if np.linalg.matrix_rank(weighted, tol=1e-6 * np.abs(weighted).max()) < 3:
        raise ValueError("the evidence leaves a direction open")
    covariance = np.linalg.inv(weighted.T @ weighted)
    left = np.zeros(len(weighted))
    for _ in range(_ITERATIONS):
        off = np.concatenate([np.cross(rotation @ item.direction, item.target) for item in evidence])
        left = off[known] / sd[known]
        turn = covariance @ weighted.T @ left
        rotation = rotations_from_vectors(turn) @ rotation
        if np.linalg.norm(turn) < 1e-10:
            break
    spare = len(left) - 3
    misfit = float(np.sqrt(left @ left / spare)) if spare > 0 else 0.0
    sd_deg = np.degrees(np.sqrt(np.diag(covariance))) * max(misfit, 1.0)
    return Combined(rotation, sd_deg, misfit)


def _first(evidence: Sequence[Evidence]) -> np.ndarray:
    """Return the rotation that fits the surest two directions."""
    surest = min(evidence, key=lambda item: item.sd_deg[0] + item.sd_deg[2])
    level = [item for item in evidence if abs(item.target @ surest.target) < 0.5]
    if not level:
        raise ValueError("the evidence leaves a direction open")
    other = min(level, key=lambda item: item.sd_deg[1])
    return _frame(surest.target, other.target) @ _frame(surest.direction, other.direction).T


def _frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    third = np.cross(first, second)
    third = third / np.linalg.norm(third)
    return np.stack([first, np.cross(third, first), third], axis=1)
