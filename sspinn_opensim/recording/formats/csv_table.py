"""A table of text: a line of column names, one column of time, one column per signal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.column_streams import streams_of
from sspinn_opensim.recording.formats.named_columns import names_columns, plan_of
from sspinn_opensim.recording.formats.text_layout import MARKS, cells_of_line, read_sheet
from sspinn_opensim.recording.formats.text_tables import MOST_LINES, words
from sspinn_opensim.recording.streams import Stream


@dataclass(frozen=True)
class CsvOptions(TableOptions):
    """``[recording.csv]``: what a table of text does not say of itself."""


def read_csv(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the streams of a text table, in the order of its columns.

    Raises
    ------
    InputError
        If the file is no such table, names no signal, or a cell that is needed is no number.
    """
    options = choice.options or CsvOptions()
    sheet = read_sheet(choice.file, options)
    rate_hz = sheet.rate_hz
    plan = plan_of(sheet.header, choice, options, rate_hz)
    column, lines, notes = sheet.numbers(plan.columns)
    del sheet  # of an hour more than the numbers
    return streams_of(plan, column, choice.file, choice.recorded_rate_hz, rate_hz, lines, notes)


def is_csv(path: Path, head: bytes) -> bool:
    """Return whether a file is a text table that names a signal of an inertial sensor."""
    if path.suffix.lower() not in (".csv", ".txt", ".tsv", ".dat", ".asc") or b"\x00" in head:
        return False
    lines = [line for line in words(head).splitlines() if line.strip()]
    options = CsvOptions(time_column=" ")  # a column of time alone makes no recording of sensors
    return any(
        names_columns(cells_of_line(line, mark), options) for line in lines[:MOST_LINES] for mark in MARKS
    )


FORMAT = Format(
    "csv", CsvOptions, streams=read_csv, recognises=is_csv, segment_axes=True, sensor_tables=("columns",)
)
