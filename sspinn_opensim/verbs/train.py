"""One training for each seed: taken up where it stopped, shown while it goes on, and kept."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from sspinn_opensim.files import write_atomically
from sspinn_opensim.recording import describe_doubts, moved_sensors, read_recording
from sspinn_opensim.results.study_record import records
from sspinn_opensim.study import Study
from sspinn_opensim.training.checkpoint import checkpoint_file, identity, resume, save
from sspinn_opensim.training.cohort import Cohort, alone
from sspinn_opensim.training.settings import Settings, settings_of
from sspinn_opensim.training.trainer import Trainer
from sspinn_opensim.verbs.console import TrainingDisplay, say
from sspinn_opensim.verbs.prepared import prepare


@records
def train(study: Study, out: Path, restart: bool = False) -> None:
    """Train one network per seed on the IMU signals alone; goes on from the last checkpoint of each."""
    say("train", heading=True)
    recording, subject, signals = prepare(study, out)
    for doubt in describe_doubts(recording):
        say(f"note: {doubt}")
    for moved in moved_sensors(read_recording(study), subject.model):
        say(moved)
    say(subject.describe())
    for seed in study.training.seeds:
        settings = settings_of(study.training, seed)
        belongs_to = identity(subject, recording, settings)
        train_seed(alone(subject, signals), settings, belongs_to, out, restart)


def train_seed(
    cohort: Cohort,
    settings: Settings,
    belongs_to: dict,
    out: Path,
    restart: bool = False,
    network: dict | None = None,
) -> None:
    """Train one seed, from its last checkpoint if there is one.

    Parameters
    ----------
    cohort : Cohort
    settings : Settings
    belongs_to : dict
        What the checkpoint states and is compared with.
    out : Path
        Results folder; `training/seed_<k>` in it gets `checkpoint.pt` and `history.csv`.
    restart : bool
        Whether to start over.
    network : dict, optional
        State of a network to start from.

    Raises
    ------
    InputError
        If the checkpoint is that of another training, or the training diverges.
    """
    checkpoint = checkpoint_file(out, settings.seed)
    trainer = Trainer(cohort, settings, network)
    if checkpoint.exists() and not restart:
        resume(checkpoint, trainer, belongs_to)
        if trainer.finished:
            say(f"seed {settings.seed}: already trained, {trainer.step} steps")
            return

    def keep(state: Trainer) -> None:
        save(checkpoint, state, belongs_to)
        if state.history:
            write_atomically(checkpoint.with_name("history.csv"), _table(state.history))

    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if trainer.finished:
        keep(trainer)
        return
    with TrainingDisplay(f"seed {settings.seed}", settings.steps, trainer.weights) as display:
        trainer.run(display.update, keep)
    if trainer.stopped:
        say(f"seed {settings.seed}: stopped after {trainer.step} steps, the loss no longer fell")


def _table(history: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
