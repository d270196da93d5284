"""A prepared set-up of static optimization, solved here instead of in OpenSim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.path_fits import OtherModelError, PathFit, dump_fits, fits_file, read_fits
from casadi_dynamics.osim import read_model
from sspinn_opensim.files import sha256, write_atomically
from sspinn_opensim.muscles.solver import MuscleSolver
from sspinn_opensim.opensim_io.model.path_fits import fit_wrapped_paths
from sspinn_opensim.opensim_io.static_optimization.setup import Settings
from sspinn_opensim.opensim_io.static_optimization.setup_file import Setup
from sspinn_opensim.opensim_io.static_optimization.solution import Solution
from sspinn_opensim.opensim_io.tables.storage import write_storage
from sspinn_opensim.results.folder import ResultsFolder

#: Share of frames beyond the range of a fit from which on it is worth a word.
_WORTH_A_WORD = 0.01


class FastOptimizer:
    """Solves the set-ups of one or more trials; trials of one model share what is compiled for it.

    Parameters
    ----------
    settings : Settings
        With which the set-ups were prepared.
    stores : sequence of Path
        Folders that may hold fits of wrapped muscles (``<name of the model>.paths.json``); fits that are made
        here are stored in the first.
    say : callable
        Told, as a sentence, what takes long and what is less than exact.
    """

    def __init__(self, settings: Settings, stores: Sequence[Path], say: Callable[[str], object]) -> None:
        self._settings, self._stores, self._say = settings, tuple(stores), say
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
        beyond = {k: v for k, v in solver.beyond_fits(trial).items() if v > _WORTH_A_WORD}
        if beyond:
            worst = max(beyond, key=beyond.get)
            self._say(
                f"note: {len(beyond)} wrapped muscles leave the range their paths were fitted in, "
                f"{worst} in {beyond[worst]:.0%} of the frames; compare with OpenSim's (without --fast)"
            )
        return solution

    def _solver(self, setup: Setup) -> MuscleSolver:
        files = (setup.model, *setup.actuators)
        key = " ".join(map(sha256, files))
        if key not in self._solvers:
            self._solvers[key] = MuscleSolver(
                setup.model, actuators=setup.actuators, fits=self._fits(setup), settings=self._settings
            )
        return self._solvers[key]

    def _fits(self, setup: Setup) -> tuple[PathFit, ...]:
        """Return the fits of the wrapped muscles: stored ones of the same model, or new ones."""
        subject = ResultsFolder(setup.model.parent).subject
        file = subject if subject.is_file() else setup.model
        model = read_model(file)
        wrapped = sum(bool(muscle.path.wraps) for muscle in model.muscles)
        if not wrapped:
            return ()
        damaged = []
        for stored in (
            file for store in self._stores for file in sorted(store.glob(ResultsFolder.path_fits.name))
        ):
            try:
                fits = read_fits(stored, model)
            except OtherModelError:
                self._say(f"note: {stored.name} holds the muscle paths of another model")
            except InputError as error:
                damaged.append(error)
            else:
                for error in damaged:
                    self._say(f"note: {error.what} ({error.where}: {error.found})")
                return fits
        if damaged:  # fitting anew would take minutes, and the file would stay
            raise damaged[0]
        target = fits_file(self._stores[0] / file.name)
        self._say(f"fitting {wrapped} muscles that wrap around surfaces, once for this model: minutes")
        fits = fit_wrapped_paths(file, model)
        write_atomically(target, dump_fits(model, fits))
        return fits
