"""A tape as machine code made by the C++ compiler of the system, for those who have one."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from casadi_dynamics.compiled.c.host import source
from casadi_dynamics.compiled.tape import Tape
from casadi_dynamics.errors import InputError

#: Looked for in this order, after the environment's CXX.
_COMPILERS = ("g++", "clang++", "c++")
#: Not -ffast-math: infinities and nan are results like others.
_FLAGS = "-std=gnu++17 -O2 -march=native -ffp-contract=fast -fno-math-errno -fPIC -shared -w".split()


class HostProgram:
    """Machine code of a tape.

    Parameters
    ----------
    tape : Tape
    scalar : str
        'double' or 'float'.

    Raises
    ------
    InputError
        If there is no compiler, or it fails.
    """

    def __init__(self, tape: Tape, scalar: str) -> None:
        self.operations = len(tape.instructions)
        self._library = compile_library(source(tape, scalar))
        self._run = self._library.run
        self._run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]
        self._run.restype = None

    def run(self, inputs: bytes, outputs: bytes, first: int, last: int) -> None:
        """Compute the samples `first` to `last` - 1; see `Program`."""
        self._run(inputs, outputs, first, last)


def find_compiler() -> list[str]:
    """Return the command of a C++ compiler, that of the environment variable CXX if it is set.

    Raises
    ------
    InputError
        If there is none.
    """
    chosen = os.environ.get("CXX", "").split()
    candidates = [chosen] if chosen else [[name] for name in _COMPILERS]
    for command in candidates:
        if shutil.which(command[0]):
            return command
    raise InputError(
        "There is no C++ compiler for compiled functions.",
        where="environment variable CXX" if chosen else "the search path",
        expected="GCC or Clang",
        found=" ".join(chosen) or "none of " + ", ".join(_COMPILERS),
        fix="install one, set CXX, or use the default backend, which needs none",
    )


def compile_library(text: str) -> ctypes.CDLL:
    """Compile C++ to a shared library and load it; no file is left behind.

    Raises
    ------
    InputError
        If there is no compiler, or it fails.
    """
    compiler = find_compiler()
    with tempfile.TemporaryDirectory(prefix="casadi_dynamics_") as folder:
        written, library = Path(folder, "tape.cpp"), Path(folder, "tape.so")
        written.write_text(text)
        command = [*compiler, *_FLAGS, str(written), "-o", str(library), "-lm"]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode != 0:
            raise InputError(
                "The C++ compiler failed on a compiled function.",
                where=" ".join([*compiler, *_FLAGS]),
                expected="GCC or Clang that knows vector types and this processor",
                found=next((line for line in made.stderr.splitlines() if "error" in line), made.stderr[:200]),
                fix="set CXX to another compiler, or use the default backend",
            )
        return ctypes.CDLL(str(library))
