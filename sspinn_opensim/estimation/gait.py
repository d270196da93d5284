"""Gait of an estimate: strides from its ground forces, with their values and mean curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sspinn_opensim.anatomy import side_of
from sspinn_opensim.estimation.inference.offline import Estimate, straightened
from sspinn_opensim.files import write_json
from sspinn_opensim.gait import Cycle, StrideValues, find_strides, mean_cycles, measured, summary
from sspinn_opensim.gait.files import write_cycles, write_strides
from sspinn_opensim.gait.spatiotemporal import strikes_of
from sspinn_opensim.gait.strides import Strides
from sspinn_opensim.opensim_io.tables.motion_files import force_columns, moment_columns
from sspinn_opensim.recording import Phase
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.training.coverage import Uncovered
from sspinn_opensim.training.subject import Subject

#: What the numbers of ``spatiotemporal.json`` are in.
UNITS = {
    "cadence_steps_per_min": "steps a minute",
    "..._s": "s",
    "..._m": "m",
    "..._percent": "percent of the stride",
    "symmetry_index_percent": "right above left, percent of their mean",
    "..._sd": "standard deviation over strides",
}


@dataclass(frozen=True)
class Gait:
    """What the strides of an estimate come to.

    Attributes
    ----------
    strides : Strides
        Of both feet.
    values : list of StrideValues
        Of each stride.
    cycles : list of Cycle
        Mean curves of each foot, under the names and in the units of the estimate's files.
    told : dict
        What ``spatiotemporal.json`` holds.
    """

    strides: Strides
    values: list[StrideValues]
    cycles: list[Cycle]
    told: dict[str, Any]


def gait_of(
    estimate: Estimate, subject: Subject, phases: Sequence[Phase], uncovered: Sequence[Uncovered]
) -> Gait:
    """Return the gait of an estimate.

    Parameters
    ----------
    phases : sequence of Phase
        What the person does.
    uncovered : sequence of Uncovered
        Spans in which no stride is looked for.
    """
    time_s, roles = estimate.time_s, subject.roles
    vertical = {
        side: estimate.ground.force[:, feet, 1].sum(axis=1) for side, feet in _feet_by_side(estimate).items()
    }
    gaps = [(span.from_s, span.to_s) for span in uncovered]
    strides = find_strides(time_s, vertical, subject.body_weight, phases, gaps)
    values = measured(
        strides.strides, _places(estimate, subject, strides), sideways=len(roles.steps) == len("xyz")
    )
    told_ahead = straightened(estimate, subject)
    level = [estimate.coordinates[i] for i in roles.steps if i != roles.vertical]
    cycles = mean_cycles(time_s, _curves(told_ahead, subject), strides, from_zero=level)
    told = summary(strides, values) | {
        "units": UNITS,
        "phases": [asdict(phase) for phase in phases],
        "uncovered": [asdict(span) for span in uncovered],
    }
    return Gait(strides, values, cycles, told)


def write_gait(gait: Gait, folder: Path) -> None:
    """Write strides, mean curves and spatiotemporal values into a results folder."""
    files = ResultsFolder(folder)
    write_strides(files.strides, gait.values)
    write_cycles(files.gait_cycles, gait.cycles)
    write_json(files.spatiotemporal, gait.told)


def _feet_by_side(estimate: Estimate) -> dict[str, list[int]]:
    """Return which bodies of the ground forces are of which side; none where a name tells no side."""
    sides = [side_of(foot) for foot in estimate.ground.feet]
    if not all(sides):
        return {}
    return {side: [i for i, own in enumerate(sides) if own == side] for side in sorted(set(sides))}


def _places(
    estimate: Estimate, subject: Subject, strides: Strides
) -> Mapping[str, Mapping[float, np.ndarray]]:
    """Return where each foot is at its strikes: the origin of the first of its bodies that touch ground."""
    functions, feet, found = subject.functions, _feet_by_side(estimate), {}
    for side, at_s in strikes_of(strides.strides).items():
        if not at_s or side not in feet:
            continue
        q = np.column_stack([np.interp(at_s, estimate.time_s, column) for column in estimate.q.T])
        still = np.zeros_like(q)
        moved = functions.at("kinematics", q=q, u=still, udot=still)["position"]
        body = functions.bodies.index(estimate.ground.feet[feet[side][0]])
        found[side] = dict(zip(at_s, moved.reshape(len(q), -1, 3)[:, body], strict=True))
    return found


def _curves(estimate: Estimate, subject: Subject) -> dict[str, np.ndarray]:
    """Return every curve of the estimate's files but points and torques: degrees, m, N m, N."""
    motion = {c.name: c.motion for c in subject.model.coordinates}
    curves = {
        name: np.degrees(column) if motion[name] == "rotational" else column
        for name, column in zip(estimate.coordinates, estimate.q.T, strict=True)
    }
    names = moment_columns(estimate.actuated, [motion[name] for name in estimate.actuated])
    curves |= dict(zip(names, estimate.moments.T, strict=True))
    for k, foot in enumerate(estimate.ground.feet):
        force, _, _ = force_columns(foot)
        curves |= {force + axis: estimate.ground.force[:, k, i] for i, axis in enumerate("xyz")}
    return curves
