"""Inverse dynamics of whole trials by a model's own functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from casadi_dynamics import compile_numpy
from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.dynamics.trial import SampledMotion, differentiated, loads_at
from sspinn_opensim.opensim_io.tables.external_loads import ExternalLoads, read_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import coordinates_of, with_plain_names
from sspinn_opensim.opensim_io.tables.motion_units import warn_of_unit
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage

_WRENCH = ("force", "point", "torque")
#: Frames that CasADi works on at once: an hour as a whole takes 8 GB.
_PIECE = 4096


@dataclass(frozen=True)
class LoadedMotion:
    """The states of a model over N frames, and what acts on it from outside.

    Attributes
    ----------
    time_s : (N,) ndarray
    q, u, udot : (N, n) ndarray
        Along all coordinates of the model, in its order.
    loads : dict of str to (N, 3 l) ndarray
        ``force``, ``point`` and ``torque`` of each load, in ground; N, m, N m.
    loaded : tuple of str
        The body of each load.
    """

    time_s: np.ndarray
    q: np.ndarray
    u: np.ndarray
    udot: np.ndarray
    loads: dict[str, np.ndarray]
    loaded: tuple[str, ...]

    @property
    def state(self) -> dict[str, np.ndarray]:
        """The inputs `q`, `u` and `udot` of a model's functions."""
        return {"q": self.q, "u": self.u, "udot": self.udot}


def trial_forces(
    functions: BodyFunctions,
    kinematics: Path | Table,
    external_loads: Path | None = None,
    *,
    passive: bool = True,
    lowpass_hz: float = 0.0,
    window: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[np.ndarray, np.ndarray]:
    """Return the generalized forces that drive a recorded motion, as OpenSim's InverseDynamicsTool does.

    A coordinate without a column stays at its default value. Unlike the tool, speeds of Ball and Free joints
    are worked out from the rates of their coordinates.

    Parameters
    ----------
    functions : BodyFunctions
        Of the model, by `casadi_dynamics.symbolic.build`.
    kinematics : Path or Table
        ``.mot`` or ``.sto`` file of coordinates, or what it holds.
    external_loads : Path, optional
        ExternalLoads file whose data cover the times of the motion.
    passive : bool
        Whether the model's own springs, bushings, limits and contact act.
    lowpass_hz : float
        Cut-off of the tool's filter on the coordinates, Hz; 0 filters nothing.
    window : (float, float)
        From and to, s: the frames to evaluate. Those beyond count for the derivatives.

    Returns
    -------
    time_s : (N,) ndarray
    tau : (N, n) ndarray
        In the order of the model's coordinates; N m or N.

    Raises
    ------
    InputError
        If a file cannot be used, or the loads do not cover the motion or name a body that the model lacks.
    """
    table = kinematics if isinstance(kinematics, Table) else read_storage(kinematics)
    motion = differentiated(table.time_s, coordinate_values(functions.tree.model, table), lowpass_hz, window)
    trial = loaded_motion(functions, motion, external_loads)
    return trial.time_s, inverse_dynamics(functions, trial, passive=passive)


def inverse_dynamics(functions: BodyFunctions, trial: LoadedMotion, *, passive: bool) -> np.ndarray:
    """Return the generalized forces (N, n) that drive a motion under its loads, N m or N.

    Parameters
    ----------
    functions : BodyFunctions
        Of the model.
    trial : LoadedMotion
        Its states and loads.
    passive : bool
        Whether the model's own springs, bushings, limits and contact act.
    """
    dynamics = compile_numpy(functions.inverse_dynamics(trial.loaded))
    loads = trial.loads if trial.loaded else {}
    tau = dynamics(**trial.state, **loads, parameters=functions.parameters)["tau"]
    if passive and functions.forces:
        for first in range(0, len(tau), _PIECE):
            part = slice(first, first + _PIECE)
            state = {name: values[part] for name, values in trial.state.items()}
            tau[part] -= functions.at("passive_forces", **state)["total"]
    return tau


def on_independent(functions: BodyFunctions, q: np.ndarray, tau: np.ndarray) -> dict[str, np.ndarray]:
    """Return the forces on each independent coordinate that do the work of those on all.

    What drives a coordinate that follows another by a coupler is passed on to the one that it follows.

    Parameters
    ----------
    functions : BodyFunctions
        Of the model.
    q, tau : (N, n) ndarray
        Coordinates, of which the independent ones count, and forces on all; rad, m, N m, N.

    Returns
    -------
    dict of str to (N,) ndarray
        By independent coordinate.
    """
    names, free = functions.independent, [functions.coordinates.index(name) for name in functions.independent]
    if len(free) < len(functions.coordinates):
        still = np.zeros((len(q), len(free)))
        coupled = functions.at(
            "coupling", q_independent=q[:, free], u_independent=still, udot_independent=still
        )
        tau = np.einsum("nij,ni->nj", coupled["C"].reshape(*tau.shape, len(free)), tau)
    return dict(zip(names, tau.T, strict=True))


def loaded_motion(
    functions: BodyFunctions, motion: SampledMotion, external_loads: Path | None
) -> LoadedMotion:
    """Return the states of a motion with the loads of an ExternalLoads file.

    Raises
    ------
    InputError
        If the file cannot be used, does not cover the motion or names a body that the model lacks.
    """
    u, udot = motion.qdot, motion.qddot
    if any(joint.speeds != "rates" for joint in functions.tree.model.joints):
        moved = functions.at("speeds", q=motion.q, qdot=motion.qdot, qddot=motion.qddot)
        u, udot = moved["u"], moved["udot"]
    loads = read_external_loads(external_loads) if external_loads else ExternalLoads((), Path())
    wrenches = external_wrenches(functions, loads, motion.time_s, {"q": motion.q, "u": u, "udot": udot})
    bodies = tuple(load.body for load in loads.forces)
    return LoadedMotion(motion.time_s, motion.q, u, udot, wrenches, bodies)


def coordinate_values(model: Model, table: Table) -> np.ndarray:
    """Return the coordinates (N, n) of a table in rad and m; those without a column are at their default.

    Raises
    ------
    InputError
        If the table holds no coordinate of the model, or does not say whether it is in degrees.
    """
    table = with_plain_names(table)
    warn_of_unit(table, model, table.header)
    known = [c for c in model.coordinates if c.name in table.names]
    if not known:
        raise InputError(
            "The table holds no coordinate of the model.",
            where=f"table '{table.header}', model '{model.name}'",
            expected=f"columns such as {model.coordinates[0].name}" if model.coordinates else "coordinates",
            found=", ".join(table.names[:8]),
            fix="use the kinematics of this model",
        )
    values = np.tile([c.default for c in model.coordinates], (len(table.time_s), 1)).astype(float)
    places = [model.coordinates.index(c) for c in known]
    values[:, places] = coordinates_of(table, [c.name for c in known], [c.motion for c in known])
    return values


def external_wrenches(
    functions: BodyFunctions,
    loads: ExternalLoads,
    time_s: np.ndarray,
    state: Mapping[str, np.ndarray],
    late_s: float = 0.0,
) -> dict[str, np.ndarray]:
    """Return force, point and torque of external loads at the times of a motion, in ground.

    Parameters
    ----------
    functions : BodyFunctions
        Of the model.
    loads : ExternalLoads
        None of them where nothing acts.
    time_s : (N,) ndarray
        Times of the motion, s.
    state : mapping of str to (N, n) ndarray
        `q`, `u` and `udot` at these times, for loads that are expressed in the axes of a body.
    late_s : float
        By how much the loads lag behind the motion on the clock of their file, s.

    Returns
    -------
    dict of str to (N, 3 l) ndarray
        ``force``, ``point`` and ``torque``, N, m, N m.

    Raises
    ------
    InputError
        If the loads do not cover the motion, or name a body that the model lacks.
    """
    if not loads.forces:
        return {part: np.zeros((len(time_s), 0)) for part in _WRENCH}
    known_s = loads.time_s - late_s
    if known_s[0] > time_s[0] + 1e-9 or known_s[-1] < time_s[-1] - 1e-9:
        raise InputError(
            "The external loads do not cover the motion.",
            where=str(loads.datafile),
            expected=f"{time_s[0]:g} to {time_s[-1]:g} s",
            found=f"{known_s[0]:g} to {known_s[-1]:g} s",
            fix="cut the motion to the times of the loads",
        )
    given = loads_at(time_s, known_s, loads.vectors.reshape(len(known_s), -1))
    given = given.reshape(len(time_s), len(loads.forces), 3, 3)
    in_ground = all(load.force_frame == load.point_frame == GROUND for load in loads.forces)
    moved = {} if in_ground else functions.at("kinematics", **state)
    for k, load in enumerate(loads.forces):
        for part, frame in enumerate((load.force_frame, load.point_frame, load.force_frame)):
            if frame != GROUND:
                place = functions.bodies.index(functions.tree.model.body(frame).name)
                rotation = moved["rotation"].reshape(len(time_s), -1, 3, 3)[:, place]
                given[:, k, part] = np.einsum("nij,nj->ni", rotation, given[:, k, part])
                if _WRENCH[part] == "point":
                    given[:, k, part] += moved["position"].reshape(len(time_s), -1, 3)[:, place]
    return {part: given[:, :, i].reshape(len(time_s), -1) for i, part in enumerate(_WRENCH)}
