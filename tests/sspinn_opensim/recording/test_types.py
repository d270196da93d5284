import dataclasses
import pickle

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import Recording, Sensor


def recording(n=5, k=2, **changes) -> Recording:
    fields = dict(
        name="walk",
        time_s=np.arange(n) / 100,
        sensors=tuple(Sensor(f"s{index}", "femur_r") for index in range(k)),
        acceleration=np.ones((n, k, 3)),
        angular_rate=np.ones((n, k, 3)),
        acceleration_available=np.ones((k, 3), dtype=bool),
        angular_rate_available=np.ones((k, 3), dtype=bool),
        acceleration_variance=np.zeros((k, 3)),
        angular_rate_variance=np.zeros((k, 3)),
    )
    return Recording(**(fields | changes))


def test_arrays_are_read_only_copies():
    signal = np.ones((5, 2, 3), dtype=np.float32)
    made = recording(acceleration=signal)
    signal[:] = 7
    assert made.acceleration.dtype == np.float64 and np.all(made.acceleration == 1)
    with pytest.raises(ValueError, match="read-only"):
        made.acceleration[0] = 0


def test_rate_and_names():
    made = recording()
    assert made.sampling_rate_hz == pytest.approx(100.0)
    assert made.sensor_names == ("s0", "s1")


def test_it_survives_a_process_boundary():
    made = pickle.loads(pickle.dumps(recording(speed_m_s=1.2)))
    assert made.speed_m_s == 1.2 and made.sensors == recording().sensors


def test_replacing_a_field_checks_again():
    with pytest.raises(InputError, match="wrong shape"):
        dataclasses.replace(recording(), acceleration=np.ones((4, 2, 3)))


def hole(value, *index):
    signal = np.ones((5, 2, 3))
    signal[index] = value
    return signal


@pytest.mark.parametrize(
    ("changes", "what", "where"),
    [
        ({"acceleration": np.ones((5, 3, 3))}, "wrong shape", "walk"),
        ({"acceleration_available": np.ones((2, 2), dtype=bool)}, "wrong shape", "walk"),
        ({"acceleration": hole(np.nan, 3, 1, 2)}, "not a number", "sensor 's1', axis z, sample 4"),
        (
            {"angular_rate": hole(np.inf, 0, 0, 0)},
            "not a number",
            "angular_rate, sensor 's0', axis x, sample 1",
        ),
        ({"acceleration_variance": -np.ones((2, 3))}, "variance", "acceleration_variance"),
        ({"time_s": np.array([0, 0.01, 0.02, 0.02, 0.03])}, "does not increase", "sample 4"),
        ({"time_s": np.array([0, 0.01, 0.03, 0.02, 0.04])}, "does not increase", "sample 4"),
        ({"time_s": np.array([0, 0.01, 0.02, 0.04, 0.05])}, "not uniform", "sample 4"),
        ({"time_s": np.array([0, 0.01, np.nan, 0.03, 0.04])}, "not a number", "sample 3"),
        ({"sensors": (Sensor("s0", "femur_r"), Sensor("s0", "tibia_r"))}, "Two sensors", "walk"),
        ({"speed_m_s": 0.0}, "speed_m_s", "walk"),
        ({"cycle_s": np.nan}, "cycle_s", "walk"),
    ],
)
def test_what_cannot_be_a_recording_is_refused(changes, what, where):
    with pytest.raises(InputError) as caught:
        recording(**changes)
    assert what in caught.value.what and where in caught.value.where


@pytest.mark.parametrize(("n", "k"), [(1, 2), (0, 1), (5, 0)])
def test_an_empty_recording_is_refused(n, k):
    with pytest.raises(InputError):
        recording(n, k)


def test_a_long_clock_is_uniform_within_rounding():
    """A year into a clock that counts from 1970, 100 Hz steps are off by a microsecond and still uniform."""
    assert recording(time_s=1.7e9 + np.arange(5) / 100).time_s.size == 5


def test_all_of_a_recording_is_usable_unless_it_is_said_not_to_be():
    assert recording().usable.all() and recording().usable.shape == (5,)
    usable = np.array([True, True, False, True, True])
    np.testing.assert_array_equal(recording(usable=usable).usable, usable)
    with pytest.raises(InputError, match="usable has the wrong shape"):
        recording(usable=np.ones(4, bool))
