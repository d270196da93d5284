"""What a vendor's software may do to signals without a word: filters, frames left out, units of one axis."""

import dataclasses
import re

import numpy as np
import pytest

from benchmarks.planted_scales import beginning
from sspinn_opensim.recording import find_faults, phases, read_recording
from sspinn_opensim.recording.signals.filters import both_ways, butterworth
from sspinn_opensim.recording.signals.rotations import rotation_from_angles
from sspinn_opensim.study import examples_folder, read_study

KINDS = ("gaps", "smoothed", "acceleration_unit")


@pytest.fixture(scope="module")
def walk():
    recording = read_recording(read_study(examples_folder() / "demo.toml"))
    rng = np.random.default_rng(4)
    shape = recording.acceleration.shape
    # The made walk has hardly any shocks: noise stands for those that each sensor has of its own.
    return dataclasses.replace(
        recording,
        acceleration=recording.acceleration + 0.4 * rng.normal(size=shape),
        angular_rate=recording.angular_rate + 0.04 * rng.normal(size=shape),
        acceleration_available=np.ones(shape[1:], bool),
        angular_rate_available=np.ones(shape[1:], bool),
    )


def told(recording):
    return [f for f in find_faults(recording, phases(recording)) if f.kind in KINDS]


def without(recording, first, count):
    """Return a recording without some frames, its time counted anew."""
    keep = np.delete(np.arange(len(recording.time_s)), slice(first, first + count))
    names = ("acceleration", "angular_rate", "usable")
    return dataclasses.replace(
        recording,
        time_s=recording.time_s[: len(keep)],
        **{name: getattr(recording, name)[keep] for name in names},
    )


def test_nothing_is_said_of_good_sensors(walk):
    assert told(walk) == []
    assert told(beginning(walk, 1.0)) == []


@pytest.mark.parametrize("seconds", [0.15, 0.3, 0.5])
@pytest.mark.parametrize("at", [500, 731, 1000])
def test_a_gap_that_the_clock_closed_is_told_where_it_is(walk, at, seconds):
    count = round(seconds * walk.sampling_rate_hz)
    (finding,) = told(without(walk, at, count))
    assert finding.key == "gaps" and finding.severity != "note"
    (where,) = re.findall(r"after ([\d.]+) s all sensors jump", finding.evidence)
    assert float(where) == pytest.approx(walk.time_s[at - 1], abs=0.011)
    # A gap that is known, as between two pieces, is none.
    cut = without(walk, at, count)
    known = np.ones(len(cut.time_s), bool)
    known[at - 5 : at + 5] = False
    assert told(dataclasses.replace(cut, usable=known)) == []


@pytest.mark.parametrize("signal", ["acceleration", "angular_rate"])
@pytest.mark.parametrize("name", ["pelvis", "femur_l", "foot_r"])
def test_a_sensor_that_was_smoothed_is_named_alone(walk, name, signal):
    k, lowpass = walk.sensor_names.index(name), butterworth(3.0, rate_hz=walk.sampling_rate_hz)
    smoothed = getattr(walk, signal).copy()
    smoothed[:, k] = both_ways(lowpass, smoothed[:, k], 9)
    (finding,) = told(dataclasses.replace(walk, **{signal: smoothed}))
    assert finding.key == f"smoothed:{name}" and finding.is_serious
    assert {"acceleration": "accelerations", "angular_rate": "angular rates"}[signal] in finding.evidence
    # Where all were, nobody can say that it was not the person.
    every = {
        key: both_ways(lowpass, getattr(walk, key).reshape(len(walk.time_s), -1), 9).reshape(smoothed.shape)
        for key in ("acceleration", "angular_rate")
    }
    assert told(dataclasses.replace(walk, **every)) == []


@pytest.mark.parametrize("signal", ["acceleration", "angular_rate"])
def test_what_never_changes_is_not_told_as_smoothed_or_in_another_unit(walk, signal):
    made, k = getattr(walk, signal).copy(), walk.sensor_names.index("femur_l")
    made[:, k, 0] = 0.3
    assert told(dataclasses.replace(walk, **{signal: made})) == []
    made[:, k] = 0.3
    assert not [f for f in told(dataclasses.replace(walk, **{signal: made})) if f.kind == "smoothed"]


@pytest.fixture(scope="module")
def real(shared, repository):
    return read_recording(read_study(repository / "examples" / "kuopio2024_walk.toml"))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", ["pelvis", "femur_l", "tibia_r"])
def test_an_axis_in_another_unit_is_named(real, name, axis):
    force = real.acceleration.copy()
    force[:, real.sensor_names.index(name), axis] /= 9.80665
    found = told(dataclasses.replace(real, acceleration=force))
    assert {f.key for f in found} == {f"acceleration_unit:{name}"}
    # Where gravity lies along the axis it is missing too, and that is more serious.
    assert any(f.is_serious or f"along its {'xyz'[axis]} " in f.evidence for f in found)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_axis_is_judged_as_it_was_recorded(real, axis):
    """Not along those of the body that its sensor was turned into, which have no unit of their own."""
    turned, k = (0.7, -0.4, 0.9), real.sensor_names.index("tibia_r")
    recorded = real.acceleration.copy()
    recorded[:, k, axis] /= 9.80665
    force, rate = recorded.copy(), real.angular_rate.copy()
    for signal in (force, rate):
        signal[:, k] = signal[:, k] @ rotation_from_angles(turned).T
    sensors = (
        *real.sensors[:k],
        dataclasses.replace(real.sensors[k], orientation=turned),
        *real.sensors[k + 1 :],
    )
    found = told(dataclasses.replace(real, acceleration=force, angular_rate=rate, sensors=sensors))
    before = told(dataclasses.replace(real, acceleration=recorded))
    of_axes = [[f.evidence for f in each if "along its" in f.evidence] for each in (before, found)]
    assert of_axes[0] == of_axes[1] and (of_axes[0] or axis == 0)


def test_real_people_are_told_nothing_of_this_until_it_is_planted(real):
    assert told(real) == []
    # Frames in the middle of the walk: 0.2 s.
    (finding,) = told(without(real, 500, 20))
    assert finding.key == "gaps" and "after 4.99 s" in finding.evidence
    # One leg feels its steps at once.
    for side in "rl":
        leg = [k for k, name in enumerate(real.sensor_names) if name.endswith(f"_{side}") or name == "pelvis"]
        assert len(leg) == 4
        of_sensors = {
            field.name: getattr(real, field.name)[leg]
            for field in dataclasses.fields(real)
            if getattr(getattr(real, field.name), "shape", (0,))[:1] == (len(real.sensors),)
        }
        signals = {name: getattr(real, name)[:, leg] for name in ("acceleration", "angular_rate")}
        sensors = tuple(real.sensors[k] for k in leg)
        assert told(dataclasses.replace(real, sensors=sensors, **signals, **of_sensors)) == []
    # Who stands does not jump.
    assert phases(real)[0].kind == "standing" and phases(real)[0].to_s > 1.0
    assert told(without(real, 40, 20)) == []
