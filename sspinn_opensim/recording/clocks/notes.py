"""Notes on clocks: what became of the samples and the clocks of sensors, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sspinn_opensim.recording.clocks.grid import LONGEST_FILLED_S
from sspinn_opensim.recording.clocks.stream_clock import (
    StreamClock,
)
from sspinn_opensim.recording.provenance import Clocks
from sspinn_opensim.recording.streams import Stream

#: Stamps are doubted if impacts depart from them by so many standard deviations.
_DOUBTED = 5.0


def clock_notes(
    clocks: Clocks,
    streams: Sequence[Stream],
    stream_clocks: Sequence[StreamClock],
    times: Sequence[np.ndarray],
) -> list[str]:
    """Return what was done in sentences."""
    one = clocks.common_from == "one clock"
    found = []
    for sensor, clock in zip(clocks.sensors, stream_clocks, strict=True):
        who = "" if one else f"Sensor '{sensor.sensor}': "
        found += [who + note for note in clock.notes]
        if sensor.repeated:
            found.append(f"{who}{sensor.repeated} samples that repeat the one before are dropped.")
    for sensor in clocks.sensors:
        if sensor.filled:
            found.append(
                f"Sensor '{sensor.sensor}': a spline fills gaps of up to {1000 * LONGEST_FILLED_S:g} ms, "
                f"{sensor.filled} samples at even steps."
            )
    if clocks.left_out_s:
        parts = ", ".join(f"{a:.2f}-{b:.2f}" for a, b in clocks.left_out_s[:5])
        more = f" and {len(clocks.left_out_s) - 5} more" if len(clocks.left_out_s) > 5 else ""
        found.append(f"Longer gaps are left out: {parts}{more} s.")
    return found if one else [*found, *_notes_on_several(clocks, streams, stream_clocks, times)]


def _notes_on_several(
    clocks: Clocks,
    streams: Sequence[Stream],
    stream_clocks: Sequence[StreamClock],
    times: Sequence[np.ndarray],
) -> list[str]:
    """Return what became of clocks that differ."""
    found = []
    if clocks.common_from == "start":
        found.append("The files share no clock: sensors are taken to have started together.")
    starts, ends = [time[0] for time in times], [time[-1] for time in times]
    seen_s = 1.5 / clocks.rate_hz
    for stream, start, end in zip(streams, starts, ends, strict=True):
        late_s, early_s = start - min(starts), max(ends) - end
        edges = [f"starts {late_s:.3g} s after the first"] if late_s > seen_s else []
        edges += [f"ends {early_s:.3g} s before the last"] if early_s > seen_s else []
        if edges:
            found.append(f"Sensor '{stream.name}' {' and '.join(edges)}; the common part is used.")
    rates = [clock.rate_hz for clock in stream_clocks]
    slowest, fastest = (f"{rate:.6g}" for rate in (min(rates), max(rates)))
    if slowest != fastest:
        found.append(
            f"The sensors' clocks run at {slowest} to {fastest} Hz; "
            f"all are interpolated to {clocks.rate_hz:.6g} Hz."
        )
    return [*found, *_notes_on_offsets(clocks)]


def _notes_on_offsets(clocks: Clocks) -> list[str]:
    """Return how clocks differ by what sensors feel."""
    found = []
    offsets = [sensor.impact_offset for sensor in clocks.sensors if sensor.impact_offset is not None]
    for one in offsets:
        by = f"by the impacts that both feel (+- {one.deviation_s:.2f} s)"
        late = f"{abs(one.offset_s):.3f} s {'late' if one.offset_s > 0 else 'early'}"
        if one.corrected:
            drift = "" if one.drift_ppm is None else f"; drift {one.drift_ppm:.0f} ppm"
            found.append(f"Sensor '{one.sensor}' is {late} to '{one.other}' {by}: corrected{drift}.")
        elif clocks.common_from == "time" and abs(one.offset_s) > _DOUBTED * one.deviation_s:
            found.append(
                f"The time stamps of '{one.sensor}' are {late} to those of '{one.other}' {by}; they are left "
                "as they are."
            )
    linked = {name for one in offsets for name in (one.sensor, one.other)}
    unsure = [f"'{sensor.sensor}'" for sensor in clocks.sensors if sensor.sensor not in linked]
    if clocks.common_from == "start" and unsure:
        found.append(f"Impacts do not tell for sure when these started: {', '.join(unsure)}.")
    return found
