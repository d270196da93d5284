"""Doubts about an alignment: what is not known well enough, and where the signals contradict the study."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.alignment.types import SensorAlignment, words
from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.types import Sensor

#: From this probability on something counts as known, and from the second it is worth a doubt.
SURE, _LIKELY = 0.95, 0.8
#: Axes of the study that are further from what the signals say than the first, degrees, are doubted; further
#: than the second they are those of another way to wear the sensor.
_ODD_DEG, _WRONG_DEG = 50.0, 80.0
#: A heading that is known worse than this, degrees, is not known.
_LARGEST_HEADING_SD_DEG = 30.0
_ADVICE = (
    "say how it sits by axes or orientation_deg under [sensors.{}], or record a second of standing still "
    "and some steps of straight walking"
)


def doubts_of(
    own: SensorAlignment, sensor: Sensor, choice: AlignmentChoice, *, complete: bool = True
) -> list[Finding]:
    """Return what is doubtful about one sensor.

    Parameters
    ----------
    own : SensorAlignment
        As its signals say, also if its axes are known.
    complete : bool
        Whether all six channels of the sensor were measured.
    """
    found = _of_site(own)
    if sensor.axes_known:
        return found + _of_stated_axes(own)
    x, y, z = own.sd_deg
    advice = _ADVICE.format(own.name)
    if y >= 180.0:
        why = "the signals do not show it"
        if own.site is None:
            why = "the name of its body tells no segment"
        elif not complete:
            why = "not all of its six channels were measured"
        return [
            *found,
            Finding("serious", "alignment", own.name, f"How it is turned is not known: {why}.", advice),
        ]
    if z > choice.largest_sd_deg:
        says = f"Its inclination in the sagittal plane is known within {z:.1f} degrees only."
        found.append(Finding("serious", "alignment", own.name, says, advice))
    if y > _LARGEST_HEADING_SD_DEG or x > 2 * choice.largest_sd_deg:
        says = f"Its heading is known within {y:.0f} degrees and its sideways tilt within {x:.0f} only."
        found.append(Finding("serious", "alignment", own.name, says, advice))
    if own.facing < SURE:
        says = f"Whether it faces forward or backward is not sure (probability {own.facing:.2f})."
        found.append(Finding("serious", "alignment", own.name, says, advice))
    return found


def _of_site(own: SensorAlignment) -> list[Finding]:
    """Return a finding if a sensor moves as one does on another segment or side."""
    if own.site is None or own.found is None or own.found == own.site or own.probability < _LIKELY:
        return []
    kind = "swapped_sides" if own.found[0] == own.site[0] else "swapped_segments"
    severity = "serious" if own.probability >= SURE else "doubt"
    says = (
        f"It moves like a sensor on the {words(own.found)} (probability {own.probability:.2f}), but the "
        f"study has it on the {words(own.site)}."
    )
    return [Finding(severity, kind, own.name, says, "look which sensor was worn where")]


def _of_stated_axes(own: SensorAlignment) -> list[Finding]:
    """Return a finding if a sensor is turned otherwise than the study says."""
    if own.sd_deg[1] >= 180.0:
        return []
    angle = float(np.degrees(Rotation.from_matrix(own.rotation).magnitude()))
    if angle < _ODD_DEG:
        return []
    severity = "serious" if angle > _WRONG_DEG and own.facing >= SURE else "doubt"
    says = f"Its signals are turned by {angle:.0f} degrees against the axes that the study gives it."
    return [
        Finding(
            severity,
            "upside_down",
            own.name,
            says,
            f"look at axes and orientation_deg of [sensors.{own.name}]",
        )
    ]
