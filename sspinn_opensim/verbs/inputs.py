"""Inputs of all stages of a study, checked before the first of them works."""

from __future__ import annotations

from dataclasses import asdict

from casadi_dynamics.osim import is_older, read_model
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.evaluation import read_reference
from sspinn_opensim.opensim_io.model.gravity import check_gravity
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings
from sspinn_opensim.recording import (
    Recording,
    check_placement,
    on_model,
    read_recording,
    refuse_serious,
)
from sspinn_opensim.study import Study
from sspinn_opensim.training.coordinates import held_by_choice
from sspinn_opensim.verbs.axes import along_segments, objections
from sspinn_opensim.verbs.muscles import muscle_window


def check_inputs(study: Study, known: Alignment | None = None) -> tuple[Recording, Alignment | None]:
    """Return the recording of a study whose every input can be used, and its alignment if it has one.

    No stage has to work for it.

    Parameters
    ----------
    known : Alignment, optional
        One that was made already; it is used if it is of the same signals and choices.

    Raises
    ------
    InputError
        A loss term, a body, an IMU frame or a coordinate is unknown; the recording or its output window
        cannot be used, or its movement contradicts what the study says of its sensors; the reference is no
        table. A model of an older version is not looked at: only OpenSim reads it.
    """
    model = None if is_older(study.model.file) else read_model(study.model.file)
    recording = read_recording(study)
    placed = recording if model is None else on_model(recording, model)
    along, alignment = along_segments(study, placed, model, known=known)
    refuse_serious(objections(along, alignment), study.recording.accepted, str(study.path))
    muscle_window(recording, study.output, Settings(**asdict(study.muscles)))
    if model is not None:
        check_gravity(model.gravity, str(study.model.file))
        check_placement(placed.sensors, model, str(study.path))
        held_by_choice(study.coordinates, placed.sensors, model)
        read_reference(study, model)
    from sspinn_opensim.training.losses import weights  # brings PyTorch along: what is quicker comes first

    weights(study.training.weights)
    return recording, alignment
