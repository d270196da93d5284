"""A tape run by numpy, one array operation per instruction: slower than machine code, on any machine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np

from casadi_dynamics.compiled.emitter import emit
from casadi_dynamics.compiled.parts import cut
from casadi_dynamics.compiled.program import numbers
from casadi_dynamics.compiled.tape import Tape

#: Samples that one array operation works on: enough to outweigh the call, few enough to stay in cache.
BLOCK = 4096


def _twice(a: np.ndarray, out: np.ndarray) -> None:
    np.add(a, a, out)


def _sign(a: np.ndarray, out: np.ndarray) -> None:
    # numpy makes zero of minus zero, CasADi keeps it.
    np.copysign(np.sign(a), a, out)


def _select(mask: np.ndarray, yes: np.ndarray, no: np.ndarray, out: np.ndarray) -> None:
    np.copyto(out, no)
    np.copyto(out, yes, where=mask)


def _store(value: np.ndarray, out: np.ndarray) -> None:
    np.copyto(out, value)


_ARITHMETIC = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "pow": np.power,
    "constpow": np.power,
    "sqrt": np.sqrt,
    "sq": np.square,
    "twice": _twice,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "floor": np.floor,
    "ceil": np.ceil,
    "fabs": np.fabs,
    "sign": _sign,
    "fmin": np.fmin,
    "fmax": np.fmax,
    "inv": np.reciprocal,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "atan2": np.arctan2,
    "hypot": np.hypot,
    "fmod": np.fmod,
    "copysign": np.copysign,
    "log1p": np.log1p,
    "expm1": np.expm1,
}
_COMPARISONS = {"lt": np.less, "le": np.less_equal, "eq": np.equal, "ne": np.not_equal}
_LOGIC = {"and": np.logical_and, "or": np.logical_or, "not": np.logical_not}


class NumpyProgram:
    """A tape as a list of array operations.

    Parameters
    ----------
    scalar : str
        'double' or 'float'.
    """

    def __init__(self, tape: Tape, scalar: str) -> None:
        self._type = np.dtype(np.float64 if scalar == "double" else np.float32)
        self._sizes = tape.input_sizes, tape.output_sizes
        self._steps = _Recorder()
        (whole,), _ = cut(tape, max(1, len(tape.instructions)))
        emit(whole, self._steps, self._steps.store)
        self.operations = len(tape.instructions)
        self._plans: dict[frozenset[int], _Plan] = {}

    def run(self, inputs: bytes, outputs: bytes, first: int, last: int) -> None:
        """Compute the samples `first` to `last` - 1; see `Program`."""
        if last <= first:
            return
        (sizes_in, sizes_out), given, wanted = self._sizes, numbers(inputs), numbers(outputs)
        read = [
            _view(given[3 * i], self._type, (size, last), (given[3 * i + 2], given[3 * i + 1]))
            for i, size in enumerate(sizes_in)
        ]
        written = [_view(wanted[i], self._type, (size, last), (1, size)) for i, size in enumerate(sizes_out)]
        uniform = frozenset(i for i in range(len(sizes_in)) if given[3 * i + 1] == 0)
        if uniform not in self._plans:
            self._plans[uniform] = _plan(self._steps, uniform)
        with np.errstate(all="ignore"):
            self._plans[uniform].run(read, [row for rows in written for row in rows], first, last, self._type)


@dataclass(frozen=True)
class _Step:
    """A call that fills its last argument; the others are names of values, the last one too."""

    call: Callable
    arguments: tuple[str, ...]
    result: str
    mask: bool = False


class _Recorder:
    """The dialect of array operations: it names values, and lists the steps that make them."""

    def __init__(self) -> None:
        self.steps: list[_Step] = []
        self.constants: dict[str, float] = {}
        self.inputs: dict[str, tuple[int, int]] = {}
        self.outputs: dict[str, int] = {}

    def constant(self, value: float) -> str:
        name = float(value).hex()
        self.constants[name] = value
        return name

    def input(self, number: int, entry: int) -> str:
        name = f"input {number} {entry}"
        self.inputs[name] = number, entry
        return name

    def arithmetic(self, op: str, arguments: list[str]) -> str:
        return self._step(_ARITHMETIC[op], arguments)

    def compare(self, op: str, a: str, b: str) -> str:
        return self._step(_COMPARISONS[op], [a, b], mask=True)

    def logic(self, op: str, masks: list[str]) -> str:
        return self._step(_LOGIC[op], masks, mask=True)

    def select(self, mask: str, yes: str, no: str) -> str:
        return self._step(_select, [mask, yes, no])

    def store(self, entry: int, value: str) -> None:
        name = f"output {entry}"
        self.outputs[name] = entry
        self.steps.append(_Step(_store, (value,), name))

    def _step(self, call: Callable, arguments: list[str], mask: bool = False) -> str:
        name = f"value {len(self.steps)}"
        self.steps.append(_Step(call, tuple(arguments), name, mask))
        return name


@dataclass(frozen=True)
class _Plan:
    """Steps that are taken once, and steps that are taken for each block of samples.

    The results of the latter lie in slots, which later results take over. `order` names the arrays that the
    steps of a block take theirs from, by place.
    """

    recorded: _Recorder
    uniform: frozenset[int]
    once: list[_Step]
    slots: dict[str, bool]
    order: list[str]
    each: list[tuple[Callable, itemgetter]]

    def run(self, inputs, outputs, first: int, last: int, kind: np.dtype) -> None:
        shared = self._shared(inputs, kind)
        size = min(BLOCK, last - first)
        slots = {name: np.empty(size, bool if mask else kind) for name, mask in self.slots.items()}
        varying = [i for i in range(len(inputs)) if i not in self.uniform]
        packed = {i: np.empty((len(inputs[i]), size), kind) for i in varying}
        for start in range(first, last, BLOCK):
            end = min(start + BLOCK, last)
            for i in varying:
                np.copyto(packed[i][:, : end - start], inputs[i][:, start:end])
            block = shared | {name: slot[: end - start] for name, slot in slots.items()}
            for name, (number, entry) in self.recorded.inputs.items():
                if number in packed:
                    block[name] = packed[number][entry, : end - start]
            for name, entry in self.recorded.outputs.items():
                block[name] = outputs[entry][start:end]
            arrays = [block[name] for name in self.order]
            for call, pick in self.each:
                call(*pick(arrays))

    def _shared(self, inputs: Sequence[np.ndarray], kind: np.dtype) -> dict[str, np.ndarray]:
        """Return the values that are the same for all samples."""
        shared = {name: np.array([value], kind) for name, value in self.recorded.constants.items()}
        for name, (number, entry) in self.recorded.inputs.items():
            if number in self.uniform:
                shared[name] = inputs[number][entry, :1]
        for step in self.once:
            shared[step.result] = np.empty(1, bool if step.mask else kind)
            step.call(*(shared[a] for a in step.arguments), shared[step.result])
        return shared


def _plan(recorded: _Recorder, uniform: frozenset[int]) -> _Plan:
    known = set(recorded.constants)
    known.update(name for name, (number, _) in recorded.inputs.items() if number in uniform)
    once, each = [], []
    for step in recorded.steps:
        if step.result not in recorded.outputs and known.issuperset(step.arguments):
            known.add(step.result)
            once.append(step)
        else:
            each.append(step)
    placed, slots = _in_slots(each, recorded.outputs)
    order = list(dict.fromkeys(name for step in placed for name in (*step.arguments, step.result)))
    place = {name: i for i, name in enumerate(order)}
    calls = [(s.call, itemgetter(*(place[name] for name in (*s.arguments, s.result)))) for s in placed]
    return _Plan(recorded, uniform, once, slots, order, calls)


def _in_slots(steps: list[_Step], outputs) -> tuple[list[_Step], dict[str, bool]]:
    """Return the steps with results renamed to slots, and for each slot whether it holds masks."""
    last_use = {a: i for i, step in enumerate(steps) for a in step.arguments}
    slots: dict[str, bool] = {}
    free: dict[bool, list[str]] = {False: [], True: []}
    slot_of: dict[str, str] = {}
    placed = []
    for i, step in enumerate(steps):
        result = step.result
        if result not in outputs:
            # Taken before the arguments are let go: a step may write its result before it has read them all.
            result = free[step.mask].pop() if free[step.mask] else f"slot {len(slots)}"
            slots[result] = step.mask
            slot_of[step.result] = result
        placed.append(
            replace(step, arguments=tuple(slot_of.get(a, a) for a in step.arguments), result=result)
        )
        for a in set(step.arguments):
            if a in slot_of and last_use[a] == i:
                free[slots[slot_of[a]]].append(slot_of[a])
    return placed, slots


def _view(address: int, kind: np.dtype, shape: tuple[int, int], strides: tuple[int, int]) -> np.ndarray:
    """Return numbers in memory that belongs to the caller; `strides` count numbers."""
    if 0 in shape:  # an address of nothing may be none
        return np.empty(shape, kind)
    numbers = 1 + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    memory = (ctypes.c_char * (numbers * kind.itemsize)).from_address(address)
    flat = np.frombuffer(memoryview(memory), kind)
    return np.lib.stride_tricks.as_strided(flat, shape, [stride * kind.itemsize for stride in strides])
