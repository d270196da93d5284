"""Rates of coordinates and speeds, which differ where a joint's speeds are an angular velocity."""

from __future__ import annotations

import casadi as ca

from casadi_dynamics.model import Joint, Model
from casadi_dynamics.symbolic.tree import Tree


def coordinate_rates(tree: Tree) -> ca.SX:
    """Return qdot (n,) for the speeds of a tree.

    For a body-fixed XYZ sequence the angular velocity in the parent frame is
    ``omega = (1, 0, 0) q0' + (0, c0, s0) q1' + (s1, -s0 c1, c0 c1) q2'``, which is inverted; as in OpenSim
    there is no inverse where the middle angle is a right one.
    """
    rates = {name: tree.u[i] for i, name in enumerate(tree.model.coordinate_names)}
    q = {name: tree.q[i] for i, name in enumerate(tree.model.coordinate_names)}
    for first, second, third in _spun(tree.model):
        x, y, z = rates[first], rates[second], rates[third]
        s0, c0 = ca.sin(q[first]), ca.cos(q[first])
        turn = (c0 * z - s0 * y) / ca.cos(q[second])
        rates[first], rates[second], rates[third] = x - ca.sin(q[second]) * turn, c0 * y + s0 * z, turn
    return ca.vertcat(*rates.values()) if rates else ca.SX.zeros(0)


def coordinate_accelerations(tree: Tree) -> ca.SX:
    """Return the second time derivative of the coordinates (n,)."""
    rates = coordinate_rates(tree)
    return ca.jtimes(rates, tree.q, rates) + ca.jtimes(rates, tree.u, tree.udot)


def speeds(model: Model, q: ca.SX, qdot: ca.SX, qddot: ca.SX) -> tuple[ca.SX, ca.SX]:
    """Return u and udot (n,) of coordinates and their first two time derivatives."""
    index = {name: i for i, name in enumerate(model.coordinate_names)}
    u = ca.SX(qdot)
    for names in _spun(model):
        i, j, k = (index[name] for name in names)
        s0, c0, s1, c1 = ca.sin(q[i]), ca.cos(q[i]), ca.sin(q[j]), ca.cos(q[j])
        u[i] = qdot[i] + s1 * qdot[k]
        u[j] = c0 * qdot[j] - s0 * c1 * qdot[k]
        u[k] = s0 * qdot[j] + c0 * c1 * qdot[k]
    return u, ca.jtimes(u, q, qdot) + ca.jtimes(u, qdot, qddot)


def _spun(model: Model) -> list[tuple[str, ...]]:
    """Return the three angles of each joint whose speeds are an angular velocity."""
    fixed = {coordinate.name for coordinate in model.fixed}
    spinning = [_angles(joint) for joint in model.joints if joint.speeds == "angular velocity"]
    return [names for names in spinning if not fixed & set(names)]


def _angles(joint: Joint) -> tuple[str, ...]:
    return tuple(axis.coordinate or "" for axis in joint.rotations)
