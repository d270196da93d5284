"""Uncertainty of an estimate: one standard deviation for every number in it.

Two things add up: how far networks of different seeds differ, which shows where the signals leave room, and
what all of them share, such as the plane the model moves in or the places of the sensors. The second cannot
be seen in one recording; it was measured on virtual recordings of people whom the networks had never met
(``python -m benchmarks.virtual_imu``) and is a constant for each kind of quantity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sspinn_opensim.estimation.offline import Estimate


@dataclass(frozen=True)
class Calibration:
    """What all networks share, as standard deviations, and how much the difference of seeds counts.

    Attributes
    ----------
    angle_rad, length_m, moment_bwbh : float
        Of angles, of positions, and of moments over body weight times height.
    force_bw : tuple of 3 floats
        Of forces forward, up and to the right, over body weight.
    spread : float
        Factor on the standard deviation between seeds.
    """

    angle_rad: float
    length_m: float
    moment_bwbh: float
    force_bw: tuple[float, float, float]
    spread: float


#: Root mean square errors for unseen people of the virtual benchmark after adaptation: 13 people, 33 trials,
#: three seeds, walking and running; see docs/method.md. That of lengths was not measured.
CALIBRATION = Calibration(
    angle_rad=0.060, length_m=0.02, moment_bwbh=0.0154, force_bw=(0.036, 0.095, 0.036), spread=1.0
)


@dataclass(frozen=True)
class Deviations:
    """One standard deviation for every number of an estimate, in its units.

    Attributes
    ----------
    time_s : (n,) ndarray
        Times of the frames, s.
    coordinates, actuated : tuple of str
        Names along the columns of `q` and `moments`.
    q, moments : (n, c) and (n, a) ndarrays
        Of the coordinates (rad or m) and of the joint moments (N m).
    feet : tuple of str
        Names along the second axis of `force` and `point`.
    force, point : (n, f, 3) ndarrays
        Of the force on each foot (N) and of where it acts (m).
    """

    time_s: np.ndarray
    coordinates: tuple[str, ...]
    q: np.ndarray
    actuated: tuple[str, ...]
    moments: np.ndarray
    feet: tuple[str, ...]
    force: np.ndarray
    point: np.ndarray


def standard_deviations(
    estimates: Sequence[Estimate],
    rotational: Sequence[bool],
    body_weight_n: float,
    height_m: float,
    calibration: Calibration = CALIBRATION,
) -> Deviations:
    """Return how far estimates of one recording may be off.

    Parameters
    ----------
    estimates : sequence of Estimate
        Of one recording, one for each seed; a single one leaves only what is shared.
    rotational : (c,) sequence of bool
        Which coordinates are angles.
    body_weight_n, height_m : float
        Of the person, N and m: moments and forces are known in parts of them.
    calibration : Calibration, optional
        By default that of the virtual benchmark.
    """
    first, factor = estimates[0], calibration.spread
    angles = np.where(rotational, calibration.angle_rad, calibration.length_m)
    moments = calibration.moment_bwbh * body_weight_n * height_m
    force = np.array(calibration.force_bw) * body_weight_n

    def spread(values: Sequence[np.ndarray], shared) -> np.ndarray:
        if len(values) == 1:  # the same row for every frame, which needs no memory of its own
            return np.broadcast_to(np.asarray(shared, float), values[0].shape)
        return np.hypot(factor * np.std(values, axis=0, ddof=1), shared)

    grounds = [estimate.ground for estimate in estimates]
    return Deviations(
        first.time_s,
        first.coordinates,
        spread([e.q for e in estimates], angles),
        first.actuated,
        spread([e.moments for e in estimates], moments),
        first.ground.feet,
        spread([g.force for g in grounds], force),
        spread([g.point for g in grounds], calibration.length_m),
    )
