"""Parts of a recording that are used: from a time to a time, or several pieces."""

from __future__ import annotations

import dataclasses

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import RecordingChoice
from sspinn_opensim.recording.types import Recording


def used_part(recording: Recording, choice: RecordingChoice) -> Recording:
    """Return the part of a recording that its study uses.

    Times stay those of the recording. What lies between two pieces stays in it and is not usable.

    Raises
    ------
    InputError
        If a part holds fewer than two samples.
    """
    pieces = choice.pieces or ((choice.from_s, choice.to_s),)
    if pieces == ((None, None),):
        return recording
    time_s, half = recording.time_s, 0.5 / recording.sampling_rate_hz
    inside = np.zeros(time_s.size, bool)
    for start, end in pieces:
        piece = np.ones(time_s.size, bool)
        if start is not None:
            piece &= time_s > start - half
        if end is not None:
            piece &= time_s < end + half
        if piece.sum() < 2:
            raise InputError(
                "A part of the recording holds fewer than two samples.",
                where="[recording] of the study",
                found=f"{start} to {end} s",
                fix="choose a longer part",
            )
        inside |= piece
    first, last = np.flatnonzero(inside)[[0, -1]]
    part = slice(int(first), int(last) + 1)
    notes = recording.notes
    if choice.pieces:
        listed = ", ".join(f"{start:g}-{end:g}" for start, end in choice.pieces)
        notes = (*notes, f"{len(choice.pieces)} pieces of the recording are used: {listed} s.")
    return dataclasses.replace(
        recording,
        time_s=time_s[part],
        acceleration=recording.acceleration[part],
        angular_rate=recording.angular_rate[part],
        usable=(recording.usable & inside)[part],
        notes=notes,
    )


def check_inside(recording: Recording, choice: RecordingChoice) -> None:
    """Refuse parts that reach beyond the recording."""
    first, last = float(recording.time_s[0]), float(recording.time_s[-1])
    step = 1.0 / recording.sampling_rate_hz
    named = [("from_s", (choice.from_s,)), ("to_s", (choice.to_s,)), ("standing_s", choice.standing_s or ())]
    named += [("pieces", piece) for piece in choice.pieces]
    for key, times in named:
        for time in times:
            if time is not None and not first - step <= time <= last + step:
                raise InputError(
                    f"The time {time:g} s is not in the recording.",
                    where=f"[recording] {key} of the study",
                    expected=f"{first:g} to {last:g} s",
                    fix="times are those of the recording, in s",
                )
