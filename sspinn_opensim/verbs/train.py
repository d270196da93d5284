"""One training for each seed: taken up where it stopped, shown while it goes on, and kept."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sspinn_opensim.files import write_atomically
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.study_record import records
from sspinn_opensim.study import Study
from sspinn_opensim.training.checkpoint import identity, resume, save
from sspinn_opensim.training.cohort import Cohort, single_person_cohort
from sspinn_opensim.training.settings import Progress, TrainingSettings, settings_of
from sspinn_opensim.training.trainer import Trainer
from sspinn_opensim.verbs.prepared import Prepared, prepare

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SeedTraining:
    """The trained network of one seed.

    Attributes
    ----------
    seed : int
        Of the random numbers.
    steps : int
        Optimizer steps done in all.
    stopped : bool
        Whether it ended early because the loss no longer fell.
    new : bool
        Whether anything was left to train.
    """

    seed: int
    steps: int
    stopped: bool
    new: bool = True

    def __str__(self) -> str:
        if not self.new:
            return f"seed {self.seed}: already trained, {self.steps} steps"
        early = "stopped after {} steps, the loss no longer fell" if self.stopped else "trained, {} steps"
        return f"seed {self.seed}: {early.format(self.steps)}"


@records
def train(
    study: Study,
    out: Path,
    *,
    restart: bool = False,
    progress: Callable[[Progress], None] | None = None,
    prepared: Prepared | None = None,
) -> tuple[SeedTraining, ...]:
    """Train one network per seed on the IMU signals alone; goes on from the last checkpoint of each."""
    log.info("train", extra={"heading": True})
    prepared = prepared or prepare(study, out)
    for note in (*prepared.notes, prepared.subject.describe()):
        log.info(note)
    done = []
    for trained in train_seeds(study, prepared, out, restart=restart, progress=progress):
        log.info(trained)
        done.append(trained)
    return tuple(done)


def train_seeds(
    study: Study,
    prepared: Prepared,
    out: Path,
    *,
    restart: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[SeedTraining]:
    """Train the network of each seed of a study, and give what came of it."""
    people = single_person_cohort(prepared.subject, prepared.signals)
    for seed in study.training.seeds:
        settings = settings_of(study.training, seed)
        belongs_to = identity(prepared.subject, prepared.recording, settings)
        yield train_seed(people, settings, belongs_to, out, restart, progress=progress)


def train_seed(
    cohort: Cohort,
    settings: TrainingSettings,
    belongs_to: dict,
    out: Path,
    restart: bool = False,
    network: dict | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> SeedTraining:
    """Train one seed, from its last checkpoint if there is one.

    Parameters
    ----------
    cohort : Cohort
    settings : TrainingSettings
    belongs_to : dict
        What the checkpoint states and is compared with.
    out : Path
        Results folder; `training/seed_<k>` in it gets `checkpoint.pt` and `history.csv`.
    restart : bool
        Whether to start over.
    network : dict, optional
        State of a network to start from.
    progress : callable, optional
        Told of each step.

    Raises
    ------
    InputError
        If the checkpoint is that of another training, or the training diverges.
    """
    checkpoint = ResultsFolder(out).checkpoint(settings.seed)
    trainer = Trainer(cohort, settings, network)
    if checkpoint.exists() and not restart:
        resume(checkpoint, trainer, belongs_to)
        if trainer.finished:
            return SeedTraining(settings.seed, trainer.step, trainer.stopped, new=False)

    def keep(state: Trainer) -> None:
        save(checkpoint, state, belongs_to)
        if state.history:
            write_atomically(ResultsFolder(out).history(settings.seed), _table(state.history))

    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if trainer.finished:
        keep(trainer)
    else:
        trainer.run(progress or (lambda _: None), keep)
    return SeedTraining(settings.seed, trainer.step, trainer.stopped)


def _table(history: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[-1]), restval="nan", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
