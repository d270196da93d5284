"""Degrees or radians: what the numbers of a motion say beside its header.

OpenSim takes the header's word: radians under ``inDegrees=yes`` give a body that hardly moves and forces that
look plausible.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from casadi_dynamics.model import Model
from sspinn_opensim.opensim_io.tables.motion_files import plain_name
from sspinn_opensim.opensim_io.tables.storage import StorageWarning, Table

# A number of the file over the bound of its coordinate's range in rad: in 78 laboratory motions the
# second largest is 0.5 to 1.3 where the numbers are radians and 28 to 70 where they are degrees. Between the
# two bounds, where quiet standing in degrees lies, nothing is said.
_LARGEST_IN_RADIANS, _SMALLEST_IN_DEGREES = 2.0, 4.0
# Ranges that bound nothing (0 to 0, or +-99999.9) are taken for half a turn to each side.
_NARROWEST_RAD, _WIDEST_RAD = 0.05, 4 * np.pi
# One coordinate may be far from its range for its own reasons, such as a heading that counts turns.
_FEWEST_TO_LEAVE_ONE_OUT = 3


def likely_unit(table: Table, ranges: Mapping[str, tuple[float, float]]) -> str | None:
    """Return 'degrees' or 'radians' where the numbers leave no doubt, else None.

    Parameters
    ----------
    table : Table
        A motion; columns may be state paths.
    ranges : mapping
        Range of each rotational coordinate of the model, rad.
    """
    shares = []
    for label, values in zip(table.names, table.values.T, strict=True):
        name = plain_name(label)
        if name in ranges and np.any(values):
            shares.append(np.percentile(np.abs(values), 95) / _bound(*ranges[name]))
    if not shares:
        return None
    share = sorted(shares)[-2 if len(shares) >= _FEWEST_TO_LEAVE_ONE_OUT else -1]
    if share < _LARGEST_IN_RADIANS:
        return "radians"
    return "degrees" if share > _SMALLEST_IN_DEGREES else None


def unit_doubt(table: Table, ranges: Mapping[str, tuple[float, float]]) -> str:
    """Return what speaks against the unit that a motion states, or an empty string.

    Parameters
    ----------
    table, ranges
        As for `likely_unit`.
    """
    likely = likely_unit(table, ranges)
    stated = {True: "degrees", False: "radians", None: None}[table.in_degrees]
    if likely is None or likely == stated:
        return ""
    if stated is None:
        return f"the header does not state inDegrees; the angles look like {likely}"
    return f"the header says {stated}, but the angles look like {likely}: is inDegrees wrong?"


def warn_of_unit(table: Table, model: Model, where: str) -> None:
    """Issue a `StorageWarning` where `unit_doubt` has something to say of a motion of a model."""
    if doubt := unit_doubt(table, rotational_ranges(model)):
        warnings.warn(f"{where}: {doubt}", StorageWarning, stacklevel=2)


def rotational_ranges(model: Model) -> dict[str, tuple[float, float]]:
    """Return the range of each coordinate of a model that OpenSim's files hold in degrees, rad."""
    return {c.name: c.range for c in model.coordinates if c.motion == "rotational"}


def _bound(low: float, high: float) -> float:
    bound = max(abs(low), abs(high))
    return bound if _NARROWEST_RAD <= bound <= _WIDEST_RAD else np.pi
