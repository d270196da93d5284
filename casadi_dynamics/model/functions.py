"""The scalar functions that OpenSim joints and couplers are made of, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Constant:
    """f(x) = value."""

    value: float


@dataclass(frozen=True)
class Linear:
    """f(x) = slope x + intercept."""

    slope: float
    intercept: float


@dataclass(frozen=True)
class Polynomial:
    """f(x) with `coefficients` from the highest power to the constant, as OpenSim writes them."""

    coefficients: tuple[float, ...]


@dataclass(frozen=True)
class Sine:
    """f(x) = amplitude sin(omega x + phase) + offset."""

    amplitude: float
    omega: float
    phase: float
    offset: float


@dataclass(frozen=True)
class Step:
    """Rise from `before` left of `start` to `after` right of `end`, by Simbody's quintic in between."""

    start: float
    end: float
    before: float
    after: float


@dataclass(frozen=True)
class PiecewiseLinear:
    """Straight lines through the points (x, y), the first and last continued outside."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class SimmSpline:
    """Cubic spline through (x, y) with Forsythe's end conditions, continued as a straight line outside."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class NaturalSpline:
    """OpenSim's `GCVSpline` without smoothing: the natural spline through (x, y).

    Its degree is 2 `half_order` - 1, and `half_order` - 1 outside the points.
    """

    half_order: int
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class MultivariatePolynomial:
    """f(x1, ..., xn), n = `dimension` of 2 or more: every product of powers that sum up to `order` at most.

    `coefficients` stand in the order of `exponents`, as OpenSim writes them.
    """

    dimension: int
    order: int
    coefficients: tuple[float, ...]

    @property
    def exponents(self) -> list[tuple[int, ...]]:
        """Powers of x1 to xn in each product; those of the last variable rise first."""
        powers = product(range(self.order + 1), repeat=self.dimension)
        return [each for each in powers if sum(each) <= self.order]


@dataclass(frozen=True)
class Multiplier:
    """f(x) = scale * function(x)."""

    scale: float
    function: Function


Function = (
    Constant
    | Linear
    | Polynomial
    | Sine
    | Step
    | PiecewiseLinear
    | SimmSpline
    | NaturalSpline
    | MultivariatePolynomial
    | Multiplier
)
