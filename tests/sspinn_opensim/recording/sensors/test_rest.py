"""Accelerometers at rest: planted errors are found and taken away, good sensors stay as they are."""

from dataclasses import replace

import numpy as np
import pytest

from sspinn_opensim.recording import Recording, Sensor
from sspinn_opensim.recording.sensors.rest import REST_TOLERANCE, corrected_at_rest, rest_of, rests_of
from sspinn_opensim.recording.units import GRAVITY

RATE_HZ = 100.0
#: Noise of the planted sensor: 0.02 m/s^2 (2 mg) and 0.002 rad/s, as good parts have.
NOISE = (0.02, 0.002)


def leg(seconds=20.0, still_s=1.5, offset=(0.0, 0.0, 0.0), factor=1.0, channels=3) -> Recording:
    """A sensor tilted by 20 degrees that rests, then swings by half a radian about z once a second."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    moving = np.clip((time_s - still_s) / 0.5, 0.0, 1.0)
    angle = 0.35 + 0.5 * moving * np.sin(2 * np.pi * (time_s - still_s))
    rate = np.gradient(angle, time_s)
    turning = np.gradient(rate, time_s)
    true = np.zeros((len(time_s), 3))
    # Gravity along the turned axes, and what a place 0.3 m from the axis of turning feels.
    true[:, 0] = GRAVITY * np.sin(angle) - 0.3 * turning
    true[:, 1] = GRAVITY * np.cos(angle) + 0.3 * rate**2
    random = np.random.default_rng(1)
    acceleration = factor * true + np.array(offset) + NOISE[0] * random.normal(size=true.shape)
    angular_rate = np.stack([0 * rate, 0 * rate, rate], axis=1) + NOISE[1] * random.normal(size=true.shape)
    known = np.arange(3)[None] < channels
    return Recording(
        *("swing", time_s, (Sensor("shank", "tibia_r"),)),
        *(acceleration[:, None] * known, angular_rate[:, None]),
        *(known, np.ones((1, 3), bool), np.zeros((1, 3)), np.zeros((1, 3))),
    )


def test_a_good_sensor_stays_as_it_is():
    recording = leg()
    (rest,) = rests_of(recording)
    # The noise of 20 samples in 5 windows and more.
    assert rest is not None and abs(rest.error) < 0.02 and np.linalg.norm(rest.angular_rate) < 0.002
    for correction in ("offset", "scale", "none"):
        assert corrected_at_rest(recording, correction) is recording


@pytest.mark.parametrize(
    ("planted", "correction"),
    [
        ({"offset": 2.4 * np.array([np.sin(0.35), np.cos(0.35), 0.0])}, "offset"),
        ({"offset": -1.0 * np.array([np.sin(0.35), np.cos(0.35), 0.0])}, "offset"),
        ({"factor": 1.24}, "scale"),
        ({"factor": 0.9}, "scale"),
    ],
)
def test_a_planted_error_is_found_and_taken_away(planted, correction):
    wrong, true = leg(**planted), leg()
    mended = corrected_at_rest(wrong, correction)
    (finding,) = mended.findings
    assert finding.key == "resting_magnitude:shank" and finding.severity == "doubt"
    assert f"{rests_of(wrong)[0].magnitude:.2f} m/s^2" in finding.evidence
    # The rest is known within the noise; a scale also scales the noise.
    assert np.abs(mended.acceleration - true.acceleration).max() < 0.05
    (left,) = corrected_at_rest(wrong, "none").findings
    assert left.is_serious and "rest_correction" in left.advice


def test_moments_of_stance_are_rest_enough():
    """No standing: the turning points of a slow swing, at which nothing turns and gravity alone is felt."""
    recording = leg(still_s=-1.0, factor=1.2)
    (rest,) = rests_of(recording)
    if rest is not None:
        assert rest.moments < 0.5 * len(recording.time_s)


@pytest.mark.parametrize("planted", [{"channels": 2}, {"factor": 0.1}, {"factor": 1.9}])
def test_what_is_no_accelerometer_out_of_order_is_not_corrected(planted):
    """A missing axis leaves no magnitude; another unit or free acceleration is another finding."""
    recording = leg(**planted)
    assert corrected_at_rest(recording, "offset") is recording


def test_what_fills_a_gap_is_no_rest():
    recording = leg()
    gap = recording.time_s > 18.0
    acceleration, rate = recording.acceleration.copy(), recording.angular_rate.copy()
    acceleration[gap], rate[gap] = [0.0, 12.0, 0.0], 0.0
    held = replace(recording, acceleration=acceleration, angular_rate=rate)
    assert corrected_at_rest(held, "offset").findings
    held = replace(held, usable=~gap)
    assert corrected_at_rest(held, "offset") is held


def test_free_fall_is_no_rest():
    falling = 0.05 * np.random.default_rng(0).normal(size=(500, 3))
    assert rest_of(falling, 0.01 * falling, RATE_HZ) is None
    assert rest_of(np.ones((10, 3)), np.ones((10, 3)), RATE_HZ) is None
    assert REST_TOLERANCE < 1.0


def test_the_two_sensors_of_capsense_are_named_in_all_recordings_and_no_other(shared):
    files = sorted((shared / "data" / "capsense_walk").glob("*.npz"))
    assert len(files) == 6
    for file in files:
        with np.load(file, allow_pickle=False) as data:
            names, acceleration = data["segments"], data["acc"].astype(float)
            rate = data["gyr"].astype(float)
        known = np.ones((len(names), 3), bool)
        recording = Recording(
            *(file.stem, np.arange(len(rate)) / 100, tuple(Sensor(str(n), str(n)) for n in names)),
            *(acceleration, rate, known, known, np.zeros(known.shape), np.zeros(known.shape)),
        )
        found = corrected_at_rest(recording, "offset").findings
        assert {finding.sensor for finding in found} == {"toes_l", "torso"}, file
