"""How a network that others have trained is fitted to one more person."""

from __future__ import annotations

from collections.abc import Mapping

from sspinn_opensim.training.networks import DEFAULT
from sspinn_opensim.training.settings import Settings

#: Peak learning rate: high enough to find the person's own mounting, too low to forget the others' gait.
LEARNING_RATE = 1e-3


def adaptation_settings(
    steps: int, seed: int, weights: Mapping[str, float], network: str = DEFAULT
) -> Settings:
    """Return settings in which all terms count from the first step: forces need not be led any more."""
    return Settings(
        steps=steps,
        seed=seed,
        weights=dict(weights),
        network=network,
        learning_rate=LEARNING_RATE,
        force_from=0.0,
        force_full=0.0,
    )
