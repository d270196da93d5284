"""Checkpoints: what was learnt, and from what, so that a mismatch is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Literal

from casadi_dynamics.errors import InputError
from sspinn_opensim import __version__
from sspinn_opensim.recording import Recording, Sensor
from sspinn_opensim.training.checkpoint_checks import (
    SAME_NETWORK,
    START_OVER,
    compare,
    compare_network,
    plain,
    require_finished,
)
from sspinn_opensim.training.checkpoint_file import fill, read_checkpoint, write_checkpoint
from sspinn_opensim.training.cohort import ONE_PERSON, topology
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.signals import Signals, channels
from sspinn_opensim.training.subject import Subject
from sspinn_opensim.training.trainer import Trainer

#: Of one of many people who train a network together so many windows, half of what a training of one person
#: takes, tell enough of how the sensors sit.
_ENOUGH_WINDOWS = 2400


def identity(subject: Subject, recording: Recording, settings: TrainingSettings) -> dict:
    """Return what a checkpoint of one person belongs to, in plain values.

    Returns
    -------
    dict
        `body` (what an estimate depends on: model, sensors, channels, rate), `training` (recording, speed,
        and settings, which must agree for a training to go on) and `network` (what people who share a
        network have in common).
    """
    signals = hashlib.sha256()
    for array in (
        recording.time_s,
        recording.acceleration,
        recording.angular_rate,
        recording.acceleration_variance,
        recording.angular_rate_variance,
    ):
        signals.update(array.tobytes())
    return {
        "body": body_identity(subject, recording),
        "training": {
            "recording": signals.hexdigest(),
            "speed_m_s": recording.speed_m_s,
            "settings": settings.stated(),
        },
        "network": topology(subject, *channels(recording, subject), recording.sampling_rate_hz),
    }


def body_identity(subject: Subject, recording: Recording) -> dict:
    """Return what an estimate depends on beside the network, in plain values: the `body` of `identity`."""
    return {
        "model": subject.model.content_hash,
        "height_m": subject.height_m,
        "fixed": dict(subject.fixed),
        "sensors": [_placed(sensor) for sensor in recording.sensors],
        "acceleration_available": recording.acceleration_available.tolist(),
        "angular_rate_available": recording.angular_rate_available.tolist(),
        "sampling_rate_hz": round(recording.sampling_rate_hz, 6),
    }


def _placed(sensor: Sensor) -> dict:
    """Return how a sensor sits; how well that was known before says nothing of the network."""
    return {name: value for name, value in asdict(sensor).items() if name != "stated_within_deg"}


def cohort_identity(people: Mapping[str, dict], settings: TrainingSettings) -> dict:
    """Return what a checkpoint of a cohort belongs to.

    Parameters
    ----------
    people : mapping of str to dict
        `identity` of each member by name.
    """
    first = next(iter(people.values()))
    return {
        "people": {
            name: own["body"] | {key: own["training"][key] for key in ("recording", "speed_m_s")}
            for name, own in people.items()
        },
        "training": {"settings": settings.stated()},
        "network": first["network"],
    }


def versions() -> dict[str, str]:
    """Return the versions on which the bits of a training depend."""
    libraries = ("torch", "casadi", "numpy")
    return {"sspinn_opensim": __version__, **{name: metadata.version(name) for name in libraries}}


def save(path: Path, trainer: Trainer, belongs_to: dict) -> None:
    """Write a checkpoint; the file is whole or not there."""
    write_checkpoint(path, {"identity": belongs_to, "versions": versions(), "state": trainer.state()})


def resume(path: Path, trainer: Trainer, belongs_to: dict) -> None:
    """Let a trainer go on from a checkpoint of the same training; any difference raises `InputError`."""
    content, fix = read_checkpoint(path), START_OVER
    found = content["identity"]
    if ("people" in found) != ("people" in belongs_to):
        kinds = ("one person", "a cohort")
        raise InputError(
            "The checkpoint was made with another kind of training.",
            where=path,
            expected=f"one of {kinds['people' in belongs_to]}",
            found=f"one of {kinds['people' in found]}",
            fix="choose another --out, or " + fix,
        )
    for part, own in belongs_to.items():
        compare(path, found[part], own, fix, "people." if part == "people" else "")
    # A library that a training depended on once, but no more, does not count.
    now = versions()
    compare(path, {name: content["versions"].get(name) for name in now}, now, fix, "versions.")
    fill(path, trainer.load, content["state"])


def load_estimator(
    path: Path, subject: Subject, signals: Signals, belongs_to: dict, *, same_training: bool = False
) -> PersonNetwork:
    """Return the trained estimator of a checkpoint for the same body and sensors.

    Parameters
    ----------
    same_training : bool
        Whether it must have been trained on this very recording with these settings.

    Raises
    ------
    InputError
        If there is no checkpoint, the training is unfinished, or it was made for another body or sensor set.
    """
    content = _read_of_one_person(path)
    compare(path, content["identity"]["body"], belongs_to["body"], "train again for this model and sensors")
    if same_training:
        _compare_training(path, content["identity"]["training"], belongs_to["training"])
    return _estimator(path, content, subject, signals, ONE_PERSON)


def _compare_training(path: Path, found: dict, expected: dict) -> None:
    fix = (
        "train again with --restart; other recordings of the person are estimated in Python (Estimator.load)"
    )
    if "adapted_from" in found:  # with steps and rates of its own, but on this recording
        own = ("recording", "speed_m_s")
        compare(path, {key: found.get(key) for key in own}, {key: expected[key] for key in own}, fix)
    else:
        compare(path, found, expected, fix)


def read_body(path: Path) -> dict:
    """Return the `body_identity` that a checkpoint of one person was trained for."""
    return _read_of_one_person(path)["identity"]["body"]


def read_speed(path: Path) -> float | None:
    """Return the mean speed of the recording that a checkpoint of one person was trained on, m/s."""
    return _read_of_one_person(path)["identity"]["training"].get("speed_m_s")


def _read_of_one_person(path: Path) -> dict:
    content = read_checkpoint(path)
    if "people" in content["identity"]:
        raise InputError(
            "The checkpoint is that of a cohort.",
            where=path,
            expected="one of one person",
            found="one of " + ", ".join(content["identity"]["people"]),
            fix="give the cohort file, or adapt the network to this person with sspinn adapt",
        )
    return content


def load_member(
    path: Path,
    subject: Subject,
    signals: Signals,
    belongs_to: dict,
    name: str | None,
    *,
    same_training: bool = False,
) -> PersonNetwork:
    """Return the trained estimator of a cohort's checkpoint for a member, or for a person it never saw.

    Parameters
    ----------
    belongs_to : dict
        `identity` of the person.
    name : str or None
        Name of a member; None for a person who is none: nothing but the network is taken, and sensors sit
        where they are said to sit.
    """
    content = read_checkpoint(path)
    fix = "train the cohort again"
    compare_network(path, content, belongs_to["network"], fix)
    if same_training:
        settings = content["identity"]["training"]["settings"]
        compare(path, settings, belongs_to["training"]["settings"], "train the cohort again with --restart")
    if name is not None:
        people = content["identity"].get("people", {})
        if name not in people:
            raise InputError(
                f"The network was not trained on '{name}'.",
                where=path,
                expected="one of " + ", ".join(people),
                found=name,
                fix="train the cohort again with --restart",
            )
        own = belongs_to["body"] | {key: belongs_to["training"][key] for key in ("recording", "speed_m_s")}
        compare(path, {key: people[name].get(key) for key in own}, own, fix, f"people.{name}.")
    return _estimator(path, content, subject, signals, name)


def load_network(path: Path, belongs_to: dict) -> dict:
    """Return the state of a trained network that a person of the same topology can start from."""
    content = read_checkpoint(path)
    compare_network(path, content, belongs_to["network"], SAME_NETWORK)
    require_finished(path, content)
    return content["state"]["network"]


def load_mounting(path: Path, belongs_to: dict) -> dict | None:
    """Return what a checkpoint knows of how the same person wears the same sensors; None: nothing.

    The person is the same where the model, the height and the sensors are, with their places and axes.
    """
    content, own = read_checkpoint(path), belongs_to["body"]
    bodies = content["identity"].get("people") or {ONE_PERSON: content["identity"]["body"]}
    for name, body in bodies.items():
        if all(plain(body.get(key)) == plain(own[key]) for key in ("model", "height_m", "sensors")):
            person = content["state"]["people"][name]
            return {
                key.removeprefix("mounting."): value
                for key, value in person.items()
                if key.startswith("mounting.")
            }
    return None


def adapted_from(path: Path) -> str | None:
    """Return the hash of the file whose network a checkpoint was adapted from; None: it was trained anew."""
    return read_checkpoint(path)["identity"]["training"].get("adapted_from")


def network_kind(path: Path) -> Literal["lstm", "gated"]:
    """Return the kind of network in a checkpoint, a key of `networks.NETWORKS`."""
    return _kind(read_checkpoint(path))


def _kind(content: dict) -> Literal["lstm", "gated"]:
    # Before there was a choice, nothing was said about it.
    return content["identity"]["training"]["settings"].get("network", "lstm")


def _estimator(
    path: Path, content: dict, subject: Subject, signals: Signals, name: str | None
) -> PersonNetwork:
    require_finished(path, content)
    estimator, state = PersonNetwork(subject, signals, kind=_kind(content)), content["state"]
    fill(path, lambda s: estimator.load(s["network"], None if name is None else s["people"][name]), state)
    sits = (estimator.mounting.rotation, estimator.mounting.shift)
    untrained = state["step"] == 0 and not any(bool(x.any()) for x in sits)
    people = content["identity"].get("people", ())
    windows = state["step"] * content["identity"]["training"]["settings"]["batch"] / max(len(people), 1)
    one_of_many = len(people) > 1 and windows < _ENOUGH_WINDOWS
    estimator.of_others = name is None or untrained or one_of_many
    return estimator.eval()
