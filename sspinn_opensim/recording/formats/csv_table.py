"""A table of text: a line of column names, a column of time, a column per signal; or a table a sensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.clocks.joined_signals import joined
from sspinn_opensim.recording.formats.column_options import TableOptions
from sspinn_opensim.recording.formats.folders import recorded_files, sensors_of_folder
from sspinn_opensim.recording.formats.paired_files import pairs_of, spelling_in
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

    def read(file: Path) -> tuple[Stream, ...]:
        return read_table(file, choice, options, spelling_in(file))

    if not choice.file.is_dir():
        return read(choice.file)
    files = recorded_files(
        choice.file,
        lambda path, head: _is_text(path) and names_sensors(head, options, spelling_in(path)),
        "tables of text that name signals of sensors",
    )
    pairs = pairs_of(files)

    def read_sensors(file: Path) -> tuple[Stream, ...]:
        streams = read(file)
        if file not in pairs.rates:
            return streams
        rates = read(pairs.rates[file])
        if len(streams) == len(rates) == 1:
            rates = (replace(rates[0], name=streams[0].name),)
        by_name = {stream.name: stream for stream in rates}
        if {stream.name for stream in streams} != set(by_name):
            return (*streams, *rates)
        whole = (joined(stream, by_name[stream.name], choice.recorded_rate_hz) for stream in streams)
        return tuple(replace(stream, notes=(*stream.notes, *pairs.notes(file))) for stream in whole)

    leading = list(filter(pairs.leading, files))
    streams = sensors_of_folder(choice.file, leading, options.trial, read_sensors, pairs.told)
    return (pairs.named(*streams),) if len(streams) == 1 else streams


def is_csv(path: Path, head: bytes) -> bool:
    """Return whether a file is a text table that names a signal of an inertial sensor."""
    return _is_text(path) and names_sensors(head, CsvOptions(), spelling_in(path))


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
