"""Moment arms of muscles where coordinates are not free: along which they can be, and under constraints."""

from __future__ import annotations

import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.model.constraints import CoordinateCouplerConstraint, couplers_in_order
from casadi_dynamics.symbolic import BodyFunctions

#: Part of a motion that counts as none: the constraints hold it still.
_HELD = 1e-8


def constrained_moment_arms(functions: BodyFunctions, q: np.ndarray, arms: np.ndarray) -> np.ndarray:
    """Return moment arms along motions that constraints and couplers allow, as OpenSim's solver does.

    It gives a coordinate the speed 1, finds the nearest speeds of all coordinates that obey the constraints,
    and takes what the path gains by them, per unit of the coordinate's own speed. Where every coupler follows
    one coordinate these are the given moment arms; of two that are followed each moves with the other.

    Parameters
    ----------
    arms : (N, m, independent) ndarray
        Along the independent coordinates, with what their couplers move.

    Returns
    -------
    (N, m, independent) ndarray
        NaN along coordinates that the constraints hold still.
    """
    still, size = np.zeros_like(q), len(functions.constraint_equations)
    inputs = {"q": q, "u": still, "udot": still, "multipliers": np.zeros((len(q), size))}
    equations = functions.at("constraints", **inputs)["G"].reshape(len(q), size, q.shape[1])
    places = [functions.coordinates.index(name) for name in functions.independent]
    given = {"q": q, "u": still, "udot": still}
    given = {f"{name}_independent": value[:, places] for name, value in given.items()}
    coupling = functions.at("coupling", **given)["C"].reshape(len(q), q.shape[1], -1)
    moved = np.full(arms.shape, np.nan)
    for row, arm, jacobian, follow in zip(moved, arms, equations, coupling, strict=True):
        _, sizes, rows = np.linalg.svd(jacobian @ follow)
        free = rows[int(np.sum(sizes > _HELD * max(sizes.max(initial=0.0), 1.0))) :].T
        base, triangle = np.linalg.qr(follow @ free)  # of all motions that are allowed
        own = base[places]
        reach = np.sum(own**2, axis=1)
        gained = arm @ free @ np.linalg.inv(triangle) @ own.T
        moves = reach > _HELD
        row[:, moves] = gained[:, moves] / reach[moves]
    return moved


def muscle_spans(model: Model) -> dict[str, list[str]]:
    """Return for each muscle the coordinates along which it can have a moment arm.

    Those of the joints between the bodies of its path and of its moving points, and those that drive them by
    couplers; all coordinates where constraints between bodies may pass its pull on to any.
    """
    couplers = [c for c in model.constraints if isinstance(c, CoordinateCouplerConstraint)]
    if len(couplers) < len(model.constraints):
        return {muscle.name: list(model.coordinate_names) for muscle in model.muscles}
    above = {joint.child.body: joint for joint in model.joints}
    joints = {
        joint.name: {c.name for c in model.coordinates if c.joint == joint.name} for joint in model.joints
    }

    def to_ground(body: str) -> set[str]:
        found: set[str] = set()
        while body in above:
            found |= joints[above[body].name]
            body = above[body].parent.body
        return found

    spans = {}
    for muscle in model.muscles:
        chains = [to_ground(body) for body in muscle.path.bodies]
        moved = set.union(*chains) - set.intersection(*chains)
        for point in muscle.path.points:
            moved |= {name for name in getattr(point, "coordinates", ()) if name}
        for coupler in reversed(couplers_in_order(couplers)):
            if coupler.dependent in moved:
                moved.update(coupler.independent)
        spans[muscle.name] = [name for name in model.coordinate_names if name in moved]
    return spans
