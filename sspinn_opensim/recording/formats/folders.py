"""Folders in which each file is of one sensor: which of the files belong to a recording."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.anatomy import segment_of, side_of
from sspinn_opensim.recording.streams import Stream

#: Bytes of a file by which its format is recognised.
HEAD_BYTES = 4096
#: Names in a message.
_SHOWN = 6
_BETWEEN_WORDS = re.compile(r"[\s_.-]+")
#: When a recording started, in a name.
_MOMENT = re.compile(r"[\s_.-]*\d{4}-\d\d-\d\dT\d\d[.:_-]\d\d(?:[.:_-]\d+)*(?=[\s_-]|$)")
#: Words of the signals of one sensor.
_NO_TRIAL = re.compile(r"acc|gyr|mag", re.IGNORECASE)
#: A numbered word that is never a trial's.
_SENSOR_WORD = re.compile(r"(?:imu|sensor|dot|tag|node|device|serial)\d+", re.IGNORECASE)


def head_of(path: Path, size: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of a file; of text in UTF-8, without byte order mark, with line feeds."""
    try:
        with path.open("rb") as file:
            head = file.read(size)
    except OSError as error:
        raise InputError(f"The file cannot be read: {error.strerror}.", where=path) from error
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.decode("utf-16", errors="ignore").encode("utf-8", errors="ignore")
    if b"\x00" in head:
        return head
    return head.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def listed(names: Sequence[str]) -> str:
    """Return the first names of several, for a message."""
    return ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")


def files_of(folder: Path) -> list[Path]:
    """Return the files of a folder by name, hidden ones left out."""
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def files_inside(folder: Path) -> list[Path]:
    """Return the files in the folders of a folder by name, hidden ones left out."""
    inside = (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [file for own in sorted(inside) for file in files_of(own)]


def recorded_files(path: Path, recognises: Callable[[Path, bytes], bool], what: str) -> list[Path]:
    """Return the file, or the files of a folder that have a format.

    Parameters
    ----------
    what : str
        Name of the format in words, for messages.
    """
    if not path.is_dir():
        return [path]
    files = files_of(path)
    found = [file for file in files if recognises(file, head_of(file))]
    if not found:
        names = listed([file.name for file in files])
        raise InputError(
            "The folder holds no file of this format.", where=path, expected=what, found=names or "no file"
        )
    return found


def told_by_names(files: Sequence[Path]) -> dict[Path, tuple[str, str]]:
    """Return the sensor and the trial of each file, by what the names of the files do not share.

    Words at either end that all names share say neither. A word there is that of a trial if each trial then
    has the same sensors, as in walk1_pelvis, walk2_pelvis, ..., and what is left tells segment and side as
    before. A serial number that comes first names the sensor alone: a time of day may follow. Of moments that
    all names hold nothing is told, as long as names differ without.
    """
    stems = {file: _MOMENT.sub("", file.stem) for file in files}
    if len({*stems.values()}) < len(files) or not all(stems.values()):
        stems = {file: file.stem for file in files}
    words = {file: _BETWEEN_WORDS.split(stem) for file, stem in stems.items()}

    def taken(end: int) -> list[str]:
        return [own.pop(end) for own in words.values()]

    def at(end: int) -> set[str]:
        return {own[end] for own in words.values()} if all(len(own) > 1 for own in words.values()) else set()

    for end in (0, -1):
        while len(at(end)) == 1:
            taken(end)
    trials = [""] * len(files)
    for end in (0, -1):
        ends = at(end)
        rest = [tuple(own[1:] if end == 0 else own[:-1]) for own in words.values()]
        if len(ends) > 1 < len({*rest}) and len(ends) * len({*rest}) == len(files):
            numbered = len({re.sub(r"\d+", "", word) for word in ends}) == 1
            sides = any(side_of(word) or _NO_TRIAL.match(word) for word in ends)
            told = [segment_of("_".join(own)) for own in words.values()]
            same = not sides and told == [segment_of("_".join(own)) for own in rest]
            if (numbered or same) and not all(map(_SENSOR_WORD.fullmatch, ends)):
                trials = taken(end)
                break
    firsts = {own[0] for own in words.values()}
    if len(firsts) == len(files) and all(re.search(r"\d", first) for first in firsts):
        words = {file: own[:1] for file, own in words.items()}
    return {file: ("_".join(own), trial) for (file, own), trial in zip(words.items(), trials, strict=True)}


def sensors_of_folder(
    folder: Path,
    files: Sequence[Path],
    trial: str,
    read: Callable[[Path], tuple[Stream, ...]],
    told_by: Callable[[Sequence[Path]], Mapping[Path, tuple[str, str]]] = told_by_names,
) -> tuple[Stream, ...]:
    """Return the sensors of a folder of tables, one each, named by their columns or else by their files.

    Parameters
    ----------
    trial : str
        The trial that is meant; empty: the folder holds one.
    read : callable
        Returns the streams of a file.
    told_by : callable
        Returns the sensor and the trial of each file.

    Raises
    ------
    InputError
        If the folder holds several trials and none is chosen, a table of several sensors beside others, or
        two tables of one sensor.
    """
    told = told_by(files)
    chosen = of_one_trial({file: own for file, (_, own) in told.items()}, trial, folder)
    names = told_by(chosen)
    by_file = {file: read(file) for file in chosen}
    if len(by_file) == 1:
        return by_file[chosen[0]]
    several = [file.name for file, streams in by_file.items() if len(streams) > 1]
    if several:
        raise InputError(
            "The folder holds several recordings.",
            where=folder,
            expected="one table, or tables of one sensor each",
            found=f"tables of several sensors: {listed(several)}",
            fix="name one of the files",
        )
    streams = [own for own, *_ in by_file.values()]
    _refuse_one_kind_each(streams, folder)
    in_columns = [stream.name for stream in streams]
    if len({name.lower() for name in in_columns}) == len(streams) and in_columns != [f.stem for f in chosen]:
        return tuple(streams)
    named = tuple(replace(stream, name=names[stream.file][0]) for stream in streams)
    refuse_same_names(named, folder)
    return named


def of_one_trial(trials: Mapping[Path, str], trial: str, where: Path) -> list[Path]:
    """Return the files of one trial.

    Parameters
    ----------
    trials : mapping of Path to str
        Trial of each file, as its name says.
    trial : str
        The trial, or how the names of its files start; empty: the folder holds one trial.

    Raises
    ------
    InputError
        If no file starts so, or several trials do.
    """
    chosen = [file for file, own in trials.items() if own == trial] if trial else list(trials)
    chosen = chosen or [file for file in trials if file.name.startswith(trial)]
    known = sorted({trials[file] for file in (chosen or trials)})
    if not chosen or len(known) > 1:
        renamed = listed([file.name for file in (chosen or trials) if not trials[file]])
        if not any(known):
            raise InputError(
                f"No file of the folder starts with '{trial}'.",
                where=where,
                expected="files of one recording, as their names tell no trial",
                found=renamed,
                fix="leave trial out",
            )
        raise InputError(
            "The folder holds several trials." if chosen else f"No file of the folder starts with '{trial}'.",
            where=where,
            expected="one of " + ", ".join(filter(None, known)),
            found=f"also files whose names tell no trial: {renamed}" if renamed else "",
            fix=f'choose one: trial = "{known[-1]}" in the table of the format, or for sspinn check '
            f"--option trial={known[-1]}" + ("; or name the files of one recording alike" if renamed else ""),
        )
    return chosen


def _refuse_one_kind_each(streams: Sequence[Stream], where: Path) -> None:
    """Refuse accelerometers and gyroscopes in files of their own: two sensors would be made of each."""
    forces = [stream.file.name for stream in streams if stream.angular_rate is None]
    rates = [stream.file.name for stream in streams if stream.acceleration is None]
    if forces and rates and len(forces) + len(rates) == len(streams):
        raise InputError(
            "Accelerometers and gyroscopes have files of their own.",
            where=where,
            expected="one table for each sensor",
            found=f"accelerometers alone in {listed(forces)}; gyroscopes alone in {listed(rates)}",
            fix="join the tables of each sensor into one with a column of time, acc_x ... gyro_z",
        )


def refuse_same_names(streams: Sequence[Stream], where: Path) -> None:
    """Refuse two files of one sensor."""
    by_name: dict[str, list[str]] = {}
    for stream in streams:
        by_name.setdefault(stream.name.lower(), []).append(stream.file.name)
    for stream in streams:
        files = by_name[stream.name.lower()]
        if len(files) > 1:
            raise InputError(
                f"{len(files)} files of the folder are of sensor '{stream.name}'.",
                where=where,
                found=listed(files),
                fix=(
                    "choose those of one trial: trial = how their names start, in the table of the format, "
                    "or for sspinn check --option trial=NAME; or "
                    if _starts_tell(by_name)
                    else ""
                )
                + "put the files of each trial into a folder of its own",
            )


def _starts_tell(by_name: Mapping[str, Sequence[str]]) -> bool:
    """Return whether the names of some files start alike that are one of each sensor."""
    names = [name for own in by_name.values() for name in own]
    first = next(iter(by_name.values()))
    for start in {name[:size] for name in first for size in range(1, len(name))}:
        if sum(name.startswith(start) for name in names) == len(by_name) and all(
            any(name.startswith(start) for name in own) for own in by_name.values()
        ):
            return True
    return False
