"""Joint moments of a motion under its loads: OpenSim's InverseDynamicsTool on files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from casadi_dynamics.disk_cache import load_or_make
from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.remembered import answer_key
from casadi_dynamics.opensim_process.temporary import temporary_folder
from sspinn_opensim.dynamics.trial import inside
from sspinn_opensim.opensim_io.progress import Progress
from sspinn_opensim.opensim_io.tables.external_loads import read_external_loads
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.opensim_io.worker.tools import inverse_dynamics
from sspinn_opensim.results.folder import ResultsFolder

_TIMEOUT_S, _TIMEOUT_PER_FRAME_S = 120.0, 0.5


def joint_moments(
    model: Path,
    kinematics: Path,
    external_loads: Path | None,
    window: tuple[float, float],
    lowpass_hz: float,
) -> Table:
    """Return what drives every coordinate: ``<coordinate>_moment`` (N m) or ``<coordinate>_force`` (N).

    Muscles and actuators do not act; springs of the model do, and its contact where it is on.

    Parameters
    ----------
    model : Path
        ``.osim`` file.
    kinematics : Path
        Its coordinates, ``.mot`` or ``.sto``.
    external_loads : Path or None
        ExternalLoads file whose data cover the window.
    window : (float, float)
        From and to, s.
    lowpass_hz : float
        Cut-off of the tool's filter on the coordinates, Hz; 0 or less filters nothing.

    Raises
    ------
    InputError
        The tool fails, or leaves out frames.
    """
    with temporary_folder("inverse_dynamics") as folder:
        output = Path(folder, ResultsFolder.inverse_dynamics.name)
        arguments = {
            "model": model,
            "kinematics": kinematics,
            "external_loads": str(external_loads.absolute()) if external_loads else "",
            "output": output,
            "from_s": window[0],
            "to_s": window[1],
            "lowpass_hz": lowpass_hz if lowpass_hz > 0 else -1.0,
        }

        def ask() -> bytes:
            motion = read_storage(kinematics)
            watch = Progress("inverse dynamics", int(inside(motion.time_s, *window).sum()))
            run_job(inverse_dynamics, arguments, timeout_s=timeout_s(motion), outputs=[output], watch=watch)
            return output.read_bytes()

        reads = [model, kinematics]
        if external_loads is not None:
            reads += [external_loads, read_external_loads(external_loads).datafile]
        options = (repr(float(value)) for value in (*window, lowpass_hz))
        output.write_bytes(load_or_make(answer_key(inverse_dynamics, reads, *options), ask))
        return whole(read_storage(output), window, kinematics)


def timeout_s(motion: Table) -> float:
    """Return how long inverse dynamics of a motion may take, s."""
    return _TIMEOUT_S + _TIMEOUT_PER_FRAME_S * len(motion.time_s)


def whole(moments: Table, window: tuple[float, float], where: Path) -> Table:
    """Return moments as a table of this project; refuse one that does not reach from end to end.

    Raises
    ------
    InputError
        Frames are missing at an end of the window.
    """
    step = (window[1] - window[0]) / max(len(moments.time_s) - 1, 1)
    if moments.time_s[0] > window[0] + 1.5 * step or moments.time_s[-1] < window[1] - 1.5 * step:
        raise InputError(
            "Frames are missing in OpenSim's inverse dynamics.",
            where=str(where),
            expected=f"{window[0]:.3f} to {window[1]:.3f} s",
            found=f"{moments.time_s[0]:.3f} to {moments.time_s[-1]:.3f} s",
        )
    return dataclasses.replace(moments, in_degrees=False, header="inverse dynamics")
