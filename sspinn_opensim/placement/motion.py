"""The motion of every segment as a frozen network estimates it."""

from __future__ import annotations

import numpy as np
import torch

from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.placement.fit import SegmentMotion
from sspinn_opensim.training.estimator import Estimator
from sspinn_opensim.training.motion import differentiate
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject


def frozen_motion(estimator: Estimator, subject: Subject, signals: Signals):
    """Return `q`, `u` and `udot`, (n - 2, c) each, of all frames of a recording but the first and last.

    Speeds and accelerations are those that training compares with the sensors.

    Parameters
    ----------
    estimator : Estimator
        Trained.
    subject : Subject
    signals : Signals
    """
    with torch.inference_mode():
        outputs, _ = estimator.network(signals.inputs(signals.acceleration, signals.angular_rate)[None])
        motion = differentiate(estimator.decoder(outputs), subject, signals.step_s)
    return tuple(x[0].numpy().astype(np.float64) for x in (motion.q, motion.u, motion.udot))


def segment_motions(
    functions: BodyFunctions, q: np.ndarray, u: np.ndarray, udot: np.ndarray
) -> dict[str, SegmentMotion]:
    """Return how every body moves, by name.

    Parameters
    ----------
    functions : BodyFunctions
    q, u, udot : (n, c) ndarrays
        Of all coordinates; those that couplers set follow the others, whatever is given for them.
    """
    if len(functions.independent) < len(functions.coordinates):
        places = [functions.coordinates.index(name) for name in functions.independent]
        given = {
            f"{name}_independent": values[:, places].T
            for name, values in zip(("q", "u", "udot"), (q, u, udot), strict=True)
        }
        whole = functions.coupling(**given, parameters=functions.parameters)
        q, u, udot = (np.array(whole[name]).T for name in ("q", "u", "udot"))
    moved = functions.kinematics(q=q.T, u=u.T, udot=udot.T, parameters=functions.parameters)
    count = len(q)

    def per_body(name: str, *shape: int) -> np.ndarray:
        return np.array(moved[name]).T.reshape(count, -1, *shape)

    rotation = per_body("rotation", 3, 3)
    gravity = np.array(functions.tree.model.gravity)

    def in_body(vectors: np.ndarray) -> np.ndarray:
        return np.einsum("nbji,nbj->nbi", rotation, vectors)

    force = in_body(per_body("acceleration", 3) - gravity)
    rate, acceleration = in_body(per_body("omega", 3)), in_body(per_body("alpha", 3))
    return {
        body: SegmentMotion(force[:, i], rate[:, i], acceleration[:, i])
        for i, body in enumerate(functions.bodies)
    }
