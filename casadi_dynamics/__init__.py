"""An OpenSim model as exact symbolic functions (CasADi) and fast, differentiable torch functions.

Frames and units, everywhere in this package: ground has x forward, y up, z right (OpenSim); lengths in m,
masses in kg, times in s, angles in rad, forces in N; gravity is the model's own. `q` are coordinates, `u`
their time derivatives, `udot` the second ones, all in the order of the model's coordinates (OpenSim's
`CoordinateSet`).

The names below are what a script needs; they load when they are first used.

==================  ==================================================================================
`read_model`        ``.osim`` file to `Model`: names and numbers, no expressions
`build`             `Model` to `BodyFunctions`: named CasADi functions, and `at` to evaluate them
`compile_torch`     CasADi function to a batched torch function with gradients
`compile_numpy`     the same for numpy arrays, without gradients
`compile_sample`    the same for one sample at a time, as fast as it gets
`compile_in_order`  the same for samples that go on where the one before them ended
`InputError`        what a user can mend
==================  ==================================================================================
"""

import importlib
from typing import Any

#: Name -> module that has it.
_PLACES = {
    "BodyFunctions": "casadi_dynamics.symbolic.body_functions",
    "InputError": "casadi_dynamics.errors",
    "Model": "casadi_dynamics.model",
    "build": "casadi_dynamics.symbolic.build",
    "compile_in_order": "casadi_dynamics.compiled.numpy_function",
    "compile_numpy": "casadi_dynamics.compiled.numpy_function",
    "compile_sample": "casadi_dynamics.compiled.numpy_function",
    "compile_torch": "casadi_dynamics.compiled.torch_function",
    "read_model": "casadi_dynamics.osim.reader",
}
__all__ = sorted(_PLACES)  # noqa: PLE0605 # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: importing the package loads nothing heavy."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
