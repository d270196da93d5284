"""A tape as a machine-code program, through LLVM and without a compiler on the machine."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock

import llvmlite
import llvmlite.binding as llvm

from casadi_dynamics.compiled.llvm.text import module_text
from casadi_dynamics.compiled.tape import Tape
from casadi_dynamics.disk_cache import loaded, sources_hash


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
    key = "\n".join((key, scalar, *_surroundings()))
    return loaded(key, lambda: _compile(module_text(tape(), scalar)), _linked)


def _linked(code: bytes) -> LlvmProgram:
    if not code.startswith(_OBJECTS):  # the linker would end the process
        raise RuntimeError("no object file")
    with _COMPILER:
        # This linker keeps code and constants together. MCJIT lets the system place each, and aborts the
        # process where they come to lie too far apart, as they may once large arrays are in memory.
        library = llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
        linked = library.export_symbol("run").export_symbol("operations").link(_linker(), f"{next(_NUMBERS)}")
        run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        operations = ctypes.c_int64.from_address(linked["operations"]).value
        return LlvmProgram(operations, run(linked["run"]), linked)


def _compile(text: str) -> bytes:
    with _COMPILER:
        machine = _machine()
        module = llvm.parse_assembly(text)
        module.triple, module.data_layout = machine.triple, str(machine.target_data)
        # The tape is one straight line and already shares its expressions: optimizing passes find nothing.
        return machine.emit_object(module)


#: First bytes of object files of Linux, macOS and Windows.
_OBJECTS = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\x64\x86")
_COMPILER = Lock()
_NUMBERS = itertools.count()  # a name for each program


@cache
def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@cache
def _linker():
    _initialize()
    return llvm.create_lljit_compiler(use_jit_link=True)


def _machine():
    _initialize()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=2,
        jit=True,
        reloc="pic",
        codemodel="small",
    )


#: Of this package as it was loaded; read now, for files may change while the process runs.
_OURS = sources_hash(Path(__file__).parents[1])


@cache
def _surroundings() -> tuple[str, ...]:
    """Return what machine code depends on beside its tape: processor, versions, and this very package."""
    return (
        llvm.get_default_triple(),
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
        f"llvmlite {llvmlite.__version__}, LLVM {llvm.llvm_version_info}, casadi {version('casadi')}",
        _OURS,
    )
