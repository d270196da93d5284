"""The tables a results folder holds: coordinates, generalized forces, ground forces.

Inside, everything is SI and radians; degrees exist only in the kinematics file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim.opensim_io.tables.storage import Table

# OpenSim converts rotational coordinates between degrees and radians, and no others: "coupled" ones stay.
MOTIONS = ("rotational", "translational", "coupled")
_FORCE, _POINT, _TORQUE = "_ground_force_v", "_ground_force_p", "_ground_torque_"


def force_columns(foot: str) -> tuple[str, str, str]:
    """Return the column prefixes of one foot's force, point of application and torque."""
    return foot + _FORCE, foot + _POINT, foot + _TORQUE


def kinematics_table(
    names: Sequence[str],
    motions: Sequence[str],
    time_s: np.ndarray,
    q: np.ndarray,
    *,
    title: str = "kinematics",
) -> Table:
    """Return the coordinates as OpenSim's tools expect them, rotational ones in degrees.

    Parameters
    ----------
    names : sequence of str
        Every coordinate of the model.
    motions : sequence of str
        ``rotational``, ``translational`` or ``coupled`` for each name.
    time_s : array_like, shape (n,)
        Times, s.
    q : array_like, shape (n, len(names))
        Values, rad or m.
    title : str
        Title of the table.

    Returns
    -------
    Table
        With ``in_degrees=True``.

    Raises
    ------
    InputError
        A motion is unknown.
    """
    return Table(
        tuple(names), np.asarray(time_s), np.asarray(q) * _degrees_per_unit(names, motions), True, title
    )


def plain_name(label: str) -> str:
    """Return the coordinate of a state path (``/jointset/knee_r/knee_angle_r/value``), else the label."""
    parts = label.split("/")
    return parts[-2] if len(parts) > 1 and parts[-1] == "value" else label


def with_plain_names(table: Table) -> Table:
    """Return a table whose columns of coordinates have plain names; all others are as they were.

    Raises
    ------
    InputError
        A coordinate stands there under both names.
    """
    names = tuple(map(plain_name, table.names))
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"coordinate '{name}' stands twice", where=table.header, found="once by name, once by path"
            )
    return dataclasses.replace(table, names=names)


def coordinates_of(table: Table, names: Sequence[str], motions: Sequence[str]) -> np.ndarray:
    """Return the named coordinates of a kinematics table in rad and m, shape (n, len(names)).

    Columns may have plain names or be state paths.

    Raises
    ------
    InputError
        A column is missing, or the table does not say whether it is in degrees.
    """
    if table.in_degrees is None:
        raise InputError(
            f"table '{table.header}' does not say whether it is in degrees",
            expected="a line inDegrees=yes or inDegrees=no in the header",
        )
    table = with_plain_names(table)
    values = np.column_stack([table.column(name) for name in names])
    return values / _degrees_per_unit(names, motions) if table.in_degrees else values


def moments_table(
    names: Sequence[str],
    motions: Sequence[str],
    time_s: np.ndarray,
    tau: np.ndarray,
    *,
    title: str = "moments",
) -> Table:
    """Return generalized forces with OpenSim's column names.

    Parameters
    ----------
    names, motions : sequence of str
        As in `kinematics_table`.
    time_s : array_like, shape (n,)
        Times, s.
    tau : array_like, shape (n, len(names))
        Generalized forces, N m for rotational coordinates, else N.
    title : str
        Title of the table.
    """
    return Table(moment_columns(names, motions), np.asarray(time_s), np.asarray(tau), False, title)


def moment_columns(names: Sequence[str], motions: Sequence[str]) -> tuple[str, ...]:
    """Return ``<coordinate>_moment`` for rotational and ``<coordinate>_force`` for all other coordinates."""
    _check_motions(names, motions)
    return tuple(
        f"{name}_{'moment' if motion == 'rotational' else 'force'}"
        for name, motion in zip(names, motions, strict=True)
    )


def ground_forces_table(
    feet: Sequence[str],
    time_s: np.ndarray,
    force: np.ndarray,
    point: np.ndarray,
    torque: np.ndarray,
    *,
    title: str = "ground forces",
) -> Table:
    """Return the ground's action on each foot, in ground axes.

    Parameters
    ----------
    feet : sequence of str
        Body names of the model, ``f`` of them.
    time_s : array_like, shape (n,)
        Times, s.
    force : array_like, shape (n, f, 3)
        Force on the foot, N.
    point : array_like, shape (n, f, 3)
        Its point of application, m.
    torque : array_like, shape (n, f, 3)
        Free torque on the foot at that point, N m.
    title : str
        Title of the table.

    Returns
    -------
    Table
        Nine columns a foot, named by `force_columns` with ``x``, ``y``, ``z``.

    Raises
    ------
    InputError
        Shapes that disagree.
    """
    arrays = [np.asarray(array, float) for array in (force, point, torque)]
    expected = (len(time_s), len(feet), 3)
    for what, array in zip(("force", "point", "torque"), arrays, strict=True):
        if array.shape != expected:
            raise InputError(
                f"the ground {what} has the wrong shape", expected=str(expected), found=str(array.shape)
            )
    names = [prefix + axis for foot in feet for prefix in force_columns(foot) for axis in "xyz"]
    values = np.stack(arrays, axis=2).reshape(len(time_s), len(names))
    return Table(tuple(names), np.asarray(time_s), values, False, title)


def _degrees_per_unit(names: Sequence[str], motions: Sequence[str]) -> np.ndarray:
    _check_motions(names, motions)
    return np.array([np.rad2deg(1.0) if motion == "rotational" else 1.0 for motion in motions])


def _check_motions(names: Sequence[str], motions: Sequence[str]) -> None:
    if len(names) != len(motions):
        raise InputError(
            "names and motions differ in number", expected=f"{len(names)}", found=f"{len(motions)}"
        )
    for name, motion in zip(names, motions, strict=True):
        if motion not in MOTIONS:
            raise InputError(
                f"coordinate '{name}' has an unknown motion type",
                expected=", ".join(MOTIONS),
                found=motion,
                fix=nearest(motion, MOTIONS),
            )
