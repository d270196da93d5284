"""Cholesky factors of banded matrices, as machine code.

LAPACK works on blocks of 32 columns, which is half of what the bands of a correction hold. Here each column
is made at once, from those before it that reach into it: they are few enough to stay in the first cache.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np

from casadi_dynamics.compiled.llvm import machine

#: Numbers of a vector; LLVM makes two or four of one where the processor's are shorter.
_LANES = 8
_VECTOR = f"<{_LANES} x double>"


def factor(columns: np.ndarray, rows: int) -> np.ndarray:
    """Return the factor (rows + 8, n) of a symmetric matrix, as `scipy.linalg.cho_solve_banded` takes it.

    As with LAPACK there is a `numpy.linalg.LinAlgError` where the matrix is not positive definite.

    Parameters
    ----------
    columns : (n, m) ndarray
        Of each column, in the first `rows` numbers, the diagonal and what is below it.
    """
    columns = np.ascontiguousarray(columns, float)
    # Beyond the band are zeros for what vectors read there; LAPACK would copy what has none of them.
    found = np.zeros((len(columns), rows + _LANES))
    failed = _compiled(rows)(columns.ctypes.data, found.ctypes.data, *columns.shape)
    if failed:
        raise np.linalg.LinAlgError(f"the matrix is not positive definite in its first {failed} columns")
    return found.T


@cache
def _compiled(rows: int) -> Callable[[int, int, int, int], int]:
    addresses, sizes = [ctypes.c_void_p] * 2, [ctypes.c_int64] * 2
    return machine.cached(module_text(rows), "factor").function("factor", ctypes.c_int64, *addresses, *sizes)


def module_text(rows: int) -> str:
    """Return an LLVM module with ``factor(columns, found, count, height)`` for bands of so many rows.

    It returns 0, or the number of the column that makes the matrix not positive definite. `columns` are
    (count, height), `found` (count, rows + 8) with zeros below the band.
    """
    vectors = -(-rows // _LANES)
    inside = ", ".join(f"i1 {int((vectors - 1) * _LANES + lane < rows)}" for lane in range(_LANES))
    inside = f"<{_LANES} x i1> <{inside}>"
    masked = f"p0(ptr %from{vectors - 1}, i32 8, {inside}, {_VECTOR} zeroinitializer)"
    read = [f"%from{v} = getelementptr double, ptr %given, i64 {_LANES * v}" for v in range(vectors)]
    read += [f"%own{v} = load {_VECTOR}, ptr %from{v}, align 8" for v in range(vectors - 1)]
    read.append(f"%own{vectors - 1} = call {_VECTOR} @llvm.masked.load.v8f64.{masked}")
    sums, loops = [f"%own{v}" for v in range(vectors)], []
    for reaching in range(1, vectors + 1):
        # Columns from so far away have as many vectors of rows left; the farthest come first.
        far, near = rows - 1 - _LANES * (reaching - 1), max(rows - _LANES * reaching, 1)
        then = "finish" if reaching == vectors else f"start{reaching + 1}"
        loops.append(_products(reaching, rows + _LANES, far, near, sums, then))
        sums[:reaching] = [f"%sum{reaching}_{v}" for v in range(reaching)]
    written = [f"%scaled{v} = fmul {_VECTOR} {sums[v]}, %shares" for v in range(vectors)]
    written += [f"%to{v} = getelementptr double, ptr %column, i64 {_LANES * v}" for v in range(vectors)]
    written += [f"store {_VECTOR} %scaled{v}, ptr %to{v}, align 8" for v in range(vectors - 1)]
    stored = f"p0({_VECTOR} %scaled{vectors - 1}, ptr %to{vectors - 1}, i32 8, {inside})"
    written.append(f"call void @llvm.masked.store.v8f64.{stored}")
    lines = "\n  ".join
    return f"""
declare double @llvm.sqrt.f64(double)
declare {_VECTOR} @llvm.fma.v8f64({_VECTOR}, {_VECTOR}, {_VECTOR})
declare {_VECTOR} @llvm.masked.load.v8f64.p0(ptr, i32, <{_LANES} x i1>, {_VECTOR})
declare void @llvm.masked.store.v8f64.p0({_VECTOR}, ptr, i32, <{_LANES} x i1>)

define i64 @factor(ptr noalias %columns, ptr noalias %found, i64 %count, i64 %height) {{
entry:
  br label %next
next:
  %j = phi i64 [ 0, %entry ], [ %after, %store ]
  %more = icmp slt i64 %j, %count
  br i1 %more, label %begin, label %done
begin:
  %given_at = mul i64 %j, %height
  %given = getelementptr double, ptr %columns, i64 %given_at
  %column_at = mul i64 %j, {rows + _LANES}
  %column = getelementptr double, ptr %found, i64 %column_at
  %after = add i64 %j, 1
  {lines(read)}
  br label %start1
{"".join(loops)}
finish:
  %pivot = extractelement {_VECTOR} {sums[0]}, i32 0
  %positive = fcmp ogt double %pivot, 0.0
  br i1 %positive, label %store, label %fail
store:
  %root = call double @llvm.sqrt.f64(double %pivot)
  %share = fdiv double 1.0, %root
  {lines(_broadcast("%shares", "%share"))}
  {lines(written)}
  br label %next
done:
  ret i64 0
fail:
  ret i64 %after
}}
"""


def _products(reaching: int, step: int, far: int, near: int, sums: list[str], then: str) -> str:
    """Return the loop over columns, `step` apart, at distances `far` to `near`: so many vectors reach."""
    n, lines, phis = reaching, [], []
    for v in range(reaching):
        old, new = f"%sum{n}_{v}", f"%new{n}_{v}"
        phis.append(f"{old} = phi {_VECTOR} [ {sums[v]}, %start{n} ], [ {new}, %body{n} ]")
        lines.append(f"%at{n}_{v} = getelementptr double, ptr %place{n}, i64 {_LANES * v}")
        lines.append(f"%rows{n}_{v} = load {_VECTOR}, ptr %at{n}_{v}, align 8")
        product = f"{_VECTOR} %minus{n}, {_VECTOR} %rows{n}_{v}, {_VECTOR} {old}"
        lines.append(f"{new} = call {_VECTOR} @llvm.fma.v8f64({product})")
    join = "\n  ".join
    return f"""start{n}:
  %is_far{n} = icmp slt i64 %j, {far}
  %first{n} = select i1 %is_far{n}, i64 %j, i64 {far}
  br label %head{n}
head{n}:
  %d{n} = phi i64 [ %first{n}, %start{n} ], [ %nearer{n}, %body{n} ]
  {join(phis)}
  %more{n} = icmp sge i64 %d{n}, {near}
  br i1 %more{n}, label %body{n}, label %{then}
body{n}:
  %behind{n} = mul i64 %d{n}, {1 - step}
  %place{n} = getelementptr double, ptr %column, i64 %behind{n}
  %value{n} = load double, ptr %place{n}, align 8
  %less{n} = fneg double %value{n}
  {join(_broadcast(f"%minus{n}", f"%less{n}"))}
  {join(lines)}
  %nearer{n} = sub i64 %d{n}, 1
  br label %head{n}
"""


def _broadcast(name: str, value: str) -> list[str]:
    """Return the lines that write a number into every lane."""
    return [
        f"{name}_one = insertelement {_VECTOR} undef, double {value}, i32 0",
        f"{name} = shufflevector {_VECTOR} {name}_one, {_VECTOR} undef, <{_LANES} x i32> zeroinitializer",
    ]
