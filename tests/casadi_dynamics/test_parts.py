"""Tapes in parts: what a part needs is there, and parts together do what the tape does."""

import casadi as ca
import numpy as np
import pytest

from casadi_dynamics.compiled.parts import cut
from casadi_dynamics.compiled.tape import Instruction, Tape, record


def random_function(seed, length=120):
    """Return a function whose steps use steps from far and near, masks among them."""
    random = np.random.default_rng(seed)
    x, y = ca.SX.sym("x", 3), ca.SX.sym("y", 2)
    values = [*ca.vertsplit(x), *ca.vertsplit(y), ca.SX(0.5), ca.SX(-2)]
    masks = []
    for _ in range(length):
        a, b, c = (values[k] for k in random.integers(len(values), size=3))
        kind = random.integers(6)
        if kind == 0:
            masks.append(random.choice([a < b, a <= b, a != b]))
        elif kind == 1 and len(masks) > 1:
            m, n = (masks[k] for k in random.integers(len(masks), size=2))
            masks.append([ca.logic_and, ca.logic_or][random.integers(2)](m, ca.logic_not(n)))
        elif kind == 2 and masks:
            values.append(ca.if_else(masks[random.integers(len(masks))], a, b))
        elif kind == 3 and masks:
            values.append(masks[random.integers(len(masks))] + ca.tanh(c))
        elif kind == 4:
            values.append(ca.sin(a * 0.3 + b) - ca.cos(c))
        else:
            values.append(ca.tanh(a - b * c))
    near = ca.vertcat(*values[-4:], masks[0], masks[-1])
    # Outputs that are inputs, constants, and one value twice.
    plain = ca.vertcat(x[2], 7, values[20], values[20], y)
    return ca.Function("random", [x, y], [near, plain, x], ["x", "y"], ["near", "plain", "x_again"])


def evaluate(parts, tape, inputs):
    """Return the output entries by running part after part with the arithmetic of plain Python."""
    entries = sum(tape.output_sizes)
    kept, outputs = {}, [None] * entries
    for part in parts:
        values = []
        for instruction in part.instructions:
            number, entry = instruction.source
            if instruction.op == "input" and number == len(tape.input_sizes):
                values.append(kept[entry])
            elif instruction.op == "input":
                values.append(inputs[number][entry])
            elif instruction.op == "constant":
                values.append(instruction.value)
            else:
                values.append(_OPERATIONS[instruction.op](*(values[a] for a in instruction.arguments)))
            for destination in part.kept.get(len(values) - 1, ()):
                if destination < entries:
                    assert outputs[destination] is None
                    outputs[destination] = values[-1]
                else:
                    kept[destination - entries] = values[-1]
    return outputs


_OPERATIONS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "neg": lambda a: -a,
    "sq": lambda a: a * a,
    "twice": lambda a: a + a,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "lt": lambda a, b: float(a < b),
    "le": lambda a, b: float(a <= b),
    "ne": lambda a, b: float(a != b),
    "and": lambda a, b: float(bool(a) and bool(b)),
    "or": lambda a, b: float(bool(a) or bool(b)),
    "not": lambda a: float(not a),
    "select": lambda mask, yes, no: yes if mask else no,
    "if_else_zero": lambda mask, yes: yes if mask else 0.0,
}


@pytest.mark.parametrize("longest", [1, 2, 5, 50, 10**9])
@pytest.mark.parametrize("seed", range(4))
def test_parts_together_do_what_the_function_does(seed, longest):
    function = random_function(seed)
    tape = record(function)
    parts, waiting = cut(tape, longest)
    assert (len(parts) > 1) == (longest < 100)
    inputs = np.random.default_rng(seed).uniform(-2, 2, 5)
    inputs = (inputs[:3], inputs[3:])
    found = evaluate(parts, tape, inputs)
    expected = np.concatenate([np.array(value).ravel() for value in function(*inputs)])
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    places = {d for part in parts for kept in part.kept.values() for d in kept}
    # Every slot that was asked for is used, and none beyond.
    assert places == set(range(sum(tape.output_sizes) + waiting))


@pytest.mark.parametrize("longest", [1, 3, 7, 64])
def test_parts_are_short_and_in_order(longest):
    tape = record(random_function(9))
    parts, _ = cut(tape, longest)
    computing = [[i.op for i in part.instructions if i.op not in ("input", "constant")] for part in parts]
    assert all(0 < len(ops) <= longest for ops in computing)
    whole = [i.op for i in tape.instructions if i.op not in ("input", "constant")]
    assert [op for ops in computing for op in ops] == whole
    for part in parts:
        for place, instruction in enumerate(part.instructions):
            assert all(argument < place for argument in instruction.arguments)


def test_a_slot_is_used_again_once_its_value_is_no_longer_needed():
    # A chain: each value is needed by the next one only.
    chain = (Instruction("input"), *(Instruction("sq", (k,)) for k in range(9)))
    _, waiting = cut(Tape(chain, ((9,),), (1,), (1,)), 1)
    assert waiting == 2  # one to read, one to write


@pytest.mark.parametrize("longest", [1, 100])
def test_tapes_that_compute_nothing(longest):
    two = (Instruction("input", source=(0, 1)), Instruction("constant", value=3.0))
    (part,), waiting = cut(Tape(two, ((0, 1), (0,)), (2,), (2, 1)), longest)
    assert waiting == 0
    assert {part.instructions[place].op: kept for place, kept in part.kept.items()} == {
        "input": (0, 2),
        "constant": (1,),
    }
    (empty,), waiting = cut(Tape((), ((),), (2,), (0,)), longest)
    assert (empty.instructions, empty.kept, waiting) == ((), {}, 0)
