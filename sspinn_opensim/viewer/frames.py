"""Frames of a scene: where bodies are, what acts on them, where muscles run; numbers for the browser."""

from __future__ import annotations

from dataclasses import replace

import casadi as ca
import numpy as np
from scipy.spatial.transform import Rotation

from casadi_dynamics import compile_numpy
from casadi_dynamics.model import Model
from casadi_dynamics.symbolic import build
from sspinn_opensim.viewer.scene import Scene


class FrameMaker:
    """Makes the frames of a scene from coordinates.

    Parameters
    ----------
    model : Model
        That the scene was made of.
    scene : Scene
        Says what a frame holds.
    """

    def __init__(self, model: Model, scene: Scene) -> None:
        self.scene = scene
        self._place = compile_numpy(_places(model, scene))

    def frames(
        self,
        q: np.ndarray,
        *,
        point: np.ndarray | None = None,
        force: np.ndarray | None = None,
        activation: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return frames as the browser takes them, see `sspinn_opensim.viewer`.

        Parameters
        ----------
        q : (n, c) or (c,) ndarray
            Coordinates in the order of the model, rad and m.
        point, force : (n, f, 3) ndarrays, optional
            Where each of the scene's forces acts (m) and the force (N), in ground; none acts where they are
            left out or not finite.
        activation : (n, m) ndarray, optional
            Of the scene's muscles, 0 to 1.

        Returns
        -------
        (n, frame_floats) float32 ndarray
        """
        scene, q = self.scene, np.atleast_2d(np.asarray(q, float))
        n, bodies = len(q), len(scene.bodies)
        moved = self._place(q=q)
        turns = moved["rotation"].reshape(-1, 3, 3)
        quaternions = Rotation.from_matrix(turns).as_quat().reshape(n, bodies, 4)
        wrench = np.zeros((n, len(scene.forces), 6))
        if force is not None and point is not None:
            given = np.concatenate([np.asarray(x, float).reshape(n, -1, 3) for x in (point, force)], axis=-1)
            wrench[:] = np.where(np.isfinite(given).all(axis=-1, keepdims=True), given, 0.0)
        active = np.full((n, len(scene.muscles)), np.nan)
        if activation is not None:
            active[:] = np.asarray(activation, float).reshape(n, -1)
        parts = (
            np.concatenate([moved["position"].reshape(n, bodies, 3), quaternions], axis=-1),
            wrench,
            active,
            moved["path_point"],
        )
        return np.concatenate([part.reshape(n, -1) for part in parts], axis=1).astype("<f4")


def _places(model: Model, scene: Scene) -> ca.Function:
    """Return the function of `q` that a scene is placed by: `position`, `rotation` by rows, `path_point`."""
    kept = {muscle.name for muscle in scene.muscles}
    muscles = tuple(muscle for muscle in model.muscles if muscle.name in kept)
    functions = build(replace(model, muscles=muscles, forces=(), contact_forces=()))
    q = ca.SX.sym("q", len(functions.coordinates))
    still = ca.SX.zeros(q.shape)
    moved = functions.kinematics(q=q, u=still, udot=still, parameters=functions.parameters)
    ways = functions.muscle_ways(scene.moving_muscles)(q=q, parameters=functions.parameters)
    outputs = [moved["position"], moved["rotation"], ways["position"]]
    names = ["position", "rotation", "path_point"]
    return ca.Function("places", [q], [ca.densify(x) for x in outputs], ["q"], names)
