"""Sine and cosine of a vector of angles at once, as LLVM text: the C library would take one lane at a time."""

from __future__ import annotations

import ctypes
import math
import struct
from decimal import Decimal, localcontext

#: pi / 2 to more digits than three doubles hold (OEIS A019669).
_HALF_PI = Decimal("1.5707963267948966192313216916397514420985846996875529104874722961539082031431")
#: Up to here the reduction below is exact to the last bit; beyond, the C library is called.
_LARGEST_ANGLE = {"double": 1e9, "float": 1e5}
#: Terms of the Taylor series after which the rest is below a tenth of the last bit at pi / 4.
_TERMS = {"double": 9, "float": 6}


def sine_cosine(lanes: int, scalar: str) -> str:
    """Return an LLVM function `@sincos` from a vector of angles (rad) to the pair of their sines and cosines.

    An angle is brought to [-pi/4, pi/4] by subtracting a multiple of pi/2 that is split into three numbers
    (Cody and Waite, "Software Manual for the Elementary Functions", 1980); with fused multiply-add the first
    difference is exact. There both series of Taylor converge fast.

    Parameters
    ----------
    lanes : int
    scalar : str
        'double' or 'float'.
    """
    return _Writer(lanes, scalar).text()


class _Writer:
    def __init__(self, lanes: int, scalar: str) -> None:
        self._lanes, self._scalar = lanes, scalar
        self._vector, self._mask = f"<{lanes} x {scalar}>", f"<{lanes} x i1>"
        self._suffix = f"v{lanes}f{64 if scalar == 'double' else 32}"
        self._lines: list[str] = []

    def text(self) -> str:
        vector, mask, lanes = self._vector, self._mask, self._lanes
        fast = self._block(self._fast)
        exact = self._block(self._exact)
        library = "" if self._scalar == "double" else "f"
        return f"""
declare {vector} @llvm.fma.{self._suffix}({vector}, {vector}, {vector})
declare {vector} @llvm.rint.{self._suffix}({vector})
declare {vector} @llvm.trunc.{self._suffix}({vector})
declare {vector} @llvm.copysign.{self._suffix}({vector}, {vector})
declare i1 @llvm.vector.reduce.or.v{lanes}i1({mask})
declare {self._scalar} @sin{library}({self._scalar})
declare {self._scalar} @cos{library}({self._scalar})
define internal {{ {vector}, {vector} }} @sincos({vector} %x) {{
entry:
  %above = fcmp ogt {vector} %x, {self._splat(_LARGEST_ANGLE[self._scalar])}
  %below = fcmp olt {vector} %x, {self._splat(-_LARGEST_ANGLE[self._scalar])}
  %large = or {mask} %above, %below
  %any = call i1 @llvm.vector.reduce.or.v{lanes}i1({mask} %large)
  br i1 %any, label %exact, label %fast
fast:
  {fast}
exact:
  {exact}
}}
"""

    def _block(self, write) -> str:
        self._lines = []
        write()
        return "\n  ".join(self._lines)

    def _fast(self) -> None:
        turns = self._assign(f"fmul {self._vector} %x, {self._splat(2 / math.pi)}")
        quarter = self._call("rint", turns)  # number of the quadrant
        negative = self._assign(f"fneg {self._vector} {quarter}")
        angle = "%x"
        for part in _split(_HALF_PI, 3, self._scalar):
            angle = self._call("fma", negative, self._splat(part), angle)
        square = self._assign(f"fmul {self._vector} {angle}, {angle}")
        terms = range(_TERMS[self._scalar])
        tail = self._series(square, [(-1) ** k / math.factorial(2 * k + 1) for k in terms[1:]])
        cube = self._assign(f"fmul {self._vector} {square}, {angle}")
        sine = self._call("fma", cube, tail, angle)
        cosine = self._series(square, [(-1) ** k / math.factorial(2 * k) for k in terms])
        self._turn_back(quarter, sine, cosine)

    def _series(self, square: str, coefficients: list[float]) -> str:
        value = self._splat(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            value = self._call("fma", value, square, self._splat(coefficient))
        return value

    def _turn_back(self, quarter: str, sine: str, cosine: str) -> None:
        """Odd quadrants swap sine and cosine; the signs follow from the quadrant modulo four."""
        swap, pairs = self._odd(quarter)
        flip, _ = self._odd(pairs)
        flip_cosine = self._assign(f"xor {self._mask} {swap}, {flip}")
        first = self._signed(flip, self._select(swap, cosine, sine))
        second = self._signed(flip_cosine, self._select(swap, sine, cosine))
        self._return(first, second)
