"""Verdict on muscle forces: whether to trust them, overall and frame by frame.

OpenSim reports success in every case that raises no exception. The verdict is formed here: frames the
optimizer gave up, reserves beside the joint moments they should be small against, residuals, muscles at
their limit, frames missing from the output.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sspinn_opensim.opensim_io.model.model_file import CoordinateFacts
from sspinn_opensim.opensim_io.static_optimization.checks import Inputs
from sspinn_opensim.opensim_io.static_optimization.preparation import (
    RESERVE,
    RESIDUAL,
    TORQUE,
    actuator_name,
    role,
)
from sspinn_opensim.opensim_io.static_optimization.setup_file import Setup
from sspinn_opensim.opensim_io.static_optimization.solution import Solution
from sspinn_opensim.opensim_io.tables.storage import Table

# Bounds of Hicks et al. 2015, "Is my model good enough?", J Biomech Eng 137(2):020905: reserves below 5 % of
# the joint moment, residual forces below 5 % of the peak external force, and residual moments below 1 % of
# that force times the height of the mass centre, taken as 1 m.
_RESERVE_LIMIT_PERCENT = 5.0
_RESIDUAL_FORCE_LIMIT_PERCENT = 5.0
_RESIDUAL_MOMENT_LIMIT_PERCENT = 1.0
_MASS_CENTER_HEIGHT_M = 1.0
_SATURATED = 0.99
# A joint that carries less than this is judged as if it carried this much, N m or N.
_SMALLEST_PEAK = 1.0
#: So many failed frames are listed one by one.
_LISTED = 8


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How static optimization went.

    Parameters
    ----------
    frames, failed_frames : int
        Frames in OpenSim's output, and frames its optimizer gave up.
    failed_times_s : tuple of float
        When, s.
    window_s : (float, float)
        What was to be analysed, s.
    time_range_s : (float, float)
        First and last frame of the output, s.
    body_weight_n, peak_ground_force_n : float
        N.
    max_constraint_violation : float or None
        Largest acceleration error that the optimizer left in a frame; None if it tells none.
    muscles : dict
        By muscle: ``peak_force_n``, ``peak_activation``, ``saturated_frames`` (activation >= 0.99).
    reserves : dict
        By coordinate that muscles drive: ``peak`` of the reserve, ``peak_moment`` of the joint (N m, or N
        for translations), ``percent`` of it.
    torques : dict
        By coordinate that no muscle crosses: ``peak`` of its actuators. These drive the joint; they are
        no reserves, and no bound applies.
    residuals : dict
        By coordinate of the joint with ground: ``peak``, ``rms`` (N m or N) and ``percent`` of the peak
        ground force (times 1 m for moments).
    failures, warnings : tuple of str
        Why the forces are not to be trusted; what else to look at.
    lowpass_hz, wall_s : float
        Filter cut-off, Hz, and duration of the run, s.
    method : str
        Which optimizer found the forces.
    workers : int
        Processes that shared the work.
    relaxed_frames : int
        Frames that were solved at a later attempt, with a looser criterion.
    """

    frames: int
    failed_frames: int
    failed_times_s: tuple[float, ...]
    window_s: tuple[float, float]
    time_range_s: tuple[float, float]
    body_weight_n: float
    peak_ground_force_n: float
    max_constraint_violation: float | None
    muscles: dict[str, dict[str, float]]
    reserves: dict[str, dict[str, float]]
    torques: dict[str, dict[str, float]]
    residuals: dict[str, dict[str, float]]
    failures: tuple[str, ...]
    warnings: tuple[str, ...]
    lowpass_hz: float
    wall_s: float
    method: str = ""
    workers: int = 1
    relaxed_frames: int = 0

    @property
    def ok(self) -> bool:
        """Whether every frame was solved and every reserve is within its bound."""
        return not self.failures

    @property
    def worst_reserve_percent(self) -> float:
        """Largest reserve in percent of the peak moment of its joint."""
        return max((reserve["percent"] for reserve in self.reserves.values()), default=0.0)

    def to_json(self) -> dict:
        """Return the verdict as JSON values."""
        return {"ok": self.ok, "worst_reserve_percent": self.worst_reserve_percent} | dataclasses.asdict(self)

    def __str__(self) -> str:
        strongest = max(self.muscles.items(), key=lambda item: item[1]["peak_activation"])
        lines = [
            f"static optimization {'succeeded' if self.ok else 'is not to be trusted'}: "
            f"{self.frames} frames, {self.failed_frames} failed, {self.wall_s:.1f} s"
            + (f" in {self.workers} processes" if self.workers > 1 else ""),
            f"largest reserve {self.worst_reserve_percent:.2f} % of the peak moment of its joint; "
            f"largest activation {strongest[1]['peak_activation']:.2f} ({strongest[0]})",
        ]
        lines += [
            f"residual {name}: peak {residual['peak']:.1f}, "
            f"{residual['percent']:.1f} % of the peak ground force"
            for name, residual in self.residuals.items()
        ]
        lines += [f"failure: {text}" for text in self.failures] + [
            f"warning: {text}" for text in self.warnings
        ]
        return "\n".join(lines)


def judge(setup: Setup, inputs: Inputs, joint_moments: dict[str, float], solution: Solution) -> Verdict:
    """Form the verdict on muscle forces, wherever they come from.

    Parameters
    ----------
    setup : Setup
        What was to be solved.
    inputs : Inputs
        The checked inputs.
    joint_moments : dict
        Peak moment of each coordinate that muscles drive, N m or N.
    """
    muscles = {
        name: {
            "peak_force_n": float(force.max()),
            "peak_activation": float(activation.max()),
            "saturated_frames": int((activation >= _SATURATED).sum()),
        }
        for name, force, activation in zip(
            solution.muscles, solution.forces.T, solution.activations.T, strict=True
        )
    }
    reserves, torques, residuals = {}, {}, {}
    for coordinate in inputs.coordinates:
        if not coordinate.is_free:
            continue
        actuation = _actuation(coordinate, inputs, solution)
        peak = float(np.abs(actuation).max())
        if role(coordinate) == RESERVE:
            moment = joint_moments[coordinate.name]
            percent = 100 * peak / max(moment, _SMALLEST_PEAK)
            reserves[coordinate.name] = {"peak": peak, "peak_moment": moment, "percent": percent}
        elif role(coordinate) == TORQUE:
            torques[coordinate.name] = {"peak": peak}
        elif role(coordinate) == RESIDUAL:
            lever = _MASS_CENTER_HEIGHT_M if inputs.motions[coordinate.name] == "rotational" else 1.0
            residuals[coordinate.name] = {
                "peak": peak,
                "rms": float(np.sqrt(np.mean(actuation**2))),
                "percent": 100 * peak / (lever * inputs.peak_ground_force_n),
            }
    finite = solution.violation[np.isfinite(solution.violation)]
    return Verdict(
        frames=len(solution.time_s),
        failed_frames=int(solution.failed.sum()),
        failed_times_s=tuple(float(time) for time in solution.time_s[solution.failed]),
        window_s=(setup.from_s, setup.to_s),
        time_range_s=(float(solution.time_s[0]), float(solution.time_s[-1])),
        body_weight_n=inputs.body_weight_n,
        peak_ground_force_n=inputs.peak_ground_force_n,
        max_constraint_violation=float(finite.max()) if len(finite) else None,
        muscles=muscles,
        reserves=reserves,
        torques=torques,
        residuals=residuals,
        failures=tuple(_failures(setup, inputs, solution, reserves)),
        warnings=(
            *inputs.warnings,
            *_relaxed(solution),
            *_warnings(setup, inputs, muscles, reserves, residuals),
        ),
        lowpass_hz=setup.lowpass_hz,
        wall_s=solution.wall_s,
        method=solution.method,
        workers=solution.workers,
        relaxed_frames=int(solution.relaxed.sum()),
    )


def frames_table(inputs: Inputs, solution: Solution) -> Table:
    """Return the verdict frame by frame.

    Columns: ``failed``, ``later_attempt`` (0 or 1), ``constraint_violation``, ``objective``,
    ``largest_activation``, ``saturated_muscles`` (how many), then the reserve, torque or residual at each
    coordinate, named for its actuator, N m or N. A quantity that the optimizer tells of no frame has no
    column; of the frames of which it does not tell it the value is -1.
    """
    of_optimizer = {"constraint_violation": solution.violation, "objective": solution.objective}
    columns = {
        "failed": solution.failed.astype(float),
        "later_attempt": solution.relaxed.astype(float),
        **{k: np.nan_to_num(told, nan=-1.0) for k, told in of_optimizer.items() if np.isfinite(told).any()},
        "largest_activation": solution.activations.max(axis=1),
        "saturated_muscles": (solution.activations >= _SATURATED).sum(axis=1).astype(float),
    }
    for coordinate in inputs.coordinates:
        if coordinate.is_free:
            columns[actuator_name(coordinate)] = _actuation(coordinate, inputs, solution)
    return Table(
        tuple(columns), solution.time_s, np.column_stack(list(columns.values())), False, "verdict by frame"
    )


def expected_frames(setup: Setup, inputs: Inputs) -> int:
    """Return how many frames the window holds."""
    time_s = inputs.kinematics.time_s
    step = (time_s[-1] - time_s[0]) / max(len(time_s) - 1, 1)
    return max(int((setup.to_s - setup.from_s) / step), 1)


def _actuation(coordinate: CoordinateFacts, inputs: Inputs, solution: Solution) -> np.ndarray:
    names = [actuator_name(coordinate), *inputs.own_actuators.get(coordinate.name, [])]
    return np.sum([solution.actuation[name] for name in names if name in solution.actuation], axis=0)


def _failures(setup: Setup, inputs: Inputs, solution: Solution, reserves: dict) -> list[str]:
    failures, time_s = [], solution.time_s
    if solution.failed.any():
        failures.append(
            f"the optimizer found no solution in {solution.failed.sum()} of {len(time_s)} frames, "
            f"at {_times(time_s[solution.failed])}"
        )
    expected = expected_frames(setup, inputs)
    step = (setup.to_s - setup.from_s) / expected
    starts, ends = time_s[0] <= setup.from_s + 1.5 * step, time_s[-1] >= setup.to_s - 1.5 * step
    if not (starts and ends) or len(time_s) < 0.95 * expected:
        failures.append(
            f"frames are missing: {len(time_s)} of about {expected}, "
            f"from {time_s[0]:.3f} to {time_s[-1]:.3f} s"
        )
    failures += [
        f"the reserve at '{name}' reaches {reserve['percent']:.1f} % of the peak moment of its joint "
        f"(bound {_RESERVE_LIMIT_PERCENT:g} %)"
        for name, reserve in reserves.items()
        if reserve["percent"] > _RESERVE_LIMIT_PERCENT
    ]
    return failures


def _relaxed(solution: Solution) -> list[str]:
    number = int(solution.relaxed.sum())
    if not number:
        return []
    return [
        f"{number} frames were solved at a later attempt only, at {_times(solution.time_s[solution.relaxed])}"
    ]


def _times(times_s: np.ndarray) -> str:
    more = f" and {len(times_s) - _LISTED} more" if len(times_s) > _LISTED else ""
    return ", ".join(f"{time:.3f}" for time in times_s[:_LISTED]) + f" s{more}"


def _warnings(setup: Setup, inputs: Inputs, muscles: dict, reserves: dict, residuals: dict) -> list[str]:
    warnings = []
    saturated = {name: row["saturated_frames"] for name, row in muscles.items() if row["saturated_frames"]}
    if saturated:
        listed = ", ".join(f"{name} ({count} frames)" for name, count in saturated.items())
        warnings.append(f"muscles fully activated: {listed}")
    leaning = [name for name, reserve in reserves.items() if reserve["percent"] > _RESERVE_LIMIT_PERCENT]
    if saturated and leaning and setup.muscle_physiology:
        warnings.append(
            f"reserves at {', '.join(leaning)} help muscles that are fully activated: OpenSim takes tendons "
            "as rigid here, so that in fast movements fibres seem to shorten too fast to give force; without "
            "muscle physiology (--no-physiology; [muscles] physiology = false) it shows whether that is why"
        )
    for name, residual in residuals.items():
        rotational = inputs.motions[name] == "rotational"
        limit = _RESIDUAL_MOMENT_LIMIT_PERCENT if rotational else _RESIDUAL_FORCE_LIMIT_PERCENT
        if residual["percent"] > limit:
            warnings.append(
                f"the residual at '{name}' reaches {residual['peak']:.0f} {'N m' if rotational else 'N'}, "
                f"{residual['percent']:.1f} % of the peak ground force{' times 1 m' if rotational else ''} "
                f"(common bound {limit:g} %): motion, ground forces and masses do not quite agree"
            )
    return warnings
