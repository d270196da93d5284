"""Processes that train one network together: started here, or by torchrun."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from torch import Tensor, distributed

from casadi_dynamics.cores import usable_cores
from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.temporary import temporary_folder
from sspinn_opensim.interruption import ignored
from sspinn_opensim.training.networks.cores import shared_by

#: Processes for a core of this machine; more only wait for each other.
_PER_CORE = 2


@contextmanager
def shared_cores(devices: int) -> Iterator[None]:
    """Let the layers of networks use the cores that fall to a process, and torch's own operations one.

    Torch's are so small here that they lose time on two threads, and their bits would depend on how many
    there are; those of the layers do not.

    Parameters
    ----------
    devices : int
        Processes that train together.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with shared_by(max(min(threads, usable_cores()) // devices, 1)):
            yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def together(devices: int, follow: Callable[..., None], *given: object) -> Iterator[int]:
    """Make this process one of those that train together.

    Under torchrun the others are there already, on as many machines as it was told. Without it they are
    started here, afresh: a copy of this process would hold locks of threads that it does not have.

    Parameters
    ----------
    follow : callable
        Function of a module that the others call with their rank and `given`.
    *given : object
        What can be pickled.

    Yields
    ------
    int
        Rank of this process; the first one, 0, reports and saves.

    Raises
    ------
    InputError
        If torchrun started another number of processes.
    """
    if distributed.is_torchelastic_launched():
        _check_number(devices)
        if devices > 1 and not distributed.is_initialized():
            distributed.init_process_group("gloo")
        yield distributed.get_rank() if devices > 1 else 0
    elif devices == 1:
        yield 0
    else:
        with temporary_folder("training") as folder:
            yield from _started_here(devices, Path(folder) / "group", pickle.dumps((follow, given)))


def mean_over_processes(values: Tensor) -> Tensor:
    """Return the mean of every process's values; in a process of its own, the values."""
    if distributed.is_initialized():
        distributed.all_reduce(values)
        values /= distributed.get_world_size()
    return values


def _check_number(devices: int) -> None:
    running = int(os.environ["WORLD_SIZE"])
    if running != devices:
        raise InputError(
            "torchrun started another number of processes than the training is for.",
            where="[training] devices",
            expected=f"{devices} processes",
            found=str(running),
            fix=f"set devices = {running}, or start {devices} processes",
        )


def _started_here(devices: int, group: Path, work: bytes) -> Iterator[int]:
    _check_cores(devices)
    context = multiprocessing.get_context("spawn")
    others, started = [], []
    for rank in range(1, devices):
        here, there = context.Pipe(duplex=False)
        started.append(here)
        others.append(context.Process(target=_other, args=(group, rank, devices, work, there), daemon=True))
        others[-1].start()
        there.close()
    try:
        for here in started:
            here.recv()  # EOFError: it has ended before it began
        _join(group, 0, devices)
        yield 0
        for process in others:
            process.join()
    except (EOFError, RuntimeError) as error:
        raise _ended(others) or error from None
    finally:
        # After an error the others wait for an answer that does not come.
        for process in others:
            process.kill()
            process.join()
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _check_cores(devices: int) -> None:
    cores = os.cpu_count() or 1
    if devices > max(_PER_CORE * cores, 4):
        raise InputError(
            "So many processes would get in each other's way on this machine.",
            where="[training] devices",
            expected=f"at most {_PER_CORE} for each core, {max(_PER_CORE * cores, 4)}",
            found=str(devices),
            fix=f"set devices = {cores}, or start them on several machines with torchrun",
        )


def _ended(others: Sequence[BaseProcess]) -> InputError | None:
    """Return the error of a process that ended by itself; None if none did."""
    for process in others:
        process.join(1.0)
    ends = [process.exitcode for process in others if process.exitcode]
    if not ends:
        return None
    return InputError(
        "A process that trained along has ended.",
        where="[training] devices",
        found=f"exit status {ends[0]}" + (" (killed: too little memory?)" if ends[0] == -9 else ""),
        fix="the same command goes on from the last checkpoint; set devices = 1 if it happens again",
    )


def _other(group: Path, rank: int, devices: int, work: bytes, started: Connection) -> None:
    # Who presses Ctrl-C presses it for all; the first process ends the others.
    with ignored():
        follow, given = pickle.loads(work)
        started.send(True)
        _join(group, rank, devices)
        try:
            with shared_cores(devices):
                follow(rank, *given)
        except InputError:
            sys.exit(1)  # the first process meets the same error and says it
        distributed.destroy_process_group()


def _join(group: Path, rank: int, devices: int) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{group}", rank=rank, world_size=devices)
