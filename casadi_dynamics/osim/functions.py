"""OpenSim function elements as plain numbers."""

from __future__ import annotations

from itertools import pairwise
from math import comb

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.functions import (
    Constant,
    Function,
    Linear,
    Multiplier,
    MultivariatePolynomial,
    NaturalSpline,
    PiecewiseLinear,
    Polynomial,
    SimmSpline,
    Sine,
    Step,
)
from casadi_dynamics.osim.support import SUPPORTED_FUNCTIONS, advice
from casadi_dynamics.osim.xml import Element


def read_function(item: Element, arguments: int = 1) -> Function:
    """Return a function element as one of the functions of `casadi_dynamics.model.functions`.

    Parameters
    ----------
    arguments : int
        How many variables the function is given.

    Raises
    ------
    InputError
        If the class is not supported or of another number of variables, or its numbers are not those of a
        function.
    """
    if item.tag not in SUPPORTED_FUNCTIONS:
        raise item.refusal(advice(item.tag))
    if item.tag == "MultiplierFunction":
        scaled = only_function(item, item.children("function"), arguments)
        return Multiplier(item.number("scale", 1.0), scaled)
    if item.tag == "MultivariatePolynomialFunction":
        return _multivariate(item, arguments)
    return _READERS[item.tag](item) if arguments == 1 else _of_several(item, arguments)


def constant_value(function: Function) -> float | None:
    """Return the value of a function that has one only, else None."""
    if isinstance(function, Constant):
        return function.value
    if isinstance(function, Multiplier):
        inner = constant_value(function.function)
        return None if inner is None else function.scale * inner
    if isinstance(function, Linear):
        return None if function.slope else function.intercept
    return None


def only_function(item: Element, functions: list[Element], arguments: int = 1) -> Function:
    """Return the function of an element that must have exactly one; `functions` are those it has."""
    if len(functions) != 1:
        fix = (
            "leave the one that is meant; OpenSim takes the first" if functions else "write it into the file"
        )
        raise item.error(
            f"{item} needs exactly one function.",
            expected="one function",
            found=", ".join(f.tag for f in functions) or "none",
            fix=fix,
        )
    return read_function(functions[0], arguments)


def _constant(item: Element) -> Constant:
    return Constant(item.number("value", 0.0))


def _linear(item: Element) -> Linear:
    return Linear(*item.numbers("coefficients", 2, default=(1.0, 0.0)))


def _polynomial(item: Element) -> Polynomial:
    return Polynomial(item.numbers("coefficients", None))


def _sine(item: Element) -> Sine:
    defaults = {"amplitude": 1.0, "omega": 1.0, "phase": 0.0, "offset": 0.0}
    return Sine(**{name: item.number(name, default) for name, default in defaults.items()})


def _step(item: Element) -> Step:
    start = item.number("transition_start_time", 0.99)
    end = item.number("transition_end_time", 1.01)
    if not start < end:
        raise _not_a_function(item, "a start before the end", f"start {start}, end {end}")
    before, after = item.number("start_value", 0.0), item.number("end_value", 1.0)
    return Step(start, end, before, after)


def _piecewise_linear(item: Element) -> PiecewiseLinear:
    return PiecewiseLinear(*_points(item, 2))


def _simm_spline(item: Element) -> SimmSpline:
    return SimmSpline(*_points(item, 2))


def _natural_spline(item: Element) -> NaturalSpline:
    half_order = item.number("half_order", 0.0)
    if half_order not in (1, 2, 3, 4):
        raise _not_a_function(item, "<half_order> 1, 2, 3 or 4", f"{half_order:g}")
    if item.number("error_variance", 0.0) != 0:
        raise item.refusal("set <error_variance> to 0, so that the spline passes through its points")
    return NaturalSpline(int(half_order), *_points(item, 2 * int(half_order)))


def _multivariate(item: Element, arguments: int) -> Polynomial | MultivariatePolynomial:
    dimension, order = item.number("dimension", 0.0), item.number("order", 0.0)
    coefficients = item.numbers("coefficients", None)
    if dimension != arguments:
        raise _not_a_function(item, f"<dimension> {arguments}, of as many coordinates", f"{dimension:g}")
    if order < 0 or order % 1 or len(coefficients) != comb(arguments + int(order), arguments):
        expected = "a whole <order>, and a coefficient for each product of powers up to it"
        raise _not_a_function(item, expected, f"order {order:g} and {len(coefficients)} coefficients")
    if arguments == 1:
        return Polynomial(coefficients[::-1])
    return MultivariatePolynomial(arguments, int(order), coefficients)


def _of_several(item: Element, arguments: int) -> MultivariatePolynomial:
    """Return a function of several variables of a class that is also of one."""
    if item.tag == "LinearFunction":  # the slopes, then the constant: from behind the order of a polynomial
        return MultivariatePolynomial(arguments, 1, item.numbers("coefficients", arguments + 1)[::-1])
    raise item.refusal(
        f"it is of one coordinate, and {arguments} are given, where OpenSim goes wrong without a word; use a "
        "MultivariatePolynomialFunction or a LinearFunction"
    )


_READERS = {
    "Constant": _constant,
    "LinearFunction": _linear,
    "PolynomialFunction": _polynomial,
    "Sine": _sine,
    "StepFunction": _step,
    "PiecewiseLinearFunction": _piecewise_linear,
    "SimmSpline": _simm_spline,
    "GCVSpline": _natural_spline,
}


def _points(item: Element, fewest: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    x, y = item.numbers("x", None), item.numbers("y", None)
    rising = all(a < b for a, b in pairwise(x))
    if len(x) != len(y) or len(x) < fewest or not rising:
        found = f"{len(x)} x and {len(y)} y" + ("" if rising else ", x not rising")
        raise _not_a_function(item, f"as many x as y, {fewest} or more, x rising", found)
    return x, y


def _not_a_function(item: Element, expected: str, found: str) -> InputError:
    return item.error(
        f"{item} is not a function.",
        expected=expected,
        found=found,
        fix="correct the numbers in the model file",
    )
