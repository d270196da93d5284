"""Recording, subject and signals of a study, as every stage after scaling needs them."""

from __future__ import annotations

from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.osim import read_model
from sspinn_opensim.recording import Recording, check_placement, on_model, read_recording
from sspinn_opensim.study import Study
from sspinn_opensim.training.signals import Signals, make_signals
from sspinn_opensim.training.subject import Subject, make_subject


def require(out: Path, name: str, fix: str) -> Path:
    """Return the path of a file of an earlier stage; one that is missing raises `InputError`."""
    path = out / name
    if not path.is_file():
        raise InputError("A file of an earlier stage is missing.", where=path, fix=fix)
    return path


def subject_file(out: Path) -> Path:
    """Return the scaled model of a results folder; one that is missing raises `InputError`."""
    return require(out, "subject.osim", "run sspinn scale first")


def prepare(study: Study, out: Path) -> tuple[Recording, Subject, Signals]:
    """Return the recording of a study, the body in its results folder with the sensors, and the signals."""
    model: Model = read_model(subject_file(out))
    recording = on_model(read_recording(study), model)
    check_placement(recording.sensors, model, str(study.path))
    chosen = study.coordinates
    subject = make_subject(
        model, recording, chosen.fixed, height_m=study.person.height_m, estimate=chosen.estimate
    )
    return recording, subject, make_signals(recording, subject)
