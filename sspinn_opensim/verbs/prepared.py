"""Recording, subject and signals of a study, made once for every stage after scaling."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from casadi_dynamics.model import Model
from casadi_dynamics.osim import read_model
from sspinn_opensim.alignment.align import align, aligned, fingerprint, unaligned
from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.alignment.files import check_sensors, read_alignment, write_alignment
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.files import require, write_json
from sspinn_opensim.opensim_io.model.gravity import check_gravity
from sspinn_opensim.recording import (
    Finding,
    Phase,
    Recording,
    check_placement,
    find_faults,
    moved_sensors,
    on_model,
    phases,
    read_recording,
    refuse_serious,
    usual_places,
)
from sspinn_opensim.recording.reader import Recorded
from sspinn_opensim.recording.resample import resample
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import Study
from sspinn_opensim.training.coordinates import held_in
from sspinn_opensim.training.coverage import Uncovered, uncovered
from sspinn_opensim.training.signals import Signals, make_signals
from sspinn_opensim.training.subject import Subject, make_subject

#: Findings of an alignment about what a study says.
_CONTRADICTIONS = ("swapped_sides", "swapped_segments", "upside_down")


@dataclass(frozen=True)
class Prepared:
    """What a network is trained on and applied to.

    Attributes
    ----------
    recording : Recording
        Its sensors sit on bodies of the model; at its own rate.
    trained_on : Recording
        The same at the rate of the training.
    subject : Subject
        The scaled model with the sensors on it.
    signals : Signals
        Inputs of the network.
    notes : tuple of str
        What was found about the recording, and which sensors sit on a body of another name.
    phases : tuple of Phase
        What the person does.
    uncovered : tuple of Uncovered
        Spans that the method does not cover.
    alignment : Alignment or None
        How the sensors sit on their segments, if some had to be aligned.
    """

    recording: Recording
    trained_on: Recording
    subject: Subject
    signals: Signals
    notes: tuple[str, ...]
    phases: tuple[Phase, ...]
    uncovered: tuple[Uncovered, ...]
    alignment: Alignment | None = None


def write_reading(prepared: Prepared, out: Path) -> None:
    """Write to a results folder what reading the recording found and did, and how sensors were aligned."""
    recording = prepared.recording
    if prepared.alignment is not None:
        write_alignment(prepared.alignment, ResultsFolder(out).alignment)
    write_json(
        ResultsFolder(out).reading,
        {
            "recording": recording.name,
            "from_s": float(recording.time_s[0]),
            "to_s": float(recording.time_s[-1]),
            "usable_s": float(recording.usable.sum() / recording.sampling_rate_hz),
            "sampling_rate_hz": recording.sampling_rate_hz,
            "clocks": None if recording.clocks is None else asdict(recording.clocks),
            "gyroscope_biases": [asdict(bias) for bias in recording.gyro_biases],
            "notes": list(prepared.notes),
        },
    )


def subject_file(out: Path) -> Path:
    """Return the scaled model of a results folder; one that is missing raises `InputError`."""
    return require(ResultsFolder(out).subject, "run sspinn scale first")


def prepare(study: Study, out: Path, recording: Recording | None = None) -> Prepared:
    """Return the recording of a study, the body in its results folder with the sensors, and the signals.

    Parameters
    ----------
    study : Study
        Names sensors and coordinates.
    out : Path
        Results folder with the scaled model.
    recording : Recording, optional
        The study's, where it is at hand; else it is read.
    """
    model = read_model(subject_file(out))
    check_gravity(model.gravity, str(subject_file(out)))
    as_read = read_recording(study) if recording is None else recording
    recording = on_model(as_read, model)
    check_placement(recording.sensors, model, str(study.path))
    recording, alignment = along_segments(study, recording, model, out)
    held = held_in(out, study.coordinates, recording.sensors, model)
    subject = make_subject(model, recording, held, height_m=study.person.height_m)
    findings = find_faults(recording)
    refuse_serious(findings, study.recording.accepted, str(study.path))
    trained_on = resample(recording, study.training.rate_hz)
    told = phases(trained_on)
    spans = uncovered(trained_on, told, planar=subject.planar)
    rates = f"{recording.sampling_rate_hz:.6g} Hz", f"{study.training.rate_hz:g} Hz"
    notes = (
        *(() if trained_on is recording else (f"note: {rates[0]} become {rates[1]} for the training",)),
        *map(str, findings),
        *(f"note: {span}" for span in spans),
        *moved_sensors(as_read, model),
        *(f"note: {place}" for place in usual_places(as_read, model)),
        *(map(str, alignment.findings) if alignment else ()),
        *(f"note: {own}" for own in (alignment.sensors if alignment else ()) if own.estimated),
    )
    signals = make_signals(trained_on, subject, told)
    return Prepared(recording, trained_on, subject, signals, notes, told, spans, alignment)


def contradictions(recording: Recording) -> tuple[Finding, ...]:
    """Return where the movement contradicts what a study says of sensors whose axes are known.

    Parameters
    ----------
    recording : Recording
        Along the axes of the segments; sensors without all six channels are passed over.
    """
    if not all(sensor.axes_known for sensor in recording.sensors):
        return ()
    return tuple(f for f in align(recording).findings if f.kind in _CONTRADICTIONS)


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


def along_segments(
    study: Alignable,
    recording: Recording,
    model: Model | None = None,
    out: Path | None = None,
    *,
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
    refuse : bool
        Whether an alignment that is not sure is an error.

    Raises
    ------
    InputError
        If an alignment is not sure, and the study does not accept what is doubtful, or the file that the
        study names is of other sensors.
    """
    choice, stated = study.alignment, [s.name for s in study.sensors if s.axes or s.orientation_deg]
    recording = unaligned(recording, choice, stated)
    if all(sensor.axes_known for sensor in recording.sensors):
        return recording, None
    if choice.file is not None:
        found = read_alignment(choice.file)
        check_sensors(found, recording, choice.file)
        return aligned(recording, found), found
    part = study.recording
    whole = recording
    if part.from_s is not None or part.to_s is not None or part.pieces:
        whole = read_recording(study, whole=True)
        whole = unaligned(whole if model is None else on_model(whole, model), choice, stated)
    standing_s = (part.standing_s,) if part.standing_s else ()
    file = None if out is None else ResultsFolder(out).alignment
    found = read_alignment(file) if file is not None and file.is_file() else None
    if found is None or found.source != fingerprint(whole, choice, standing_s):
        found = align(whole, choice, standing_s=standing_s)
    if refuse:
        refuse_serious(found.findings, part.accepted, str(study.path))
    return aligned(recording, found), found
