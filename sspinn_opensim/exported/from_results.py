"""The trained network of a results folder, with all that follows it, as an ONNX model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from casadi_dynamics.model import Model
from sspinn_opensim.estimation import StreamingEstimator
from sspinn_opensim.exported.model_file import exported_model
from sspinn_opensim.recording import Recording, Sensor
from sspinn_opensim.streaming.channels import channels_of_estimate
from sspinn_opensim.streaming.sensors import StreamedSensors
from sspinn_opensim.training.checkpoint import load_estimator, read_body, read_speed
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import make_subject

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True)
class ExportedNetwork:
    """An ONNX model, and what it takes.

    Attributes
    ----------
    sensors : tuple of str
        Their names, in the order of its inputs.
    """

    model: ModelProto
    sensors: tuple[str, ...]
    sampling_rate_hz: float


def exported_network(model: Model, checkpoint: Path, name: str) -> ExportedNetwork:
    """Return the network of a checkpoint as an ONNX model.

    Nothing but the scaled model and the checkpoint is read: it states which sensors there are and how the
    training found them to sit.

    Parameters
    ----------
    name : str
        Of the results, for messages.
    """
    body = read_body(checkpoint)
    mounted = tuple(Sensor(**sensor) for sensor in body["sensors"])
    nothing = np.zeros((2, len(mounted), 3))
    recording = Recording(
        name=name,
        time_s=np.arange(2) / body["sampling_rate_hz"],
        sensors=mounted,
        acceleration=nothing,
        angular_rate=nothing,
        acceleration_available=np.array(body["acceleration_available"]),
        angular_rate_available=np.array(body["angular_rate_available"]),
        acceleration_variance=nothing[0],
        angular_rate_variance=nothing[0],
        speed_m_s=read_speed(checkpoint),
    )
    subject = make_subject(model, recording, body["fixed"], height_m=body["height_m"])
    signals = make_signals(recording, subject, ())
    network = load_estimator(checkpoint, subject, signals, {"body": body})
    sensors = StreamedSensors.of(recording, subject, signals)
    motions = tuple(coordinate.motion for coordinate in model.coordinates)
    estimator = StreamingEstimator(network, subject, signals)
    channels = channels_of_estimate(estimator.coordinates, motions, estimator.actuated, estimator.feet)
    graph = exported_model(estimator, sensors, channels)
    return ExportedNetwork(graph, sensors.names, round(1 / estimator.step_s, 6))
