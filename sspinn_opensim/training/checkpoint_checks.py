"""Checks of a checkpoint: is it finished, and of the training that it is to be used for; without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from casadi_dynamics.errors import InputError

#: What to do where a checkpoint is of another training.
START_OVER = "train with --restart to start over"
#: What to do where a network is of another topology.
SAME_NETWORK = "use the model, the sensors and the sampling rate that the network was trained with"


def require_finished(path: Path, content: dict) -> None:
    """Refuse the checkpoint of a training that is not finished; `content` is what it holds."""
    if not content["state"]["finished"]:
        raise InputError(
            "The training is not finished.",
            where=path,
            expected=f"{content['identity']['training']['settings']['steps']} steps",
            found=f"{content['state']['step']} steps",
            fix="run the same command again; it goes on from here",
        )


def compare(path: Path, found: Mapping, expected: Mapping, fix: str, key: str = "") -> None:
    """Refuse values of a checkpoint that are not those that are expected; the message names the first."""
    for name in {**expected, **found}:
        there, here = found.get(name), expected.get(name)
        if isinstance(there, dict) and isinstance(here, dict):
            compare(path, there, here, fix, f"{key}{name}.")
        elif plain(there) != plain(here):
            raise InputError(
                f"The checkpoint was made with another '{key}{name}'.",
                where=path,
                expected=str(here)[:200],
                found=str(there)[:200],
                fix=fix,
            )


def compare_network(path: Path, content: dict, expected: Mapping, fix: str) -> None:
    """Refuse another network, and the network's own sensors in another order: inputs would be mixed up."""
    found = content["identity"]["network"]
    there, here = list(found.get("sensors", ())), list(expected.get("sensors", ()))
    if there != here and sorted(there) == sorted(here):
        raise InputError(
            "The study lists the sensors in another order than the network was trained with.",
            where=path,
            expected=", ".join(there),
            found=", ".join(here),
            fix="list the [sensors] tables of the study in that order of their bodies",
        )
    compare(path, found, expected, fix, "network.")


def plain(value: Any) -> Any:
    """Tuples come back from a file as they went in, lists do too: compare them alike."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value
