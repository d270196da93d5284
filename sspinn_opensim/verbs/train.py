"""One training for each seed: taken up where it stopped, shown while it goes on, and kept."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sspinn_opensim.builtin_network.beginning import begin
from sspinn_opensim.files import write_atomically
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import refuse_other_study
from sspinn_opensim.study import Study
from sspinn_opensim.study.cohort import CohortStudy
from sspinn_opensim.training.checkpoint import cohort_identity, identity, resume, save
from sspinn_opensim.training.cohort import Cohort, Member, member_topology, single_person_cohort
from sspinn_opensim.training.settings import Progress, TrainingSettings, settings_of_cohort
from sspinn_opensim.training.trainer import Trainer
from sspinn_opensim.verbs.on_study import on_study, people_of, person_folder
from sspinn_opensim.verbs.prepared import Prepared, prepare, write_reading

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
    start : str
        What it started from, and why.
    """

    seed: int
    steps: int
    stopped: bool
    new: bool = True
    start: str = ""

    def __str__(self) -> str:
        if not self.new:
            return f"seed {self.seed}: already trained, {self.steps} steps"
        early = "stopped after {} steps, the loss no longer fell" if self.stopped else "trained, {} steps"
        return f"seed {self.seed}: {early.format(self.steps)}"


@dataclass(frozen=True)
class Training:
    """The networks of a study or of a cohort.

    Attributes
    ----------
    folder : Path
        Results folder; the networks lie in ``training/seed_<k>/``.
    seeds : tuple of SeedTraining
        In the order of the study; the first seed's estimate is the one that OpenSim is given.
    notes : tuple of str
        What was found about the recording, and which coordinates are estimated.
    prepared : Prepared or None
        What an adaptation made of the recording, for the stages after it.
    """

    folder: Path
    seeds: tuple[SeedTraining, ...]
    notes: tuple[str, ...] = ()
    prepared: Prepared | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return "\n".join(map(str, self.seeds))


@on_study(cohorts=True)
def train(
    study: Study | CohortStudy,
    out: Path,
    *,
    restart: bool = False,
    progress: Callable[[Progress], None] | None = None,
    prepared: Prepared | Mapping[str, Prepared] | None = None,
) -> Training:
    """Train one network per seed on the IMU signals alone; goes on from the last checkpoint of each.

    Parameters
    ----------
    study : Study, CohortStudy, str or Path
        Whose signals; a path is that of a study or of a cohort file. The people of a cohort share a network.
    out : str or Path
        Results folder, after `scale`.
    restart : bool
        Start over, not from the last checkpoint.
    progress : callable, optional
        Told of each step.
    prepared : Prepared or mapping of str to Prepared, optional
        What `prepare` returned for the study, or for each study of the cohort by name; else it is called.

    Raises
    ------
    InputError
        The model is not scaled, the folder is of another study, a checkpoint is that of another training, or
        the training diverges.
    """
    refuse_other_study(out, study=study, restart=True)
    if isinstance(study, CohortStudy):
        log.info(f"train on {len(study.members)} people", extra={"heading": True})
        known, notes = prepared if isinstance(prepared, Mapping) else {}, []
        done = tuple(_train_cohort(study, known, out, restart, progress, notes.append))
        return Training(out, done, tuple(notes))
    log.info("train", extra={"heading": True})
    prepared = prepared if isinstance(prepared, Prepared) else prepare(study, out)
    notes = (*prepared.notes, prepared.subject.describe())
    for note in notes:
        log.info(note)
    write_reading(prepared, out)
    done = tuple(train_seeds(study, prepared, out, restart=restart, progress=progress))
    return Training(out, done, (*notes, *dict.fromkeys(seed.start for seed in done if seed.start)))


def _train_cohort(
    cohort: CohortStudy,
    prepared: Mapping[str, Prepared],
    out: Path,
    restart: bool,
    progress: Callable[[Progress], None] | None,
    keep: Callable[[str], None],
) -> Iterator[SeedTraining]:
    members, identities = [], {}
    for study in [study for study, seen in people_of(cohort) if seen]:
        own = prepared.get(study.name) or prepare(study, person_folder(out, study))
        for note in own.notes:
            keep(f"{study.name}: {note}")
            log.info(f"{study.name}: {note}")
        members.append(Member(study.name, own.subject, own.signals, study.person_id))
        settings = settings_of_cohort(cohort.training, 0)
        identities[study.name] = identity(own.subject, own.trained_on, settings)
    for seed in cohort.training.seeds:
        settings = settings_of_cohort(cohort.training, seed)
        belongs_to = cohort_identity(identities, settings)
        yield train_seed(Cohort(tuple(members)), settings, belongs_to, out, restart, progress=progress)


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
    subject, recording = prepared.subject, prepared.trained_on
    topology = member_topology(people.members[0])
    for seed in study.training.seeds:
        beginning = begin(study.training, seed, topology, subject)
        if beginning.told:
            log.info(f"seed {seed} {beginning.told}")
        belongs_to = identity(subject, recording, beginning.settings)
        done = train_seed(
            people, beginning.settings, belongs_to, out, restart, beginning.network, progress=progress
        )
        yield replace(done, start=beginning.told)


def train_seed(
    cohort: Cohort,
    settings: TrainingSettings,
    belongs_to: dict,
    out: Path,
    restart: bool = False,
    network: dict | None = None,
    progress: Callable[[Progress], None] | None = None,
    mounting: dict | None = None,
) -> SeedTraining:
    """Train one seed, from its last checkpoint if there is one.

    Parameters
    ----------
    belongs_to : dict
        What the checkpoint states and is compared with.
    network : dict, optional
        State of a network to start from.
    mounting : dict, optional
        State of the first member's mounting to start from.
    """
    checkpoint = ResultsFolder(out).checkpoint(settings.seed)
    trainer = Trainer(cohort, settings, network, mounting)
    known = checkpoint.exists() and not restart
    if known:
        resume(checkpoint, trainer, belongs_to)
    history = ResultsFolder(out).history(settings.seed)

    def keep(state: Trainer) -> None:
        save(checkpoint, state, belongs_to)
        if state.history:
            write_atomically(history, _table(state.history))

    if known and trainer.finished:
        # The same once more, so that it is recorded: a command that was killed may not have come to that.
        write_atomically(checkpoint, checkpoint.read_bytes())
        if trainer.history:
            write_atomically(history, _table(trainer.history))
        return SeedTraining(settings.seed, trainer.step, trainer.stopped, new=False)

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
