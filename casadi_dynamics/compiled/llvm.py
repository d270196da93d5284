"""A tape as a machine-code program that runs on blocks of lanes, one sample of the batch per lane."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from threading import Lock

import llvmlite.binding as llvm

from casadi_dynamics.compiled.tape import Instruction, Tape
from casadi_dynamics.compiled.trigonometry import sine_cosine
from casadi_dynamics.compiled.vectors import VectorText

#: Samples per block: one AVX-512 register; narrower machines split the vectors themselves.
LANES = {"double": 8, "float": 16}

_ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_COMPARISONS = {"lt": "olt", "le": "ole", "eq": "oeq", "ne": "une"}
_INTRINSICS = {name: name for name in ("sqrt", "fabs", "floor", "ceil")} | {
    "fmin": "minnum",
    "fmax": "maxnum",
}
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
    def __init__(self, tape: Tape, varying, uniform, scalar: str) -> None:
        self._tape, self._write = tape, VectorText(LANES[scalar], scalar)
        self._first_row = _offsets(tape.input_sizes, varying)
        self._first_shared = _offsets(tape.input_sizes, uniform)
        self._values: list[str] = []  # operand text per tape place
        self._masks: dict[int, str] = {}  # places that hold a comparison, as a mask
        self._angles: dict[str, str] = {}  # operand text -> its pair of sine and cosine

    def text(self) -> str:
        write = self._write
        for place, instruction in enumerate(self._tape.instructions):
            self._values.append(self._instruction(place, instruction))
        places = [place for output in self._tape.outputs for place in output]
        for row, place in enumerate(places):
            pointer = self._row_pointer("%out", row)
            write.lines.append(
                f"store {write.vector} {self._values[place]}, ptr {pointer}, align {write.bytes}"
            )
        body, helper, declarations = write.take(), "", write.declarations
        if self._angles:
            helper, needed = sine_cosine(write.lanes, write.scalar)
            declarations = declarations | needed
        newline = "\n"
        return f"""{newline.join(sorted(declarations))}
{helper}
define void @run(ptr noalias %in, ptr noalias %shared, ptr noalias %out, i64 %row) {{
entry:
  %empty = icmp sle i64 %row, 0
  br i1 %empty, label %done, label %block
block:
  %at = phi i64 [ 0, %entry ], [ %next, %block ]
  {body}
  %next = add i64 %at, {write.lanes}
  %more = icmp slt i64 %next, %row
  br i1 %more, label %block, label %done
done:
  ret void
}}
"""

    def _instruction(self, place: int, instruction: Instruction) -> str:
        op, write = instruction.op, self._write
        arguments = [self._values[i] for i in instruction.arguments]
        if op == "constant":
            return write.splat(instruction.value)
        if op == "input":
            return self._input(*instruction.source)
        if op in _COMPARISONS:
            self._masks[place] = write.compare(_COMPARISONS[op], *arguments)
            return self._number(self._masks[place])
        if op in ("and", "or", "not"):
            self._masks[place] = self._logic(op, instruction.arguments)
            return self._number(self._masks[place])
        if op == "if_else_zero":
            return write.select(self._as_mask(instruction.arguments[0]), arguments[1], write.splat(0.0))
        return self._arithmetic(op, arguments)

    def _arithmetic(self, op: str, arguments: list[str]) -> str:
        write, a, b = self._write, arguments[0], arguments[-1]
        if op in _ARITHMETIC:
            return write.binary(_ARITHMETIC[op], a, b)
        if op in _INTRINSICS:
            return write.intrinsic(_INTRINSICS[op], *arguments)
        if op in ("sin", "cos"):
            return self._sine_or_cosine(op, a)
        if op == "neg":
            return write.assign(f"fneg {write.vector} {a}")
        if op == "sq":
            return write.binary("fmul", a, a)
        if op == "twice":
            return write.binary("fadd", a, a)
        if op == "inv":
            return write.binary("fdiv", write.splat(1.0), a)
        if op == "sign":
            return self._sign(a)
        return write.library(_LIBRARY_NAMES.get(op, op), *arguments)

    def _sine_or_cosine(self, op: str, angle: str) -> str:
        write = self._write
        pair = f"{{ {write.vector}, {write.vector} }}"
        if angle not in self._angles:
            self._angles[angle] = write.assign(f"call {pair} @sincos({write.vector} {angle})")
        return write.assign(f"extractvalue {pair} {self._angles[angle]}, {0 if op == 'sin' else 1}")

    def _sign(self, a: str) -> str:
        write, zero = self._write, self._write.splat(0.0)
        below = write.select(write.compare("olt", a, zero), write.splat(-1.0), a)  # keeps zero and nan
        return write.select(write.compare("ogt", a, zero), write.splat(1.0), below)

    def _input(self, number: int, entry: int) -> str:
        write = self._write
        if number in self._first_row:
            pointer = self._row_pointer("%in", self._first_row[number] + entry)
            return write.assign(f"load {write.vector}, ptr {pointer}, align {write.bytes}")
        index = self._first_shared[number] + entry
        pointer = write.assign(f"getelementptr {write.scalar}, ptr %shared, i64 {index}")
        value = write.assign(f"load {write.scalar}, ptr {pointer}, align {write.bytes}")
        single = write.assign(f"insertelement {write.vector} undef, {write.scalar} {value}, i32 0")
        zeros = f"<{write.lanes} x i32> zeroinitializer"
        return write.assign(f"shufflevector {write.vector} {single}, {write.vector} undef, {zeros}")

    def _row_pointer(self, base: str, row: int) -> str:
        start = self._write.assign(f"mul i64 %row, {row}")
        index = self._write.assign(f"add i64 {start}, %at")
        return self._write.assign(f"getelementptr {self._write.scalar}, ptr {base}, i64 {index}")

    def _logic(self, op: str, places: tuple[int, ...]) -> str:
        write, masks = self._write, [self._as_mask(place) for place in places]
        if op == "not":
            ones = "<" + ", ".join(["i1 true"] * write.lanes) + ">"
            return write.assign(f"xor {write.mask} {masks[0]}, {ones}")
        return write.assign(f"{op} {write.mask} {masks[0]}, {masks[1]}")

    def _as_mask(self, place: int) -> str:
        if place not in self._masks:
            self._masks[place] = self._write.compare("une", self._values[place], self._write.splat(0.0))
        return self._masks[place]

    def _number(self, mask: str) -> str:
        return self._write.select(mask, self._write.splat(1.0), self._write.splat(0.0))


def _offsets(sizes, chosen) -> dict[int, int]:
    first, offset = {}, 0
    for number in chosen:
        first[number] = offset
        offset += sizes[number]
    return first
