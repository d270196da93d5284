"""Which kind of program a source becomes."""

from __future__ import annotations

from importlib.util import find_spec

import torch

from casadi_dynamics.compiled.program import Program
from casadi_dynamics.compiled.source import Source
from casadi_dynamics.errors import InputError

BACKENDS = ("auto", "llvm", "c", "numpy")


def check_backend(backend: str) -> str:
    """Return the backend for tensors of the CPU; 'auto' is LLVM, or numpy where llvmlite is missing.

    Raises
    ------
    InputError
        If there is no such backend.
    """
    if backend not in BACKENDS:
        raise InputError(
            "There is no such backend.",
            where="argument 'backend'",
            expected=", ".join(BACKENDS),
            found=backend,
            fix="leave it out to get the fastest",
        )
    if backend == "auto":
        return "llvm" if find_spec("llvmlite") else "numpy"
    return backend


def load_program(source: Source, scalar: str, backend: str, device: torch.device) -> Program:
    """Return the program of a source for tensors on a device.

    Parameters
    ----------
    source : Source
    scalar : str
        'double' or 'float'.
    backend : str
        'llvm', 'c' or 'numpy', for the CPU; a GPU is always programmed through NVRTC.
    device : torch.device
    """
    # Imported here: each needs something that the others do without.
    if device.type == "cuda":
        from casadi_dynamics.compiled.cuda.program import load_program as load_kernel

        number = device.index
        return load_kernel(
            source.tape(), scalar, number, lambda: torch.cuda.current_stream(number).cuda_stream
        )
    if backend == "numpy":
        from casadi_dynamics.compiled.numpy_tape import NumpyProgram

        return NumpyProgram(source.tape(), scalar)
    if backend == "c":
        from casadi_dynamics.compiled.c.compiler import HostProgram

        return HostProgram(source.tape(), scalar)
    from casadi_dynamics.compiled.llvm.program import load_program as load_machine_code

    return load_machine_code(source.key, source.tape, scalar)
