"""A tape as a program of an NVIDIA GPU, launched through the driver."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from casadi_dynamics.compiled.cuda import nvrtc
from casadi_dynamics.compiled.cuda.text import source
from casadi_dynamics.compiled.program import numbers
from casadi_dynamics.compiled.tape import Tape
from casadi_dynamics.errors import InputError

#: Threads per block: few, because a thread of a long tape takes all the registers it can get.
THREADS = 128
_MOST_BLOCKS = 65535


class CudaProgram:
    """A kernel of `cuda_text.source` on one GPU.

    Parameters
    ----------
    driver : module
        ``cuda.bindings.driver``.
    code : bytes
        What NVRTC made of the kernel.
    device : int
        Number of the GPU.
    stream : callable
        Returns the handle of the CUDA stream to launch on.

    Attributes
    ----------
    operations : int
        0: sharing the launch among threads of the processor would gain nothing.

    Raises
    ------
    InputError
        If the driver refuses.
    """

    operations = 0

    def __init__(self, driver, code: bytes, device: int, stream: Callable[[], int]) -> None:
        self._driver, self._stream = driver, stream
        self._context = _call(driver, "cuDevicePrimaryCtxRetain", _device(driver, device))  # torch's own
        with self._current():
            # Stays loaded until the process ends: it may still be running when no one knows it any more.
            module = _call(driver, "cuModuleLoadData", code)
            self._kernel = _call(driver, "cuModuleGetFunction", module, b"run")

    def run(self, inputs: bytes, outputs: bytes, first: int, last: int) -> None:
        """Start to compute the samples `first` to `last` - 1, and return before it is done.

        See `Program`; the addresses are of memory of the GPU.

        Raises
        ------
        InputError
            If the driver refuses.
        """
        if last <= first:
            return
        values = [*numbers(inputs), *numbers(outputs), first, last]
        argument = (ctypes.c_int64 * len(values))(*values)
        pointers = (ctypes.c_void_p * 1)(ctypes.addressof(argument))  # read before the launch returns
        blocks = min(-(-(last - first) // THREADS), _MOST_BLOCKS)
        grid, shared_memory = (blocks, 1, 1, THREADS, 1, 1), 0
        with self._current():
            launch = (*grid, shared_memory, self._stream(), ctypes.addressof(pointers), 0)
            _call(self._driver, "cuLaunchKernel", self._kernel, *launch)

    @contextmanager
    def _current(self) -> Iterator[None]:
        _call(self._driver, "cuCtxPushCurrent", self._context)
        try:
            yield
        finally:
            _call(self._driver, "cuCtxPopCurrent")


def load_program(tape: Tape, scalar: str, device: int, stream: Callable[[], int]) -> CudaProgram:
    """Compile a tape for a GPU and load it there.

    Parameters
    ----------
    tape : Tape
    scalar : str
        'double' or 'float'.
    device : int
        Number of the GPU.
    stream : callable
        Returns the handle of the CUDA stream to launch on, at each run.

    Raises
    ------
    InputError
        If a package is missing, or the GPU or its driver cannot run the program.
    """
    driver, _ = nvrtc.bindings()
    architecture = nvrtc.architecture(_capability(driver, device))
    return CudaProgram(driver, nvrtc.compiled(source(tape, scalar), architecture), device, stream)


def _device(driver, number: int):
    _call(driver, "cuInit", 0)
    return _call(driver, "cuDeviceGet", number)


def _capability(driver, number: int) -> int:
    device, kinds = _device(driver, number), driver.CUdevice_attribute
    major = kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
    minor = kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR
    tens, ones = (_call(driver, "cuDeviceGetAttribute", kind, device) for kind in (major, minor))
    return 10 * tens + ones


def _call(driver, name: str, *arguments):
    """Call a function of the driver and return what it gives beside its status."""
    try:
        status, *values = getattr(driver, name)(*arguments)
        if not int(status):
            return values[0] if values else None
        found = f"{name}: {getattr(status, 'name', status)}"
    except RuntimeError as error:  # no driver on this machine
        found = next(iter(str(error).splitlines()), name)
    raise InputError(
        "The CUDA driver cannot run a compiled function.",
        expected="an NVIDIA GPU with a driver as new as the installed CUDA packages",
        found=found,
        fix="update the driver, or move the tensors to the CPU",
    )
