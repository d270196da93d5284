"""A tape as LLVM text: a loop over blocks of samples in which every scalar is a vector of lanes."""

from __future__ import annotations

from collections.abc import Iterable

from casadi_dynamics.compiled.emitter import emit
from casadi_dynamics.compiled.llvm.layout import TILE, transfers
from casadi_dynamics.compiled.llvm.trigonometry import sine_cosine
from casadi_dynamics.compiled.llvm.vectors import VectorText
from casadi_dynamics.compiled.parts import cut
from casadi_dynamics.compiled.tape import Tape

#: Samples per block: one AVX-512 register; narrower machines split the vectors themselves.
LANES = {"double": 8, "float": 16}
#: Computing instructions of a part; in machine code about as many bytes as ten times this.
LONGEST_PART = 2000
#: Blocks that go through a part together; their vectors must fit the second cache.
GROUP = 4
#: Bytes that a program takes from the stack of its thread; where it needs more, from the heap.
LARGEST_STACK = 2**20

_ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_COMPARISONS = {"lt": "olt", "le": "ole", "eq": "oeq", "ne": "une"}
_INTRINSICS = {name: name for name in ("sqrt", "fabs", "floor", "ceil")} | {
    "fmin": "minnum",
    "fmax": "maxnum",
}
#: Operations whose C function has another name; the others are called like their operation.
_LIBRARY_NAMES = {"constpow": "pow"}


def module_text(tape: Tape, scalar: str) -> str:
    """Return an LLVM module with the function `run` and the constant `operations`.

    ``run(inputs, outputs, first, last)`` computes the samples ``first`` to ``last - 1``. `inputs` holds, per
    input, address, sample stride and entry stride (int64, strides in elements), `outputs` the address of the
    contiguous rows of each output. `operations` is the length of the tape.

    Parameters
    ----------
    scalar : str
        'double' or 'float'.
    """
    write = VectorText(LANES[scalar], scalar)
    parts, waiting = cut(tape, LONGEST_PART)
    space = _Space(tape, write, waiting)
    steps = [space.packing()]
    for part in parts:
        emit(part, _Dialect(write, space), space.store)
        steps.append(write.take())
    steps.append(space.unpacking())
    helpers = [transfers(write.lanes, scalar), sine_cosine(write.lanes, scalar)]
    group = GROUP if len(parts) > 1 else 1
    run = _run(len(steps), group, space, write)  # first, since it adds declarations
    return "\n".join(
        [
            *sorted(write.declarations.union(*(needed for _, needed in helpers))),
            f"@operations = constant i64 {len(tape.instructions)}",
            *space.tables(),
            *(text for text, _ in helpers),
            *(_step(k, body, space, write) for k, body in enumerate(steps)),
            run,
        ]
    )


_STEP_TYPES = "ptr ptr ptr i64 i64 i64 i64 ptr ptr ptr".split()
_STEP_NAMES = "ins keeps outs blocks start fresh last inputs outputs unwanted".split()
_STEP_PARAMETERS = ", ".join(f"{kind} %{name}" for kind, name in zip(_STEP_TYPES, _STEP_NAMES, strict=True))


def _step(number: int, body: str, space: _Space, write: VectorText) -> str:
    """Return a function that does one thing for each block of a group; `%at` is the block's first sample."""
    areas = [("in", space.inputs), ("kept", space.kept), ("out", space.outputs)]
    places = "\n  ".join(
        f"%{name}_at = mul i64 %block, {size}\n"
        f"  %{name} = getelementptr {write.vector}, ptr %{of}, i64 %{name}_at"
        for (name, size), of in zip(areas, _STEP_NAMES, strict=False)
    )
    return f"""
define internal void @step_{number}({_STEP_PARAMETERS.replace("ptr", "ptr noalias")}) {{
entry:
  br label %each
each:
  %block = phi i64 [ 0, %entry ], [ %following, %each ]
  %ahead = mul i64 %block, {write.lanes}
  %at = add i64 %start, %ahead
  {places}
  {body}
  %following = add i64 %block, 1
  %more = icmp slt i64 %following, %blocks
  br i1 %more, label %each, label %done
done:
  ret void
}}
"""


def _run(steps: int, group: int, space: _Space, write: VectorText) -> str:
    areas = {"ins": group * space.inputs, "keeps": group * space.kept, "outs": group * space.outputs}
    areas["unwanted"] = -(-space.longest_output // write.lanes)
    get, give_back = _memory(areas, write)
    calls = "\n  ".join(f"call void @step_{k}({_STEP_PARAMETERS})" for k in range(steps))
    return f"""
define void @run(ptr %inputs, ptr %outputs, i64 %first, i64 %last) {{
entry:
  {get}
  %fresh = add i64 %first, {group * write.lanes}
  %empty = icmp sge i64 %first, %last
  br i1 %empty, label %done, label %group
group:
  %start = phi i64 [ %first, %entry ], [ %next, %group ]
  %left = sub i64 %last, %start
  %padded = add i64 %left, {write.lanes - 1}
  %needed = sdiv i64 %padded, {write.lanes}
  %blocks = call i64 @llvm.smin.i64(i64 %needed, i64 {group})
  {calls}
  %next = add i64 %start, {group * write.lanes}
  %more = icmp slt i64 %next, %last
  br i1 %more, label %group, label %done
done:
  {give_back}
  ret void
}}
"""


def _memory(areas: dict[str, int], write: VectorText) -> tuple[str, str]:
    """Return the lines that get areas of so many vectors, on the stack if they fit, and give them back."""
    size = write.lanes * write.bytes
    if sum(areas.values()) * size <= LARGEST_STACK:
        got = [f"%{name} = alloca [{n} x {write.vector}], align 64" for name, n in areas.items()]
        return "\n  ".join(got), ""
    write.declarations |= {"declare ptr @aligned_alloc(i64, i64)", "declare void @free(ptr)"}
    got = [f"%{name} = call ptr @aligned_alloc(i64 64, i64 {n * size})" for name, n in areas.items()]
    return "\n  ".join(got), "\n  ".join(f"call void @free(ptr %{name})" for name in areas)


class _Dialect:
    """The operations of a tape on vectors of lanes."""

    def __init__(self, write: VectorText, space: _Space) -> None:
        self._write, self._space = write, space
        self._angles: dict[str, str] = {}  # operand text -> its pair of sine and cosine

    def constant(self, value: float) -> str:
        return self._write.splat(value)

    def input(self, number: int, entry: int) -> str:
        return self._space.load(number, entry)

    def compare(self, op: str, a: str, b: str) -> str:
        return self._write.compare(_COMPARISONS[op], a, b)

    def select(self, mask: str, yes: str, no: str) -> str:
        return self._write.select(mask, yes, no)

    def logic(self, op: str, masks: list[str]) -> str:
        write = self._write
        if op == "not":
            ones = "<" + ", ".join(["i1 true"] * write.lanes) + ">"
            return write.assign(f"xor {write.mask} {masks[0]}, {ones}")
        return write.assign(f"{op} {write.mask} {masks[0]}, {masks[1]}")

    def arithmetic(self, op: str, arguments: list[str]) -> str:  # noqa: PLR0911 (a table)
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


class _Space:
    """Where the vectors of inputs and outputs lie, and the calls that bring them there and back."""

    def __init__(self, tape: Tape, write: VectorText, kept: int) -> None:
        self._write, self._sizes, self.kept = write, tape.output_sizes, kept
        used = _used_entries(tape)
        self._dense = [len(part) == size for part, size in zip(used, tape.input_sizes, strict=True)]
        self._used = [{entry: k for k, entry in enumerate(part)} for part in used]
        self._input_starts, self.inputs = self._starts(map(len, used))
        self._output_starts, self.outputs = self._starts(self._sizes)
        self._stored = [
            start + k
            for start, size in zip(self._output_starts, self._sizes, strict=True)
            for k in range(size)
        ]
        self.longest_output = max(self._sizes, default=0)

    def load(self, number: int, entry: int) -> str:
        """Write the reading of an entry of an input."""
        if number == len(self._used):
            place = self._at("%kept", entry)
        else:
            place = self._at("%in", self._input_starts[number] + self._used[number][entry])
        return self._write.assign(f"load {self._write.vector}, ptr {self._write.assign(place)}")

    def store(self, destination: int, value: str) -> None:
        """Write the storing of an output entry, counted over all outputs, or beyond them of a kept value."""
        beyond = destination - len(self._stored)
        place = self._at("%kept", beyond) if beyond >= 0 else self._at("%out", self._stored[destination])
        pointer = self._write.assign(place)
        self._write.lines.append(f"store {self._write.vector} {value}, ptr {pointer}")

    def tables(self) -> list[str]:
        """Return, per input, the constant that lists the entries which become vectors."""
        lists = [", ".join(f"i64 {entry}" for entry in used) for used in self._used]
        return [
            f"@entries_{number} = internal constant [{len(used)} x i64] [{entries}]"
            for number, (used, entries) in enumerate(zip(self._used, lists, strict=True))
        ]

    def packing(self) -> str:
        """Return the lines that bring a block of every input into its vectors."""
        lines = []
        for number, (used, dense) in enumerate(zip(self._used, self._dense, strict=True)):
            lines += [
                f"%tensor_{number} = getelementptr i64, ptr %inputs, i64 {3 * number}",
                f"%to_{number} = {self._at('%in', self._input_starts[number])}",
                f"call void @pack(ptr %tensor_{number}, ptr @entries_{number}, i64 {len(used)}, "
                f"i1 {str(dense).lower()}, i64 %at, i64 %fresh, i64 %last, ptr %to_{number})",
            ]
        return "\n  ".join(lines)

    def unpacking(self) -> str:
        """Return the lines that write a block of every output to its rows."""
        lines = []
        for number, (start, size) in enumerate(zip(self._output_starts, self._sizes, strict=True)):
            lines += [
                f"%address_{number} = getelementptr ptr, ptr %outputs, i64 {number}",
                f"%rows_{number} = load ptr, ptr %address_{number}",
                f"%from_{number} = {self._at('%out', start)}",
                f"call void @unpack(ptr %from_{number}, i64 {size}, i64 %at, i64 %last, ptr %rows_{number}, "
                "ptr %unwanted)",
            ]
        return "\n  ".join(lines)

    def _at(self, base: str, vector: int) -> str:
        return f"getelementptr {self._write.vector}, ptr {base}, i64 {vector}"

    def _starts(self, sizes: Iterable[int]) -> tuple[list[int], int]:
        """Return first vectors, and their sum; whole tiles are written, so each part ends with one."""
        starts, end, tile = [], 0, TILE[self._write.scalar]
        for size in sizes:
            starts.append(end)
            end += -(-size // tile) * tile
        return starts, end


def _used_entries(tape: Tape) -> list[list[int]]:
    """Return, per input, the entries that become vectors: all of them, or of a long input only those read."""
    read: list[set[int]] = [set() for _ in tape.input_sizes]
    for instruction in tape.instructions:
        if instruction.op == "input":
            read[instruction.source[0]].add(instruction.source[1])
    return [
        list(range(size)) if 2 * len(used) >= size else sorted(used)
        for used, size in zip(read, tape.input_sizes, strict=True)
    ]
