"""Bounds of values, given with their types: ``Annotated[float, Bounds(0.0)]``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated


@dataclass(frozen=True)
class Bounds:
    """Closed interval a number must lie in; `low` itself is excluded if `open_low`."""

    low: float
    high: float = math.inf
    hint: str = ""
    open_low: bool = False

    def holds(self, value: float) -> bool:
        """Say whether `value` lies inside."""
        return (value > self.low if self.open_low else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"a number {'above' if self.open_low else 'not below'} {self.low:g}"
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
Positive = Annotated[float, Bounds(0.0, open_low=True)]
NonNegative = Annotated[float, Bounds(0.0)]
Count = Annotated[int, Bounds(1)]
CountOrNone = Annotated[int, Bounds(0)]
Seed = Annotated[int, Bounds(0)]
# From a small child to a very tall or heavy adult: outside, the unit is wrong.
HEIGHT = Bounds(0.5, 2.5, "give the height in metres")
MASS = Bounds(10.0, 300.0, "give the mass in kilograms")
Height = Annotated[float, HEIGHT]
Mass = Annotated[float, MASS]
Rate = Annotated[float, Bounds(20.0, 10_000.0, "give the rate in samples a second; walking needs about 100")]
Vector = tuple[float, float, float]
Names = tuple[str, str, str]
