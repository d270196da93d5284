"""Columns of ground forces under names that do not depend on the laboratory: by side of the body."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, InputWarning
from casadi_dynamics.input_files import MOST_XML_BYTES
from sspinn_opensim.anatomy import SIDES, side_of
from sspinn_opensim.opensim_io.tables.external_loads import ExternalLoads, read_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import force_columns

_PART = re.compile(r"(?P<what>force|torque|moment)_?(?P<part>[vp]?)(?P<axis>[xyz])")


def by_side(columns: Mapping[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """Rename columns to ``right_ground_force_vx`` and the like, where the side is known.

    The side comes from an ExternalLoads file beside the table that names it (one that cannot be used is said
    in an `InputWarning`), else from an ``r`` or ``l`` in the label. Labels stay where it cannot be known, or
    where two forces act on one side.

    Parameters
    ----------
    columns : mapping
        By label.
    path : Path
        The table.
    """
    prefixes = _prefixes(path)
    renamed = {label: _from_loads(label, prefixes) or _from_label(label) or label for label in columns}
    if len(set(renamed.values())) < len(renamed):
        return dict(columns)
    return {renamed[label]: values for label, values in columns.items()}


def _prefixes(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
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
        for force in loads.forces:
            names = force_columns(SIDES.get(side_of(force.body), force.body))
            given = (force.force_prefix, force.point_prefix, force.torque_prefix)
            found |= {prefix: name for prefix, name in zip(given, names, strict=True) if prefix}
    return found


def _from_loads(label: str, prefixes: Mapping[str, str]) -> str:
    return prefixes[label[:-1]] + label[-1] if label[:-1] in prefixes else ""


def _from_label(label: str) -> str:
    words = [word for word in label.split("_") if word.lower() not in SIDES]
    side, part = SIDES.get(side_of(label)), _PART.fullmatch("_".join(words[-2:]))
    if side is None or part is None:
        return ""
    force, point, torque = force_columns(side)
    if part["what"] == "force":
        return {"p": point, "v": force, "": force}[part["part"]] + part["axis"]
    return "" if part["part"] else torque + part["axis"]
