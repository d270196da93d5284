"""The part of a recording that is written out."""

from __future__ import annotations

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import OutputChoice
from sspinn_opensim.recording.types import Recording


def output_window(recording: Recording, choice: OutputChoice) -> tuple[float, float]:
    """Return start and end in s of the part to write.

    By default the last cycle but one of a tiled recording (the last one is the margin for filters and
    derivatives), else everything.
    """
    first, last = float(recording.time_s[0]), float(recording.time_s[-1])
    from_s, to_s = first, last
    step = 1.0 / recording.sampling_rate_hz
    if recording.cycle_s is not None and choice.from_s is None and choice.to_s is None:
        cycles = int((last - first + step) / recording.cycle_s + 1e-6)
        if cycles >= 2:
            from_s = first + (cycles - 2) * recording.cycle_s
            to_s = from_s + recording.cycle_s
    from_s = from_s if choice.from_s is None else choice.from_s
    to_s = to_s if choice.to_s is None else choice.to_s
    if not first - step <= from_s < to_s <= last + step:
        raise InputError(
            "The output window does not fit the recording.",
            where="[output] of the study",
            expected=f"a part of {first:g} to {last:g} s",
            found=f"{from_s:g} to {to_s:g} s",
            fix="change from_s and to_s, or give a longer recording",
        )
    return _on_sample(from_s, recording), _on_sample(to_s, recording)


def _on_sample(time_s: float, recording: Recording) -> float:
    """Return the sample's own time where a time names it but for rounding: else the last frame is lost."""
    nearest = float(recording.time_s[np.abs(recording.time_s - time_s).argmin()])
    return nearest if abs(nearest - time_s) < 1e-6 / recording.sampling_rate_hz else time_s
