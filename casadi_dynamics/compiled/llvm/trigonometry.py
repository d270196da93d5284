"""Sine and cosine of a vector of angles at once; the C library would take one lane at a time."""

from __future__ import annotations

import math

from casadi_dynamics.compiled.llvm.vectors import VectorText
from casadi_dynamics.compiled.series import LARGEST_ANGLE, cosine_series, half_pi_parts, sine_tail

#: Bits of the fraction of a number.
_FRACTION_BITS = {"double": 52, "float": 23}


def sine_cosine(lanes: int, scalar: str) -> tuple[str, set[str]]:
    """Return an LLVM function `@sincos` from angles (rad) to the pair of their sines and cosines.

    An angle is brought to [-pi/4, pi/4] by taking off a multiple of pi/2 that is split into three numbers
    (Cody and Waite, "Software Manual for the Elementary Functions", 1980); with fused multiply-add the first
    difference is exact. There short polynomials are exact to the last bit (`series`).

    Parameters
    ----------
    scalar : str
        'double' or 'float'.

    Returns
    -------
    tuple of str and set of str
        The function, and the declarations that it needs.
    """
    text = VectorText(lanes, scalar)
    largest = text.splat(LARGEST_ANGLE[scalar])
    too_large = text.compare("ogt", text.intrinsic("fabs", "%x"), largest)
    reduce = f"@llvm.vector.reduce.or.v{lanes}i1"
    text.declarations.add(f"declare i1 {reduce}({text.mask})")
    any_too_large = text.assign(f"call i1 {reduce}({text.mask} {too_large})")
    entry = text.take()
    _return(text, *_polynomials(text))
    fast = text.take()
    # Lane by lane, so that a sample's result does not depend on its neighbours.
    both = zip(("sin", "cos"), _polynomials(text), strict=True)
    _return(text, *(text.select(too_large, text.library(name, "%x"), series) for name, series in both))
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
    size = text.intrinsic("fabs", "%x")
    # Added to a far larger number, the quotient is rounded to a whole one whose bits are the last of the sum.
    shift = text.splat(1.5 * 2.0 ** _FRACTION_BITS[text.scalar])
    shifted = text.intrinsic("fma", size, text.splat(2 / math.pi), shift)
    back = text.assign(f"fneg {text.vector} {text.binary('fsub', shifted, shift)}")
    angle = size
    for part in half_pi_parts(text.scalar):
        angle = text.intrinsic("fma", back, text.splat(part), angle)
    square = text.binary("fmul", angle, angle)
    tail = _series(text, square, sine_tail(text.scalar))
    sine = text.intrinsic("fma", text.binary("fmul", square, angle), tail, angle)
    cosine = _series(text, square, cosine_series(text.scalar))
    # Odd quadrants swap the two; the sine is negative in quadrants 2 and 3, the cosine in 1 and 2.
    quadrant = text.bits(shifted)
    swap = text.integers("icmp ne", text.integers("and", quadrant, 1), 0)
    after = text.integers("add", quadrant, 1)
    own = text.integers("and", text.bits("%x"), text.sign_bit)
    return (
        _signed(text, text.integers("xor", _negative(text, quadrant), own), text.select(swap, cosine, sine)),
        _signed(text, _negative(text, after), text.select(swap, sine, cosine)),
    )


def _series(text: VectorText, square: str, coefficients: list[float]) -> str:
    value = text.splat(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = text.intrinsic("fma", value, square, text.splat(coefficient))
    return value


def _negative(text: VectorText, quadrant: str) -> str:
    """Return the sign bit where the second last bit of a whole number is set."""
    return text.integers("shl", text.integers("and", quadrant, 2), 8 * text.bytes - 2)


def _signed(text: VectorText, sign: str, value: str) -> str:
    """Turn the sign of a number where the sign bit is set."""
    turned = text.integers("xor", text.bits(value), sign)
    return text.assign(f"bitcast {text.whole} {turned} to {text.vector}")


def _return(text: VectorText, sine: str, cosine: str) -> None:
    pair = f"{{ {text.vector}, {text.vector} }}"
    half = text.assign(f"insertvalue {pair} undef, {text.vector} {sine}, 0")
    whole = text.assign(f"insertvalue {pair} {half}, {text.vector} {cosine}, 1")
    text.lines.append(f"ret {pair} {whole}")
