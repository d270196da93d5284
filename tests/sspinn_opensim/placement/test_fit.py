"""Places of sensors against signals that the model's own dynamics give for places drawn at random."""

import dataclasses
from itertools import permutations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.model import ImuFrame
from casadi_dynamics.symbolic import build
from sspinn_opensim.placement.bodies import assign, moving_bodies, starting_orders, whole_body
from sspinn_opensim.placement.fit import (
    BIAS_DEVIATION,
    QUARTER_TURNS,
    Guess,
    locate,
    repetition,
)
from sspinn_opensim.placement.motion import (
    Readings,
    Segment,
    SegmentMotion,
    lowpass,
    period,
    segment_motions,
)

STEP_S = 0.01
ALL = np.ones(3, bool)
PLANAR = (np.array([True, True, False]), np.array([False, False, True]))


@pytest.fixture(scope="module")
def moving(planar_model, make_motion):
    """Return the segments of four seconds of the analytic walk, and the motion itself."""
    motion = make_motion(planar_model, np.arange(400) * STEP_S)
    functions = build(planar_model)
    segments = {body: Segment(how, STEP_S) for body, how in segment_motions(functions, *motion).items()}
    return segments, motion


def signals(model, motion, body, position, rotation):
    """Return what a sensor reads by the `dynamics` function of the model, (n, 3) each."""
    frame = ImuFrame("sensor", body, tuple(position), tuple(map(tuple, rotation)))
    functions = build(model, (frame,))
    q, u, udot = motion
    answers = functions.dynamics(
        q=q.T,
        u=u.T,
        udot=udot.T,
        contact_force=np.zeros(functions.dynamics.numel_in("contact_force")),
        sensor_position=np.array(position),
        parameters=functions.parameters,
    )
    return np.array(answers["imu_acceleration"]).T, np.array(answers["imu_angular_rate"]).T


def turned_by(one, other) -> float:
    """Return the angle between two rotations, rad; unlike the trace, exact for small ones."""
    return float(np.linalg.norm(Rotation.from_matrix(one.T @ other).as_rotvec()))


@pytest.mark.parametrize("body", ["pelvis", "femur_r", "tibia_l", "foot_r"])
@pytest.mark.parametrize("seed", range(3))
def test_without_noise_any_place_and_any_orientation_is_found(planar_model, moving, body, seed):
    segments, motion = moving
    random = np.random.default_rng(seed)
    guess = whole_body(planar_model, body)
    position = guess.position + random.uniform(-0.15, 0.15, 3)
    rotation = Rotation.random(rng=seed).as_matrix()
    place = locate(
        segments[body], Readings(*signals(planar_model, motion, body, position, rotation), ALL, ALL), guess
    )
    # z is no matter of a planar model.
    np.testing.assert_allclose(place.position[:2], position[:2], atol=1e-6)
    assert turned_by(place.rotation, rotation) < 1e-6
    assert place.observable.tolist() == [True, True, False, True, True, True]
    assert place.position[2] == guess.position[2]
    assert place.deviation[2] == pytest.approx(guess.deviation_m)


def test_three_dimensions_tell_all_three(planar_model, moving):
    """A body that turns about all axes shows every component."""
    random = np.random.default_rng(0)
    time = np.arange(600) * STEP_S
    phase, speed = random.uniform(0, 6, (3, 3)), np.array([[3.0, 4.1, 5.3], [4.7, 3.3, 6.1], [5.9, 4.9, 3.7]])
    size = np.array([0.5, 0.4, 0.3])[:, None]
    angles = (size * np.sin(speed * time[:, None, None] + phase)).sum(-1)
    turn = Rotation.from_euler("xyz", angles)
    fine = 1e-4
    vectors = [
        (
            turn.inv()
            * Rotation.from_euler("xyz", (size * np.sin(speed * (time + s)[:, None, None] + phase)).sum(-1))
        ).as_rotvec()
        / s
        for s in (fine, -fine)
    ]
    rate = (vectors[0] + vectors[1]) / 2
    acceleration = np.gradient(rate, STEP_S, axis=0)
    force = turn.inv().apply([0.0, 9.81, 0.0]) + np.sin(7 * time)[:, None]
    position, rotation = np.array([0.1, -0.2, 0.07]), Rotation.random(rng=4).as_matrix()
    at = force + np.cross(acceleration, position) + np.cross(rate, np.cross(rate, position))
    segment = Segment(SegmentMotion(force, rate, acceleration), STEP_S)
    place = locate(
        segment, Readings(at @ rotation, rate @ rotation, ALL, ALL), Guess(np.zeros(3), 0.2, np.eye(3))
    )
    np.testing.assert_allclose(place.position, position, atol=1e-6)
    assert place.observable.all() and turned_by(place.rotation, rotation) < 1e-6


def test_missing_channels_leave_the_tilt_as_given(planar_model, moving):
    """Of x, y and the turn about z alone: in-plane turn and place are found, tilt and z are not."""
    segments, motion = moving
    position = np.array([0.03, -0.25, 0.06])
    rotation = Rotation.from_euler("z", 0.4).as_matrix()
    read = signals(planar_model, motion, "tibia_r", position, rotation)
    for hidden, channels in zip(read, PLANAR, strict=True):
        hidden[:, ~channels] = 1e3
    guess = Guess(np.array([0.0, -0.2, 0.055]), 0.2, np.eye(3))
    place = locate(segments["tibia_r"], Readings(*read, *PLANAR), guess)
    np.testing.assert_allclose(place.position[:2], position[:2], atol=1e-6)
    np.testing.assert_allclose(Rotation.from_matrix(place.rotation).as_rotvec(), [0, 0, 0.4], atol=1e-6)
    assert place.observable.tolist() == [True, True, False, False, False, True]
    assert place.position[2] == guess.position[2]


@pytest.mark.parametrize("turn", QUARTER_TURNS[1::6], ids=str)
def test_a_sensor_upside_down(planar_model, moving, turn):
    segments, motion = moving
    position = np.array([0.0, -0.15, 0.06])
    read = signals(planar_model, motion, "femur_l", position, turn)
    noise = np.random.default_rng(1)
    read = tuple(x + noise.normal(0, s, x.shape) for x, s in zip(read, (0.3, 0.03), strict=True))
    place = locate(segments["femur_l"], Readings(*read, ALL, ALL), whole_body(planar_model, "femur_l"))
    assert turned_by(place.rotation, turn) < np.radians(2)
    np.testing.assert_allclose(place.position[:2], position[:2], atol=0.02)


def noisy(read, random, wobble):
    """Return signals with white noise, a constant bias and, if asked, soft tissue (6 to 9 Hz)."""
    n = len(read[0])
    time = np.arange(n) * STEP_S
    out = []
    for signal, white, bias, sway in zip(read, (0.4, 0.03), (0.1, 0.01), (2.0, 0.3), strict=True):
        extra = random.normal(0, white, signal.shape) + random.normal(0, bias, 3)
        if wobble:
            # Its size comes and goes, so that it is no more alike in any two strides than in life.
            size = lowpass(random.normal(0, 1, (n, 3)), STEP_S)
            extra += sway * size * np.sin(2 * np.pi * random.uniform(6, 9) * time)[:, None]
        out.append(signal + extra)
    return tuple(out)


@pytest.mark.parametrize("wobble", [False, True], ids=["white", "soft tissue"])
def test_intervals_hold_what_they_promise(planar_model, moving, wobble):
    """Of many places with noise: median error, and how often 95 % intervals hold the truth."""
    segments, motion = moving
    random = np.random.default_rng(3)
    errors, inside = [], []
    for body in ("femur_r", "tibia_r", "foot_l"):
        guess = whole_body(planar_model, body)
        for _ in range(16):
            position = guess.position + random.uniform(-0.1, 0.1, 3)
            rotation = Rotation.from_rotvec(random.normal(0, 0.3, 3)).as_matrix()
            read = noisy(signals(planar_model, motion, body, position, rotation), random, wobble)
            place = locate(segments[body], Readings(*read, ALL, ALL), guess, stride_s=1.0)
            errors.append(np.linalg.norm(place.position[:2] - position[:2]))
            off = np.append(
                (place.position - position)[:2], Rotation.from_matrix(place.rotation @ rotation.T).as_rotvec()
            )
            inside.append(np.abs(off) < 1.96 * place.deviation[[0, 1, 3, 4, 5]])
    assert np.median(errors) < 0.02
    assert np.mean(inside) >= 0.9


def test_what_every_stride_repeats_does_not_average_out(planar_model, moving):
    """An error that all strides share leaves as much doubt as one stride, and a white one much less."""
    segments, motion = moving
    random = np.random.default_rng(0)
    position = np.array([0.0, -0.2, 0.05])
    read = signals(planar_model, motion, "tibia_r", position, np.eye(3))
    guess = whole_body(planar_model, "tibia_r")
    doubts = np.zeros(2)
    for _ in range(4):
        alike, white = np.tile(random.normal(0, 1, (100, 3)), (4, 1)), random.normal(0, 1, (400, 3))
        for i, error in enumerate((alike, white)):
            readings = Readings(read[0] + error, read[1], ALL, ALL)
            place = locate(segments["tibia_r"], readings, guess, stride_s=1.0)
            doubts[i] += np.linalg.norm(place.deviation[:2])
        assert repetition(alike, STEP_S, 1.0) == (pytest.approx(1.0, abs=0.05), 4.0)
        assert repetition(white, STEP_S, 1.0)[0] < 0.2
    assert doubts[0] > 1.15 * doubts[1]


def test_rotation_the_model_does_not_have_is_doubt(planar_model, moving):
    """Sideways rotation that a planar model lacks, in every stride: no tilt may be read from it."""
    segments, motion = moving
    read = signals(planar_model, motion, "tibia_r", (0.0, -0.2, 0.05), np.eye(3))
    time = np.arange(400) * STEP_S
    swing = np.stack([np.sin(2 * np.pi * time), np.cos(4 * np.pi * time), 0 * time], axis=1)
    guess = Guess(np.array([0.0, -0.2, 0.05]), 0.2, np.eye(3))
    place = locate(segments["tibia_r"], Readings(read[0], read[1] + swing, ALL, ALL), guess, stride_s=1.0)
    assert not place.observable[3:5].any() and place.observable[5]
    np.testing.assert_allclose(Rotation.from_matrix(place.rotation).as_rotvec()[:2], 0, atol=1e-12)


def test_a_bias_is_no_turn(planar_model, moving):
    segments, motion = moving
    read = signals(planar_model, motion, "foot_r", (0.1, 0.0, 0.0), np.eye(3))
    read = read[0] + [0.3, -0.2, 0.1], read[1] + [0.02, 0.05, -0.04]
    place = locate(segments["foot_r"], Readings(*read, ALL, ALL), whole_body(planar_model, "foot_r"))
    assert turned_by(place.rotation, np.eye(3)) < 1e-5
    np.testing.assert_allclose(place.position[:2], [0.1, 0.0], atol=1e-5)
    np.testing.assert_allclose(place.acceleration_bias, [0.3, -0.2, 0.1], atol=1e-4)
    assert all(deviation > 0 for deviation in BIAS_DEVIATION)


def test_a_period_is_found():
    time = np.arange(800) * STEP_S
    steps = np.stack([np.sin(2 * np.pi * time / 1.1), np.cos(6 * np.pi * time / 1.1)], axis=1)
    assert period(steps, STEP_S) == pytest.approx(1.1, abs=0.02)
    assert period(np.random.default_rng(0).normal(size=(800, 2)), STEP_S) is None
    assert period(steps[:20], STEP_S) is None


def test_an_assignment_is_the_best_of_all_orders():
    random = np.random.default_rng(0)
    bodies = ["a", "b", "c", "d"]
    for _ in range(20):
        misfit = random.normal(0, 1, (4, 4))
        totals = {p: misfit[range(4), list(p)].sum() for p in permutations(range(4))}
        best = min(totals, key=totals.get)
        found = assign(misfit, bodies, np.full(4, 6))
        assert found.bodies == tuple(bodies[i] for i in best)
        for sensor in range(4):
            other = min((p for p in totals if p[sensor] != best[sensor]), key=totals.get)
            changed = sum(a != b for a, b in zip(other, best, strict=True))
            assert found.second[sensor] == bodies[other[sensor]]
            assert found.margin[sensor] == pytest.approx(
                np.exp((totals[other] - totals[best]) / (6 * changed))
            )


def test_alike_bodies_are_ambiguous_and_a_body_may_take_two():
    misfit = np.array([[0.0, 0.01], [0.01, 0.0]])
    assert assign(misfit, ["a", "b"], np.array([6, 6])).ambiguous.all()
    assert assign(np.array([[0.0, 9.0], [0.0, 9.0]]), ["a", "b"], np.array([6, 6]), {"a": 2}).bodies == (
        "a",
        "a",
    )
    assert assign(np.array([[1.0]]), ["a"], np.array([6])).margin[0] == np.inf
    with pytest.raises(ValueError, match="more sensors"):
        assign(np.zeros((3, 2)), ["a", "b"], np.full(3, 6))


def test_bodies_that_move_as_one_are_one(planar_model):
    loose = moving_bodies(planar_model, {}, [])
    assert set(loose) == {body.name for body in planar_model.bodies}
    tied = moving_bodies(planar_model, {"lumbar_extension": 0.0}, ["torso"])
    assert tied["torso"] == ("pelvis", "torso") and "pelvis" not in tied


def test_first_orders_put_what_turns_most_far_out():
    orders = starting_orders(np.array([4.0, 0.5, 2.0, 1.9, 4.1]), [1, 2, 2, 3, 3])
    assert len(orders) == 4
    for order in orders:
        assert order[0] == 1 and set(order[1:3]) == {2, 3} and set(order[3:]) == {0, 4}


def test_segments_move_as_the_model_says(planar_model, moving):
    """A sensor at a body's origin reads what its segment does."""
    _, motion = moving
    how = segment_motions(build(planar_model), *motion)["tibia_r"]
    force, rate = signals(planar_model, motion, "tibia_r", (0, 0, 0), np.eye(3))
    np.testing.assert_allclose(how.force, force, atol=1e-12)
    np.testing.assert_allclose(how.rate, rate, atol=1e-12)
    assert {field.name for field in dataclasses.fields(how)} == {"force", "rate", "acceleration"}
