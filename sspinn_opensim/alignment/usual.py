"""The usual gait and the usual posture of people: how segments lean, and how they swing over a stride.

Curves are harmonics of the stride in the axes of the segment (x forward, y up, z right), on a phase that all
segments share. They belong to the right leg; the left one is its mirror image half a stride later.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import numpy as np

from sspinn_opensim.anatomy import MIDDLE

#: Segment, and side: ``left``, ``right`` or nothing.
Site = tuple[str, str]

#: What makes deviations of rates and of forces comparable, rad/s and m/s^2.
UNITS: Mapping[str, float] = {"rate": 0.3, "force": 1.5}
#: Angular rate and specific force seen in a mirror between left and right.
_MIRROR = {"rate": np.array([-1.0, -1.0, 1.0]), "force": np.array([1.0, 1.0, -1.0])}


@dataclass(frozen=True)
class Lean:
    """How a segment leans against the vertical: mean and standard deviation over people, degrees.

    Attributes
    ----------
    forward : float
        Of the top of the segment against its lower end.
    outward : float
        Of the top away from the middle of the body; for the pelvis and the trunk to the right.
    forward_sd, outward_sd : float
        Deviations from person to person.
    """

    forward: float
    outward: float
    forward_sd: float
    outward_sd: float

    def up(self, side: str) -> np.ndarray:
        """Return the direction of up in the axes of a segment that leans so, (3,)."""
        out = np.radians(self.outward) * (-1.0 if side == "left" else 1.0)
        ahead = np.radians(self.forward)
        up = np.array([-np.tan(ahead), 1.0, -np.tan(out)])
        return up / np.linalg.norm(up)


#: Inclination of the segments in usual quiet standing. Means and deviations of nine adults (18 legs) in the
#: static trials of Schreiber and Moissenet 2019 (Sci Data 6:111), in the axes of their scaled models,
#: rounded; the deviations are widened to 3.5 degrees, as models and markers differ, and those of pelvis and
#: trunk, whose zero is a convention, are as wide as they came out (pelvis) or 6 degrees (trunk).
QUIET_STANDING: Mapping[str, Lean] = {
    "pelvis": Lean(4.0, 0.0, 9.0, 3.0),
    "trunk": Lean(9.0, 0.0, 6.0, 3.0),
    "thigh": Lean(2.0, -3.0, 3.5, 3.5),
    "shank": Lean(5.5, -3.0, 3.5, 3.5),
    "foot": Lean(2.5, -3.0, 3.5, 4.0),
}


#: Standing as the model does when all its coordinates are zero, as well as people can.
UPRIGHT: Mapping[str, Lean] = {
    segment: Lean(0.0, 0.0, 3.0, 3.0) for segment in ("pelvis", "trunk", "thigh", "shank", "foot")
}


@dataclass(frozen=True, eq=False)
class Curves:
    """The usual movement of one segment in one kind of gait, of the right side.

    Attributes
    ----------
    lean : Lean
        Mean inclination over the stride.
    lean_per_size : float
        By how much more it leans forward in movement that is larger by one than the usual one, degrees.
    rate, force : (h, 3) complex array
        Harmonics of angular rate (rad/s) and specific force (m/s^2).
    rate_sd, force_sd : (h,) array
        Deviation from person to person, root mean square over the axes.
    """

    lean: Lean
    lean_per_size: float
    rate: np.ndarray
    force: np.ndarray
    rate_sd: np.ndarray
    force_sd: np.ndarray

    def lean_at(self, size: float) -> Lean:
        """Return the inclination in movement of a size by `size_of`, 1 for the usual one."""
        return replace(self.lean, forward=self.lean.forward + self.lean_per_size * (size - 1.0))

    def signal(self, kind: str, side: str) -> np.ndarray:
        """Return the harmonics of ``rate`` or ``force`` for a side."""
        own = getattr(self, kind)
        return mirrored(own, kind) if side == "left" else own


@dataclass(frozen=True, eq=False)
class UsualGait:
    """The usual movement of all segments in one kind of gait.

    Attributes
    ----------
    name : str
        ``walking`` or ``running``.
    segments : mapping of str to Curves
        By name of the segment, as in `sspinn_opensim.anatomy.WORDS`.
    """

    name: str
    segments: Mapping[str, Curves]


def mirrored(harmonics: np.ndarray, kind: str) -> np.ndarray:
    """Return the harmonics (h, 3) of the other side: seen in a mirror, half a stride later."""
    order = np.arange(1, len(harmonics) + 1)[:, None]
    return harmonics * _MIRROR[kind] * np.exp(-1j * np.pi * order)


def size_of(harmonics: Iterable[tuple[str, np.ndarray]]) -> float:
    """Return the size of a movement: the root of all its squares.

    Parameters
    ----------
    harmonics : iterable of (str, (h, 3) complex array)
        Of ``rate`` or ``force``, of all segments.
    """
    return float(np.sqrt(sum((np.abs(own) ** 2).sum() / UNITS[kind] ** 2 for kind, own in harmonics)))


@functools.cache
def usual_gaits() -> tuple[UsualGait, ...]:
    """Return the kinds of gait that are known, from ``usual_gait.json``, which says where they come from."""
    text = resources.files("sspinn_opensim.alignment").joinpath("usual_gait.json").read_text(encoding="utf-8")
    return tuple(gait_of(name, entry) for name, entry in json.loads(text)["gaits"].items())


def gait_of(name: str, entry: Mapping[str, Any]) -> UsualGait:
    """Return a gait from its entry in the file."""
    segments = {}
    for segment, values in entry.items():
        forward, forward_sd, outward, outward_sd, per_size = values["lean_deg"]
        signals = {
            kind: np.array(values[kind])[..., 0] + 1j * np.array(values[kind])[..., 1] for kind in _MIRROR
        }
        segments[segment] = Curves(
            lean=Lean(forward, outward, forward_sd, outward_sd),
            lean_per_size=per_size,
            rate_sd=np.array(values["rate_sd"]),
            force_sd=np.array(values["force_sd"]),
            **signals,
        )
    return UsualGait(name, segments)


def sites_of(gait: UsualGait) -> tuple[Site, ...]:
    """Return segment and side of every place a sensor may be recognised at."""
    return tuple(
        (segment, side)
        for segment in gait.segments
        for side in (("",) if segment in MIDDLE else ("right", "left"))
    )
