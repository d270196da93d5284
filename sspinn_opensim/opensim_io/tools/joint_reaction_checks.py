"""Checks before OpenSim's joint reaction analysis runs: its joints and the forces it applies."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.opensim_io.documents import child_text, read_document
from sspinn_opensim.opensim_io.model.model_file import coordinate_facts, read_model_tree
from sspinn_opensim.opensim_io.tables.storage import Table
from sspinn_opensim.opensim_io.tools.tool_setup import ToolInputs
from sspinn_opensim.opensim_io.trials.survey import Survey

#: What the motion needs and what the forces give may differ by this part of the body weight (times 1 m for
#: moments). Static optimization and the survey filter and differentiate alike: they differ by digits.
_LARGEST_DISAGREEMENT_BW = 0.005


@dataclasses.dataclass(frozen=True)
class Choices:
    """Which reactions are wanted, and how they are expressed.

    Parameters
    ----------
    joints : tuple of str
        Empty for all joints of the model.
    on : str
        ``child`` or ``parent``: the body the reaction acts on.
    expressed_in : str
        ``child``, ``parent``, ``ground`` or a body.
    """

    joints: tuple[str, ...] = ()
    on: str = "child"
    expressed_in: str = "child"


def check_choices(choices: Choices, joints: dict[str, list[str]], model: Path) -> None:
    """Refuse joints, bodies and axes that the model does not have."""
    for name in choices.joints:
        if name not in joints:
            raise InputError(
                f"the model has no joint '{name}'",
                where=str(model),
                expected=", ".join(joints),
                fix=nearest(name, joints) or "OpenSim would leave it out in silence",
            )
    bodies = {body for pair in joints.values() for body in pair}
    for what, value, known in (
        ("on", choices.on, {"child", "parent"}),
        ("in", choices.expressed_in, {"child", "parent", "ground"} | bodies),
    ):
        if value not in known:
            raise InputError(
                f"joint reactions cannot be given {what} '{value}'",
                expected=", ".join(sorted(known)),
                found=value,
                fix=nearest(value, known),
            )


def of_actuators(forces: Table, actuators: Sequence[str], path: Path) -> Table:
    """Return the columns of the actuators alone, in their order; refuse a table that lacks one."""
    missing = [name for name in actuators if name not in forces.names]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(actuators)} actuators have no force: {', '.join(missing[:6])}",
            where=str(path),
            expected="a column for every muscle and actuator of the model",
            fix="give the complete force file of static optimization, with the same model and actuators: "
            "OpenSim would let every muscle act as at rest",
        )
    values = np.column_stack([forces.column(name) for name in actuators])
    return Table(tuple(actuators), forces.time_s, values, False, "actuator forces")


def check_frames(forces: Table, motion: Table, window: tuple[float, float], path: Path) -> None:
    """Refuse forces that are not given for every frame."""
    step = (motion.time_s[-1] - motion.time_s[0]) / max(len(motion.time_s) - 1, 1)
    gaps = np.diff(forces.time_s)
    if window[0] >= window[1] or (gaps.size and gaps.max() > 1.5 * step):
        raise InputError(
            "the muscle forces do not cover the frames of the motion",
            where=str(path),
            expected=f"a force every {step:.4g} s",
            found=f"{len(forces.time_s)} from {forces.time_s[0]:.3f} to {forces.time_s[-1]:.3f} s"
            + (f", {gaps.max():.4g} s apart" if gaps.size else ""),
            fix="run static optimization on every frame: OpenSim would draw straight lines between them",
        )


def check_belongs(folder: Path, setup: str, trial: ToolInputs, forces: Table, seen: Survey) -> None:
    """Refuse forces whose residuals are not those of this motion and these loads."""
    actuators = _coordinate_actuators(folder, folder / setup, trial)
    for coordinate in coordinate_facts(read_model_tree(folder / trial.model)):
        names = [name for name, of in actuators.items() if of == coordinate.name and name in forces.names]
        if coordinate.spanned_by_muscle or not coordinate.is_free or not names:
            continue
        given = np.sum([forces.column(name) for name in names], axis=0)
        given = np.interp(seen.time_s, forces.time_s, given)
        needed = seen.tau[:, seen.column(coordinate.name)]
        worst = int(np.argmax(np.abs(given - needed)))
        # A moment is measured against the body weight at a lever of 1 m.
        if abs(given[worst] - needed[worst]) > _LARGEST_DISAGREEMENT_BW * seen.body_weight_n:
            unit = "N m" if seen.motions[coordinate.name] == "rotational" else "N"
            raise InputError(
                "the muscle forces were computed for another motion, other ground forces or another filter",
                where=str(folder / setup),
                expected=f"{needed[worst]:.1f} {unit} at '{coordinate.name}', which no muscle crosses, at "
                f"{seen.time_s[worst]:.3f} s",
                found=f"{given[worst]:.1f} {unit}",
                fix="run sspinn muscles again on the present files",
            )


def _coordinate_actuators(folder: Path, setup: Path, trial: ToolInputs) -> dict[str, str]:
    """Return the coordinate of each coordinate actuator, of the model and of the added force sets."""
    tool = read_document(setup, "AnalyzeTool")
    added = child_text(tool, "force_set_files").split()
    trees = [
        read_model_tree(folder / trial.model),
        *(read_document(folder / name, "ForceSet") for name in added),
    ]
    return {
        element.get("name", ""): child_text(element, "coordinate").split("/")[-1]
        for tree in trees
        for element in tree.iter("CoordinateActuator")
    }
