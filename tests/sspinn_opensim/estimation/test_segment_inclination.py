"""Inclinations by sensors where a network knows nobody: what joints, gravity and gyroscopes tell of them."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from sspinn_opensim.alignment.types import Alignment, SensorAlignment
from sspinn_opensim.estimation import estimate
from sspinn_opensim.estimation.segment_inclination import estimate_by_sensors, linked_posture
from sspinn_opensim.training.subject import make_subject

#: By which two sensors are turned, and what is left of it where the network is turned with them, degrees.
TURNS_DEG = {"tibia_r": 9.0, "femur_l": -9.0}
LEFT_DEG = {"tibia_r": 5.5, "femur_l": 7.5}


def turned(recording, turns_deg):
    """Return a recording whose sensors are turned about the axis to the right."""
    force, rate = recording.acceleration.copy(), recording.angular_rate.copy()
    for body, degrees in turns_deg.items():
        k = [sensor.body for sensor in recording.sensors].index(body)
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        x, y = force[:, k, 0].copy(), force[:, k, 1].copy()
        force[:, k, 0], force[:, k, 1] = c * x + s * y, c * y - s * x
    return dataclasses.replace(recording, acceleration=force, angular_rate=rate)


@pytest.fixture(scope="module")
def mover(planar_model, record):
    """Return someone who moves for 20 s, with the sensors and what they measure."""
    recording = record(planar_model, seconds=20.0)
    subject = make_subject(planar_model, recording, {}, height_m=1.8)
    return SimpleNamespace(model=planar_model, recording=recording, subject=subject)


@pytest.fixture(scope="module")
def motion(mover, make_motion):
    """Return the true coordinates."""
    return make_motion(mover.model, mover.recording.time_s)[0]


def errors(mover, motion, q, recording, alignment=None):
    """Return by how much segments of the posture are inclined wrongly, (n,) degrees each."""
    subject, turning = mover.subject, mover.subject.turning()[:, 2]
    found = linked_posture(q, subject, recording, alignment)
    off = np.degrees((found - motion[:, list(subject.roles.posture)]) @ turning.T)
    return dict(zip(subject.functions.bodies, off.T, strict=True))


def turned_network(mover, motion):
    """Return coordinates of segments that are turned as their sensors are: such a network believes them."""
    q, posture = motion.copy(), list(mover.subject.roles.posture)
    turning, bodies = mover.subject.turning()[:, 2], mover.subject.functions.bodies
    turns = np.radians([TURNS_DEG.get(body, 0.0) for body in bodies])
    q[:, posture] += np.linalg.lstsq(turning, turns, rcond=None)[0]
    return q


def test_segments_turn_as_the_gyroscopes_say(mover, motion):
    """A network that smooths by a third says only how segments are inclined on average."""
    mean = motion.mean(axis=0)
    off = errors(mover, motion, mean + 0.7 * (motion - mean), mover.recording)
    assert max(np.std(error) for error in off.values()) < 0.6
    assert max(abs(np.mean(error)) for error in off.values()) < 1.5


def test_joints_tell_how_sensors_are_turned(mover, motion):
    recording = turned(mover.recording, TURNS_DEG)
    off = errors(mover, motion, turned_network(mover, motion), recording)
    for body, degrees in LEFT_DEG.items():
        assert abs(np.mean(off[body])) < degrees, body


def test_a_network_that_sees_through_turned_sensors_is_heard(mover, motion):
    off = errors(mover, motion, motion, turned(mover.recording, TURNS_DEG))
    assert max(abs(np.mean(error)) for error in off.values()) < 2.0


def test_axes_that_are_known_well_are_kept(mover, motion):
    recording = turned(mover.recording, TURNS_DEG)
    sensors = tuple(
        SensorAlignment(s.name, s.body, np.eye(3), (1.0, 1.0, 0.2), ("said",)) for s in recording.sensors
    )
    off = errors(mover, motion, turned_network(mover, motion), recording, Alignment(sensors))
    for body, degrees in TURNS_DEG.items():
        assert abs(np.mean(off[body])) > 0.8 * abs(degrees), body


def test_what_no_sensor_says_stays(mover, motion, record):
    """Nothing is measured of shanks, in a gap, and by sensors without gyroscopes."""
    recording = record(mover.model, seconds=20.0, bodies=("pelvis", "femur_r", "femur_l"))
    subject = make_subject(mover.model, recording, {}, height_m=1.8)
    q = motion + np.radians(3.0)
    given = q[:, list(subject.roles.posture)]
    found = linked_posture(q, subject, recording, None)
    knees = [subject.roles.posture.index(mover.model.coordinate_names.index(f"knee_angle_{s}")) for s in "rl"]
    np.testing.assert_allclose(found[:, knees], given[:, knees], atol=1e-9)
    assert np.abs(found - given).max() > 0.02

    usable = np.ones(len(recording.time_s), bool)
    usable[100:160] = False
    gap = dataclasses.replace(recording, usable=usable)
    found = linked_posture(q, subject, gap, None)
    np.testing.assert_array_equal(found[100:160], given[100:160])
    # Neither end of the gap is a jump.
    assert np.abs(np.diff(found - given, axis=0)).max() < 0.01

    blind = dataclasses.replace(recording, angular_rate_available=np.zeros((3, 3), bool))
    np.testing.assert_array_equal(linked_posture(q, subject, blind, None), given)


def test_a_network_that_knows_the_person_is_left_alone(walker, make_estimator):
    network = make_estimator("lstm")
    alone = estimate(network, walker.subject, walker.signals, walker.recording.time_s)

    def found():
        return estimate_by_sensors(network, walker.subject, walker.signals, walker.recording, None)

    np.testing.assert_array_equal(found().q, alone.q)
    network.of_others = True
    other, turns = found(), list(walker.subject.roles.posture)
    posture = linked_posture(alone.q, walker.subject, walker.recording, None)
    np.testing.assert_allclose(other.q[:, turns], posture, atol=1e-9)
    assert np.abs(other.q[:, turns] - alone.q[:, turns]).max() > 0.05
    # Forces and moments are the network's; where they act goes with the feet.
    np.testing.assert_array_equal(other.ground.force, alone.ground.force)
    np.testing.assert_array_equal(other.moments, alone.moments)
    assert np.abs(other.ground.point - alone.ground.point).max() > 0.01
