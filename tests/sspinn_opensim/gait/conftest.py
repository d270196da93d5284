"""Ground forces of a gait whose events are chosen: half sines of load from strike to toe-off."""

from types import SimpleNamespace

import numpy as np
import pytest

BODY_WEIGHT_N, RATE_HZ = 700.0, 200.0


def force_of(time_s, stances):
    """Return the upward force on a foot, steep at both ends as in life: 1 body weight within 40 ms."""
    force = np.zeros_like(time_s)
    for strike_s, toe_off_s in stances:
        edge = np.minimum(time_s - strike_s, toe_off_s - time_s) / 0.04
        force += BODY_WEIGHT_N * np.clip(edge, 0.0, 1.0)
    return force


def walk(steps, step_s=0.5, stance_s=0.62, start_s=1.0, duration_s=None):
    """Return times and forces of both feet; the right one strikes at `start_s`, the left one before it."""
    time_s = np.arange(round((duration_s or start_s + steps * step_s + 1.0) * RATE_HZ)) / RATE_HZ
    strikes = start_s + step_s * np.arange(-1, steps)
    sides = {"r": strikes[1::2], "l": strikes[::2]}
    return time_s, {side: force_of(time_s, [(s, s + stance_s) for s in own]) for side, own in sides.items()}


@pytest.fixture(scope="session")
def made():
    return SimpleNamespace(force_of=force_of, walk=walk, body_weight_n=BODY_WEIGHT_N, rate_hz=RATE_HZ)
