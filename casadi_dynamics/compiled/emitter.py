"""Walk through a tape that writes it out: as text of LLVM, or as calls of numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from casadi_dynamics.compiled.parts import Part
from casadi_dynamics.compiled.tape import Instruction

COMPARISONS = ("lt", "le", "eq", "ne")
LOGIC = ("and", "or", "not")


class Dialect(Protocol):
    """How a language writes one operation; every method returns the text that names its result.

    Numbers and masks (truth values, one per lane) are kept apart.
    """

    def constant(self, value: float) -> str:
        """Return a constant."""
        ...

    def input(self, number: int, entry: int) -> str:
        """Read an entry of an input."""
        ...

    def arithmetic(self, op: str, arguments: list[str]) -> str:
        """Write an operation from numbers to a number."""
        ...

    def compare(self, op: str, a: str, b: str) -> str:
        """Write a comparison of numbers and return a mask."""
        ...

    def logic(self, op: str, masks: list[str]) -> str:
        """Write 'and', 'or' or 'not' of masks and return a mask."""
        ...

    def select(self, mask: str, yes: str, no: str) -> str:
        """Write a choice between numbers."""
        ...


def emit(part: Part, dialect: Dialect, store: Callable[[int, str], None]) -> None:
    """Write out a part of a tape.

    Parameters
    ----------
    dialect : Dialect
        Is called once per instruction, in their order.
    store : callable
        ``store(destination, value)`` is called for all that the part keeps, as soon as its value is known.
    """
    _Emitter(part.instructions, dialect).run(part.kept, store)


class _Emitter:
    def __init__(self, instructions: Sequence[Instruction], dialect: Dialect) -> None:
        self._instructions, self._dialect = instructions, dialect
        self._values: list[str | None] = []  # per place; None for a mask that no one needed as a number yet
        self._masks: dict[int, str] = {}

    def run(self, kept: Mapping[int, Sequence[int]], store: Callable[[int, str], None]) -> None:
        for place, instruction in enumerate(self._instructions):
            self._values.append(self._instruction(place, instruction))
            for destination in kept.get(place, ()):
                store(destination, self._number(place))

    def _instruction(self, place: int, instruction: Instruction) -> str | None:  # noqa: PLR0911 (a table)
        dialect, op, arguments = self._dialect, instruction.op, instruction.arguments
        if op == "constant":
            return dialect.constant(instruction.value)
        if op == "input":
            return dialect.input(*instruction.source)
        if op in COMPARISONS:
            self._masks[place] = dialect.compare(op, *map(self._number, arguments))
            return None
        if op in LOGIC:
            self._masks[place] = dialect.logic(op, [self._mask(a) for a in arguments])
            return None
        if op == "if_else_zero":
            # A select, not a product: the branch that is not taken may be infinite.
            mask, value = arguments
            return dialect.select(self._mask(mask), self._number(value), dialect.constant(0.0))
        if op == "select":
            mask, yes, no = arguments
            return dialect.select(self._mask(mask), self._number(yes), self._number(no))
        return dialect.arithmetic(op, [self._number(a) for a in arguments])

    def _number(self, place: int) -> str:
        value = self._values[place]
        if value is None:
            one, zero = self._dialect.constant(1.0), self._dialect.constant(0.0)
            value = self._values[place] = self._dialect.select(self._masks[place], one, zero)
        return value

    def _mask(self, place: int) -> str:
        if place not in self._masks:
            zero = self._dialect.constant(0.0)
            self._masks[place] = self._dialect.compare("ne", self._number(place), zero)
        return self._masks[place]
