"""Gaits of our own: landmarks drawn at random around those of textbooks, for the optimal control to mend.

Nothing here was measured on anyone. Landmarks of walking are those of the demo's walk; landmarks of running
are rounded from textbook descriptions (Novacheck 1998, The biomechanics of running, Gait Posture 7:77-95), as
are how step length, stance and the peaks of the ground force go with speed. How far people differ from them
is a choice of this project, wide on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from sspinn_opensim.simulation.optimal_gait import GaitTask, Stage

#: Knots of a stride: two a sample at 100 Hz at the shortest strides, one at the longest.
KNOTS = 80
#: Where walking's stance ends in the landmarks below, % of the cycle; they are moved to where it ends.
_WALK_STANCE, _RUN_STANCE = 62.0, 35.0

#: Landmarks of a side: phase (%), degrees or body weights.
_WALK = {
    "hip_flexion": ((0, 12, 31, 50, 62, 75, 87), (20, 20, 0, -20, -10, 15, 25)),
    "knee_angle": ((0, 14, 40, 50, 62, 72, 87, 97), (-5, -20, -5, -10, -40, -60, -25, -3)),
    "ankle_angle": ((0, 7, 31, 46, 63, 75, 87), (0, -5, 5, 10, -15, -5, 0)),
}
_RUN = {
    "hip_flexion": ((0, 12, 25, 38, 55, 72, 88), (32, 26, 4, -14, -4, 26, 38)),
    "knee_angle": ((0, 15, 30, 38, 55, 68, 85, 96), (-14, -42, -26, -18, -60, -95, -50, -14)),
    "ankle_angle": ((0, 8, 18, 30, 38, 52, 75, 92), (4, 8, 20, 0, -22, -12, 0, 5)),
}


@dataclass(frozen=True)
class Style:
    """How someone walks or runs.

    Attributes
    ----------
    speed_m_s : float
        At the height of the generic model.
    stance : float
        % of the cycle.
    lean_deg, sway_deg : float
        Mean of the pelvis' tilt (forward is negative) and how far it swings twice a cycle.
    forefoot : float
        0: the heel strikes first; 1: the forefoot does.
    stiff_knee : dict of str to float
        By side, the share of the knee's flexion that is missing.
    bends : dict of str to tuple of float
        By coordinate and side ("knee_angle_r"), what is added to each landmark, degrees.
    sole_heel_m, sole_forefoot_m : float
        Thickness of the soles.
    """

    running: bool
    speed_m_s: float
    cycle_s: float
    stance: float
    lean_deg: float
    sway_deg: float
    forefoot: float
    stiff_knee: dict[str, float]
    bends: dict[str, tuple[float, ...]]
    sole_heel_m: float
    sole_forefoot_m: float

    @property
    def symmetric(self) -> bool:
        """Whether both legs do the same."""
        return self.stiff_knee["r"] == self.stiff_knee["l"] and all(
            self.bends[f"{name}_r"] == self.bends[f"{name}_l"] for name in _WALK
        )


def draw_styles(count: int, seed: int) -> list[Style]:
    """Return styles, two thirds of them walking; speeds are spread evenly, all else is random."""
    random = np.random.default_rng([seed, 1])
    walkers = round(count * 2 / 3)
    return [
        _draw(random, running, (k + 0.5) / people)
        for running, people in ((False, walkers), (True, count - walkers))
        for k in range(people)
    ]


def _draw(random: np.random.Generator, running: bool, share: float) -> Style:
    normal = random.standard_normal
    if running:
        speed = 2.0 + 3.0 * share
        cycle = 0.72 * (speed / 3.0) ** -0.12 * float(np.exp(0.06 * normal()))
        stance = 35.0 - 5.0 * (speed - 3.0) + 2.0 * float(normal())
        stance = float(np.clip(stance, 26.0, 42.0))
    else:
        # Most people walk at 0.8 to 1.7 m/s.
        speed = float(np.interp(share, (0.0, 0.15, 0.85, 1.0), (0.5, 0.8, 1.7, 2.3)))
        cycle = 1.08 * (speed / 1.3) ** -0.5 * float(np.exp(0.07 * normal()))
        stance = float(np.clip(62.0 - 4.0 * (speed - 1.3) + 1.2 * normal(), 56.0, 68.0))
    limps = bool(random.random() < 0.3)
    bends, table = {}, _RUN if running else _WALK
    for name, (phases, _) in table.items():
        # The offset of a whole curve, and of each landmark by itself.
        both = 3.0 * normal() * (name == "ankle_angle") + 3.0 * normal(len(phases))
        for side in "rl":
            own = 3.0 * normal(len(phases)) if limps else np.zeros(len(phases))
            bends[f"{name}_{side}"] = tuple((both + own).round(3).tolist())
    stiff = float(random.random() < 0.2) * float(random.uniform(0.15, 0.3))
    stiff_knee = {"r": stiff, "l": stiff}
    if limps and not running and random.random() < 0.5:
        stiff_knee["rl"[int(random.random() < 0.5)]] = float(random.uniform(0.3, 0.6))
    heel = float(random.choice([0.0, random.uniform(0.005, 0.035)]))
    return Style(
        running=running,
        speed_m_s=speed,
        cycle_s=cycle,
        stance=stance,
        lean_deg=float((-8.0 if running else -2.0) + 4.0 * normal()),
        sway_deg=float(1.5 + abs(normal())),
        forefoot=float(random.choice([0.0, 0.0, 1.0])) if running else 0.0,
        stiff_knee=stiff_knee,
        bends=bends,
        sole_heel_m=heel,
        sole_forefoot_m=max(heel - float(random.uniform(0.0, 0.01)), 0.0),
    )


def task_of(style: Style, tolerance: float = 1.0) -> GaitTask:
    """Return what is asked of the optimal control.

    Parameters
    ----------
    tolerance : float
        How much further than usual the motion may be from the curves.
    """
    angles = {"pelvis_tilt": _closed((0, 25, 50, 75), _lean(style))}
    for name in _WALK:
        for side in "rl":
            angles[f"{name}_{side}"] = _angle(style, name, side)
    vertical, forward = _forces(style)
    run = style.running
    clearance = 0.008 if run or style.speed_m_s < 0.8 else 0.012
    first = style.stance + 5.0
    scale = {"hip_flexion": 6.0, "knee_angle": 6.0, "ankle_angle": 6.0, "pelvis_tilt": 3.0}
    scale["lumbar_extension"] = 0.5  # held to the pelvis: no sensor is above it
    stages = (
        (Stage(4.0, 4e4, 5.0), Stage(2.5, 1.5e4, 1.5))
        if run
        else (Stage(3.0, 2e4, 5.0), Stage(1.0, 4e3, 1.5))
    )
    return GaitTask(
        cycle_s=style.cycle_s,
        knots=KNOTS,
        speed_m_s=style.speed_m_s,
        speed_range_m_s=(0.9 * style.speed_m_s, 1.1 * style.speed_m_s),
        angles=angles,
        vertical_force={"r": vertical, "l": vertical},
        forward_force={"r": forward, "l": forward},
        clearance={"heel": (first, 94.0, clearance), "toe": (first + 3.0, 94.0, clearance)},
        stages=stages,
        symmetric=style.symmetric,
        angle_scale={name: np.radians(tolerance * value) for name, value in scale.items()},
        vertical_scale_bw=0.2 if run else 0.08,
        forward_scale_bw=0.15,
    )


def _lean(style: Style) -> Sequence[float]:
    return tuple(style.lean_deg + style.sway_deg * sign for sign in (0.0, 1.0, 0.0, 1.0))


def _angle(style: Style, name: str, side: str):
    phases, values = (_RUN if style.running else _WALK)[name]
    values = np.array(values, float) + style.bends[f"{name}_{side}"]
    if name == "hip_flexion":
        # The hip counts from the pelvis, the landmarks from the vertical.
        values = values * _reach(style) - style.lean_deg
    if name == "knee_angle":
        values = np.minimum(values * (1 - style.stiff_knee[side]), -2.0)
    if name == "ankle_angle" and style.forefoot:
        values[[0, 1]] = (-12.0, 0.0)
    return _closed(_moved(phases, style), values)


def _reach(style: Style) -> float:
    """Return by how much the legs swing wider than in the landmarks."""
    if style.running:
        return float(np.clip((style.speed_m_s * style.cycle_s / (3.0 * 0.72)) ** 0.6, 0.7, 1.4))
    return float(np.clip(style.speed_m_s * style.cycle_s / (1.25 * 1.10), 0.45, 1.5))


def _moved(phases, style: Style) -> np.ndarray:
    """Return phases of landmarks for a stance of another length."""
    known = _RUN_STANCE if style.running else _WALK_STANCE
    return np.interp(phases, (0.0, known, 100.0), (0.0, style.stance, 100.0))


def _forces(style: Style):
    end, speed = style.stance, style.speed_m_s
    part = np.array((0.0, 0.21, 0.5, 0.77, 1.0))
    if style.running:
        part = np.array((0.0, 0.2, 0.45, 0.7, 1.0))
        peak = 1.0 / (0.6 * 2 * end / 100)  # what carries the weight, twice a cycle
        up, along = (0.0, 0.75 * peak, 1.0 * peak, 0.65 * peak, 0.0), (0.0, -0.25, -0.05, 0.22, 0.0)
    else:
        deep = float(np.clip(0.25 * speed - 0.08, 0.02, 0.5))
        up, along = (
            (0.0, 1.0 + 0.5 * deep, 1.0 - deep, 1.0 + 0.45 * deep, 0.0),
            np.array((0.0, -0.16, 0.0, 0.18, 0.0)) * min(speed / 1.25, 1.5),
        )
    phases = np.append(part * end, 0.5 * (100.0 + end))
    return _closed(phases, (*up, 0.0)), _closed(phases, (*along, 0.0))


def _closed(phases, values):
    """Return a curve through landmarks of a cycle that stays between their values."""
    places = np.concatenate([np.add(phases, shift) for shift in (-200, -100, 0, 100, 200)])
    spline = PchipInterpolator(places, np.tile(values, 5))
    return lambda percent: spline(np.mod(percent, 100.0))
