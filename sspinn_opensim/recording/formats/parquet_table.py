"""A Parquet table: a column of time, one column per signal, called as in a table of text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import check_unpacked
from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.column_streams import streams_of
from sspinn_opensim.recording.formats.extras import library
from sspinn_opensim.recording.formats.named_columns import Header, plan_of
from sspinn_opensim.recording.streams import Stream


@dataclass(frozen=True)
class ParquetOptions(TableOptions):
    """``[recording.parquet]``: what a table does not say of itself."""


def read_parquet(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the streams of a table, in the order of its columns; only columns that are needed are read.

    Raises
    ------
    InputError
        If the file is damaged, names no signal, or a column that is needed holds no numbers.
    """
    path, options = choice.file, choice.options or ParquetOptions()
    parquet = library("pyarrow.parquet", "parquet", path)
    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            header = Header(str(path), tuple(schema.names))
            plan = plan_of(header, choice, options, None)
            check_unpacked(path, 8 * file.metadata.num_rows * len(set(plan.columns)))
            table = file.read(columns=[schema.names[place] for place in plan.columns], use_threads=False)
    # The library's own errors are ValueError, OSError and NotImplementedError with other names.
    except (OSError, ValueError, KeyError, NotImplementedError, MemoryError, TypeError) as error:
        raise InputError(
            "The recording is no Parquet table, or it is damaged.",
            where=path,
            found=f"{type(error).__name__}: {error}".splitlines()[0],
        ) from error
    column, stamped = {}, False
    for place in plan.columns:
        name = schema.names[place]
        column[place], is_stamp = _numbers(table.column(name), f"{path}, column '{name}'")
        stamped = stamped or (is_stamp and place == plan.time)
    if not table.num_rows:
        raise InputError("The recording has no samples.", where=path)
    return streams_of(plan.in_seconds() if stamped else plan, column, path, choice.recorded_rate_hz)


def is_parquet(_path: Path, head: bytes) -> bool:
    """Return whether a file is a Parquet table."""
    return head.startswith(b"PAR1")


FORMAT = Format(
    "parquet",
    ParquetOptions,
    streams=read_parquet,
    recognises=is_parquet,
    segment_axes=True,
    sensor_tables=("columns",),
)


def _numbers(column: Any, where: str) -> tuple[np.ndarray, bool]:
    """Return a column as numbers, NaN where it is empty, and whether it held dates, which become s."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        stamps = column.cast(pa.int64())
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
        if stamps.null_count:
            raise InputError("Time is not a number.", where=where, found=f"{stamps.null_count} empty cells")
        ticks = stamps.to_numpy()
        return (ticks - (ticks[0] if len(ticks) else 0)) / per_second, True
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise InputError("A column holds no numbers.", where=where, found=str(kind))
    numbers = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    if np.any(np.isinf(numbers)):
        raise InputError(
            "A cell is not a number.",
            where=where,
            found=f"row {int(np.argmax(np.isinf(numbers))) + 1} is infinite",
        )
    return numbers, False
