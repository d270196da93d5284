"""The file ``alignment.toml``: how sensors sit on their segments, written once and read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tomlkit

from casadi_dynamics.errors import InputError
from sspinn_opensim.alignment.types import Alignment, SensorAlignment, words
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.files import write_atomically
from sspinn_opensim.recording.findings import KINDS, Finding, Severity
from sspinn_opensim.recording.signals.rotations import angles_from_rotation, rotation_from_angles
from sspinn_opensim.recording.types import Recording
from sspinn_opensim.settings import OneOf, read_tables
from sspinn_opensim.settings.bounds import Angles

_HEAD = """\
How sensors sit on their segments, as sspinn found it from their signals.
orientation_deg: body-fixed XYZ angles of the sensor's axes in the body, as in a study; sd_deg: standard
deviations of small rotations about the segment's x (forward), y (up) and z (right); facing: probability that
it does not face backward; moves_like and probability: where it most probably sits, whatever the study says.
To use it elsewhere, name it in a study: file = "alignment.toml" under [alignment]."""


@dataclass(frozen=True)
class _SensorTable:
    """``[sensors.NAME]`` of the file."""

    name: str
    body: str
    orientation_deg: Angles
    sd_deg: Angles
    facing: float = 1.0
    moves_like: str = ""
    probability: float = 0.0
    evidence: str | tuple[str, ...] = ""


@dataclass(frozen=True)
class _FindingTable:
    """``[findings.NUMBER]`` of the file."""

    name: str
    severity: Severity
    kind: Annotated[str, OneOf(KINDS)]
    evidence: str
    sensor: str = ""
    advice: str = ""


@dataclass(frozen=True)
class _AlignmentTable:
    """The keys of the file."""

    sensors: tuple[_SensorTable, ...]
    source: str = ""
    recording: str = ""
    findings: tuple[_FindingTable, ...] = ()


def write_alignment(alignment: Alignment, file: Path) -> Path:
    """Write an alignment; `read_alignment` gives the same rotations, to the last digit."""
    document = tomlkit.document()
    for line in _HEAD.splitlines():
        document.add(tomlkit.comment(line))
    document["source"] = alignment.source
    document["recording"] = alignment.recording
    sensors = tomlkit.table(is_super_table=True)
    for own in alignment.sensors:
        table = tomlkit.table()
        table["body"] = own.body
        table["orientation_deg"] = [round(float(a), 6) + 0.0 for a in _angles_deg(own.rotation)]
        table["sd_deg"] = [round(sd, 3) for sd in own.sd_deg]
        table["facing"] = round(own.facing, 6)
        if own.found is not None:
            table["moves_like"] = words(own.found)
            table["probability"] = round(own.probability, 6)
        if own.evidence:
            table["evidence"] = list(own.evidence)
        sensors[own.name] = table
    document["sensors"] = sensors
    if alignment.findings:
        findings = tomlkit.table(is_super_table=True)
        for number, found in enumerate(alignment.findings, 1):
            table = tomlkit.table()
            for key in ("severity", "kind", "sensor", "evidence", "advice"):
                if getattr(found, key):
                    table[key] = getattr(found, key)
            findings[str(number)] = table
        document["findings"] = findings
    return write_atomically(file, tomlkit.dumps(document))


def read_alignment(file: Path) -> Alignment:
    """Read an alignment.

    Raises
    ------
    InputError
        If it is no file of `write_alignment`.
    """
    table = read_tables(file, _AlignmentTable, "alignment file")
    findings = tuple(
        Finding(f.severity, f.kind, f.evidence, sensor=f.sensor, advice=f.advice) for f in table.findings
    )
    return Alignment(tuple(map(_sensor, table.sensors)), findings, table.source, table.recording)


def check_sensors(alignment: Alignment, recording: Recording, file: Path) -> None:
    """Refuse an alignment that lacks a sensor whose axes are not known, or has it on another body."""
    there = {own.name: own for own in alignment.sensors}
    for sensor in recording.sensors:
        if sensor.axes_known:
            continue
        if sensor.name not in there:
            raise InputError(
                f"The alignment has no sensor '{sensor.name}'.",
                where=file,
                expected=", ".join(s.name for s in recording.sensors if not s.axes_known),
                found=", ".join(there),
            )
        if there[sensor.name].body != sensor.body:
            raise InputError(
                f"The alignment is of another place of sensor '{sensor.name}'.",
                where=file,
                expected=f"body '{sensor.body}'",
                found=f"body '{there[sensor.name].body}'",
            )


def _angles_deg(rotation: np.ndarray) -> np.ndarray:
    return np.degrees(angles_from_rotation(rotation))


def _sensor(table: _SensorTable) -> SensorAlignment:
    first, second, third = np.radians(table.orientation_deg).tolist()
    evidence: str | Sequence[str] = table.evidence
    return SensorAlignment(
        name=table.name,
        body=table.body,
        rotation=rotation_from_angles((first, second, third)),
        sd_deg=table.sd_deg,
        evidence=(evidence,) if isinstance(evidence, str) and evidence else tuple(evidence),
        site=segment_of(table.body) or segment_of(table.name),
        facing=table.facing,
        found=segment_of(table.moves_like) if table.moves_like else None,
        probability=table.probability,
    )
