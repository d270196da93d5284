"""The numbers with which sine and cosine are computed: parts of pi / 2, and coefficients of polynomials."""

from __future__ import annotations

import ctypes
import math
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache

#: pi / 2 to more digits than three doubles hold (OEIS A019669).
_HALF_PI = Decimal("1.5707963267948966192313216916397514420985846996875529104874722961539082031431")
#: Beyond these angles (rad) the reduction is no longer exact, and the C library is called.
LARGEST_ANGLE = {"double": 1e9, "float": 1e5}
#: Coefficients of a polynomial whose error is far below the last bit up to pi / 4.
_TERMS = {"double": 6, "float": 4}


def half_pi_parts(scalar: str) -> list[float]:
    """Return three numbers of the given precision whose sum is pi / 2."""
    parts = []
    with localcontext(prec=80):
        rest = _HALF_PI
        for _ in range(3):
            parts.append(float(rest) if scalar == "double" else ctypes.c_float(float(rest)).value)
            rest -= Decimal(parts[-1])
    return parts


def sine_tail(scalar: str) -> list[float]:
    """Return c of sin(x) = x + x^3 (c[0] + c[1] x^2 + ...) for |x| <= pi / 4."""
    return _polynomial(first=3, terms=_TERMS[scalar])


def cosine_series(scalar: str) -> list[float]:
    """Return c of cos(x) = c[0] + c[1] x^2 + ... for |x| <= pi / 4."""
    return [1.0, -0.5, *_polynomial(first=4, terms=_TERMS[scalar])]


@cache
def _polynomial(first: int, terms: int) -> list[float]:
    """Interpolate the series of Taylor from power `first` on, over x^first, at Chebyshev's points.

    That spreads the error evenly, so that fewer terms will do than the series of Taylor itself takes.
    """
    end = Fraction(math.pi**2 / 16)
    points = [end * Fraction((1 + math.cos((2 * k + 1) * math.pi / (2 * terms))) / 2) for k in range(terms)]
    # Newton's divided differences, exactly; then from powers of (t - point) to powers of t.
    differences = [_rest(first, t) for t in points]
    for step in range(1, terms):
        for k in reversed(range(step, terms)):
            differences[k] = (differences[k] - differences[k - 1]) / (points[k] - points[k - step])
    coefficients: list[Fraction] = []
    for difference, point in zip(reversed(differences), reversed(points), strict=True):
        shifted, scaled = [Fraction(0), *coefficients], [*(-point * c for c in coefficients), Fraction(0)]
        coefficients = [a + b for a, b in zip(shifted, scaled, strict=True)]
        coefficients[0] += difference
    return [float(c) for c in coefficients]


def _rest(first: int, t: Fraction) -> Fraction:
    """Return the sum over k of (-1)^j t^k / (first + 2 k)!, with the signs of sine and cosine."""
    powers = range(first, first + 40, 2)
    return sum(((-1) ** (n // 2) * t ** ((n - first) // 2) / math.factorial(n) for n in powers), Fraction(0))
