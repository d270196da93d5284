"""A table of text: a line of column names, a column of time, a column per signal; or a table a sensor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.folders import recorded_files, sensors_of_folder
from sspinn_opensim.recording.formats.text_layout import names_sensors, read_table
from sspinn_opensim.recording.streams import Stream


@dataclass(frozen=True)
class CsvOptions(TableOptions):
    """``[recording.csv]``: what a table of text does not say of itself.

    Parameters
    ----------
    trial : str
        Which files of a folder: the trial in their names, or how these start; empty: all.
    """

    trial: str = ""


def read_csv(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the streams of a text table, in the order of its columns, or of a folder with one a sensor.

    Raises
    ------
    InputError
        If a file is no such table, names no signal, or a cell that is needed is no number; if a folder holds
        several trials, or several tables of several sensors.
    """
    options = choice.options or CsvOptions()
    if not choice.file.is_dir():
        return read_table(choice.file, choice, options)
    files = recorded_files(
        choice.file,
        lambda path, head: _is_text(path) and names_sensors(head, options),
        "tables of text that name signals of sensors",
    )
    return sensors_of_folder(
        choice.file, files, options.trial, lambda file: read_table(file, choice, options)
    )


def is_csv(path: Path, head: bytes) -> bool:
    """Return whether a file is a text table that names a signal of an inertial sensor."""
    return _is_text(path) and names_sensors(head, CsvOptions())


FORMAT = Format(
    "csv",
    CsvOptions,
    streams=read_csv,
    recognises=is_csv,
    segment_axes=True,
    sensor_tables=("columns",),
    folders=True,
)


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".txt", ".tsv", ".dat", ".asc")
