"""Causal networks: signals of the past to a motion of now. All are used alike."""

from __future__ import annotations

from sspinn_opensim.training.networks.causal import CausalNetwork
from sspinn_opensim.training.networks.gated import GatedNetwork
from sspinn_opensim.training.networks.lstm import LstmNetwork

__all__ = ["DEFAULT", "NETWORKS", "CausalNetwork", "GatedNetwork", "LstmNetwork", "make_network"]

#: Kinds of network by the name that a study gives them.
NETWORKS: dict[str, type[CausalNetwork]] = {"lstm": LstmNetwork, "gated": GatedNetwork}
DEFAULT = "lstm"


def make_network(kind: str, inputs: int, outputs: int) -> CausalNetwork:
    """Return a new network of a kind (a key of `NETWORKS`) with `inputs` signals and `outputs` numbers."""
    return NETWORKS[kind](inputs, outputs)
