"""Orientations of segments and coordinates of the posture: how the ones follow from the others."""

from __future__ import annotations

from collections.abc import Sequence

import casadi as ca
import numpy as np

from casadi_dynamics.symbolic import BodyFunctions

#: Turns that are none, over speeds of one.
_ROUNDING = 1e-9


def turning(functions: BodyFunctions, posture: Sequence[str]) -> np.ndarray:
    """Return the angular velocities of bodies in ground by the speeds of coordinates, (bodies, 3, posture).

    Parameters
    ----------
    functions : BodyFunctions
        Whose bodies turn, in the default posture.
    posture : sequence of str
        Independent coordinates.
    """
    independent = functions.independent
    q, u = (ca.SX.sym(name, len(independent)) for name in "qu")
    still = ca.SX.zeros(len(independent))
    inputs = {"q_independent": q, "u_independent": u, "udot_independent": still}
    whole = functions.coupling(**inputs, parameters=functions.parameters)
    whole.pop("C")
    omega = functions.kinematics(**whole, parameters=functions.parameters)["omega"]
    jacobian = ca.Function("omega_u", [q], [ca.jacobian(omega, u)])
    columns = [independent.index(name) for name in posture]
    default = [functions.tree.model.coordinate(name).default for name in independent]
    return np.array(jacobian(default))[:, columns].reshape(-1, 3, len(columns))


def segment_map(turning: np.ndarray, upright: Sequence[int], *, planar: bool) -> np.ndarray:
    """Return the map from orientations of segments to posture coordinates, (posture, segments).

    A sensor feels the orientation of its segment, not a joint angle; a network that speaks of segments
    finds the angles more easily. The map is the pseudo-inverse of the Jacobian of all angular velocities
    in the default posture; in a planar model it is exact everywhere.

    Parameters
    ----------
    turning : (bodies, 3, posture) array
        As `turning` returns it.
    upright : sequence of int
        Coordinates of the posture that keep a trunk upright which nobody feels: they are told by the
        orientation of the root.
    planar : bool
        Whether the root stays in the sagittal plane. Such a model may have joints a little off it: there,
        only turns about z count.
    """
    own = _own_turns(turning, upright)
    told = turning @ own
    told = told[:, 2] if planar else told.reshape(-1, own.shape[1])
    return own @ np.linalg.pinv(told[np.abs(told).max(axis=1) > _ROUNDING])


def leaning(turning: np.ndarray, upright: Sequence[int], lean_rad: float) -> np.ndarray:
    """Return coordinates (posture,), rad, at which a trunk that stays upright leans about z of ground.

    Parameters
    ----------
    turning, upright
        As in `segment_map`.
    lean_rad : float
        A small angle: joints of which no axis is z do not follow.
    """
    found = np.zeros(turning.shape[-1])
    if upright:
        found[list(upright)] = np.linalg.pinv(_trunk(turning, upright)[:, list(upright)]) @ (0, 0, lean_rad)
    return found


def _own_turns(turning: np.ndarray, upright: Sequence[int]) -> np.ndarray:
    """Return the map to posture coordinates from those among them that are not upright."""
    count, back = turning.shape[-1], list(upright)
    rest = [k for k in range(count) if k not in back]
    found = np.eye(count)[:, rest]
    if back:
        trunk = _trunk(turning, upright)
        found[back] = -np.linalg.pinv(trunk[:, back]) @ trunk[:, rest]
    return found


def _trunk(turning: np.ndarray, upright: Sequence[int]) -> np.ndarray:
    """Return what turns the trunk, (3, posture): the first body upright ones turn, before what it carries."""
    return turning[np.abs(turning[:, :, list(upright)]).max(axis=(1, 2)) > 0][0]
