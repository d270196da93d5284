"""Text formulas of OpenSim's expression-based forces (the grammar of its parser, Lepton)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from casadi_dynamics.errors import nearest
from casadi_dynamics.model.expressions import Expression
from casadi_dynamics.osim.xml import Element

_TOKEN = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[A-Za-z_]\w*|[-+*/^(),]")
_ORDER = {"+": 0, "-": 0, "*": 1, "/": 1, "^": 3}
_SIGN = 2  # binds tighter than a product, looser than a power
#: Functions of one argument but for `min` and `max` of two.
FUNCTIONS = frozenset(
    "sqrt exp log sin cos tan asin acos atan sinh cosh tanh erf square cube recip abs min max".split()
)


def read_expression(item: Element, tag: str, variables: Iterable[str], default: str) -> Expression:
    """Return the formula in child `tag` of an element.

    Raises
    ------
    InputError
        If it is no formula, or speaks of another variable or function than there is.
    """
    text = "".join(item.text(tag, default).split())
    try:
        return _Parser(text, tuple(variables)).whole()
    except ValueError as error:
        raise item.error(
            f"<{tag}> of {item} cannot be converted: {error}.",
            expected=f"a formula of {', '.join(variables)} with + - * / ^ and {', '.join(sorted(FUNCTIONS))}",
            found=text[:80] or "nothing",
            fix="correct the formula in the model file",
        ) from None


class _Parser:
    """Reads one formula by precedence climbing; faults are `ValueError`s."""

    def __init__(self, text: str, variables: tuple[str, ...]) -> None:
        self._tokens = _TOKEN.findall(text)
        if "".join(self._tokens) != text:
            raise ValueError("it holds a sign that belongs to no formula")
        self._variables = variables
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._sum(0)
        if self._tokens:
            raise ValueError(f"'{self._tokens[0]}' is not expected there")
        return expression

    def _sum(self, order: int) -> Expression:
        left = self._term()
        while self._tokens and _ORDER.get(self._tokens[0], -1) >= order:
            operation = self._tokens.pop(0)
            # Powers group from the right, all else from the left.
            right = self._sum(_ORDER[operation] + (operation != "^"))
            left = Expression(operation, operands=(left, right))
        return left

    def _term(self) -> Expression:
        self._depth += 1
        if self._depth > 100:
            raise ValueError("it is nested too deeply")
        token = self._next()
        if token == "-":
            term = Expression("negative", operands=(self._sum(_SIGN),))
        elif token == "(":
            term = self._sum(0)
            self._expect(")")
        elif token[0].isdigit() or token[0] == ".":
            term = Expression("number", float(token))
        elif self._tokens[:1] == ["("]:
            term = self._call(token)
        elif token in self._variables:
            term = Expression("variable", token)
        else:
            raise ValueError(f"'{token}' is not a variable. {nearest(token, self._variables)}".rstrip(" ."))
        self._depth -= 1
        return term

    def _call(self, name: str) -> Expression:
        if name not in FUNCTIONS:
            raise ValueError(f"the function '{name}' is not known")
        self._next()
        operands = [self._sum(0)]
        if name in ("min", "max"):
            self._expect(",")
            operands.append(self._sum(0))
        self._expect(")")
        return Expression(name, operands=tuple(operands))

    def _next(self) -> str:
        if not self._tokens:
            raise ValueError("it ends too early")
        return self._tokens.pop(0)

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise ValueError(f"'{token}' is missing")
