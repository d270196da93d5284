"""Frames that were dropped, and the gap closed by a clock that was counted anew: all sensors jump at once.

What a segment does between two samples is smooth: what three samples before it and three after it say of the
middle agrees but for shocks, and these reach some sensors first and others little. Where time is missing, all
sensors disagree between the same two samples.
"""

from __future__ import annotations

import numpy as np

from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.movement.phases import GAIT, Phase
from sspinn_opensim.recording.sensors.placement import site_of
from sspinn_opensim.recording.signals.magnitude import rms_magnitudes
from sspinn_opensim.recording.types import Recording

#: Samples a second that are looked at.
_ENOUGH_HZ = 100.0
#: What the first three of six samples say of the middle, by a parabola, less what the last three say.
_DISAGREE = np.array([3.0, -10.0, 15.0, -15.0, 10.0, -3.0]) / 8.0
#: A sensor's disagreement counts beside that which this part of its gait stays below, but no less than this
#: part of its angular rate, root mean square, as noise that all have in common is no jump; it has its say
#: between these bounds.
_USUAL_PART, _USUAL_OF_RATE, _LEAST, _MOST = 0.95, 0.1, 0.05, 4.5
#: The geometric mean over sensors: 1.03 at most in ten recordings of seven people (15 min) and 0.98 in 13
#: virtual ones; 1.3 with the four of feet and thighs. It is doubted, or refused.
_DOUBTED, _REFUSED = 1.5, 2.0
#: One leg and the pelvis feel the step of that leg together, 2.8 in the same recordings: so many sensors on
#: either leg are asked (1.7 with any four, 1.5 with any five), or so many in all (1.5), wherever they sit.
_ON_A_LEG, _ANYWHERE = 2, 6
#: So long before and after standing nothing is said, s: it may have been put in front of a walk.
_STANDING_S = 0.5
#: Jumps that are named.
_NAMED = 3


def check_closed_gaps(recording: Recording, found: tuple[Phase, ...]) -> list[Finding]:
    """Return where all sensors jump from one sample to the next while somebody walks or runs."""
    measured = np.flatnonzero(recording.angular_rate_available.any(axis=1))
    every = max(int(recording.sampling_rate_hz / _ENOUGH_HZ), 1)
    count = len(recording.time_s) // every * every
    time_s, usable = recording.time_s[:count:every], recording.usable[:count:every]
    gait, stands = np.zeros((2, len(time_s)), bool)
    for phase in found:
        if phase.kind in GAIT:
            gait[slice(*np.searchsorted(time_s, (phase.from_s, phase.to_s)).tolist())] = True
        elif phase.kind == "standing":
            ends = phase.from_s - _STANDING_S, phase.to_s + _STANDING_S
            stands[slice(*np.searchsorted(time_s, ends).tolist())] = True
    sides = [site[1] for k in measured.tolist() if (site := site_of(recording.sensors[k]))]
    few = min(sides.count("left"), sides.count("right")) < _ON_A_LEG and len(measured) < _ANYWHERE
    if few or np.count_nonzero(gait) < _ENOUGH_HZ:
        return []
    apart = np.column_stack([_disagreement(recording.angular_rate[:count, k], every) for k in measured])
    middle = len(_DISAGREE) // 2 - 1
    # Of six samples the third is the last one before a jump.
    before = slice(middle, middle + len(apart))
    usual = np.quantile(apart[gait[before]], _USUAL_PART, axis=0)
    usual = np.maximum(usual, _USUAL_OF_RATE * rms_magnitudes(recording.angular_rate[:, measured]))
    jump = np.exp(np.log(np.clip(apart / np.maximum(usual, 1e-9), _LEAST, _MOST)).mean(axis=1))
    whole = np.lib.stride_tricks.sliding_window_view(usable, len(_DISAGREE)).all(axis=1)
    jump[~whole | stands[before]] = 0.0
    at = [k for k in np.flatnonzero(jump > _DOUBTED).tolist() if jump[k] >= jump[max(k - 3, 0) : k + 4].max()]
    if not at:
        return []
    largest = max(at, key=lambda k: jump[k])
    where = ", ".join(f"{time_s[k + middle]:.2f}" for k in at[:_NAMED])
    more = f" and {len(at) - _NAMED} more times" if len(at) > _NAMED else ""
    return [
        Finding(
            "serious" if jump[largest] > _REFUSED else "doubt",
            "gaps",
            f"after {where} s{more} all sensors jump at once, by {jump[largest]:.1f} times what 95 % of the "
            "gait stays below (1.3 at most where nothing is missing): frames are missing that the clock "
            "does not show.",
            advice="export it with the time stamps or the counter of the sensors, or use the part before or "
            "after (from_s and to_s under [recording])",
        )
    ]


def _disagreement(signal: np.ndarray, every: int) -> np.ndarray:
    """Return how far what comes before and after disagree in the middle of six samples of (n, 3)."""
    if every > 1:
        signal = signal.reshape(-1, every, 3).mean(axis=1)
    n = len(signal) - len(_DISAGREE) + 1
    return np.linalg.norm(sum(w * signal[i : i + n] for i, w in enumerate(_DISAGREE)), axis=1)
