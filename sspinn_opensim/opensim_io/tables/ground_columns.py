"""Columns of ground forces under names that do not depend on the laboratory: by side of the body."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, InputWarning
from casadi_dynamics.input_files import MOST_XML_BYTES
from casadi_dynamics.model.types import GROUND
from sspinn_opensim.anatomy import SIDES, segment_of, side_of
from sspinn_opensim.opensim_io.tables.external_loads import ExternalLoads, read_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import force_columns

_PART = re.compile(r"(?P<what>force|torque|moment)_?(?P<part>[vp]?)(?P<axis>[xyz])")


@dataclass(frozen=True)
class _Force:
    """One force of a table, and whether it can be added to others on its foot."""

    side: str
    name: str
    stated: bool
    adds: bool


def by_side(columns: Mapping[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """Rename columns to ``right_ground_force_vx`` and the like, where the side is known.

    The side comes from an ExternalLoads file beside the table that names it (one that cannot be used is said
    in an `InputWarning`), else from an ``r`` or ``l`` in the label. Several forces on one foot, such as those
    on heel and toes or of several plates, become one: their sum, at the mean of their points weighted by
    their vertical parts (their common centre of pressure), with the torque about it. Labels stay where the
    side cannot be known, or where it is not known that forces of one side act on its foot.

    Parameters
    ----------
    columns : mapping
        By label.
    path : Path
        The table.
    """
    stated = _stated(path)
    sides: dict[str, dict[_Force, dict[str, str]]] = {}
    for label in columns:
        if found := stated.get(label[:-1]) or _of_label(label):
            force, prefix = found
            sides.setdefault(force.side, {}).setdefault(force, {})[prefix + label[-1]] = label
    renamed: dict[str, np.ndarray] = {}
    left = dict(columns)
    for side, forces in sides.items():
        acting = {force: labels for force, labels in forces.items() if force.stated} or forces
        if len(acting) > 1 and not all(force.adds for force in acting):
            continue
        parts = [{name: left.pop(label) for name, label in labels.items()} for labels in acting.values()]
        renamed |= parts[0] if len(parts) == 1 else _together(side, parts)
    return renamed | {label: values for label, values in left.items() if label not in renamed}


def _together(side: str, parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the columns of one force that equals several; without all of their points, no point."""
    force, point, torque = ([prefix + axis for axis in "xyz"] for prefix in force_columns(side))
    shared = [name for name in force if all(name in part for part in parts)]
    found = {name: np.sum([part[name] for part in parts], axis=0) for name in shared}
    if not all(name in part for part in parts for name in force + point):
        return found
    nothing = np.zeros_like(parts[0][force[0]])
    forces, points, torques = (
        np.stack([np.column_stack([part.get(name, nothing) for name in names]) for part in parts])
        for names in (force, point, torque)
    )
    weights = np.maximum(forces[..., 1:2], 0.0)
    total = weights.sum(0)
    weights = np.where(total > 0, weights / np.where(total > 0, total, 1.0), 1 / len(parts))
    middle = (weights * points).sum(0)
    about = (torques + np.cross(points - middle, forces)).sum(0)
    return found | dict(zip(point, middle.T, strict=True)) | dict(zip(torque, about.T, strict=True))


def _stated(path: Path) -> dict[str, tuple[_Force, str]]:
    """Return the forces that loads beside a table state, by the prefixes of columns, and the new prefixes."""
    found: dict[str, tuple[_Force, str]] = {}
    for file in sorted(path.parent.glob("*.xml")):
        if not file.is_file() or file.stat().st_size > MOST_XML_BYTES:
            continue
        content = file.read_bytes()
        if not (b"<ExternalLoads" in content and path.name.encode() in content):
            continue  # another set-up, or loads of another table
        try:
            loads: ExternalLoads = read_external_loads(file)
        except InputError as error:
            warnings.warn(
                f"{file.name} does not tell the sides of the columns of {path.name}: {error.what}",
                InputWarning,
                stacklevel=3,
            )
            continue
        if loads.datafile.name != path.name:
            continue
        for k, force in enumerate(loads.forces):
            segment = segment_of(force.body)
            on_foot = segment is None or segment[0] == "foot"
            side = SIDES.get(side_of(force.body), force.body) if on_foot else force.body
            one = _Force(side, f"{file.name} {k}", True, {force.force_frame, force.point_frame} == {GROUND})
            given = (force.force_prefix, force.point_prefix, force.torque_prefix)
            found |= {old: (one, new) for old, new in zip(given, force_columns(side), strict=True) if old}
    return found


def _of_label(label: str) -> tuple[_Force, str] | None:
    """Return the force that a column belongs to as its label tells, and its new prefix."""
    words = [word for word in label.split("_") if word.lower() not in SIDES]
    side, part = SIDES.get(side_of(label)), _PART.fullmatch("_".join(words[-2:]))
    if side is None or part is None or (part["part"] and part["what"] != "force"):
        return None
    name = "_".join(words[:-2])
    segment = segment_of(name)
    one = _Force(side, name, False, segment is not None and segment[0] == "foot")
    force, point, torque = force_columns(side)
    return one, (point if part["part"] == "p" else force) if part["what"] == "force" else torque
