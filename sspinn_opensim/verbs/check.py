"""``sspinn check``: what is in a recording, what is wrong with it, and a study of a vendor's files."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.alignment.types import Alignment, words
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.files import write_atomically, write_json
from sspinn_opensim.opensim_io.model.upgraded_model import read_any_model
from sspinn_opensim.recording import (
    Recording,
    along_bodies,
    check_placement,
    on_model,
    unaccepted,
)
from sspinn_opensim.recording.checks.overview import Overview
from sspinn_opensim.recording.findings import merged, sentences
from sspinn_opensim.recording.sensors.placement import body_of_segment
from sspinn_opensim.recording.signals.rotations import angles_from_rotation
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import Study, read_study
from sspinn_opensim.study.cohort import is_cohort
from sspinn_opensim.study.draft import NewStudy, model_file
from sspinn_opensim.study.person import odd_person
from sspinn_opensim.study.placed_sensors import check_segments, is_sure, segment_name, tells_segment
from sspinn_opensim.text import text_table, toml_table
from sspinn_opensim.training.coordinates import held_by_choice
from sspinn_opensim.training.coverage import refuse_short
from sspinn_opensim.training.loss_terms import weights
from sspinn_opensim.verbs.axes import contradictions, on_body
from sspinn_opensim.verbs.vendor_files import Recorded, look_at, read_files, write_study


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
            facts.append(f"{view.cadence_steps_per_min:.1f} steps/min by how the signals repeat")
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
            "left_out": list(self.left_out),
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
        said = " ".join(f"{name}={segment_name(place)}" for place, name in places)
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
        return lines

    def _turns(self) -> list[str]:
        from sspinn_opensim.report.recording_page import turn_table

        if self.alignment is None:
            return []
        columns, rows = turn_table(self.alignment)
        return [text_table(columns, rows, left=4), ""] if rows else []

    def _next(self) -> list[str]:
        """Return what to do next, where that is one thing."""
        if self.refused:
            return []
        if unaccepted(self.overview.findings, self.accepted):
            return ['What is meant so, a study accepts: accepted = ["KIND:SENSOR"] under [recording].']
        if self.study:
            return [f"next: sspinn run {shlex.quote(str(self.study))} --out results"]
        if self.path.suffix.lower() == ".toml":
            return []
        said = "--study study.toml --model builtin:planar_gait --height M --mass KG"
        if not any(sensor.body for sensor in self.overview.sensors) and not self._places():
            said += f" --where {self.overview.sensors[0].source}=SEGMENT ..."
        return [f"next: the same with {said} writes a study"]

    def __str__(self) -> str:
        from sspinn_opensim.report.recording_page import (
            PHASE_COLUMNS,
            SENSOR_COLUMNS,
            phase_rows,
            sensor_rows,
        )

        if self.as_json:
            return json.dumps(self.to_json(), indent=1)
        lines = [
            f"{self.path}: {'; '.join(self.facts)}",
            "",
            text_table(SENSOR_COLUMNS, sensor_rows(self.overview), left=4),
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


def check(
    path: str | Path,
    *,
    out: str | Path | None = None,
    where: Mapping[str, str] | None = None,
    recorded_rate_hz: float | None = None,
    options: Mapping[str, str] | None = None,
    new_study: NewStudy | None = None,
    as_json: bool = False,
) -> RecordingCheck:
    """Say what is in a recording and what is wrong with it; write a study of a vendor's files.

    Parameters
    ----------
    path : str or Path
        A file or folder as a vendor's software wrote it, or a study.
    out : str or Path, optional
        Folder for a page with plots, and the same as JSON; made if it is not there.
    where : mapping of str to str, optional
        Sensor of the file to the segment or body that carries it; the others are left out.
    recorded_rate_hz : float, optional
        Rate at which it was recorded, Hz, for files that do not say it.
    options : mapping of str to str, optional
        Keys of the format's table in a study, such as the `trial` of a folder that holds several.
    new_study : NewStudy, optional
        The study to write.
    as_json : bool
        Whether the result is printed as JSON.

    Raises
    ------
    InputError
        The files have no layout that is known, or cannot be read; or the study cannot be written.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("There is no such file or folder.", where=path, fix="check the path")
    looked, left_out, bodiless = None, {}, frozenset()
    if path.suffix.lower() == ".toml":
        _refuse_options_of_files(path, where, recorded_rate_hz, options, new_study)
        study = read_study(path)
        name, source = study.recording.format, study
    else:
        files = read_files(path.absolute(), where or {}, recorded_rate_hz, options)
        source: Study | Recorded = files.source
        name = files.source.recording.format
        if new_study is None:
            check_segments(where or {})
        else:
            overview, alignment, placed = write_study(new_study, files)
            looked = overview, alignment
            source = read_study(new_study.file)
            beside = {other: p.name for p in placed for other in p.beside}
            unused = [s.name for s in files.streams if s.name not in {p.source for p in placed}]
            left_out = {name: beside.get(name, "") for name in unused if not where or name in beside}
            bodiless = frozenset(s.name for s in files.streams if tells_segment(s.segment or s.name))
    overview, alignment = looked or look_at(source)
    if isinstance(source, Study):
        overview = _with_body(overview, source, alignment)
    result = RecordingCheck(
        path,
        name,
        overview,
        source.recording.accepted,
        alignment,
        study=new_study.file if new_study else None,
        left_out=left_out,
        bodiless=bodiless,
        as_json=as_json,
    )
    known = source if result.ok and isinstance(source, Study) else None
    file = str(source.recording.file)
    result = dataclasses.replace(result, refused=_refused(known, file, overview.recording, alignment))
    if out is None:
        return result
    with recorded(
        Path(out).absolute(),
        "check",
        title=f"Check of {path.name}",
        path=path if path.is_file() else str(path),
    ):
        return _with_page(result, source, Path(out).absolute())


def _refuse_options_of_files(path: Path, *options: object) -> None:
    if any(options):
        raise InputError(
            "A study says all of this itself.",
            where=path,
            found="options that describe a vendor's files",
            fix="change the study, or check the recording's file or folder",
        )
    if is_cohort(path):
        raise InputError(
            "'check' is for one recording.",
            where=path,
            expected="a study file, or a recording",
            found="a cohort file",
            fix="give one of its studies",
        )


def _with_body(overview: Overview, study: Study, alignment: Alignment | None) -> Overview:
    """Return an overview with what person and model of a study say against it.

    A model that cannot be used says nothing: that is why the study is refused.
    """
    found = [*overview.findings, *odd_person(study.person)]
    if all(sensor.axes_known for sensor in overview.recording.sensors):
        with contextlib.suppress(InputError):
            model = read_any_model(study.model.file)
            placed = on_model(overview.recording, model)
            # What is refused anyway needs no look at its movement, which takes longer.
            check_placement(placed.sensors, model)
            held = held_by_choice(study.coordinates, placed.sensors, model)
            weights(study.training.weights)
            if not unaccepted(found, study.recording.accepted):  # else nothing opens it
                from sspinn_opensim.verbs.inputs import read_reference

                read_reference(study, model)
            along = along_bodies(placed, model)
            if alignment is None and any(sensor.imu_frame for sensor in placed.sensors):
                found += contradictions(along)  # which way a frame points is not known before
            found += on_body(placed, along, model, found, held)
    return dataclasses.replace(overview, findings=merged(found))


def _refused(study: Study | None, file: str, recording: Recording, alignment: Alignment | None) -> str:
    """Return why a study, or any of its file alone, would not be run; empty: it would."""
    try:
        refuse_short(recording, file)
        if study is not None:
            from sspinn_opensim.verbs.inputs import check_inputs  # brings more along than a recording needs

            check_inputs(study, alignment)
    except InputError as error:
        return str(error)
    return ""


def _with_page(result: RecordingCheck, source: Study | Recorded, out: Path) -> RecordingCheck:
    """Write page and JSON into a folder."""
    from sspinn_opensim.report.recording_page import recording_page

    out.mkdir(parents=True, exist_ok=True)
    folder = ResultsFolder(out)
    picture = _picture(result.overview.recording, source)
    verdict = (result.ok, result.verdict)
    title = f"Recording {result.overview.recording.name}"
    page = recording_page(result.overview, title, result.facts, verdict, picture, result.alignment)
    done = dataclasses.replace(result, page=write_atomically(folder.recording_page, page))
    write_json(folder.recording_check, done.to_json())
    return done


def _picture(recording: Recording, source: Study | Recorded) -> str | None:
    """Return the sensors on the study's model, or on the built-in one; None where none has a place on it."""
    from sspinn_opensim.recording.sensors.places import place
    from sspinn_opensim.report.placement import Mark
    from sspinn_opensim.report.recording_page import sensors_picture

    file = source.model.file if isinstance(source, Study) else model_file("builtin:planar_gait")
    model = read_any_model(file)
    bodies = {body.name for body in model.bodies}
    frames = {frame.name for frame in model.imu_frames}
    marks = []
    for known in on_model(recording, model).sensors:
        sensor = known
        if sensor.imu_frame not in frames and sensor.body not in bodies:
            told = segment_of(sensor.body)
            body = body_of_segment(model, told) if told else None
            if body is None:
                continue
            sensor = dataclasses.replace(sensor, body=body)
        frame = place(sensor, model)
        marks.append(
            Mark(
                frame.body,
                sensor.name,
                np.array(frame.position),
                None,
                np.zeros((3, 3)),
                sensor.axes_known,
                sensor.rotation,
            )
        )
    return sensors_picture(model, marks) if marks else None
