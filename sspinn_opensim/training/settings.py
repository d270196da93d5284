"""Settings of a training, and what a step reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal

from sspinn_opensim.study import TrainingChoice

#: How long a network settles before it is trusted, s.
LEAD_IN_S = 0.6
#: Pieces shorter than this are not learnt from, s: about a step.
SHORTEST_S = 0.6

#: Windows per step of people who share them.
BATCH_OF_COHORT = 24
#: Peak learning rate of an adaptation: high enough to find the person's own mounting, too low to forget the
#: others' gait.
ADAPTATION_LEARNING_RATE = 2e-3
#: A network that can walk already: all terms count from the first step, forces need not be led any more.
_ADAPTATION = {"learning_rate": ADAPTATION_LEARNING_RATE, "force_from": 0.0, "force_full": 0.0}


@dataclass(frozen=True)
class TrainingSettings(TrainingChoice):
    """What a study says of training, for one seed, and what no study changes.

    Attributes
    ----------
    steps : int
        Optimizer steps.
    start : {'builtin', 'random'}
        What it starts from.
    seed : int
        Seed of the first network and of the windows that are drawn.
    batch : int
        Windows per step and device.
    window_s, unscored_s : float
        Length of a window, and the part at its start that is not scored because the network still settles.
    learning_rate, clip : float
        Peak of the one-cycle schedule, and the largest gradient norm.
    force_from, force_full : float
        Shares of the training after which terms with contact forces begin, and count in full. Before, forces
        are led to where the motion needs them: started from nothing, load sticks to the wrong foot.
    members : int
        How many people of a cohort share a step, at most.
    """

    steps: int = 400
    start: Literal["builtin", "random"] = "random"
    seed: int = 0
    batch: int = 12
    window_s: float = 1.6
    unscored_s: float = LEAD_IN_S
    learning_rate: float = 6e-3
    clip: float = 1.0
    force_from: float = 0.2
    force_full: float = 0.4
    members: int = 12

    def window_frames(self, step_s: float) -> tuple[int, int, int]:
        """Return how many frames of a window are not scored, how many are at most, and at least."""
        unscored = max(round(self.unscored_s / step_s), 1)
        most = round(self.window_s / step_s) - unscored
        # The rate at which a piece was sampled may cut its last sample.
        return unscored, most, min(round(SHORTEST_S / step_s) - 1, most)

    def force_ramp(self, step: int) -> float:
        """Return the share with which terms of contact forces count after `step` steps."""
        share = step / self.steps
        if share >= self.force_full:
            return 1.0
        return max((share - self.force_from) / (self.force_full - self.force_from), 0.0)

    def stated(self) -> dict:
        """Return in plain values what must agree for a training to go on, beside the rate of the signals."""
        return {k: v for k, v in asdict(self).items() if k not in ("seeds", "adaptation_steps", "rate_hz")}


@dataclass(frozen=True)
class Progress:
    """A step of a training.

    Attributes
    ----------
    seed : int
        Of the training.
    step, steps : int
        Number of this step, from 1, and of the last.
    terms : dict of str to float
        Loss terms, scaled but not weighted.
    weights : dict of str to float
        Their weights.
    total : float
        Weighted sum of the terms.
    left_s : float
        Time to the last step at the speed so far, s.
    """

    seed: int
    step: int
    steps: int
    terms: dict[str, float]
    weights: dict[str, float]
    total: float
    left_s: float


def settings_of(choice: TrainingChoice, seed: int) -> TrainingSettings:
    """Return how a seed is trained from random numbers."""
    steps = TrainingSettings.steps if choice.steps is None else choice.steps
    return TrainingSettings(**{**vars(choice), "steps": steps, "start": "random"}, seed=seed)


def settings_of_cohort(choice: TrainingChoice, seed: int) -> TrainingSettings:
    """Return how a seed is trained from random numbers on people who share its steps."""
    return replace(settings_of(choice, seed), batch=BATCH_OF_COHORT)


def settings_from_network(choice: TrainingChoice, seed: int) -> TrainingSettings:
    """Return how a seed is trained from the shipped network: as in an adaptation."""
    steps = choice.adaptation_steps if choice.steps is None else choice.steps
    return replace(settings_of(choice, seed), steps=steps, start="builtin", **_ADAPTATION)


def adaptation_settings(
    choice: TrainingChoice, seed: int, steps: int, network: Literal["lstm", "gated"]
) -> TrainingSettings:
    """Return how a network of others is adapted to one more person."""
    own = TrainingSettings(steps=steps, weights=choice.weights, network=network, seed=seed)
    return replace(own, **_ADAPTATION)
