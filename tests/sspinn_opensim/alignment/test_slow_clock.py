"""Clocks that are too slow: no stride is found, but gyroscopes no longer fit accelerometers."""

import numpy as np
import pytest

from sspinn_opensim.alignment.align import align
from sspinn_opensim.recording import Recording, Sensor, phases
from sspinn_opensim.recording.movement.phases import slow_repeats

BODIES = ("tibia_r", "calcn_r", "tibia_l", "calcn_l")


def swinging(period_s: float, clock: float) -> Recording:
    """Return sensors that swing in the sagittal plane and feel gravity alone, with a clock that is off."""
    rng = np.random.default_rng(3)
    time_s = np.arange(int(20 * period_s * 100)) / 100
    shape = (len(time_s), len(BODIES), 3)
    force, rate = 0.02 * rng.normal(size=shape), 0.002 * rng.normal(size=shape)
    for k in range(len(BODIES)):
        phase = 2 * np.pi * time_s / period_s + k
        angle = 0.6 * np.sin(phase) + 0.3 * np.sin(2 * phase)
        rate[:, k, 2] += 2 * np.pi / period_s * (0.6 * np.cos(phase) + 0.6 * np.cos(2 * phase))
        force[:, k, 0] += 9.81 * np.sin(angle)
        force[:, k, 1] += 9.81 * np.cos(angle)
    known = np.ones((len(BODIES), 3), bool)
    none = np.zeros((len(BODIES), 3))
    sensors = tuple(Sensor(body, body) for body in BODIES)
    return Recording("swing", clock * time_s, sensors, force, rate, known, known, none, none)


@pytest.mark.parametrize(
    ("period_s", "clock", "odd"), [(1.2, 3.0, True), (1.5, 2.5, True), (3.6, 1.0, False)]
)
def test_gyroscopes_tell_a_slow_clock_where_no_stride_is_found(period_s, clock, odd):
    recording = swinging(period_s, clock)
    found = phases(recording)
    assert {phase.kind for phase in found} == {"other"}
    (slow,) = slow_repeats(recording, found)
    assert slow[1] == pytest.approx(period_s * clock, rel=0.02)
    told = [f for f in align(recording).findings if f.kind == "inconsistent"]
    assert [f.sensor for f in told] == (list(BODIES) if odd else [])
    assert all(f.is_serious and "sampling rate" in f.advice for f in told)
