"""The loss of a batch: the physics terms of every member in it, averaged, weighted and ramped."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from casadi_dynamics.errors import InputError
from sspinn_opensim.training.batches import MemberBatch
from sspinn_opensim.training.cohort import Cohort
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.loss_inputs import BodyConstants, loss_inputs
from sspinn_opensim.training.loss_terms import TERMS, weights
from sspinn_opensim.training.losses import term_value
from sspinn_opensim.training.processes import mean_over_processes
from sspinn_opensim.training.settings import TrainingSettings


class TrainingDivergedError(InputError):
    """A loss term, or the gradient of one, is no finite number."""


@dataclass(frozen=True)
class Loss:
    """The terms of a batch.

    Attributes
    ----------
    terms : dict of str to Tensor
        Scaled, unweighted; those without weight too.
    parts : dict of str to Tensor
        What is summed: the terms that count, weighted and ramped.
    """

    terms: dict[str, Tensor]
    parts: dict[str, Tensor]

    @property
    def total(self) -> Tensor:
        """The sum that is minimized."""
        # One after the other: a part that hardly counts moves no digit of the others.
        return functools.reduce(torch.add, self.parts.values())


class Objective(nn.Module):
    """The loss of batches of a cohort.

    Parameters
    ----------
    settings : TrainingSettings
        Weights, ramp, and the part of a window that is not scored.
    estimators : sequence of PersonNetwork
        One for each member, all with one network.
    """

    def __init__(
        self, cohort: Cohort, settings: TrainingSettings, estimators: Sequence[PersonNetwork]
    ) -> None:
        super().__init__()
        self.weights = weights(settings.weights)
        self.estimators, self._members = nn.ModuleList(estimators), tuple(estimators)
        self._cohort, self._settings = cohort, settings
        self._constants = [BodyConstants.of(member.subject) for member in cohort.members]
        self._errors: dict[int, tuple[Tensor, Tensor]] = {}
        self._unscored = max(round(settings.unscored_s / cohort.members[0].signals.step_s), 1)

    def forward(self, batch: Sequence[MemberBatch], step: int) -> Loss:
        """Return the loss of the batch of a step."""
        self._errors.clear()
        ramp = self._settings.force_ramp(step)
        network, inputs = self._members[0].network, torch.cat([part.windows.inputs for part in batch])
        # The first derivatives need the frame before the first that is scored.
        settling = self._unscored - 1
        outputs, _ = network(inputs, unread=settling)
        batch = [MemberBatch(part.member, part.windows.part(slice(settling, None))) for part in batch]
        split = outputs.split([len(part.windows.inputs) for part in batch])
        found = [self._of_member(part, out, ramp) for part, out in zip(batch, split, strict=True)]
        averaged = _mean(found)
        return Loss(
            terms={name: value for name, value in averaged.items() if not TERMS[name].leads_force},
            parts={
                name: (self.weights[name] * TERMS[name].share(ramp)) * value
                for name, value in averaged.items()
                if self.weights[name] > 0
            },
        )

    def follow_errors(self) -> None:
        """Let the scales of the sensors' errors follow those of the batch before, once its step is done."""
        for member, errors in self._errors.items():
            self._members[member].error_scales.follow(*errors)

    def _of_member(self, part: MemberBatch, outputs: Tensor, ramp: float) -> dict[str, Tensor]:
        """Return the terms of a member's windows; its sensors' errors are kept for `follow_errors`."""
        member, estimator = self._cohort.members[part.member], self._members[part.member]
        outliers = not (member.signals.runs or bool((member.signals.acceleration_variance > 0).all()))
        inputs = loss_inputs(
            member.subject,
            self._cohort.dynamics,
            member.signals,
            self._constants[part.member],
            estimator.mounting,
            part.windows,
            estimator.decoder(outputs),
            estimator.error_scales if outliers and ramp >= 1 else None,
        )
        moves = part.windows.on_the_way
        if outliers and (moves is None or bool(moves.any())):
            kept = slice(None) if moves is None else moves
            self._errors[part.member] = (
                (inputs.predicted_acceleration - inputs.acceleration).detach()[kept],
                (inputs.predicted_rate - inputs.angular_rate).detach()[kept],
            )
        values = {}
        for name, term in TERMS.items():
            counts = self.weights[name] > 0
            if term.leads_force and not (counts and ramp < 1):
                continue
            with torch.set_grad_enabled(counts and torch.is_grad_enabled()):
                values[name] = term_value(name, inputs)
        return values


def _mean(of_members: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean over members of each term."""
    if len(of_members) == 1:
        return of_members[0]
    return {name: torch.stack([terms[name] for terms in of_members]).mean() for name in of_members[0]}


def refuse_infinite(values: Mapping[str, float], where: str) -> None:
    """Raise `TrainingDivergedError` for the first term that is not a finite number."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise _diverged(f"the loss term '{name}' is {value}", name, str(value), where)


def refuse_gradient(loss: Loss, parameters: Sequence[Tensor], where: str) -> None:
    """Raise `TrainingDivergedError` for a loss whose gradient is not finite, naming a term that makes it."""
    flags = torch.tensor([float(not _finite_gradient(part, parameters)) for part in loss.parts.values()])
    guilty = mean_over_processes(flags) > 0
    name = next((name for name, bad in zip(loss.parts, guilty, strict=True) if bad), "total")
    what = f"the gradient of the loss term '{name}' is not finite"
    raise _diverged(what, name, "nan or infinity", where)


def _finite_gradient(part: Tensor, parameters: Sequence[Tensor]) -> bool:
    if not part.requires_grad:
        return True
    gradients = torch.autograd.grad(part, parameters, retain_graph=True, allow_unused=True)
    return all(g is None or bool(g.isfinite().all()) for g in gradients)


def _diverged(what: str, name: str, found: str, where: str) -> TrainingDivergedError:
    weight = f"lower its weight ([training.weights] {name} in the study) or " if name in TERMS else ""
    return TrainingDivergedError(
        f"The training diverged: {what}.",
        where=where,
        expected="a finite number",
        found=found,
        fix=f"{weight}try another seed",
    )
