"""Muscle paths that wrap around surfaces, fitted to OpenSim's answers by polynomials of the coordinates.

The length is a sum of products of Chebyshev polynomials, and lengths and moment arms are fitted together,
so that the moment arms are exactly the slopes of the length. The degree is the lowest that meets the accuracy
asked for at postures that were left out of the fit. Where no degree does, as OpenSim's wrapped paths jump and
bend, the range is cut in two where that helps most, and each part is fitted for itself.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.polynomial import chebyshev
from scipy.stats import qmc

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.model.constraints import couplers_in_order
from casadi_dynamics.model.muscles import ConditionalPathPoint, GeometryPath, Muscle
from casadi_dynamics.model.path_fits import PathFit, Piece
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.opensim_process.jobs import run_job
from sspinn_opensim.opensim_io.worker.paths import muscle_paths

#: Accuracy asked for: of the length, m, and of the moment arms, m per rad.
LENGTH_M, MOMENT_ARM_M = 1e-3, 2e-3
#: Share of it at which a fit is good enough, as the largest error elsewhere is larger than that of a sample.
_ENOUGH = 0.5
#: Share of the postures that a fit must serve: OpenSim's wrapped paths have spikes a milliradian wide.
_SERVED = 0.999
#: What the largest error counts nevertheless: it tells a polynomial of too many terms for its postures.
_SPIKE = 0.05
#: Answers (lengths and moment arms) per term that a polynomial must be given.
_ANSWERS_PER_TERM = 6
SAMPLES = 4096
SEED = 0
#: Each length counts as much as moment arms that are this much larger.
_ARM_WEIGHT = 0.5
#: Every how many postures one is left out of the fit.
_LEFT_OUT = 5
#: Number of coordinates -> total degrees to try.
_DEGREES = {1: range(4, 21, 2), 2: range(4, 15, 2), 3: range(5, 11), 4: range(4, 9)}
_MANY = range(3, 6)
_MOST_PIECES = 8
#: Postures that a piece must hold to be fitted.
_FEWEST = 100
#: Postures a person can take (rad), for coordinates whose files often allow far more; matched by name.
_PHYSIOLOGICAL = (
    (re.compile(r"hip_flexion"), (-30, 90)),
    (re.compile(r"hip_adduction"), (-25, 20)),
    (re.compile(r"hip_rotation"), (-20, 20)),
    (re.compile(r"knee_(angle|flexion)"), (-120, 120)),
    (re.compile(r"ankle_angle"), (-50, 40)),
    (re.compile(r"shoulder_elev|arm_flex"), (-60, 90)),
)
#: A range beyond this (rad) is none; the default posture plus and minus this is used.
_WIDEST, _AROUND_DEFAULT = 2 * np.pi, np.pi / 2


@dataclass(frozen=True)
class Samples:
    """OpenSim's answers for one muscle: postures (N, k), length (N,), m, and moment arms (N, k)."""

    q: np.ndarray
    length: np.ndarray
    arm: np.ndarray

    def __getitem__(self, rows) -> Samples:
        """Return the answers of some of the postures."""
        return Samples(self.q[rows], self.length[rows], self.arm[rows])


def fit_wrapped_paths(
    model_file: Path, model: Model, *, samples: int = SAMPLES, timeout_s: float = 1800.0
) -> tuple[PathFit, ...]:
    """Fit every muscle of a model that wraps (about 10 ms of OpenSim per 20 muscles and posture).

    Parameters
    ----------
    model_file : Path
    model : Model
        As read from that file.
    samples : int
        Number of postures.
    timeout_s : float
        Limit of OpenSim's job.

    Returns
    -------
    tuple of PathFit
        In the order of the model's muscles.

    Raises
    ------
    OpenSimError
        If OpenSim does not answer.
    InputError
        If OpenSim finds no path of a muscle at many postures.
    """
    spanned = {m.name: spanned_coordinates(model, m.path) for m in model.muscles if m.path.wraps}
    coordinates = [name for name in model.coordinate_names if any(name in s for s in spanned.values())]
    if not spanned:
        return ()
    box = np.array([physiological_range(model, name) for name in coordinates]).reshape(-1, 2)
    unit = qmc.Sobol(max(len(coordinates), 1), seed=SEED).random(samples)[:, : len(coordinates)]
    postures = box[:, 0] + unit * (box[:, 1] - box[:, 0])
    length, arm = _ask(model_file, spanned, coordinates, postures, timeout_s)
    fits = []
    for j, muscle in enumerate(m for m in model.muscles if m.path.wraps):
        places = [coordinates.index(name) for name in spanned[muscle.name]]
        answers = Samples(postures[:, places], length[:, j], arm[:, j][:, places])
        found = _answered(muscle, answers, model_file)
        fit = fit_path(muscle, spanned[muscle.name], answers[found], box[places])
        fits.append(replace(fit, unanswered=float(1 - found.mean())))
    return tuple(fits)


def spanned_coordinates(model: Model, path: GeometryPath) -> tuple[str, ...]:
    """Return the independent coordinates that move the bodies of a path against one another, in order."""
    chains = {body: _joints_to_ground(model, body) for body in path.bodies}
    shared = set.intersection(*(set(chain) for chain in chains.values()))
    crossed = {joint for chain in chains.values() for joint in chain} - shared
    moved = {c.name for c in model.coordinates if c.joint in crossed}
    moved |= {p.coordinate for p in path.points if isinstance(p, ConditionalPathPoint)}
    for point in path.points:
        moved |= set(filter(None, getattr(point, "coordinates", ())))
    for coupler in reversed(couplers_in_order(model.constraints)):
        if coupler.dependent in moved:
            moved = (moved - {coupler.dependent}) | {coupler.independent}
    return tuple(name for name in model.coordinate_names if name in moved)


def physiological_range(model: Model, name: str) -> tuple[float, float]:
    """Return the part of a coordinate's range that a person's joint can reach, rad or m."""
    coordinate = model.coordinate(name)
    low, high = coordinate.range
    if high - low > _WIDEST:
        low, high = coordinate.default - _AROUND_DEFAULT, coordinate.default + _AROUND_DEFAULT
    for pattern, limits in _PHYSIOLOGICAL:
        lower, upper = np.deg2rad(limits)
        if pattern.search(name) and max(low, lower) < min(high, upper):
            return max(low, float(lower)), min(high, float(upper))
    return low, high


def fit_path(muscle: Muscle, coordinates: tuple[str, ...], answers: Samples, box: np.ndarray) -> PathFit:
    """Fit one muscle in a box (k, 2) of its coordinates."""
    if not len(coordinates):  # a path between points that do not move against one another
        piece = Piece((), (), ((),), (float(answers.length.mean()),))
        return PathFit(muscle.name, (), (piece,), *(float(np.ptp(answers.length)), 0.0) * 2)
    order = np.random.default_rng(SEED).permutation(len(answers.q))
    left_out = np.zeros(len(order), bool)
    left_out[order[::_LEFT_OUT]] = True
    pieces, waiting = [], [(box, _Polynomial.best(answers, left_out, box))]
    while waiting:
        waiting.sort(key=lambda piece: piece[1].score)
        where, polynomial = waiting.pop()
        full = len(pieces) + len(waiting) + 1 >= _MOST_PIECES
        cut = None if polynomial.score <= 1 or full else _best_cut(muscle, coordinates, answers, where)
        if cut is None:
            pieces.append((where, polynomial))
        else:
            waiting += [(half, _Polynomial.best(answers, left_out, half)) for half in _halves(where, *cut)]
    pieces.sort(key=lambda piece: tuple(piece[0][:, 0]))
    errors = [p.errors(answers[left_out & _inside(answers.q, where)]) for where, p in pieces]
    length, arm = (np.concatenate(parts) for parts in zip(*errors, strict=True))
    return PathFit(
        muscle.name,
        tuple(coordinates),
        tuple(polynomial.piece() for _, polynomial in pieces),
        *(float(error.max()) for error in (length, arm)),
        *(float(np.quantile(error, 0.99)) for error in (length, arm)),
        beyond=float(((length > LENGTH_M) | (arm > MOMENT_ARM_M)).mean()),
    )


def worst_fit(fits: tuple[PathFit, ...]) -> PathFit:
    """Return the fit whose largest error is furthest from the accuracy asked for."""
    return max(fits, key=lambda f: max(f.length_error / LENGTH_M, f.moment_arm_error / MOMENT_ARM_M))


@dataclass(frozen=True)
class _Polynomial:
    """Coefficients in a box, and its error as a share of what is good enough."""

    box: np.ndarray
    exponents: np.ndarray
    coefficients: np.ndarray
    score: float

    @classmethod
    def best(cls, answers: Samples, left_out: np.ndarray, box: np.ndarray) -> _Polynomial:
        """Return the polynomial of the lowest degree that is good enough, or else the best."""
        here = _inside(answers.q, box)
        given, held_out = answers[here & ~left_out], answers[here & left_out]
        k = answers.q.shape[1]
        candidates = []
        for degree in _DEGREES.get(k, _MANY):
            exponents = _total_degree(k, degree)
            if candidates and _ANSWERS_PER_TERM * len(exponents) > len(given.q) * (k + 1):
                break
            candidates.append(cls._of(given, held_out, box, exponents))
            if candidates[-1].score <= 1:
                break
        return min(candidates, key=lambda polynomial: polynomial.score)

    @classmethod
    def _of(cls, given: Samples, held_out: Samples, box, exponents) -> _Polynomial:
        unscored = cls(box, exponents, _solve(given, box, exponents), 0.0)
        # Errors of the postures that were fitted count as well: in a small piece few were left out.
        parts = [unscored.errors(part) for part in (given, held_out) if len(part.q)]
        score = 0.0
        if parts:
            length, arm = (np.concatenate(errors) for errors in zip(*parts, strict=True))
            worse = np.maximum(length / LENGTH_M, arm / MOMENT_ARM_M)
            score = np.quantile(worse, _SERVED) / _ENOUGH + _SPIKE * worse.max()
        return cls(box, exponents, unscored.coefficients, float(score))

    def errors(self, answers: Samples) -> tuple[np.ndarray, np.ndarray]:
        """Return the errors of length (N,) and the largest of the moment arms (N,)."""
        value, slopes = _basis(answers.q, self.box, self.exponents)
        length = np.abs(value @ self.coefficients - answers.length)
        arms = np.stack([-slope @ self.coefficients for slope in slopes], axis=1)
        return length, np.abs(arms - answers.arm).max(axis=1)

    def piece(self) -> Piece:
        """Return plain numbers."""
        return Piece(
            tuple(map(float, self.box[:, 0])),
            tuple(map(float, self.box[:, 1])),
            tuple(tuple(map(int, row)) for row in self.exponents),
            tuple(map(float, self.coefficients)),
        )


def _solve(given: Samples, box, exponents) -> np.ndarray:
    """Least squares by normal equations; a ridge of rounding size keeps terms without data at zero."""
    value, slopes = _basis(given.q, box, exponents)
    parts = [(value, given.length)]
    parts += [(-_ARM_WEIGHT * s, _ARM_WEIGHT * given.arm[:, i]) for i, s in enumerate(slopes)]
    matrix = sum(rows.T @ rows for rows, _ in parts)
    right = sum(rows.T @ wanted for rows, wanted in parts)
    ridge = 1e-13 * np.trace(matrix) / len(matrix)
    return np.linalg.solve(matrix + ridge * np.eye(len(matrix)), right)


def _basis(q: np.ndarray, box: np.ndarray, exponents: np.ndarray):
    """Return the terms (N, terms) and, per coordinate, their slopes."""
    degree = max(int(exponents.max()), 1)
    half = (box[:, 1] - box[:, 0]) / 2
    x = (q - box.mean(axis=1)) / half
    derivative = chebyshev.chebder(np.eye(degree + 1), axis=0)
    values, slopes = [], []
    for i in range(q.shape[1]):
        all_values = chebyshev.chebvander(x[:, i], degree)
        values.append(all_values[:, exponents[:, i]])
        slopes.append((all_values[:, :-1] @ derivative / half[i])[:, exponents[:, i]])
    products = [
        np.prod([slopes[j] if j == i else values[j] for j in range(len(values))], axis=0)
        for i in range(len(values))
    ]
    return np.prod(values, axis=0), products


def _total_degree(k: int, degree: int) -> np.ndarray:
    rows = itertools.product(range(degree + 1), repeat=k)
    return np.array([row for row in rows if sum(row) <= degree])


def _best_cut(muscle: Muscle, coordinates, answers: Samples, box) -> tuple[int, float] | None:
    """Return coordinate and value where two low polynomials instead of one leave the least error."""
    here = answers[_inside(answers.q, box)]
    switches = {
        (coordinates.index(p.coordinate), end)
        for p in muscle.path.points
        if isinstance(p, ConditionalPathPoint)
        for end in p.range
    }
    tried = {}

    def error(i: int, value: float) -> float:
        if (i, value) not in tried:
            tried[i, value] = sum(_low_order_error(here, half) for half in _halves(box, i, value))
        return tried[i, value]

    for i, end in switches:
        if box[i, 0] < end < box[i, 1]:
            error(i, end)
    for i, (low, high) in enumerate(box):
        step = (high - low) / 12
        grid = [float(low + step * n) for n in range(1, 12)]
        best = min(grid, key=lambda value, i=i: error(i, value))
        while step > (high - low) / 2000:
            step /= 2
            around = [v for v in (best - step, best, best + step) if low < v < high]
            best = min(around, key=lambda value, i=i: error(i, value))
    best = min(tried, key=tried.get)
    return best if np.isfinite(tried[best]) else None


def _low_order_error(answers: Samples, box) -> float:
    here = answers[_inside(answers.q, box)]
    exponents = _total_degree(answers.q.shape[1], 4 if answers.q.shape[1] < 3 else 3)
    if len(here.q) < _FEWEST:
        return np.inf
    polynomial = _Polynomial(box, exponents, _solve(here, box, exponents), 0.0)
    length, arm = polynomial.errors(here)
    return float((length**2).sum() / LENGTH_M**2 + (arm**2).sum() / MOMENT_ARM_M**2)


def _halves(box: np.ndarray, i: int, value: float) -> tuple[np.ndarray, np.ndarray]:
    below, above = box.copy(), box.copy()
    below[i, 1] = above[i, 0] = value
    return below, above


def _inside(q: np.ndarray, box: np.ndarray) -> np.ndarray:
    return ((q >= box[:, 0]) & (q <= box[:, 1])).all(axis=1)


def _joints_to_ground(model: Model, body: str) -> list[str]:
    chain = []
    while body != GROUND:
        joint = model.joint_of(body)
        chain.append(joint.name)
        body = joint.parent.body
    return chain


def _ask(model_file, spanned, coordinates, postures, timeout_s):
    with tempfile.TemporaryDirectory(prefix="paths_") as folder:
        given, answers = Path(folder, "postures.npy"), Path(folder, "paths.npz")
        np.save(given, postures)
        arguments = {
            "model": Path(model_file),
            "muscles": {name: list(wanted) for name, wanted in spanned.items()},
            "coordinates": coordinates,
            "postures": given,
            "output": answers,
        }
        run_job(muscle_paths, arguments, timeout_s=timeout_s, outputs=[answers])
        with np.load(answers, allow_pickle=False) as stored:
            return stored["length"], stored["moment_arm"]


def _answered(muscle: Muscle, answers: Samples, model_file) -> np.ndarray:
    """Return at which postures OpenSim found a path; refuse a muscle that hardly has one."""
    found = np.isfinite(answers.length) & np.isfinite(answers.arm).all(axis=1)
    if found.mean() < 0.9:
        raise InputError(
            f"OpenSim finds no path for muscle '{muscle.name}' at many postures.",
            where=str(model_file),
            expected="finite lengths and moment arms within the ranges of the coordinates",
            found=f"NaN or infinity at {1 - found.mean():.0%} of them",
            fix="correct its path points, its wrap objects or the ranges of its coordinates",
        )
    return found
