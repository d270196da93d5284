"""The process in which a network is adapted to who streams, on one thread, where no other wants the core."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.estimation.verdict.fit import fit_of
from sspinn_opensim.recording import Recording, along_bodies, find_faults, phases, refuse_serious
from sspinn_opensim.streaming.recent import recording_of
from sspinn_opensim.streaming.task_process import serve
from sspinn_opensim.training.checkpoint import identity, save
from sspinn_opensim.training.cohort import single_person_cohort
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.loss_terms import weights
from sspinn_opensim.training.processes import shared_cores
from sspinn_opensim.training.settings import Progress, TrainingSettings
from sspinn_opensim.training.signals import Signals, make_signals
from sspinn_opensim.training.subject import Subject
from sspinn_opensim.training.trainer import Trainer

#: So much of what was streamed must be walking or running: a network that saw nothing else would forget it.
GAIT_SHARE = 0.5


@dataclass(frozen=True)
class Task:
    """Whose network is adapted, and how.

    Attributes
    ----------
    subject : Subject
        The person's body with the sensors.
    recording : Recording
        Names, sensors, channels and speed of the stream; its signals are of no account.
    settings : TrainingSettings
        Of an adaptation of as many steps as it may have at most.
    learnt : dict of str to dict
        States of `network`, `mounting` and `decoder` that it begins with.
    adapted_from : str
        Where these are from, for the checkpoint.
    accepted : tuple of str
        Serious findings that the study accepts.
    """

    subject: Subject
    recording: Recording
    settings: TrainingSettings
    learnt: dict[str, dict[str, Any]]
    adapted_from: str
    accepted: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        estimator: PersonNetwork,
        subject: Subject,
        recording: Recording,
        settings: TrainingSettings,
        *,
        adapted_from: str,
        accepted: tuple[str, ...] = (),
    ) -> Task:
        """Return the task of adapting a network that estimates already; parameters as the attributes."""
        bare = recording_of(recording, *np.zeros((2, 2, len(recording.sensors), 3)))
        return cls(subject, bare, settings, learnt_by(estimator), adapted_from, accepted)


@dataclass(frozen=True)
class Lesson:
    """A part of the stream to learn from: a file of `acceleration` and `angular_rate`, (n, k, 3) each."""

    samples: Path
    steps: int
    out: Path


@dataclass(frozen=True)
class Answer:
    """What came of a lesson.

    Attributes
    ----------
    kind : {'adapted', 'worse', 'no_gait', 'refused'}
        Of the last why is in `text`.
    seconds, lasted_s : float
        Of the stream, and of the training.
    steps : int
        Of the optimizer.
    before, after : float
        Loss over windows of these seconds, without noise on the inputs.
    """

    kind: Literal["adapted", "worse", "no_gait", "refused"]
    text: str = ""
    seconds: float = 0.0
    lasted_s: float = 0.0
    steps: int = 0
    before: float = 0.0
    after: float = 0.0


def learnt_by(estimator: PersonNetwork) -> dict[str, dict[str, Any]]:
    """Return the states of what an adaptation begins with."""
    parts = {name: getattr(estimator, name) for name in ("network", "mounting", "decoder")}
    return {name: {k: v.clone() for k, v in part.state_dict().items()} for name, part in parts.items()}


def learn(task: Path, pipe: Connection) -> None:
    """Take one `Lesson` after the other and send an `Answer` to each, until the other process is gone.

    Parameters
    ----------
    task : Path
        A pickled `Task`, written by the process that streams.
    """
    learner = Learner(pickle.loads(task.read_bytes()))

    def answer(lesson: Lesson) -> Answer:
        try:
            return learner.take(lesson, _end_if_alone)
        except InputError as error:
            return Answer("refused", error.what.rstrip("."))

    with shared_cores(1):
        serve(pipe, answer)


def _end_if_alone(_: Progress) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        sys.exit(1)


class Learner:
    """Adapts a network, lesson by lesson; what did not help is forgotten."""

    def __init__(self, task: Task) -> None:
        self._task, self._learnt = task, task.learnt

    def take(self, lesson: Lesson, report: Any = lambda _: None) -> Answer:
        """Adapt the network on a part of the stream, and write it where it is better than before.

        Raises
        ------
        InputError
            Something is wrong with the signals, or the training diverges.
        """
        task, began = self._task, time.monotonic()
        with np.load(lesson.samples) as samples:
            recording = recording_of(task.recording, samples["acceleration"], samples["angular_rate"])
        seconds = len(recording.time_s) / recording.sampling_rate_hz
        refuse_serious(find_faults(along_bodies(recording, task.subject.model)), task.accepted, "the stream")
        told = phases(recording)
        gait_s = sum(phase.duration_s for phase in told if phase.kind in ("walking", "running"))
        if gait_s < GAIT_SHARE * seconds:
            return Answer("no_gait", seconds=seconds)
        signals = make_signals(recording, task.subject, told)
        settings = replace(task.settings, steps=lesson.steps)
        cohort = single_person_cohort(task.subject, signals)
        trainer = Trainer(cohort, settings, self._learnt["network"])
        own = cast(PersonNetwork, trainer.estimators[0])
        # This is the recording of before gone on, so how sensors sit is no news of another one (`expect`).
        own.mounting.load_state_dict(self._learnt["mounting"])
        own.decoder.load_state_dict(self._learnt["decoder"])
        before = _loss(own, task.subject, signals, settings)
        trainer.run(report, lambda _: None)
        after = _loss(own, task.subject, signals, settings)
        found = Answer("worse", "", seconds, time.monotonic() - began, lesson.steps, before, after)
        if not after < before:  # nor if it is no number
            return found
        self._learnt = learnt_by(own)
        belongs_to = identity(task.subject, recording, settings)
        belongs_to["training"]["adapted_from"] = task.adapted_from
        save(lesson.out, trainer, belongs_to)
        return replace(found, kind="adapted")


def _loss(estimator: PersonNetwork, subject: Subject, signals: Signals, settings: TrainingSettings) -> float:
    """Return the weighted sum of the loss terms over windows of a recording, the same ones each time."""
    fit = fit_of(estimator, subject, signals, settings)
    if fit is None:
        raise InputError("No part of the stream is long enough to learn from.")
    weight = weights(settings.weights)
    return sum(weight[name] * value for name, value in fit.terms.items())
