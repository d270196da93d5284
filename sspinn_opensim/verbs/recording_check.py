"""The result of ``sspinn check``: whether a recording can be used, as text and as JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sspinn_opensim.alignment.types import Alignment, words
from sspinn_opensim.recording import unaccepted
from sspinn_opensim.recording.checks.overview import Overview
from sspinn_opensim.recording.findings import sentences
from sspinn_opensim.recording.signals.rotations import angles_from_rotation
from sspinn_opensim.report.recording_tables import (
    PHASE_COLUMNS,
    SENSOR_COLUMNS,
    bias_hint,
    phase_rows,
    sensor_rows,
    turn_table,
)
from sspinn_opensim.study.placed_sensors import is_sure, segment_name
from sspinn_opensim.text import text_table, toml_table

#: What makes `sspinn check` write a study.
_TO_WRITE = "--study study.toml --model builtin:planar_gait --height M --mass KG"


@dataclass(frozen=True)
class RecordingCheck:
    """What is in a recording, and whether it can be used.

    Attributes
    ----------
    path : Path
        What was checked.
    format : str
        How it is read.
    overview : Overview
        Sensors, phases, findings.
    accepted : tuple of str
        Serious findings that the study accepts.
    alignment : Alignment or None
        How the sensors sit on their segments, where that had to be found.
    study, page : Path or None
        What was written.
    left_out : mapping of str to str
        Sensors of the files that the written study does not use, though the user did not choose, and which
        sensor of the study each sits beside, if it is known.
    unnamed : tuple of str
        Sensors of the files that are left out, as the user names others.
    bodiless : frozenset of str
        Those of them whose segment is known, but has no body in the model.
    refused : str
        Why the study cannot be run, if not for a finding.
    as_json : bool
        Whether it is printed as JSON.
    """

    path: Path
    format: str
    overview: Overview
    accepted: tuple[str, ...] = ()
    alignment: Alignment | None = None
    study: Path | None = None
    page: Path | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    unnamed: tuple[str, ...] = ()
    bodiless: frozenset[str] = frozenset()
    refused: str = ""
    as_json: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing was found for which a run of the study would be refused."""
        return not self.refused and not unaccepted(self.overview.findings, self.accepted)

    @property
    def verdict(self) -> str:
        """Whether it can be used, in a sentence."""
        serious = unaccepted(self.overview.findings, self.accepted)
        doubts = sum(f.severity == "doubt" for f in self.overview.findings)
        cannot = f"Cannot be run: {self.refused}" if self.refused else ""
        if serious:
            told = f"Not to be used as it is: {', '.join(dict.fromkeys(f.key for f in serious))}."
            return f"{told}\n{cannot}".rstrip()
        if cannot:
            return cannot
        if doubts:
            return f"Can be used; {doubts} {'thing' if doubts == 1 else 'things'} to look at."
        return "Can be used; nothing is wrong."

    @property
    def facts(self) -> tuple[str, ...]:
        """Format, size, phases and speed, in a few words each."""
        view = self.overview
        rate = view.recording.sampling_rate_hz
        facts = [
            f"format {self.format}",
            f"{len(view.sensors)} {'sensor' if len(view.sensors) == 1 else 'sensors'}",
            f"{len(view.recording.time_s)} samples at {rate:.6g} Hz, {view.duration_s:.2f} s",
        ]
        kinds = dict.fromkeys(phase.kind for phase in view.phases)
        facts.append(", ".join(f"{kind} {view.time_of(kind):.1f} s" for kind in kinds))
        if view.cadence_steps_per_min:
            facts.append(
                f"{view.cadence_steps_per_min:.1f} steps/min in steady gait, by how the signals repeat"
            )
        if view.recording.speed_m_s:
            facts.append(f"stated speed {view.recording.speed_m_s:.3g} m/s")
        if view.speed:
            facts.append(f"about {view.speed.speed_m_s:.2f} m/s ({view.speed.how})")
        return tuple(facts)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "path": str(self.path),
            "format": self.format,
            "ok": self.ok,
            "verdict": self.verdict,
            "accepted": list(self.accepted),
            **self.overview.to_json(),
            "alignment": None if self.alignment is None else alignment_json(self.alignment),
            "left_out": [*self.left_out, *self.unnamed],
            "study": None if self.study is None else str(self.study),
            "page": None if self.page is None else str(self.page),
        }

    def _places(self) -> list[str]:
        """Return how to say where sensors sit that nobody placed, as they move."""
        told = self.alignment.sensors if self.alignment else ()
        if self.study or any(own.site for own in told):
            return []
        still = {f.sensor for f in self.overview.findings if f.kind == "frozen"}
        surest: dict[tuple[str, str], str] = {}  # of the sensors that move alike
        others = []
        for own in sorted(told, key=lambda own: -own.probability):
            if own.name not in still and own.found and is_sure(own.found[0], own.probability):
                first = surest.setdefault(own.found, own.name)
                others += [f"{own.name} beside {first}"] if first != own.name else []
        order = [own.name for own in told]
        places = sorted(surest.items(), key=lambda item: order.index(item[1]))
        said = " ".join(shlex.quote(f"{name}={segment_name(place)}") for place, name in places)
        more = f" (on the same segments: {', '.join(others)})" if others else ""
        return [f"by how they move, sensors sit at: --where {said}{more}"] if said else []

    def _not_used(self) -> list[str]:
        lines = [
            f"not used: {name}, as it sits on the same segment as '{other}'; if it is to be used instead, "
            f"make it the source of {toml_table('sensors', other)} in the study"
            for name, other in self.left_out.items()
            if other
        ]
        others = [name for name, other in self.left_out.items() if not other]
        for why, names in (
            ("the model has no body for them", [name for name in others if name in self.bodiless]),
            (
                "nothing says for sure where they sit (--where)",
                [name for name in others if name not in self.bodiless],
            ),
        ):
            lines += [f"not used, as {why}: {', '.join(names)}"] if names else []
        if self.unnamed:
            lines.append(f"not looked at, as --where names others: {', '.join(self.unnamed)}")
        return lines

    def _turns(self) -> list[str]:
        if self.alignment is None:
            return []
        columns, rows = turn_table(self.alignment)
        return [text_table(columns, rows, left=4), ""] if rows else []

    def _next(self) -> list[str]:
        """Return what to do next, where that is one thing."""
        if self.refused:
            return []
        if unaccepted(self.overview.findings, self.accepted):
            meant = 'What is meant so, a study accepts: accepted = ["KIND:SENSOR"] under [recording]'
            written = self.study is not None or self.path.suffix.lower() == ".toml"
            how = f"the same with {_TO_WRITE} writes one, with --where of the sensors to be used"
            return [f"{meant}." if written else f"{meant}; {how}."]
        if self.study:
            return [f"next: sspinn run {shlex.quote(str(self.study))} --out results"]
        if self.path.suffix.lower() == ".toml":
            return []
        said = _TO_WRITE
        if not any(sensor.body for sensor in self.overview.sensors) and not self._places():
            said += f" --where {self.overview.sensors[0].source}=SEGMENT ..."
        return [f"next: the same with {said} writes a study"]

    def __str__(self) -> str:
        if self.as_json:
            return json.dumps(self.to_json(), indent=1)
        lines = [
            f"{self.path}: {'; '.join(self.facts)}",
            "",
            text_table(SENSOR_COLUMNS, sensor_rows(self.overview), left=4),
            *filter(None, [bias_hint(self.overview)]),
            "",
            text_table(PHASE_COLUMNS, phase_rows(self.overview.phases)),
            "",
            *self._turns(),
            *sentences(self.overview.findings),
            *self._places(),
            *self._not_used(),
            self.verdict,
            *([f"page: {self.page}"] if self.page else []),
            *([f"wrote {self.study}"] if self.study else []),
            *self._next(),
        ]
        return "\n".join(lines)


def alignment_json(alignment: Alignment) -> list[dict[str, Any]]:
    """Return how sensors sit as JSON values."""
    return [
        {
            "name": own.name,
            "body": own.body,
            "orientation_deg": [
                round(float(angle), 3) for angle in np.degrees(angles_from_rotation(own.rotation))
            ],
            "sd_deg": list(own.sd_deg),
            "moves_like": None if own.found is None else words(own.found),
            "probability": own.probability,
        }
        for own in alignment.sensors
    ]
