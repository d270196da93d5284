"""The shipped network: what it fits, and that it says the same through fewer channels in another order."""

import dataclasses

import numpy as np
import pytest
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.builtin_network import beginning, shipped
from sspinn_opensim.builtin_network.shipped import fitted, network_for, read_network, why_not, write_network
from sspinn_opensim.study import TrainingChoice
from sspinn_opensim.training.cohort import Member, member_topology
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.networks import NETWORKS
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import make_subject

HELD = {"lumbar_extension": 0.0}


def made(model, recording, held=HELD):
    subject = make_subject(model, recording, held, height_m=1.8)
    return Member("own", subject, make_signals(recording, subject))


def some_of(recording, places, sensors=None):
    """Return the recording of some of its sensors, in this order, or of others with their signals."""
    per_sensor = ("acceleration_available", "angular_rate_available", "acceleration_variance")
    return dataclasses.replace(
        recording,
        sensors=sensors or tuple(recording.sensors[k] for k in places),
        acceleration=recording.acceleration[:, places],
        angular_rate=recording.angular_rate[:, places],
        angular_rate_variance=recording.angular_rate_variance[places],
        **{name: getattr(recording, name)[places] for name in per_sensor},
    )


@pytest.fixture(scope="module")
def whole(planar_model, record):
    recording = record(planar_model)
    return made(planar_model, recording), recording


@pytest.fixture(params=NETWORKS)
def network(request, whole, tmp_path):
    """Return a network of each kind as it comes back from a file."""
    member, _ = whole
    with torch.random.fork_rng():
        torch.manual_seed(3)
        state = PersonNetwork(member.subject, member.signals, kind=request.param).network.state_dict()
    settings, file = TrainingSettings(network=request.param), tmp_path / "network.pt"
    write_network(file, state, member_topology(member), member.subject, settings, {"steps": 0})
    return read_network(file)


def test_half_precision_is_all_that_is_lost(network, whole):
    member, _ = whole
    again = PersonNetwork(member.subject, member.signals, kind=network.kind)
    again.load(network.network, None)
    for name, value in again.network.state_dict().items():
        assert torch.equal(value, value.half().float()), name


@pytest.mark.parametrize("places", [[6, 5, 4, 3, 2, 1, 0], [3, 1, 6, 4], [2, 0, 5]])
def test_fewer_sensors_in_another_order_are_the_others_at_zero(network, whole, planar_model, places):
    member, recording = whole
    part = made(planar_model, some_of(recording, places))
    topology = member_topology(part)
    assert not why_not(network, network.kind, topology, part.subject)
    own = PersonNetwork(part.subject, part.signals, kind=network.kind)
    own.load(fitted(network, topology, part.subject), None)
    full = PersonNetwork(member.subject, member.signals, kind=network.kind)
    full.load(network.network, None)
    worn = np.isin(np.arange(7), places)
    zeroed = dataclasses.replace(
        member.signals,
        acceleration=member.signals.acceleration * torch.as_tensor(np.repeat(worn, 2)),
        angular_rate=member.signals.angular_rate * torch.as_tensor(worn),
    )
    assert_alike(decoded(own, part.signals), decoded(full, zeroed))


def decoded(person, signals):
    """Return the motion that a network makes of signals."""
    with torch.no_grad():
        return person.decoder(
            person.network(signals.inputs(signals.acceleration, signals.angular_rate)[None])[0]
        )


def assert_alike(found, expected, picked=None):
    """Sums of float32 in another order."""
    for name, other in vars(expected).items():
        value = getattr(found, name)[..., (picked or {}).get(name, slice(None))]
        largest = max(other.abs().flatten().tolist(), default=0.0)  # none turns in the plane
        torch.testing.assert_close(value, other, rtol=1e-4, atol=1e-5 * largest)


def other_held(model, recording):
    held = HELD | {"ankle_angle_r": 0.0}
    return made(model, recording, held), model, "estimates ankle_angle_r, which the study holds"


def other_rate(model, recording):
    slower = dataclasses.replace(recording, time_s=recording.time_s * 2)
    return made(model, slower), model, "other rate of the training: 100.0, not 50.0"


def other_sensor(model, recording):
    trunk = dataclasses.replace(recording.sensors[0], body="torso", imu_frame="", position=(0.0, 0.1, 0.0))
    alone = some_of(recording, [0])
    return made(model, dataclasses.replace(alone, sensors=(trunk,))), model, "none of the sensors"


def two_on_one(model, recording):
    first, second, *others = recording.sensors
    twice = dataclasses.replace(second, body=first.body, imu_frame="", position=(0.0, 0.1, 0.0))
    moved = dataclasses.replace(recording, sensors=(first, twice, *others))
    return made(model, moved), model, "two sensors sit on one segment"


def other_model(model, recording):
    first, *others = model.joints
    renamed = dataclasses.replace(model, joints=(dataclasses.replace(first, name="root"), *others))
    return made(model, recording), renamed, "builtin:planar_gait only"


@pytest.mark.parametrize("other", [other_held, other_rate, other_sensor, two_on_one, other_model])
def test_what_does_not_fit_is_told(network, whole, planar_model, other, monkeypatch, tmp_path):
    member, model, words = other(planar_model, whole[1])
    topology = member_topology(member)
    subject = dataclasses.replace(member.subject, model=model)
    assert words in why_not(network, network.kind, topology, subject)
    monkeypatch.setattr(beginning, "read_network", lambda: network)
    monkeypatch.setattr(shipped, "read_network", lambda: network)
    found = beginning.begin(TrainingChoice(network=network.kind, start="builtin"), 4, topology, subject)
    assert found.network is None and words in found.told
    assert (found.settings.start, found.settings.steps, found.settings.seed) == ("random", 400, 4)
    with pytest.raises(InputError, match="does not fit") as error:
        network_for(network.kind, topology, subject, "study.toml")
    assert words in error.value.what


def test_another_kind_of_network_does_not_fit(network, whole):
    other = next(kind for kind in NETWORKS if kind != network.kind)
    assert other in why_not(network, other, member_topology(whole[0]), whole[0].subject)


def test_a_trunk_that_the_network_does_not_know_moves_with_the_pelvis(network, whole, planar_model):
    """With a sensor on it, which is not read, and estimated: all else is as without."""
    member, recording = whole
    first = recording.sensors[0]
    trunk = dataclasses.replace(first, name="trunk", body="torso", imu_frame="", position=(0.0, 0.1, 0.0))
    more = some_of(recording, [0, *range(7)], (trunk, *recording.sensors))
    more = made(planar_model, more, {})
    topology = member_topology(more)
    assert not why_not(network, network.kind, topology, more.subject)
    own = PersonNetwork(more.subject, more.signals, kind=network.kind)
    own.load(fitted(network, topology, more.subject), None)
    alone = PersonNetwork(member.subject, member.signals, kind=network.kind)
    alone.load(network.network, None)
    found, expected = decoded(own, more.signals), decoded(alone, member.signals)
    (one, other), lumbar = (who.subject.roles for who in (more, member)), "lumbar_extension"
    known = {
        "posture": [one.posture.index(k) for k in other.posture],
        "torque": [one.actuated.index(k) for k in other.actuated],
    }
    assert_alike(found, expected, known)
    place = planar_model.coordinate_names.index(lumbar)
    assert found.posture[..., one.posture.index(place)].abs().max() < 1e-5
    assert found.torque[..., one.actuated.index(place)].abs().max() == 0.0


def test_where_it_fits_a_training_begins_with_it(network, whole, monkeypatch):
    monkeypatch.setattr(beginning, "read_network", lambda: network)
    topology, subject = member_topology(whole[0]), whole[0].subject
    choice = TrainingChoice(
        network=network.kind, start="builtin", adaptation_steps=50, weights={"torque": 0.3}, patience=7
    )
    found = beginning.begin(choice, 2, topology, subject)
    assert found.told == "starts from the built-in network"
    # The orientations of segments go by way of the coordinates.
    for name, value in found.network.items():
        torch.testing.assert_close(value, network.network[name] if "head.2" not in name else value)
    settings = found.settings
    assert (settings.start, settings.steps, settings.seed, settings.patience) == ("builtin", 50, 2, 7)
    assert settings.weights == {"torque": 0.3} and settings.force_ramp(0) == 1.0
    stated = beginning.begin(dataclasses.replace(choice, steps=9), 2, topology, subject)
    assert stated.settings.steps == 9
    random = beginning.begin(dataclasses.replace(choice, start="random"), 2, topology, subject)
    assert random.network is None and random.settings.steps == 400 and not random.told


def test_what_is_shipped_is_small_and_fits_the_built_in_model(whole):
    """At most 2 MB, of numbers that are finite, and it says how it was made."""
    found = read_network()
    assert shipped.FILE.stat().st_size < 2e6
    assert all(value.isfinite().all() for value in found.network.values())
    assert {"gaits", "people", "steps", "seed", "errors"} <= found.made.keys()
    assert not why_not(found, found.kind, member_topology(whole[0]), whole[0].subject)
