"""Equations of a model as training needs them: held coordinates as constants, and what they depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import casadi as ca
import numpy as np

from casadi_dynamics.model import ImuFrame, Model
from casadi_dynamics.symbolic import BodyFunctions, build, fix_coordinates
from casadi_dynamics.symbolic.posture import posture
from sspinn_opensim.recording.movement.sagittal import IN_PLANE


def dynamics_with_held(functions: BodyFunctions, held: Mapping[str, float]) -> ca.Function:
    """Return the dynamics of a model with dependent coordinates driven and held ones as constants.

    Parameters
    ----------
    functions : BodyFunctions
        Of the whole model.
    held : mapping of str to float
        Coordinates that are not estimated, and their values, rad or m.

    Returns
    -------
    casadi.Function
        With the inputs and outputs of `functions.dynamics`. What `q`, `u` and `udot` say of held and
        dependent coordinates is not used, and their `tau` is zero.
    """
    model = functions.tree.model
    part = build(fix_coordinates(model, dict(held)), functions.imu_frames) if held else functions
    inner = part.dynamics if len(part.independent) == len(part.coordinates) else part.coupled_dynamics
    if not held:
        return inner
    given = {name: ca.SX.sym(name, functions.dynamics.numel_in(name)) for name in inner.name_in()}
    places = [functions.coordinates.index(name) for name in part.coordinates]
    numbers = [functions.parameter_names.index(name) for name in part.parameter_names]
    picked = {name: given[name][places] for name in ("q", "u", "udot")}
    outputs = inner(**{**given, **picked, "parameters": given["parameters"][numbers]})
    moving, outputs["tau"] = outputs["tau"], ca.SX.zeros(len(functions.coordinates))
    outputs["tau"][places] = moving
    dense = ca.cse([ca.densify(outputs[name]) for name in inner.name_out()])
    return ca.Function("dynamics", list(given.values()), dense, inner.name_in(), inner.name_out())


@dataclass(frozen=True)
class Modelled:
    """What the model's equations depend on; a planar model, for one, has no sideways channel.

    Attributes
    ----------
    acceleration, angular_rate : (k, 3) bool arrays
        Channels of the virtual IMUs that depend on the motion.
    force : (p, 3) bool array
        Components of the contact forces that move the model.
    """

    acceleration: np.ndarray
    angular_rate: np.ndarray
    force: np.ndarray


def modelled(model: Model, dynamics: ca.Function, frames: Sequence[ImuFrame], *, planar: bool) -> Modelled:
    """Return what the dynamics of a model depend on.

    Parameters
    ----------
    dynamics : casadi.Function
        As `BodyFunctions.dynamics`.
    frames : sequence of ImuFrame
        That carry the sensors.
    planar : bool
        Whether the root stays in the sagittal plane.
    """
    inputs, outputs = dynamics.name_in(), dynamics.name_out()

    def depends(output: str, on: str) -> np.ndarray:
        pattern = dynamics.jac_sparsity(outputs.index(output), inputs.index(on))
        return np.array(ca.DM(pattern, 1)) > 0

    acceleration = depends("imu_acceleration", "udot").any(axis=1).reshape(-1, 3)
    angular_rate = depends("imu_angular_rate", "u").any(axis=1).reshape(-1, 3)
    force = depends("tau", "contact_force").any(axis=0).reshape(-1, 3)
    if planar:
        # Joints a little off the plane feel what is sideways, but nothing there could explain it.
        standing = posture(model).rotation
        across = np.abs([(standing[frame.body] @ np.array(frame.rotation))[2] for frame in frames])
        acceleration &= across < IN_PLANE
        angular_rate &= across > IN_PLANE
        force &= np.array([True, True, False])
    return Modelled(acceleration, angular_rate, force)
