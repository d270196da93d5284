"""Shared parts of all surfaces: ends of a wrap, selections, signs, unit vectors without division by zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

import casadi as ca

#: What became of a line and a surface, as OpenSim counts it: no wrap; an end within the surface; a wrap that
#: competes with those of other segments; a wrap of the first segment that meets the surface, which is taken.
NO_WRAP, INSIDE, WRAPPED, MANDATORY = range(4)
_TINY = 1e-100

Expression = TypeVar("Expression", ca.SX, ca.MX)


@dataclass(frozen=True)
class Wrapping:
    """How a line from one point to another wraps around a surface.

    Attributes
    ----------
    action : SX
        `NO_WRAP`, `INSIDE`, `WRAPPED` or `MANDATORY`.
    found : SX
        Whether the line wraps; the rest counts only then.
    start, end : (3,) SX
        Where it meets the surface and where it leaves, m.
    length : SX
        Of the part on the surface, m.
    """

    action: ca.SX
    found: ca.SX
    start: ca.SX
    end: ca.SX
    length: ca.SX

    @property
    def parts(self) -> list[ca.SX]:
        """All of it, in the order of the fields."""
        return [self.action, self.found, self.start, self.end, self.length]


def every(*conditions: Any) -> Any:
    """Return whether all conditions hold."""
    return reduce(ca.logic_and, conditions)


def either(*conditions: Any) -> Any:
    """Return whether one of the conditions holds."""
    return reduce(ca.logic_or, conditions)


def pick(index: ca.SX, choices: Sequence[ca.SX]) -> ca.SX:
    """Return the choice at an index that is an expression."""
    chosen = choices[0]
    for i, choice in enumerate(choices[1:], 1):
        chosen = ca.if_else(index == i, choice, chosen)
    return chosen


def unit(vector: Expression) -> Expression:
    """Return a vector over its length; the zero vector stays zero."""
    return vector / ca.fmax(ca.norm_2(vector), _TINY)


def real_root(square: ca.SX) -> tuple[ca.SX, ca.SX]:
    """Return whether a number has a root, and the root; where it has none, a number whose slope is one."""
    real = square >= 0
    return real, ca.sqrt(ca.if_else(real, square, 1))


def on_side(point: Expression, quadrant: str) -> Expression:
    """Return whether a point is on the side of a quadrant such as '-x'; a zero counts as positive."""
    positive = point["xyz".index(quadrant[1])] >= 0
    return positive if quadrant[0] == "+" else ca.logic_not(positive)


def across(vector: ca.SX) -> ca.SX:
    """Return the first two entries turned by a quarter, in the plane across the z axis."""
    return ca.vertcat(-vector[1], vector[0])
