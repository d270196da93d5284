"""Folders in which each file is of one sensor: which of the files belong to a recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.streams import Stream

#: Bytes of a file by which its format is recognised.
HEAD_BYTES = 4096
#: Names in a message.
_SHOWN = 6


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file; of text in UTF-8, without byte order mark, with line feeds."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
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
        raise InputError(
            "The folder holds several trials." if chosen else f"No file of the folder starts with '{trial}'.",
            where=where,
            expected="one of " + ", ".join(filter(None, known)),
            found=f"also files whose names tell no trial: {renamed}" if renamed else "",
            fix=f'choose one: trial = "{known[-1]}" in the table of the format, or for sspinn check '
            f"--option trial={known[-1]}" + ("; or name the files of one recording alike" if renamed else ""),
        )
    return chosen


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
                fix="choose those of one trial: trial = how their names start, in the table of the format, "
                "or for sspinn check --option trial=NAME",
            )
