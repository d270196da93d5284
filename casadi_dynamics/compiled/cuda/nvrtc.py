"""CUDA C to the code of a GPU by NVIDIA's run-time compiler; no toolkit and no GPU is needed for it."""

from __future__ import annotations

from casadi_dynamics.compiled.disk_cache import load_or_make
from casadi_dynamics.errors import InputError

_MOVE = "move the tensors to the CPU"


def bindings():
    """Return the modules of the CUDA driver and of NVRTC.

    Raises
    ------
    InputError
        If they, or the compiler's library behind them, are not installed.
    """
    try:
        from cuda.bindings import driver, nvrtc

        nvrtc.nvrtcVersion()  # loads the library
    except (ImportError, RuntimeError) as error:
        raise InputError(
            "Tensors on a GPU need NVIDIA's run-time compiler, which is not installed.",
            expected="the Python packages cuda-bindings and nvidia-cuda-nvrtc",
            found=next(iter(str(error).splitlines()), type(error).__name__),
            fix="pip install cuda-bindings nvidia-cuda-nvrtc (the CUDA build of torch for Linux brings them "
            f"along), or {_MOVE}",
        ) from None
    return driver, nvrtc


def architecture(capability: int) -> str:
    """Return what to compile for: a GPU, or, for one newer than the compiler, PTX that its driver translates.

    Parameters
    ----------
    capability : int
        Of the GPU: 90 for compute capability 9.0.

    Raises
    ------
    InputError
        If NVRTC is not installed, or the GPU is too old for it.
    """
    _, nvrtc = bindings()
    _, known = nvrtc.nvrtcGetSupportedArchs()
    if capability in known:
        return f"sm_{capability}"
    older = [k for k in known if k < capability]
    if not older:
        raise InputError(
            "The GPU is too old for the installed run-time compiler.",
            expected=f"compute capability {min(known) / 10:.1f} or newer",
            found=f"{capability / 10:.1f}",
            fix=f"install an older nvidia-cuda-nvrtc, or {_MOVE}",
        )
    return f"compute_{max(older)}"


def compiled(text: str, architecture: str) -> bytes:
    """Return machine code or PTX, from the cache on disk where it has it.

    Parameters
    ----------
    text : str
        CUDA C.
    architecture : str
        See `architecture`.

    Raises
    ------
    InputError
        If NVRTC is not installed, or refuses the text.
    """
    _, nvrtc = bindings()
    _, *version = nvrtc.nvrtcVersion()
    return load_or_make(
        f"NVRTC {version} {architecture}\n{text}", lambda: _compile(nvrtc, text, architecture)
    )


def _compile(nvrtc, text: str, architecture: str) -> bytes:
    _, program = nvrtc.nvrtcCreateProgram(text.encode(), b"tape.cu", 0, [], [])
    options = [f"--gpu-architecture={architecture}".encode(), b"--std=c++17"]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    try:
        if int(status):
            raise InputError(
                "NVIDIA's run-time compiler failed on a compiled function.",
                where=architecture,
                found=_first_error(_text_of(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)),
                fix=_MOVE,
            )
        if architecture.startswith("sm_"):
            return _text_of(program, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN)
        return _text_of(program, nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX)
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _text_of(program, size, read) -> bytes:
    buffer = b" " * size(program)[1]  # NVRTC's binding writes into the bytes it is given
    read(program, buffer)
    return buffer


def _first_error(log: bytes) -> str:
    lines = log.decode(errors="replace").splitlines()
    return next((line for line in lines if "error" in line), "no reason was given")
