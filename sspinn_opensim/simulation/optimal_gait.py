"""A gait by optimal control: the motion nearest to given curves that the model's own dynamics allow.

Unknown is the motion alone, as a closed spline; velocities and accelerations are its derivatives, ground
forces follow from the model's contact law, and joint moments from inverse dynamics. That nothing but the
ground holds the pelvis is the constraint: the forces on its coordinates are zero at every knot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import casadi as ca
import numpy as np
from scipy.sparse import csr_matrix

from casadi_dynamics.model import Model
from casadi_dynamics.symbolic.contact import Plane, Sphere, smooth_force, surface, touch
from casadi_dynamics.symbolic.dynamics import force_at, generalized_forces
from casadi_dynamics.symbolic.parameters import Parameters
from casadi_dynamics.symbolic.tree import build_tree
from sspinn_opensim.simulation.periodic import PeriodicMotion, coefficients_of, periodic_motion

#: A curve over the cycle of its own side: phases in percent to values.
PhaseCurve = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Stage:
    """One problem of the sequence that ends at the gait.

    Attributes
    ----------
    moment_scale, jerk_scale : float
        Joint moments (N m per kg) and jerk (rad/s^3 and m/s^3) that cost one.
    softening : float
        How much wider than the model's the contact law's transitions (onset, friction) are.
    """

    moment_scale: float
    jerk_scale: float
    softening: float


#: First find a gait at all, with soft steps; then make it graceful; the last stage has the model's own law.
WALKING_STAGES = (Stage(3.0, 2e4, 5.0), Stage(1.0, 6e3, 2.5), Stage(0.7, 2e3, 1.0))

#: Deviations from the curves that cost one, rad.
ANGLE_SCALE = {
    "hip_flexion": np.radians(5),
    "knee_angle": np.radians(5),
    "ankle_angle": np.radians(5),
    "pelvis_tilt": np.radians(3),
    "lumbar_extension": np.radians(3),
}


@dataclass(frozen=True)
class GaitTask:
    """What is asked of a gait.

    Attributes
    ----------
    cycle_s : float
        Time of a stride, s.
    knots : int
        Knots of a stride, even.
    speed_m_s : float
        Where the search starts, m/s.
    speed_range_m_s : tuple of 2 float
        What it may choose.
    angles : mapping of str to curve
        Degrees, by coordinate, or by its name without `_r` and `_l`. A cycle of the right leg starts with
        the contact of its foot, that of the left half a cycle later.
    vertical_force, forward_force : mapping of str to curve
        On the foot of each side ("r", "l"), body weights.
    clearance : mapping of str to tuple of 3 float
        Kind of sphere ("heel", "toe") -> first and last phase (%) of swing in which it stays at least so high
        above the floor, m.
    stages : tuple of Stage
        Problems that are solved one after the other.
    symmetric : bool
        Whether the left leg does what the right one does.
    angle_scale : mapping of str to float
        `ANGLE_SCALE`, by the name without side; other coordinates are not held to a curve.
    vertical_scale_bw, forward_scale_bw : float
        Deviations of the ground forces that cost one, body weights.
    """

    cycle_s: float
    knots: int
    speed_m_s: float
    speed_range_m_s: tuple[float, float]
    angles: Mapping[str, PhaseCurve]
    vertical_force: Mapping[str, PhaseCurve]
    forward_force: Mapping[str, PhaseCurve]
    clearance: Mapping[str, tuple[float, float, float]]
    stages: tuple[Stage, ...] = WALKING_STAGES
    symmetric: bool = True
    angle_scale: Mapping[str, float] = field(default_factory=lambda: ANGLE_SCALE)
    vertical_scale_bw: float = 0.05
    forward_scale_bw: float = 0.1

    @property
    def knot_times_s(self) -> np.ndarray:
        """Instants at which the dynamics hold; the other half of a symmetric cycle follows."""
        return np.arange(self.knots // 2 if self.symmetric else self.knots) * self.cycle_s / self.knots

    def maps(self, names: Sequence[str], time_s: np.ndarray) -> PeriodicMotion:
        """Return the maps from unknowns to the motion at some instants."""
        return periodic_motion(names, self.cycle_s, self.knots, time_s, symmetric=self.symmetric)


#: Instants between two knots at which jerk counts; at one alone the spline could ring between them.
_JERK_PER_KNOT = 4

_IPOPT = {
    "tol": 1e-7,
    "constr_viol_tol": 1e-9,
    "max_iter": 300,
    "linear_solver": "mumps",
    "mu_strategy": "adaptive",
    "print_level": 0,
    "sb": "yes",
}


@dataclass(frozen=True)
class OptimalGait:
    """A gait cycle.

    Attributes
    ----------
    task : GaitTask
        What was asked.
    names : tuple of str
        Coordinates.
    unknowns : (k,) ndarray
        Speed and spline coefficients, see `periodic_motion`.
    """

    task: GaitTask
    names: tuple[str, ...]
    unknowns: np.ndarray
    iterations: int
    objective: float

    @property
    def speed_m_s(self) -> float:
        """Mean forward speed."""
        return float(self.unknowns[0])

    def motion(self, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return q, u and udot, (m, n) each, at any times; the cycle repeats."""
        maps = self.task.maps(self.names, time_s)
        q, u, udot = ((part @ self.unknowns).reshape(len(time_s), -1) for part in (maps.q, maps.u, maps.udot))
        return q, u, udot


def driven_by_contact(model: Model) -> ca.Function:
    """Return inverse dynamics under the model's own contact forces.

    Returns
    -------
    casadi.Function
        Inputs `q`, `u`, `udot` (n each). Outputs `tau` (n), and in ground per contact force `force` (3, N, on
        the foot), its `position` (3, m) and `depth` (m, of the sphere's lowest point under the floor).
    """
    tree = build_tree(model, Parameters(model))
    external, forces, positions, depths = {}, [], [], []
    for law in model.contact_forces:
        sphere = surface(model.geometry(law.sphere), tree.motions, tree.parameters)
        floor = surface(model.geometry(law.half_space), tree.motions, tree.parameters)
        assert isinstance(sphere, Sphere) and isinstance(floor, Plane)
        force, position = smooth_force(law, sphere, floor)
        wrench, body = force_at(sphere.motion, position, force), model.geometry(law.sphere).body
        external[body] = external[body] + wrench if body in external else wrench
        forces.append(force)
        positions.append(position)
        depths.append(touch(floor, sphere).depth)
    tau = generalized_forces(tree, external)
    outputs = [ca.vertcat(*part) for part in ([tau], forces, positions, depths)]
    numbers = ca.substitute(outputs, [tree.parameters.vector], [ca.DM(tree.parameters.values)])
    state, names = tree.state, ["tau", "force", "position", "depth"]
    return ca.Function("driven_by_contact", list(state.values()), ca.cse(numbers), list(state), names)


def solve(model: Model, task: GaitTask) -> OptimalGait:
    """Find the gait.

    Raises
    ------
    RuntimeError
        IPOPT finds none.
    """
    maps = task.maps(model.coordinate_names, task.knot_times_s)
    unknowns, iterations, objective = _start(model, maps, task), 0, np.nan
    for stage in task.stages:
        unknowns, stats = _optimize(softened(model, stage), maps, unknowns, stage, task)
        iterations, objective = iterations + int(stats["iter_count"]), float(stats["iterations"]["obj"][-1])
    return OptimalGait(task, model.coordinate_names, unknowns, iterations, objective)


def softened(model: Model, stage: Stage) -> Model:
    """Return a model with the contact law of a stage."""
    laws = tuple(
        replace(
            law,
            hertz_smoothing=law.hertz_smoothing / stage.softening,
            transition_velocity=law.transition_velocity * stage.softening,
        )
        for law in model.contact_forces
    )
    return replace(model, contact_forces=laws)


def _optimize(
    model: Model, maps: PeriodicMotion, start: np.ndarray, stage: Stage, task: GaitTask
) -> tuple[np.ndarray, dict]:
    """Return the best unknowns near `start` and IPOPT's statistics."""
    names, time_s = model.coordinate_names, task.knot_times_s
    n, count, unknowns = len(names), len(time_s), len(start)
    # The motion at each instant is lifted into unknowns of its own, which keeps the Hessian block diagonal.
    parts, scales = (maps.q, maps.u, maps.udot), (1.0, 5.0, 100.0)
    coefficients, lifted = ca.MX.sym("coefficients", unknowns), ca.MX.sym("motion", 3 * n, count)
    spline = [
        ca.vec(lifted[i * n : (i + 1) * n, :]) - _casadi(part) @ coefficients / scale
        for i, (part, scale) in enumerate(zip(parts, scales, strict=True))
    ]
    values, curvature = (f.map(count) for f in _point_functions(model, scales, stage, task))
    motion = np.concatenate(
        [(part @ start).reshape(count, n) / scale for part, scale in zip(parts, scales, strict=True)], axis=1
    ).T
    target = _targets(names, task)
    cost, root, depth = values(lifted, target)
    jerk = _jerk(names, task) / stage.jerk_scale
    problem = {
        "x": ca.vertcat(coefficients, ca.vec(lifted)),
        "f": (ca.sum2(cost) + ca.sumsqr(jerk @ coefficients)) / count,
        "g": ca.vertcat(*spline, ca.vec(root), ca.vec(depth)),
    }
    # The splines are linear, so the Hessian is that of the jerk and one block for each instant.
    factor, multipliers = (
        ca.MX.sym("factor"),
        [ca.MX.sym("multipliers", g.numel()) for g in (*spline, root, depth)],
    )
    by_instant = [ca.reshape(part, -1, count) for part in multipliers[3:]]
    blocks = curvature(lifted, target, ca.repmat(factor / count, 1, count), *by_instant)
    hessian = ca.diagcat(2 * factor / count * (jerk.T @ jerk), *ca.horzsplit(blocks, 3 * n))
    options = {
        "print_time": False,
        "ipopt": _IPOPT,
        "hess_lag": _lagrangian_hessian(problem["x"], factor, multipliers, hessian),
    }
    solver = ca.nlpsol("gait", "ipopt", problem, options)
    low, high = np.full(problem["x"].numel(), -np.inf), np.full(problem["x"].numel(), np.inf)
    low[0], high[0] = task.speed_range_m_s
    # The gait could be moved forwards as a whole: one coefficient of `pelvis_tx` stays where it starts.
    fixed = coefficients_of(names, task.knots, symmetric=task.symmetric)["pelvis_tx"].start
    low[fixed] = high[fixed] = start[fixed]
    highest = _highest_depth(model, task)
    zero = np.zeros(problem["g"].numel() - len(highest))
    answer = solver(
        x0=np.concatenate([start, motion.T.ravel()]),
        lbx=low,
        ubx=high,
        lbg=np.concatenate([zero, np.full(len(highest), -np.inf)]),
        ubg=np.concatenate([zero, highest]),
    )
    stats = solver.stats()
    if not stats["success"]:
        raise RuntimeError(f"IPOPT did not converge: {stats['return_status']}")
    return answer["x"].full().ravel()[:unknowns], stats


def _jerk(names: Sequence[str], task: GaitTask) -> ca.DM:
    """Return the map from unknowns to jerk, whose squares sum up to those of a knot on average."""
    knots = len(task.knot_times_s)
    time_s = np.arange(knots * _JERK_PER_KNOT) * task.cycle_s / task.knots / _JERK_PER_KNOT
    return _casadi(task.maps(names, time_s).jerk) / np.sqrt(_JERK_PER_KNOT)


def _lagrangian_hessian(x: ca.MX, factor: ca.MX, multipliers: Sequence[ca.MX], hessian: ca.MX) -> ca.Function:
    """Return the Hessian in the form in which `nlpsol` takes it, the multipliers being one vector."""
    stacked = ca.MX.sym("multipliers", sum(part.numel() for part in multipliers))
    parts = ca.vertsplit(stacked, np.cumsum([0, *(part.numel() for part in multipliers)]).tolist())
    (upper,) = ca.substitute([ca.triu(hessian)], multipliers, parts)
    return ca.Function("hessian", [x, ca.MX(0, 1), factor, stacked], [upper])


def _point_functions(
    model: Model, scales: Sequence[float], stage: Stage, task: GaitTask
) -> tuple[ca.Function, ca.Function]:
    """Return functions of the scaled motion at one instant and its targets.

    The first gives the cost, the forces on the root in body weights (and body weight times metres) and the
    depths of the spheres; the second the Hessian of their sum under given weights.
    """
    names, n = model.coordinate_names, len(model.coordinates)
    weight = -model.gravity[1] * model.total_mass
    motion, target = ca.SX.sym("motion", 3 * n), ca.SX.sym("target", n + 4)
    q, u, udot = (part * scale for part, scale in zip(ca.vertsplit(motion, n), scales, strict=True))
    tau, force, _, depth = driven_by_contact(model)(q, u, udot)
    roots = model.root_coordinates()
    root = tau[[i for i, name in enumerate(names) if name in roots]] / weight
    cost = _cost(model, stage, task, q, tau, force, target)
    factors = [ca.SX.sym(name, part.numel()) for name, part in (("f", cost), ("r", root), ("d", depth))]
    total = sum(ca.dot(factor, part) for factor, part in zip(factors, (cost, root, depth), strict=True))
    hessian, _ = ca.hessian(total, motion)
    return (
        ca.Function("values", [motion, target], ca.cse([cost, root, depth])),
        ca.Function("curvature", [motion, target, *factors], ca.cse([ca.densify(hessian)])),
    )


def _cost(
    model: Model, stage: Stage, task: GaitTask, q: ca.SX, tau: ca.SX, force: ca.SX, target: ca.SX
) -> ca.SX:
    """Return squared deviations from the mean curves and squared moments at one instant."""
    names, n = model.coordinate_names, len(model.coordinates)
    weight = -model.gravity[1] * model.total_mass
    residuals = []
    for i, name in enumerate(names):
        kind = name.removesuffix("_r").removesuffix("_l")
        if kind in task.angle_scale:
            residuals.append((q[i] - target[i]) / task.angle_scale[kind])
    for k, foot in enumerate(("_r", "_l")):
        laws = [3 * i for i, law in enumerate(model.contact_forces) if law.name.endswith(foot)]
        vertical, forward = sum(force[i + 1] for i in laws), sum(force[i] for i in laws)
        residuals.append((vertical / weight - target[n + k]) / task.vertical_scale_bw)
        residuals.append((forward / weight - target[n + 2 + k]) / task.forward_scale_bw)
    joints = [i for i, name in enumerate(names) if name not in model.root_coordinates()]
    residuals.append(tau[joints] / (stage.moment_scale * model.total_mass))
    return ca.sumsqr(ca.vertcat(*residuals))


def _targets(names: Sequence[str], task: GaitTask) -> np.ndarray:
    """Return the curves at the knots, (n + 4, m): each coordinate, then the forces on the feet."""
    percent = 100 * task.knot_times_s / task.cycle_s
    rows = []
    for name in names:
        kind, late = name.removesuffix("_r").removesuffix("_l"), 50 if name.endswith("_l") else 0
        curve = task.angles.get(name) or task.angles.get(kind)
        rows.append(np.radians(curve(percent + late)) if curve else 0 * percent)
    for curves in (task.vertical_force, task.forward_force):
        rows += [curves["r"](percent), curves["l"](percent + 50)]
    return np.array(rows)


def _highest_depth(model: Model, task: GaitTask) -> np.ndarray:
    """Return how deep each sphere may be at the knots, m, instant by instant; no limit outside swing."""
    percent = 100 * task.knot_times_s / task.cycle_s
    rows = []
    for law in model.contact_forces:
        part, side = law.sphere.rsplit("_", 1)
        phase = np.mod(percent + (50 if side == "l" else 0), 100)
        first, last, height = task.clearance[part]
        rows.append(np.where((phase >= first) & (phase <= last), -height, np.inf))
    return np.array(rows).T.ravel()


def _start(model: Model, maps: PeriodicMotion, task: GaitTask) -> np.ndarray:
    """Return the unknowns of the curves, the pelvis so high that the floor would bear it at rest."""
    names, weight = model.coordinate_names, -model.gravity[1] * model.total_mass
    q = _targets(names, task)[: len(names)]
    q[names.index("pelvis_tx")] = task.speed_m_s * task.knot_times_s
    zero = np.zeros_like(q)
    law = driven_by_contact(model).map(q.shape[1])
    low, high = np.zeros(q.shape[1]), np.full(q.shape[1], 2.0)
    for _ in range(40):
        q[names.index("pelvis_ty")] = (low + high) / 2
        too_low = law(q, zero, zero)[1].full()[1::3].sum(axis=0) > weight
        low, high = np.where(too_low, (low + high) / 2, low), np.where(too_low, high, (low + high) / 2)
    unknowns = np.linalg.lstsq(maps.q.toarray(), q.T.ravel(), rcond=1e-8)[0]
    unknowns[0] = task.speed_m_s
    return unknowns


def _casadi(matrix: csr_matrix) -> ca.DM:
    coo = matrix.tocoo()
    return ca.DM.triplet(coo.row.tolist(), coo.col.tolist(), ca.DM(coo.data), *coo.shape)
