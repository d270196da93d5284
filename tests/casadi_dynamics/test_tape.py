"""Tapes as they are read: nothing twice, nothing for nothing, and choices as choices."""

import casadi as ca
import numpy as np
import pytest

from casadi_dynamics.compiled.tape import Instruction, Tape, _with_selects, _without_repetitions, record

x = ca.SX.sym("x", 3)


def operations(*outputs):
    tape = record(ca.Function("f", [x], list(outputs)))
    return [i.op for i in tape.instructions if i.op not in ("input", "constant")], tape


def test_the_same_thing_is_computed_once():
    first, second = ca.sin(x[0] * x[1]) + 1, ca.sin(x[1] * x[0]) + 1
    ops, tape = operations(first, second)
    assert ops == ["mul", "sin", "add"]
    assert tape.outputs[0] == tape.outputs[1]


@pytest.mark.parametrize(
    "build", [lambda a, b: a - b, lambda a, b: a / b, ca.atan2, lambda a, b: a < b, ca.fmin]
)
def test_operands_that_may_not_change_places_do_not(build):
    ops, tape = operations(build(x[0], x[1]), build(x[1], x[0]))
    assert len(ops) == 2
    assert tape.outputs[0] != tape.outputs[1]


def test_entries_of_inputs_are_told_apart():
    _, tape = operations(x[0] + x[1], x[0] + x[2])
    assert tape.outputs[0] != tape.outputs[1]
    y = ca.SX.sym("y", 3)
    tape = record(ca.Function("f", [x, y], [x[1], y[1], x[1]]))
    assert [tape.instructions[place].source for (place,) in tape.outputs] == [(0, 1), (1, 1), (0, 1)]
    assert len(tape.instructions) == 2


def test_constants_are_told_apart_by_their_bits():
    values = (0.0, -0.0, 0.1, np.nextafter(0.1, 1), np.nan, np.inf, -np.inf, 0.0, np.nan, 5e-324)
    constants = tuple(Instruction("constant", value=float(v)) for v in values)
    tape = Tape(constants, (tuple(range(len(values))),), (), (len(values),))
    short = _without_repetitions(tape)
    assert len(short.instructions) == 8
    kept = [short.instructions[place].value for place in short.outputs[0]]
    np.testing.assert_array_equal(kept, values)
    np.testing.assert_array_equal(np.signbit(kept), np.signbit(values))


def test_what_no_output_needs_is_left_out():
    unused = ca.SX.sym("unused", 2)
    whole = ca.Function(
        "f", [x, unused], [ca.sin(x[0]), ca.exp(x[1]) + unused[0]], ["x", "unused"], ["f", "g"]
    )
    tape = record(ca.Function("f", [x, unused], [whole(x, unused)[0]]))
    assert [i.op for i in tape.instructions] == ["input", "sin"]
    assert (tape.input_sizes, tape.output_sizes) == ((3, 2), (1,))


def test_a_choice_is_a_select():
    ops, tape = operations(ca.if_else(x[0] < x[1], ca.sin(x[0]), x[2]))
    assert ops == ["lt", "sin", "select"]
    mask, yes, no = tape.instructions[tape.outputs[0][0]].arguments
    assert [tape.instructions[place].op for place in (mask, yes, no)] == ["lt", "sin", "input"]


@pytest.mark.parametrize("swapped", [False, True])
def test_both_orders_of_the_sum_are_the_same_choice(swapped):
    yes, no, mask, otherwise, first, second = range(6)
    places = (second, first) if swapped else (first, second)
    tape = Tape(
        (
            Instruction("input", source=(0, 0)),
            Instruction("input", source=(0, 1)),
            Instruction("lt", (yes, no)),
            Instruction("not", (mask,)),
            Instruction("if_else_zero", (mask, yes)),
            Instruction("if_else_zero", (otherwise, no)),
            Instruction("add", places),
        ),
        ((6,),),
        (2,),
        (1,),
    )
    assert _with_selects(tape).instructions[6] == Instruction("select", (mask, yes, no))


@pytest.mark.parametrize(
    "build",
    [
        # Two different conditions; a condition twice; a difference; a sum with something else.
        lambda m, n: ca.if_else(m, x[0], 0) + ca.if_else(ca.logic_not(n), x[1], 0),
        lambda m, n: ca.if_else(m, x[0], 0) + ca.if_else(m, x[1], 0),
        lambda m, n: ca.if_else(m, x[0], 0) - ca.if_else(ca.logic_not(m), x[1], 0),
        lambda m, n: ca.if_else(m, x[0], 0) + x[1],
    ],
)
def test_other_sums_stay_sums(build):
    function = ca.Function("f", [x], [build(x[0] < x[2], x[1] < x[2])])
    ops = [i.op for i in record(function).instructions]
    assert "select" not in ops
    assert "add" in ops or "sub" in ops


def test_a_choice_within_a_choice():
    inner = ca.if_else(x[1] < 0, x[1], ca.if_else(x[2] < 0, x[2], 5))
    ops, _ = operations(ca.if_else(x[0] < 0, inner, x[0]))
    assert ops.count("select") == 3
    assert "if_else_zero" not in ops and "not" not in ops
