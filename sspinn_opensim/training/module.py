"""A training as Lightning sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from sspinn_opensim.training.batches import Share
from sspinn_opensim.training.callbacks import Mailbox
from sspinn_opensim.training.objective import refuse_gradient, refuse_infinite

if TYPE_CHECKING:
    from sspinn_opensim.training.trainer import Trainer


class TrainingModule(pl.LightningModule):
    """The members' estimators, the loss of a batch, and checks that all stays finite.

    Parameters
    ----------
    owner : Trainer
        Keeps what a checkpoint holds; optimizer and schedule are its own.
    mailbox : Mailbox
    """

    def __init__(self, owner: Trainer, mailbox: Mailbox) -> None:
        super().__init__()
        self.estimators = owner.estimators
        self.owner, self._mailbox = owner, mailbox
        self._parameters_in_order = list(self.estimators.parameters())
        self._batch: Sequence[Share] = ()
        self.last: dict[str, float] = {}

    def train_dataloader(self) -> Batches:
        """Return the batches from the next step on, those of this process."""
        return Batches(self.owner, self.global_rank)

    def configure_optimizers(self) -> dict:
        """Return the owner's optimizer and schedule, which may have come from a checkpoint."""
        schedule = {"scheduler": self.owner.schedule, "interval": "step"}
        return {"optimizer": self.owner.optimizer, "lr_scheduler": schedule}

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        """Return the batch as it is: the body model computes on the CPU."""
        return batch

    def training_step(self, batch: Sequence[Share], batch_idx: int) -> Tensor:
        """Return the total loss; a term that is not finite raises `InputError`."""
        self._batch = batch
        loss = self.owner.objective(self.estimators, batch, self.owner.step)
        total = loss.total
        names = [*loss.terms, *(name for name in loss.parts if name not in loss.terms), "total"]
        values = [*loss.terms.values(), *(loss.parts[name] for name in names[len(loss.terms) : -1]), total]
        stacked = torch.stack([value.detach() for value in values])
        with self._mailbox.watch():
            refuse_infinite(dict(zip(names, stacked.tolist(), strict=True)), self._where)
        shared = self.trainer.strategy.reduce(stacked, reduce_op="mean").tolist()
        recorded = dict(zip(names, shared, strict=True))
        self.last = {name: recorded[name] for name in (*loss.terms, "total")}
        return total

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
        """Clip the gradient; one that is not finite raises `InputError` before it reaches the network."""
        norm = nn.utils.clip_grad_norm_(self._parameters_in_order, self.owner.settings.clip)
        if not norm.isfinite():
            loss = self.owner.objective(self.estimators, self._batch, self.owner.step)
            with self._mailbox.watch():
                refuse_gradient(loss, self._parameters_in_order, self._where)

    @property
    def _where(self) -> str:
        return f"step {self.owner.step + 1}, seed {self.owner.settings.seed}"


class Batches:
    """The batches that are left of a training.

    Parameters
    ----------
    owner : Trainer
    rank : int
        Which of the processes this is.
    """

    def __init__(self, owner: Trainer, rank: int) -> None:
        self._owner, self._rank = owner, rank
        self._first = owner.step

    def __len__(self) -> int:
        return self._owner.settings.steps - self._first

    def __iter__(self) -> Iterator[tuple[Share, ...]]:
        steps = range(self._first, self._owner.settings.steps)
        return (self._owner.source.draw(step, self._rank) for step in steps)
