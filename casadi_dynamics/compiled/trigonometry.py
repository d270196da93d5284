"""Sine and cosine of a vector of angles at once; the C library would take one lane at a time."""

from __future__ import annotations

import ctypes
import math
from decimal import Decimal, localcontext

from casadi_dynamics.compiled.vectors import VectorText

#: pi / 2 to more digits than three doubles hold (OEIS A019669).
_HALF_PI = Decimal("1.5707963267948966192313216916397514420985846996875529104874722961539082031431")
#: Beyond these angles the reduction is no longer exact, and the C library is called.
_LARGEST_ANGLE = {"double": 1e9, "float": 1e5}
#: Terms of the series of Taylor after which the rest is far below the last bit at pi / 4.
_TERMS = {"double": 9, "float": 6}


def sine_cosine(lanes: int, scalar: str) -> tuple[str, set[str]]:
    """Return an LLVM function `@sincos` from angles (rad) to the pair of their sines and cosines.

    An angle is brought to [-pi/4, pi/4] by taking off a multiple of pi/2 that is split into three numbers
    (Cody and Waite, "Software Manual for the Elementary Functions", 1980); with fused multiply-add the first
    difference is exact. There the series of Taylor converge fast.

    Parameters
    ----------
    lanes : int
    scalar : str
        'double' or 'float'.

    Returns
    -------
    tuple of str and set of str
        The function, and the declarations that it needs.
    """
    text = VectorText(lanes, scalar)
    largest = text.splat(_LARGEST_ANGLE[scalar])
    too_large = text.compare("ogt", text.intrinsic("fabs", "%x"), largest)
    reduce = f"@llvm.vector.reduce.or.v{lanes}i1"
    text.declarations.add(f"declare i1 {reduce}({text.mask})")
    any_too_large = text.assign(f"call i1 {reduce}({text.mask} {too_large})")
    entry = text.take()
    _return(text, *_polynomials(text))
    fast = text.take()
    _return(text, text.library("sin", "%x"), text.library("cos", "%x"))
    exact = text.take()
    return (
        f"""
define internal {{ {text.vector}, {text.vector} }} @sincos({text.vector} %x) {{
entry:
  {entry}
  br i1 {any_too_large}, label %exact, label %fast
fast:
  {fast}
exact:
  {exact}
}}
""",
        text.declarations,
    )


def _polynomials(text: VectorText) -> tuple[str, str]:
    quadrant = text.intrinsic("rint", text.binary("fmul", "%x", text.splat(2 / math.pi)))
    back = text.assign(f"fneg {text.vector} {quadrant}")
    angle = "%x"
    for part in _split_half_pi(text.scalar):
        angle = text.intrinsic("fma", back, text.splat(part), angle)
    square = text.binary("fmul", angle, angle)
    terms = range(_TERMS[text.scalar])
    tail = _series(text, square, [(-1) ** k / math.factorial(2 * k + 1) for k in terms[1:]])
    sine = text.intrinsic("fma", text.binary("fmul", square, angle), tail, angle)
    cosine = _series(text, square, [(-1) ** k / math.factorial(2 * k) for k in terms])
    # Odd quadrants swap the two; the upper half of the four quadrants turns the signs.
    swap, pairs = _odd(text, quadrant)
    flip, _ = _odd(text, pairs)
    flip_cosine = text.assign(f"xor {text.mask} {swap}, {flip}")
    return (
        _signed(text, flip, text.select(swap, cosine, sine)),
        _signed(text, flip_cosine, text.select(swap, sine, cosine)),
    )


def _split_half_pi(scalar: str) -> list[float]:
    """Return three numbers of the given precision whose sum is pi / 2."""
    parts = []
    with localcontext(prec=80):
        rest = _HALF_PI
        for _ in range(3):
            parts.append(float(rest) if scalar == "double" else ctypes.c_float(float(rest)).value)
            rest -= Decimal(parts[-1])
    return parts


def _series(text: VectorText, square: str, coefficients: list[float]) -> str:
    value = text.splat(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = text.intrinsic("fma", value, square, text.splat(coefficient))
    return value


def _odd(text: VectorText, whole: str) -> tuple[str, str]:
    """Return where whole numbers are odd, and their halves rounded down."""
    half = text.binary("fmul", whole, text.splat(0.5))
    below = text.intrinsic("floor", half)
    return text.compare("une", half, below), below


def _signed(text: VectorText, negative: str, value: str) -> str:
    return text.select(negative, text.assign(f"fneg {text.vector} {value}"), value)


def _return(text: VectorText, sine: str, cosine: str) -> None:
    pair = f"{{ {text.vector}, {text.vector} }}"
    half = text.assign(f"insertvalue {pair} undef, {text.vector} {sine}, 0")
    whole = text.assign(f"insertvalue {pair} {half}, {text.vector} {cosine}, 1")
    text.lines.append(f"ret {pair} {whole}")
