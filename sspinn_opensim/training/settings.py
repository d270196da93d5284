"""How to train, and what a step reports."""

from __future__ import annotations

from dataclasses import dataclass, field

from sspinn_opensim.study import TrainingChoice
from sspinn_opensim.training.networks import DEFAULT


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes
    ----------
    steps, seed : int
    weights : dict of str to float
        Weights of loss terms that differ from the default.
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
    patience : int
        Stop when the mean total loss of this many steps is not below that of as many steps before; 0 never
        stops early.
    devices : int
        Processes that train together, each on windows of its own.
    network : str
        Kind of network, a key of `networks.NETWORKS`.
    """

    steps: int
    seed: int = 0
    weights: dict[str, float] = field(default_factory=dict)
    batch: int = 24
    window_s: float = 1.6
    unscored_s: float = 0.6
    learning_rate: float = 3e-3
    clip: float = 1.0
    force_from: float = 0.2
    force_full: float = 0.4
    members: int = 4
    patience: int = 0
    devices: int = 1
    network: str = DEFAULT

    def force_ramp(self, step: int) -> float:
        """Return the share with which terms of contact forces count after `step` steps."""
        share = step / self.steps
        if share >= self.force_full:
            return 1.0
        return max((share - self.force_from) / (self.force_full - self.force_from), 0.0)


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


def settings_of(choice: TrainingChoice, seed: int) -> Settings:
    """Return how a seed is trained."""
    return Settings(
        steps=choice.steps,
        seed=seed,
        weights=dict(choice.weights),
        patience=choice.patience,
        devices=choice.devices,
        network=choice.network,
    )
