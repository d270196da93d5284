"""A training: what is learnt, from whom, and how far it is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from sspinn_opensim.training.batches import WindowSource
from sspinn_opensim.training.cohort import Cohort, Member
from sspinn_opensim.training.estimator import Estimator
from sspinn_opensim.training.objective import Objective
from sspinn_opensim.training.settings import Progress, Settings


class Trainer:
    """Training of a cohort with one seed; can be stopped and taken up again.

    Parameters
    ----------
    cohort : Cohort
        One person (`alone`) or many.
    settings : Settings
    network : dict, optional
        State of a network to start from; random numbers of the seed by default.

    Attributes
    ----------
    estimators : ModuleList of Estimator
        One for each member, all with one network.
    step : int
        Steps done.
    stopped : bool
        Whether the training ended early because the loss no longer fell.
    history : list of dict
        For each step its number, the terms (scaled, unweighted) and their total.
    """

    def __init__(self, cohort: Cohort, settings: Settings, network: dict | None = None) -> None:
        self.cohort, self.settings = cohort, settings
        self.objective = Objective(cohort, settings)
        self.source = WindowSource(cohort, settings)
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            first = Estimator(cohort.members[0].subject, cohort.members[0].signals, kind=settings.network)
        mountings = {_person(cohort.members[0]): first.mounting}
        others = []
        for member in cohort.members[1:]:
            mounting = mountings.get(_person(member))
            others.append(Estimator(member.subject, member.signals, first.network, mounting))
            mountings.setdefault(_person(member), others[-1].mounting)
        self.estimators = nn.ModuleList([first, *others])
        if network is not None:
            first.load(network, None)
        self.optimizer = torch.optim.Adam(self.estimators.parameters(), lr=settings.learning_rate)
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
        """Train to the end; `report` each step, `save` every so many steps and at the end."""
        if self.finished:
            return
        # Lightning takes seconds to load: only those who train wait for it.
        from sspinn_opensim.training.loop import fit

        fit(self, report, save, every)

    def state(self) -> dict:
        """Return all that a checkpoint needs to go on as if never stopped."""
        return {
            "step": self.step,
            "finished": self.finished,
            "network": self.estimators[0].network.state_dict(),
            "people": {
                name: estimator.personal_state()
                for name, estimator in zip(self.cohort.names, self.estimators, strict=True)
            },
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
        }

    def load(self, state: dict) -> None:
        """Go on from `state`."""
        for name, estimator in zip(self.cohort.names, self.estimators, strict=True):
            estimator.load(state["network"], state["people"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step, self.history = state["step"], list(state["history"])
        self.stopped = state["finished"] and self.step < self.settings.steps


def _person(member: Member) -> str:
    return member.person or member.name
