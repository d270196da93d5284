"""A CasADi SX function as a list of scalar instructions in single-assignment form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import casadi as ca

from casadi_dynamics.errors import InputError


@dataclass(frozen=True)
class Instruction:
    """One scalar operation; its result is known by its place in the tape.

    Attributes
    ----------
    op : str
        'input', 'constant', 'select' (mask, yes, no), or the name of an operation (see `OPERATIONS`).
    arguments : tuple of int
        Places of the operands.
    value : float
        Of a constant.
    source : tuple of 2 ints
        Input number and entry, of an input.
    """

    op: str
    arguments: tuple[int, ...] = ()
    value: float = 0.0
    source: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Tape:
    """Instructions, and for each output entry the place of its value.

    Attributes
    ----------
    outputs : tuple of tuples of int
        Place of each entry of each output.
    """

    instructions: tuple[Instruction, ...]
    outputs: tuple[tuple[int, ...], ...]
    input_sizes: tuple[int, ...]
    output_sizes: tuple[int, ...]


#: CasADi operation -> our name for it. What is not here cannot be on a tape.
OPERATIONS = {
    getattr(ca, f"OP_{name.upper()}"): name
    for name in (
        "add sub mul div neg exp log pow constpow sqrt sq twice sin cos tan asin acos atan lt le eq ne not "
        "and or floor ceil fabs sign if_else_zero fmin fmax inv sinh cosh tanh atan2 hypot log1p expm1 "
        "asinh acosh atanh fmod copysign"
    ).split()
}

_COMMUTATIVE = ("add", "mul", "eq", "ne", "and", "or")


def check_columns(function: ca.Function) -> None:
    """Refuse a function that is not of scalar expressions, or not of dense columns."""
    if not function.is_a("SXFunction"):
        raise InputError(
            f"The function '{function.name()}' is not made of scalar expressions.",
            expected="an SX function",
            found=function.class_name(),
            fix="call function.expand() first",
        )
    sides = ((function.name_in, function.sparsity_in), (function.name_out, function.sparsity_out))
    for names, sparsity in sides:
        for i, name in enumerate(names()):
            pattern = sparsity(i)
            if not pattern.is_dense() or pattern.size2() > 1:
                raise InputError(
                    f"'{name}' of the function '{function.name()}' is not a dense column.",
                    expected="inputs and outputs of shape (n, 1) without structural zeros",
                    found=pattern.dim(True),
                    fix="apply casadi.vec and casadi.densify",
                )


def record(function: ca.Function) -> Tape:
    """Return the tape of an SX function, without what no output needs and without repetitions.

    Raises
    ------
    InputError
        If the function is not of scalar expressions in dense columns, or has an operation that cannot be on a
        tape.
    """
    check_columns(function)
    instructions: list[Instruction] = []
    register: dict[int, int] = {}  # CasADi's work vector entry -> place of its current value
    outputs = [[-1] * function.nnz_out(i) for i in range(function.n_out())]
    for k in range(function.n_instructions()):
        op = function.instruction_id(k)
        read, written = function.instruction_input(k), function.instruction_output(k)
        if op == ca.OP_OUTPUT:
            outputs[written[0]][written[1]] = register[read[0]]
            continue
        if op == ca.OP_INPUT:
            new = Instruction("input", source=(read[0], read[1]))
        elif op == ca.OP_CONST:
            new = Instruction("constant", value=float(function.instruction_constant(k)))
        elif op in OPERATIONS:
            new = Instruction(OPERATIONS[op], tuple(register[r] for r in read))
        else:
            raise InputError(
                f"The function '{function.name()}' has an operation that cannot be compiled.",
                where=f"instruction {k}",
                expected="one of " + ", ".join(sorted(OPERATIONS.values())),
                found=f"CasADi operation {op}",
                fix="write the expression with other operations",
            )
        register[written[0]] = len(instructions)
        instructions.append(new)
    sizes_in = tuple(function.nnz_in(i) for i in range(function.n_in()))
    sizes_out = tuple(function.nnz_out(i) for i in range(function.n_out()))
    tape = Tape(tuple(instructions), tuple(map(tuple, outputs)), sizes_in, sizes_out)
    return _without_dead_code(_with_selects(_without_repetitions(tape)))


def _without_repetitions(tape: Tape) -> Tape:
    """Compute the same thing once."""
    moved: list[int] = []
    known: dict[tuple, int] = {}
    kept: list[Instruction] = []
    for instruction in tape.instructions:
        arguments = tuple(moved[a] for a in instruction.arguments)
        order = sorted(arguments) if instruction.op in _COMMUTATIVE else arguments
        # A constant is told by its bits: 0.0 equals -0.0, and nan not even itself.
        key = (instruction.op, *order, *instruction.source, instruction.value.hex())
        if key not in known:
            known[key] = len(kept)
            kept.append(replace(instruction, arguments=arguments))
        moved.append(known[key])
    return _renumbered(tape, kept, moved)


def _with_selects(tape: Tape) -> Tape:
    """Turn (a where m) + (b where not m), which is how CasADi writes a choice, into the choice it is."""
    instructions = tape.instructions
    new = []
    for instruction in instructions:
        choice = _choice(instructions, instruction)
        new.append(Instruction("select", choice) if choice else instruction)
    return replace(tape, instructions=tuple(new))


def _choice(instructions: Sequence[Instruction], instruction: Instruction) -> tuple[int, int, int] | None:
    if instruction.op != "add":
        return None
    parts = [instructions[a] for a in instruction.arguments]
    if any(part.op != "if_else_zero" for part in parts):
        return None
    for yes, no in (parts, parts[::-1]):
        mask, otherwise = yes.arguments[0], instructions[no.arguments[0]]
        if otherwise.op == "not" and otherwise.arguments[0] == mask:
            return mask, yes.arguments[1], no.arguments[1]
    return None


def _without_dead_code(tape: Tape) -> Tape:
    needed = {place for output in tape.outputs for place in output}
    for place in range(len(tape.instructions) - 1, -1, -1):
        if place in needed:
            needed.update(tape.instructions[place].arguments)
    moved = {old: new for new, old in enumerate(sorted(needed))}
    kept = [tape.instructions[old] for old in sorted(needed)]
    kept = [replace(i, arguments=tuple(moved[a] for a in i.arguments)) for i in kept]
    return _renumbered(tape, kept, moved)


def _renumbered(tape: Tape, instructions, moved) -> Tape:
    outputs = tuple(tuple(moved[place] for place in output) for output in tape.outputs)
    return replace(tape, instructions=tuple(instructions), outputs=outputs)


def vector_jacobian(function: ca.Function, wrt: tuple[int, ...]) -> ca.Function:
    """Return the function of all inputs and one cotangent per output that gives gradients to inputs `wrt`."""
    inputs = function.sx_in()
    outputs = function.call(inputs)
    cotangents = [
        ca.SX.sym(f"d_{name}", output.numel())
        for name, output in zip(function.name_out(), outputs, strict=True)
    ]
    chosen = [inputs[i] for i in wrt]
    gradient = ca.jtimes(ca.vertcat(*outputs), ca.vertcat(*chosen), ca.vertcat(*cotangents), True)
    ends = [0, *accumulate(int(x.numel()) for x in chosen)]
    return ca.Function(
        f"{function.name()}_vjp",
        [*inputs, *cotangents],
        ca.cse([ca.densify(part) for part in ca.vertsplit(gradient, ends)]),
        [*function.name_in(), *(f"d_{name}" for name in function.name_out())],
        [f"grad_{function.name_in(i)}" for i in wrt],
    )
