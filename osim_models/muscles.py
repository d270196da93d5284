"""Parameters of the lumped muscles, computed from the published members.

Each member is first referred to the common line of action: with a moment arm r times that of the line, its
force counts r times and its fibre is as if 1/r times as long, which keeps its moment, its power and how far a
joint angle moves it along its force-length curve. Then forces add up; optimal fibre length, pennation and
normalized fibre length are means weighted by force, fibre lengths scaled by height from the source's
person to ours. The tendon is then as long as
it must be for the fibre to have the published normalized length when our model stands upright with all
joint angles zero, the tendon at its slack length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from osim_models import geometry, tables

#: Lengths are rounded to 0.01 mm, forces to 0.1 N, angles to 1e-4 rad: beyond what the sources know.
_LENGTH_DECIMALS, _FORCE_DECIMALS, _ANGLE_DECIMALS = 5, 1, 4


@dataclass(frozen=True)
class LumpedMuscle:
    """A muscle of the right leg: path in our body frames (m), force (N), lengths (m), pennation (rad)."""

    name: str
    path: tuple[geometry.Point, ...]
    max_isometric_force: float
    optimal_fiber_length: float
    tendon_slack_length: float
    pennation_angle_at_optimal: float


def muscles() -> tuple[LumpedMuscle, ...]:
    """Return the nine muscles of the right leg."""
    paths = geometry.paths()
    return tuple(_muscle(name, members, paths[name]) for name, members in tables.MUSCLES.items())


def _muscle(
    name: str, members: tuple[tables.MuscleMember, ...], path: tuple[geometry.Point, ...]
) -> LumpedMuscle:
    forces = np.array([member.max_isometric_force * member.arm_ratio for member in members])

    def mean(values: Sequence[float]) -> float:
        return float(forces @ np.array(values) / forces.sum())

    height = tables.GENERIC_HEIGHT_M
    scaled = [member.optimal_fiber_length * height / member.height_m for member in members]
    referred = [length / member.arm_ratio for length, member in zip(scaled, members, strict=True)]
    fiber = round(mean(referred), _LENGTH_DECIMALS)
    pennation = round(mean([member.pennation_angle_at_optimal for member in members]), _ANGLE_DECIMALS)
    upright = fiber * mean([member.normalized_fiber_length_upright for member in members])
    # the fibre's thickness is constant: its projection across the tendon stays that of the optimal length
    along_tendon = np.sqrt(upright**2 - (fiber * np.sin(pennation)) ** 2)
    tendon = float(np.real(geometry.length(path, {}))) - float(along_tendon)
    return LumpedMuscle(
        name=name,
        path=path,
        max_isometric_force=round(float(forces.sum()), _FORCE_DECIMALS),
        optimal_fiber_length=fiber,
        tendon_slack_length=round(tendon, _LENGTH_DECIMALS),
        pennation_angle_at_optimal=pennation,
    )
