"""Axes of the segments: the recording of a study along them, and where its movement contradicts the study."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from sspinn_opensim.alignment.align import align, aligned, fingerprint, judged, unaligned
from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.alignment.doubts import doubts_of_file
from sspinn_opensim.alignment.files import check_sensors, read_alignment
from sspinn_opensim.alignment.neighbours import late_sensors
from sspinn_opensim.alignment.scales import odd_scales
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.recording import (
    FORMATS,
    Finding,
    Recording,
    along_bodies,
    find_faults,
    on_model,
    phases,
    read_recording,
    refuse_serious,
)
from sspinn_opensim.recording.findings import merged
from sspinn_opensim.recording.movement.sagittal import across_held_joints, lacking_channels
from sspinn_opensim.recording.reading.reader import Recorded
from sspinn_opensim.recording.sensors.places import odd_places
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study.format import Person
from sspinn_opensim.study.person import odd_person

#: Findings after which signals of sensors cannot be compared.
_UNITS = ("acceleration_unit", "angular_rate_unit", "free_acceleration", "missing_signal", "duplicate")
#: Findings of an alignment about what a study says.
CONTRADICTIONS = ("swapped_sides", "swapped_segments", "upside_down", "mirrored", "inconsistent")
#: Findings about which sensor sits where: none to who asks just that.
OF_PLACES = (*CONTRADICTIONS, "speed", "time_offset", "place")


class Alignable(Recorded, Protocol):
    """A study, as far as alignment goes."""

    @property
    def path(self) -> Path:
        """The study file, for messages."""
        ...

    @property
    def alignment(self) -> AlignmentChoice:
        """How sensors are aligned."""
        ...


def as_chosen(study: Alignable, recording: Recording) -> Recording:
    """Return a recording that says of each sensor whether it has to be aligned, by what a study says."""
    stated = [sensor.name for sensor in study.sensors if sensor.axes or sensor.orientation_deg]
    choice, form = study.alignment, FORMATS.get(study.recording.format)
    if choice.stated_within_deg is None and form is not None:
        choice = replace(choice, stated_within_deg=form.axes_within_deg)
    return unaligned(recording, choice, stated)


def contradictions(recording: Recording) -> tuple[Finding, ...]:
    """Return where the movement contradicts what a study says of sensors whose axes are known.

    Parameters
    ----------
    recording : Recording
        Along the axes of the segments; sensors without the channels of the sagittal plane are passed over.
        While one is in an IMU frame, of which only the model says how it is turned, nothing is said.
    """
    if not all(sensor.axes_known and not sensor.imu_frame for sensor in recording.sensors):
        return ()
    return tuple(f for f in align(recording).findings if f.kind in CONTRADICTIONS)


def objections(
    along: Recording,
    alignment: Alignment | None,
    model: Model | None = None,
    person: Person | None = None,
    held: Container[str] = (),
    said: tuple[Finding, ...] | None = None,
) -> tuple[Finding, ...]:
    """Return all that signals, model and person say against a recording and its axes.

    Parameters
    ----------
    along, alignment : Recording and Alignment or None
        As `along_segments` returns them.
    model : Model, optional
        Carries the sensors, and says how its IMU frames are turned: without it nothing is said of the axes of
        sensors in them, and of channels, places and lags of all.
    person : Person, optional
        Who was recorded, as the study says.
    held : container of str
        Coordinates of the model that do not move.
    said : tuple of Finding, optional
        What `without_joints` returned of this recording on a model of the same frames, before it was scaled.
    """
    if said is None:
        said = without_joints(along, alignment, model, person)
    if model is None:
        return said
    return merged((*said, *on_body(along, along_bodies(along, model), model, said, held)))


def without_joints(
    along: Recording, alignment: Alignment | None, model: Model | None = None, person: Person | None = None
) -> tuple[Finding, ...]:
    """Return what signals and person say for themselves: `objections` without those of places and joints."""
    # Who is in use after this keeps them, and most sensors need no turn.
    doing = phases(along)
    along = along if model is None else along_bodies(along, model)
    said = contradictions(along) if alignment is None else alignment.findings
    return merged((*find_faults(along, doing), *said, *(odd_person(person) if person else ())))


def on_body(
    recording: Recording,
    along: Recording,
    model: Model,
    said: Iterable[Finding] = (),
    held: Container[str] = (),
) -> tuple[Finding, ...]:
    """Return what a model says against channels, places, clocks and movement of the sensors that it carries.

    Parameters
    ----------
    recording : Recording
        Along the axes of the bodies and IMU frames.
    along : Recording
        The same along the axes of the bodies, as `along_bodies` has it.
    said : iterable of Finding
        What is known already: where axes, units or scales are wrong, joints tell no lag.
    held : container of str
        Coordinates of the model that do not move.
    """
    wrong = {f.kind for f in said if f.is_serious}
    movement: list[Finding] = []
    if not wrong & {*CONTRADICTIONS, *_UNITS} - {"inconsistent"}:
        doing = phases(along)
        movement += odd_scales(along, model, doing)
        if "inconsistent" not in wrong and not any(f.is_serious for f in movement):
            movement += [*across_held_joints(along, model, held, doing), *late_sensors(along, model, doing)]
    return (*lacking_channels(recording, model, held), *odd_places(along.sensors, model), *movement)


def along_segments(
    study: Alignable,
    recording: Recording,
    model: Model | None = None,
    out: Path | None = None,
    *,
    known: Alignment | None = None,
    refuse: bool = True,
) -> tuple[Recording, Alignment | None]:
    """Return a recording along the axes of the bodies, and the alignment where sensors had to be aligned.

    Parameters
    ----------
    study : Alignable
        Says how its sensors are aligned, and names an alignment to use, if any.
    recording : Recording
        The part that the study uses.
    model : Model, optional
        Its bodies carry the sensors.
    out : Path, optional
        Results folder: an alignment that lies there is used if it was made from the same signals and choices.
    known : Alignment, optional
        One that is at hand; likewise.
    refuse : bool
        Whether an alignment that is not sure, or that the signals contradict, is an error.

    Raises
    ------
    InputError
        If an alignment is not sure or contradicted, and the study does not accept what is doubtful; or the
        file that the study names is of other sensors, or nothing needs it.
    """
    made = _made(known, out)
    choice, recording = study.alignment, as_chosen(study, recording)
    if all(sensor.axes_known for sensor in recording.sensors):
        if choice.file is not None:
            raise InputError(
                "The study names an alignment, but the axes of all its sensors are known.",
                where=study.path,
                found=f"file = '{choice.file.name}' under [alignment]",
                fix='remove it, or align all sensors of which the study states no axes: method = "signals"',
            )
        return recording, None
    if choice.file is not None:
        used = read_alignment(choice.file)
        check_sensors(used, recording, choice.file)
        own = _own(study, recording, model, made)
        used = replace(
            used, findings=(_named(used, choice.file), *doubts_of_file(used, own, recording.sensors))
        )
    else:
        used = _own(study, recording, model, made)
    if refuse:
        refuse_serious(used.findings, study.recording.accepted, str(study.path))
    return aligned(recording, used), used


def _own(
    study: Alignable,
    recording: Recording,
    model: Model | None,
    made: Iterable[Alignment],
) -> Alignment:
    """Return how the sensors of a recording sit by its own signals: what was found already, or anew."""
    part, choice = study.recording, study.alignment
    whole = recording
    if part.from_s is not None or part.to_s is not None or part.pieces:
        whole = read_recording(study, whole=True)
        whole = as_chosen(study, whole if model is None else on_model(whole, model))
    standing_s = (part.standing_s,) if part.standing_s else ()
    source = fingerprint(whole, choice, standing_s)
    same = next((each for each in made if each.source == source), None)
    return judged(same, whole, choice) if same else align(whole, choice, standing_s=standing_s)


def _made(known: Alignment | None, out: Path | None) -> Iterator[Alignment]:
    """Return the alignments that there are already."""
    if known is not None:
        yield known
    file = None if out is None else ResultsFolder(out).alignment
    if file is not None and file.is_file():
        yield read_alignment(file)


def _named(used: Alignment, file: Path) -> Finding:
    """Return a note of whose alignment a study uses."""
    of = f", made from the recording '{used.recording}'" if used.recording else ""
    return Finding("note", "alignment", f"Sensors are turned as '{file.name}' says{of}.")
