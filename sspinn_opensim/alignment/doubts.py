"""Doubts about an alignment: what is not known well enough, and where the signals contradict the study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.alignment.types import Alignment, SensorAlignment, words
from sspinn_opensim.alignment.usual import QUIET_STANDING
from sspinn_opensim.recording.findings import Finding, merged
from sspinn_opensim.recording.signals.rotations import vectors_from_rotations
from sspinn_opensim.recording.types import Sensor
from sspinn_opensim.text import toml_table

#: From this probability on something counts as known, and from the second it is worth a doubt.
SURE, _LIKELY = 0.95, 0.8
#: Axes of the study that are further from what the signals say than the first, degrees, are doubted; further
#: than the second they are those of another way to wear the sensor.
_ODD_DEG, _WRONG_DEG = 50.0, 80.0
#: A heading that is known worse than this, degrees, is not known.
_LARGEST_HEADING_SD_DEG = 30.0
_SAY = "say how it sits by axes or orientation_deg under {} of a study"
_RECORD = ", or record a second of standing still and some steps of straight walking"
#: What a recording says itself, whatever alignment a study names.
_OF_SIGNALS = ("swapped_sides", "swapped_segments", "mirrored")
#: Rotations about one axis that differ by more than this many of their joint standard deviations are not of
#: one sensor worn in one way: by chance, one axis of 16000 does.
_CONTRADICTION_SD = 4.0


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
    if sensor.axes_known or sensor.stated_within_deg is not None:
        return found + _of_stated_axes(own)
    x, y, z = own.sd_deg
    say = _SAY.format(toml_table("sensors", own.name))
    advice = say + _RECORD
    if y >= 180.0:
        why = "the signals do not show it"
        if own.site is None:
            why = "the name of its body tells no segment"
        elif own.site[0] not in QUIET_STANDING:
            why = f"the usual movement of the {words((own.site[0], ''))} is not known"
            advice = say
        elif not complete:
            why = "not all of its six channels were measured"
        return [
            *found,
            Finding(
                "serious",
                "alignment",
                f"How it is turned is not known: {why}.",
                sensor=own.name,
                advice=advice,
            ),
        ]
    if z > choice.largest_sd_deg:
        says = f"Its inclination in the sagittal plane is known within {z:.1f} degrees only."
        found.append(Finding("serious", "alignment", says, sensor=own.name, advice=advice))
    if y > _LARGEST_HEADING_SD_DEG or x > 2 * choice.largest_sd_deg:
        says = f"Its heading is known within {y:.0f} degrees and its sideways tilt within {x:.0f} only."
        found.append(Finding("serious", "alignment", says, sensor=own.name, advice=advice))
    if own.facing < SURE:
        says = f"Whether it faces forward or backward is not sure (probability {own.facing:.2f})."
        found.append(Finding("serious", "alignment", says, sensor=own.name, advice=advice))
    return found


def doubts_of_file(kept: Alignment, own: Alignment, sensors: Sequence[Sensor]) -> tuple[Finding, ...]:
    """Return what is doubtful about an alignment that a study names for a recording.

    Parameters
    ----------
    kept : Alignment
        Of the file: made from any recording of the same sensors, worn alike.
    own : Alignment
        What the signals of this recording say.
    sensors : sequence of Sensor
        Of this recording.

    Returns
    -------
    tuple of Finding
        Serious ones where the two contradict each other, those of the file about these sensors, and what
        this recording lacks, or where its movement contradicts where sensors sit.
    """
    names = [sensor.name for sensor in sensors if not sensor.axes_known]
    by_file, by_signals = ({each.name: each for each in made.sensors} for made in (kept, own))
    contradicted = (_of_file(by_file[name], by_signals[name]) for name in names)
    of_file = (f for f in kept.findings if f.sensor in names)
    of_all = (f for f in own.findings if not f.sensor or f.kind in _OF_SIGNALS)
    return merged((*(f for f in contradicted if f is not None), *of_all, *of_file))


def _of_file(kept: SensorAlignment, own: SensorAlignment) -> Finding | None:
    """Return a finding if a sensor sits otherwise than a file says, or its signals do not tell."""
    if own.sd_deg[1] >= 180.0:
        says = "Whether it sits as the alignment file says, its signals do not show."
        return Finding("doubt", "alignment", says, sensor=own.name)
    off = np.degrees(vectors_from_rotations(own.rotation @ kept.rotation.T))
    sure = np.hypot(own.sd_deg, kept.sd_deg)
    if np.all(np.abs(off) <= _CONTRADICTION_SD * sure):
        return None
    k = int(np.argmax(np.abs(off) / sure))
    says = (
        f"By its signals it is turned by {np.linalg.norm(off):.0f} degrees against the alignment file: "
        f"{abs(off[k]):.0f} about the segment's {'xyz'[k]}, with a joint deviation of {sure[k]:.1f}."
    )
    advice = "use an alignment of a recording with the sensors worn like this, or none"
    return Finding("serious", "alignment", says, sensor=own.name, advice=advice)


def _of_site(own: SensorAlignment) -> list[Finding]:
    """Return a finding if a sensor moves as one does on another segment or side."""
    if own.site is None or own.found is None or own.found == own.site or own.probability < _LIKELY:
        return []
    kind = "swapped_sides" if own.found[0] == own.site[0] else "swapped_segments"
    severity = "serious" if own.probability >= SURE else "doubt"
    says = (
        f"It moves like a sensor on the {words(own.found)} (probability {own.probability:.2f}), but is "
        f"said to sit on the {words(own.site)}."
    )
    return [Finding(severity, kind, says, sensor=own.name, advice="look which sensor was worn where")]


def _of_stated_axes(own: SensorAlignment) -> list[Finding]:
    """Return a finding if a sensor is turned otherwise than the study says."""
    if own.sd_deg[1] >= 180.0:
        return []
    angle = float(np.degrees(np.linalg.norm(vectors_from_rotations(own.rotation))))
    if angle < _ODD_DEG:
        return []
    severity = "serious" if angle > _WRONG_DEG and own.facing >= SURE else "doubt"
    says = f"Its signals are turned by {angle:.0f} degrees against the axes that the study gives it."
    return [
        Finding(
            severity,
            "upside_down",
            says,
            sensor=own.name,
            advice=f"look at axes and orientation_deg of {toml_table('sensors', own.name)}",
        )
    ]
