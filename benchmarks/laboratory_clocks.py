"""Do a laboratory's force plates and cameras share one clock? Newton's law of the whole body tells.

The sum of the vertical ground forces is the body's mass times the acceleration of its mass centre less
gravity. For each trial the mass centre of the laboratory's own model, moved as the laboratory says, is
compared with what its plates measured, the plates read later by steps of 2.5 ms. No network, no sensor and no
model of ours is involved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from sspinn_opensim.recording.resample import uniform_clock
from sspinn_opensim.recording.units import GRAVITY
from sspinn_opensim.simulation import laboratory
from sspinn_opensim.simulation.settings import SimulationSettings
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.walk import Walk, read_walk

RATE_HZ = 100.0
DELAYS_S = np.arange(-12, 17) * 0.0025
#: Left out at both ends of what the plates saw, where derivatives are less sure, s.
EDGE_S = 0.03


def clocks(trials: Sequence, settings_of: Callable[..., SimulationSettings]) -> dict:
    """Return for each trial how late its plates are, and the median by kind of movement.

    Parameters
    ----------
    trials : sequence of Trial
    settings_of : callable
        Trial to settings; a delay that they declare is left out.

    Returns
    -------
    dict
        ``trials``: rows of ``name``, ``kind``, ``late_ms``, and ``as_given_bw`` and ``moved_bw``, the root
        mean square difference of force and motion in %BW; ``groups``: the medians.
    """
    rows = []
    for trial in trials:
        walk = read_walk(trial.model, trial.motion, settings_of(trial))
        errors = disagreement(walk, trial.external_loads, trial.keep_s)
        best = int(np.argmin(errors))
        rows.append(
            {
                "name": trial.name,
                "kind": trial.kind,
                "late_ms": float(1000 * DELAYS_S[best]),
                "as_given_bw": float(errors[np.abs(DELAYS_S).argmin()]),
                "moved_bw": float(errors[best]),
            }
        )
    groups = {
        kind: {
            key: median(row[key] for row in rows if row["kind"] == kind)
            for key in ("late_ms", "as_given_bw", "moved_bw")
        }
        for kind in sorted({row["kind"] for row in rows})
    }
    return {"groups": groups, "trials": rows}


def disagreement(walk: Walk, loads, keep_s: tuple[float, float] | None) -> np.ndarray:
    """Return the root mean square difference in %BW of plates and motion for each of `DELAYS_S`."""
    functions = walk.functions
    time_s, sides = laboratory.ground_forces(loads, walk.motion, RATE_HZ)
    measured = sum(parts[:, 0, 1] for parts in sides.values())
    from_s, to_s = keep_s or (time_s[0], time_s[-1])
    from_s, to_s = max(from_s, walk.from_s) + EDGE_S, min(to_s, walk.to_s) - EDGE_S
    clock = from_s + uniform_clock(to_s - from_s, RATE_HZ)
    mass = functions.tree.model.total_mass
    lifted = vertical_acceleration(walk, clock) / GRAVITY + 1.0
    forces = [np.interp(clock + late, time_s, measured) / (mass * GRAVITY) for late in DELAYS_S]
    return np.array([100 * np.sqrt(np.mean((lifted - force) ** 2)) for force in forces])


def vertical_acceleration(walk: Walk, time_s: np.ndarray, step_s: float = 0.01) -> np.ndarray:
    """Return that of the mass centre of the body, m/s^2, by central differences."""
    functions = walk.functions
    model = functions.tree.model
    bodies = {body.name: body for body in model.bodies}
    mass = np.array([bodies[name].mass for name in functions.bodies])
    centre = np.array([bodies[name].mass_center for name in functions.bodies])
    heights = []
    for offset in (-step_s, 0.0, step_s):
        pose = functions.at("kinematics", **completed(functions, *walk.motion(time_s + offset)))
        shape = (len(time_s), len(mass))
        origin = pose["position"].reshape(*shape, 3)[..., 1]
        vertical = pose["rotation"].reshape(*shape, 3, 3)[..., 1, :]
        heights.append((origin + (vertical * centre).sum(-1)) @ mass / mass.sum())
    return (heights[0] - 2 * heights[1] + heights[2]) / step_s**2


def format_clocks(found: dict) -> str:
    """Return the delays as text."""
    lines = ["how late the force plates are; plates against motion in %BW as given, and moved by that"]
    for row in [*found["trials"], *({"name": f"median, {k}"} | v for k, v in found["groups"].items())]:
        errors = f"{row['as_given_bw']:5.1f}   {row['moved_bw']:5.1f}"
        lines.append(f"  {row['name']:20} {row['late_ms']:+6.1f} ms   {errors}")
    return "\n".join(lines)
