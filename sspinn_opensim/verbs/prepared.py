"""Recording, subject and signals of a study, made once for every stage after scaling."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from casadi_dynamics.osim import read_model
from sspinn_opensim.alignment.files import write_alignment
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.files import write_json
from sspinn_opensim.opensim_io.model.gravity import check_gravity
from sspinn_opensim.recording import (
    Finding,
    Phase,
    Recording,
    check_placement,
    moved_sensors,
    on_model,
    phases,
    read_recording,
    refuse_serious,
    usual_places,
)
from sspinn_opensim.recording.resample import resample
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import Study
from sspinn_opensim.training.coordinates import held_in
from sspinn_opensim.training.coverage import Uncovered, uncovered
from sspinn_opensim.verbs.axes import along_segments, objections
from sspinn_opensim.verbs.on_study import subject_file

if TYPE_CHECKING:
    from sspinn_opensim.training.signals import Signals
    from sspinn_opensim.training.subject import Subject

log = logging.getLogger(__name__)

#: A recording this long, s, takes seconds to check: it is said.
_LONG_S = 600.0


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


def prepare(
    study: Study,
    out: Path,
    recording: Recording | None = None,
    alignment: Alignment | None = None,
    said: tuple[Finding, ...] | None = None,
) -> Prepared:
    """Return the recording of a study, the body in its results folder with the sensors, and the signals.

    Parameters
    ----------
    study : Study
        Names sensors and coordinates.
    out : Path
        Results folder with the scaled model.
    recording : Recording, optional
        The study's, where it is at hand; else it is read.
    alignment : Alignment, optional
        That of the recording, where it is at hand; else it is made.
    said : tuple of Finding, optional
        As for `objections`.
    """
    model = read_model(subject_file(out))
    check_gravity(model.gravity, str(subject_file(out)))
    as_read = recording
    if as_read is None:
        log.info(f"reading {study.recording.file}")
        as_read = read_recording(study)
    if (lasts_s := as_read.time_s[-1] - as_read.time_s[0]) >= _LONG_S:
        log.info(f"checking {lasts_s / 60:.0f} minutes of {len(as_read.sensors)} sensors")
    recording = on_model(as_read, model)
    check_placement(recording.sensors, model, str(study.path))
    recording, alignment = along_segments(study, recording, model, out, known=alignment)
    held = held_in(out, study.coordinates, recording.sensors, model)
    findings = objections(recording, alignment, model, study.person, held, said)
    refuse_serious(findings, study.recording.accepted, str(study.path))

    # These bring PyTorch along, which takes seconds: what is wrong comes first.
    from sspinn_opensim.training.signals import make_signals
    from sspinn_opensim.training.subject import make_subject

    subject = make_subject(model, recording, held, height_m=study.person.height_m)
    trained_on = resample(recording, study.training.rate_hz)
    told = phases(trained_on)
    spans = uncovered(trained_on, told, turns=subject.heading is not None)
    # As many digits as matter: in an hour a clock is off by less than a sample then.
    before, after = (f"{rate:.6g}" for rate in (recording.sampling_rate_hz, study.training.rate_hz))
    notes = (
        *((f"note: {before} Hz become {after} Hz for the training",) if before != after else ()),
        *map(str, findings),
        *(f"note: {span}" for span in spans),
        *moved_sensors(as_read, model),
        *(f"note: {place}" for place in usual_places(as_read, model)),
        *([f"note: {alignment}"] if alignment and any(own.estimated for own in alignment.sensors) else []),
    )
    signals = make_signals(trained_on, subject, told)
    return Prepared(recording, trained_on, subject, signals, notes, told, spans, alignment)
