"""ONNX graphs of double precision: nodes written one by one, and whole CasADi functions among them.

A function has thousands of scalar operations, and a runtime spends longer on a node than on its numbers. So
operations of one kind that wait for nothing are one node on gathered vectors, and those that most others
wait for come first. onnxruntime has few functions in double precision: the others are made of these.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import casadi as ca
import numpy as np

from casadi_dynamics.compiled.source import Source
from casadi_dynamics.compiled.tape import Instruction, Tape
from casadi_dynamics.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto

#: Of the language that the graphs are written in, and of the file: what onnxruntime 1.17 and later read.
OPSET, IR_VERSION = 18, 9
#: Values that nothing needs any more are let go when there are so many times as many as others.
_IDLE = 1.0
_BOOL, _FLOAT, _DOUBLE = "BOOL", "FLOAT", "DOUBLE"


def onnx() -> Any:
    """Return the module `onnx`; where it is not installed that is an `InputError`."""
    try:
        import onnx
    except ImportError as error:
        raise InputError(
            "The package onnx is not installed.",
            expected="what the extra 'export' brings",
            found=str(error),
            fix="pip install onnx onnxruntime",
        ) from error
    return onnx


class OnnxGraph:
    """Writes nodes and names their results. Numbers are float64 unless a node says otherwise."""

    def __init__(self) -> None:
        self._onnx = onnx()
        #: The type of whole numbers, for a ``Cast``.
        self.int64 = self._onnx.TensorProto.INT64
        self.nodes: list[Any] = []
        self._constants: dict[tuple, str] = {}
        self._initializers: list[Any] = []

    def node(self, op: str, *inputs: str, outputs: int | None = None, **attributes: Any) -> Any:
        """Write a node and return the name of its result.

        Parameters
        ----------
        outputs : int, optional
            How many results there are; then their names are returned in a list.
        """
        names = [f"v{len(self.nodes)}_{k}" for k in range(outputs or 1)]
        self.nodes.append(self._onnx.helper.make_node(op, list(inputs), names, **attributes))
        return names[0] if outputs is None else names

    def constant(self, value: Any, kind: type = np.float64) -> str:
        """Return the name of a constant; one of the same bits is one."""
        array = np.asarray(value, kind)
        key = (array.shape, array.dtype.str, array.tobytes())
        if key not in self._constants:
            name = self._constants[key] = f"c{len(self._constants)}"
            self._initializers.append(self._onnx.numpy_helper.from_array(array, name))
        return self._constants[key]

    def cast(self, value: str, kind: str) -> str:
        """Return a value as ``BOOL``, ``FLOAT`` or ``DOUBLE``."""
        return self.node("Cast", value, to=getattr(self._onnx.TensorProto, kind))

    def take(self, value: str, places: Sequence[int]) -> str:
        """Return entries of a vector."""
        return self.node("Gather", value, self.constant(places, np.int64), axis=0)

    def split(self, value: str, sizes: Sequence[int]) -> list[str]:
        """Return parts of a vector, one after the other; none of them may be empty."""
        if len(sizes) == 1:
            return [value]
        return self.node("Split", value, self.constant(sizes, np.int64), outputs=len(sizes), axis=0)

    def joined(self, values: Sequence[str]) -> str:
        """Return vectors one after the other."""
        return values[0] if len(values) == 1 else self.node("Concat", *values, axis=0)

    def function(self, function: ca.Function, inputs: Mapping[str, str]) -> dict[str, str]:
        """Write a CasADi function of dense columns.

        Parameters
        ----------
        inputs : mapping of str to str
            Vectors by the names of the function's inputs.

        Returns
        -------
        dict of str to str
            Vectors by the names of its outputs.

        Raises
        ------
        InputError
            If the function is not of scalar expressions in dense columns.
        """
        given = [inputs[name] for name in function.name_in()]
        return dict(zip(function.name_out(), _Walk(self, Source(function).tape(), given).run(), strict=True))

    def model(
        self,
        inputs: Mapping[str, tuple[int, ...]],
        outputs: Mapping[str, tuple[str, tuple[int, ...]]],
        metadata: Mapping[str, str],
        producer: tuple[str, str] = ("casadi_dynamics", ""),
    ) -> ModelProto:
        """Return the model, checked.

        Parameters
        ----------
        inputs : mapping of str to tuple of int
            Shapes by names.
        outputs : mapping of str to (str, tuple of int)
            The value and its shape, by the names that the model gives them.
        metadata : mapping of str to str
            What the file says of itself.
        producer : tuple of 2 str
            Name and version of the program.
        """
        helper = self._onnx.helper
        for name, (value, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [name]))
        described = [
            [helper.make_tensor_value_info(name, self._onnx.TensorProto.DOUBLE, shape) for name, shape in of]
            for of in (inputs.items(), ((name, shape) for name, (_, shape) in outputs.items()))
        ]
        graph = helper.make_graph(self.nodes, "frame", *described, self._initializers)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name=producer[0],
            producer_version=producer[1],
        )
        helper.set_model_props(model, dict(metadata))
        self._onnx.checker.check_model(model, full_check=True)
        return model


class _Walk:
    """A tape written as nodes: `_memory` is one vector of all values that are still needed."""

    def __init__(self, graph: OnnxGraph, tape: Tape, inputs: Sequence[str]) -> None:
        self._graph, self._tape, self._inputs = graph, tape, inputs
        self._users: list[list[int]] = [[] for _ in tape.instructions]
        for place, instruction in enumerate(tape.instructions):
            for argument in set(instruction.arguments):
                self._users[argument].append(place)
        self._kept = {place for output in tape.outputs for place in output}
        self._left = [len(users) for users in self._users]

    def run(self) -> list[str]:
        graph, instructions = self._graph, self._tape.instructions
        self._memory, self._place = self._beginning()
        for op, group in _groups(instructions, self._users):
            operands = zip(*(instructions[k].arguments for k in group), strict=True)
            vectors = [graph.take(self._memory, [self._place[k] for k in column]) for column in operands]
            self._remember(OPERATIONS[op](graph, *vectors), group)
        return [
            graph.take(self._memory, [self._place[k] for k in output])
            if output
            else graph.constant(np.zeros(0))
            for output in self._tape.outputs
        ]

    def _beginning(self) -> tuple[str, dict[int, int]]:
        """Return the vector of all inputs and constants, and where each is in it."""
        graph, place = self._graph, {}
        starts = np.cumsum([0, *self._tape.input_sizes]).tolist()
        constants = []
        for k, instruction in enumerate(self._tape.instructions):
            if instruction.op == "input":
                number, entry = instruction.source
                place[k] = starts[number] + entry
            elif instruction.op == "constant":
                place[k] = starts[-1] + len(constants)
                constants.append(instruction.value)
        parts = [value for value, size in zip(self._inputs, self._tape.input_sizes, strict=True) if size]
        parts += [graph.constant(constants)] if constants else []
        self._size = starts[-1] + len(constants)
        return graph.joined(parts), place

    def _remember(self, result: str, group: Sequence[int]) -> None:
        for k in group:
            for argument in set(self._tape.instructions[k].arguments):
                self._left[argument] -= 1
        needed = [k for k in self._place if self._left[k] or k in self._kept]
        if self._size > (1 + _IDLE) * max(len(needed), 1):
            self._memory = self._graph.take(self._memory, [self._place[k] for k in needed])
            self._place, self._size = {k: i for i, k in enumerate(needed)}, len(needed)
        self._place |= {k: self._size + i for i, k in enumerate(group)}
        self._memory = self._graph.joined([self._memory, result])
        self._size += len(group)


def _groups(instructions: Sequence[Instruction], users: Sequence[Sequence[int]]):
    """Yield operations and the places in the tape that are written together, in an order that is possible."""
    rest = [0] * len(instructions)  # how many operations, one after the other, wait for each
    for place in range(len(instructions) - 1, -1, -1):
        rest[place] = 1 + max((rest[user] for user in users[place]), default=0)
    missing = [len(set(instruction.arguments)) for instruction in instructions]
    ready: dict[str, list[int]] = defaultdict(list)

    def known(places: Sequence[int]) -> None:
        for place in places:
            for user in users[place]:
                missing[user] -= 1
                if not missing[user]:
                    ready[instructions[user].op].append(user)

    known([place for place, instruction in enumerate(instructions) if not instruction.arguments])
    while ready:
        op = max(ready, key=lambda op: (max(rest[place] for place in ready[op]), len(ready[op])))
        group = ready.pop(op)
        yield op, group
        known(group)


def _plain(op: str, **attributes: Any) -> Callable[..., str]:
    return lambda graph, *vectors: graph.node(op, *vectors, **attributes)


def _compared(op: str) -> Callable[..., str]:
    return lambda graph, a, b: graph.cast(graph.node(op, a, b), _DOUBLE)


def _logical(op: str) -> Callable[..., str]:
    return lambda graph, *masks: graph.cast(
        graph.node(op, *(graph.cast(mask, _BOOL) for mask in masks)), _DOUBLE
    )


def _select(graph: OnnxGraph, mask: str, yes: str, no: str) -> str:
    return graph.node("Where", graph.cast(mask, _BOOL), yes, no)


def _not_equal(graph: OnnxGraph, a: str, b: str) -> str:
    return graph.cast(graph.node("Not", graph.node("Equal", a, b)), _DOUBLE)


def _is_negative(graph: OnnxGraph, a: str) -> str:
    """Return, as truth values, where the sign is minus; that of zero too."""
    below = graph.node("Less", a, graph.constant(0.0))
    under = graph.node("Less", graph.node("Reciprocal", a), graph.constant(0.0))
    return graph.node("Or", below, under)


def _copysign(graph: OnnxGraph, a: str, b: str) -> str:
    size = graph.node("Abs", a)
    return graph.node("Where", _is_negative(graph, b), graph.node("Neg", size), size)


def _sign(graph: OnnxGraph, a: str) -> str:
    """CasADi keeps the sign of zero, and what is no number."""
    kept = graph.node("Or", graph.node("Equal", a, graph.constant(0.0)), graph.node("IsNaN", a))
    return graph.node("Where", kept, a, graph.node("Sign", a))


def _smaller(op: str) -> Callable[..., str]:
    """Return the C library's minimum or maximum: a number, where one of the two is none."""

    def written(graph: OnnxGraph, a: str, b: str) -> str:
        a_or_b = graph.node("Where", graph.node("IsNaN", a), b, a)
        b_or_a = graph.node("Where", graph.node("IsNaN", b), a, b)
        return graph.node(op, a_or_b, b_or_a)

    return written


def _log1p(graph: OnnxGraph, x: str) -> str:
    """log(u) x / (u - 1) with u = 1 + x as it is rounded (Kahan): what u lost is lost in both."""
    one = graph.constant(1.0)
    u = graph.node("Add", x, one)
    lost = graph.node("Sub", u, one)
    simple = graph.node("Or", graph.node("Equal", lost, graph.constant(0.0)), graph.node("IsInf", x))
    # An infinite u has no difference, and log(0) no factor.
    whole = graph.node("Mul", graph.node("Log", u), graph.node("Div", x, lost))
    plain = graph.node("Where", graph.node("IsInf", x), graph.node("Log", u), x)
    return graph.node("Where", simple, plain, whole)


def _expm1(graph: OnnxGraph, x: str) -> str:
    """exp(x) - 1 = 2 t / (1 - t) with t = tanh(x / 2), which is exact near zero."""
    half = graph.node("Mul", x, graph.constant(0.5))
    t = graph.node("Tanh", half)
    one = graph.constant(1.0)
    near = graph.node("Div", graph.node("Add", t, t), graph.node("Sub", one, t))
    far = graph.node("Sub", graph.node("Exp", x), one)
    return graph.node("Where", graph.node("Less", graph.node("Abs", x), graph.constant(0.5)), near, far)


def _tan(graph: OnnxGraph, x: str) -> str:
    return graph.node("Div", graph.node("Sin", x), graph.node("Cos", x))


def _sinh(graph: OnnxGraph, x: str) -> str:
    """(e + e / (e + 1)) / 2 with e = exp(|x|) - 1; of large arguments from exp(x / 2) twice."""
    size, one, half = graph.node("Abs", x), graph.constant(1.0), graph.constant(0.5)
    e = _expm1(graph, size)
    near = graph.node("Mul", half, graph.node("Add", e, graph.node("Div", e, graph.node("Add", e, one))))
    root = graph.node("Exp", graph.node("Mul", size, half))
    far = graph.node("Mul", graph.node("Mul", half, root), root)
    value = graph.node("Where", graph.node("Less", size, graph.constant(30.0)), near, far)
    return _copysign(graph, value, x)


def _cosh(graph: OnnxGraph, x: str) -> str:
    half = graph.constant(0.5)
    root = graph.node("Exp", graph.node("Mul", graph.node("Abs", x), half))
    grown = graph.node("Mul", graph.node("Mul", half, root), root)
    return graph.node("Add", grown, graph.node("Div", half, graph.node("Mul", root, root)))


def _hypot(graph: OnnxGraph, a: str, b: str) -> str:
    a, b = graph.node("Abs", a), graph.node("Abs", b)
    large, small = graph.node("Max", a, b), graph.node("Min", a, b)
    infinite = graph.node("Or", graph.node("IsInf", a), graph.node("IsInf", b))
    large = graph.node("Where", infinite, graph.constant(np.inf), large)
    simple = graph.node("Or", graph.node("Equal", large, graph.constant(0.0)), infinite)
    share = graph.node("Div", small, graph.node("Where", simple, graph.constant(1.0), large))
    root = graph.node("Sqrt", graph.node("Add", graph.constant(1.0), graph.node("Mul", share, share)))
    return graph.node("Where", simple, large, graph.node("Mul", large, root))


def _atan2(graph: OnnxGraph, y: str, x: str) -> str:
    """Take an angle from single precision, and put it right by its own sine and cosine.

    Of the vector (x, y), turned back by the angle that was found, what is left is so small that two terms of
    the series of the arc tangent are exact.
    """
    zero, one, side = graph.constant(0.0), graph.constant(1.0), y  # a choice may lose the sign of zero
    # Infinite parts are far larger than finite ones, and as large as one another.
    infinite = [graph.node("IsInf", part) for part in (y, x)]
    any_infinite = graph.node("Or", *infinite)
    y, x = (
        graph.node(
            "Where",
            any_infinite,
            graph.node("Where", own, _copysign(graph, one, part), graph.node("Mul", part, zero)),
            part,
        )
        for own, part in zip(infinite, (y, x), strict=True)
    )
    size = graph.node("Max", graph.node("Abs", y), graph.node("Abs", x))
    nothing = graph.node("Equal", size, zero)
    scale = graph.node("Where", nothing, one, size)
    s, c = (graph.node("Div", part, scale) for part in (y, x))
    steep = graph.node("Less", graph.node("Abs", c), graph.node("Abs", s))
    above = graph.node("Where", steep, c, s)
    below = graph.node("Where", nothing, one, graph.node("Where", steep, s, c))
    single = graph.cast(graph.node("Div", above, below), _FLOAT)
    base = graph.cast(graph.node("Atan", single), _DOUBLE)
    upright = graph.node("Sub", _copysign(graph, graph.constant(np.pi / 2), side), base)
    back = graph.node("Add", base, _copysign(graph, graph.constant(np.pi), side))
    level = graph.node("Where", _is_negative(graph, c), back, base)
    angle = graph.node("Where", steep, upright, level)
    sine, cosine = graph.node("Sin", angle), graph.node("Cos", angle)
    across = graph.node("Sub", graph.node("Mul", s, cosine), graph.node("Mul", c, sine))
    along = graph.node("Add", graph.node("Mul", c, cosine), graph.node("Mul", s, sine))
    rest = graph.node("Div", across, graph.node("Where", nothing, one, along))
    cubed = graph.node("Mul", rest, graph.node("Mul", rest, rest))
    left = graph.node("Sub", rest, graph.node("Mul", cubed, graph.constant(1.0 / 3.0)))
    return graph.node("Add", angle, left)


def _atan(graph: OnnxGraph, x: str) -> str:
    return _atan2(graph, x, graph.constant(1.0))


def _other_leg(graph: OnnxGraph, x: str) -> str:
    """Return sqrt(1 - x^2), exact where x is close to one."""
    one = graph.constant(1.0)
    return graph.node("Sqrt", graph.node("Mul", graph.node("Sub", one, x), graph.node("Add", one, x)))


def _asin(graph: OnnxGraph, x: str) -> str:
    return _atan2(graph, x, _other_leg(graph, x))


def _acos(graph: OnnxGraph, x: str) -> str:
    return _atan2(graph, _other_leg(graph, x), x)


def _asinh(graph: OnnxGraph, x: str) -> str:
    """log1p(a + a^2 / (1 + sqrt(1 + a^2))) with a = |x|; of large ones log(2 a)."""
    one, size = graph.constant(1.0), graph.node("Abs", x)
    square = graph.node("Mul", size, size)
    root = graph.node("Sqrt", graph.node("Add", one, square))
    near = _log1p(graph, graph.node("Add", size, graph.node("Div", square, graph.node("Add", one, root))))
    far = graph.node("Add", graph.node("Log", size), graph.constant(np.log(2.0)))
    value = graph.node("Where", graph.node("Less", size, graph.constant(1e8)), near, far)
    return _copysign(graph, value, x)


def _acosh(graph: OnnxGraph, x: str) -> str:
    """log1p(t + sqrt(2 t + t^2)) with t = x - 1; of large ones log(2 x)."""
    t = graph.node("Sub", x, graph.constant(1.0))
    root = graph.node("Sqrt", graph.node("Mul", t, graph.node("Add", t, graph.constant(2.0))))
    near = _log1p(graph, graph.node("Add", t, root))
    far = graph.node("Add", graph.node("Log", x), graph.constant(np.log(2.0)))
    return graph.node("Where", graph.node("Less", x, graph.constant(1e8)), near, far)


def _atanh(graph: OnnxGraph, x: str) -> str:
    """log1p(2 a / (1 - a)) / 2 with a = |x|."""
    size = graph.node("Abs", x)
    share = graph.node("Div", graph.node("Add", size, size), graph.node("Sub", graph.constant(1.0), size))
    return _copysign(graph, graph.node("Mul", graph.constant(0.5), _log1p(graph, share)), x)


#: How each operation of a tape (`tape.OPERATIONS`, and ``select``) is written on vectors.
OPERATIONS: dict[str, Callable[..., str]] = {
    "add": _plain("Add"),
    "sub": _plain("Sub"),
    "mul": _plain("Mul"),
    "div": _plain("Div"),
    "neg": _plain("Neg"),
    "exp": _plain("Exp"),
    "log": _plain("Log"),
    "pow": _plain("Pow"),
    "constpow": _plain("Pow"),
    "sqrt": _plain("Sqrt"),
    "sq": lambda graph, a: graph.node("Mul", a, a),
    "twice": lambda graph, a: graph.node("Add", a, a),
    "sin": _plain("Sin"),
    "cos": _plain("Cos"),
    "tan": _tan,
    "asin": _asin,
    "acos": _acos,
    "atan": _atan,
    "lt": _compared("Less"),
    "le": _compared("LessOrEqual"),
    "eq": _compared("Equal"),
    "ne": _not_equal,
    "not": _logical("Not"),
    "and": _logical("And"),
    "or": _logical("Or"),
    "floor": _plain("Floor"),
    "ceil": _plain("Ceil"),
    "fabs": _plain("Abs"),
    "sign": _sign,
    "if_else_zero": lambda graph, mask, yes: _select(graph, mask, yes, graph.constant(0.0)),
    "select": _select,
    "fmin": _smaller("Min"),
    "fmax": _smaller("Max"),
    "inv": _plain("Reciprocal"),
    "sinh": _sinh,
    "cosh": _cosh,
    "tanh": _plain("Tanh"),
    "atan2": _atan2,
    "hypot": _hypot,
    "log1p": _log1p,
    "expm1": _expm1,
    "asinh": _asinh,
    "acosh": _acosh,
    "atanh": _atanh,
    "fmod": _plain("Mod", fmod=1),
    "copysign": _copysign,
}
