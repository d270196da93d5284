"""A CasADi function as a batched function of numpy arrays, for those who need no gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate, pairwise
from struct import pack

import casadi as ca
import numpy as np

from casadi_dynamics.compiled.backends import check_backend, program_of
from casadi_dynamics.compiled.program import run
from casadi_dynamics.compiled.source import Source
from casadi_dynamics.cores import usable_cores
from casadi_dynamics.errors import InputError

_SCALAR = "double"
_BYTES = 8


def compile_numpy(function: ca.Function, *, backend: str = "llvm") -> Callable[..., dict[str, np.ndarray]]:
    """Compile a CasADi function of vectors into a function of numpy arrays.

    Parameters
    ----------
    function : casadi.Function
        An SX function whose inputs and outputs are dense columns. One that calls other functions, as paths
        around several surfaces do, is not compiled: CasADi runs it.
    backend : str
        'llvm' or 'numpy', as in `compile_torch`.

    Returns
    -------
    callable
        Takes an array (N, n), or (n,) for all samples, per named input and returns a dict of arrays (N, m) by
        output name. The arrays are of float64; outputs are new.

    Raises
    ------
    InputError
        If the function or the backend is of another kind; at the call, if an input does not fit.
    """
    evaluate = _interpreted(function) if _calls_others(function) else _compiled(function, backend)

    def call(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        given, samples = _fitting(function, inputs)
        return dict(zip(function.name_out(), evaluate(given, samples), strict=True))

    return call


def compile_sample(function: ca.Function) -> Callable[..., dict[str, np.ndarray]]:
    """Compile a CasADi function of vectors for one sample at a time.

    What `compile_numpy` spends on a call, some thirty microseconds, is spent here but once: inputs and
    outputs have places of their own. So calls of one such function must not overlap.

    Parameters
    ----------
    function : casadi.Function
        As for `compile_numpy`.

    Returns
    -------
    callable
        Takes an array (n,) or (1, n) per named input, and returns a dict of new arrays (m,) by output name.
    """
    if _calls_others(function):
        many = compile_numpy(function)
        return lambda **inputs: {name: rows[0] for name, rows in many(**inputs).items()}
    source = Source(function)
    program = program_of(source, _SCALAR, "llvm")
    inputs = {name: np.zeros(function.numel_in(name)) for name in function.name_in()}
    ends = list(accumulate(source.output_sizes, initial=0))
    parts = [(name, slice(*part)) for name, part in zip(function.name_out(), pairwise(ends), strict=True)]
    whole = np.zeros(ends[-1])
    read = pack(f"{3 * len(inputs)}q", *(x for own in inputs.values() for x in (own.ctypes.data, 0, 1)))
    written = pack(f"{len(parts)}q", *(whole.ctypes.data + _BYTES * first for first in ends[:-1]))

    def call(**given: np.ndarray) -> dict[str, np.ndarray]:
        for name, place in inputs.items():
            place[:] = given[name]
        program.run(read, written, 0, 1)
        found = whole.copy()
        return {name: found[part] for name, part in parts}

    return call


def compile_in_order(function: ca.Function, state: str, after: str) -> Callable[..., dict[str, np.ndarray]]:
    """Compile a CasADi function of vectors for samples of which each goes on where the one before it ended.

    Parameters
    ----------
    function : casadi.Function
        As for `compile_numpy`.
    state, after : str
        The input that is, of every sample but the first, this output of the sample before.

    Returns
    -------
    callable
        Takes an array (N, n) per named input, of `state` (n,) that of the first sample, and returns a dict of
        new arrays (N, m) by output name: those of `compile_sample` one after the other.
    """
    if _calls_others(function):
        return _one_by_one(compile_sample(function), state, after)
    source = Source(function)
    program = program_of(source, _SCALAR, "llvm")

    def call(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        first = np.asarray(inputs[state], float)
        given, samples = _fitting(function, {**inputs, state: first})
        states = np.empty((samples + 1, len(first)))
        states[0] = first
        found = {
            name: states[1:] if name == after else np.empty((samples, size))
            for name, size in zip(function.name_out(), source.output_sizes, strict=True)
        }
        arrays = [states if n == state else x for n, x in zip(function.name_in(), given, strict=True)]
        results = [output.ctypes.data for output in found.values()]
        read, written = _places(arrays), pack(f"{len(results)}q", *results)
        for k in range(samples):
            program.run(read, written, k, k + 1)
        return found

    return call


def _one_by_one(one: Callable[..., dict[str, np.ndarray]], state: str, after: str) -> Callable:
    def call(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        now, found = inputs.pop(state), []
        for rows in zip(*inputs.values(), strict=True):
            found.append(one(**dict(zip(inputs, rows, strict=True)), **{state: now}))
            now = found[-1][after]
        return {name: np.array([sample[name] for sample in found]) for name in found[0]}

    return call


def _calls_others(function: ca.Function) -> bool:
    return any(function.instruction_id(k) == ca.OP_CALL for k in range(function.n_instructions()))


def _compiled(function: ca.Function, backend: str) -> Callable:
    source = Source(function)
    check_backend(backend)
    program, threads = program_of(source, _SCALAR, backend), usable_cores()

    def evaluate(given: list[np.ndarray], samples: int) -> list[np.ndarray]:
        outputs = [np.empty((samples, size)) for size in source.output_sizes]
        results = [output.ctypes.data for output in outputs]
        run(program, _places(given), pack(f"{len(results)}q", *results), samples, threads)
        return outputs

    return evaluate


def _places(arrays: list[np.ndarray]) -> bytes:
    """Return what `Program.run` is given of inputs (N, n), or (n,) for all samples."""
    places: list[int] = []
    for array in arrays:  # of one row for all samples the stride is 0
        strides = (0, *array.strides) if array.ndim == 1 else array.strides
        places += (array.ctypes.data, *(stride // _BYTES for stride in strides))
    return pack(f"{len(places)}q", *places)


def _interpreted(function: ca.Function) -> Callable:
    def evaluate(given: list[np.ndarray], samples: int) -> list[np.ndarray]:
        columns = [np.broadcast_to(array, (samples, array.shape[-1])).T for array in given]
        return [np.array(value).T for value in function.map(samples).call(columns)]

    return evaluate


def _fitting(function: ca.Function, inputs: Mapping[str, np.ndarray]) -> tuple[list[np.ndarray], int]:
    """Return the inputs in their order, each in rows that lie one after the other, and how many samples."""
    names = function.name_in()
    sizes = {name: function.numel_in(name) for name in names}
    # The program reads memory by strides of whole numbers.
    given = {name: np.require(value, float, ["C", "A"]) for name, value in inputs.items()}
    lengths = {len(value) for value in given.values() if value.ndim == 2}
    fits = all(name in given and given[name].shape[-1:] == (size,) for name, size in sizes.items())
    flat = all(value.ndim in (1, 2) for value in given.values())
    if set(given) != set(names) or not (fits and flat) or len(lengths) > 1:
        raise InputError(
            f"The inputs of '{function.name()}' do not fit.",
            expected=", ".join(f"'{name}' (N, {size})" for name, size in sizes.items()),
            found=", ".join(f"'{name}' {value.shape}" for name, value in given.items()),
            fix="pass every input, with one number of samples",
        )
    return [given[name] for name in names], lengths.pop() if lengths else 1
