"""A prepared set-up of static optimization, solved here instead of in OpenSim."""

from __future__ import annotations

from casadi_dynamics.errors import InputError
from sspinn_opensim.files import sha256
from sspinn_opensim.muscles.solver import MuscleSolver
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings
from sspinn_opensim.opensim_io.static_optimization.setup_file import Setup
from sspinn_opensim.opensim_io.static_optimization.solution import Solution
from sspinn_opensim.opensim_io.tables.storage import write_storage


class FastOptimizer:
    """Solves the set-ups of one or more trials; trials of one model share what is compiled for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._solvers: dict[str, MuscleSolver] = {}

    def __call__(self, setup: Setup) -> Solution:
        """Return the muscle forces of a set-up, and write the tables that OpenSim would into its folder.

        Raises
        ------
        InputError
            If the set-up replaces the muscles or takes its motion from a file of states; as `MuscleSolver`.
        """
        if setup.replaces_forces or setup.states:
            raise InputError(
                "this set-up can be run by OpenSim only",
                where=str(setup.file),
                expected="muscles of the model, and a motion from a file of coordinates",
                found="replace_force_set" if setup.replaces_forces else f"states_file {setup.states}",
                fix="prepare the set-up again, or leave out --fast",
            )
        solver = self._solver(setup)
        trial = solver.read(setup.kinematics, setup.external_loads, (setup.from_s, setup.to_s))
        solution = solver.distribute(trial)
        setup.raw_folder.mkdir(parents=True, exist_ok=True)
        for kind, table in solver.opensims_tables(solution).items():
            write_storage(setup.raw_folder / f"{setup.tool_name}_StaticOptimization_{kind}.sto", table)
        return solution

    def _solver(self, setup: Setup) -> MuscleSolver:
        files = (setup.model, *setup.actuators)
        key = " ".join(map(sha256, files))
        if key not in self._solvers:
            self._solvers[key] = MuscleSolver(setup.model, actuators=setup.actuators, settings=self._settings)
        return self._solvers[key]
