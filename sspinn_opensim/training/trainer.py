"""A training: what is learnt, from whom, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from sspinn_opensim.interruption import held_back
from sspinn_opensim.training.batches import MemberBatch, WindowSource
from sspinn_opensim.training.cohort import Cohort, Member
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.memory import memory_kept
from sspinn_opensim.training.objective import Loss, Objective, refuse_gradient, refuse_infinite
from sspinn_opensim.training.processes import mean_over_processes, shared_cores, together
from sspinn_opensim.training.settings import Progress, TrainingSettings

#: Longest side of a matrix whose axes are found: signals and memories, but not gates, of which there are four
#: times as many. Theirs cost an eighth of a step more, for a loss that is 0 to 6 % lower after as many steps.
_MOST_PRECONDITIONED = 150


class Trainer:
    """Training of a cohort with one seed; can be stopped and taken up again.

    Parameters
    ----------
    network : dict, optional
        State of a network to start from; random numbers of the seed by default.
    mounting : dict, optional
        State of the first member's mounting, found in another recording of the same person, to start from;
        none by default.

    Attributes
    ----------
    estimators : ModuleList of PersonNetwork
        One for each member, all with one network.
    step : int
        Steps done.
    stopped : bool
        Whether the training ended early because the loss no longer fell.
    history : list of dict
        For each step its number, the terms (scaled, unweighted) and their total.
    """

    def __init__(
        self,
        cohort: Cohort,
        settings: TrainingSettings,
        network: dict | None = None,
        mounting: dict | None = None,
    ) -> None:
        self.cohort, self.settings = cohort, settings
        self.source = WindowSource(cohort, settings)
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            first = PersonNetwork(cohort.members[0].subject, cohort.members[0].signals, kind=settings.network)
        shared, others = {_person(cohort.members[0]): first.mounting}, []
        for member in cohort.members[1:]:
            known = shared.get(_person(member))
            others.append(PersonNetwork(member.subject, member.signals, first.network, known))
            shared.setdefault(_person(member), others[-1].mounting)
        self._members = [first, *others]
        if network is not None:
            first.load(network, None)
        if mounting is not None:
            first.mounting.expect(mounting)
        self.objective = Objective(cohort, settings, self._members)
        self.estimators = self.objective.estimators
        self.optimizer = _optimizer(first.network, self.estimators, settings.learning_rate)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, settings.learning_rate, total_steps=settings.steps + 1
        )
        self.step, self.stopped = 0, False
        self.history: list[dict[str, float]] = []

    @property
    def weights(self) -> dict[str, float]:
        """Weight of every loss term."""
        return self.objective.weights

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.stopped or self.step == self.settings.steps

    def run(
        self, report: Callable[[Progress], None], save: Callable[[Trainer], None], every: int = 100
    ) -> None:
        """Train to the end.

        Parameters
        ----------
        report : callable
            Called after every step, by the first of several processes.
        save : callable
            Called every so many steps and at the end, by the first of several processes.
        every : int
            Steps from one `save` to the next.

        Raises
        ------
        InputError
            If a loss term or its gradient is not finite (the parameters are those of the step before), or
            another number of processes runs than the settings say.
        """
        if self.finished:
            return
        given = (self.cohort, self.settings, self.state())
        with shared_cores(self.settings.devices), together(self.settings.devices, _follow, *given) as rank:
            self._loop(rank, report, save, every)

    def _loop(
        self, rank: int, report: Callable[[Progress], None], save: Callable[[Trainer], None], every: int
    ) -> None:
        """Train; an interruption is kept until a step is whole and saved."""
        settings, objective = self.settings, self._parallel()
        started, first = time.monotonic(), self.step
        with memory_kept(), ThreadPoolExecutor(1) as drawing, held_back() as interrupted:
            drawn = drawing.submit(self.source.draw, self.step, rank)
            while not self.finished:
                where = f"step {self.step + 1}, seed {settings.seed}"
                batch = drawn.result()
                loss = objective(batch, self.step)
                row = _row(loss, where)
                # The gradient of the loss terms keeps one core busy, so another draws the next windows.
                drawn = drawing.submit(self.source.draw, self.step + 1, rank)
                self._descend(loss, batch, where)
                self.step += 1
                self.history.append({"step": self.step, **row})
                self.stopped = no_longer_falls(
                    self.history, settings.patience, settings.force_full * settings.steps
                )
                if rank == 0:
                    left_s = (time.monotonic() - started) / (self.step - first) * (settings.steps - self.step)
                    total = row.pop("total")
                    report(
                        Progress(settings.seed, self.step, settings.steps, row, self.weights, total, left_s)
                    )
                    if self.step % every == 0 or self.finished or interrupted():
                        save(self)
                if interrupted():
                    return

    def _descend(self, loss: Loss, batch: Sequence[MemberBatch], where: str) -> None:
        """Take one step of the optimizer; a gradient that is not finite is refused before."""
        parameters = list(self.estimators.parameters())
        self.optimizer.zero_grad()
        loss.total.backward()
        if not nn.utils.clip_grad_norm_(parameters, self.settings.clip).isfinite():
            refuse_gradient(self.objective(batch, self.step), parameters, where)
        self.optimizer.step()
        self.schedule.step()
        self.objective.follow_errors()

    def _parallel(self) -> nn.Module:
        """Return the objective; of several processes the gradients are averaged."""
        if self.settings.devices == 1:
            return self.objective
        # A member that is in no window of a step has no gradient in it.
        unused = len(self.cohort.members) > self.settings.members
        return DistributedDataParallel(self.objective, find_unused_parameters=unused)

    def state(self) -> dict:
        """Return all that a checkpoint needs to go on as if never stopped."""
        return {
            "step": self.step,
            "finished": self.finished,
            "network": self._members[0].network.state_dict(),
            "people": {
                name: estimator.personal_state()
                for name, estimator in zip(self.cohort.names, self._members, strict=True)
            },
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
        }

    def load(self, state: dict) -> None:
        """Go on from `state`."""
        for name, estimator in zip(self.cohort.names, self._members, strict=True):
            estimator.load(state["network"], state["people"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step, self.history = state["step"], list(state["history"])
        self.stopped = state["finished"] and self.step < self.settings.steps


def _optimizer(network: nn.Module, estimators: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Return SOAP (Vyas et al. 2024, arXiv:2409.11321) for the network's matrices, and Adam for all else.

    The terms of the loss pull in different directions. SOAP is Adam along the axes in which gradients of a
    matrix are not correlated, so that one term does not undo what another needs.
    Its first step only finds these axes.
    """
    from pytorch_optimizer import SOAP  # takes a second to import, and estimates need none

    matrices = [parameter for parameter in network.parameters() if parameter.ndim == 2]
    apart = set(map(id, matrices))
    others = [parameter for parameter in estimators.parameters() if id(parameter) not in apart]
    return SOAP(
        [
            {"params": matrices, "max_precondition_dim": _MOST_PRECONDITIONED},
            # Without axes of its own SOAP is Adam.
            {"params": others, "max_precondition_dim": 0, "betas": (0.9, 0.999)},
        ],
        lr=rate,
        weight_decay=0.0,
    )


def _follow(rank: int, cohort: Cohort, settings: TrainingSettings, state: dict) -> None:
    """Train along with the process that reports and saves."""
    trainer = Trainer(cohort, settings)
    trainer.load(state)
    trainer._loop(rank, lambda _: None, lambda _: None, 1)


def _row(loss: Loss, where: str) -> dict[str, float]:
    """Return the terms and their total, the mean over processes; a part that is not finite is refused."""
    values = {**loss.parts, **loss.terms, "total": loss.total}
    shared = mean_over_processes(torch.stack([value.detach() for value in values.values()])).tolist()
    found = dict(zip(values, shared, strict=True))
    refuse_infinite({name: found[name] for name in (*loss.parts, "total")}, where)
    return {name: found[name] for name in (*loss.terms, "total")}


def no_longer_falls(history: Sequence[dict[str, float]], patience: int, since_step: float) -> bool:
    """Return whether the mean total of the last `patience` steps is not below that of as many before.

    It needs no label. Both spans lie after the force terms count in full: the total before is another sum.

    Parameters
    ----------
    history : sequence of dict
        Rows with `step` and `total`.
    patience : int
        Steps of a span; 0: never.
    since_step : float
        Steps up to this one are not looked at.
    """
    rows = history[-2 * patience :] if patience else []
    if not rows or len(rows) < 2 * patience or rows[0]["step"] <= since_step:
        return False
    before, after = np.split(np.array([row["total"] for row in rows]), 2)
    return bool(after.mean() >= before.mean())


def _person(member: Member) -> str:
    return member.person or member.name
