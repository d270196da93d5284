"""The network that is shipped, and whether and how it fits a study.

It knows the built-in model with seven sensors, on pelvis, thighs, shanks and feet. A study with fewer of
them, in any order, gets the columns of its own channels: to the network a sensor that is not worn reads zero,
which no worn accelerometer does. A sensor on the trunk is not read, and where the trunk is estimated it moves
with the pelvis, until a training learns better.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from sspinn_opensim.builtin_network.known_model import OTHER_MODEL, does_not_fit, is_known
from sspinn_opensim.files import sha256, write_atomically
from sspinn_opensim.training.checkpoint_file import read_outline
from sspinn_opensim.training.networks import make_network
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.signals import input_columns
from sspinn_opensim.training.subject import Subject

FILE = Path(__file__).parent / "network.pt"
FORMAT = 1
#: What must be as the network knows it, and what to call it.
_ALIKE = {
    "sampling_rate_hz": "rate of the training",
    "coordinates": "coordinates",
    "contact points": "contact points",
}
_HELD = "fixed coordinates"


@dataclass(frozen=True)
class Shipped:
    """What the file holds.

    Attributes
    ----------
    kind : {'lstm', 'gated'}
        Kind of network.
    network : dict of str to Tensor
        Its state.
    topology : dict
        What a study must have in common with it (`training.cohort.topology`).
    segments : (posture, segments) Tensor
        `Subject.segment_map` of the people it was trained on.
    made : dict
        How it was made.
    """

    kind: Literal["lstm", "gated"]
    network: dict[str, Tensor]
    topology: dict
    segments: Tensor
    made: dict


def write_network(
    path: Path,
    network: Mapping[str, Tensor],
    topology: dict,
    subject: Subject,
    settings: TrainingSettings,
    made: dict,
) -> None:
    """Write a network in half precision, with what it expects and how it was made.

    Parameters
    ----------
    subject : Subject
        One of the people it was trained on.
    """
    content = {
        "format": FORMAT,
        "kind": settings.network,
        "network": {name: value.half() for name, value in network.items()},
        "topology": {key: value for key, value in topology.items() if key in (*_ALIKE, _HELD, "channels")},
        "segments": torch.as_tensor(subject.segment_map()),
        "made": made,
    }
    data = io.BytesIO()
    torch.save(content, data)
    write_atomically(path, data.getvalue())


@functools.lru_cache(maxsize=2)
def read_network(path: Path = FILE) -> Shipped:
    """Return the network of a file that `write_network` wrote."""
    content = torch.load(path, weights_only=True)
    network = {name: value.float() for name, value in content["network"].items()}
    return Shipped(content["kind"], network, content["topology"], content["segments"], content["made"])


def is_as_shipped(checkpoint: Path) -> bool:
    """Return whether a checkpoint is the network of the file, without a step of a training."""
    known = read_outline(checkpoint)
    from_file = known["identity"]["training"].get("adapted_from") == sha256(FILE)
    return known["state"]["step"] == 0 and from_file


def why_not(shipped: Shipped, kind: str, topology: Mapping, subject: Subject) -> str:
    """Return why a network does not fit a study, as the end of a sentence; empty where it does.

    Parameters
    ----------
    kind : str
        Kind of network that the study asks for.
    topology : mapping
        `training.cohort.topology` of the study.
    subject : Subject
        The scaled model with the sensors on it.
    """
    return next(_reasons(shipped, kind, topology, subject), "")


def _reasons(shipped: Shipped, kind: str, topology: Mapping, subject: Subject) -> Iterator[str]:
    if kind != shipped.kind:
        yield f"it is of kind '{shipped.kind}', the study asks for '{kind}'"
    if not is_known(subject.model):
        yield OTHER_MODEL
    for key, name in _ALIKE.items():
        if topology[key] != shipped.topology[key]:
            yield f"it knows other {name}: {_told(shipped.topology[key])}, not {_told(topology[key])}"
    for name in topology[_HELD]:
        if name not in shipped.topology[_HELD]:
            yield f"it estimates {name}, which the study holds"
    yield from _of_channels(topology["channels"], shipped.topology["channels"])


def _of_channels(own: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    if len(set(own)) < len(own):
        yield "two sensors sit on one segment"
    bodies = {channel.split()[0] for channel in known}
    for channel in own:
        if channel not in known and channel.split()[0] in bodies:
            yield f"it knows no {channel}"
    if not set(own) & set(known):
        yield "it knows none of the sensors"


def fitted(shipped: Shipped, topology: Mapping, subject: Subject) -> dict[str, Tensor]:
    """Return the state of the network for the channels and coordinates of a study that it fits."""
    known = shipped.topology["channels"]
    columns, everything = input_columns(topology["channels"], known), len(input_columns(known, known))
    outputs = shipped.network["head.2.bias"].numel()
    with torch.device("meta"):
        here, wider = (make_network(shipped.kind, everything + more, outputs).state_dict() for more in (0, 1))
    # Every layer that reads signals has them last; what the network does not know it does not read.
    fit = {
        name: value
        if here[name].shape == wider[name].shape
        else torch.cat([value[..., :-everything], _picked(value[..., -everything:], columns)], dim=-1)
        for name, value in shipped.network.items()
    }
    outputs_of = _outputs(shipped, subject)
    return fit | {name: outputs_of @ fit[name] for name in ("head.2.weight", "head.2.bias")}


def _picked(weight: Tensor, columns: Sequence[int | None]) -> Tensor:
    """Return columns of a weight, zeros for those without a place."""
    nothing = weight.shape[-1]
    padded = torch.cat([weight, weight.new_zeros(*weight.shape[:-1], 1)], dim=-1)
    return padded[..., [nothing if column is None else column for column in columns]]


def _outputs(shipped: Shipped, subject: Subject) -> Tensor:
    """Return the map from the network's outputs to those of a study.

    Orientations of segments go by way of the coordinates: one that the network does not estimate is zero, as
    is its moment.
    """
    roles, names = subject.roles, shipped.topology["coordinates"]
    added = [names.index(name) for name in shipped.topology[_HELD] if names.index(name) in roles.posture]
    posture, actuated = (
        torch.eye(len(own))[:, [k for k, place in enumerate(own) if place not in added]]
        for own in (roles.posture, roles.actuated)
    )
    own_segments = torch.as_tensor(subject.segment_map())
    # Segments of the least change that have these coordinates.
    segments = torch.linalg.pinv(own_segments) @ posture.double() @ shipped.segments
    between = len(shipped.network["head.2.bias"]) - shipped.segments.shape[1] - actuated.shape[1]
    return torch.block_diag(segments.float(), torch.eye(between), actuated)


def network_for(kind: str, topology: Mapping, subject: Subject, where: str) -> dict[str, Tensor]:
    """Return the state of the shipped network for a study.

    Raises
    ------
    InputError
        It does not fit.
    """
    if why := why_not(read_network(), kind, topology, subject):
        raise does_not_fit(why, where)
    return fitted(read_network(), topology, subject)


def _told(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
