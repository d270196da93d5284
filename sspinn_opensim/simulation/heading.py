"""Heading of a motion, and the same motion turned about the vertical."""

from __future__ import annotations

import casadi as ca
import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.simulation.states import completed

#: Less than this in a second is a person who stays in place, m/s.
_TRAVELS_M_S = 0.2
#: Someone who faces further than this from the way travelled goes backwards or sideways, rad.
_FACES = np.radians(60)
#: The pose of the root is turned in steps that Newton's method can follow.
_LARGEST_STEP = np.radians(20)
_TOLERANCE = 1e-9


def root_body(functions: BodyFunctions) -> str:
    """Return the body whose joint with ground carries most coordinates."""
    model = functions.tree.model
    roots = [joint for joint in model.joints if joint.parent.body == GROUND]
    return max(roots, key=lambda j: sum(c.joint == j.name for c in model.coordinates)).child.body


def root_pose(functions: BodyFunctions, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return position (n, 3) and rotation (n, 3, 3) of the root body in ground for coordinates (n, c)."""
    place = functions.bodies.index(root_body(functions))
    zeros = np.zeros_like(q)
    found = functions.at("kinematics", **completed(functions, q, zeros, zeros))
    return (
        found["position"].reshape(len(q), -1, 3)[:, place],
        found["rotation"].reshape(len(q), -1, 3, 3)[:, place],
    )


def heading(functions: BodyFunctions, q: np.ndarray, duration_s: float) -> float:
    """Return the angle about the vertical from x to where a motion leads, rad, positive as OpenSim's y turns.

    That is the way travelled, or where the root faces if it stays in place or goes backwards.
    """
    position, rotation = root_pose(functions, q)
    way = position[-1] - position[0]
    facing = np.arctan2(-rotation[:, 2, 0].mean(), rotation[:, 0, 0].mean())
    travelled = np.arctan2(-way[2], way[0])
    goes = np.hypot(way[0], way[2]) > _TRAVELS_M_S * duration_s
    off = np.abs(np.angle(np.exp(1j * (travelled - facing))))
    return float(travelled if goes and off < _FACES else facing)


def about_vertical(angle: float) -> np.ndarray:
    """Return the rotation matrix about y."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def turned(functions: BodyFunctions, q: np.ndarray, angle: float) -> np.ndarray:
    """Return the coordinates (n, c) of the same motion turned by an angle (rad) about the vertical of ground.

    Only the coordinates of the root change; they are found by Newton's method, as the order of its rotations
    differs from model to model.
    """
    if abs(angle) < 1e-12:
        return q
    position, rotation = root_pose(functions, q)
    steps = int(np.ceil(abs(angle) / _LARGEST_STEP))
    for k in range(1, steps + 1):
        turn = about_vertical(angle * k / steps)
        q = _solve(functions, q, position @ turn.T, turn @ rotation)
    return q


def _solve(functions: BodyFunctions, q: np.ndarray, position: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Return coordinates that give the root these poses, from near ones."""
    model = functions.tree.model
    joint = model.joint_of(root_body(functions)).name
    free = [i for i, c in enumerate(model.coordinates) if c.joint == joint]
    pose = _pose(functions, free)
    wanted = np.column_stack([position, rotation.reshape(len(q), 9)])
    q = q.copy()
    for _ in range(20):
        found = functions.at(pose, q=q)
        error = wanted - found["pose"]
        if np.abs(error).max() < _TOLERANCE:
            return q
        jacobian = found["jacobian"].reshape(len(q), len(free), 12).transpose(0, 2, 1)
        q[:, free] += np.einsum("nij,nj->ni", np.linalg.pinv(jacobian), error)
    raise InputError(
        "The motion cannot be turned about the vertical: its model's root does not turn that way.",
        where=f"model '{model.name}', joint '{joint}'",
        expected="a walk along x, or a root with three rotations and three translations",
        fix="set heading_deg = 0",
    )


def _pose(functions: BodyFunctions, free: list[int]) -> ca.Function:
    q = ca.SX.sym("q", len(functions.coordinates))
    zeros, place = ca.SX.zeros(q.shape), functions.bodies.index(root_body(functions))
    parameters = ca.SX.sym("parameters", len(functions.parameters))
    moved = functions.kinematics(q=q, u=zeros, udot=zeros, parameters=parameters)
    pose = ca.vertcat(
        moved["position"][3 * place : 3 * place + 3], moved["rotation"][9 * place : 9 * place + 9]
    )
    jacobian = ca.vec(ca.densify(ca.jacobian(pose, q)[:, free]))
    return ca.Function("pose", [q, parameters], [pose, jacobian], ["q", "parameters"], ["pose", "jacobian"])
