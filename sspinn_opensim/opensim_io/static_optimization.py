"""Muscle forces of an estimate by OpenSim's static optimization, with a verdict on whether to trust them.

OpenSim reports success in every case that raises no exception. The verdict is formed here: frames the
optimizer gave up, reserves beside the joint moments they should be small against, residuals, muscles at
their limit, frames missing from the output.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.files import write_atomically
from sspinn_opensim.opensim_io.jobs import JobResult, run_job
from sspinn_opensim.opensim_io.motion_files import moment_columns
from sspinn_opensim.opensim_io.muscle_checks import Inputs, check_inputs
from sspinn_opensim.opensim_io.muscle_setup import (
    ACTIVATIONS_FILE,
    FORCES_FILE,
    RESERVE,
    RESIDUAL,
    SETUP_FILE,
    TORQUE,
    VERDICT_FILE,
    Settings,
    Setup,
    actuator_name,
    prepare,
    read_setup,
    role,
)
from sspinn_opensim.opensim_io.storage import Table, read_storage, write_storage

__all__ = ["Settings", "Verdict", "prepare", "run"]

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
_TIMEOUT_S, _TIMEOUT_PER_FRAME_S = 120.0, 5.0
_FRAME_LOG = re.compile(r"^time = \S+ Performance = \S+ Constraint violation = (\S+)", re.MULTILINE)


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
    max_constraint_violation : float
        Largest acceleration error that the optimizer left in a frame.
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
    """

    frames: int
    failed_frames: int
    failed_times_s: tuple[float, ...]
    window_s: tuple[float, float]
    time_range_s: tuple[float, float]
    body_weight_n: float
    peak_ground_force_n: float
    max_constraint_violation: float
    muscles: dict[str, dict[str, float]]
    reserves: dict[str, dict[str, float]]
    torques: dict[str, dict[str, float]]
    residuals: dict[str, dict[str, float]]
    failures: tuple[str, ...]
    warnings: tuple[str, ...]
    lowpass_hz: float
    wall_s: float

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

    def summary(self) -> str:
        """Return the verdict as text for printing."""
        strongest = max(self.muscles.items(), key=lambda item: item[1]["peak_activation"])
        lines = [
            f"static optimization {'succeeded' if self.ok else 'is not to be trusted'}: "
            f"{self.frames} frames, {self.failed_frames} failed, {self.wall_s:.1f} s",
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


def run(results: Path, *, moments: str = "moments.sto", timeout_s: float | None = None) -> Verdict:
    """Check a prepared folder, run static optimization in it, and judge the outcome.

    Writes ``muscle_forces.sto`` (N), ``muscle_activations.sto`` and ``static_optimization.json`` beside
    OpenSim's own output in the folder ``static_optimization``.

    Parameters
    ----------
    results : Path
        A folder in which `prepare` wrote the set-up.
    moments : str
        Table in `results` with the joint moments that reserves are compared with.
    timeout_s : float, optional
        Time limit, s; by default 2 minutes and 5 s a frame.

    Returns
    -------
    Verdict
        Also when the forces are not to be trusted: see `Verdict.ok`.

    Raises
    ------
    InputError
        An input would lead to wrong forces without a word from OpenSim, or the job failed.
    """
    results = Path(results)
    setup = read_setup(results / SETUP_FILE)
    inputs = check_inputs(setup)
    joint_moments = _read_moments(results / moments, setup, inputs)
    forces_file, activations_file = (
        setup.raw_folder / f"{setup.tool_name}_StaticOptimization_{kind}.sto"
        for kind in ("force", "activation")
    )
    job = run_job(
        "static_optimization",
        {"setup": setup.file},
        timeout_s=timeout_s or _TIMEOUT_S + _TIMEOUT_PER_FRAME_S * _expected_frames(setup, inputs),
        outputs=[forces_file, activations_file],
    )
    forces, activations = read_storage(forces_file), read_storage(activations_file)
    verdict = _judge(setup, inputs, joint_moments, forces, activations, job)
    write_storage(results / FORCES_FILE, _muscle_columns(forces, inputs.muscles, "muscle forces"))
    write_storage(
        results / ACTIVATIONS_FILE, _muscle_columns(activations, inputs.muscles, "muscle activations")
    )
    write_atomically(results / VERDICT_FILE, json.dumps(verdict.to_json(), indent=1) + "\n")
    return verdict


def _judge(
    setup: Setup,
    inputs: Inputs,
    joint_moments: dict[str, float],
    forces: Table,
    activations: Table,
    job: JobResult,
) -> Verdict:
    muscles = {}
    for name in inputs.muscles:
        activation = activations.column(name)
        muscles[name] = {
            "peak_force_n": float(forces.column(name).max()),
            "peak_activation": float(activation.max()),
            "saturated_frames": int((activation >= _SATURATED).sum()),
        }
    reserves, torques, residuals = {}, {}, {}
    for coordinate in inputs.coordinates:
        if not coordinate.is_free:
            continue
        names = [actuator_name(coordinate), *inputs.own_actuators.get(coordinate.name, [])]
        actuation = sum(forces.column(name) for name in names)
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
    violations = [float(number) for number in _FRAME_LOG.findall(job.log)]
    failed = job.values["failed_frames"]
    return Verdict(
        frames=len(forces.time_s),
        failed_frames=failed,
        failed_times_s=tuple(job.values["failed_times_s"]),
        window_s=(setup.from_s, setup.to_s),
        time_range_s=(float(forces.time_s[0]), float(forces.time_s[-1])),
        body_weight_n=inputs.body_weight_n,
        peak_ground_force_n=inputs.peak_ground_force_n,
        max_constraint_violation=max(violations, default=0.0),
        muscles=muscles,
        reserves=reserves,
        torques=torques,
        residuals=residuals,
        failures=tuple(_failures(setup, inputs, forces, failed, reserves)),
        warnings=(*inputs.warnings, *_warnings(inputs, muscles, residuals)),
        lowpass_hz=setup.lowpass_hz,
        wall_s=job.wall_s,
    )


def _failures(setup: Setup, inputs: Inputs, forces: Table, failed: int, reserves: dict) -> list[str]:
    failures = []
    if failed:
        failures.append(f"the optimizer found no solution in {failed} of {len(forces.time_s)} frames")
    expected = _expected_frames(setup, inputs)
    step = (setup.to_s - setup.from_s) / expected
    starts, ends = forces.time_s[0] <= setup.from_s + 1.5 * step, forces.time_s[-1] >= setup.to_s - 1.5 * step
    if not (starts and ends) or len(forces.time_s) < 0.95 * expected:
        failures.append(
            f"frames are missing: {len(forces.time_s)} of about {expected}, "
            f"from {forces.time_s[0]:.3f} to {forces.time_s[-1]:.3f} s"
        )
    failures += [
        f"the reserve at '{name}' reaches {reserve['percent']:.1f} % of the peak moment of its joint "
        f"(bound {_RESERVE_LIMIT_PERCENT:g} %)"
        for name, reserve in reserves.items()
        if reserve["percent"] > _RESERVE_LIMIT_PERCENT
    ]
    return failures


def _warnings(inputs: Inputs, muscles: dict, residuals: dict) -> list[str]:
    warnings = []
    saturated = {name: row["saturated_frames"] for name, row in muscles.items() if row["saturated_frames"]}
    if saturated:
        listed = ", ".join(f"{name} ({count} frames)" for name, count in saturated.items())
        warnings.append(f"muscles fully activated: {listed}")
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


def _expected_frames(setup: Setup, inputs: Inputs) -> int:
    time_s = inputs.kinematics.time_s
    step = (time_s[-1] - time_s[0]) / max(len(time_s) - 1, 1)
    return max(int((setup.to_s - setup.from_s) / step), 1)


def _read_moments(path: Path, setup: Setup, inputs: Inputs) -> dict[str, float]:
    """Return the peak moment in the window of each coordinate that muscles drive."""
    table = read_storage(path)
    inside = (table.time_s >= setup.from_s) & (table.time_s <= setup.to_s)
    if not inside.any():
        raise InputError(
            "the joint moments do not cover the analysed window",
            where=str(path),
            expected=f"{setup.from_s:.3f} to {setup.to_s:.3f} s",
            found=f"{table.time_s[0]:.3f} to {table.time_s[-1]:.3f} s",
        )
    names = [c.name for c in inputs.coordinates if c.is_free and role(c) == RESERVE]
    columns = moment_columns(names, [inputs.motions[name] for name in names])
    return {
        name: float(np.abs(table.column(column)[inside]).max())
        for name, column in zip(names, columns, strict=True)
    }


def _muscle_columns(table: Table, muscles: tuple[str, ...], title: str) -> Table:
    values = np.column_stack([table.column(name) for name in muscles])
    return Table(muscles, table.time_s, values, False, title)
