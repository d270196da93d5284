"""Loops of a fixed greatest count that stop early: what CasADi has no word for."""

from __future__ import annotations

import casadi as ca


def repeat(step: ca.Function, times: int, block: int) -> ca.Function:
    """Return the function that applies a step until the last entry of its state is 0.

    Parameters
    ----------
    step : casadi.Function
        From a state (n,) and constants (m,) to the next state. A state whose last entry is 0 stays as it is.
    times : int
        How often it is applied at most; a multiple of `block`.
    block : int
        Steps between two looks at whether to go on: each costs a few operations less than a look.
    """
    state, constants = ca.SX.sym("state", step.numel_in(0)), ca.SX.sym("constants", step.numel_in(1))
    after = state
    for _ in range(block):
        after = step(after, constants)
    several = ca.Function("block", [state, constants], [after])
    idle = ca.Function("idle", [state, constants], [state])
    guarded = ca.Function.if_else("guarded", several, idle)
    state, constants = ca.MX.sym("state", *state.shape), ca.MX.sym("constants", *constants.shape)
    after = state
    for _ in range(times // block):
        after = guarded(after[-1], after, constants)
    return ca.Function("repeat", [state, constants], [after])


def only_if(function: ca.Function) -> ca.Function:
    """Return a function with a condition before its inputs; where that is 0, so are the outputs."""
    inputs = [ca.MX.sym(f"i{k}", *function.size_in(k)) for k in range(function.n_in())]
    zeros = [ca.MX.zeros(*function.size_out(k)) for k in range(function.n_out())]
    return ca.Function.if_else("only_if", function, ca.Function("nothing", inputs, zeros))
