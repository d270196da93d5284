"""Bounds of values, given with their types: ``Annotated[float, Bounds(0.0)]``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated


@dataclass(frozen=True)
class Bounds:
    """Closed interval a number must lie in; `low` itself is excluded if `open_low`."""

    low: float
    high: float
    hint: str = ""
    open_low: bool = False

    def holds(self, value: float) -> bool:
        """Say whether `value` lies inside."""
        return (value > self.low if self.open_low else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        if self.open_low:
            return f"a number above {self.low:g}, at most {self.high:g}"
        return f"a number from {self.low:g} to {self.high:g}"


class OneOf(tuple[str, ...]):
    """Texts of which a value must be one, where a ``Literal`` cannot list them."""

    def __str__(self) -> str:
        return "one of " + ", ".join(f'"{text}"' for text in self)


class FoldersToo:
    """Marks a path that may be a folder."""

    def __str__(self) -> str:
        return "a path in quotes"


AnyPath = Annotated[Path, FoldersToo()]
#: No time, frequency, weight or number of steps is larger: beyond, a unit is wrong or a digit too many.
LARGEST = 1e7
Positive = Annotated[float, Bounds(0.0, LARGEST, open_low=True)]
NonNegative = Annotated[float, Bounds(0.0, LARGEST)]
Count = Annotated[int, Bounds(1, LARGEST)]
CountOrNone = Annotated[int, Bounds(0, LARGEST)]
Seed = Annotated[int, Bounds(0, 2**63 - 1)]
# From a small child to a very tall or heavy adult: outside, the unit is wrong.
HEIGHT = Bounds(0.5, 2.5, "give the height in metres")
MASS = Bounds(10.0, 300.0, "give the mass in kilograms")
Height = Annotated[float, HEIGHT]
Mass = Annotated[float, MASS]
RATE = Bounds(20.0, 10_000.0, "give the rate in samples a second; walking needs about 100")
Rate = Annotated[float, RATE]
# Faster than anyone has run (12.4 m/s).
SPEED = Bounds(0.0, 15.0, "give the speed in metres a second", open_low=True)
Speed = Annotated[float, SPEED]
#: No body of a person reaches farther from its joints, m.
FARTHEST_M = 1.5
Offset = Annotated[
    float, Bounds(-FARTHEST_M, FARTHEST_M, "give the place in metres, from the origin of the body")
]
Degrees = Annotated[float, Bounds(-360.0, 360.0, "give the angles in degrees")]
Place = tuple[Offset, Offset, Offset]
Angles = tuple[Degrees, Degrees, Degrees]
Names = tuple[str, str, str]
