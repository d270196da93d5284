"""A walk by optimal control: the motion nearest to mean curves that the model's own dynamics allow.

Unknown is the motion alone, as a closed symmetric spline; velocities and accelerations are its derivatives,
ground forces follow from the model's contact law, and joint moments from inverse dynamics. That nothing but
the ground holds the pelvis is the constraint: the forces on its coordinates are zero at every knot and
half-way between.
"""

from __future__ import annotations

from dataclasses import dataclass

import casadi as ca
import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.symbolic.contact import center_of, lowest_point, smooth_force
from casadi_dynamics.symbolic.dynamics import force_at, generalized_forces
from casadi_dynamics.symbolic.kinematics import body_motions, joint_motion
from casadi_dynamics.symbolic.parameters import Parameters
from osim_models.demo.gait_curves import ANGLES, CLEARANCE, FORWARD_FORCE, VERTICAL_FORCE
from osim_models.demo.periodic import Motion, coefficients_of, symmetric_motion

#: About 109 steps a minute. A whole number of samples, so that the recording's samples are knots.
CYCLE_S = 1.10
KNOTS = 110
#: Where the search starts and what it may choose, m/s.
SPEED_M_S, SPEED_RANGE_M_S = 1.25, (1.15, 1.35)

#: Deviations that cost one: angles (rad), vertical ground force (body weights).
ANGLE_SCALE = {
    "hip_flexion": np.radians(5),
    "knee_angle": np.radians(5),
    "ankle_angle": np.radians(5),
    "pelvis_tilt": np.radians(3),
    "lumbar_extension": np.radians(3),
}
VERTICAL_SCALE_BW = 0.1
FORWARD_SCALE_BW = 0.1
#: Joint moments (N m per kg) and jerk (rad/s^3 and m/s^3) that cost one.
MOMENT_SCALE, JERK_SCALE = 0.7, 4000.0

#: Force on the root (body weights) that costs one while it is only penalised.
ROOT_SCALE_BW = 0.01

_IPOPT = {"tol": 1e-7, "constr_viol_tol": 1e-9, "max_iter": 500, "linear_solver": "mumps"}


@dataclass(frozen=True)
class Walk:
    """A symmetric walking cycle.

    Attributes
    ----------
    names : tuple of str
        Coordinates.
    unknowns : (k,) ndarray
        Speed and spline coefficients, see `symmetric_motion`.
    iterations : int
    objective : float
    """

    names: tuple[str, ...]
    unknowns: np.ndarray
    iterations: int
    objective: float

    @property
    def speed_m_s(self) -> float:
        """Mean forward speed."""
        return float(self.unknowns[0])

    def motion(self, time_s) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return q, u and udot, (m, n) each, at any times; the cycle repeats."""
        maps = symmetric_motion(self.names, CYCLE_S, KNOTS, time_s)
        return tuple((part @ self.unknowns).reshape(len(time_s), -1) for part in (maps.q, maps.u, maps.udot))


def driven_by_contact(model: Model) -> ca.Function:
    """Return inverse dynamics under the model's own contact forces.

    Parameters
    ----------
    model : Model

    Returns
    -------
    casadi.Function
        Inputs `q`, `u`, `udot` (n each). Outputs `tau` (n), and in ground per contact force `force` (3, N, on
        the foot), its `position` (3, m) and `depth` (how far the sphere's lowest point is below the floor, m).
    """
    parameters = Parameters(model)
    n = len(model.coordinates)
    q, u, udot = (ca.SX.sym(name, n) for name in ("q", "u", "udot"))
    state = {c.name: (q[i], u[i], udot[i]) for i, c in enumerate(model.coordinates)}
    joints = {joint.name: joint_motion(joint, state, parameters) for joint in model.joints}
    motions = body_motions(model, joints, parameters)
    spheres = {s.name: s for s in model.contact_spheres}
    heights = {h.name: h.height for h in model.half_spaces}
    external, forces, positions, depths = {}, [], [], []
    for law in model.contact_forces:
        sphere, height = spheres[law.sphere], heights[law.half_space]
        motion, (center, radius) = motions[sphere.body], center_of(sphere, parameters)
        lowest = lowest_point(motion, center, radius)
        force, position = smooth_force(law, lowest, motion, center, height)
        wrench = force_at(motion, position, force)
        external[sphere.body] = external[sphere.body] + wrench if sphere.body in external else wrench
        forces.append(force)
        positions.append(position)
        depths.append(height - lowest.position[1])
    tau = generalized_forces(model, joints, motions, parameters, external)
    outputs = [ca.vertcat(*part) for part in ([tau], forces, positions, depths)]
    numbers = ca.substitute(outputs, [parameters.vector], [ca.DM(parameters.values)])
    names = ["tau", "force", "position", "depth"]
    return ca.Function("driven_by_contact", [q, u, udot], ca.cse(numbers), ["q", "u", "udot"], names)


def solve(model: Model) -> Walk:
    """Find the walk.

    Parameters
    ----------
    model : Model
        The planar model, scaled to the walker.

    Returns
    -------
    Walk

    Raises
    ------
    RuntimeError
        If IPOPT does not converge.
    """
    time_s = np.arange(KNOTS) * CYCLE_S / KNOTS / 2  # half a cycle in half intervals
    maps = symmetric_motion(model.coordinate_names, CYCLE_S, KNOTS, time_s)
    near, _ = _optimize(model, maps, time_s, _start(model, maps, time_s), soft=True)
    unknowns, stats = _optimize(model, maps, time_s, near, soft=False)
    return Walk(model.coordinate_names, unknowns, int(stats["iter_count"]), float(stats["iterations"]["obj"][-1]))


def _optimize(model: Model, maps: Motion, time_s, start: np.ndarray, *, soft: bool) -> tuple[np.ndarray, dict]:
    """Return better unknowns and IPOPT's statistics.

    From far away the root forces are only penalised (`soft`), which makes a sum of squares whose Gauss-Newton
    Hessian never misleads; from near they are constraints, and the Hessian is exact.
    """
    names = model.coordinate_names
    n, count, unknowns = len(names), len(time_s), len(start)
    # The motion at each instant is lifted into unknowns of its own, which keeps the Hessian block diagonal.
    parts, scales = (maps.q, maps.u, maps.udot), (1.0, 5.0, 100.0)
    coefficients, lifted = ca.MX.sym("coefficients", unknowns), ca.MX.sym("motion", 3 * n, count)
    rows = [slice(i * n, (i + 1) * n) for i in range(3)]
    spline = [
        ca.vec(lifted[row, :]) - _casadi(part) @ coefficients / scale
        for row, part, scale in zip(rows, parts, scales, strict=True)
    ]
    residual, root, depth, normal = (f.map(count) for f in _point_functions(model, scales, soft))
    target = _targets(names, time_s)
    jerk = _casadi(maps.jerk) / JERK_SCALE
    cost = (ca.sumsqr(residual(lifted, target)) + ca.sumsqr(jerk @ coefficients)) / count
    constraints = [*spline, ca.vec(depth(lifted))] + ([] if soft else [ca.vec(root(lifted))])
    highest = _highest_depth(model, time_s)
    problem = {"x": ca.vertcat(coefficients, ca.vec(lifted)), "f": cost, "g": ca.vertcat(*constraints)}
    options = {"print_time": False, "ipopt": {**_IPOPT, "mu_init": 0.1 if soft else 1e-4}}
    if soft:
        blocks = ca.diagcat(2 * (jerk.T @ jerk), *ca.horzsplit(normal(lifted, target), 3 * n)) / count
        weight, multipliers = ca.MX.sym("weight"), ca.MX.sym("multipliers", problem["g"].numel())
        hessian = ca.triu(weight * blocks)
        options["hess_lag"] = ca.Function(
            "gauss_newton", [problem["x"], ca.MX(0, 1), weight, multipliers], [hessian]
        )
    solver = ca.nlpsol("walk", "ipopt", problem, options)
    motion = np.concatenate(
        [(part @ start).reshape(count, n) / scale for part, scale in zip(parts, scales, strict=True)], axis=1
    )
    low, high = np.full(problem["x"].numel(), -np.inf), np.full(problem["x"].numel(), np.inf)
    low[0], high[0] = SPEED_RANGE_M_S
    # The walk could be moved forwards as a whole: one coefficient of `pelvis_tx` stays where it starts.
    fixed = coefficients_of(names, KNOTS)["pelvis_tx"].start
    low[fixed] = high[fixed] = start[fixed]
    upper = np.zeros(problem["g"].numel())
    lower = upper.copy()
    swing = slice(3 * n * count, 3 * n * count + len(highest))
    lower[swing], upper[swing] = -np.inf, highest
    answer = solver(
        x0=np.concatenate([start, motion.ravel()]), lbx=low, ubx=high, lbg=lower, ubg=upper
    )
    stats = solver.stats()
    if not stats["success"]:
        raise RuntimeError(f"IPOPT did not converge: {stats['return_status']}")
    return answer["x"].full().ravel()[:unknowns], stats


def _point_functions(model: Model, scales, soft: bool) -> tuple[ca.Function, ...]:
    """Return functions of the scaled motion at one instant and its targets.

    They are the residuals whose squares are the cost, the forces on the root in body weights (and body weight
    times metres), the depths of the spheres, and the Gauss-Newton Hessian of the cost.
    """
    names, n = model.coordinate_names, len(model.coordinates)
    weight = -model.gravity[1] * model.total_mass
    motion, target = ca.SX.sym("motion", 3 * n), ca.SX.sym("target", n + 4)
    q, u, udot = (part * scale for part, scale in zip(ca.vertsplit(motion, n), scales, strict=True))
    tau, force, _, depth = driven_by_contact(model)(q, u, udot)
    residuals = []
    for i, name in enumerate(names):
        kind = name.removesuffix("_r").removesuffix("_l")
        if kind in ANGLE_SCALE:
            residuals.append((q[i] - target[i]) / ANGLE_SCALE[kind])
    for k, foot in enumerate(("_r", "_l")):
        laws = [3 * i for i, law in enumerate(model.contact_forces) if law.name.endswith(foot)]
        vertical, forward = sum(force[i + 1] for i in laws), sum(force[i] for i in laws)
        residuals.append((vertical / weight - target[n + k]) / VERTICAL_SCALE_BW)
        residuals.append((forward / weight - target[n + 2 + k]) / FORWARD_SCALE_BW)
    roots = model.root_coordinates()
    residuals += [tau[i] / (MOMENT_SCALE * model.total_mass) for i, name in enumerate(names) if name not in roots]
    root = tau[[i for i, name in enumerate(names) if name in roots]] / weight
    if soft:
        residuals.append(root / ROOT_SCALE_BW)
    residual = ca.vertcat(*residuals)
    jacobian = ca.jacobian(residual, motion)
    return (
        ca.Function("residual", [motion, target], [residual]),
        ca.Function("root", [motion], [root]),
        ca.Function("depth", [motion], [depth]),
        ca.Function("normal", [motion, target], [ca.densify(2 * jacobian.T @ jacobian)]),
    )


def _targets(names, time_s) -> np.ndarray:
    """Return the mean curves at some instants, (n + 4, m): each coordinate, then the forces on the feet."""
    percent = 100 * time_s / CYCLE_S
    rows = []
    for name in names:
        kind, late = name.removesuffix("_r").removesuffix("_l"), 50 if name.endswith("_l") else 0
        rows.append(np.radians(ANGLES[kind](percent + late)) if kind in ANGLES else 0 * percent)
    rows += [VERTICAL_FORCE(percent), VERTICAL_FORCE(percent + 50)]
    rows += [FORWARD_FORCE(percent), FORWARD_FORCE(percent + 50)]
    return np.array(rows)


def _highest_depth(model: Model, time_s) -> np.ndarray:
    """Return how deep each sphere may be at some instants, m, instant by instant; no limit outside swing."""
    percent = 100 * time_s / CYCLE_S
    rows = []
    for law in model.contact_forces:
        part, side = law.sphere.rsplit("_", 1)
        phase = np.mod(percent + (50 if side == "l" else 0), 100)
        first, last, height = CLEARANCE[part]
        rows.append(np.where((phase >= first) & (phase <= last), -height, np.inf))
    return np.array(rows).T.ravel()


def _start(model: Model, maps: Motion, time_s: np.ndarray) -> np.ndarray:
    """Return the unknowns of the mean curves, the pelvis so high that the lowest sphere dips in a little."""
    names, dip = model.coordinate_names, 0.01
    q = _targets(names, time_s)[: len(names)]
    q[names.index("pelvis_tx")] = SPEED_M_S * time_s
    zero = np.zeros_like(q)
    depth = driven_by_contact(model).map(q.shape[1])(q, zero, zero)[3].full()
    q[names.index("pelvis_ty")] = depth.max(axis=0) - dip
    unknowns = np.linalg.lstsq(maps.q.toarray(), q.T.ravel(), rcond=1e-8)[0]
    unknowns[0] = SPEED_M_S
    return unknowns


def _casadi(matrix) -> ca.DM:
    coo = matrix.tocoo()
    return ca.DM.triplet(coo.row.tolist(), coo.col.tolist(), ca.DM(coo.data), *coo.shape)
