"""Dynamic consistency: the smallest correction after which motion, ground forces and masses agree.

A recording is cut into overlapping pieces, which are solved side by side and fade into one another; what one
of them is, and how it is solved, is in `correction_problem`.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np

from casadi_dynamics.cores import usable_cores
from sspinn_opensim.dynamics.trial import natural_quintic
from sspinn_opensim.estimation.consistency import knots
from sspinn_opensim.estimation.consistency.balance import Balance
from sspinn_opensim.estimation.consistency.between import (
    forces_between,
    motion_between,
    samples_apart,
    thinned,
)
from sspinn_opensim.estimation.consistency.correction_problem import (
    STIFFNESS,
    Corrected,
    CorrectionProblem,
    cone_of_friction,
    told_of_feet,
)
from sspinn_opensim.estimation.consistency.gyroscopes import Gyroscopes
from sspinn_opensim.estimation.consistency.hessians import Hessians
from sspinn_opensim.estimation.inference.ground import LEAST_LOAD, GroundForces, ground_forces
from sspinn_opensim.estimation.inference.offline import Estimate
from sspinn_opensim.estimation.uncertainty import Deviations
from sspinn_opensim.recording.signals.filters import low_pass
from sspinn_opensim.recording.signals.runs import true_runs
from sspinn_opensim.training.memory import memory_kept
from sspinn_opensim.training.subject import Subject

log = logging.getLogger(__name__)

_Found = TypeVar("_Found")

#: A foot is loaded for so long or not at all, s: what an estimate leaves on a foot in the air is shorter.
SHORTEST_LOAD_S = 0.06
#: What is faster in a network's forces and moments, Hz, is more of its noise, and of tissue that shakes the
#: sensors of pelvis and trunk, half of the body, than of the ground.
FORCES_HZ = 8.0
#: Fewer frames have no second derivative worth balancing.
FEWEST_FRAMES = 6
#: Frames solved together, and how far they reach into their neighbours, s: corrections are forgotten before.
_PIECE, _OVERLAP_S = 3000, 2.5


def consistent(
    estimate: Estimate, subject: Subject, deviations: Deviations, gyroscopes: Gyroscopes | None = None
) -> Estimate:
    """Return an estimate whose motion, ground forces and masses agree, with the moments that follow from it.

    Parameters
    ----------
    estimate : Estimate
        At evenly spaced times.
    deviations : Deviations
        Standard deviations of its numbers, at its times.
    gyroscopes : Gyroscopes, optional
        What was measured at its times, which the motion follows; by default it stays near the estimate's own.

    Returns
    -------
    Estimate
        Held coordinates are as they were. An estimate of less than `FEWEST_FRAMES`, or too wild to be made
        to agree, is returned as it is.
    """
    time_s, frames = estimate.time_s, len(estimate.time_s)
    if frames < FEWEST_FRAMES:
        return estimate
    balance = Balance(subject)
    step_s = float(time_s[-1] - time_s[0]) / (frames - 1)
    every = min(samples_apart(1.0 / step_s), (frames - 1) // (FEWEST_FRAMES - 1))
    some = (
        (estimate, deviations, gyroscopes) if every == 1 else thinned(estimate, deviations, gyroscopes, every)
    )
    found = _solved(balance, *some, every * step_s)
    if found is None:  # half a correction would be worse than none; the account of it says what is left
        return estimate
    return _at_all_frames(found, some[0].time_s, every, balance, estimate)


def _at_all_frames(
    found: Corrected, solved_s: np.ndarray, every: int, balance: Balance, estimate: Estimate
) -> Estimate:
    """Return an estimate with what was found at the times `solved_s`, each `every`-th of its own."""
    time_s, frames, subject = estimate.time_s, len(estimate.time_s), balance.subject
    step_s = float(time_s[-1] - time_s[0]) / (frames - 1)
    q, force = found.q, found.force
    spline = knots.coefficients(q) if every == 1 else natural_quintic(solved_s, q)
    directions = cone_of_friction(subject)
    whole, moments = estimate.q.copy(), np.empty_like(estimate.moments)
    ground = {name: np.empty_like(estimate.ground.force) for name in ("force", "point", "torque")}
    for start in range(0, frames, _PIECE * every):
        part = slice(start, min(start + _PIECE * every, frames))
        if isinstance(spline, np.ndarray):
            motion = knots.at_knots(spline[start : part.stop + knots.MORE], knots.derivative_weights(step_s))
            whole[part, list(balance.free)], forces = q[part], force[part]
        else:
            motion = motion_between(spline, time_s[part])
            whole[part, list(balance.free)] = motion[:, : q.shape[1]]
            solved = force[start // every : start // every + _PIECE + 1]
            forces = forces_between(balance, motion, solved, directions, every)
        values = balance.values(motion, forces)
        moments[part] = values.moment
        on_feet = ground_forces(subject, values.position, forces)
        for name, own in ground.items():
            own[part] = getattr(on_feet, name)
    on_feet = GroundForces(estimate.ground.feet, **ground)
    return replace(estimate, q=subject.completed(whole), moments=moments, ground=on_feet)


def without_shaking(estimate: Estimate, subject: Subject) -> Estimate:
    """Return the estimate of a network without what is faster than `FORCES_HZ` in its forces and moments.

    Feet without load stay without, so that no filter makes them strike earlier or leave later.
    """
    time_s, ground = estimate.time_s, estimate.ground
    if len(time_s) < FEWEST_FRAMES:
        return estimate
    rate_hz = (len(time_s) - 1) / float(time_s[-1] - time_s[0])
    force, torque, moments = (
        low_pass(values, FORCES_HZ, rate_hz) for values in (ground.force, ground.torque, estimate.moments)
    )
    loaded = ground.force[..., 1:2] > LEAST_LOAD * subject.body_weight
    kept = {
        name: np.where(loaded, new, getattr(ground, name))
        for name, new in (("force", force), ("torque", torque))
    }
    return replace(estimate, moments=moments, ground=replace(ground, **kept))


def _solved(
    balance: Balance,
    estimate: Estimate,
    deviations: Deviations,
    gyroscopes: Gyroscopes | None,
    step_s: float,
) -> Corrected | None:
    """Return coordinates and forces at the contact points of all frames; None where some have no answer."""
    subject, frames = balance.subject, len(estimate.time_s)
    loaded = loaded_feet(estimate.ground.force[..., 1], subject.body_weight, step_s)
    q, force = np.zeros((frames, len(balance.free))), np.zeros((frames, len(subject.feet), 3))
    pieces = list(_pieces(frames, round(_OVERLAP_S / step_s)))
    # In space, with a model of many coordinates, this takes minutes.
    log.info(f"motion and forces are made to agree: {frames} frames, {len(balance.free)} coordinates")
    balance.compile()
    hessians = Hessians(balance, cone_of_friction(subject), STIFFNESS, *told_of_feet(subject))

    def solved(part: slice) -> Corrected | None:
        followed = gyroscopes.part(part) if gyroscopes else None
        own = estimate.part(part), deviations.part(part), loaded[part], followed
        try:
            return CorrectionProblem(hessians, *own, step_s).solve()
        except np.linalg.LinAlgError:  # what digits can no longer tell
            return None

    for (part, share), found in zip(pieces, _in_order(solved, [part for part, _ in pieces]), strict=True):
        if found is None:
            return None
        q[part] += share[:, None] * found.q
        force[part] += share[:, None, None] * found.force
        if len(pieces) > 1:
            log.info(f"motion and forces made to agree: {part.stop} of {frames} frames")
    return Corrected(q, force)


def _in_order(solved: Callable[[slice], _Found], parts: Sequence[slice]) -> Iterator[_Found]:
    """Give what is found of each part, in order, as many at a time as there are cores."""
    from threadpoolctl import threadpool_limits  # looks through all libraries, and few need it

    cores = min(usable_cores(), len(parts))
    # Matrices are small: threads of BLAS wait for each other, and take the cores from the other pieces.
    with memory_kept(), threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(cores) as pool:
        waiting = deque(pool.submit(solved, part) for part in parts)
        try:
            while waiting:  # none is held when it has been given
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def loaded_feet(vertical_n: np.ndarray, body_weight_n: float, step_s: float) -> np.ndarray:
    """Return where feet carry load, (n, feet) bool, of upward forces (n, feet)."""
    loaded = np.zeros(vertical_n.shape, bool)
    for k, column in enumerate(vertical_n.T):
        for first, last in true_runs(column > LEAST_LOAD * body_weight_n):
            whole = first > 0 and last < len(column)
            loaded[first:last, k] = not whole or (last - first) * step_s >= SHORTEST_LOAD_S
    return loaded


def _pieces(frames: int, overlap: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Give what is solved together, and its share in each frame: neighbours fade into one another.

    Both agree there but for what is not forgotten yet; a jump would be an acceleration.
    """
    count = max(round(frames / _PIECE), 1)
    edges = np.linspace(0, frames, count + 1).round().astype(int).tolist()
    for first, last in itertools.pairwise(edges):
        part = slice(max(first - overlap, 0), min(last + overlap, frames))
        at = np.arange(part.start, part.stop)
        share = _fade((at - first) / (overlap / 2)) if first > 0 else np.ones(len(at))
        yield part, share - (_fade((at - last) / (overlap / 2)) if last < frames else 0.0)


def _fade(x: np.ndarray) -> np.ndarray:
    """Return what goes from 0 to 1 as x goes from -1 to 1, with two derivatives of zero at both ends."""
    x = np.clip((x + 1) / 2, 0.0, 1.0)
    return x**3 * (10 - 15 * x + 6 * x**2)
