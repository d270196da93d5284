"""OpenSim function elements as plain numbers."""

from __future__ import annotations

from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.functions import Constant, Function, Linear, Multiplier, Polynomial, SimmSpline
from casadi_dynamics.osim.support import SUPPORTED_FUNCTIONS, advice
from casadi_dynamics.osim.xml import children, locate, number, numbers, refuse


def read_function(path: Path, item) -> Function:
    """Return a function element as one of the functions of `casadi_dynamics.model.functions`."""
    if item.tag not in SUPPORTED_FUNCTIONS:
        raise refuse(path, item, advice(item.tag))
    if item.tag == "Constant":
        return Constant(number(path, item, "value", 0.0))
    if item.tag == "LinearFunction":
        return Linear(*numbers(path, item, "coefficients", 2, default=(1.0, 0.0)))
    if item.tag == "PolynomialFunction":
        return Polynomial(numbers(path, item, "coefficients", None))
    if item.tag == "SimmSpline":
        return _simm_spline(path, item)
    inner = children(item, "function")
    if len(inner) != 1:
        raise InputError(
            f"MultiplierFunction '{item.get('name', '')}' needs exactly one function.",
            where=locate(path, item),
            expected="one function",
            found=str(len(inner)),
            fix="open the model in OpenSim and save it again",
        )
    return Multiplier(number(path, item, "scale", 1.0), read_function(path, inner[0]))


def _simm_spline(path: Path, item) -> SimmSpline:
    x, y = numbers(path, item, "x", None), numbers(path, item, "y", None)
    rising = all(a < b for a, b in zip(x, x[1:], strict=False))
    if len(x) != len(y) or len(x) < 2 or not rising:
        raise InputError(
            f"SimmSpline '{item.get('name', '')}' is not a function.",
            where=locate(path, item),
            expected="as many x as y, two or more, x rising",
            found=f"{len(x)} x and {len(y)} y" + ("" if rising else ", x not rising"),
            fix="correct the points in the model file",
        )
    return SimmSpline(x, y)
