"""OpenSim function elements as plain numbers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.functions import (
    Constant,
    Function,
    Linear,
    Multiplier,
    NaturalSpline,
    PiecewiseLinear,
    Polynomial,
    SimmSpline,
    Sine,
    Step,
)
from casadi_dynamics.osim.support import SUPPORTED_FUNCTIONS, advice
from casadi_dynamics.osim.xml import children, locate, number, numbers, refuse


def read_function(path: Path, item) -> Function:
    """Return a function element as one of the functions of `casadi_dynamics.model.functions`.

    Raises
    ------
    InputError
        If the class is not supported, or its numbers are not those of a function.
    """
    if item.tag not in SUPPORTED_FUNCTIONS:
        raise refuse(path, item, advice(item.tag))
    return _READERS[item.tag](path, item)


def _constant(path: Path, item) -> Constant:
    return Constant(number(path, item, "value", 0.0))


def _linear(path: Path, item) -> Linear:
    return Linear(*numbers(path, item, "coefficients", 2, default=(1.0, 0.0)))


def _polynomial(path: Path, item) -> Polynomial:
    return Polynomial(numbers(path, item, "coefficients", None))


def _sine(path: Path, item) -> Sine:
    defaults = {"amplitude": 1.0, "omega": 1.0, "phase": 0.0, "offset": 0.0}
    return Sine(**{name: number(path, item, name, default) for name, default in defaults.items()})


def _step(path: Path, item) -> Step:
    start = number(path, item, "transition_start_time", 0.99)
    end = number(path, item, "transition_end_time", 1.01)
    if not start < end:
        raise _not_a_function(path, item, "a start before the end", f"start {start}, end {end}")
    before, after = number(path, item, "start_value", 0.0), number(path, item, "end_value", 1.0)
    return Step(start, end, before, after)


def _piecewise_linear(path: Path, item) -> PiecewiseLinear:
    return PiecewiseLinear(*_points(path, item, 2))


def _simm_spline(path: Path, item) -> SimmSpline:
    return SimmSpline(*_points(path, item, 2))


def _natural_spline(path: Path, item) -> NaturalSpline:
    half_order = number(path, item, "half_order", 0.0)
    if half_order not in (1, 2, 3, 4):
        raise _not_a_function(path, item, "<half_order> 1, 2, 3 or 4", f"{half_order:g}")
    if number(path, item, "error_variance", 0.0) != 0:
        raise refuse(path, item, "set <error_variance> to 0, so that the spline passes through its points")
    return NaturalSpline(int(half_order), *_points(path, item, 2 * int(half_order)))


def _multiplier(path: Path, item) -> Multiplier:
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


_READERS = {
    "Constant": _constant,
    "LinearFunction": _linear,
    "PolynomialFunction": _polynomial,
    "Sine": _sine,
    "StepFunction": _step,
    "PiecewiseLinearFunction": _piecewise_linear,
    "SimmSpline": _simm_spline,
    "GCVSpline": _natural_spline,
    "MultiplierFunction": _multiplier,
}


def _points(path: Path, item, fewest: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    x, y = numbers(path, item, "x", None), numbers(path, item, "y", None)
    rising = all(a < b for a, b in pairwise(x))
    if len(x) != len(y) or len(x) < fewest or not rising:
        found = f"{len(x)} x and {len(y)} y" + ("" if rising else ", x not rising")
        raise _not_a_function(path, item, f"as many x as y, {fewest} or more, x rising", found)
    return x, y


def _not_a_function(path: Path, item, expected: str, found: str) -> InputError:
    return InputError(
        f"{item.tag} '{item.get('name', '')}' is not a function.",
        where=locate(path, item),
        expected=expected,
        found=found,
        fix="correct the numbers in the model file",
    )
