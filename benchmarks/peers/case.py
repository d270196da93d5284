"""What every route is given: a model with sensors and foot points, its functions, and states to evaluate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import casadi as ca
import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import ContactSphere, ImuFrame, Model
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import BodyFunctions, build
from casadi_dynamics.symbolic.build import sensor_positions
from osim_models import path as shipped

#: Short name -> file in the folder of models; the planar model is the project's own.
PLANAR = "planar_gait"
PUBLIC = {"gait10dof18musc": "gait10dof18musc_subject01.osim", "Rajagopal2016": "Rajagopal2016.osim"}
NAMES = (PLANAR, *PUBLIC)

_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_SENSED = ("pelvis", "femur_r", "tibia_r", "calcn_r", "femur_l", "tibia_l", "calcn_l")
#: Lowest parts of a calcaneus, in its own axes (m): roughly under the heel and under the toes.
_FOOT_POINTS = {"heel": (0.02, 0.02, 0.0), "toe": (0.2, 0.0, 0.0)}
_RADIUS_M = 0.03
#: What training differentiates to; sensors and parameters stay where they are.
DIFFERENTIATED = ("q", "u", "udot", "contact_force")


@dataclass(frozen=True)
class Case:
    """A model to measure.

    Attributes
    ----------
    name : str
        One of `NAMES`.
    file : Path
    model : Model
        With seven sensors and four foot points.
    """

    name: str
    file: Path
    model: Model

    @cached_property
    def functions(self) -> BodyFunctions:
        """The model's functions."""
        return build(self.model, self.model.imu_frames)

    @cached_property
    def function(self) -> ca.Function:
        """One evaluation: generalized forces, virtual IMUs and foot points."""
        return self.functions.dynamics

    @cached_property
    def gradients(self) -> ca.Function:
        """Gradients to `DIFFERENTIATED`, one below the other, from all inputs and a cotangent per output."""
        function = self.function
        inputs, names = function.sx_in(), function.name_in()
        outputs = function.call(inputs)
        cotangents = [ca.SX.sym(f"d_{name}", function.numel_out(name)) for name in function.name_out()]
        chosen = ca.vertcat(*(inputs[names.index(name)] for name in DIFFERENTIATED))
        gradient = ca.jtimes(ca.vertcat(*outputs), chosen, ca.vertcat(*cotangents), True)
        given = [*names, *(f"d_{name}" for name in function.name_out())]
        dense = ca.cse([ca.densify(gradient)])
        return ca.Function("gradients", [*inputs, *cotangents], dense, given, ["gradient"])

    @cached_property
    def shared(self) -> dict[str, np.ndarray]:
        """The inputs that all samples have in common: places of sensors (m) and parameters, each (m,)."""
        return {
            "sensor_position": sensor_positions(self.model.imu_frames),
            "parameters": self.functions.parameters,
        }

    def states(self, batch: int, seed: int = 0) -> dict[str, np.ndarray]:
        """Return random inputs (batch, n) of the size that people move with: rad, m, s, N."""
        random, n = np.random.default_rng(seed), len(self.model.coordinates)
        spread = {"q": (0.5, n), "u": (3.0, n), "udot": (20.0, n)}
        spread["contact_force"] = (300.0, 3 * len(self.model.contact_spheres))
        return {name: random.normal(scale=s, size=(batch, width)) for name, (s, width) in spread.items()}


def read_case(name: str, folder: Path) -> Case:
    """Return the model `name` with sensors and foot points; `folder` holds the public models.

    Raises
    ------
    InputError
        If the file is not there or cannot be read.
    """
    if name == PLANAR:
        file = shipped(PLANAR)
        return Case(name, file, read_model(file))
    file = folder / PUBLIC[name]
    if not file.is_file():
        raise InputError(
            f"The model '{name}' is not there.",
            where=str(file),
            expected="the model file of opensim-models by that name",
            found="no file",
            fix="name the folder of model files with --models DIR",
        )
    return Case(name, file, with_sensors(read_model(file)))


def with_sensors(model: Model) -> Model:
    """Return the model with seven IMUs at body origins, and a heel and a toe sphere on each foot."""
    spheres = tuple(
        ContactSphere(f"{place}_{side}", f"calcn_{side}", location, _RADIUS_M)
        for side in "rl"
        for place, location in _FOOT_POINTS.items()
    )
    imus = tuple(ImuFrame(f"{body}_imu", body, (0.0, 0.0, 0.0), _IDENTITY) for body in _SENSED)
    return replace(model, contact_spheres=spheres, imu_frames=imus)
