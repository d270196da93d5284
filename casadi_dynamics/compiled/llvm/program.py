"""A tape as a machine-code program, through LLVM and without a compiler on the machine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

from casadi_dynamics.compiled.llvm import machine
from casadi_dynamics.compiled.llvm.text import module_text
from casadi_dynamics.compiled.tape import Tape
from casadi_dynamics.disk_cache import loaded


@dataclass(frozen=True)
class LlvmProgram:
    """Machine code of a tape.

    Attributes
    ----------
    operations : int
        Length of the tape: a measure of the work per sample.
    """

    operations: int
    _run: Callable
    _keep_alive: object

    def run(self, inputs: bytes, outputs: bytes, first: int, last: int) -> None:
        """Compute the samples `first` to `last` - 1; see `Program`."""
        self._run(inputs, outputs, first, last)


def load_program(key: str, tape: Callable[[], Tape], scalar: str) -> LlvmProgram:
    """Load a program from the cache on disk, or compile it and store it there.

    Parameters
    ----------
    key : str
        Says all that the tape depends on.
    tape : callable
        Makes the tape; called only where the cache has no such program.
    scalar : str
        'double' or 'float'.
    """
    key = "\n".join((key, scalar, *machine.surroundings()))
    return loaded(key, lambda: machine.compiled(module_text(tape(), scalar)), _linked)


def _linked(code: bytes) -> LlvmProgram:
    found = machine.linked(code, "run", "operations")
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    operations = ctypes.c_int64.from_address(found.address["operations"]).value
    return LlvmProgram(operations, run(found.address["run"]), found)
