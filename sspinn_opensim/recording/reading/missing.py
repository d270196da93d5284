"""Missing signals of streams: what is refused for want of them, and what becomes a note."""

from __future__ import annotations

from collections.abc import Sequence

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.formats.folders import files_of
from sspinn_opensim.recording.streams import Stream

#: Names that a message lists.
_NAMED = 5


def refuse_without_signals(form: Format, streams: Sequence[Stream]) -> None:
    """Refuse sensors of which neither specific force nor angular rate was exported."""
    lacking = [s for s in streams if s.acceleration is None and s.angular_rate is None]
    if not lacking:
        return
    reasons = dict.fromkeys(reason for stream in lacking for reason in stream.lacks)
    held = "orientation" if lacking[0].orientation is not None else "times"
    raise InputError(
        f"The recording has neither specific force nor angular rate of {_names(lacking)}.",
        where=lacking[0].file,
        expected="what accelerometer and gyroscope measured: the physics of the body is held against that",
        found="; ".join(reasons) or f"{held} only, which a filter of the vendor made of them",
        fix=form.export,
    )


def missing_signals(streams: Sequence[Stream]) -> list[str]:
    """Return a note on the sensors of which only one of both signals is used."""
    found = []
    for kind, words in (("acceleration", "specific force"), ("angular_rate", "angular rate")):
        lacking = [stream for stream in streams if getattr(stream, kind) is None]
        if lacking:
            reasons = "; ".join(dict.fromkeys(reason for stream in lacking for reason in stream.lacks))
            found.append(f"No {words} of {_names(lacking)}" + (f": {reasons}." if reasons else "."))
    return found


def files_not_read(streams: Sequence[Stream], choice: RecordingChoice) -> list[str]:
    """Return a note that names the files of a folder of which nothing was taken and no note speaks."""
    if not choice.file.is_dir():
        return []
    read = {file for stream in streams for file in (stream.file, *stream.others)}
    notes = " ".join(note for stream in streams for note in stream.notes)
    others = [f.name for f in files_of(choice.file) if f not in read and f.name not in notes]
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return [f"Files of the folder that are not read: {', '.join(others[:_NAMED])}{more}."] if others else []


def _names(streams: Sequence[Stream]) -> str:
    names = [f"'{stream.name}'" for stream in streams]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
