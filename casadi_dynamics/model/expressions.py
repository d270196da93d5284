"""Formulas that a model file writes as text, as trees of plain numbers and names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expression:
    """A number, a variable, or an operation on other expressions.

    Attributes
    ----------
    operation : str
        'number', 'variable', one of ``+ - * / ^``, 'negative', or the name of a function such as 'exp'.
    value : float or str
        Of a number; name of a variable; else nothing.
    """

    operation: str
    value: float | str = ""
    operands: tuple[Expression, ...] = ()
