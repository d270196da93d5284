"""Lightning runs the loop: on one process, on several, or on several machines; silent on the console."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lightning.pytorch as pl
import torch
from lightning.pytorch.plugins.environments import TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy

from casadi_dynamics.errors import InputError
from sspinn_opensim.training.callbacks import EarlyStop, Keep, Mailbox, Record, Report
from sspinn_opensim.training.module import TrainingModule
from sspinn_opensim.training.settings import Progress

if TYPE_CHECKING:
    from sspinn_opensim.training.trainer import Trainer


def fit(
    owner: Trainer, report: Callable[[Progress], None], save: Callable[[Trainer], None], every: int
) -> None:
    """Train to the end.

    Parameters
    ----------
    owner : Trainer
    report, save : callable
        Called after each step with its `Progress`; every `every` steps and at the end with the trainer.
    every : int

    Raises
    ------
    InputError
        If a loss term or its gradient is not finite, or fewer processes run than the settings say.
    """
    started_here = owner.settings.devices > 1 and not TorchElasticEnvironment.detect()
    with tempfile.TemporaryDirectory(prefix="training_") as folder, _one_thread(), _quiet(), _interruptible():
        mailbox = Mailbox(owner, Path(folder))
        keep = Keep(owner, save, every, mailbox)
        callbacks = [Record(owner), EarlyStop(owner), Report(owner, report), keep]
        trainer = pl.Trainer(
            accelerator="cpu",
            **_where_to_run(owner),
            max_steps=owner.settings.steps - owner.step,
            callbacks=[*callbacks, mailbox] if started_here else callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            default_root_dir=folder,
        )
        try:
            trainer.fit(TrainingModule(owner, mailbox))
        except torch.multiprocessing.ProcessRaisedException:
            mailbox.complain()
            raise
        if started_here:
            mailbox.collect()


def _where_to_run(owner: Trainer) -> dict:
    """Return Lightning's arguments for the processes of a training.

    Several processes on this machine are forked, so that compiled programs need not be made again. Under
    torchrun they are there already, on as many machines as it was told.
    """
    devices = owner.settings.devices
    elastic = TorchElasticEnvironment.detect()
    running = int(os.environ["WORLD_SIZE"]) if elastic else devices
    if running != devices:
        raise InputError(
            "torchrun started another number of processes than the training is for.",
            where="[training] devices",
            expected=f"{devices} processes",
            found=str(running),
            fix=f"set devices = {running}, or start {devices} processes",
        )
    if devices == 1:
        return {"devices": 1}
    here = int(os.environ["LOCAL_WORLD_SIZE"]) if elastic else devices
    strategy = DDPStrategy(
        process_group_backend="gloo",
        start_method="popen" if elastic else "fork",
        # A member that is in no window of a step has no gradient in it.
        find_unused_parameters=len(owner.cohort.members) > owner.settings.members,
    )
    return {"devices": here, "num_nodes": devices // here, "strategy": strategy}


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch compute on one thread: layers this small lose time on two, and bits do not depend on it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


#: What they say of hardware, loggers and processes is no news to a user.
_TALKATIVE = ("lightning", "lightning.pytorch", "lightning.fabric", "torch.multiprocessing.spawn")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's remarks from the console."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\.")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn Lightning's exit on an interruption back into `KeyboardInterrupt`."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as exit_:
        if isinstance(exit_.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        if signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)
