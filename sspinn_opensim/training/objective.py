"""The loss of a batch: the physics terms of every member in it, averaged, weighted and ramped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from casadi_dynamics.errors import InputError
from sspinn_opensim.training.batches import Share
from sspinn_opensim.training.cohort import Cohort
from sspinn_opensim.training.estimator import Estimator
from sspinn_opensim.training.losses import TERMS, Evidence, gather, weights
from sspinn_opensim.training.motion import differentiate
from sspinn_opensim.training.processes import mean_over_processes
from sspinn_opensim.training.settings import Settings

#: Name of the pull on forces before their terms count.
LED_FORCE = "led_force"


@dataclass(frozen=True)
class Loss:
    """The terms of a batch.

    Attributes
    ----------
    terms : dict of str to Tensor
        Scaled, unweighted.
    parts : dict of str to Tensor
        What is summed: the terms weighted and ramped, and the pull that leads forces at first.
    """

    terms: dict[str, Tensor]
    parts: dict[str, Tensor]

    @property
    def total(self) -> Tensor:
        """The sum that is minimized."""
        return sum(self.parts.values())


class Objective:
    """The loss of batches of a cohort.

    Parameters
    ----------
    cohort : Cohort
    settings : Settings
    """

    def __init__(self, cohort: Cohort, settings: Settings) -> None:
        self._cohort, self._settings = cohort, settings
        self.weights = weights(settings.weights)
        self._unscored = max(round(settings.unscored_s / cohort.members[0].signals.step_s), 1)

    def __call__(self, estimators: Sequence[Estimator], batch: Sequence[Share], step: int) -> Loss:
        """Return the loss of the batch of a step; `estimators` are the members', with one network."""
        ramp = self._settings.force_ramp(step)
        outputs, _ = estimators[0].network(torch.cat([share.windows.inputs for share in batch]))
        split = outputs.split([len(share.windows.inputs) for share in batch])
        found = [
            self._of_member(estimators[share.member], share, out, ramp)
            for share, out in zip(batch, split, strict=True)
        ]
        averaged = {name: sum(values[name] for values in found) / len(found) for name in found[0]}
        terms = {name: value for name, value in averaged.items() if name in TERMS}
        parts = {
            name: self.weights[name] * value * (ramp if TERMS[name].needs_force else 1.0)
            for name, value in terms.items()
        }
        if ramp < 1:
            parts[LED_FORCE] = (1 - ramp) * averaged[LED_FORCE]
        return Loss(terms, parts)

    def _of_member(
        self, estimator: Estimator, share: Share, outputs: Tensor, ramp: float
    ) -> dict[str, Tensor]:
        member = self._cohort.members[share.member]
        raw = estimator.decoder(outputs)
        evidence = gather(
            member.subject,
            self._cohort.dynamics,
            member.signals,
            estimator.mounting,
            share.windows,
            raw,
            differentiate(raw, member.subject, member.signals.step_s),
            self._unscored,
        )
        values = {name: term.function(evidence) for name, term in TERMS.items() if self.weights[name] > 0}
        return values | {LED_FORCE: led_force(evidence)} if ramp < 1 else values


def led_force(evidence: Evidence) -> Tensor:
    """Pull the contact forces to those the motion needs, at the lowest points (scale 0.1 body weight).

    The force the motion needs is what is missing at the root, plus what the contact points already carry; the
    points share it by their height (0.02 m) and over 7 frames, as load moves no faster.
    """
    e, roles = evidence, evidence.subject.roles
    with torch.no_grad():
        carried = e.force_bw.sum(-2)
        missing = torch.zeros_like(carried)
        missing[..., : len(roles.steps)] = e.tau[..., list(roles.steps)] / e.subject.body_weight
        needed = carried + missing
        needed = torch.cat([needed[..., :1], needed[..., 1:2].clamp(min=0.0), needed[..., 2:]], dim=-1)
        share = functional.softmax(-e.contact_position[..., 1] / 0.02, dim=-1)
        share = functional.avg_pool1d(share.transpose(1, 2), 7, 1, 3, count_include_pad=False).transpose(1, 2)
        target = share.unsqueeze(-1) * needed.unsqueeze(-2)
    return ((e.force_bw - target) / 0.1).square().mean()


def refuse_infinite(values: dict[str, float], where: str) -> None:
    """Raise `InputError` for the first term that is not a finite number."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise _diverged(f"the loss term '{name}' is {value}", name, str(value), where)


def refuse_gradient(loss: Loss, parameters: Sequence[Tensor], where: str) -> None:
    """Raise `InputError` for a loss whose gradient is not finite, naming the term with such a gradient."""
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


def _diverged(what: str, name: str, found: str, where: str) -> InputError:
    weight = f"lower its weight ([training.weights] {name} in the study) or " if name in TERMS else ""
    return InputError(
        f"The training diverged: {what}.",
        where=where,
        expected="a finite number",
        found=found,
        fix=f"{weight}try another seed",
    )
