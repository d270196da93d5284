"""Text formulas as CasADi expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import casadi as ca

from casadi_dynamics.model.expressions import Expression

_OPERATIONS: dict[str, Callable[..., ca.SX]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": lambda a, b: a**b,
    "negative": lambda a: -a,
    "square": lambda a: a * a,
    "cube": lambda a: a * a * a,
    "recip": lambda a: 1 / a,
    "abs": ca.fabs,
    "min": ca.fmin,
    "max": ca.fmax,
    **{
        name: getattr(ca, name)
        for name in "sqrt exp log sin cos tan asin acos atan sinh cosh tanh erf".split()
    },
}


def formula(expression: Expression, variables: Mapping[str, ca.SX]) -> ca.SX:
    """Return the value of a formula for the symbols of its variables."""
    if expression.operation == "number":
        return ca.SX(float(expression.value))
    if expression.operation == "variable":
        return variables[str(expression.value)]
    operands = (formula(operand, variables) for operand in expression.operands)
    return _OPERATIONS[expression.operation](*operands)
