"""Orientations by VQF of a sensor whose movement is known."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from sspinn_opensim.recording import Recording, Sensor
from sspinn_opensim.recording.sensors.orientations import directions_of_up, filtered_orientations

RATE_HZ, GRAVITY = 100.0, 9.81


def swinging(available=True):
    """Return a recording of a sensor that rests, then swings about its x axis, and its orientations."""
    time_s = np.arange(0.0, 8.0, 1 / RATE_HZ)
    angle = np.where(time_s < 2.0, 0.0, 0.6 * np.sin(3.0 * (time_s - 2.0)) ** 2)
    turned = Rotation.from_rotvec(np.outer(angle, [1.0, 0.0, 0.0]))
    rate = np.zeros((len(time_s), 1, 3))
    rate[:, 0, 0] = np.gradient(angle, time_s)
    force = turned.inv().apply([0.0, 0.0, GRAVITY])[:, None]
    flags = np.full((1, 3), available)
    unknown = np.zeros((1, 3))
    sensor = Sensor("pelvis", "pelvis")
    recording = Recording("swing", time_s, (sensor,), force, rate, flags, flags, unknown, unknown)
    return recording, turned


def test_inclination_is_that_of_the_movement():
    recording, turned = swinging()
    found = Rotation.from_quat(filtered_orientations(recording)[:, 0], scalar_first=True)
    up = found.inv().apply([0.0, 0.0, 1.0])
    known = turned.inv().apply([0.0, 0.0, 1.0])
    # Gyroscopes are integrated by rectangles, half a sample late: at 1.8 rad/s half a degree.
    assert np.degrees(np.arccos(np.clip((up * known).sum(axis=1), -1, 1))).max() < 0.8


def test_up_is_the_third_row_of_the_rotation():
    recording, _ = swinging()
    turned = Rotation.from_quat(filtered_orientations(recording)[:, 0], scalar_first=True)
    assert np.allclose(directions_of_up(recording)[:, 0], turned.inv().apply([0.0, 0.0, 1.0]), atol=1e-12)


def test_nothing_is_known_of_a_sensor_that_lacks_a_channel():
    assert np.isnan(filtered_orientations(swinging(available=False)[0])).all()


def test_what_was_not_measured_begins_a_new_piece():
    recording, turned = swinging()
    usable = np.ones(len(recording.time_s), bool)
    usable[300:320] = False
    found = directions_of_up(replace(recording, usable=usable))[:, 0]
    assert np.isnan(found[300:320]).all() and np.isfinite(found[usable]).all()
    known = turned.inv().apply([0.0, 0.0, 1.0])
    # A second after a gap the filter has found gravity again from nothing, in a movement that is free of
    # acceleration but for gravity.
    off = np.degrees(np.arccos(np.clip((found * known).sum(axis=1), -1, 1)))
    assert off[:300].max() < 0.8 and off[420:].max() < 2.0
