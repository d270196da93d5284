"""Checkpoints: what was learnt, and from what, so that a mismatch is refused."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.files import write_atomically
from sspinn_opensim.recording import Recording
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject
from sspinn_opensim.training.trainer import Estimator, Settings, Trainer

FORMAT = 1


def identity(subject: Subject, recording: Recording, settings: Settings) -> dict:
    """Return what a checkpoint belongs to, in plain values.

    Returns
    -------
    dict
        `body` (what an estimate depends on: model, sensors, channels, rate) and `training` (recording, speed
        and settings, which must agree for a training to go on).
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
        "body": {
            "model": subject.model.content_hash,
            "height_m": subject.height_m,
            "fixed": dict(subject.fixed),
            "sensors": [asdict(sensor) for sensor in recording.sensors],
            "acceleration_available": recording.acceleration_available.tolist(),
            "angular_rate_available": recording.angular_rate_available.tolist(),
            "sampling_rate_hz": round(recording.sampling_rate_hz, 6),
        },
        "training": {
            "recording": signals.hexdigest(),
            "speed_m_s": recording.speed_m_s,
            "settings": asdict(settings),
        },
    }


def save(path: Path, trainer: Trainer, belongs_to: dict) -> None:
    """Write a checkpoint; the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    torch.save({"format": FORMAT, "identity": belongs_to, "state": trainer.state()}, content)
    write_atomically(path, content.getvalue())


def resume(path: Path, trainer: Trainer, belongs_to: dict) -> None:
    """Let a trainer go on from a checkpoint of the same training; any difference raises `InputError`."""
    content = _read(path)
    for part in ("body", "training"):
        _compare(path, content["identity"][part], belongs_to[part], "train with --restart to start over")
    _fill(path, trainer.load, content["state"])


def load_estimator(path: Path, subject: Subject, signals: Signals, belongs_to: dict) -> Estimator:
    """Return the trained estimator of a checkpoint for the same body and sensors.

    Raises
    ------
    InputError
        If there is no checkpoint, the training is unfinished, or it was made for another body or sensor set.
    """
    content = _read(path)
    _compare(path, content["identity"]["body"], belongs_to["body"], "train again for this model and sensors")
    done, steps = content["state"]["step"], content["identity"]["training"]["settings"]["steps"]
    if done < steps:
        raise InputError(
            "The training is not finished.",
            where=path,
            expected=f"{steps} steps",
            found=f"{done} steps",
            fix="run sspinn train again; it goes on from here",
        )
    estimator = Estimator(subject, signals)
    _fill(path, estimator.load_state_dict, content["state"]["estimator"])
    return estimator.eval()


def _read(path: Path) -> dict:
    if not path.is_file():
        raise InputError("There is no trained network.", where=path, fix="run sspinn train first")
    try:
        content = torch.load(path, weights_only=True)
        content["format"], content["identity"]["body"], content["identity"]["training"]
        content["state"]["step"]
    except Exception as error:
        raise InputError(
            "The checkpoint cannot be read.",
            where=path,
            found=f"{type(error).__name__}: {error}".splitlines()[0][:120],
            fix="train with --restart",
        ) from None
    if content["format"] != FORMAT:
        raise InputError(
            "The checkpoint was written by another version.",
            where=path,
            expected=f"format {FORMAT}",
            found=f"format {content['format']}",
            fix="train with --restart",
        )
    return content


def _fill(path: Path, load: Callable[[dict], object], state: dict) -> None:
    """Load a state; one that does not fit comes from a version with another network."""
    try:
        load(state)
    except (KeyError, RuntimeError, ValueError) as error:
        raise InputError(
            "The checkpoint holds another network.",
            where=path,
            found=" ".join(str(error).split())[:120],
            fix="train with --restart",
        ) from None


def _compare(path: Path, found: dict, expected: dict, fix: str, key: str = "") -> None:
    for name in expected | found:
        there, here = found.get(name), expected.get(name)
        if isinstance(there, dict) and isinstance(here, dict):
            _compare(path, there, here, fix, f"{key}{name}.")
        elif _plain(there) != _plain(here):
            raise InputError(
                f"The checkpoint was made with another '{key}{name}'.",
                where=path,
                expected=str(here)[:200],
                found=str(there)[:200],
                fix=fix,
            )


def _plain(value):
    """Tuples come back from a file as they went in, lists do too: compare them alike."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
