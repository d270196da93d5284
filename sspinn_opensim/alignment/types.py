"""The alignment of the sensors of a recording, with what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sspinn_opensim.alignment.usual import Site
from sspinn_opensim.recording.findings import Finding


@dataclass(frozen=True, eq=False)
class SensorAlignment:
    """How one sensor sits on its segment.

    Attributes
    ----------
    name, body : str
        The sensor, and the body or IMU frame that the study says carries it.
    rotation : (3, 3) array
        From the sensor's axes to the segment's: v_segment = R v_sensor.
    sd_deg : tuple of 3 float
        Standard deviations of small rotations about the segment's x, y and z axes; 180 where nothing is
        known.
    evidence : tuple of str
        What it rests on; empty: its axes were known.
    site : tuple of 2 str, or None
        Segment and side that the study says; None where its names tell none.
    facing : float
        Probability that it faces this way and not backward.
    found : tuple of 2 str, or None
        Segment and side on which it most probably sits, by its movement; None where that cannot be told.
    probability : float
        Of `found`.
    """

    name: str
    body: str
    rotation: np.ndarray
    sd_deg: tuple[float, float, float] = (180.0, 180.0, 180.0)
    evidence: tuple[str, ...] = ()
    site: Site | None = None
    facing: float = 0.5
    found: Site | None = None
    probability: float = 0.0

    @property
    def estimated(self) -> bool:
        """Whether its axes were found by its signals and not known before."""
        return bool(self.evidence)


@dataclass(frozen=True, eq=False)
class Alignment:
    """How the sensors of a recording sit on their segments.

    Attributes
    ----------
    sensors : tuple of SensorAlignment
        In the order of the recording.
    findings : tuple of Finding
        What is odd or uncertain.
    source : str
        Hash of the signals and choices it was made from.
    recording : str
        Name of the recording it was made from.
    """

    sensors: tuple[SensorAlignment, ...]
    findings: tuple[Finding, ...] = ()
    source: str = ""
    recording: str = ""

    def __str__(self) -> str:
        turned = [
            f"'{own.name}' {z:.1f}, {x:.1f}, {y:.1f}"
            for own in self.sensors
            if own.estimated
            for x, y, z in [own.sd_deg]
        ]
        return (
            "sensors are turned to the axes of their segments, as alignment.toml says; known within, degrees "
            f"in the sagittal plane, in the frontal plane and in heading: {'; '.join(turned)}"
        )


def words(site: Site) -> str:
    """Return segment and side in words: ``right shank``, ``pelvis``."""
    return " ".join((site[1], site[0].replace("_", " "))).strip()
