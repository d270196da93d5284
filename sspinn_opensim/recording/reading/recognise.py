"""Recognition of recordings: the format of a file or folder by what is in it."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import Format
from sspinn_opensim.recording.formats.folders import files_inside, files_of, head_of, listed
from sspinn_opensim.recording.formats.text_tables import cells_of, shortened, words
from sspinn_opensim.recording.reading.reader import FORMATS

#: Names of columns in a message.
_SHOWN = 20
#: What to do with sensors that have a table each.
_JOIN = (
    "or join the files of the sensors into one table with a column of time and "
    "columns NAME_acc_x ... NAME_gyro_z of each"
)


@dataclass(frozen=True)
class Recognised:
    """What a file or folder is.

    Parameters
    ----------
    format : Format
        The format.
    files : tuple of Path
        The files that have it.
    ignored : tuple of Path
        Files of the folder that are no recordings.
    """

    format: Format
    files: tuple[Path, ...]
    ignored: tuple[Path, ...] = ()


def recognise(path: str | Path) -> Format:
    """Return the format of a file, or of the files in a folder.

    Raises
    ------
    InputError
        If there is no such file; if no reader knows it, with the columns found and what to write; if files of
        a folder have several formats.
    """
    return recognised(path).format


def recognised(path: str | Path) -> Recognised:
    """Return the format of a file or folder, and the files that have it; errors as `recognise`."""
    path = Path(path)
    if not path.exists():
        raise InputError("There is no such file or folder.", where=path)
    if path.is_dir():
        return _of_folder(path)
    form = format_of(path)
    if form is None:
        raise _unknown(path)
    return Recognised(form, (path,))


def format_of(path: Path) -> Format | None:
    """Return the format of one file; None where no reader knows it."""
    head = head_of(path)
    return next((form for form in FORMATS.values() if form.recognises and form.recognises(path, head)), None)


def folder_advice(folder: Path) -> str:
    """Return what to write instead of a folder for a format whose recordings are single files."""
    try:
        found = _of_folder(folder)
    except InputError:
        found = None
    if found is not None and found.format.folders:
        return f'format = "{found.format.name}" reads the files in it'
    files = found.files if found is not None else tuple(files_of(folder))
    if len(files) == 1:
        return f'name the file in it: file = "{folder.name}/{files[0].name}"'
    return f"name one file in it, {_JOIN}"


def _of_folder(folder: Path) -> Recognised:
    files = files_of(folder)
    by_file = {file: format_of(file) for file in files}
    inside = {}
    if not any(by_file.values()):
        inside = {file: format_of(file) for file in files_inside(folder)}
        by_file |= {file: form for file, form in inside.items() if form is not None and form.folder_each}
    known = {form.name: form for form in by_file.values() if form is not None}
    deeper = list(dict.fromkeys(file.parent.name for file, form in inside.items() if form is not None))
    if not known and deeper:
        raise InputError(
            "The recordings lie in folders of this folder.",
            where=folder,
            found=listed(deeper),
            fix="name one of them",
        )
    if not known:
        for file in files:
            _refuse_lacking(file, head_of(file))
        raise InputError(
            "The folder holds no recording that a reader knows.",
            where=folder,
            expected="files of one of the formats " + ", ".join(FORMATS),
            found=listed([file.name for file in files]) or "no file",
            fix=f"sspinn check {shlex.quote(str(files[0]))} says what that file lacks" if files else "",
        )
    # Storage files and tables lie beside recordings: where sensors have a file each, those are the recording.
    own_files = [form for form in known.values() if form.folders and not form.segment_axes]
    candidates = own_files or list(known.values())
    if len(candidates) > 1:
        own = {other.name: [f.name for f, form in by_file.items() if form is other] for other in candidates}
        counts = [
            f"{len(names)} of {name}" + (f" ({names[0]})" if len(names) == 1 else "")
            for name, names in own.items()
        ]
        raise InputError(
            "The folder holds recordings of several formats.",
            where=folder,
            found=", ".join(counts),
            fix="name one file, or put the files of each recording into a folder of its own",
        )
    own = tuple(file for file, form in by_file.items() if form is candidates[0])
    if len(own) > 1 and not candidates[0].folders:
        raise InputError(
            "The folder holds several recordings.",
            where=folder,
            found=listed([file.name for file in own]),
            fix="name one of the files" + (f", {_JOIN}" if candidates[0].segment_axes else ""),
        )
    return Recognised(candidates[0], own, tuple(file for file in files if file not in own))


def _unknown(path: Path) -> InputError:
    head = head_of(path)
    if not head.strip():
        return InputError("The file is empty.", where=path)
    if b"\x00" in head:
        return InputError(
            "No reader knows this file: it is no text.",
            where=path,
            expected="one of the formats " + ", ".join(FORMATS),
            fix="export the recording as text",
        )
    _refuse_lacking(path, head)
    lines = [words(line) for line in head.splitlines() if line.strip()]
    # The names stand before the first row of numbers.
    row = next((k for k, line in enumerate(lines) if _is_row(cells_of(line))), 0)
    names = [cell for cell in cells_of(lines[row - 1]) if cell] if row else []
    if not names:
        return InputError(
            "No reader knows the layout of this file.",
            where=path,
            expected="one of the formats " + ", ".join(FORMATS),
            found=f"no line of names above rows of numbers; it starts with '{shortened(lines[0])}'",
            fix="export the recording as a table: a line with the names of the columns, then rows of numbers",
        )
    return InputError(
        "No reader knows the layout of this file.",
        where=path,
        expected="one of the formats " + ", ".join(FORMATS),
        found="columns " + ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else ""),
        fix='read it as a table: format = "csv", [recording.csv] with time_column, acceleration_unit and '
        "angular_rate_unit, and for each sensor [recording.csv.columns.NAME] with the names of three columns "
        "each: acceleration = [x, y, z], angular_rate = [x, y, z]",
    )


def _refuse_lacking(path: Path, head: bytes) -> None:
    """Refuse a file that a vendor's software writes beside those that a reader knows."""
    for form in FORMATS.values():
        held = form.lacking(path, head) if form.lacking else ""
        if held:
            raise InputError(
                "The file does not hold what is needed of its sensor.",
                where=path,
                expected="specific force and angular rate",
                found=held,
                fix=form.export,
            )


def _is_row(cells: Sequence[str]) -> bool:
    """Say whether cells are a row of a table: several, and most of them numbers."""
    numbers = 0
    for cell in cells:
        with contextlib.suppress(ValueError):
            float(cell)
            numbers += 1
    return numbers > max(1, len(cells) / 2)
