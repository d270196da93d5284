"""One frame of a person, from the samples of all sensors to the estimate, as an ONNX model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from casadi_dynamics.compiled.onnx_graph import OnnxGraph
from sspinn_opensim import __version__
from sspinn_opensim.estimation import StreamingEstimator
from sspinn_opensim.estimation.inference.path import Remembered
from sspinn_opensim.exported.network_graph import memory_size, network_step
from sspinn_opensim.exported.runtime import FORMAT
from sspinn_opensim.streaming.channels import Channels
from sspinn_opensim.streaming.sensors import StreamedSensors
from sspinn_opensim.training.lead_in import lead_in_frames
from sspinn_opensim.training.signals import ACCELERATION_SCALE, RATE_SCALE, Signals

if TYPE_CHECKING:
    from onnx import ModelProto


def exported_model(estimator: StreamingEstimator, sensors: StreamedSensors, channels: Channels) -> ModelProto:
    """Return the model of a trained estimator.

    Parameters
    ----------
    sensors : StreamedSensors
        Whose samples come along their own axes.
    channels : Channels
        Names and units of the estimate.

    Returns
    -------
    ModelProto
        Inputs `acceleration` and `angular_rate` (sensors, 3), m/s^2 and rad/s along the sensors' own axes,
        `memory` and `path`, zeros before the first frame and then `memory_after` and `path_after` of the one
        before. Outputs `coordinates` and `moments` (n,), `force`, `point` and `torque` (feet, 3), and
        `heading` (1,). All in double precision, SI units and ground.
    """
    graph, signals, network = OnnxGraph(), estimator.signals, estimator.network
    places = [np.flatnonzero(used.ravel()).tolist() for used in np.split(sensors.used, 2, axis=1)]
    acceleration, angular_rate = (
        graph.take(_along_bodies(graph, name, sensors.rotation, needed), picked)
        for name, needed, picked in zip(
            ("acceleration", "angular_rate"), np.split(sensors.needed, 2, axis=1), places, strict=True
        )
    )
    seen, rate = _seen(graph, signals, acceleration, angular_rate)
    outputs, memory = network_step(graph, network, seen, "memory")
    given = {"outputs": outputs, "angular_rate": rate, "before": "path"}
    found = graph.function(estimator.frames.function, given)
    feet, count = len(estimator.feet), len(sensors.names)
    shape = graph.constant([feet, 3], np.int64)
    on_feet = {name: graph.node("Reshape", found[name], shape) for name in ("force", "point", "torque")}
    size = memory_size(network)
    return graph.model(
        {
            "acceleration": (count, 3),
            "angular_rate": (count, 3),
            "memory": (size,),
            "path": (Remembered.SIZE,),
        },
        {
            "coordinates": (found["q"], (len(estimator.coordinates),)),
            "moments": (found["moments"], (len(estimator.actuated),)),
            **{name: (value, (feet, 3)) for name, value in on_feet.items()},
            "heading": (found["heading"], (1,)),
            "memory_after": (memory, (size,)),
            "path_after": (found["after"], (Remembered.SIZE,)),
        },
        _metadata(estimator, sensors, channels),
        ("sspinn_opensim", __version__),
    )


def _along_bodies(graph: OnnxGraph, name: str, rotation: np.ndarray, needed: np.ndarray) -> str:
    """Return samples along the axes of the bodies, in one vector; axes that nothing needs may be anything."""
    own = graph.node("Where", graph.constant(needed, np.bool_), name, graph.constant(0.0))
    column = graph.node("Unsqueeze", own, graph.constant([2], np.int64))
    turned = graph.node("MatMul", graph.constant(rotation), column)
    return graph.node("Reshape", turned, graph.constant([-1], np.int64))


def _seen(graph: OnnxGraph, signals: Signals, acceleration: str, angular_rate: str) -> tuple[str, str]:
    """Return what the network sees, and the angular rates: rounded to single precision as `Signals` does."""
    acceleration, rate = (
        graph.cast(graph.cast(part, "FLOAT"), "DOUBLE") for part in (acceleration, angular_rate)
    )
    scaled = [
        graph.node("Div", part, graph.constant(scale))
        for part, scale in ((acceleration, ACCELERATION_SCALE), (rate, RATE_SCALE))
    ]
    parts = [*scaled, graph.node("Tanh", rate)]
    return graph.joined([*parts, graph.constant(signals.constants.double().numpy())]), rate


def _metadata(estimator: StreamingEstimator, sensors: StreamedSensors, channels: Channels) -> dict[str, str]:
    """Return what names and units the numbers have; every value is JSON."""
    coordinate_units, moment_units, _ = channels.units
    plain = {
        "format": FORMAT,
        "sensors": list(sensors.names),
        "bodies": list(sensors.bodies),
        "used_axes": sensors.needed.tolist(),
        "acceleration_unit": "m/s^2",
        "angular_rate_unit": "rad/s",
        "sampling_rate_hz": round(1.0 / estimator.step_s, 9),
        "settling_frames": lead_in_frames(estimator.step_s),
        "coordinates": list(channels.coordinates),
        "coordinate_units": list(coordinate_units),
        "moments": list(channels.moments),
        "moment_units": list(moment_units),
        "feet": list(estimator.feet),
        "ground_units": ["N", "m", "N m"],
    }
    return {name: json.dumps(value) for name, value in plain.items()}
