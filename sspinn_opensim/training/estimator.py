"""All that is learnt for one person."""

from __future__ import annotations

from torch import nn

from sspinn_opensim.training.motion import Decoder
from sspinn_opensim.training.mounting import Mounting
from sspinn_opensim.training.networks import DEFAULT, CausalNetwork, make_network
from sspinn_opensim.training.outliers import ErrorScales
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject


class PersonNetwork(nn.Module):
    """The network, which people may share, and what is one person's own: the mounting of the sensors.

    How large the errors of each channel are is of one trial.

    Parameters
    ----------
    network : CausalNetwork, optional
        A network shared with others; a new one by default.
    mounting : Mounting, optional
        Shared with other trials of the person; a new one by default.
    kind : str
        Kind of a new network, a key of `networks.NETWORKS`.

    Attributes
    ----------
    of_others : bool
        Whether the network is mostly that of others: nothing was learnt of this person, and sensors sit where
        they are said to sit; or little, as of one of many people who trained it together.
    """

    of_others = False

    def __init__(
        self,
        subject: Subject,
        signals: Signals,
        network: CausalNetwork | None = None,
        mounting: Mounting | None = None,
        kind: str = DEFAULT,
    ) -> None:
        super().__init__()
        self.decoder = Decoder(subject, signals.speed_m_s)
        self.network = network or make_network(kind, signals.input_size, self.decoder.size)
        self.mounting = mounting or Mounting(len(subject.functions.sensors))
        self.error_scales = ErrorScales(signals.acceleration, signals.angular_rate)

    def personal_state(self) -> dict:
        """Return the state of all but the network."""
        return {k: v for k, v in self.state_dict().items() if not k.startswith("network.")}

    def load(self, network: dict, person: dict | None) -> PersonNetwork:
        """Take over the state of a network and of a person; None leaves the person as it is."""
        own = self.personal_state() if person is None else person
        self.load_state_dict({**{f"network.{k}": v for k, v in network.items()}, **own})
        return self
