"""Training of the shipped network: the losses of any training, and the truth, which here is ours.

The targets are the ideal signals, the inputs what worn sensors make of them: so the network learns to see
through turns and shifts, and no mounting is learnt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sspinn_opensim.builtin_network.making.members import BODIES, OwnMember
from sspinn_opensim.builtin_network.making.sensors import wear
from sspinn_opensim.training.batches import MemberBatch, WindowSource
from sspinn_opensim.training.cohort import Cohort
from sspinn_opensim.training.motion import RawMotion
from sspinn_opensim.training.objective import Loss, Objective
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.signals import Windows
from sspinn_opensim.training.trainer import Trainer

#: Deviation from the truth that costs one: angles in rad, velocity in m/s, height in m, forces in body
#: weights, moments in body weight times height.
ANGLE, VELOCITY, HEIGHT, FORCE, MOMENT = 0.04, 0.1, 0.02, 0.1, 0.02
#: Weight of the truth beside the losses that need none.
TRUTH_WEIGHT = 1.0
_SEGMENTS = tuple(body.partition("_")[0] for body in BODIES)


@dataclass(frozen=True)
class OwnWindows(Windows):
    """Windows with the truth."""

    truth: RawMotion | None = None

    def part(self, frames: slice) -> OwnWindows:
        """Return some frames of each window."""
        assert self.truth is not None
        return replace(super().part(frames), truth=self.truth.part(frames))


class OwnSource(WindowSource):
    """Windows of our own people, worn sensors as inputs."""

    def __init__(self, people: Sequence[OwnMember], cohort: Cohort, settings: TrainingSettings) -> None:
        super().__init__(cohort, settings)
        self._people, self._settled = people, settings

    def draw(self, step: int, rank: int = 0) -> tuple[MemberBatch, ...]:
        """Return the batch of a step."""
        generator = torch.Generator().manual_seed(1_000_003 * (self._settled.seed + 1) + 7 * step + rank)
        chosen = torch.randperm(len(self._people), generator=generator)[: self._settled.members].tolist()
        count = self._settled.batch // len(chosen)
        return tuple(
            MemberBatch(index, draw_own(self._people[index], self.frames, count, generator))
            for index in chosen
        )


def draw_own(person: OwnMember, frames: int, count: int, generator: torch.Generator) -> OwnWindows:
    """Return random windows of one of our people."""
    signals, truth = person.member.signals, person.truth
    starts = torch.randint(len(signals.acceleration) - frames, (count,), generator=generator)
    rows = starts[:, None] + torch.arange(frames)
    acceleration, rate = signals.acceleration[rows], signals.angular_rate[rows]
    tissue = truth.tissue[int(torch.randint(len(truth.tissue), (), generator=generator))][rows]
    worn = wear(acceleration.unflatten(-1, (-1, 2)), rate, tissue, signals.step_s, _SEGMENTS, generator)
    return OwnWindows(
        acceleration,
        rate,
        signals.inputs(worn.acceleration.flatten(-2), worn.angular_rate),
        ~signals.standing[rows].any(dim=1),
        signals.still[rows],
        truth=RawMotion(*(x[rows] for x in vars(truth.motion).values())),
    )


class OwnObjective(Objective):
    """The losses that need no label, and the distance from the truth."""

    def forward(self, batch: Sequence[MemberBatch], step: int) -> Loss:
        """Return the loss of the batch of a step."""
        self._from_truth: list[Tensor] = []
        loss = super().forward(batch, step)
        truth = TRUTH_WEIGHT * torch.stack(self._from_truth).mean()
        return Loss(loss.terms, {**loss.parts, "truth": truth})

    def _of_member(self, part: MemberBatch, outputs: Tensor, ramp: float) -> dict[str, Tensor]:
        member, estimator = self._cohort.members[part.member], self._members[part.member]
        assert isinstance(part.windows, OwnWindows) and part.windows.truth is not None
        found, truth = estimator.decoder(outputs), part.windows.truth
        weight, moment = member.subject.body_weight, member.subject.moment_scale
        scales = {
            "posture": ANGLE,
            "velocity": VELOCITY,
            "height": HEIGHT,
            "force": FORCE * weight,
            "torque": MOMENT * moment,
        }
        distances = [
            ((getattr(found, name) - getattr(truth, name)) / scale).square().mean()
            for name, scale in scales.items()
        ]
        self._from_truth.append(torch.stack(distances).sum())
        return super()._of_member(part, outputs, ramp)


class OwnTrainer(Trainer):
    """Trains on our own people; sensors sit where they are said to sit."""

    def __init__(self, people: Sequence[OwnMember], settings: TrainingSettings) -> None:
        cohort = Cohort(tuple(person.member for person in people))
        super().__init__(cohort, settings)
        for estimator in self._members:
            estimator.mounting.requires_grad_(False)
        self.source = OwnSource(people, cohort, settings)
        self.objective = OwnObjective(cohort, settings, self._members)
        self.estimators = self.objective.estimators


def errors_of(trainer: OwnTrainer, people: Sequence[OwnMember], seed: int) -> dict[str, float]:
    """Return the errors of the trained network on windows of our people, by quantity.

    Returns
    -------
    dict of str to float
        Degrees, m/s, % of body weight.
    """
    squares = {"angle_deg": [], "velocity_m_s": [], "force_bw_percent": []}
    generator = torch.Generator().manual_seed(seed)
    settled = round(trainer.settings.unscored_s / people[0].member.signals.step_s)
    with torch.inference_mode():
        for person, estimator in zip(people, trainer._members, strict=True):
            windows = draw_own(person, trainer.source.frames, 8, generator)
            found = estimator.decoder(trainer._members[0].network(windows.inputs)[0])
            assert windows.truth is not None
            weight = person.member.subject.body_weight
            quantities = (
                ("angle_deg", found.posture, windows.truth.posture, 180.0 / math.pi),
                ("velocity_m_s", found.velocity, windows.truth.velocity, 1.0),
                ("force_bw_percent", found.force, windows.truth.force, 100.0 / weight),
            )
            for name, one, other, factor in quantities:
                squares[name].append(float((factor * (one - other))[:, settled:].square().mean()))
    return {name: (sum(values) / len(values)) ** 0.5 for name, values in squares.items()}
