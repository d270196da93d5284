"""Tables of a recording, as its page shows them and the console prints them: sensors, turns, phases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sspinn_opensim.alignment.types import Alignment, words
from sspinn_opensim.recording.checks.overview import Overview
from sspinn_opensim.recording.movement.phases import Phase
from sspinn_opensim.recording.signals.rotations import angles_from_rotation
from sspinn_opensim.text import fixed

SENSOR_COLUMNS = (
    *("sensor", "in the file", "on", "measured"),
    *("at rest, m/s²", "bias, deg/s", "peak, m/s²", "peak, deg/s"),
)
PHASE_COLUMNS = ("phase", "from, s", "to, s", "steps/min, steady")
_TURN_COLUMNS = (
    *("sensor", "axes of", "angles x y z, deg", "moves like (probability)"),
    *("sagittal, ± deg", "frontal, ± deg", "heading, ± deg"),
)
LIKE_COLUMNS = (_TURN_COLUMNS[0], _TURN_COLUMNS[3])
#: Standard deviation of an alignment of which nothing is known, degrees.
_UNKNOWN_DEG = 180.0


def sensor_rows(overview: Overview) -> list[list[str]]:
    """Return the sensors as texts under `SENSOR_COLUMNS`; a bias that is not subtracted is called kept."""
    return [
        [
            sensor.name,
            sensor.source,
            sensor.body or "\u2013",
            sensor.channels,
            fixed(sensor.resting_m_s2, 2),
            fixed(sensor.bias_deg_s, 2)
            + ("" if sensor.bias_deg_s is None or sensor.bias_subtracted else " kept"),
            fixed(sensor.peak_m_s2, 1),
            fixed(sensor.peak_deg_s, 0),
        ]
        for sensor in overview.sensors
    ]


def bias_hint(overview: Overview) -> str:
    """Return what is meant by a bias that is called kept; empty where none is."""
    if all(sensor.bias_deg_s is None or sensor.bias_subtracted for sensor in overview.sensors):
        return ""
    return (
        "kept: not subtracted, as in this rest the bias cannot be told from the sway of who stands; "
        "standing still for longer tells it"
    )


def turn_table(alignment: Alignment) -> tuple[Sequence[str], list[list[str]]]:
    """Return headings and rows of how sensors sit, those of which the signals tell something.

    A dash stands for what is not known; where it is known of none, what they move like stands alone.
    """
    rows = []
    for own in alignment.sensors:
        known = max(own.sd_deg) < _UNKNOWN_DEG
        if not known and own.found is None:
            continue
        angles = np.degrees(angles_from_rotation(own.rotation))
        x, y, z = own.sd_deg
        like = "\u2013" if own.found is None else f"{words(own.found)} ({own.probability:.2f})"
        rows.append(
            [
                own.name,
                own.body if own.site else "\u2013",
                " ".join(fixed(float(angle), 0) for angle in angles) if known else "\u2013",
                like,
                *(fixed(sd, 1) if known else "\u2013" for sd in (z, x, y)),
            ]
        )
    if all(max(own.sd_deg) >= _UNKNOWN_DEG for own in alignment.sensors):
        return LIKE_COLUMNS, [[row[0], row[3]] for row in rows]
    return _TURN_COLUMNS, rows


def phase_rows(phases: Sequence[Phase]) -> list[list[str]]:
    """Return phases as texts under `PHASE_COLUMNS`."""
    return [[p.kind, fixed(p.from_s, 2), fixed(p.to_s, 2), fixed(p.cadence_steps_per_min, 1)] for p in phases]
