"""A tape as statements that C++ on vectors and CUDA C on scalars both understand.

The text speaks of numbers `V` and masks `M`; a prelude of each target says what they are, and defines the
functions that are called (`select`, `sine_cosine`, `number` for a constant, and `f_...` for the library).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from casadi_dynamics.compiled.emitter import walk
from casadi_dynamics.compiled.parts import Part

_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_RELATIONS = {"lt": "<", "le": "<=", "eq": "==", "ne": "!="}
_CONNECTIVES = {"and": "&", "or": "|"}
#: Operations whose C function has another name; the others are called like their operation.
_LIBRARY_NAMES = {"constpow": "pow"}

#: Functions of one and of two numbers that a prelude must define, with `f_` before their name.
UNARY = (
    "exp log sqrt tan asin acos atan floor ceil fabs sinh cosh tanh asinh acosh atanh log1p expm1"
).split()
BINARY = "pow fmin fmax atan2 hypot fmod copysign".split()


def statements(part: Part, load: Callable[[int, int], str], store: Callable[[int, str], str]) -> list[str]:
    """Write out a part of a tape.

    Parameters
    ----------
    part : Part
    load : callable
        ``load(number, entry)`` is an expression for an entry of an input.
    store : callable
        ``store(destination, value)`` is a statement that keeps a value where the part says.
    """
    writer = _Writer(load)
    walk(part, writer, lambda destination, value: writer.lines.append(store(destination, value)))
    return writer.lines


def constant(value: float) -> str:
    """Return a constant with all its digits; `number` rounds it to the precision of the program."""
    if math.isnan(value):
        return "number(NOT_A_NUMBER)"
    if math.isinf(value):
        return "number(INFINITE)" if value > 0 else "number(-INFINITE)"
    return f"number({float(value).hex()})"


class _Writer:
    """The dialect: every operation is a statement, and its result a name."""

    def __init__(self, load: Callable[[int, int], str]) -> None:
        self.lines: list[str] = []
        self._load = load
        self._count = 0
        self._angles: dict[str, tuple[str, str]] = {}  # angle -> its sine and cosine

    def constant(self, value: float) -> str:
        return constant(value)

    def input(self, number: int, entry: int) -> str:
        return self._assign(self._load(number, entry))

    def arithmetic(self, op: str, arguments: list[str]) -> str:
        a, b = arguments[0], arguments[-1]
        if op in ("sin", "cos"):
            return self._sine_and_cosine(a)[op == "cos"]
        if op in _OPERATORS:
            return self._assign(f"{a} {_OPERATORS[op]} {b}")
        if op == "neg":
            return self._assign(f"-{a}")
        if op == "sq":
            return self._assign(f"{a} * {a}")
        if op == "twice":
            return self._assign(f"{a} + {a}")
        if op == "inv":
            return self._assign(f"{constant(1.0)} / {a}")
        if op == "sign":
            return self._sign(a)
        return self._assign(f"f_{_LIBRARY_NAMES.get(op, op)}({', '.join(arguments)})")

    def compare(self, op: str, a: str, b: str) -> str:
        return self._assign(f"{a} {_RELATIONS[op]} {b}", "M")

    def logic(self, op: str, masks: list[str]) -> str:
        if op == "not":  # a mask that equals zero: of a vector of all-ones lanes as of a truth value
            return self._assign(f"{masks[0]} == 0", "M")
        return self._assign(f"{masks[0]} {_CONNECTIVES[op]} {masks[1]}", "M")

    def select(self, mask: str, yes: str, no: str) -> str:
        return self._assign(f"select({mask}, {yes}, {no})")

    def _sign(self, a: str) -> str:
        zero = constant(0.0)
        below = self.select(self.compare("lt", a, zero), constant(-1.0), a)  # keeps zero and nan
        return self.select(self.compare("lt", zero, a), constant(1.0), below)

    def _sine_and_cosine(self, angle: str) -> tuple[str, str]:
        if angle not in self._angles:
            sine, cosine = self._name(), self._name()
            self.lines.append(f"V {sine}, {cosine}; sine_cosine({angle}, {sine}, {cosine});")
            self._angles[angle] = sine, cosine
        return self._angles[angle]

    def _assign(self, expression: str, kind: str = "V") -> str:
        name = self._name()
        self.lines.append(f"{kind} {name} = {expression};")
        return name

    def _name(self) -> str:
        self._count += 1
        return f"t{self._count}"
