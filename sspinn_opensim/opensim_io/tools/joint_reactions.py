"""Joint contact forces by OpenSim's JointReaction analysis, from the forces of a static optimization.

The analysis says nothing, or no more than a line in its log, and returns wrong loads where an actuator has no
column in its table of forces (all muscles then act as they do at rest), where other columns precede those of
the actuators, where the table ends early, or where motion, ground forces or contact are not those that the
forces were computed for. So the table it gets is written here, from names; and what the motion needs at the
root has to equal the residual actuators.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.model.model_file import active_ground_forces, read_model_tree
from sspinn_opensim.opensim_io.progress import Progress
from sspinn_opensim.opensim_io.static_optimization.setup_file import read_setup
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.opensim_io.tools.joint_reaction_checks import (
    Choices,
    check_belongs,
    check_choices,
    check_frames,
    of_actuators,
)
from sspinn_opensim.opensim_io.tools.tool_setup import TOOL_NAME, ToolInputs, joint_reactions_setup
from sspinn_opensim.opensim_io.trials.survey import Survey
from sspinn_opensim.opensim_io.worker.tools import actuators, joint_reactions
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.read_back import read_verdict
from sspinn_opensim.text import text_table

_TIMEOUT_S, _TIMEOUT_PER_FRAME_S = 120.0, 1.0
#: Contact forces of any joint stay below this in running and jumping, body weights.
_IMPLAUSIBLE_BW = 20.0
_FALLEN_BACK = ("constructed from the states", "was not found in the forces file")


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where a static optimization left what joint reactions need; names relative to its folder.

    Parameters
    ----------
    trial : ToolInputs
        Its model, motion, loads, filter and window.
    actuators : tuple of str
        Force sets it added to the model.
    forces : str
        Forces of all muscles and actuators.
    """

    trial: ToolInputs
    actuators: tuple[str, ...]
    forces: str


@dataclasses.dataclass(frozen=True)
class Reactions:
    """Joint reactions.

    Parameters
    ----------
    table : Table
        ``<joint>_on_<body>_in_<frame>_`` with ``fx fy fz`` (N), ``mx my mz`` (N m), ``px py pz`` (m).
    joints : dict
        By joint: ``on``, ``in``, ``peak_force_n``, ``peak_force_bw``, ``peak_time_s``, ``peak_moment_nm``.
    """

    table: Table
    joints: dict[str, dict]
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        columns = ("", "peak force", "", "at", "peak moment", "on", "in")
        rows = [
            (
                joint,
                f"{peak['peak_force_n']:.0f} N",
                f"{peak['peak_force_bw']:.2f} BW",
                f"{peak['peak_time_s']:.3f} s",
                f"{peak['peak_moment_nm']:.1f} N m",
                peak["on"],
                peak["in"],
            )
            for joint, peak in self.joints.items()
        ]
        return "\n".join(
            [
                text_table(columns, rows),
                *(f"warning: {warning}" for warning in self.warnings),
                "wrote joint_reactions.sto, joint_reactions.json and joint_reactions_setup.xml for the GUI",
            ]
        )


def sources_of(folder: Path) -> Sources:
    """Read from the set-up of a static optimization in a folder what its forces belong to.

    Raises
    ------
    InputError
        There is no set-up, it cannot serve for joint reactions, or its forces are missing.
    """
    folder = Path(folder)
    file = ResultsFolder(folder).static_optimization_setup
    if not file.is_file():
        raise InputError(
            "there are no muscle forces to compute joint reactions from",
            where=str(file),
            fix="run sspinn muscles first",
        )
    setup = read_setup(file)
    if setup.replaces_forces or setup.states:
        raise InputError(
            "joint reactions need the motion of a coordinates file and the muscles of the model",
            where=str(setup.file),
            found="replace_force_set true" if setup.replaces_forces else f"states_file {setup.states}",
            fix="run sspinn muscles again",
        )

    def name(path: Path | None) -> str:
        return os.path.relpath(path, folder) if path else ""

    forces = setup.raw_folder / f"{setup.tool_name}_StaticOptimization_force.sto"
    if not forces.is_file():
        raise InputError(
            "the forces of static optimization are missing", where=str(forces), fix="run sspinn muscles first"
        )
    trial = ToolInputs(
        model=name(setup.model),
        kinematics=name(setup.kinematics),
        external_loads=name(setup.external_loads),
        from_s=setup.from_s,
        to_s=setup.to_s,
        lowpass_hz=setup.lowpass_hz,
    )
    return Sources(trial, tuple(name(file) for file in setup.actuators), name(forces))


def prepare(folder: Path, sources: Sources, choices: Choices) -> ToolInputs:
    """Write the table of actuator forces and the set-up file.

    Returns
    -------
    ToolInputs
        The part of the motion for which there are forces.

    Raises
    ------
    InputError
        An actuator has no force, contact acts in the model besides the external loads, or a joint or body is
        not in the model.
    """
    folder = Path(folder)
    model = folder / sources.trial.model
    if acting := active_ground_forces(read_model_tree(model)):
        raise InputError(
            "contact forces act in the model besides the external loads",
            where=str(model),
            found=", ".join(acting),
            fix="switch them off (appliesForce false), or let sspinn muscles prepare the model",
        )
    files = [str((folder / name).absolute()) for name in sources.actuators]
    known = run_job(actuators, {"model": model, "force_sets": files}, timeout_s=_TIMEOUT_S).values
    if known["unlisted"]:
        raise InputError(
            "actuators outside the ForceSet would act without their forces",
            where=str(model),
            found=", ".join(known["unlisted"]),
            fix="move them to the ForceSet",
        )
    check_choices(choices, known["joints"], model)
    forces = read_storage(folder / sources.forces)
    files = ResultsFolder(folder)
    given = of_actuators(forces, known["actuators"], folder / sources.forces)
    write_storage(files.joint_reactions_forces, given)
    window = (
        max(sources.trial.from_s, float(forces.time_s[0])),
        min(sources.trial.to_s, float(forces.time_s[-1])),
    )
    check_frames(forces, read_storage(folder / sources.trial.kinematics), window, folder / sources.forces)
    trial = dataclasses.replace(sources.trial, from_s=window[0], to_s=window[1])
    setup = joint_reactions_setup(
        trial,
        actuators=sources.actuators,
        forces=files.joint_reactions_forces.name,
        joints=choices.joints or ("ALL",),
        on=choices.on,
        expressed_in=choices.expressed_in,
        folder=files.joint_reactions_tables.name,
    )
    files.joint_reactions.unlink(missing_ok=True)
    files.joint_reactions_peaks.unlink(missing_ok=True)
    shutil.rmtree(files.joint_reactions_tables, ignore_errors=True)
    write_atomically(files.joint_reactions_setup, setup)
    return trial


def run(folder: Path, trial: ToolInputs, seen: Survey) -> Reactions:
    """Run the set-up that `prepare` wrote; writes `joint_reactions.sto`.

    Parameters
    ----------
    trial : ToolInputs
        Of `prepare`.
    seen : Survey
        Of the same motion and loads: what no muscle carries has to be in the forces.

    Raises
    ------
    InputError
        The forces were computed for another motion or other loads; the job failed, or did not use them.
    """
    folder = Path(folder)
    files = ResultsFolder(folder)
    forces = read_storage(files.joint_reactions_forces)
    check_belongs(folder, files.joint_reactions_setup.name, trial, forces, seen)
    raw = files.joint_reactions_tables / f"{TOOL_NAME}_JointReaction_ReactionLoads.sto"
    job = run_job(
        joint_reactions,
        {"setup": files.joint_reactions_setup, "folder": raw.parent},
        timeout_s=_TIMEOUT_S + _TIMEOUT_PER_FRAME_S * len(forces.time_s),
        outputs=[raw],
        watch=Progress("joint reactions", len(forces.time_s)),
    )
    if unused := [line for line in job.log.splitlines() if any(words in line for words in _FALLEN_BACK)]:
        raise InputError(
            "OpenSim did not use the muscle forces",
            where=str(files.joint_reactions_forces),
            found="\n".join(unused),
        )
    table = read_storage(raw)
    table = dataclasses.replace(table, in_degrees=False, header="joint reactions")
    write_storage(files.joint_reactions, table)
    weight = seen.body_weight_n
    joints = {}
    for prefix in dict.fromkeys(name.rsplit("_", 1)[0] for name in table.names):
        joint, _, rest = prefix.partition("_on_")
        on, _, frame = rest.partition("_in_")
        force = np.linalg.norm(np.column_stack([table.column(f"{prefix}_f{x}") for x in "xyz"]), axis=1)
        moment = np.linalg.norm(np.column_stack([table.column(f"{prefix}_m{x}") for x in "xyz"]), axis=1)
        joints[joint] = {
            "on": on,
            "in": frame,
            "peak_force_n": float(force.max()),
            "peak_force_bw": float(force.max() / weight) if weight else 0.0,
            "peak_time_s": float(table.time_s[np.argmax(force)]),
            "peak_moment_nm": float(moment.max()),
        }
    warnings = _of_verdict(folder) + [
        f"the contact force of '{joint}' reaches {peak['peak_force_bw']:.1f} body weights"
        for joint, peak in joints.items()
        if peak["peak_force_bw"] > _IMPLAUSIBLE_BW
    ]
    return Reactions(table, joints, tuple(warnings))


def _of_verdict(folder: Path) -> list[str]:
    """Return why the muscle forces of a folder are not to be trusted."""
    return [f"muscle forces: {why}" for why in read_verdict(ResultsFolder(folder)).get("failures", ())]
