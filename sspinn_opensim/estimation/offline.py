"""The estimate of a whole recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sspinn_opensim.estimation.decode import MotionReader, distance
from sspinn_opensim.estimation.ground import GroundForces
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject


@dataclass(frozen=True)
class Estimate:
    """Motion and forces over time, in SI units and radians, in ground.

    Attributes
    ----------
    time_s : (n,) ndarray
    coordinates : tuple of str
        Every coordinate of the model.
    q : (n, c) ndarray
        Their values.
    actuated : tuple of str
        Coordinates with a joint moment.
    moments : (n, a) ndarray
        N m (N for translations).
    ground : GroundForces
        (n, feet, 3).
    """

    time_s: np.ndarray
    coordinates: tuple[str, ...]
    q: np.ndarray
    actuated: tuple[str, ...]
    moments: np.ndarray
    ground: GroundForces


def estimate(estimator: PersonNetwork, subject: Subject, signals: Signals, time_s: np.ndarray) -> Estimate:
    """Run a trained network over a recording, from its first frame.

    Returns
    -------
    Estimate
        Every frame depends on it and the frames before alone, so it equals the streaming estimate.
    """
    reader = MotionReader(subject)
    with torch.inference_mode():
        outputs, _ = estimator.network(signals.inputs(signals.acceleration, signals.angular_rate)[None])
        raw = estimator.decoder(outputs[0])
        q = reader.coordinates(raw)
        ground = reader.ground(q, raw.force)
    values = q.numpy().astype(np.float64)
    velocity = raw.velocity[:, 0].numpy().astype(np.float64)
    forward = np.zeros(len(velocity))
    for i in range(1, len(velocity)):
        forward[i] = distance(forward[i - 1], velocity[i - 1], velocity[i], signals.step_s)
    values[:, subject.roles.forward] = forward
    values = subject.completed(values)
    names = subject.model.coordinate_names
    point = ground.point + forward[:, None, None] * np.array([1.0, 0.0, 0.0])
    return Estimate(
        time_s=time_s,
        coordinates=names,
        q=values,
        actuated=tuple(names[i] for i in subject.roles.actuated),
        moments=raw.torque.numpy().astype(np.float64),
        ground=GroundForces(ground.feet, ground.force, point, ground.torque),
    )
