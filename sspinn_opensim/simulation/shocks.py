"""Shocks of foot strikes: what sensors ring with, which a low-passed motion has lost.

Motions are filtered at 6 to 15 Hz, so the shock of a strike is not in them. Real sensors ring with it above
8 Hz: as a damped oscillation whose frequency, damping and size were measured, segment by segment, on two
people who walk at 1.1 and 1.5 m/s (``python -m benchmarks.soft_tissue``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.signal import find_peaks

from casadi_dynamics.symbolic import BodyFunctions
from sspinn_opensim.anatomy import side_of, without_side
from sspinn_opensim.simulation.heading import root_body

Axes = tuple[float, float, float]


@dataclass(frozen=True)
class Ringing:
    """A damped oscillation after a strike.

    Attributes
    ----------
    frequency_hz, damping : float
        Of the oscillation, and its ratio.
    amplitude : tuple of 3 float
        Root mean square over strikes along x, y and z of the segment, in the unit of the signal.
    """

    frequency_hz: float
    damping: float
    amplitude: Axes


#: Bodies -> ringing of the specific force (m/s^2) and of the angular rate (rad/s): the table that
#: ``python -m benchmarks.soft_tissue`` prints.
RINGING: Mapping[tuple[str, ...], tuple[Ringing, Ringing]] = {
    ("pelvis",): (Ringing(10.0, 0.08, (0.92, 1.44, 1.84)), Ringing(9.0, 0.08, (0.19, 0.17, 0.25))),
    ("femur", "thigh"): (Ringing(11.0, 0.04, (3.00, 4.81, 3.60)), Ringing(10.5, 0.16, (0.63, 0.86, 1.23))),
    ("tibia", "shank"): (
        Ringing(17.5, 0.36, (22.53, 15.76, 20.40)),
        Ringing(18.0, 0.36, (0.86, 3.28, 1.37)),
    ),
    ("calcn", "foot"): (
        Ringing(24.0, 0.28, (49.92, 16.64, 13.12)),
        Ringing(32.5, 0.48, (3.97, 4.03, 3.79)),
    ),
}
#: A foot is farthest ahead so long before it first carries load: 12 to 45 ms, mean 30, on the plates of
#: a walker (Schreiber and Moissenet 2019) and of three runners at 3 to 5 m/s (Hamner and Delp 2013).
_AHEAD_S = 0.030
#: The shock of a strike is highest so long after the first load, walking over plates (Kuopio; 33 to 42 ms).
SHOCK_AFTER_S = 0.037
#: Strides are longer than this, and a foot swings forward by more than this, s and m.
_STRIDE_S, _SWING_M = 0.45, 0.1
_FEET = ("calcn", "foot")


def strikes(functions: BodyFunctions, q: np.ndarray, time_s: np.ndarray) -> dict[str, np.ndarray]:
    """Return when each foot strikes, s, by side: soon after it is farthest ahead of the root.

    Source: Zeni, Richards, Higginson 2008, Gait and Posture 27:710-714 (heel strike by the heel's position
    relative to the sacrum). The motion leads along x.
    """
    zeros = np.zeros_like(q)
    position = functions.at("kinematics", q=q, u=zeros, udot=zeros)["position"].reshape(len(q), -1, 3)
    root = position[:, functions.bodies.index(root_body(functions)), 0]
    step_s = float(time_s[-1] - time_s[0]) / (len(time_s) - 1)
    found = {}
    for k, body in enumerate(functions.bodies):
        if without_side(body)[0].lower() in _FEET and side_of(body):
            ahead = position[:, k, 0] - root
            peaks, _ = find_peaks(ahead, distance=max(1, round(_STRIDE_S / step_s)), prominence=_SWING_M)
            found[side_of(body)] = time_s[peaks] + _AHEAD_S
    return found


def ringing_after(
    body: str, strikes_s: Mapping[str, np.ndarray], time_s: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Return what a sensor rings with, along the axes of its body.

    Each strike of the own foot (of both, for what has no side) has amplitudes and phases of its own.

    Returns
    -------
    (2, n, 3) array
        Specific force, m/s^2, and angular rate, rad/s.
    """
    stem, side = without_side(body)[0].lower(), side_of(body)
    kinds = next((kinds for bodies, kinds in RINGING.items() if stem in bodies), ())
    own = [at for of, times in strikes_s.items() for at in times if side in ("", of)]
    found = np.zeros((2, len(time_s), 3))
    for signal, ring in zip(found, kinds, strict=False):
        w = 2.0 * np.pi * ring.frequency_hz
        turning = w * np.sqrt(1.0 - ring.damping**2)
        for strike_s in sorted(own):
            waves = generator.standard_normal((2, 3)) * np.array(ring.amplitude) / np.sqrt(2.0)
            first = int(np.searchsorted(time_s, strike_s + SHOCK_AFTER_S))
            after_s = (time_s[first:] - strike_s - SHOCK_AFTER_S)[:, None]
            wave = waves[0] * np.cos(turning * after_s) + waves[1] * np.sin(turning * after_s)
            signal[first:] += np.exp(-ring.damping * w * after_s) * wave
    return found
