"""Speed by dead reckoning: a foot on a known path, and treadmills whose speed is known."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.recording import Phase, Recording, Sensor, phases, read_recording
from sspinn_opensim.recording.movement.foot_speed import (
    foot_speed,
    resting_feet,
    speed_estimate,
    stride_speeds,
)
from sspinn_opensim.recording.sensors.rest import corrected_at_rest
from sspinn_opensim.recording.units import GRAVITY
from sspinn_opensim.study import examples_folder, read_study

RATE_HZ = 100.0


def foot(speed_m_s: float, stride_s: float = 1.1, strides: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return what a sensor feels on a foot that stands for 60 % of each stride and swings in the rest.

    Path and pitch are smooth and in closed form; derivatives are taken on a clock that is 20 times finer.
    """
    fine = 20
    time_s = np.arange(0.0, strides * stride_s, 1.0 / (fine * RATE_HZ))
    swing = np.clip((time_s / stride_s % 1.0 - 0.6) / 0.4, 0.0, 1.0)
    # 0 to 1 with three derivatives that vanish at both ends.
    travelled = swing**4 * (35 - 84 * swing + 70 * swing**2 - 20 * swing**3)
    x = (np.floor(time_s / stride_s) + travelled) * speed_m_s * stride_s
    lift = np.sin(np.pi * travelled) ** 2
    pitch = -0.7 * np.sin(2 * np.pi * travelled) ** 2
    position = np.stack([x, 0.12 * lift, 0 * x], axis=1)
    step = time_s[1] - time_s[0]
    acceleration = np.gradient(np.gradient(position, step, axis=0), step, axis=0)
    world = acceleration + np.array([0.0, GRAVITY, 0.0])
    attitude = Rotation.from_euler("z", pitch[:, None])
    force = attitude.inv().apply(world)
    rate = np.stack([0 * pitch, 0 * pitch, np.gradient(pitch, step)], axis=1)
    oblique = Rotation.from_euler("XYZ", [0.4, -1.1, 2.0])  # as a sensor sits on a foot: any way
    return oblique.inv().apply(force)[::fine], oblique.inv().apply(rate)[::fine]


@pytest.mark.parametrize("speed_m_s", [0.6, 1.3])
def test_the_speed_of_a_known_path_is_found(speed_m_s):
    # Where all of a stance is still its first sample counts, which the edge moves in the first one.
    speeds = stride_speeds(*foot(speed_m_s), RATE_HZ)[1:]
    # The integral at 100 Hz of a swing of 0.4 s; the method is exact otherwise.
    assert len(speeds) >= 5 and np.abs(np.array(speeds) / speed_m_s - 1).max() < 0.01


def of_feet(force, rate, *, known=(True, True, True), variance=0.0) -> Recording:
    """Return a recording of a sensor on the right foot and of one that moves alike on the shank."""
    axes, varied = np.tile(known, (2, 1)), np.full((2, 3), variance)
    return Recording(
        name="feet",
        time_s=np.arange(len(force)) / RATE_HZ,
        sensors=(Sensor("foot_r", "foot_r"), Sensor("tibia_r", "tibia_r")),
        acceleration=np.stack([force] * 2, axis=1),
        angular_rate=np.stack([rate] * 2, axis=1),
        acceleration_available=axes,
        angular_rate_available=axes,
        acceleration_variance=varied,
        angular_rate_variance=varied,
    )


def test_the_speed_of_a_foot_on_a_known_path_is_found_at_every_moment():
    speed_m_s, stride_s = 1.3, 1.1
    recording = of_feet(*foot(speed_m_s, stride_s))
    walking = Phase("walking", 0.0, float(recording.time_s[-1]), 109.0)
    found = foot_speed(recording, [walking])
    swing = np.clip((recording.time_s / stride_s % 1.0 - 0.6) / 0.4, 0.0, 1.0)
    travelling = 140 * swing**3 * (1 - swing) ** 3 / (0.4 * stride_s)
    path = travelling * speed_m_s * stride_s
    known = ~np.isnan(found[:, 0])
    assert known[150:-250].all() and np.isnan(found[:, 1]).all()
    # 2 % of the highest speed, 7 m/s: the attitude at 100 Hz of a foot that pitches by 1.4 rad in 0.4 s.
    assert np.abs(found[known, 0] - path[known]).max() < 0.02 * path.max()


def test_the_feet_of_the_built_in_walk_go_as_fast_as_the_body():
    """Over whole strides they do; 1 % is what the edges of 12 s leave of the strides, 92 % of it."""
    recording = read_recording(read_study(examples_folder() / "demo.toml"))
    found = foot_speed(recording, phases(recording))
    feet = [k for k, sensor in enumerate(recording.sensors) if sensor.name.startswith("foot")]
    assert (~np.isnan(found[:, feet])).mean() > 0.9
    truth = read_storage(examples_folder() / "demo" / "reference_kinematics.mot")
    way = truth.column("pelvis_tx")
    speed = (way[-1] - way[0]) / (truth.time_s[-1] - truth.time_s[0])
    np.testing.assert_allclose(np.nanmean(found[:, feet], axis=0), speed, rtol=0.01)


def test_the_speed_of_a_foot_is_unknown_where_it_never_rests_or_never_was():
    signals = foot(1.3)
    recording = of_feet(*signals)
    end_s = float(recording.time_s[-1])
    walking, running = (Phase(kind, 0.0, end_s, 109.0) for kind in ("walking", "running"))
    assert np.isnan(foot_speed(recording, [running])).all()
    assert np.isnan(foot_speed(of_feet(*signals, variance=0.1), [walking])).all(), "a mean of strides"
    assert np.isnan(foot_speed(of_feet(*signals, known=(True, False, True)), [walking])).all()
    beside = [Phase("walking", 0.0, 4.0, 109.0), Phase("standing", 4.0, end_s, None)]
    found = foot_speed(recording, beside)[:, 0]
    assert np.isnan(found[recording.time_s > 4.0]).all() and not np.isnan(found[150:250]).any()


def test_no_stride_goes_over_a_gap():
    recording = of_feet(*foot(1.3))
    walking = [Phase("walking", 0.0, float(recording.time_s[-1]), 109.0)]
    usable = np.ones(len(recording.time_s), bool)
    acceleration = recording.acceleration.copy()
    for begin in (190, 410, 630):  # in swing
        usable[begin : begin + 15] = False
        acceleration[begin : begin + 15] = acceleration[begin - 1]
    recording = dataclasses.replace(recording, acceleration=acceleration, usable=usable)
    found = foot_speed(recording, walking)
    assert np.isnan(found[~usable, 0]).all()
    # Of the strides between gaps those from stance to stance; their mean is of all of a stride.
    assert np.isfinite(found[:, 0]).sum() > 2 * 1.1 * RATE_HZ
    assert np.nanmean(found[:, 0]) == pytest.approx(1.3, rel=0.03)


def test_a_foot_rests_where_it_is_flat_on_the_floor():
    """In every stance of a foot that stands for 60 % of a stride, never in swing, nor where nobody walks."""
    stride_s = 1.1
    recording = of_feet(*foot(1.3, stride_s))
    end_s = float(recording.time_s[-1])
    walking, running = (Phase(kind, 0.0, end_s, 109.0) for kind in ("walking", "running"))
    found, phase = resting_feet(recording, [walking]), recording.time_s / stride_s % 1.0
    assert not found[:, 1].any() and not resting_feet(recording, [running]).any()
    assert not found[(phase > 0.65) & (phase < 0.95), 0].any()
    inner = (recording.time_s > stride_s) & (recording.time_s < end_s - stride_s)
    strides = np.unique((recording.time_s / stride_s).astype(int)[inner])
    assert all(found[(recording.time_s / stride_s).astype(int) == k, 0].any() for k in strides)


def test_a_foot_that_stands_has_no_stride():
    still = np.tile([0.0, GRAVITY, 0.0], (500, 1)) + 0.01 * np.random.default_rng(0).normal(size=(500, 3))
    assert all(speed < 0.05 for speed in stride_speeds(still, 0.001 * still, RATE_HZ))
    assert stride_speeds(still[:20], still[:20], RATE_HZ) == []


def test_the_belt_speeds_of_capsense_are_found(shared):
    """Both feet together, within 4 % of the speed of the belt in six recordings (measured: 0.4 to 2.6 %)."""
    folder = shared / "data" / "capsense_walk"
    stated = json.loads((folder / "subjects.json").read_text(encoding="utf-8"))
    for name, person in stated.items():
        with np.load(folder / f"{name}.npz", allow_pickle=False) as data:
            names = [str(segment) for segment in data["segments"]]
            signals = (data["acc"].astype(float), data["gyr"].astype(float))
        known = np.ones((len(names), 3), bool)
        recording = Recording(
            *(name, np.arange(len(signals[0])) / 100, tuple(Sensor(n, n) for n in names), *signals),
            *(known, known, np.zeros(known.shape), np.zeros(known.shape)),
        )
        recording = corrected_at_rest(recording, "offset")
        found = speed_estimate(recording, phases(recording))
        assert found is not None and set(found.sensors) == {"toes_r", "toes_l"}
        assert abs(found.speed_m_s / person["gaitspeed_field"] - 1) < 0.04, name
