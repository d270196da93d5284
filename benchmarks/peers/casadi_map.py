"""CasADi's own way to evaluate a batch: `Function.map`, run by its virtual machine."""

from __future__ import annotations

import casadi as ca
import numpy as np

from benchmarks.peers.case import Case
from benchmarks.peers.route import DIRECTIONS, FORWARD, Work, timed

#: Samples in one map, and in one measurement: CasADi wants the parameters once per sample, and takes as long
#: for each sample of a longer map.
_BLOCK = 1024


class CasadiMap:
    """The project's function, and its vector-Jacobian product, mapped over the batch.

    Arrays are handed over in place (`Function.buffer`), so that no conversion is timed.
    """

    directions = DIRECTIONS
    dtypes = ("float64",)

    def __init__(self, case: Case) -> None:
        self._case = case

    def work(self, direction: str, dtype: str, states: dict[str, np.ndarray]) -> Work:
        """Return the evaluation of (at most the first 1024) states."""
        block = min(len(states["q"]), _BLOCK)
        functions = [self._case.function]
        if direction != FORWARD:
            functions.append(self._case.gradients)
        inputs = {
            name: np.ascontiguousarray(np.broadcast_to(value, (block, value.shape[-1])))
            for name, value in {**{k: v[:block] for k, v in states.items()}, **self._case.shared}.items()
        }
        calls = [_mapped(each, inputs, block) for each in functions]

        def evaluate():
            for call in calls:
                call()

        return timed(evaluate, block)

    def forces(self, states: dict[str, np.ndarray]) -> np.ndarray:
        """Return tau (batch, n) without contact forces."""
        inputs = {name: value.T for name, value in {**states, **self._case.shared}.items()}
        inputs["contact_force"] = np.zeros_like(inputs["contact_force"])
        return np.array(self._case.function(**inputs)["tau"]).T

    def close(self) -> None:
        """Do nothing."""


def _mapped(function: ca.Function, inputs: dict[str, np.ndarray], block: int):
    """Return a call without arguments; cotangents, which `inputs` does not hold, are one."""
    mapped = function.map(block)
    buffer, evaluate = mapped.buffer()
    names = function.name_in()
    arguments = [
        inputs[name] if name in inputs else np.ones((block, function.numel_in(name))) for name in names
    ]
    results = [np.empty((block, function.numel_out(i))) for i in range(function.n_out())]
    for i, argument in enumerate(arguments):
        buffer.set_arg(i, memoryview(argument))
    for i, result in enumerate(results):
        buffer.set_res(i, memoryview(result))
    kept = (mapped, buffer, arguments, results)  # CasADi itself keeps bare addresses

    def call():
        evaluate()
        return kept

    return call
