"""Hessians by the motion at knots, summed onto the band of all coefficients, as machine code.

Each number of the band is read and written once for a knot, and products of weights and Hessians never lie in
memory: there are more of them than numbers in the Hessians.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np

from casadi_dynamics.compiled.llvm import machine

#: Numbers of a vector; LLVM makes several of one where the processor's are shorter.
_LANES = 8


def add_motion(columns: np.ndarray, hessian: np.ndarray, weights: np.ndarray, at: np.ndarray) -> None:
    """Add symmetric Hessians, each by the coefficients of a knot and of the next ones.

    Parameters
    ----------
    columns : (knots c, m) ndarray
        Contiguous; the band as `knots.Band` keeps it, a column with space for `c - 1` numbers at its end.
    hessian : (n, o c, o c) ndarray
        By o derivatives of c coordinates, one after the other.
    weights : (o, k) ndarray
        Of k coefficients, one knot each, in the derivatives.
    at : (n,) ndarray
        The first knot that each Hessian is of.
    """
    orders, width = weights.shape
    hessian, weights = (np.ascontiguousarray(array, float) for array in (hessian, weights))
    at = np.ascontiguousarray(at, np.int64)
    run = _compiled(hessian.shape[1] // orders, orders, width, columns.shape[1])
    run(columns.ctypes.data, hessian.ctypes.data, weights.ctypes.data, at.ctypes.data, len(hessian))


@cache
def _compiled(*shape: int) -> Callable[[int, int, int, int, int], None]:
    code = machine.cached(module_text(*shape), "add_motion")
    return code.function("add_motion", None, *[ctypes.c_void_p] * 4, ctypes.c_int64)


def module_text(c: int, orders: int, width: int, height: int) -> str:
    """Return an LLVM module with ``add_motion(columns, hessian, weights, at, count)``.

    Its loops are over Hessians ``%k`` and the coordinates ``%j`` that columns are of: ``%column`` is where
    that of the knot's own coefficient begins, less what would be above the diagonal.
    """
    size, text = orders * c, _Text()
    weight = [[text.load("double", "%weights", a * width + k) for k in range(width)] for a in range(orders)]
    for first in range(0, c, _LANES):
        lanes = min(_LANES, c - first)
        kind = f"<{lanes} x double>"
        w = [[text.broadcast(kind, lanes, one) for one in row] for row in weight]
        # As the Hessian is symmetric, what a column holds lies in a row, side by side.
        h = [
            [text.load(kind, "%row", b * c * size + a * c + first) for a in range(orders)]
            for b in range(orders)
        ]
        for right in range(width):
            part = [text.sum(kind, [(w[b][right], h[b][a]) for b in range(orders)]) for a in range(orders)]
            for left in range(right, width):
                place = right * c * height + (left - right) * c + first
                known = text.load(kind, "%column", place)
                pairs = [(w[a][left], part[a]) for a in range(orders)]
                text.store(kind, text.sum(kind, pairs, known), "%column", place)
    body = "\n  ".join(text.lines)
    return f"""
define void @add_motion(
  ptr noalias %columns, ptr noalias %hessian, ptr noalias %weights, ptr noalias %at, i64 %count
) {{
entry:
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %following, %done ]
  %more = icmp slt i64 %k, %count
  br i1 %more, label %knot, label %end
knot:
  %own_at = mul i64 %k, {size**2}
  %own = getelementptr double, ptr %hessian, i64 %own_at
  %place_at = getelementptr i64, ptr %at, i64 %k
  %place = load i64, ptr %place_at, align 8
  %block_at = mul i64 %place, {c * height}
  %block = getelementptr double, ptr %columns, i64 %block_at
  br label %head
head:
  %j = phi i64 [ 0, %knot ], [ %beside, %body ]
  %inside = icmp slt i64 %j, {c}
  br i1 %inside, label %body, label %done
body:
  %row_at = mul i64 %j, {size}
  %row = getelementptr double, ptr %own, i64 %row_at
  %column_at = mul i64 %j, {height - 1}
  %column = getelementptr double, ptr %block, i64 %column_at
  {body}
  %beside = add i64 %j, 1
  br label %head
done:
  %following = add i64 %k, 1
  br label %next
end:
  ret void
}}
"""


class _Text:
    """Instructions one by one, with names for their results."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def assign(self, expression: str) -> str:
        name = f"%t{len(self.lines)}"
        self.lines.append(f"{name} = {expression}")
        return name

    def load(self, kind: str, pointer: str, at: int) -> str:
        place = self.assign(f"getelementptr double, ptr {pointer}, i64 {at}")
        return self.assign(f"load {kind}, ptr {place}, align 8")

    def store(self, kind: str, value: str, pointer: str, at: int) -> None:
        place = self.assign(f"getelementptr double, ptr {pointer}, i64 {at}")
        self.lines.append(f"store {kind} {value}, ptr {place}, align 8")

    def broadcast(self, kind: str, lanes: int, value: str) -> str:
        one = self.assign(f"insertelement {kind} undef, double {value}, i32 0")
        return self.assign(f"shufflevector {kind} {one}, {kind} undef, <{lanes} x i32> zeroinitializer")

    def sum(self, kind: str, pairs: list[tuple[str, str]], total: str = "") -> str:
        """Add products; a product and a sum may become one with a single rounding."""
        for a, b in pairs:
            product = self.assign(f"fmul contract {kind} {a}, {b}")
            total = self.assign(f"fadd contract {kind} {total}, {product}") if total else product
        return total
