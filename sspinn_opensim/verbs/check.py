"""``sspinn check``: what is in a recording, what is wrong with it, and a study of a vendor's files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.files import draft_of, write_atomically, write_json
from sspinn_opensim.opensim_io.model.upgraded_model import read_any_model
from sspinn_opensim.opensim_io.scaling.scale import known_height
from sspinn_opensim.recording import (
    FORMATS,
    Format,
    Recording,
    RecordingChoice,
    SensorChoice,
    on_model,
    read_recording,
    unaccepted,
)
from sspinn_opensim.recording.checks import longest_standing
from sspinn_opensim.recording.overview import Overview, overview_of
from sspinn_opensim.recording.placement import body_of_segment
from sspinn_opensim.recording.recognise import recognised
from sspinn_opensim.recording.rest import corrected_at_rest
from sspinn_opensim.recording.streams import Stream
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import Study, read_study
from sspinn_opensim.study.cohort import is_cohort
from sspinn_opensim.study.draft import (
    Draft,
    NewStudy,
    Placed,
    is_planar,
    model_file,
    place_streams,
    study_text,
    unobserved_trunk,
)
from sspinn_opensim.text import text_table


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
    study, page : Path or None
        What was written.
    as_json : bool
        Whether it is printed as JSON.
    """

    path: Path
    format: str
    overview: Overview
    accepted: tuple[str, ...] = ()
    study: Path | None = None
    page: Path | None = None
    as_json: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing serious was found that the study does not accept."""
        return not unaccepted(self.overview.findings, self.accepted)

    @property
    def verdict(self) -> str:
        """Whether it can be used, in a sentence."""
        serious = unaccepted(self.overview.findings, self.accepted)
        doubts = sum(f.severity == "doubt" for f in self.overview.findings)
        if serious:
            return f"Not to be used as it is: {', '.join(dict.fromkeys(f.key for f in serious))}."
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
            facts.append(f"{view.cadence_steps_per_min:.1f} steps/min")
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
            "study": None if self.study is None else str(self.study),
            "page": None if self.page is None else str(self.page),
        }

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
            *map(str, self.overview.findings),
            self.verdict,
        ]
        if self.page:
            lines.append(f"page: {self.page}")
        if self.study:
            lines.append(f"wrote {self.study}; next: sspinn run {self.study} --out results")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Recorded:
    """A recording and its sensors without a study."""

    recording: RecordingChoice
    sensors: tuple[SensorChoice, ...]


def check(
    path: str | Path,
    *,
    out: str | Path | None = None,
    where: Mapping[str, str] | None = None,
    recorded_rate_hz: float | None = None,
    trial: str = "",
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
    trial : str
        The trial of a folder that holds several, as the names of its files say it.
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
    if path.suffix.lower() == ".toml":
        _refuse_options_of_files(path, where, recorded_rate_hz, trial, new_study)
        study, form = read_study(path), None
        form = FORMATS[study.recording.format]
        source: Study | _Recorded = study
    else:
        form, source = _of_vendor(path.absolute(), where or {}, recorded_rate_hz, trial, new_study)
    overview = _overview(source)
    result = RecordingCheck(
        path,
        form.name,
        overview,
        source.recording.accepted,
        study=new_study.file if new_study else None,
        as_json=as_json,
    )
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


def _overview(source: Study | _Recorded) -> Overview:
    choice = source.recording
    own = dataclasses.replace(choice, rest_correction="none")
    as_recorded = read_recording(_Recorded(own, source.sensors), refuse=False)
    clean = dataclasses.replace(
        as_recorded, findings=tuple(f for f in as_recorded.findings if f.kind != "resting_magnitude")
    )
    recording = corrected_at_rest(clean, choice.rest_correction)
    return overview_of(recording, as_recorded, [s.source or s.name for s in source.sensors])


def _of_vendor(
    path: Path, where: Mapping[str, str], rate_hz: float | None, trial: str, new: NewStudy | None
) -> tuple[Format, Study | _Recorded]:
    """Return format and sensors of files without a study; write one if that is asked for."""
    found = recognised(path)
    form = found.format
    if form.streams is None:
        raise InputError(
            f"Files of the format '{form.name}' hold no streams of sensors.",
            where=path,
            fix="write a study that names the sensors, and check that",
        )
    file = path if form.folders else found.files[0]
    options = _options(form, trial, path)
    choice = RecordingChoice(form.name, file, file.stem, recorded_rate_hz=rate_hz, options=options)
    streams = form.streams(choice)
    _require_rate(streams, choice)
    if new is not None:
        _write_study(new, choice, streams, where)
        return form, read_study(new.file)
    sensors = [_named(stream, where) for stream in streams]
    return form, _Recorded(choice, tuple(sensors))


def _options(form: Format, trial: str, path: Path) -> Any:
    """Return the options of a format with a trial; None where none is chosen."""
    if not trial:
        return None
    if "trial" not in {field.name for field in dataclasses.fields(form.options)}:
        raise InputError(
            f"Files of the format '{form.name}' hold one trial.", where=path, fix="leave --trial out"
        )
    return form.options(trial=trial)


def _named(stream: Stream, where: Mapping[str, str]) -> SensorChoice:
    """Return a sensor called by what carries it, as far as user or file say it."""
    said = [segment for name, segment in where.items() if name.lower() in stream.name.lower()]
    body = said[0] if said else stream.segment.removesuffix("_imu")
    return SensorChoice(stream.name, body or stream.name, stream.name)


def _require_rate(streams: Sequence[Stream], choice: RecordingChoice) -> None:
    known = [stream for stream in streams if stream.rate_hz or stream.time_s is not None]
    if not known and choice.recorded_rate_hz is None:
        raise InputError(
            "The recording does not say its sampling rate.",
            where=choice.file,
            expected="the rate that was set when it was recorded",
            fix="--rate HZ",
        )


def _write_study(
    new: NewStudy, choice: RecordingChoice, streams: Sequence[Stream], where: Mapping[str, str]
) -> None:
    if new.file.exists() and not new.force:
        raise InputError(
            "There is a file of this name already.",
            where=new.file,
            fix="--force replaces it, or choose another",
        )
    file = model_file(new.model)
    model = read_any_model(file)
    if not (new.scaled or new.generic_height_m or known_height(file)):
        raise InputError(
            "The height of a person whom this model fits is not known.",
            where=new.model,
            fix="--generic-height M, or --scaled if the model is the person's already",
        )
    placed = place_streams(streams, where, model)
    draft = _draft(new, choice, streams, placed, model)
    new.file.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(new.file) as temporary:
        temporary.write_text(study_text(draft, new.file), encoding="utf-8")
        read_study(temporary)  # what is written must be what is read


def _draft(
    new: NewStudy,
    choice: RecordingChoice,
    streams: Sequence[Stream],
    placed: Sequence[Placed],
    model: Model,
) -> Draft:
    sensors = tuple(SensorChoice(p.name, p.body, p.source) for p in placed)
    seen = overview_of(read_recording(_Recorded(choice, sensors), refuse=False))
    used = {p.source for p in placed}
    standing = longest_standing(seen.phases, 0.0)
    return Draft(
        format=choice.format,
        file=choice.file,
        model=new.model,
        height_m=new.height_m,
        mass_kg=new.mass_kg,
        sensors=tuple(placed),
        left_out=tuple(stream.name for stream in streams if stream.name not in used),
        planar=is_planar(model),
        fixed=unobserved_trunk(model, placed),
        recorded_rate_hz=choice.recorded_rate_hz,
        trial=choice.options.trial if choice.options else "",
        speed_m_s=new.speed_m_s,
        measured_speed_m_s=None if seen.speed is None else seen.speed.speed_m_s,
        standing_s=None if standing is None else (standing.from_s, standing.to_s),
        generic_height_m=new.generic_height_m,
        scaled=new.scaled,
    )


def _with_page(result: RecordingCheck, source: Study | _Recorded, out: Path) -> RecordingCheck:
    """Write page and JSON into a folder."""
    from sspinn_opensim.report.recording_page import recording_page

    out.mkdir(parents=True, exist_ok=True)
    folder = ResultsFolder(out)
    picture = _picture(result.overview.recording, source)
    verdict = (result.ok, result.verdict)
    title = f"Recording {result.overview.recording.name}"
    page = recording_page(result.overview, title, result.facts, verdict, picture)
    done = dataclasses.replace(result, page=write_atomically(folder.recording_page, page))
    write_json(folder.recording_check, done.to_json())
    return done


def _picture(recording: Recording, source: Study | _Recorded) -> str | None:
    """Return the sensors on the study's model, or on the built-in one; None where none has a place on it."""
    import numpy as np

    from sspinn_opensim.report.placement import Mark
    from sspinn_opensim.report.recording_page import sensors_picture
    from sspinn_opensim.training.subject import place

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
                np.eye(3),
            )
        )
    return sensors_picture(model, marks) if marks else None
