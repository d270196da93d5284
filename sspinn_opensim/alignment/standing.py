"""Quiet standing in a recording: the direction of up along the axes of each sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sspinn_opensim.alignment.strides import middle_direction
from sspinn_opensim.recording.movement.phases import Phase
from sspinn_opensim.recording.signals.magnitude import magnitudes

#: The ends of a phase are known to about this, s, and are left out, but no more than a quarter at each.
_EDGE_S = 0.25


@dataclass(frozen=True, eq=False)
class Standing:
    """What a part of standing tells of k sensors, along the sensors' own axes.

    Attributes
    ----------
    from_s, to_s : float
        Where it was taken.
    up : (k, 3) array
        Direction of up.
    gravity : (k,) array
        Mean magnitude of the specific force, m/s^2.
    """

    from_s: float
    to_s: float
    up: np.ndarray
    gravity: np.ndarray


def find_standing(
    time_s: np.ndarray,
    acceleration: np.ndarray,
    phases: Sequence[Phase],
    stated_s: Sequence[tuple[float, float]] = (),
    usable: np.ndarray | None = None,
) -> tuple[Standing, ...]:
    """Return the parts in which the person stands still, as stated, else as found; the longest first.

    Parameters
    ----------
    time_s : (n,) array
    acceleration : (n, k, 3) array
        Specific force, m/s^2.
    phases : sequence of Phase
        What the person does.
    stated_s : sequence of (float, float)
        Start and end of standing that the user knows of, s.
    usable : (n,) array of bool, optional
        False where nothing may be taken from; default: nowhere.
    """
    parts = list(stated_s)
    if not parts:
        for phase in phases:
            if phase.kind == "standing":
                edge = min(_EDGE_S, phase.duration_s / 4)
                parts.append((phase.from_s + edge, phase.to_s - edge))
    good = np.ones(len(time_s), bool) if usable is None else usable
    found = []
    for from_s, to_s in sorted(parts, key=lambda part: part[0] - part[1]):
        chosen = acceleration[good & (time_s >= from_s) & (time_s <= to_s)]
        if len(chosen):
            gravity = magnitudes(chosen).mean(axis=0)
            found.append(Standing(from_s, to_s, middle_direction(chosen), gravity))
    return tuple(found)
