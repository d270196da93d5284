"""Standard deviations: what seeds share, where they differ, how fast a number changes; the units of each."""

import numpy as np
import pytest

from benchmarks.band_coverage import LEAST, bands_of, coverage, left_out
from sspinn_opensim.alignment.types import Alignment, SensorAlignment
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.estimation.inference.ground import GroundForces
from sspinn_opensim.estimation.inference.offline import Estimate
from sspinn_opensim.estimation.uncertainty import (
    ALIGNED_WITHIN_DEG,
    AROUND_S,
    Band,
    Calibration,
    calibration,
    joint_of,
    mean_square_rate,
    offset_variance,
    standard_deviations,
)
from sspinn_opensim.training.subject import make_subject

SHARED = Calibration(
    {
        "angle.knee": Band(0.05, 0.01),
        "angle.ankle": Band(0.03, 0.02),
        "moment.knee": Band(0.01, 0.02),
        "force.forward": Band(0.05, 0.0),
        "force.up": Band(0.1, 0.01),
    },
    length_m=0.02,
    spread=2.0,
)
FRAMES, STEP_S = 100, 0.01


def estimate(angle=1.0, length=0.9, moment=50.0, force=700.0):
    """Return an estimate of one coordinate that turns, one that does not, and one foot."""
    q = np.column_stack([np.broadcast_to(x, FRAMES) for x in (angle, length)]).astype(float)
    moments = np.broadcast_to(moment, FRAMES)[:, None].astype(float)
    pushes = np.tile(np.broadcast_to(force, FRAMES)[:, None, None], (1, 1, 3)).astype(float)
    ground = GroundForces(("foot_r",), pushes, *(np.full((FRAMES, 1, 3), value) for value in (0.3, 5.0)))
    time_s = STEP_S * np.arange(FRAMES)
    return Estimate(time_s, ("knee_angle_r", "ty"), q, ("knee_angle_r",), moments, ground, 0 * time_s)


def deviations(*estimates):
    return standard_deviations(estimates, [True, False], 800.0, 1.75, SHARED)


def test_one_seed_that_stands_has_the_constants():
    found = deviations(estimate())
    np.testing.assert_allclose(found.q, [[0.05, 0.02]] * FRAMES)
    np.testing.assert_allclose(found.moments, 0.01 * 800.0 * 1.75)
    # To the right nothing was measured: the widest of the others.
    np.testing.assert_allclose(found.force, np.tile([40.0, 80.0, 80.0], (FRAMES, 1, 1)))
    np.testing.assert_allclose(found.point, 0.02)
    assert found.feet == ("foot_r",) and found.force.shape == (FRAMES, 1, 3)
    assert found.coordinates == ("knee_angle_r", "ty") and found.actuated == ("knee_angle_r",)


def test_what_changes_fast_is_less_certain_by_the_error_in_time():
    time_s = STEP_S * np.arange(FRAMES)
    found = deviations(
        estimate(angle=3.0 * time_s, length=time_s, moment=1400.0 * time_s, force=1600.0 * time_s)
    )
    np.testing.assert_allclose(found.q[:, 0], np.hypot(0.05, 0.01 * 3.0))
    np.testing.assert_allclose(found.q[:, 1], 0.02)
    np.testing.assert_allclose(found.moments[:, 0], 1400.0 * np.hypot(0.01, 0.02 * 1.0))
    np.testing.assert_allclose(found.force[:, 0, 1], 800.0 * np.hypot(0.1, 0.01 * 2.0))


def test_a_strike_widens_the_band_around_it_alone():
    force = np.zeros(FRAMES)
    force[50:] = 800.0
    up = deviations(estimate(force=force)).force[:, 0, 1]
    near = round(AROUND_S / STEP_S)
    np.testing.assert_allclose(up[: 49 - near], 80.0)
    np.testing.assert_allclose(up[51 + near :], 80.0)
    assert up[49] > 100.0


def test_a_mean_square_rate_is_that_of_a_sine():
    time_s = np.arange(0.0, 3.0, 0.01)
    inner = mean_square_rate(time_s, np.sin(20 * np.pi * time_s))[50:-50]
    # A window of 0.31 s holds three periods and a tenth: within a twentieth of the mean; central differences
    # of a period of ten samples miss 1 - sinc(0.2)^2, an eighth.
    np.testing.assert_allclose(inner, 0.5 * (20 * np.pi) ** 2 * 0.875, rtol=0.06)
    assert not mean_square_rate(time_s[:1], np.ones(1)).any()


def test_seeds_that_differ_add_their_deviation():
    seeds = [estimate(angle=a, moment=m) for a, m in ((1.0, 40.0), (1.1, 50.0), (1.2, 60.0))]
    found = deviations(*seeds)
    np.testing.assert_allclose(found.q[:, 0], np.hypot(2 * 0.1, 0.05))
    np.testing.assert_allclose(found.q[:, 1], 0.02)
    np.testing.assert_allclose(found.moments, np.hypot(2 * 10.0, 14.0))


def test_names_of_a_leg_share_a_band():
    assert {joint_of(f"knee_angle_{side}") for side in "rl"} == {"knee"} == {joint_of("r_knee_flexion")}
    assert joint_of("hip_flexion_l") == "hip_flexion" and joint_of("hip_adduction_l") == "hip_adduction"
    assert SHARED.of("angle", "hip_adduction_l") == Band(0.05, 0.02), "what nobody measured has the widest"


def test_the_bands_of_the_package_know_the_leg():
    bands = calibration().bands
    assert {
        f"{kind}.{joint}" for kind in ("angle", "moment") for joint in ("hip_flexion", "knee", "ankle")
    } <= set(bands)
    assert {"force.up", "force.forward"} <= set(bands)
    for name, band in bands.items():
        assert band.constant >= LEAST[name.split(".")[0]] and 0 <= band.timing_s < 0.1


def drawn(people, frames=200, seed=0):
    """Return errors of people with an offset of their own, and one in time, at rates of their own."""
    random, found = np.random.default_rng(seed), {}
    for k in range(people):
        rate = (2.0 + 4.0 * (k % 3)) ** 2
        offset = 0.06 * random.standard_normal()
        error = offset + 0.02 * np.sqrt(rate) * random.standard_normal(frames)
        found[f"person_{k}"] = {"angle.knee_angle_r": np.stack([error, np.full(frames, rate)])}
    return found


def test_the_constant_and_the_error_in_time_are_found():
    band = bands_of(drawn(300)).bands["angle.knee"]
    # Means over 300 people: a variance of normal numbers is known to sqrt(2 / 300), 8 %; two are told apart.
    assert band.constant == pytest.approx(0.06, rel=0.1) and band.timing_s == pytest.approx(0.02, rel=0.1)


def test_people_left_out_are_covered():
    """Few people: the mean over everyone left out, over many draws of four, is what a band promises."""
    held = [
        np.mean([own["angle.knee"][0] for own in left_out(drawn(5, seed=seed)).values()])
        for seed in range(60)
    ]
    assert 0.93 < np.mean(held) < 0.99


def test_a_person_is_left_out_with_all_recordings():
    errors = drawn(3)
    wide = {"angle.knee_angle_r": np.stack([np.full(200, 2.0), np.zeros(200)])}
    errors |= {"p01_walk": wide, "p01_run": wide}
    found = left_out(errors)
    assert found["p01_walk"]["angle.knee"][0] == 0 == found["p01_run"]["angle.knee"][0]
    assert coverage(wide, bands_of(errors))["angle.knee"][0] == 1


# --- sensors that are aligned worse


def alignment_of(subject, **worse):
    """Return an alignment as good as usual but for sensors, by name, whose deviations are given, degrees."""
    sensors = []
    for frame in subject.functions.imu_frames:
        site = segment_of(frame.body)
        usual = ALIGNED_WITHIN_DEG["trunk" if site[0] in ("pelvis", "trunk") else "leg"]
        sd_deg = worse.get(frame.name, usual)
        sensors.append(SensorAlignment(frame.name, frame.body, np.eye(3), sd_deg, ("usual curves",), site))
    return Alignment(tuple(sensors))


def sensor_on(subject, body):
    return next(frame.name for frame in subject.functions.imu_frames if frame.body == body)


def test_an_ill_known_thigh_leaves_hip_and_knee_open_and_nothing_else(walker):
    subject, names = walker.subject, walker.subject.model.coordinate_names
    thigh = sensor_on(subject, "femur_r")
    assert not offset_variance(subject, alignment_of(subject)).any()
    found = offset_variance(subject, alignment_of(subject, **{thigh: (90.0, 90.0, 12.0)}))
    more = np.radians(12.0) ** 2 - np.radians(ALIGNED_WITHIN_DEG["leg"][2]) ** 2
    wanted = [more if name in ("hip_flexion_r", "knee_angle_r") else 0.0 for name in names]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    better = offset_variance(subject, alignment_of(subject, **{thigh: (0.1, 0.1, 0.1)}))
    assert not better.any()  # constants were not measured on such


def test_it_adds_to_what_all_share():
    found = standard_deviations(
        [estimate()], [True, False], 800.0, 1.75, SHARED, offset_variance=np.array([0.12**2, 0.0])
    )
    np.testing.assert_allclose(found.q, [[0.13, 0.02]] * FRAMES)


def test_sensors_that_can_only_turn_together_share_an_ill_known_heading(spatial_model, record):
    recording = record(spatial_model)
    subject = make_subject(spatial_model, recording, {}, height_m=1.8)
    names, sensors = subject.model.coordinate_names, subject.functions.imu_frames
    thigh = sensor_on(subject, "femur_r")
    found = offset_variance(subject, alignment_of(subject, **{thigh: (3.5, 30.0, 3.5)}))
    # Legs are hinges and the root turns all: about the vertical the estimate is the mean of all sensors.
    wanted = (np.radians(30.0) ** 2 - np.radians(10.0) ** 2) / len(sensors) ** 2
    assert found[names.index("pelvis_rotation")] == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(np.delete(found, names.index("pelvis_rotation")), 0.0, atol=1e-12)
