"""Gyroscopes and accelerometers that read too much, too little or beside are told by gravity and joints."""

import dataclasses
import re

import numpy as np
import pytest

from casadi_dynamics.osim import read_model
from sspinn_opensim.alignment.scales import odd_scales
from sspinn_opensim.recording import along_bodies, on_model, phases, read_recording
from sspinn_opensim.recording.resample import resample
from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.verbs.axes import along_segments, objections


@pytest.fixture(scope="module")
def demo():
    study = read_study(examples_folder() / "demo.toml")
    model = read_model(study.model.file)
    return along_bodies(on_model(read_recording(study), model), model), model


def planted(recording, names, *, force=1.0, rate=1.0, offset=(0.0, 0.0, 0.0)):
    """Return a recording whose named sensors have wrong scales and an offset; noise as real ones have."""
    rng = np.random.default_rng(3)
    acceleration = recording.acceleration + 0.2 * rng.normal(size=recording.acceleration.shape)
    angular_rate = recording.angular_rate + 0.02 * rng.normal(size=recording.angular_rate.shape)
    which = [recording.sensor_names.index(name) for name in names]
    acceleration[:, which] = force * acceleration[:, which] + np.array(offset)
    angular_rate[:, which] *= rate
    shown = {"acceleration": acceleration, "angular_rate": angular_rate}
    shown = {key: value * getattr(recording, f"{key}_available") for key, value in shown.items()}
    return dataclasses.replace(recording, **shown)


def told(recording, model):
    return odd_scales(recording, model, phases(recording))


def factor(finding) -> float:
    """Return how many times too large readings are said to be."""
    said = re.search(r"about ([\d.]+) times", finding.evidence)
    return float(said[1])


def test_nothing_is_said_of_good_sensors_nor_where_nobody_walks(demo):
    recording, model = demo
    assert told(recording, model) == [] and told(planted(recording, []), model) == []
    wrong = planted(recording, ["foot_r"], rate=1.3)
    standing = [dataclasses.replace(phase, kind="standing") for phase in phases(wrong)]
    assert odd_scales(wrong, model, standing) == []


@pytest.mark.parametrize("rate", [2.0, 1.3, 0.7, 0.5])
@pytest.mark.parametrize("name", ["tibia_l", "foot_r"])
def test_a_gyroscope_of_another_range_is_named_alone(demo, name, rate):
    recording, model = demo
    (finding,) = told(planted(recording, [name], rate=rate), model)
    assert finding.key == f"scale:{name}" and "Its gyroscope" in finding.evidence
    # Steps of the sampling and noise: an estimate of a scale without a fault is off by as much.
    assert factor(finding) == pytest.approx(rate, rel=0.06)


@pytest.mark.parametrize("rate", [2.0, 1.3, 0.7, 0.5])
def test_all_gyroscopes_of_another_range_are_one_serious_finding(demo, rate):
    recording, model = demo
    wrong = planted(recording, recording.sensor_names, rate=rate)
    (finding,) = told(wrong, model)
    assert finding.key == "scale" and finding.is_serious and "sampling rate" in finding.advice
    assert factor(finding) == pytest.approx(rate, rel=0.06)
    assert "scale" in {f.key for f in objections(wrong, None, model) if f.is_serious}


@pytest.mark.parametrize("force", [1.15, 0.85])
@pytest.mark.parametrize("name", ["pelvis", "femur_r", "tibia_l", "foot_r"])
def test_an_accelerometer_of_another_scale_is_named_alone(demo, name, force):
    recording, model = demo
    (finding,) = told(planted(recording, [name], force=force), model)
    assert finding.key == f"scale:{name}" and "Its accelerometer" in finding.evidence


@pytest.mark.parametrize("up", [3.0, -3.0])
@pytest.mark.parametrize("name", ["pelvis", "femur_r", "tibia_l", "foot_r"])
def test_an_accelerometer_with_an_offset_is_named_alone(demo, name, up):
    recording, model = demo
    (finding,) = told(planted(recording, [name], offset=(0.0, up, 0.0)), model)
    assert finding.key == f"scale:{name}" and finding.is_serious


def test_two_sensors_that_are_wrong_are_both_named(demo):
    recording, model = demo
    wrong = planted(planted(recording, ["foot_r"], rate=0.7), ["femur_l"], offset=(0.0, 3.0, 0.0))
    assert {f.key for f in told(wrong, model)} == {"scale:foot_r", "scale:femur_l"}


def test_the_sampling_rate_says_the_same(demo):
    recording, model = demo
    faster = resample(recording, 500.0)
    assert told(faster, model) == []
    (finding,) = told(planted(faster, ["tibia_l"], rate=1.3), model)
    assert finding.key == "scale:tibia_l"


def test_real_sensors_in_space_are_good_until_one_is_not(shared, repository):
    study = read_study(repository / "examples" / "kuopio2024_walk.toml")
    model = read_model(study.model.file)
    along, _ = along_segments(study, on_model(read_recording(study), model), model)
    assert told(along, model) == []
    name = next(name for name in along.sensor_names if "tibia" in name)
    for wrong, key in (
        (planted(along, [name], rate=0.7), f"scale:{name}"),
        (planted(along, [name], offset=(-3.0, 0.0, 0.0)), f"scale:{name}"),
        (planted(along, along.sensor_names, rate=1.3), "scale"),
    ):
        assert key in {f.key for f in told(wrong, model)}
