"""The one known defect of Simbody, to be added to exact values before they are compared with OpenSim's.

Where the coordinates of a `CustomJoint` are not the angles of its axes one to one, as in the knees of the
Rajagopal models, whose one coordinate turns two axes, Simbody differentiates the axes with the wrong angular
velocities: the second axis turns with V1, the velocity of the first coordinate alone, and the third with V2,
that of all but the third, instead of W1 th1' and W1 th1' + W2 th2' (`MobilizedBody::FunctionBased`; W are the
axes, th their angles). Angular accelerations across the joint, and with them every acceleration, force and
IMU signal beyond it, are off; finite differences of OpenSim's own velocities agree with the exact value.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import casadi as ca
import numpy as np

from casadi_dynamics.model import Joint
from casadi_dynamics.symbolic import BodyFunctions
from casadi_dynamics.symbolic.functions import evaluate
from casadi_dynamics.symbolic.kinematics import axis_rotation, body_motions, seen_from_child
from casadi_dynamics.symbolic.tree import Tree


def with_defect(functions: BodyFunctions) -> tuple[BodyFunctions, tuple[str, ...]]:
    """Return functions whose accelerations have Simbody's defect, and names of the joints that have it."""
    tree = functions.tree
    errors = {j.name: _alpha_error(j, tree) for j in tree.model.joints if j.kind == "CustomJoint"}
    found = tuple(name for name, error in errors.items() if _matters(tree, error))
    if not found:
        return functions, ()
    joints = dict(tree.joints)
    for name in found:
        # Simbody's error is made in F, before a reversed joint is seen from the other side.
        turned = tree.model.joint(name).reversed
        across = seen_from_child(joints[name]) if turned else joints[name]
        across = replace(across, alpha=across.alpha + errors[name])
        joints[name] = seen_from_child(across) if turned else across
    motions = body_motions(tree.model, joints, tree.parameters)
    return replace(functions, tree=replace(tree, joints=joints, motions=motions)), found


def _alpha_error(joint: Joint, tree: Tree) -> ca.SX:
    """Return Simbody's angular acceleration across the joint less the true one, in the parent frame F."""
    rotation, axes, slopes, used = ca.SX.eye(3), [], [], []
    for i, axis in enumerate(joint.rotations):
        q = tree.coordinate(axis.coordinate)[0] if axis.coordinate else ca.SX(0)
        scales = tree.parameters.scales(joint, f"rotation{i + 1}")
        angle, slope, _ = evaluate(axis.function, q, scales)
        axes.append(rotation @ ca.DM(axis.axis))
        slopes.append(slope)
        used.append(axis.coordinate)
        rotation = rotation @ axis_rotation(axis.axis, angle)
    speeds = {name: tree.coordinate(name)[1] for name in used if name}
    rates = [s * speeds[name] if name else ca.SX(0) for s, name in zip(slopes, used, strict=True)]
    # Simbody's order of the coordinates: as they first appear among the axes.
    driven = [axis.coordinate for axis in (*joint.rotations, *joint.translations) if axis.coordinate]
    mobilities = list(dict.fromkeys(driven))

    def spin_of(names: Collection[str]) -> ca.SX:
        parts = [w * r for w, r, name in zip(axes, rates, used, strict=True) if name in names]
        return sum(parts, ca.SX.zeros(3))

    second = spin_of(mobilities[:1]) - axes[0] * rates[0]
    third = spin_of(mobilities[:2] + mobilities[3:]) - axes[0] * rates[0] - axes[1] * rates[1]
    return ca.cross(second, axes[1] * rates[1]) + ca.cross(third, axes[2] * rates[2])


def _matters(tree: Tree, error: ca.SX) -> bool:
    """Return whether an error is more than rounding at some state in the ranges of the coordinates."""
    size = ca.Function("size", [tree.q, tree.u, tree.parameters.vector], [ca.norm_inf(error)])
    random = np.random.default_rng(0)
    low, high = np.clip(np.transpose([c.range for c in tree.model.coordinates]), -np.pi, np.pi)
    states = [low + random.uniform(size=len(low)) * (high - low) for _ in range(5)]
    speed = np.ones(len(low))
    return any(float(size(q, speed, tree.parameters.values)) > 1e-12 for q in states)
