"""Orientations by VQF of a sensor whose movement is known."""

import builtins

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import Recording, Sensor
from sspinn_opensim.recording.orientations import filtered_orientations

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


def test_a_sensor_without_all_channels_is_refused():
    with pytest.raises(InputError, match="six channels"):
        filtered_orientations(swinging(available=False)[0])


def test_a_missing_library_is_one_clear_error(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name == "vqf":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match="vqf") as caught:
        filtered_orientations(swinging()[0])
    assert "sspinn_opensim[opensense]" in str(caught.value)
