"""Parts of a stream, made of a study: its channels, the solver of its muscles, its page."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from casadi_dynamics.opensim_process.temporary import temporary_folder
from sspinn_opensim.estimation import StreamingEstimator
from sspinn_opensim.live_page import About, figure_of
from sspinn_opensim.muscles import FrameSolver, MuscleSolver
from sspinn_opensim.opensim_io.static_optimization.preparation import settings_of_estimate, write_model
from sspinn_opensim.streaming.channels import Channels, channels_of_estimate
from sspinn_opensim.study import Study
from sspinn_opensim.training.subject import Subject
from sspinn_opensim.verbs.on_study import subject_file
from sspinn_opensim.verbs.prepared import Prepared

log = logging.getLogger(__name__)

#: A joint whose moments stay below this share of body weight times height is hardly loaded: reserves there
#: are judged as if it had that much.
_LOADED = 0.01


def frame_solver_of(study: Study, subject: Subject, model_file: Path) -> FrameSolver:
    """Return the solver of the muscles of single frames, with reserves as in `sspinn muscles`.

    Parameters
    ----------
    study : Study
        Its settings of static optimization.
    subject : Subject
        Whose moments are known.
    model_file : Path
        The same model, with muscles.

    Raises
    ------
    InputError
        The muscles of the model cannot be used.
    """
    log.info("The functions of the muscles are built; this takes a moment once for a model.")
    model = subject.model
    with temporary_folder("muscles") as folder:
        files = write_model(
            model_file,
            Path(folder),
            motions={coordinate.name: coordinate.motion for coordinate in model.coordinates},
            body_weight_n=subject.body_weight,
            held={name: value for name, value in subject.fixed.items() if not model.coordinate(name).locked},
        )
        settings = settings_of_estimate(study.muscles, consistent=study.output.consistent)
        solver = MuscleSolver(files[0], actuators=files[1:], settings=settings)
        actuated = [model.coordinate_names[k] for k in subject.roles.actuated]
        return FrameSolver(solver, actuated, least_moment=_LOADED * subject.moment_scale)


def channels_of(
    prepared: Prepared, estimator: StreamingEstimator, solver: FrameSolver | None = None
) -> Channels:
    """Return the channels of the estimates of a study, with those of muscles if they are solved."""
    motion = {coordinate.name: coordinate.motion for coordinate in prepared.subject.model.coordinates}
    channels = channels_of_estimate(
        estimator.coordinates, list(motion.values()), estimator.actuated, estimator.feet
    )
    if solver is None:
        return channels
    units = tuple("N m" if motion[name] == "rotational" else "N" for name in solver.driven)
    return replace(channels, muscles=solver.muscles, actuators=solver.actuators, actuator_units=units)


def about_page(
    study: Study,
    prepared: Prepared,
    channels: Channels,
    estimator: StreamingEstimator,
    out: Path,
    standing_s: float,
) -> About:
    """Return what the live page says of a stream."""
    subject = prepared.subject
    figure = figure_of(
        subject.model,
        subject_file(out),
        [study.model.file.parent],
        sensors=subject.functions.imu_frames,
        feet=estimator.feet,
        muscles=channels.muscles,
        planar=subject.heading is None,
    )
    for note in figure.notes:
        log.info(note)
    return About(
        study.name,
        subject.model.name,
        1 / estimator.step_s,
        channels,
        subject.body_weight,
        standing_s,
        figure,
    )
