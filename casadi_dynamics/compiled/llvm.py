"""A tape as a machine-code program that runs on blocks of lanes, one sample of the batch per lane."""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from functools import cache
from threading import Lock

import llvmlite.binding as llvm

from casadi_dynamics.compiled.tape import Tape

#: Samples per block: one AVX-512 register; narrower machines split the vectors themselves.
LANES = {"double": 8, "float": 16}

_ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_COMPARISONS = {"lt": "olt", "le": "ole", "eq": "oeq", "ne": "une"}
_INTRINSICS = {name: name for name in ("sqrt", "fabs", "floor", "ceil")} | {"fmin": "minnum", "fmax": "maxnum"}
#: Operations whose C function has another name; the others are called like their operation.
_LIBRARY_NAMES = {"constpow": "pow"}


@dataclass(frozen=True)
class Program:
    """Machine code of a tape.

    Attributes
    ----------
    varying, uniform : tuple of int
        Which inputs have one value per sample, and which share one value over the batch.
    lanes : int
        Samples per block; the rows of the buffers are padded to a multiple of it.
    """

    varying: tuple[int, ...]
    uniform: tuple[int, ...]
    lanes: int
    _run: object
    _keep_alive: object

    def run(self, inputs: int, shared: int, outputs: int, row: int) -> None:
        """Run over `row` samples; the arguments are addresses of buffers.

        Parameters
        ----------
        inputs : int
            (entries of the varying inputs, row), one row per entry.
        shared : int
            (entries of the uniform inputs,).
        outputs : int
            (entries of all outputs, row), written.
        row : int
            Length of a row, a multiple of `lanes`.
        """
        self._run(inputs, shared, outputs, row)


def compile_tape(tape: Tape, uniform: tuple[int, ...], scalar: str) -> Program:
    """Compile a tape.

    Parameters
    ----------
    tape : Tape
    uniform : tuple of int
        Inputs that share one value over the batch.
    scalar : str
        'double' or 'float'.

    Returns
    -------
    Program
    """
    varying = tuple(i for i in range(len(tape.input_sizes)) if i not in uniform)
    source = emit(tape, varying, uniform, scalar)
    with _COMPILER:
        machine = _machine()
        module = llvm.parse_assembly(source)
        module.triple, module.data_layout = machine.triple, str(machine.target_data)
        # The tape is one straight line and already shares its expressions: the passes that pay are few.
        engine = llvm.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        address = engine.get_function_address("run")
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_int64)(address)
    return Program(varying, uniform, LANES[scalar], run, engine)


def emit(tape: Tape, varying: tuple[int, ...], uniform: tuple[int, ...], scalar: str) -> str:
    """Return the LLVM text of a tape: a loop over blocks with every scalar a vector of lanes."""
    return _Emitter(tape, varying, uniform, scalar).text()


_COMPILER = Lock()


@cache
def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _machine():
    """Return a new machine: the engine that is made with it owns it."""
    _initialize()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=2, jit=True)


class _Emitter:
    def __init__(self, tape, varying, uniform, scalar) -> None:
        self._tape, self._scalar = tape, scalar
        self._lanes, self._bytes = LANES[scalar], 8 if scalar == "double" else 4
        self._vector = f"<{self._lanes} x {scalar}>"
        self._mask = f"<{self._lanes} x i1>"
        self._suffix = f"v{self._lanes}f{64 if scalar == 'double' else 32}"
        self._first_row = _offsets(tape.input_sizes, varying)
        self._first_shared = _offsets(tape.input_sizes, uniform)
        self._lines: list[str] = []
        self._declared: set[str] = set()
        self._fresh = 0
        self._values: list[str] = []  # operand text per tape place
        self._masks: dict[int, str] = {}  # places that hold a comparison, as a mask

    def text(self) -> str:
        for place, instruction in enumerate(self._tape.instructions):
            self._values.append(self._instruction(place, instruction))
        row = 0
        for output in self._tape.outputs:
            for place in output:
                pointer = self._row_pointer("%out", row)
                self._lines.append(f"store {self._vector} {self._values[place]}, ptr {pointer}, align {self._bytes}")
                row += 1
        body = "\n  ".join(self._lines)
        return f"""{chr(10).join(sorted(self._declared))}
define void @run(ptr noalias %in, ptr noalias %shared, ptr noalias %out, i64 %row) {{
entry:
  %empty = icmp sle i64 %row, 0
  br i1 %empty, label %done, label %block
block:
  %at = phi i64 [ 0, %entry ], [ %next, %block ]
  {body}
  %next = add i64 %at, {self._lanes}
  %more = icmp slt i64 %next, %row
  br i1 %more, label %block, label %done
done:
  ret void
}}
"""

    def _instruction(self, place, instruction) -> str:
        op, vector = instruction.op, self._vector
        if op == "constant":
            return self._splat(instruction.value)
        if op == "input":
            return self._input(*instruction.source)
        if op in _COMPARISONS:
            a, b = (self._values[i] for i in instruction.arguments)
            self._masks[place] = self._assign(f"fcmp {_COMPARISONS[op]} {vector} {a}, {b}")
            return self._number(self._masks[place])
        if op in ("and", "or", "not"):
            self._masks[place] = self._logic(op, instruction.arguments)
            return self._number(self._masks[place])
        if op == "if_else_zero":
            condition, value = instruction.arguments
            return self._select(self._as_mask(condition), self._values[value], self._splat(0.0))
        return self._arithmetic(op, [self._values[i] for i in instruction.arguments])

    def _arithmetic(self, op, arguments) -> str:
        a, b = arguments[0], arguments[-1]
        if op in _ARITHMETIC:
            return self._binary(_ARITHMETIC[op], a, b)
        if op == "neg":
            return self._assign(f"fneg {self._vector} {a}")
        if op == "sq":
            return self._binary("fmul", a, a)
        if op == "twice":
            return self._binary("fadd", a, a)
        if op == "inv":
            return self._binary("fdiv", self._splat(1.0), a)
        if op == "sign":
            positive = self._assign(f"fcmp ogt {self._vector} {a}, {self._splat(0.0)}")
            negative = self._assign(f"fcmp olt {self._vector} {a}, {self._splat(0.0)}")
            below = self._select(negative, self._splat(-1.0), a)  # keeps zero and nan as they are
            return self._select(positive, self._splat(1.0), below)
        if op in _INTRINSICS:
            return self._intrinsic(_INTRINSICS[op], arguments)
        return self._library(_LIBRARY_NAMES.get(op, op), arguments)

    def _binary(self, name, a, b) -> str:
        return self._assign(f"{name} contract {self._vector} {a}, {b}")

    def _intrinsic(self, name, arguments) -> str:
        symbol = f"@llvm.{name}.{self._suffix}"
        types = ", ".join([self._vector] * len(arguments))
        self._declared.add(f"declare {self._vector} {symbol}({types})")
        passed = ", ".join(f"{self._vector} {a}" for a in arguments)
        return self._assign(f"call {self._vector} {symbol}({passed})")

    def _library(self, name, arguments) -> str:
        """Call the C library once per lane."""
        symbol = f"@{name}{'f' if self._scalar == 'float' else ''}"
        types = ", ".join([self._scalar] * len(arguments))
        self._declared.add(f"declare {self._scalar} {symbol}({types})")
        result = "undef"
        for lane in range(self._lanes):
            parts = [self._assign(f"extractelement {self._vector} {a}, i32 {lane}") for a in arguments]
            passed = ", ".join(f"{self._scalar} {p}" for p in parts)
            value = self._assign(f"call {self._scalar} {symbol}({passed})")
            result = self._assign(f"insertelement {self._vector} {result}, {self._scalar} {value}, i32 {lane}")
        return result

    def _input(self, number, entry) -> str:
        if number in self._first_row:
            pointer = self._row_pointer("%in", self._first_row[number] + entry)
            return self._assign(f"load {self._vector}, ptr {pointer}, align {self._bytes}")
        index = self._first_shared[number] + entry
        pointer = self._assign(f"getelementptr {self._scalar}, ptr %shared, i64 {index}")
        value = self._assign(f"load {self._scalar}, ptr {pointer}, align {self._bytes}")
        single = self._assign(f"insertelement {self._vector} undef, {self._scalar} {value}, i32 0")
        zeros = f"<{self._lanes} x i32> zeroinitializer"
        return self._assign(f"shufflevector {self._vector} {single}, {self._vector} undef, {zeros}")

    def _row_pointer(self, base, row) -> str:
        start = self._assign(f"mul i64 %row, {row}")
        index = self._assign(f"add i64 {start}, %at")
        return self._assign(f"getelementptr {self._scalar}, ptr {base}, i64 {index}")

    def _logic(self, op, arguments) -> str:
        masks = [self._as_mask(i) for i in arguments]
        if op == "not":
            ones = "<" + ", ".join(["i1 true"] * self._lanes) + ">"
            return self._assign(f"xor {self._mask} {masks[0]}, {ones}")
        return self._assign(f"{op} {self._mask} {masks[0]}, {masks[1]}")

    def _as_mask(self, place) -> str:
        if place not in self._masks:
            zero = self._splat(0.0)
            self._masks[place] = self._assign(f"fcmp une {self._vector} {self._values[place]}, {zero}")
        return self._masks[place]

    def _number(self, mask) -> str:
        return self._select(mask, self._splat(1.0), self._splat(0.0))

    def _select(self, mask, yes, no) -> str:
        return self._assign(f"select {self._mask} {mask}, {self._vector} {yes}, {self._vector} {no}")

    def _splat(self, value) -> str:
        # Hexadecimal doubles are exact; a float constant must be one that single precision can hold.
        if self._scalar == "float":
            value = ctypes.c_float(value).value
        bits = struct.unpack("<Q", struct.pack("<d", value))[0]
        return "<" + ", ".join([f"{self._scalar} 0x{bits:016X}"] * self._lanes) + ">"

    def _assign(self, expression) -> str:
        self._fresh += 1
        name = f"%t{self._fresh}"
        self._lines.append(f"{name} = {expression}")
        return name


def _offsets(sizes, chosen) -> dict[int, int]:
    first, offset = {}, 0
    for number in chosen:
        first[number] = offset
        offset += sizes[number]
    return first
