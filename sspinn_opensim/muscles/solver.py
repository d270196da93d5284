"""Static optimization of whole trials: frame for frame that of OpenSim, on compiled functions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import BodyFunctions, build
from casadi_dynamics.symbolic.constraints import independent_coordinates
from sspinn_opensim.dynamics.inverse_dynamics import LoadedMotion
from sspinn_opensim.muscles.capacity import Capacity
from sspinn_opensim.muscles.demand import Demand, DemandFunction
from sspinn_opensim.muscles.program import LoadSharing, Program, share
from sspinn_opensim.muscles.trial import read_trial
from sspinn_opensim.opensim_io.model.model_file import coordinate_facts, read_model_tree
from sspinn_opensim.opensim_io.model.muscle_laws import read_actuators, read_muscle_laws
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings
from sspinn_opensim.opensim_io.static_optimization.solution import Solution
from sspinn_opensim.opensim_io.tables.storage import Table

METHOD = "static optimization on compiled functions"
#: Frames whose lever arms are in memory at a time.
_BLOCK = 1024


class MuscleSolver:
    """Static optimization for one model, prepared once for any number of trials.

    The sum of the activations of all muscles, and of the controls of all coordinate actuators, to a power is
    least, while together they give the forces of inverse dynamics along every free coordinate. Tendons are
    rigid and passive fibres give nothing.

    Parameters
    ----------
    model_file : Path
        Model whose ForceSet holds the muscles; contact forces that act in it act here as well.
    actuators : sequence of Path
        Files of added forces, such as reserves and residuals.
    settings : Settings, optional
        Physiology, exponent and filter; an active-set method needs no criterion to stop at.

    Raises
    ------
    InputError
        If the model or the actuators cannot be used, or force is to depend on length and velocity by curves
        that are not known here.
    """

    def __init__(
        self, model_file: Path, *, actuators: Sequence[Path] = (), settings: Settings | None = None
    ) -> None:
        self._file, self._settings = Path(model_file), settings or Settings()
        tree = read_model_tree(self._file)
        self._model = read_model(self._file)
        self._laws = read_muscle_laws(self._file)
        self._actuators = read_actuators(self._file, actuators)
        self._capacity = Capacity(self._laws, self._settings.physiology)
        facts = coordinate_facts(tree)
        self._free = tuple(fact.name for fact in facts if fact.is_free)
        self._crossed = tuple(fact.name for fact in facts if fact.is_free and fact.spanned_by_muscle)
        self._locked = {fact.name for fact in facts if fact.locked}
        self._check_actuators()
        self._check_coordinates()
        self._demands: dict[tuple[str, ...], DemandFunction] = {}

    @cached_property
    def _functions(self) -> BodyFunctions:
        return build(self._model)

    @property
    def muscles(self) -> tuple[str, ...]:
        """Names of the muscles that act."""
        return tuple(law.name for law in self._laws)

    @property
    def actuators(self) -> tuple[str, ...]:
        """Names of the coordinate actuators."""
        return tuple(actuator.name for actuator in self._actuators)

    @property
    def driven(self) -> tuple[str, ...]:
        """The coordinate of each actuator."""
        return tuple(actuator.coordinate for actuator in self._actuators)

    @property
    def free(self) -> tuple[str, ...]:
        """Coordinates along which muscles and actuators give what the motion takes."""
        return self._free

    @property
    def crossed(self) -> tuple[str, ...]:
        """Those of them that some muscle crosses."""
        return self._crossed

    @property
    def coordinates(self) -> tuple[str, ...]:
        """All coordinates of the model, in its order."""
        return self._model.coordinate_names

    @property
    def max_isometric_force(self) -> np.ndarray:
        """Of each muscle, N."""
        return np.array([law.max_isometric_force for law in self._laws])

    def solve(
        self, motion: Path, external_loads: Path | None = None, window: tuple[float, float] | None = None
    ) -> Solution:
        """Return the muscle forces of a trial.

        Parameters
        ----------
        motion : Path
            ``.mot`` or ``.sto`` file of the coordinates, filtered here.
        external_loads : Path, optional
            ExternalLoads file whose data cover the window.
        window : (float, float), optional
            From and to, s; by default the whole motion.

        Raises
        ------
        InputError
            If a file cannot be used, a free coordinate has no column, or some value is not a finite number.
        """
        return self.distribute(self.read(motion, external_loads, window))

    def distribute(self, trial: LoadedMotion) -> Solution:
        """Return the muscle forces of a trial that was read."""
        start = time.monotonic()
        parts = [self._solve(trial, slice(i, i + _BLOCK)) for i in range(0, len(trial.time_s), _BLOCK)]
        strength, shares = (np.concatenate(x) for x in zip(*((s, r.controls) for s, r in parts), strict=True))
        muscles, exponent = len(self._laws), self._settings.activation_exponent
        force = strength * shares
        return Solution(
            muscles=self.muscles,
            time_s=trial.time_s,
            forces=force[:, :muscles],
            activations=shares[:, :muscles],
            actuation={a.name: force[:, muscles + i] for i, a in enumerate(self._actuators)},
            failed=~np.concatenate([part.solved for _, part in parts]),
            violation=np.full(len(trial.time_s), np.nan),
            objective=(np.abs(shares) ** exponent).sum(axis=1),
            method=METHOD,
            wall_s=time.monotonic() - start,
        )

    def read(
        self, motion: Path, external_loads: Path | None = None, window: tuple[float, float] | None = None
    ) -> LoadedMotion:
        """Return the states of a trial; parameters and errors as those of `solve`."""
        return read_trial(
            self._functions,
            Path(motion),
            external_loads,
            free=self._free,
            locked=self._locked,
            lowpass_hz=self._settings.lowpass_hz,
            window=window,
        )

    def opensims_tables(self, solution: Solution) -> dict[str, Table]:
        """Return the tables that OpenSim would write, by kind: ``force`` (N, N m) and ``activation``."""
        force = np.column_stack([solution.forces, *solution.actuation.values()])
        controls = [solution.actuation[a.name] / (a.optimal_force or np.inf) for a in self._actuators]
        activation = np.column_stack([solution.activations, *controls])
        names = (*solution.muscles, *solution.actuation)
        return {
            kind: Table(names, solution.time_s, values, False, f"static optimization {title}")
            for kind, title, values in (("force", "forces", force), ("activation", "activations", activation))
        }

    def demand(self, trial: LoadedMotion, frames: slice = slice(None)) -> Demand:
        """Return what the frames of a trial take."""
        if trial.loaded not in self._demands:
            self._demands[trial.loaded] = self._demand_function(trial.loaded)
        loads = {name: value[frames] for name, value in trial.loads.items()}
        return self._demands[trial.loaded](trial.q[frames], trial.u[frames], trial.udot[frames], loads)

    def frame_demand(self) -> DemandFunction:
        """Return the function of postures and rates, for frames whose joint moments are known."""
        return self._demand_function(None)

    def at_rest(self, q: np.ndarray) -> np.ndarray:
        """Return coordinates (N, n) with those that the model locks where it locks them."""
        q = q.copy()
        for i, coordinate in enumerate(self._model.coordinates):
            if coordinate.name in self._locked:
                q[:, i] = coordinate.default
        return q

    def strength(self, demand: Demand) -> np.ndarray:
        """Return the force (N or N m) of every muscle and actuator at control 1, (N, m + k)."""
        optimal = np.array([actuator.optimal_force for actuator in self._actuators])
        active = self._capacity(demand.length, demand.speed)
        return np.hstack([active, np.broadcast_to(optimal, (len(active), len(optimal)))])

    def share(self, demand: Demand, strength: np.ndarray) -> LoadSharing:
        """Distribute what is demanded."""
        exponent = self._settings.activation_exponent
        return share(demand.arms * strength[:, None, :], demand.tau, *self._bounds, exponent)

    def program(self) -> Program:
        """Return the program that distributes one frame after the other."""
        return Program(len(self._free), *self._bounds, self._settings.activation_exponent)

    @property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        actors = (*self._laws, *self._actuators)
        lower, upper = (np.array([getattr(a, f"{end}_control") for a in actors]) for end in ("min", "max"))
        return lower, upper

    def _demand_function(self, loaded: tuple[str, ...] | None) -> DemandFunction:
        return DemandFunction(self._model, self._free, self.muscles, self.driven, loaded)

    def _solve(self, trial: LoadedMotion, frames: slice) -> tuple[np.ndarray, LoadSharing]:
        demand = self.demand(trial, frames)
        strength = self.strength(demand)
        return strength, self.share(demand, strength)

    def _check_coordinates(self) -> None:
        held = {*self._free, *self._locked}
        prescribed = [name for name in independent_coordinates(self._model) if name not in held]
        if prescribed:
            raise InputError(
                f"the coordinate '{prescribed[0]}' follows a function of time",
                where=str(self._file),
                expected="coordinates that are free, locked or coupled",
                found=f"{len(prescribed)} prescribed",
                fix="set its <prescribed> to false, or let OpenSim solve",
            )

    def _check_actuators(self) -> None:
        names = self._model.coordinate_names
        for actuator in self._actuators:
            if actuator.coordinate not in names:
                raise InputError(
                    f"the actuator '{actuator.name}' drives a coordinate that the model does not have",
                    where=str(self._file),
                    expected=f"one of {', '.join(names)}",
                    found=actuator.coordinate,
                    fix=nearest(actuator.coordinate, names) or "prepare the actuators for this model",
                )


def fast_muscle_forces(
    model_file: Path,
    motion: Path,
    external_loads: Path | None,
    settings: Settings | None = None,
    *,
    actuators: Sequence[Path] = (),
    window: tuple[float, float] | None = None,
) -> Solution:
    """Return the muscle forces of one trial; see `MuscleSolver`, which serves several trials of a model."""
    solver = MuscleSolver(model_file, actuators=actuators, settings=settings)
    return solver.solve(motion, external_loads, window)
