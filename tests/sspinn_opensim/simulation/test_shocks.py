"""Shocks: times of strikes against force plates, their waves against the sizes that are stated."""

import numpy as np
import pytest

from sspinn_opensim.gait import contacts
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.simulation.settings import MotionSettings, SimulationSettings
from sspinn_opensim.simulation.shocks import RINGING, SHOCK_AFTER_S, ringing_after, strikes
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.walk import read_walk

#: Against the first load on plates of a person who had no part in the constant: half of the range of those
#: who had, 16 ms, and a sample.
STRIKE_TOLERANCE_S = 0.026


def test_strikes_by_the_motion_are_those_of_the_plates(shared):
    folder = shared / "data" / "kuopio2024_walk"
    if not folder.is_dir():
        pytest.skip("the public recordings lack kuopio2024_walk")
    settings = SimulationSettings(motion=MotionSettings(lowpass_hz=10.0))
    walk = read_walk(folder / "subject.osim", folder / "walk_ik.mot", settings)
    time_s = np.arange(walk.from_s, walk.to_s, 0.01)
    found = strikes(walk.functions, completed(walk.functions, *walk.motion(time_s))["q"], time_s)
    plates = read_storage(folder / "walk_grf.mot")
    seen = 0
    for side in "rl":
        force = plates.values[:, plates.names.index(f"ground_force_{side}_vy")]
        for contact in contacts(plates.time_s, force, 75.5 * 9.81):
            assert np.abs(found[side] - contact.strike_s).min() < STRIKE_TOLERANCE_S
            seen += 1
    assert seen == 3


def test_a_sensor_rings_after_strikes_of_its_own_foot():
    time_s = np.arange(0.0, 3.0, 0.002)
    at_s = {"r": np.array([1.0]), "l": np.array([2.0])}
    force_ring, rate_ring = RINGING["tibia", "shank"]
    many = np.stack(
        [ringing_after("tibia_r", at_s, time_s, np.random.default_rng(seed)) for seed in range(400)]
    )
    before = time_s < 1.0 + SHOCK_AFTER_S - 1e-9
    assert not many[:, :, before].any()
    for signal, ring in ((many[:, 0], force_ring), (many[:, 1], rate_ring)):
        size = np.sqrt((signal**2).mean(axis=0))
        # cos^2 + sin^2 of waves drawn alike: the size decays without an oscillation of its own.
        decay = np.exp(
            -ring.damping * 2 * np.pi * ring.frequency_hz * (time_s[~before] - 1.0 - SHOCK_AFTER_S)
        )
        expected = decay[:, None] * np.array(ring.amplitude) / np.sqrt(2.0)
        # 400 draws know a deviation to 3.5 %; four of these over all samples.
        np.testing.assert_allclose(size[~before][:50], expected[:50], rtol=0.15)
    both = ringing_after("pelvis", at_s, time_s, np.random.default_rng(0))
    assert np.abs(both[:, time_s > 2.05]).max() > np.abs(both[:, (time_s > 1.95) & (time_s < 2.0)]).max()
    assert not ringing_after("head", at_s, time_s, np.random.default_rng(0)).any()
