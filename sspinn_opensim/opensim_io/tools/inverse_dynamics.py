"""OpenSim's inverse dynamics of a folder: set-up, checks, run.

The set-up names files beside itself, so the folder can be moved and the GUI loads it. The model's own contact
is off in it, and so are external and prescribed forces that it was saved with: ground forces come from the
external loads, and would otherwise act twice, without a word.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.temporary import temporary_folder
from sspinn_opensim.dynamics.trial import USUAL_LOWPASS_HZ, inside
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.model.model_file import (
    active_ground_forces,
    coordinate_facts,
    read_model_tree,
    switch_ground_forces_off,
    write_model_tree,
)
from sspinn_opensim.opensim_io.progress import Progress
from sspinn_opensim.opensim_io.tables.external_loads import read_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import moment_columns
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.opensim_io.tools.tool_setup import ToolInputs, inverse_dynamics_setup
from sspinn_opensim.opensim_io.trials import load_checks, motion_checks
from sspinn_opensim.opensim_io.trials.joint_moments import timeout_s, whole
from sspinn_opensim.opensim_io.trials.survey import Survey, survey
from sspinn_opensim.opensim_io.worker.tools import run_inverse_dynamics
from sspinn_opensim.results.folder import ResultsFolder


@dataclasses.dataclass(frozen=True)
class InverseDynamics:
    """What OpenSim's inverse dynamics gave.

    Parameters
    ----------
    trial : ToolInputs
        What was analysed.
    survey : Survey
        The motion and its loads, in the analysed part.
    moments : Table
        The tool's output: ``<coordinate>_moment`` (N m) or ``<coordinate>_force`` (N).
    filtered : Table or None
        The coordinates as the tool filtered them, in the unit of their file, beyond the part at both ends.
    """

    trial: ToolInputs
    survey: Survey
    moments: Table
    filtered: Table | None
    warnings: tuple[str, ...]

    def tau(self, coordinate: str) -> np.ndarray:
        """Return the generalized force of a coordinate, shape (n,), N m or N."""
        return self.moments.column(moment_columns([coordinate], [self.survey.motions[coordinate]])[0])


def prepare(
    folder: Path,
    *,
    external_loads: str = ResultsFolder.external_loads.name,
    window: tuple[float, float] | None = None,
    lowpass_hz: float = USUAL_LOWPASS_HZ,
) -> ToolInputs:
    """Write the set-up file, and a model without ground forces of its own where it has some.

    Parameters
    ----------
    folder : Path
        With `subject.osim` and `kinematics.mot`.
    external_loads : str
        File in it; empty: none.
    window : (float, float), optional
        From and to, s; by default the motion where the loads cover it, less the margin of the filter.
    lowpass_hz : float
        Cut-off of OpenSim's filter on the coordinates, Hz; 0 or less filters nothing.

    Returns
    -------
    ToolInputs
        What the set-up says.

    Raises
    ------
    InputError
        A file cannot be read, or no time is left to analyse.
    """
    folder, files = Path(folder), ResultsFolder(folder)
    tree = read_model_tree(files.subject)
    motion = read_storage(files.kinematics)
    names = ResultsFolder.subject.name, ResultsFolder.kinematics.name
    trial = ToolInputs(*names, external_loads, 0.0, 0.0, lowpass_hz)
    if window is None:
        window = float(motion.time_s[0] + trial.margin_s), float(motion.time_s[-1] - trial.margin_s)
        if external_loads:
            known_s = read_external_loads(folder / external_loads).time_s
            window = max(window[0], float(known_s[0])), min(window[1], float(known_s[-1]))
    if not window[0] < window[1]:
        raise InputError(
            "no time is left to analyse",
            where=str(files.kinematics),
            expected=f"more than {2 * trial.margin_s:g} s of motion, covered by the external loads",
            found=f"from {window[0]:g} s to {window[1]:g} s",
            fix="give a longer trial or another part of it",
        )
    if active_ground_forces(tree):
        switch_ground_forces_off(tree)
        write_model_tree(files.inverse_dynamics_model, tree)
        trial = dataclasses.replace(trial, model=ResultsFolder.inverse_dynamics_model.name)
    trial = dataclasses.replace(trial, from_s=window[0], to_s=window[1])
    write_atomically(files.inverse_dynamics_setup, inverse_dynamics_setup(trial, files.inverse_dynamics.name))
    return trial


def run(folder: Path, trial: ToolInputs) -> InverseDynamics:
    """Check the inputs and run the set-up that `prepare` wrote; writes `inverse_dynamics.sto`.

    Raises
    ------
    InputError
        An input would lead to wrong moments without a word from OpenSim, or the job failed.
    """
    folder = Path(folder)
    seen, warnings = checked(folder, trial)
    motion, files = read_storage(folder / trial.kinematics), ResultsFolder(folder)
    setup, output = files.inverse_dynamics_setup, files.inverse_dynamics
    with temporary_folder("inverse_dynamics") as temporary:
        filtered = Path(temporary, "coordinates.npz")
        run_job(
            run_inverse_dynamics,
            {"setup": setup, "output": output, "coordinates": filtered},
            timeout_s=timeout_s(motion),
            outputs=[output, filtered],
            watch=Progress("inverse dynamics", int(inside(motion.time_s, trial.from_s, trial.to_s).sum())),
        )
        with np.load(filtered, allow_pickle=False) as file:
            names, time_s, values = tuple(file["names"].tolist()), file["time_s"], file["values"]
    coordinates = Table(names, time_s, values, motion.in_degrees, "filtered coordinates")
    moments = whole(read_storage(output), (trial.from_s, trial.to_s), output)
    return InverseDynamics(trial, seen, moments, coordinates, warnings)


def checked(folder: Path, trial: ToolInputs) -> tuple[Survey, tuple[str, ...]]:
    """Return the survey of a trial in a folder, and what is doubtful about it.

    Raises
    ------
    InputError
        An input would lead to wrong moments without a word from OpenSim.
    """
    facts = coordinate_facts(read_model_tree(folder / trial.model))
    motion = folder / trial.kinematics
    table = read_storage(motion)
    motion_checks.check_columns(table, facts, str(motion))
    window = trial.from_s, trial.to_s
    motion_checks.check_covers(table.time_s, window, trial.margin_s, "the motion", motion)
    loads = None
    if trial.external_loads:
        loads = read_external_loads(folder / trial.external_loads)
        motion_checks.check_covers(loads.time_s, window, 0.0, "the ground force", loads.datafile)
    seen = survey(folder / trial.model, table, loads, lowpass_hz=trial.lowpass_hz, window=window)
    warnings = motion_checks.check_motion(
        seen,
        table,
        facts,
        str(motion),
        lowpass_hz=trial.lowpass_hz,
        noise_matters=trial.lowpass_hz > 0,
    )
    if loads is not None:
        load_checks.check_columns(loads, seen.bodies, str(folder / trial.external_loads))
        warnings += load_checks.check_loads(seen, loads)
    return seen, tuple(warnings)
