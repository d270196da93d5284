"""What happens after every step: count, record, stop early, report, save."""

from __future__ import annotations

import pickle
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lightning.pytorch as pl
import numpy as np
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.files import write_atomically
from sspinn_opensim.training.settings import Progress

if TYPE_CHECKING:
    from sspinn_opensim.training.trainer import Trainer


class _AfterStep(pl.Callback, ABC):
    """Something to do once the parameters have moved."""

    def __init__(self, owner: Trainer) -> None:
        self.owner = owner

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.after(trainer, pl_module)

    @abstractmethod
    def after(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Do it."""


class Record(_AfterStep):
    """Counts the step and adds its row to the history; comes before all others."""

    def after(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """See the class."""
        self.owner.step += 1
        self.owner.history.append({"step": self.owner.step, **module.last})


class EarlyStop(_AfterStep):
    """Stops once the total loss no longer falls; needs no label.

    Two neighbouring spans of `Settings.patience` steps are compared, both after the force terms count in
    full: the total before is another sum.
    """

    def after(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """See the class."""
        settings = self.owner.settings
        if no_longer_falls(self.owner.history, settings.patience, settings.force_full * settings.steps):
            self.owner.stopped = True
            trainer.should_stop = True


def no_longer_falls(history: list[dict[str, float]], patience: int, since_step: float) -> bool:
    """Say whether the mean total of the last `patience` steps is not below that of as many before.

    Parameters
    ----------
    history : list of dict
        Rows with `step` and `total`.
    patience : int
        0: never.
    since_step : float
        Steps up to this one are not looked at.
    """
    rows = history[-2 * patience :] if patience else []
    if not rows or len(rows) < 2 * patience or rows[0]["step"] <= since_step:
        return False
    before, after = np.split(np.array([row["total"] for row in rows]), 2)
    return bool(after.mean() >= before.mean())


class Report(_AfterStep):
    """Tells the caller of each step, with the time left.

    Parameters
    ----------
    owner : Trainer
    report : callable
        Takes a `Progress`.
    """

    def __init__(self, owner: Trainer, report: Callable[[Progress], None]) -> None:
        super().__init__(owner)
        self._report, self._started, self._first = report, time.monotonic(), owner.step

    def after(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """See the class."""
        step, steps = self.owner.step, self.owner.settings.steps
        left_s = (time.monotonic() - self._started) / (step - self._first) * (steps - step)
        terms = {name: value for name, value in module.last.items() if name != "total"}
        if trainer.is_global_zero:
            self._report(Progress(step, steps, terms, module.last["total"], left_s))


class Keep(_AfterStep):
    """Saves every so many steps and at the end.

    Parameters
    ----------
    owner : Trainer
    save : callable
        Takes the `Trainer`.
    every : int
    mailbox : Mailbox
    """

    def __init__(self, owner: Trainer, save: Callable[[Trainer], None], every: int, mailbox: Mailbox) -> None:
        super().__init__(owner)
        self._save, self._every, self._mailbox = save, every, mailbox

    def after(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """See the class."""
        if trainer.is_global_zero and (self.owner.step % self._every == 0 or self.owner.finished):
            with self._mailbox.watch():
                self._save(self.owner)


class Mailbox(pl.Callback):
    """Brings what a training in other processes came to back to the process that started them.

    Parameters
    ----------
    owner : Trainer
    folder : Path
    """

    def __init__(self, owner: Trainer, folder: Path) -> None:
        self._owner, self._state, self._error = owner, folder / "state.pt", folder / "error.pickle"

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Post the state."""
        if trainer.is_global_zero:
            torch.save(self._owner.state(), self._state)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Post what the user did wrong: otherwise it arrives as the text of a traceback."""
        try:
            yield
        except InputError as error:
            write_atomically(self._error, pickle.dumps(error))
            raise

    def collect(self) -> None:
        """Take over the state."""
        self._owner.load(torch.load(self._state, weights_only=True))

    def complain(self) -> None:
        """Raise the error, if one was posted."""
        if self._error.exists():
            raise pickle.loads(self._error.read_bytes()) from None
