"""Machine code of LLVM text for this processor, and its functions by their addresses."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from casadi_dynamics.disk_cache import loaded, sources_hash


@dataclass(frozen=True)
class Linked:
    """Machine code in memory.

    Attributes
    ----------
    address : mapping of str to int
        Where each exported symbol lies, for as long as this object lives.
    """

    address: Mapping[str, int]
    _keep_alive: object

    def function(self, symbol: str, gives: Any, *takes: Any) -> Callable[..., Any]:
        """Return an exported function, by ctypes of what it gives and takes; it keeps the code in memory."""
        found = ctypes.CFUNCTYPE(gives, *takes)(self.address[symbol])
        found.code = self  # pyright: ignore[reportAttributeAccessIssue]
        return found


def cached(text: str, *symbols: str) -> Linked:
    """Return the machine code of an LLVM module, from the cache on disk or compiled and stored there."""
    key = "\n".join((text, *surroundings()))
    return loaded(key, lambda: compiled(text), lambda code: linked(code, *symbols))


def compiled(text: str) -> bytes:
    """Return the object file of an LLVM module."""
    with _COMPILER:
        machine = _machine()
        module = llvm.parse_assembly(text)
        module.triple, module.data_layout = machine.triple, str(machine.target_data)
        # What is written here is in order and shares its expressions: optimizing passes find nothing.
        return machine.emit_object(module)


def linked(code: bytes, *symbols: str) -> Linked:
    """Bring an object file into memory; what is none raises `RuntimeError`."""
    if not code.startswith(_OBJECTS):  # the linker would end the process
        raise RuntimeError("no object file")
    with _COMPILER:
        # This linker keeps code and constants together. MCJIT lets the system place each, and aborts the
        # process where they come to lie too far apart, as they may once large arrays are in memory.
        library = llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
        for symbol in symbols:
            library = library.export_symbol(symbol)
        found = library.link(_linker(), f"{next(_NUMBERS)}")
        return Linked({symbol: found[symbol] for symbol in symbols}, found)


@cache
def surroundings() -> tuple[str, ...]:
    """Return what machine code depends on beside its text: processor, versions, and this very package."""
    return (
        llvm.get_default_triple(),
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
        f"llvmlite {llvmlite.__version__}, LLVM {llvm.llvm_version_info}, casadi {version('casadi')}",
        _OURS,
    )


def has_feature(name: str) -> bool:
    """Return whether the processor has a feature, by LLVM's name for it."""
    return bool(llvm.get_host_cpu_features().get(name, False))


#: First bytes of object files of Linux, macOS and Windows.
_OBJECTS = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\x64\x86")
_COMPILER = Lock()
_NUMBERS = itertools.count()  # a name for each program
#: Of this package as it was loaded; read now, for files may change while the process runs.
_OURS = sources_hash(Path(__file__).parents[1])


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
