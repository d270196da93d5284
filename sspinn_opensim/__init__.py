"""Joint angles, moments, ground and muscle forces of OpenSim models from IMU recordings, without labels.

Conventions: OpenSim's ground frame (x forward, y up, z right), SI units and radians inside, degrees only in
files, accelerometers report specific force ``R^T (a - g)``.

The names below are what a script needs; each verb of the command ``sspinn`` is a function that takes paths,
writes the same files, and returns what the command prints. They load when they are first used. Progress goes
to the logger ``sspinn_opensim``; what a user can mend is an `InputError`.

=========================  ==========================================================================
`read_study`               study file to `Study`
`read_recording`           study, or its path, to the `Recording` it names
`check`                    what is in a recording and what is wrong with it; a study of a vendor's files
`run`                      all stages; `scale`, `convert`, `train`, `estimate`, `muscle_forces` and
                           `evaluate` are the single ones; `ModelScaling` scales without a study
`adapt`, `ablate`          a network of others fitted to a person; what each loss term is worth
`Estimator`                a trained results folder that estimates recordings in memory
`export`                   network and body as an ONNX file, for programs without torch and CasADi
`simulate_imu`             virtual recording of a motion
`locate_sensors`           where each sensor sits
`opensense`                angles by OpenSim's own inverse kinematics of IMUs, to compare with
`inverse_dynamics`,        OpenSim's tools on a results folder
`joint_reactions`
`compare`, `open_folder`   two folders or files beside each other; what to do with one in OpenSim
`demo`, `doctor`           the built-in example; whether this installation is complete
=========================  ==========================================================================
"""

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("sspinn_opensim")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"

_VERBS = (
    *("run", "check", "scale", "convert", "train", "estimate", "evaluate", "adapt", "ablate", "simulate_imu"),
    *(
        "locate_sensors",
        "opensense",
        "inverse_dynamics",
        "joint_reactions",
        "compare",
        "demo",
        "doctor",
        "export",
    ),
)
#: Name -> module and name there. `muscles` is a package of this one and `open` a built-in: both are renamed.
_PLACES = {name: (f"sspinn_opensim.verbs.{name}", name) for name in _VERBS} | {
    "Estimator": ("sspinn_opensim.estimation", "Estimator"),
    "InputError": ("casadi_dynamics.errors", "InputError"),
    "ModelScaling": ("sspinn_opensim.verbs.scale", "ModelScaling"),
    "muscle_forces": ("sspinn_opensim.verbs.muscles", "muscles"),
    "open_folder": ("sspinn_opensim.verbs.open", "open"),
    "read_recording": ("sspinn_opensim.verbs.on_study", "read_recording"),
    "read_study": ("sspinn_opensim.study", "read_study"),
}
__all__ = ["__version__", *sorted(_PLACES)]  # noqa: PLE0604 # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: `import sspinn_opensim` itself loads nothing heavy."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, own = _PLACES[name]
    return getattr(importlib.import_module(module), own)


def __dir__() -> list[str]:
    return __all__
