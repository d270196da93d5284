"""Beginning of a training of one person: the shipped network where it fits, else random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from sspinn_opensim.builtin_network.known_model import BUILTIN
from sspinn_opensim.builtin_network.shipped import FILE, fitted, read_network, why_not
from sspinn_opensim.study import TrainingChoice
from sspinn_opensim.training.settings import TrainingSettings, settings_from_network, settings_of
from sspinn_opensim.training.subject import Subject


@dataclass(frozen=True)
class Beginning:
    """How a seed is trained.

    Attributes
    ----------
    network : dict of str to Tensor, or None
        State to start from; None: random numbers of the seed.
    told : str
        What it starts from, and why, for the user; nothing where random numbers were asked for.
    """

    settings: TrainingSettings
    network: dict[str, Tensor] | None
    told: str


def begin(choice: TrainingChoice, seed: int, topology: Mapping, subject: Subject) -> Beginning:
    """Return what the training of a seed begins with.

    Parameters
    ----------
    topology : mapping
        `training.cohort.topology` of the person.
    subject : Subject
        The scaled model with the sensors on it.
    """
    if choice.start != BUILTIN:
        return Beginning(settings_of(choice, seed), None, "")
    why = why_not(read_network(), choice.network, topology, subject) if FILE.is_file() else "there is none"
    if why:
        told = f"starts from random numbers, the built-in network does not fit: {why}"
        return Beginning(settings_of(choice, seed), None, told)
    network = fitted(read_network(), topology, subject)
    return Beginning(settings_from_network(choice, seed), network, "starts from the built-in network")
