"""Files of a vendor without a study: read, looked at, and described by a study that is written."""

from __future__ import annotations

import dataclasses
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.input_files import not_a_file
from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.files import draft_of
from sspinn_opensim.opensim_io.model.upgraded_model import read_any_model
from sspinn_opensim.opensim_io.scaling.scale import known_height
from sspinn_opensim.recording import (
    Finding,
    Format,
    RecordingChoice,
    SensorChoice,
    find_faults,
    read_recording,
)
from sspinn_opensim.recording.checks.overview import Overview, overview_of
from sspinn_opensim.recording.findings import merged
from sspinn_opensim.recording.movement.phases import longest_standing
from sspinn_opensim.recording.reading.recognise import recognised
from sspinn_opensim.recording.sensors.rest import corrected_at_rest
from sspinn_opensim.recording.streams import Stream
from sspinn_opensim.settings import Location, replaced
from sspinn_opensim.settings.bounds import RATE
from sspinn_opensim.study import Study, read_study
from sspinn_opensim.study.draft import (
    Draft,
    NewStudy,
    is_planar,
    model_file,
    study_text,
    unobserved_trunk,
)
from sspinn_opensim.study.placed_sensors import Placed, place_streams, stream_called
from sspinn_opensim.verbs.axes import along_segments, as_chosen, contradictions

#: Findings about the axes of a sensor.
_OF_AXES = ("alignment", "gravity_direction", "upside_down", "mirrored")
#: Findings after which nothing can be said about how sensors sit.
_UNUSABLE = ("free_acceleration", "acceleration_unit", "angular_rate_unit", "missing_signal")


#: What is said of a table that is not along the segments.
_OWN_AXES = Finding(
    "note",
    "alignment",
    "Most sensors feel gravity far from y: the table is taken to be along their own axes.",
    advice='a study says so by method = "signals" under [alignment]',
)
#: Doubtful axes that a written study takes as found: facing this way with this probability at least, and
#: known within this in the sagittal plane, degrees.
_LIKELY, _LARGEST_SD_DEG = 0.8, 12.0


@dataclass(frozen=True)
class Recorded:
    """A recording and its sensors without a study."""

    path: Path
    recording: RecordingChoice
    sensors: tuple[SensorChoice, ...]
    alignment: AlignmentChoice = field(default_factory=AlignmentChoice)


@dataclass(frozen=True)
class VendorFiles:
    """A file or folder of a vendor, read.

    Attributes
    ----------
    choice : RecordingChoice
        The recording as a study would name it.
    streams : tuple of Stream
        All its sensors.
    where : mapping of str to str
        What the user says of them: segment or body by the name of the sensor.
    keys : tuple of str
        Options of the format that the user chose.
    alignment : AlignmentChoice
        Whether the signals tell how the sensors sit: also of a table, if it is not along the segments.
    """

    choice: RecordingChoice
    streams: tuple[Stream, ...]
    where: Mapping[str, str]
    keys: tuple[str, ...] = ()
    alignment: AlignmentChoice = field(default_factory=AlignmentChoice)

    @property
    def unnamed(self) -> tuple[str, ...]:
        """Sensors that are left out as the user names others, and the files do not say where these sit."""
        named = {stream_called(name, self.streams, self.where).name for name in self.where}
        return tuple(s.name for s in self.streams if named and s.name not in named and not s.segment)

    @property
    def source(self) -> Recorded:
        """The sensors, called as in the files, on what user or files say carries them."""
        said = {
            stream_called(name, self.streams, self.where).name: segment
            for name, segment in self.where.items()
        }
        named = (
            SensorChoice(
                stream.name,
                said.get(stream.name) or stream.segment.removesuffix("_imu") or stream.name,
                stream.name,
            )
            for stream in self.streams
            if stream.name not in self.unnamed
        )
        return Recorded(self.choice.file, self.choice, tuple(named), self.alignment)


def read_files(
    path: Path,
    where: Mapping[str, str],
    recorded_rate_hz: float | None,
    options: Mapping[str, str] | None = None,
) -> VendorFiles:
    """Read a file or folder as a vendor's software wrote it.

    Parameters
    ----------
    where : mapping of str to str
        Sensor of the file to the segment or body that carries it.
    recorded_rate_hz : float or None
        Rate at which it was recorded, Hz, if the user states it.
    options : mapping of str to str, optional
        Keys of the format's table in a study, with their values as they are typed.

    Raises
    ------
    InputError
        If no reader knows it, its rate is stated nowhere or is none, or it has no sensor of `where`.
    """
    if recorded_rate_hz is not None and not RATE.holds(recorded_rate_hz):
        raise InputError(
            "The value is out of bounds.",
            where="--rate",
            expected=str(RATE),
            found=f"{recorded_rate_hz:g}",
            fix=RATE.hint,
        )
    found = recognised(path)
    form = found.format
    if form.streams is None:
        raise InputError(
            f"Files of the format '{form.name}' hold no streams of sensors.",
            where=path,
            fix="write a study that names the sensors, and check that",
        )
    file = path if form.folders else found.files[0]
    chosen = _options(form, options or {})
    choice = RecordingChoice(form.name, file, file.stem, recorded_rate_hz=recorded_rate_hz, options=chosen)
    streams = form.streams(choice)
    known = [stream for stream in streams if stream.rate_hz or stream.time_s is not None]
    if not known and recorded_rate_hz is None:
        raise InputError(
            "The recording does not say its sampling rate.",
            where=path,
            expected="the rate that was set when it was recorded",
            fix="--rate HZ",
        )
    called = {stream.name.lower() for stream in streams}
    for name, segment in where.items():
        if segment.lower() in called and name.lower() not in called and segment_of(name):
            raise InputError(
                "The sensor comes before its segment.",
                where=f"--where {name}={segment}",
                expected="SENSOR=SEGMENT",
                fix="--where " + shlex.quote(f"{segment}={name}"),
            )
        stream_called(name, streams, where)  # refuses what no sensor is called
    files = VendorFiles(choice, streams, where, tuple(options or ()))
    own_axes = form.segment_axes and _along_own_axes(files)
    return replace(files, alignment=AlignmentChoice(method="signals")) if own_axes else files


def _along_own_axes(files: VendorFiles) -> bool:
    """Return whether a table is not along the segments, but can be turned there.

    Most of its sensors have all six channels and feel gravity far from the axis that points up in segments.
    """
    source = files.source
    recording = read_recording(source, refuse=False)
    if any(f.kind in _UNUSABLE and f.is_serious for f in recording.findings):
        return False
    whole = np.all(recording.acceleration_available & recording.angular_rate_available, axis=1)
    off = {f.sensor for f in find_faults(recording) if f.kind in ("gravity_direction", "upside_down")}
    turned = [name in off for name in recording.sensor_names] & whole
    return bool(turned.mean() > 0.5)


def _options(form: Format, typed: Mapping[str, str]) -> Any:
    """Return the options of a format, each held to its kind as if it stood in a study."""
    options, known = form.options(), [field.name for field in dataclasses.fields(form.options)]
    for key, text in typed.items():
        place = Location(f"--option {key}")
        if key not in known:
            raise place.error(
                f"The format '{form.name}' has no option '{key}'.",
                expected="one of " + ", ".join(known) if known else "the format has no options",
                fix=nearest(key, known),
            )
        try:
            options = replaced(options, {key: text}, place)
        except InputError:
            value = _typed(text)
            if isinstance(value, str):
                raise
            options = replaced(options, {key: value}, place)
    return options if typed else None


def _typed(text: str) -> Any:
    """Return the number, or true or false, that a text is in TOML; else the text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def look_at(source: Study | Recorded) -> tuple[Overview, Alignment | None]:
    """Return what is in a recording, and how its sensors sit if that is not known."""
    choice = source.recording
    own = replace(choice, rest_correction="none")
    as_recorded = as_chosen(source, read_recording(replace(source, recording=own), refuse=False))
    clean = replace(
        as_recorded, findings=tuple(f for f in as_recorded.findings if f.kind != "resting_magnitude")
    )
    recording = corrected_at_rest(clean, choice.rest_correction)
    view = overview_of(recording, as_recorded, [s.source or s.name for s in source.sensors])
    if isinstance(source, Recorded) and source.alignment.method == "signals":
        view = replace(view, findings=(*view.findings, _OWN_AXES))
    if any(f.kind in _UNUSABLE and f.is_serious for f in view.findings):
        return view, None
    turned, alignment = along_segments(source, recording, refuse=False)
    if alignment is None:
        findings = merged((*view.findings, *contradictions(turned)))
        return replace(view, findings=findings), None
    placed = {own.name for own in alignment.sensors if own.site is not None}
    turned_by = {own.name for own in alignment.sensors if own.sd_deg[1] < 180.0}
    # The alignment looks for standing in all of the recording, and where the study says that it is.
    stands = all(f.kind != "no_standing" for f in alignment.findings)
    # Of a sensor of which nobody said where it sits, or nothing how it is turned, no axes can be judged.
    findings = merged(
        (
            *(f for f in view.findings if not (stands and f.kind == "no_standing")),
            *(f for f in alignment.findings if f.kind not in _OF_AXES or not f.sensor or f.sensor in placed),
            *(f for f in find_faults(turned, view.phases) if f.kind not in _OF_AXES or f.sensor in turned_by),
        )
    )
    return replace(view, recording=turned, findings=findings), alignment


def write_study(new: NewStudy, files: VendorFiles) -> tuple[Overview, Alignment | None, tuple[Placed, ...]]:
    """Write a study of a vendor's files; return what is in the recording, how sensors sit, and on what.

    Raises
    ------
    InputError
        If there is such a file already, sensors have no place on the model, or the study would not be read.
        Nothing is written then.
    """
    if new.file.is_dir():
        raise InputError(
            "This is a folder; a study is a file.", where=new.file, fix=f"--study {new.file / 'study.toml'}"
        )
    if new.file.exists() and not new.force:
        raise InputError(
            "There is a file of this name already.",
            where=new.file,
            fix="--force replaces it, or choose another name",
        )
    file = model_file(new.model)
    if why := not_a_file(file):
        raise InputError(f"The model file {why}.", where="--model", found=new.model, fix="check the path")
    model = read_any_model(file)
    if not (new.scaled or new.generic_height_m or known_height(file)):
        raise InputError(
            "The height of a person whom this model fits is not known.",
            where=new.model,
            fix="--generic-height M, or --scaled if the model is the person's already",
        )
    placed = place_streams(files.streams, files.where, model, lambda: _moves_like(files))
    sensors = tuple(SensorChoice(p.name, p.body, p.source) for p in placed)
    seen, alignment = look_at(Recorded(files.choice.file, files.choice, sensors, files.alignment))
    used = {source for p in placed for source in (p.source, *p.beside)}
    standing = longest_standing(seen.phases, 0.0)
    draft = Draft(
        format=files.choice.format,
        file=files.choice.file,
        model=new.model,
        height_m=new.height_m,
        mass_kg=new.mass_kg,
        sensors=placed,
        left_out=tuple(s.name for s in files.streams if s.name not in used),
        planar=is_planar(model),
        fixed=unobserved_trunk(model, placed),
        recorded_rate_hz=files.choice.recorded_rate_hz,
        options={key: getattr(files.choice.options, key) for key in files.keys},
        speed_m_s=new.speed_m_s,
        measured_speed_m_s=None if seen.speed is None else seen.speed.speed_m_s,
        standing_s=None if standing is None else (standing.from_s, standing.to_s),
        accepted=_likely_axes(seen, alignment),
        generic_height_m=new.generic_height_m,
        scaled=new.scaled,
        alignment_method=files.alignment.method,
    )
    new.file.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(new.file) as temporary:
        temporary.write_text(study_text(draft, new.file), encoding="utf-8")
        read_study(temporary)  # what is written must be what is read
    return seen, alignment, placed


def _likely_axes(seen: Overview, alignment: Alignment | None) -> dict[str, str]:
    """Return findings about axes that are more likely right than not: key, and what they rest on."""
    likely = {
        own.name
        for own in (alignment.sensors if alignment else ())
        if own.facing >= _LIKELY and own.sd_deg[2] <= _LARGEST_SD_DEG
    }
    return {
        f.key: str(f).removeprefix("serious: ").partition(". ")[0]
        for f in seen.findings
        if f.is_serious and f.kind == "alignment" and f.sensor in likely
    }


def _moves_like(files: VendorFiles) -> dict[str, tuple[str, str, float]]:
    """Return segment, side and probability of each sensor, by how it moves; of none that lies still."""
    sensors = tuple(SensorChoice(stream.name, stream.name, stream.name) for stream in files.streams)
    source = Recorded(files.choice.file, files.choice, sensors, AlignmentChoice(method="signals"))
    recording = read_recording(source, refuse=False)
    still = {f.sensor for f in find_faults(recording) if f.kind == "frozen"}
    alignment = along_segments(source, recording, refuse=False)[1]
    told = () if alignment is None else alignment.sensors
    return {own.name: (*own.found, own.probability) for own in told if own.found and own.name not in still}
