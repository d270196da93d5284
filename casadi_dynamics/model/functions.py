"""The scalar functions that OpenSim joints are made of, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass


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
class SimmSpline:
    """Cubic spline through (x, y) with Forsythe's end conditions, continued as a straight line outside."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Multiplier:
    """f(x) = scale * function(x)."""

    scale: float
    function: Function


Function = Constant | Linear | Polynomial | SimmSpline | Multiplier
