"""OpenSim's inverse dynamics beside the estimate's moments and the converted model's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from casadi_dynamics.simbody_defect import with_defect
from casadi_dynamics.symbolic import BodyFunctions, build
from sspinn_opensim.dynamics.inverse_dynamics import on_independent, trial_forces
from sspinn_opensim.dynamics.moment_table import rows
from sspinn_opensim.opensim_io.model.model_file import coordinate_facts, read_model_tree
from sspinn_opensim.opensim_io.tables.motion_files import moment_columns
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.opensim_io.tools.inverse_dynamics import InverseDynamics
from sspinn_opensim.results.folder import ResultsFolder

OWN = "converted model"


def compared(folder: Path, result: InverseDynamics, moments: Path | None, height_m: float | None):
    """Compare OpenSim's inverse dynamics with the moments of a folder and of the converted model.

    Parameters
    ----------
    result : InverseDynamics
        Of `opensim_io.tools.inverse_dynamics.run` in the folder.
    moments : Path, optional
        Table to compare with; by default `moments.sto` of the folder, if there is one.

    Returns
    -------
    rows : tuple of Row
    sources : tuple of str
        What was compared.
    notes : list of str
    """
    seen, model_file = result.survey, folder / result.trial.model
    expected, sources, notes = {name: result.tau(name) for name in seen.names}, {}, []
    functions = None
    try:
        functions, defect = with_defect(build(read_model(model_file)))
        loads = folder / result.trial.external_loads if result.trial.external_loads else None
        times = result.moments.time_s
        if result.filtered is None:
            raise ValueError("inverse dynamics that are only evaluated keep no filtered coordinates")
        _, tau = trial_forces(functions, result.filtered, loads, window=(times[0], times[-1]))
        sources[OWN] = dict(zip(functions.coordinates, tau.T, strict=True))
        if defect:
            notes.append(
                f"OpenSim's moments hold Simbody's known error in {', '.join(defect)}; for this comparison "
                "it was added to those of the converted model"
            )
    except InputError as error:
        notes.append(f"not compared with the converted model: {error.what}")
    given = moments or (ResultsFolder(folder).moments if ResultsFolder(folder).moments.is_file() else None)
    if given is not None:
        curves = _curves(read_storage(given), result)
        follow = [name for name in seen.dependent if not np.any(np.nan_to_num(curves.get(name, 0.0)))]
        if follow and functions is not None:
            expected = with_couplers(functions, expected, result)
            sources = {name: with_couplers(functions, tau, result) for name, tau in sources.items()}
            notes.append(f"what drives {', '.join(follow)} is counted at the coordinate it follows")
        sources = {given.name: curves} | sources
    rotational = {name: seen.motions[name] == "rotational" for name in seen.names}
    roots = [c.name for c in coordinate_facts(read_model_tree(model_file)) if c.is_root]
    table = rows(expected, sources, rotational, roots, seen.body_weight_n, height_m)
    return table, tuple(sources), notes


def _curves(table: Table, result: InverseDynamics) -> dict[str, np.ndarray]:
    """Return the curves of a table at the frames of inverse dynamics, NaN beyond its ends."""
    time_s, curves = result.moments.time_s, {}
    for name in result.survey.names:
        column = moment_columns([name], [result.survey.motions[name]])[0]
        if column in table.names:
            curves[name] = np.interp(time_s, table.time_s, table.column(column), left=np.nan, right=np.nan)
    return curves


def with_couplers(functions: BodyFunctions, tau: dict[str, np.ndarray], result: InverseDynamics):
    """Return the forces on the independent coordinates that do the work of all; zero on those that follow."""
    seen, times = result.survey, result.moments.time_s
    q = np.column_stack(
        [np.interp(times, seen.time_s, seen.held[:, seen.column(name)]) for name in functions.coordinates]
    )
    whole = np.column_stack([tau[name] for name in functions.coordinates])
    moved = on_independent(functions, q, whole)
    return {name: moved.get(name, np.zeros(len(times))) for name in tau}
