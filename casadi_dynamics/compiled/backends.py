"""Backends: how a source becomes a program."""

from __future__ import annotations

from casadi_dynamics.compiled.llvm.program import load_program
from casadi_dynamics.compiled.numpy_tape import NumpyProgram
from casadi_dynamics.compiled.program import Program
from casadi_dynamics.compiled.source import Source
from casadi_dynamics.errors import InputError

BACKENDS = ("llvm", "numpy")


def check_backend(backend: str) -> None:
    """Refuse a backend that there is not with an `InputError`."""
    if backend not in BACKENDS:
        raise InputError(
            "There is no such backend.",
            where="argument 'backend'",
            expected=" or ".join(BACKENDS),
            found=str(backend),
            fix="leave it out to get the fastest",
        )


def program_of(source: Source, scalar: str, backend: str) -> Program:
    """Return the program of a source.

    Parameters
    ----------
    scalar : str
        'double' or 'float'.
    backend : str
        One of `BACKENDS`.
    """
    if backend == "numpy":
        return NumpyProgram(source.tape(), scalar)
    return load_program(source.key, source.tape, scalar)
