"""Uncertainty of an estimate: one standard deviation for every number in it.

Two things add up, as squares: how far networks of different seeds differ, which shows where the signals leave
room, and what all of them share. The second cannot be seen in one recording; it was measured on people whose
laboratories could be asked, and it has two parts itself: a constant, such as the zero of an angle, and an
error in time, which is as large as the number changes fast. So running is less certain than walking, and a
foot in the air more than one that strikes (``python -m benchmarks.band_coverage``). Angles are less certain,
too, where sensors are aligned worse than those people's were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.anatomy import without_side
from sspinn_opensim.anatomy.names import MIDDLE
from sspinn_opensim.estimation.inference.offline import Estimate
from sspinn_opensim.files import read_json
from sspinn_opensim.training.subject import Subject

CALIBRATION_FILE = Path(__file__).with_name("bands.json")
_SHAPE = {"made_from": [str], "bands": {str: {"constant": float, "timing_s": float}}}
#: How fast a number changes is looked at this far to either side, s.
AROUND_S = 0.15
#: Deviation of lengths, m: of how high the pelvis is, and of where the ground pushes. It was not measured.
LENGTH_M = 0.02
#: How well sensors of legs, and of pelvis and trunk, are aligned on real walkers, degrees about the segment's
#: x, y and z axes: the largest deviations in the six recordings of `benchmarks.people` that are aligned, but
#: for a thigh (4.0 about z) and a foot (4.6, 12.7 and 3.9).
ALIGNED_WITHIN_DEG = {"leg": (3.5, 10.0, 3.5), "trunk": (4.5, 18.0, 6.1)}
#: Coordinate of a leg -> what names of coordinates have in common.
_JOINTS = ("hip_flexion", "knee", "ankle")


@dataclass(frozen=True)
class Band:
    """What all networks share, of one kind of number.

    Attributes
    ----------
    constant : float
        Standard deviation where nothing moves: rad, parts of body weight times height, or of body weight.
    timing_s : float
        Times the root mean square rate of the number nearby, the deviation where it changes.
    """

    constant: float
    timing_s: float

    def deviation(self, mean_square_rate: np.ndarray) -> np.ndarray:
        """Return the standard deviation for a mean square rate."""
        return np.sqrt(self.constant**2 + self.timing_s**2 * mean_square_rate)


@dataclass(frozen=True)
class Calibration:
    """Bands of all kinds of numbers.

    Attributes
    ----------
    bands : mapping of str to Band
        By ``angle.``, ``moment.`` and a joint, ``force.`` and a direction; `of` finds one.
    length_m : float
        Deviation of positions, m.
    spread : float
        Factor on the standard deviation between seeds.
    """

    bands: Mapping[str, Band]
    length_m: float = LENGTH_M
    spread: float = 1.0

    def of(self, kind: str, name: str) -> Band:
        """Return the band of a coordinate or of a direction; of what was never measured, the widest known."""
        known = self.bands.get(f"{kind}.{joint_of(name)}")
        if known is not None:
            return known
        same = [band for key, band in self.bands.items() if key.startswith(f"{kind}.")]
        return Band(max(band.constant for band in same), max(band.timing_s for band in same))


def joint_of(name: str) -> str:
    """Return what bands of a coordinate go by: ``hip_flexion``, ``knee``, ``ankle``; else its own name."""
    plain, _ = without_side(name)
    return next((joint for joint in _JOINTS if joint in plain), plain)


@cache
def calibration() -> Calibration:
    """Return the calibration that comes with the package."""
    found = read_json(CALIBRATION_FILE, _SHAPE, "write it anew with python -m benchmarks.band_coverage")
    return Calibration({name: Band(**band) for name, band in found["bands"].items()})


def mean_square_rate(time_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return how fast numbers (n, ...) change around each sample, as mean square over `AROUND_S`."""
    from scipy.ndimage import uniform_filter1d  # takes long to import

    if len(time_s) < 2:
        return np.zeros(values.shape)
    step_s = float(np.median(np.diff(time_s)))
    frames = 2 * round(AROUND_S / step_s) + 1
    rate = np.gradient(values, step_s, axis=0)
    # A running sum may fall below zero by a last digit.
    return np.maximum(uniform_filter1d(rate**2, frames, axis=0, mode="nearest"), 0.0)


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

    def part(self, chosen: slice | np.ndarray) -> Deviations:
        """Return those of some of the frames."""
        names = ("time_s", "q", "moments", "force", "point")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


def standard_deviations(
    estimates: Sequence[Estimate],
    rotational: Sequence[bool],
    body_weight_n: float,
    height_m: float,
    calibrated: Calibration | None = None,
    offset_variance: np.ndarray | float = 0.0,
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
    calibrated : Calibration, optional
        By default that which comes with the package.
    offset_variance : (c,) ndarray, optional
        What is added to the variance of coordinates, rad^2: `offset_variance` of a subject's sensors.
    """
    known = calibration() if calibrated is None else calibrated
    first, time_s = estimates[0], estimates[0].time_s

    def columns(kind: str, names: Sequence[str], values: np.ndarray, unit: float) -> np.ndarray:
        """Return the shared deviation of values (n, ..., names), of which the bands know parts of a unit."""
        squares, found = mean_square_rate(time_s, values / unit), np.empty(values.shape)
        for k, name in enumerate(names):
            found[..., k] = unit * known.of(kind, name).deviation(squares[..., k])
        return found

    q = columns("angle", first.coordinates, first.q, 1.0)
    q[:, [k for k, turns in enumerate(rotational) if not turns]] = known.length_m
    q = np.sqrt(q**2 + offset_variance)
    moments = columns("moment", first.actuated, first.moments, body_weight_n * height_m)
    force = columns("force", ("forward", "up", "right"), first.ground.force, body_weight_n)

    def spread(values: Sequence[np.ndarray], shared: np.ndarray) -> np.ndarray:
        return shared if len(values) == 1 else np.hypot(known.spread * np.std(values, axis=0, ddof=1), shared)

    grounds = [estimate.ground for estimate in estimates]
    return Deviations(
        time_s,
        first.coordinates,
        spread([e.q for e in estimates], q),
        first.actuated,
        spread([e.moments for e in estimates], moments),
        first.ground.feet,
        spread([g.force for g in grounds], force),
        spread([g.point for g in grounds], np.broadcast_to(known.length_m, first.ground.point.shape)),
    )


def deviations_of(
    estimates: Sequence[Estimate], subject: Subject, alignment: Alignment | None = None
) -> Deviations:
    """Return the standard deviations of estimates of a subject, one for each seed (`standard_deviations`).

    Parameters
    ----------
    alignment : Alignment, optional
        Of the sensors, where they had to be aligned.
    """
    turns = [c.motion == "rotational" for c in subject.model.coordinates]
    variance = offset_variance(subject, alignment) if alignment else 0.0
    return standard_deviations(
        estimates, turns, subject.body_weight, subject.height_m, offset_variance=variance
    )


def offset_variance(subject: Subject, alignment: Alignment) -> np.ndarray:
    """Return by how much sensors that are aligned worse than usual raise the variance of coordinates.

    A sensor that is turned on its segment turns the segment of the estimate. Angles are those that fit the
    turns of all segments with sensors best, in the default posture; where a model has no such turn, as across
    a hinge, neighbours share it.

    Returns
    -------
    (c,) ndarray
        rad^2; none where no sensor is known worse than `ALIGNED_WITHIN_DEG`.
    """
    found, sensors = {own.name: own for own in alignment.sensors}, subject.functions.imu_frames
    axes = [2] if subject.planar else [0, 1, 2]
    turning = subject.turning()[np.ix_([subject.functions.bodies.index(s.body) for s in sensors], axes)]
    more = np.zeros((len(sensors), 3))
    for k, sensor in enumerate(sensors):
        if (own := found.get(sensor.name)) is not None:
            usual = ALIGNED_WITHIN_DEG["trunk" if own.site and own.site[0] in MIDDLE else "leg"]
            more[k] = np.maximum(np.radians(own.sd_deg) ** 2 - np.radians(usual) ** 2, 0.0)
    shares = np.linalg.pinv(turning.reshape(len(sensors) * len(axes), -1))
    variance = np.zeros(len(subject.model.coordinates))
    variance[list(subject.roles.posture)] = shares**2 @ more[:, axes].ravel()
    return variance
