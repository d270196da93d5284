"""Bodies of sensors: which one a sensor is on, and where on it before its signals are looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, permutations, product

import numpy as np
from scipy.optimize import linear_sum_assignment

from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from sspinn_opensim.anatomy.joint_centres import joint_centre
from sspinn_opensim.placement.fit import Guess

#: Smallest spread of a sensor's place on a body, m: bodies without length have a size all the same.
LEAST_SPREAD_M = 0.1
#: Another order of the sensors whose residuals are not larger by this factor is no worse.
AMBIGUOUS = 1.1
#: So many orders are tried where nobody knows where sensors are.
_MOST_ORDERS = 16


@dataclass(frozen=True)
class Assignment:
    """Which sensor is on which body.

    Attributes
    ----------
    bodies : tuple of str
        Of each sensor.
    margin : (k,) ndarray
        By how many times the residuals grow, in the geometric mean over the channels of the sensors that then
        change bodies, in the best order of all sensors that puts this sensor elsewhere; infinite if none can.
    second : tuple of str
        Where the sensor is in that order, empty if there is none.
    """

    bodies: tuple[str, ...]
    margin: np.ndarray
    second: tuple[str, ...]

    @property
    def ambiguous(self) -> np.ndarray:
        """Which sensors could be elsewhere, (k,) bool."""
        return self.margin < AMBIGUOUS


def assign(
    misfit: np.ndarray, bodies: Sequence[str], channels: np.ndarray, room: Mapping[str, int] | None = None
) -> Assignment:
    """Return the order of sensors with the least misfit in all, each body taking one.

    Parameters
    ----------
    misfit : (k, b) ndarray
        `placement.fit.misfit` of each sensor on each body.
    channels : (k,) ndarray
        Number of channels of each sensor.
    room : mapping of str to int, optional
        Bodies that take more than one sensor, and how many.

    Raises
    ------
    ValueError
        If there are more sensors than places.
    """
    columns = [i for i, body in enumerate(bodies) for _ in range((room or {}).get(body, 1))]
    cost = misfit[:, columns]
    if cost.shape[0] > cost.shape[1]:
        raise ValueError("more sensors than places")
    names = np.array(bodies, dtype=object)[columns]
    best = linear_sum_assignment(cost)[1]
    total = cost[np.arange(len(cost)), best].sum()
    margin, second = np.full(len(cost), np.inf), []
    for sensor in range(len(cost)):
        barred = cost.copy()
        barred[sensor, names == names[best[sensor]]] = np.inf
        try:
            other = linear_sum_assignment(barred)[1]
        except ValueError:  # no order avoids what is barred
            second.append("")
            continue
        moved = names[other] != names[best]
        growth = barred[np.arange(len(cost)), other].sum() - total
        margin[sensor] = np.exp(max(growth, 0.0) / channels[moved].sum())
        second.append(str(names[other[sensor]]))
    return Assignment(tuple(str(n) for n in names[best]), margin, tuple(second))


def moving_bodies(
    model: Model, fixed: Mapping[str, float], named: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return bodies that move on their own, each with all that move as one with it.

    Parameters
    ----------
    fixed : mapping of str to float
        Coordinates that do not move.
    named : sequence of str
        Bodies that speak for their group if they are in it, the first first; else the one next to the root.
    """
    leader: dict[str, str] = {GROUND: GROUND}
    for joint in model.joints:
        axes = (*joint.rotations, *joint.translations)
        free = {a.coordinate for a in axes if a.coordinate} - set(fixed)
        free = {name for name in free if not model.coordinate(name).locked}
        leader[joint.child.body] = joint.child.body if free else leader[joint.parent.body]
    groups: dict[str, list[str]] = {}
    for body, first in leader.items():
        if first != GROUND:
            groups.setdefault(first, []).append(body)
    return {next((n for n in named if n in g), g[0]): tuple(g) for g in groups.values()}


def whole_body(model: Model, body: str) -> Guess:
    """Return the guess that a sensor is somewhere on a body, along its axes.

    The body reaches over its joints, contact points and mass centre; the guess is the middle, and its spread
    half the length.
    """
    points = [np.array(model.body(body).mass_center)]
    for joint in model.joints:
        if body in (joint.parent.body, joint.child.body):
            points.append(joint_centre(model, joint, body))
    points += [np.array(sphere.location) for sphere in model.contact_spheres if sphere.body == body]
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    spread = max(0.5 * float(np.linalg.norm(high - low)), LEAST_SPREAD_M)
    return Guess((low + high) / 2, spread, np.eye(3))


def starting_orders(rate: np.ndarray, depth: Sequence[int]) -> list[tuple[int, ...]]:
    """Return orders of sensors to try first, when nobody knows where they are.

    The further a segment is from the root, the more it turns: sensors are ranked by the root mean square of
    their angular rate, and every order of those that share a depth (left and right) is tried.

    Parameters
    ----------
    rate : (k,) ndarray
        Root mean square angular rate of each sensor.
    depth : sequence of k int
        Joints between ground and the body of each slot.

    Returns
    -------
    list of tuple
        For each slot the sensor that goes there.
    """
    ranked = list(np.argsort(rate, kind="stable"))
    slots = sorted(range(len(depth)), key=lambda slot: depth[slot])
    levels = [[slot for slot in slots if depth[slot] == d] for d in sorted(set(depth))]
    choices = []
    for level in levels:
        taken, ranked = ranked[: len(level)], ranked[len(level) :]
        choices.append([dict(zip(level, order, strict=True)) for order in permutations(taken)])
    orders = []
    for choice in islice(product(*choices), _MOST_ORDERS):
        merged = {slot: sensor for part in choice for slot, sensor in part.items()}
        orders.append(tuple(int(merged[slot]) for slot in range(len(depth))))
    return orders
