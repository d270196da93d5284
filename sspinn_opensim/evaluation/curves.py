"""Angles, moments and ground forces over time, as the files of a results folder hold them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from sspinn_opensim.anatomy import side_of
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.results.folder import ResultsFolder


@dataclass(frozen=True)
class Curves:
    """What was estimated (or supposed) of one movement.

    Attributes
    ----------
    time_s : ndarray, shape (n,)
    angles : mapping of coordinate to ndarray, shape (n,)
        Rotational coordinates, rad.
    moments : mapping of coordinate to ndarray, shape (n,)
        Generalized forces of rotational coordinates, N m, positive along the coordinate.
    ground_force : mapping of 'r' or 'l' to ndarray, shape (n, 3)
        Force of the ground on each foot, N, in ground (x forward, y up, z right).
    """

    time_s: np.ndarray
    angles: Mapping[str, np.ndarray] = field(default_factory=dict)
    moments: Mapping[str, np.ndarray] = field(default_factory=dict)
    ground_force: Mapping[str, np.ndarray] = field(default_factory=dict)

    def angles_at(self, time_s: np.ndarray) -> Curves:
        """Return the angles alone, interpolated linearly at other times, s."""
        angles = {name: np.interp(time_s, self.time_s, angle) for name, angle in self.angles.items()}
        return Curves(time_s=time_s, angles=angles)

    def select(self, frames: np.ndarray | slice) -> Curves:
        """Return the frames picked by a boolean mask, by indices or by a slice, which copies nothing."""
        return replace(
            self,
            time_s=self.time_s[frames],
            angles={name: curve[frames] for name, curve in self.angles.items()},
            moments={name: curve[frames] for name, curve in self.moments.items()},
            ground_force={side: force[frames] for side, force in self.ground_force.items()},
        )


def read_estimate(folder: Path, model: Model) -> Curves:
    """Read ``kinematics.mot``, ``moments.sto`` and ``grf.mot`` of one estimate.

    Parameters
    ----------
    folder : Path
        Where the three files are.
    model : Model
        Says which coordinates are rotational.

    Returns
    -------
    Curves
        On the times of ``kinematics.mot``.

    Raises
    ------
    InputError
        A file is missing or malformed, or the three files have different times.
    """
    files = ResultsFolder(Path(folder))
    kinematics, moments, grf = map(read_storage, files.estimate)
    _refuse_other_times(files.moments, moments.time_s, kinematics.time_s)
    _refuse_other_times(files.grf, grf.time_s, kinematics.time_s)
    return Curves(
        time_s=kinematics.time_s,
        angles=angles_of(kinematics, model),
        moments=moments_of(moments, model),
        ground_force=ground_force_of(grf, where=str(files.grf)),
    )


def read_deviations(folder: Path, model: Model, time_s: np.ndarray) -> Curves | None:
    """Read the standard deviations that an estimate may come with.

    Parameters
    ----------
    folder : Path
        May hold ``kinematics_sd.mot``, ``moments_sd.sto`` and ``grf_sd.mot``: one standard deviation for
        every column of the file without ``_sd``.
    model : Model
        Says which coordinates are rotational.
    time_s : ndarray, shape (n,)
        Times of the estimate.

    Returns
    -------
    Curves or None
        Of standard deviations; None where there is no such file. Those of several bodies of a foot add up, as
        if their errors went together.

    Raises
    ------
    InputError
        A file is malformed, has other times than the estimate, or a value is negative or not finite.
    """
    files = ResultsFolder(Path(folder)).deviations
    tables = [read_storage(file) if file.is_file() else None for file in files]
    if not any(tables):
        return None
    for file, table in zip(files, tables, strict=True):
        if table:
            _refuse_other_times(file, table.time_s, time_s)
    angles, moments, grf = tables
    deviations = Curves(
        time_s=time_s,
        angles=angles_of(angles, model) if angles else {},
        moments=moments_of(moments, model) if moments else {},
        ground_force=ground_force_of(grf, where=str(files[-1])) if grf else {},
    )
    for curves in (deviations.angles, deviations.moments, deviations.ground_force):
        for name, deviation in curves.items():
            if not (deviation >= 0).all() or np.isinf(deviation).any():
                raise InputError(
                    f"A standard deviation of '{name}' is negative or no number.",
                    where=str(folder),
                    expected="0 or above",
                    fix="write the _sd files of the estimate again",
                )
    return deviations


def _refuse_other_times(file: Path, found_s: np.ndarray, time_s: np.ndarray) -> None:
    if len(found_s) != len(time_s) or np.abs(found_s - time_s).max() > 1e-6:
        raise InputError(
            f"{file.name} and {ResultsFolder.kinematics.name} have different times.",
            where=str(file.parent),
            expected=_span(time_s),
            found=_span(found_s),
            fix="write the files of one estimate again",
        )


def angles_of(table: Table, model: Model) -> dict[str, np.ndarray]:
    """Return the rotational coordinates of a motion table, rad, by name.

    Column labels may be plain names or OpenSim state paths (``/jointset/knee_r/knee_angle_r/value``).
    """
    to_radians = np.pi / 180 if table.in_degrees else 1.0
    columns = {_coordinate_of(name): column for name, column in zip(table.names, table.values.T, strict=True)}
    return {name: columns[name] * to_radians for name in rotational_coordinates(model) if name in columns}


def moments_of(table: Table, model: Model) -> dict[str, np.ndarray]:
    """Return the ``<coordinate>_moment`` columns of a table, N m, by coordinate."""
    columns = dict(zip(table.names, table.values.T, strict=True))
    names = rotational_coordinates(model)
    return {name: columns[f"{name}_moment"] for name in names if f"{name}_moment" in columns}


def ground_force_of(table: Table, *, where: str) -> dict[str, np.ndarray]:
    """Return the force on each side from columns ``<prefix>_vx``, ``_vy``, ``_vz``.

    The side is read from what stands beside ``ground_force``: ``foot_r_ground_force_vx``,
    ``ground_force_r_vx`` and OpenSim's own ``ground_force_vx`` are right, ``calcn_l_ground_force_vx``,
    ``ground_force_l_vx`` and ``1_ground_force_vx`` left. Forces on several bodies of a side add up.

    Returns
    -------
    dict of 'r' or 'l' to ndarray, shape (n, 3)
        N.

    Raises
    ------
    InputError
        No force columns, an incomplete triple, or a prefix that names no side.
    """
    columns = dict(zip(table.names, table.values.T, strict=True))
    prefixes = [name[: -len("vx")] for name in table.names if name.endswith("_vx")]
    if not prefixes:
        raise InputError(
            "There are no ground forces in the table.",
            where=where,
            expected="columns ending in _vx, _vy, _vz",
        )
    forces: dict[str, np.ndarray] = {}
    for prefix in prefixes:
        labels = [f"{prefix}v{axis}" for axis in "xyz"]
        missing = [label for label in labels if label not in columns]
        if missing:
            raise InputError("A ground force lacks a component.", where=where, expected=missing[0])
        side = _side_of(prefix, where)
        forces[side] = forces.get(side, 0.0) + np.column_stack([columns[label] for label in labels])
    return forces


def rotational_coordinates(model: Model) -> tuple[str, ...]:
    """Names of the model's rotational coordinates, in its order."""
    return tuple(c.name for c in model.coordinates if c.motion == "rotational")


def _coordinate_of(label: str) -> str:
    parts = label.split("/")
    return parts[-2] if parts[-1] == "value" and len(parts) > 1 else parts[-1]


def _side_of(prefix: str, where: str) -> str:
    words = [word for word in re.split("[_.]", prefix.replace("ground_force", "").lower()) if word]
    if not words:
        return "r"
    # OpenSim's examples call the plate under the left foot 1.
    sides = {side_of(prefix), "l" if "1" in words else ""} - {""}
    if len(sides) != 1:
        raise InputError(
            "The side of a ground force is not clear.",
            where=where,
            expected="a label with _r or _l, such as foot_r_ground_force_vx",
            found=f"{prefix}vx",
        )
    return sides.pop()


def _span(time_s: np.ndarray) -> str:
    return f"{len(time_s)} frames, {time_s[0]:g} to {time_s[-1]:g} s"
