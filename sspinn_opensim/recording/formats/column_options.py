"""Options of formats that are tables: what their columns do not say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from sspinn_opensim.recording import units
from sspinn_opensim.settings.bounds import Names, OneOf

#: Kinds of signals in the names of columns: specific force, angular rate.
KINDS = ("acc", "gyro")


def column_names(sensor: str, kind: str) -> tuple[str, str, str]:
    """Return the columns of x, y and z of one of `KINDS` that belong to a sensor by their names."""
    return f"{sensor}_{kind}_x", f"{sensor}_{kind}_y", f"{sensor}_{kind}_z"


@dataclass(frozen=True)
class SensorColumns:
    """``[recording.FORMAT.columns.NAME]``: columns of sensor NAME that are not found by their names.

    Parameters
    ----------
    name : str
        The NAME of the table.
    acceleration, angular_rate : tuple of 3 str or None
        Columns of the sensor's x, y, z signal; ``""`` = not measured. Default: those that are found.
    """

    name: str
    acceleration: Names | None = None
    angular_rate: Names | None = None


@dataclass(frozen=True)
class TableOptions:
    """Keys of formats that are tables: what their columns do not say of themselves.

    Parameters
    ----------
    time_column : str
        Column of time.
    time_unit : str
        Its unit; empty: what its name says, else s.
    counter_column : str
        Column that counts samples, so that lost ones are known; empty: none.
    acceleration_unit, angular_rate_unit : str
        Units in the file; empty: what the names of the columns or a line below say, else SI.
    acceleration_pattern, angular_rate_pattern : str
        How columns are called, with ``{sensor}`` and ``{axis}`` in it; empty: as vendors do.
    columns : tuple of SensorColumns
        Columns of sensors that have other names still.
    """

    time_column: str = "time"
    time_unit: Annotated[str, OneOf(units.TIME)] = ""
    counter_column: str = ""
    acceleration_unit: Annotated[str, OneOf(units.ACCELERATION)] = ""
    angular_rate_unit: Annotated[str, OneOf(units.ANGULAR_RATE)] = ""
    acceleration_pattern: str = ""
    angular_rate_pattern: str = ""
    columns: tuple[SensorColumns, ...] = ()
