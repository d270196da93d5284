"""Lines of LLVM text in which every value is a vector of lanes."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence


class VectorText:
    """Writes instructions one by one and names their results.

    Parameters
    ----------
    scalar : str
        'double' or 'float'.

    Attributes
    ----------
    vector, mask, whole : str
        The types of a vector of numbers, of truth values, and of whole numbers of the same size.
    sign_bit : int
        The whole number with which a negative number differs from its size.
    lines : list of str
        What was written since the last `take`.
    declarations : set of str
        Of every function that was called.
    """

    def __init__(self, lanes: int, scalar: str) -> None:
        self.lanes, self.scalar = lanes, scalar
        self.bytes = 8 if scalar == "double" else 4
        self.vector, self.mask = f"<{lanes} x {scalar}>", f"<{lanes} x i1>"
        self.whole, self.sign_bit = f"<{lanes} x i{8 * self.bytes}>", 1 << (8 * self.bytes - 1)
        self.lines: list[str] = []
        self.declarations: set[str] = set()
        self._count = 0

    def take(self) -> str:
        """Return the lines written so far and begin anew."""
        lines, self.lines = self.lines, []
        return "\n  ".join(lines)

    def assign(self, expression: str) -> str:
        """Write an instruction and return the name of its result."""
        self._count += 1
        name = f"%t{self._count}"
        self.lines.append(f"{name} = {expression}")
        return name

    def splat(self, value: float) -> str:
        """Return the constant with `value` in every lane."""
        # A hexadecimal double is exact; as a float constant it must be one that single precision can hold.
        value = value if self.scalar == "double" else ctypes.c_float(value).value
        bits = struct.unpack("<Q", struct.pack("<d", value))[0]
        return "<" + ", ".join([f"{self.scalar} 0x{bits:016X}"] * self.lanes) + ">"

    def binary(self, name: str, a: str, b: str) -> str:
        """Write an arithmetic instruction; a product and a sum may become one with a single rounding."""
        return self.assign(f"{name} contract {self.vector} {a}, {b}")

    def bits(self, value: str) -> str:
        """Take numbers for the whole numbers that have their bits."""
        return self.assign(f"bitcast {self.vector} {value} to {self.whole}")

    def integers(self, operation: str, a: str, b: str | int) -> str:
        """Write an operation on whole numbers; `b` may be a constant."""
        if isinstance(b, int):
            b = "<" + ", ".join([f"i{8 * self.bytes} {b}"] * self.lanes) + ">"
        return self.assign(f"{operation} {self.whole} {a}, {b}")

    def compare(self, relation: str, a: str, b: str) -> str:
        """Write a comparison (LLVM's name) and return a mask."""
        return self.assign(f"fcmp {relation} {self.vector} {a}, {b}")

    def select(self, mask: str, yes: str, no: str) -> str:
        """Write a choice per lane."""
        return self.assign(f"select {self.mask} {mask}, {self.vector} {yes}, {self.vector} {no}")

    def intrinsic(self, name: str, *arguments: str) -> str:
        """Call one of LLVM's own functions of vectors."""
        symbol = f"@llvm.{name}.v{self.lanes}f{8 * self.bytes}"
        self.declarations.add(f"declare {self.vector} {symbol}({', '.join([self.vector] * len(arguments))})")
        passed = ", ".join(f"{self.vector} {a}" for a in arguments)
        return self.assign(f"call {self.vector} {symbol}({passed})")

    def broadcast(self, value: str) -> str:
        """Write a number into every lane."""
        single = self.assign(f"insertelement {self.vector} undef, {self.scalar} {value}, i32 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self.assign(f"shufflevector {self.vector} {single}, {self.vector} undef, {zeros}")

    def shuffle(self, a: str, b: str, picked: Sequence[int]) -> str:
        """Write a vector of picked lanes of two, counted on from the first to the second."""
        lanes = ", ".join(f"i32 {lane}" for lane in picked)
        return self.assign(
            f"shufflevector {self.vector} {a}, {self.vector} {b}, <{self.lanes} x i32> <{lanes}>"
        )

    def masked_load(self, pointer: str, mask: str) -> str:
        """Read the lanes of a mask; the others are zero."""
        symbol = f"@llvm.masked.load.v{self.lanes}f{8 * self.bytes}.p0"
        self.declarations.add(f"declare {self.vector} {symbol}(ptr, i32, {self.mask}, {self.vector})")
        rest = f"i32 {self.bytes}, {self.mask} {mask}, {self.vector} zeroinitializer"
        return self.assign(f"call {self.vector} {symbol}(ptr {pointer}, {rest})")

    def masked_store(self, value: str, pointer: str, mask: str) -> None:
        """Write the lanes of a mask and leave the others."""
        symbol = f"@llvm.masked.store.v{self.lanes}f{8 * self.bytes}.p0"
        self.declarations.add(f"declare void {symbol}({self.vector}, ptr, i32, {self.mask})")
        rest = f"i32 {self.bytes}, {self.mask} {mask}"
        self.lines.append(f"call void {symbol}({self.vector} {value}, ptr {pointer}, {rest})")

    def library(self, name: str, *arguments: str) -> str:
        """Call a function of the C library once per lane."""
        symbol = f"@{name}" if self.scalar == "double" else f"@{name}f"
        self.declarations.add(f"declare {self.scalar} {symbol}({', '.join([self.scalar] * len(arguments))})")
        result = "undef"
        for lane in range(self.lanes):
            parts = [self.assign(f"extractelement {self.vector} {a}, i32 {lane}") for a in arguments]
            passed = ", ".join(f"{self.scalar} {part}" for part in parts)
            value = self.assign(f"call {self.scalar} {symbol}({passed})")
            result = self.assign(f"insertelement {self.vector} {result}, {self.scalar} {value}, i32 {lane}")
        return result
