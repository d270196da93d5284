"""Muscle forces of a prepared folder by OpenSim's static optimization, with a verdict on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.files import write_json
from sspinn_opensim.opensim_io.static_optimization import time_slices
from sspinn_opensim.opensim_io.static_optimization.checks import Inputs, check_inputs
from sspinn_opensim.opensim_io.static_optimization.preparation import (
    RESERVE,
    Settings,
    prepare,
    role,
)
from sspinn_opensim.opensim_io.static_optimization.setup_file import (
    Setup,
    read_setup,
)
from sspinn_opensim.opensim_io.static_optimization.solution import Solution
from sspinn_opensim.opensim_io.static_optimization.verdict import Verdict, frames_table, judge
from sspinn_opensim.opensim_io.tables.motion_files import moment_columns
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.opensim_io.trials.joint_moments import joint_moments
from sspinn_opensim.opensim_io.trials.survey import Survey
from sspinn_opensim.results.folder import ResultsFolder

__all__ = ["Settings", "Verdict", "prepare", "run", "write_outcome"]


def run(
    results: Path,
    *,
    workers: int | None = None,
    unit_is_stated: bool = False,
    measured: bool = True,
    seen: Survey | None = None,
    optimizer: Callable[[Setup], Solution] | None = None,
) -> Verdict:
    """Check a prepared folder, run static optimization in it, and judge the outcome.

    Writes what `write_outcome` names beside OpenSim's own tables in the folder ``static_optimization``.

    Parameters
    ----------
    results : Path
        A folder in which `prepare` wrote the set-up. Reserves are compared with its `moments.sto`; where it
        has none, OpenSim's inverse dynamics of the set-up's motion and loads, with the same filter, makes it.
    workers : int, optional
        Processes that share the frames; by default as many as the machine carries.
    unit_is_stated : bool
        A person vouches for the unit of the angles; see `check_inputs`.
    measured : bool
        Motion and forces were measured, not estimated; see `check_inputs`.
    seen : Survey, optional
        Of the same motion, if it has been made; see `check_inputs`.
    optimizer : callable, optional
        Solves the set-up instead of OpenSim.

    Returns
    -------
    Verdict
        Also when the forces are not to be trusted: see `Verdict.ok`.

    Raises
    ------
    InputError
        An input would lead to wrong forces without a word from OpenSim, or a job failed.
    """
    results = Path(results)
    moments = ResultsFolder(results).moments
    setup = read_setup(ResultsFolder(results).static_optimization_setup)
    inputs = check_inputs(setup, unit_is_stated=unit_is_stated, measured=measured, seen=seen)
    if not moments.is_file():
        window = setup.from_s, setup.to_s
        table = joint_moments(setup.model, setup.kinematics, setup.external_loads, window, setup.lowpass_hz)
        write_storage(moments, table)
    peaks = peak_moments(moments, setup, inputs)
    if optimizer is None:
        solution = time_slices.solve(setup, inputs.kinematics.time_s, inputs.muscles, workers=workers)
    else:
        solution = optimizer(setup)
    return write_outcome(results, setup, inputs, peaks, solution)


def write_outcome(
    results: Path, setup: Setup, inputs: Inputs, joint_moments: Mapping[str, float], solution: Solution
) -> Verdict:
    """Judge muscle forces from any optimizer and write them.

    Writes ``muscle_forces.sto`` (N), ``muscle_activations.sto``, ``static_optimization_frames.sto`` (the
    verdict frame by frame) and ``static_optimization.json`` (overall).
    """
    verdict = judge(setup, inputs, dict(joint_moments), solution)
    files = ResultsFolder(results)
    write_storage(files.muscle_forces, solution.forces_table())
    write_storage(files.muscle_activations, solution.activations_table())
    write_storage(files.static_optimization_frames, frames_table(inputs, solution))
    write_json(files.static_optimization_verdict, verdict.to_json())
    return verdict


def peak_moments(path: Path, setup: Setup, inputs: Inputs) -> dict[str, float]:
    """Return the peak moment in the window of each coordinate that muscles drive, N m or N.

    Raises
    ------
    InputError
        The table lacks a column or does not cover the window.
    """
    table = read_storage(path)
    inside = (table.time_s >= setup.from_s) & (table.time_s <= setup.to_s)
    if not inside.any():
        raise InputError(
            "the joint moments do not cover the analysed window",
            where=str(path),
            expected=f"{setup.from_s:.3f} to {setup.to_s:.3f} s",
            found=f"{table.time_s[0]:.3f} to {table.time_s[-1]:.3f} s",
        )
    names = [c.name for c in inputs.coordinates if c.is_free and role(c) == RESERVE]
    columns = moment_columns(names, [inputs.motions[name] for name in names])
    return {
        name: float(np.abs(table.column(column)[inside]).max())
        for name, column in zip(names, columns, strict=True)
    }
