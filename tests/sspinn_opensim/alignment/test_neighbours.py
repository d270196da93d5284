"""Sensors that come late are told by the joints they share with others, and only they."""

import dataclasses
import re

import numpy as np
import pytest

from casadi_dynamics.osim import read_model
from sspinn_opensim.alignment.neighbours import joint_lags, late_sensors
from sspinn_opensim.recording import along_bodies, on_model, phases, read_recording
from sspinn_opensim.recording.parts import used_part
from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.verbs.axes import along_segments


@pytest.fixture(scope="module")
def demo():
    study = read_study(examples_folder() / "demo.toml")
    model = read_model(study.model.file)
    return along_bodies(on_model(read_recording(study), model), model), model


def shifted(recording, late_s: dict[str, float]):
    """Return a recording in which sensors come late, with noise as real ones have."""
    rng = np.random.default_rng(2)
    force = recording.acceleration + 0.2 * rng.normal(size=recording.acceleration.shape)
    rate = recording.angular_rate + 0.02 * rng.normal(size=recording.angular_rate.shape)
    for name, by_s in late_s.items():
        k = recording.sensor_names.index(name)
        steps = round(by_s * recording.sampling_rate_hz)
        force[:, k], rate[:, k] = (np.roll(signal[:, k], steps, axis=0) for signal in (force, rate))
    return dataclasses.replace(recording, acceleration=force, angular_rate=rate)


def test_sensors_of_one_clock_share_every_joint_at_once(demo):
    recording, model = demo
    lags = joint_lags(shifted(recording, {}), model, phases(recording))
    assert len(lags) == 6
    # A tenth of a sample: exact signals with noise on the made walk.
    assert np.abs([lag.lag_s for lag in lags]).max() < 0.001
    assert late_sensors(recording, model, phases(recording)) == []


@pytest.mark.parametrize("late_s", [0.05, -0.05, 0.14])
@pytest.mark.parametrize("name", ["pelvis", "femur_r", "tibia_l", "foot_r"])
def test_the_one_that_is_late_is_named_alone(demo, name, late_s):
    recording, model = demo
    (finding,) = late_sensors(shifted(recording, {name: late_s}), model, phases(recording))
    assert finding.key == f"time_offset:{name}" and finding.is_serious
    said = re.search(r"come (\d+) ms (after|before) those of '", finding.evidence)
    # Two milliseconds: a fifth of a sample.
    assert int(said[1]) == pytest.approx(1000 * abs(late_s), abs=2)
    assert said[2] == ("after" if late_s > 0 else "before")


def test_two_of_one_leg_and_the_other_leg(demo):
    recording, model = demo
    late = {"foot_l": 0.06, "femur_r": -0.07}
    found = late_sensors(shifted(recording, late), model, phases(recording))
    assert {f.sensor for f in found if f.is_serious} == set(late)


def test_lags_as_soft_tissue_has_them_are_no_finding(demo):
    recording, model = demo
    real = {"femur_r": 0.02, "femur_l": 0.02, "foot_l": -0.01}
    assert late_sensors(shifted(recording, real), model, phases(recording)) == []
    standing = [dataclasses.replace(phase, kind="standing") for phase in phases(recording)]
    assert late_sensors(shifted(recording, {"foot_r": 0.1}), model, standing) == []


def with_late_gyroscope(recording, name, late_s):
    """Return a recording in which the gyroscope of a sensor comes late, with noise as real ones have."""
    k, recording = recording.sensor_names.index(name), shifted(recording, {})
    rate = recording.angular_rate.copy()
    rate[:, k] = np.roll(rate[:, k], round(late_s * recording.sampling_rate_hz), axis=0)
    return dataclasses.replace(recording, angular_rate=rate)


@pytest.mark.parametrize("late_s", [0.03, -0.03, 0.05])
@pytest.mark.parametrize("name", ["tibia_r", "foot_l"])
def test_a_gyroscope_behind_its_own_accelerometer_is_named_alone(demo, name, late_s):
    recording, model = demo
    (finding,) = late_sensors(with_late_gyroscope(recording, name, late_s), model, phases(recording))
    assert finding.key == f"time_offset:{name}" and finding.is_serious
    said = re.search(r"gyroscope comes (\d+) ms (after|before) its own accelerometer", finding.evidence)
    assert int(said[1]) == pytest.approx(1000 * abs(late_s), abs=3)
    assert said[2] == ("after" if late_s > 0 else "before")


def test_a_gyroscope_as_late_as_filters_in_sensors_make_it_is_no_finding(demo):
    recording, model = demo
    assert late_sensors(with_late_gyroscope(recording, "foot_l", 0.01), model, phases(recording)) == []


def test_real_sensors_in_space_come_together_until_one_is_shifted(shared, repository):
    study = read_study(repository / "examples" / "kuopio2024_walk.toml")
    model = read_model(study.model.file)
    along, _ = along_segments(study, on_model(read_recording(study), model), model)
    doing = phases(along)
    assert late_sensors(along, model, doing) == []
    for ends in ((2.5, 5.0), (2.5, 6.5), (3.0, 6.0), (1.7, 4.7)):  # few strides, in which a knee tells little
        part = used_part(along, dataclasses.replace(study.recording, from_s=ends[0], to_s=ends[1]))
        assert late_sensors(part, model, phases(part)) == []
    name = next(name for name in along.sensor_names if "calcn" in name or "foot" in name)
    for planted in (shifted(along, {name: 0.05}), with_late_gyroscope(along, name, 0.03)):
        (finding,) = late_sensors(planted, model, doing)
        assert finding.key == f"time_offset:{name}" and finding.is_serious
