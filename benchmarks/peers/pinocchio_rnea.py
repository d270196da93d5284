"""Pinocchio's recursive Newton-Euler algorithm in a loop over the batch."""

from __future__ import annotations

import numpy as np

from benchmarks.peers.case import Case
from benchmarks.peers.route import DIRECTIONS, FORWARD, UnavailableError, Work, timed
from benchmarks.peers.simple_tree import Axis, SimpleTree, simplify
from casadi_dynamics.errors import InputError

#: Samples evaluated for one measurement: a loop takes as long for each sample of any batch.
_LOOPED = 1024


class Pinocchio:
    """`rnea` for the forces, `computeRNEADerivatives` for forces and their Jacobians."""

    directions = DIRECTIONS
    dtypes = ("float64",)

    def __init__(self, case: Case) -> None:
        try:
            import pinocchio
        except ImportError:
            raise UnavailableError("not installed: python -m pip install pin") from None
        try:
            tree = simplify(case.model)
        except InputError as error:
            raise UnavailableError(error.what) from None
        self._library, self._exact = pinocchio, tree.exact
        self._model, self._order = _build(pinocchio, tree, case.model.gravity)
        self._data = self._model.createData()

    def work(self, direction: str, dtype: str, states: dict[str, np.ndarray]) -> Work:
        """Return the loop over (at most the first 1024) states."""
        rows = self._rows(states)
        once = self._library.rnea if direction == FORWARD else self._library.computeRNEADerivatives
        model, data = self._model, self._data

        def loop():
            for q, u, udot in rows:
                once(model, data, q, u, udot)

        return timed(loop, len(rows))

    def forces(self, states: dict[str, np.ndarray]) -> np.ndarray | None:
        """Return tau (batch, n), or None where the model had to be simplified."""
        if not self._exact:
            return None
        rows = [self._library.rnea(self._model, self._data, *row).copy() for row in self._rows(states)]
        tau = np.empty((len(rows), len(self._order)))
        tau[:, self._order] = rows
        return tau

    def close(self) -> None:
        """Do nothing."""

    def _rows(self, states) -> list[tuple[np.ndarray, ...]]:
        arrays = [states[name][:_LOOPED, self._order] for name in ("q", "u", "udot")]
        return [tuple(map(np.ascontiguousarray, row)) for row in zip(*arrays, strict=True)]


def _build(pinocchio, tree: SimpleTree, gravity) -> tuple:
    """Return pinocchio's model, and the coordinate of each of its joints."""
    model, order, joint_of = pinocchio.Model(), [], {-1: 0}
    model.gravity.linear = np.array(gravity)
    for index, link in enumerate(tree.links):
        placement = pinocchio.SE3(link.frame.rotation, link.frame.translation)
        joint = joint_of[link.parent]
        for axis in link.axes:
            joint = model.addJoint(joint, _joint(pinocchio, axis), placement, f"coordinate {axis.place}")
            order.append(axis.place)
            placement = pinocchio.SE3.Identity()
        inertia = link.inertia
        own = pinocchio.Inertia(inertia.mass, inertia.center, inertia.about_center)
        model.appendBodyToJoint(joint, own, pinocchio.SE3.Identity())
        joint_of[index] = joint
    return model, order


def _joint(pinocchio, axis: Axis):
    """Return the joint; pinocchio is fastest with those along x, y or z."""
    revolute = axis.kind == "revolute"
    for letter, unit in zip("XYZ", np.eye(3), strict=True):
        if np.array_equal(axis.direction, unit):
            return getattr(pinocchio, f"JointModel{'R' if revolute else 'P'}{letter}")()
    kind = pinocchio.JointModelRevoluteUnaligned if revolute else pinocchio.JointModelPrismaticUnaligned
    return kind(np.array(axis.direction))
