"""Virtual signals against OpenSim and finite differences of positions; their errors by statistics."""

from dataclasses import replace

import numpy as np
import pytest

import osim_models
from sspinn_opensim.simulation import virtual
from sspinn_opensim.simulation.motion import filtered, read_motion, through
from sspinn_opensim.simulation.settings import PERFECT, ErrorSettings
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.virtual import VirtualSensor, record

SENSOR = VirtualSensor("shank", "tibia_r", (0.02, -0.2, 0.05))


def of_frames(model):
    return [VirtualSensor(f.name, f.body, f.position, f.rotation) for f in model.imu_frames]


def still(functions, count, rate_hz=100.0):
    """Return the default posture at rest, with its times."""
    q = np.tile([c.default for c in functions.tree.model.coordinates], (count, 1))
    zeros = np.zeros_like(q)
    return {"q": q, "u": zeros, "udot": zeros}, np.arange(count) / rate_hz


def test_perfect_sensors_read_what_opensims_do(planar, planar_model):
    with np.load(osim_models.path("planar_gait_answers.npz"), allow_pickle=False) as stored:
        order = [list(stored["coord_names"]).index(name) for name in planar_model.coordinate_names]
        state = {
            ours: stored[theirs][:, order] for ours, theirs in (("q", "q"), ("u", "qd"), ("udot", "qdd"))
        }
        recording = record(
            planar, state, np.arange(len(state["q"])) / 100, of_frames(planar_model), PERFECT, 0
        )
        frames = [list(stored["imu_frames"]).index(frame.name) for frame in planar_model.imu_frames]
        np.testing.assert_allclose(recording.acceleration, stored["imu_acc"][:, frames], rtol=0, atol=1e-9)
        np.testing.assert_allclose(recording.angular_rate, stored["imu_gyro"][:, frames], rtol=0, atol=1e-11)


def positions(functions, state, sensor, truth):
    """Return place and axes in ground of a sensor that slides on its body."""
    moved = functions.at("kinematics", **state)
    place, count = functions.bodies.index(sensor.body), len(state["q"])
    rotation = moved["rotation"].reshape(count, -1, 3, 3)[:, place]
    station = truth.position + truth.displacement
    axes = rotation @ virtual.exponential(truth.turn) @ truth.rotation
    return moved["position"].reshape(count, -1, 3)[:, place] + np.einsum(
        "nij,nj->ni", rotation, station
    ), axes


def test_a_sensor_on_soft_tissue_feels_the_second_difference_of_its_place(walker3d):
    """In a model with couplers, with a sensor that is misplaced, misaligned and wobbles."""
    functions, step = walker3d.functions, 1e-3
    motion = through(filtered(read_motion(walker3d.motion, functions.tree.model), 6.0))
    time_s = np.arange(0.3, 1.2, step)
    state = completed(functions, *motion(time_s))
    sensor = replace(SENSOR, wobble_hz=9.0)
    errors = replace(PERFECT, wobble=1.0, misalignment_deg=5.0, position_m=0.02)
    recording = record(functions, state, time_s, [sensor], errors, seed=3)
    place, axes = positions(functions, state, sensor, recording.truth[0])
    felt = np.einsum(
        "nji,nj->ni", axes[1:-1], np.diff(place, 2, axis=0) / step**2 - functions.tree.model.gravity
    )
    error = np.abs(recording.acceleration[1:-1, 0] - felt)[50:]
    assert error.max() < 2e-3 * np.abs(felt).max()
    # omega of the axes, from the antisymmetric part of R^T R'.
    turning = np.einsum("nji,njk->nik", axes[1:-1], (axes[2:] - axes[:-2]) / (2 * step))
    omega = np.stack([turning[:, 2, 1], turning[:, 0, 2], turning[:, 1, 0]], axis=1)
    error = np.abs(recording.angular_rate[1:-1, 0] - omega)[50:]
    assert error.max() < 1e-3 * np.abs(omega).max()
    # Without soft tissue the sensor would feel something else: what was tested is there.
    bare = record(functions, state, time_s, [sensor], replace(errors, wobble=0.0), seed=3)
    assert np.abs(bare.acceleration - recording.acceleration).max() > 1.0
    assert np.linalg.norm(recording.truth[0].displacement, axis=1).max() < 0.05


def test_noise_has_the_density_that_is_stated(planar):
    state, time_s = still(planar, 4001)
    errors = replace(PERFECT, acceleration_noise=0.02, angular_rate_noise=0.003)
    clean, noisy = (record(planar, state, time_s, [SENSOR], e, 0) for e in (PERFECT, errors))
    for name, density in (("acceleration", 0.02), ("angular_rate", 0.003)):
        noise = (getattr(noisy, name) - getattr(clean, name))[:, 0]
        # At 100 Hz the noise fills 50 Hz; the deviation of 12000 numbers is known to about 0.7 %.
        assert noise.std() == pytest.approx(density * np.sqrt(50), rel=0.03)
        assert np.abs(np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]) < 0.03
        assert np.abs(noise.mean(axis=0)).max() < 4 * density * np.sqrt(50 / 4001)


def test_biases_and_misalignment_have_the_deviation_that_is_stated(planar):
    state, time_s = still(planar, 2)
    many = [replace(SENSOR, name=f"sensor{k}") for k in range(300)]
    errors = replace(
        PERFECT, acceleration_bias=0.1, angular_rate_bias=0.02, misalignment_deg=4.0, position_m=0.01
    )
    truth = record(planar, state, time_s, many, errors, 0).truth
    for name, deviation in (("acceleration_bias", 0.1), ("angular_rate_bias", 0.02)):
        assert np.std([getattr(t, name) for t in truth]) == pytest.approx(deviation, rel=0.1)
    assert np.std([t.position - SENSOR.position for t in truth]) == pytest.approx(0.01, rel=0.1)
    angle = [np.arccos((np.trace(t.rotation) - 1) / 2) for t in truth]
    assert np.sqrt(np.mean(np.square(angle)) / 3) == pytest.approx(np.radians(4.0), rel=0.1)


def test_a_resting_upright_sensor_reads_gravity_and_its_bias(planar):
    state, time_s = still(planar, 50)
    errors = replace(PERFECT, acceleration_bias=0.2, angular_rate_bias=0.01, wobble=1.0)
    recording = record(planar, state, time_s, [SENSOR], errors, 5)
    truth = recording.truth[0]
    wanted = truth.acceleration_bias + np.array([0.0, 9.80665, 0.0])
    np.testing.assert_allclose(recording.acceleration[:, 0], np.tile(wanted, (50, 1)), atol=1e-9)
    np.testing.assert_allclose(
        recording.angular_rate[:, 0], np.tile(truth.angular_rate_bias, (50, 1)), atol=1e-9
    )


def test_errors_follow_the_seed_and_the_sensor_alone(planar):
    state, time_s = still(planar, 20)
    other = replace(SENSOR, name="thigh", body="femur_r")

    def signals(sensors, seed):
        recording = record(planar, state, time_s, sensors, ErrorSettings(), seed)
        k = [sensor.name for sensor in recording.sensors].index("shank")
        return recording.acceleration[:, k]

    first = signals([SENSOR], 1)
    np.testing.assert_array_equal(first, signals([other, SENSOR], 1))
    assert np.abs(first - signals([SENSOR], 2)).min() > 0


def test_soft_tissue_follows_slow_loads_by_its_stiffness():
    """Far below its natural frequency a spring gives way by f / w^2; the mean load is part of the place."""
    time_s = np.arange(0, 4, 0.002)
    force = 9.81 + np.sin(2 * np.pi * 0.5 * time_s)[:, None] * [1.0, 0.0, 2.0]
    found = virtual.wobble(force, time_s, 10.0, 0.3, 1.0)
    expected = -(force - 9.81) / (20 * np.pi) ** 2
    assert np.abs(found.displacement - expected)[500:].max() < 0.05 * np.abs(expected).max()
    half = virtual.wobble(force, time_s, 10.0, 0.3, 0.5)
    np.testing.assert_allclose(half.displacement, 0.5 * found.displacement, atol=1e-12)


def test_fewer_states_are_needed_only_with_soft_tissue():
    assert virtual.oversampling(100.0, PERFECT) == 1
    assert (
        virtual.oversampling(100.0, ErrorSettings()) == 5
        and virtual.oversampling(1000.0, ErrorSettings()) == 1
    )
