"""Channels of an estimate as they are sent: names and units, in the order of the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sspinn_opensim.estimation import FrameEstimate
from sspinn_opensim.opensim_io.tables.motion_files import force_columns, moment_columns


@dataclass(frozen=True)
class Channels:
    """What the three tables of an estimate hold; all in SI units, angles in rad.

    Attributes
    ----------
    coordinates, moments, forces : tuple of str
        Names as in `kinematics.mot`, `moments.sto` and `grf.mot`.
    motions : tuple of str
        ``rotational``, ``translational`` or ``coupled`` for each coordinate.
    units : tuple of 3 tuple of str
        Of each channel of the three.
    muscles, actuators : tuple of str
        Muscles, and the reserves and other actuators beside them, where muscle forces are estimated.
    actuator_units : tuple of str
        ``N m`` or ``N``.
    """

    coordinates: tuple[str, ...]
    moments: tuple[str, ...]
    forces: tuple[str, ...]
    motions: tuple[str, ...]
    units: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    muscles: tuple[str, ...] = ()
    actuators: tuple[str, ...] = ()
    actuator_units: tuple[str, ...] = ()

    @property
    def degrees_per_unit(self) -> np.ndarray:
        """Factor of each coordinate for OpenSim's files."""
        return np.array([np.rad2deg(1.0) if motion == "rotational" else 1.0 for motion in self.motions])


def channels_of_estimate(
    coordinates: Sequence[str], motions: Sequence[str], actuated: Sequence[str], feet: Sequence[str]
) -> Channels:
    """Return the channels of the estimates of a person.

    Parameters
    ----------
    motions : sequence of str
        Of each coordinate.
    actuated : sequence of str
        Coordinates with a joint moment.
    feet : sequence of str
        Bodies with a ground force.
    """
    motion = dict(zip(coordinates, motions, strict=True))
    turns = [motion[name] == "rotational" for name in coordinates]
    drives = [motion[name] for name in actuated]
    forces = tuple(prefix + axis for foot in feet for prefix in force_columns(foot) for axis in "xyz")
    return Channels(
        tuple(coordinates),
        moment_columns(actuated, drives),
        forces,
        tuple(motions),
        (
            tuple("rad" if turn else "m" for turn in turns),
            tuple("N m" if kind == "rotational" else "N" for kind in drives),
            tuple(unit for _ in feet for unit in ("N", "m", "N m") for _ in "xyz"),
        ),
    )


def numbers_of(estimate: FrameEstimate) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coordinates, moments and ground forces of a frame in the order of the channels."""
    ground = estimate.ground
    return estimate.q, estimate.moments, np.hstack([ground.force, ground.point, ground.torque]).ravel()
