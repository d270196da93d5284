"""People who share a network: who may, who learns what, and what a checkpoint of theirs is good for."""

import dataclasses

import numpy as np
import pytest
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.study import TrainingChoice
from sspinn_opensim.training import checkpoint
from sspinn_opensim.training.batches import WindowSource
from sspinn_opensim.training.checkpoint import (
    cohort_identity,
    identity,
    load_estimator,
    load_member,
    load_network,
    resume,
    save,
)
from sspinn_opensim.training.cohort import Cohort, single_person_cohort
from sspinn_opensim.training.settings import TrainingSettings, adaptation_settings
from sspinn_opensim.training.trainer import Trainer

SETTINGS = TrainingSettings(steps=4, batch=4, window_s=0.4, unscored_s=0.1)


def nothing(*_):
    pass


def belongs_to(pair, settings=SETTINGS):
    cohort, recordings = pair
    people = {m.name: identity(m.subject, recordings[m.name], settings) for m in cohort.members}
    return cohort_identity(people, settings)


def own_identity(member, recording):
    return identity(member.subject, recording, SETTINGS)


@pytest.fixture(scope="module")
def trained(pair, tmp_path_factory):
    """Return a trainer of two and its checkpoint."""
    path = tmp_path_factory.mktemp("cohort") / "checkpoint.pt"
    trainer = Trainer(pair[0], SETTINGS)
    trainer.run(nothing, lambda t: save(path, t, belongs_to(pair)))
    return trainer, path


def test_members_share_the_network_and_one_program_but_no_mounting(trained, pair):
    tall, small = trained[0].estimators
    assert tall.network is small.network
    assert not torch.equal(tall.mounting.rotation, small.mounting.rotation)
    assert pair[0].dynamics is pair[0].dynamics
    one, other = (member.subject for member in pair[0].members)
    assert one.model.content_hash != other.model.content_hash
    assert not np.array_equal(one.functions.parameters, other.functions.parameters)


def test_trials_of_one_person_share_the_mounting(pair):
    one, other = (dataclasses.replace(member, person="someone") for member in pair[0].members)
    stranger = dataclasses.replace(one, name="stranger", person="")
    first, second, third = Trainer(Cohort((one, other, stranger)), SETTINGS).estimators
    assert first.mounting is second.mounting and third.mounting is not first.mounting
    assert first.network is third.network


def test_the_network_sees_who_it_is(pair):
    tall, small = (member.signals.constants for member in pair[0].members)
    assert tall[0] > small[0] and tall[1] > small[1] and tall[2] > small[2]
    assert tall[3] == small[3] == 1.0


def test_an_unknown_speed_is_told_apart_from_none(make_member):
    member, _ = make_member("unknown", speed_m_s=None)
    assert member.signals.constants[2:].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("changes", "difference", "found"),
    [
        ({"bodies": ("pelvis", "femur_r", "tibia_r", "foot_r")}, "other sensors", "nothing more"),
        ({"fixed": {"lumbar_extension": 0.0}}, "other fixed coordinates", "lumbar_extension"),
        ({"time_s": np.arange(300) / 50.0}, "another sampling rate", "50.0"),
        (
            {"angular_rate_available": np.arange(21).reshape(7, 3) != 5},
            "other channels",
            "tibia_r angular rate z",
        ),
    ],
)
def test_a_person_of_another_kind_is_refused(pair, make_member, changes, difference, found):
    other, _ = make_member("other", **changes)
    with pytest.raises(
        InputError, match=f"'other' cannot share a network with 'tall': {difference}"
    ) as error:
        Cohort((pair[0].members[0], other))
    assert error.value.where == "member 'other'" and found in error.value.found and error.value.fix


def renamed_sphere(model):
    """Without the forces that name the sphere."""
    first, *others = model.contact_spheres
    spheres = (dataclasses.replace(first, name="sole"), *others)
    return dataclasses.replace(model, contact_spheres=spheres, contact_forces=()), "other contact points"


def other_axis(model):
    joints = list(model.joints)
    place = next(i for i, joint in enumerate(joints) if joint.name == "knee_r")
    turned = ((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    parent = dataclasses.replace(joints[place].parent, rotation=turned)
    joints[place] = dataclasses.replace(joints[place], parent=parent)
    return dataclasses.replace(model, joints=tuple(joints)), "equations of the models differ"


@pytest.mark.parametrize("change", [renamed_sphere, other_axis])
def test_a_model_of_another_kind_is_refused(pair, make_member, planar_model, change):
    model, difference = change(planar_model)
    other, _ = make_member("other", model=model)
    with pytest.raises(InputError, match=difference):
        Cohort((pair[0].members[0], other))


def test_names_are_unique_and_someone_is_there(pair):
    first = pair[0].members[0]
    with pytest.raises(InputError, match=r"Two members .* 'tall'"):
        Cohort((first, first))
    with pytest.raises(InputError, match="no members"):
        Cohort(())


def test_a_short_recording_is_refused_by_name(pair):
    first, *others = pair[0].members
    never = dataclasses.replace(first.signals, covered=torch.zeros_like(first.signals.covered))
    with pytest.raises(InputError, match="too short") as error:
        Trainer(Cohort((dataclasses.replace(first, signals=never), *others)), SETTINGS)
    assert error.value.where == "recording of 'tall'"


# --- the windows of a step ---


@pytest.fixture(scope="module")
def crowd(pair):
    """Return a cohort of six: the two under other names."""
    members = [dataclasses.replace(pair[0].members[i % 2], name=f"p{i}") for i in range(6)]
    return Cohort(tuple(members))


def drawn(source, step, rank=0):
    return [(part.member, part.windows.inputs) for part in source.draw(step, rank)]


def assert_equal(one, other):
    assert [member for member, _ in one] == [member for member, _ in other]
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(one, other, strict=True))


def test_a_step_is_drawn_from_seed_step_and_rank_alone(crowd):
    settings = dataclasses.replace(SETTINGS, batch=8)
    source, later = WindowSource(crowd, settings), WindowSource(crowd, settings)
    for step in range(5):
        source.draw(step)
    assert_equal(drawn(source, 3, 1), drawn(later, 3, 1))
    first = drawn(source, 3)
    for other in (drawn(source, 4), drawn(source, 3, 1)):
        assert not any(torch.equal(a, b) for (_, a), (_, b) in zip(first, other, strict=True))
    assert [member for member, _ in first] == [member for member, _ in drawn(source, 3, 1)]
    reseeded = WindowSource(crowd, dataclasses.replace(settings, seed=1))
    assert not torch.equal(drawn(reseeded, 3)[0][1], first[0][1])


def test_a_step_is_split_over_a_few_members_and_all_get_their_turn(crowd):
    source = WindowSource(crowd, dataclasses.replace(SETTINGS, batch=10, members=4))
    seen = set()
    for step in range(12):
        parts = source.draw(step)
        members = [part.member for part in parts]
        assert sorted(len(part.windows.inputs) for part in parts) == [2, 2, 3, 3]
        assert len(set(members)) == 4
        seen |= set(members)
    assert seen == set(range(6))


# --- learning together ---


def test_a_cohort_of_equals_learns_what_one_of_them_learns(pair):
    """Two members with the same body and signals: the mean of their losses is the loss of one of them."""
    first = pair[0].members[0]
    settings = dataclasses.replace(SETTINGS, batch=2)
    one = Trainer(single_person_cohort(first.subject, first.signals), settings)
    two = Trainer(Cohort((first, dataclasses.replace(first, name="again"))), settings)
    (part,) = one.source.draw(0)
    half = [dataclasses.replace(part, member=place) for place in (0, 1)]
    alone_loss = one.objective((part,), 0)
    shared_loss = two.objective(half, 0)
    for name, value in alone_loss.terms.items():
        assert shared_loss.terms[name].item() == pytest.approx(value.item(), rel=1e-4), name


def test_the_loss_of_a_cohort_falls(pair):
    trainer = Trainer(pair[0], dataclasses.replace(SETTINGS, steps=30, force_from=2.0, force_full=3.0))
    trainer.run(nothing, nothing)
    totals = [row["total"] for row in trainer.history]
    assert sum(totals[-3:]) < 0.8 * sum(totals[:3])


def test_a_resumed_cohort_is_the_uninterrupted_one_bit_for_bit(crowd, tmp_path):
    """Not all six are in every step: the moments of those who are out must not move either."""
    settings = dataclasses.replace(SETTINGS, steps=6)

    class EnoughError(Exception):
        pass

    def stop(progress):
        if progress.step == 3:
            raise EnoughError

    whole, half = Trainer(crowd, settings), Trainer(crowd, settings)
    whole.run(nothing, nothing)
    with pytest.raises(EnoughError):
        half.run(stop, nothing)
    torch.save(half.state(), tmp_path / "half.pt")
    resumed = Trainer(crowd, settings)
    resumed.load(torch.load(tmp_path / "half.pt", weights_only=True))
    resumed.run(nothing, nothing)
    assert resumed.history == whole.history and len(whole.history) == 6
    for name, value in whole.estimators.state_dict().items():
        assert torch.equal(value, resumed.estimators.state_dict()[name]), name


# --- checkpoints of many ---


def test_a_member_and_a_stranger_get_the_network(trained, pair, make_member):
    trainer, path = trained
    cohort, recordings = pair
    for member, estimator in zip(cohort.members, trainer.estimators, strict=True):
        own = own_identity(member, recordings[member.name])
        loaded = load_member(path, member.subject, member.signals, own, member.name)
        assert not loaded.training
        for name, value in estimator.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], value), name
    stranger, recording = make_member("stranger", small=True, speed_m_s=1.1)
    found = load_member(
        path, stranger.subject, stranger.signals, own_identity(stranger, recording), None
    ).state_dict()
    assert torch.equal(found["network.head.0.weight"], trainer.estimators[0].network.head[0].weight)
    assert not found["mounting.shift"].any() and found["decoder.centre"][0] == pytest.approx(1.1)


@pytest.mark.parametrize("enough", [8, 9])
def test_who_had_few_windows_of_a_cohort_has_the_network_of_others(trained, pair, monkeypatch, enough):
    """Four steps of four windows of two people: eight windows of each."""
    (member, _), recordings = pair[0].members, pair[1]
    monkeypatch.setattr(checkpoint, "_ENOUGH_WINDOWS", enough)
    own = own_identity(member, recordings[member.name])
    loaded = load_member(trained[1], member.subject, member.signals, own, member.name)
    assert loaded.of_others == (enough > 8)


@pytest.mark.parametrize("setting", ["steps", "batch"])
def test_a_checkpoint_that_lacks_what_is_counted_is_refused(trained, pair, tmp_path, setting):
    (member, _), recordings = pair[0].members, pair[1]
    content = torch.load(trained[1], weights_only=True)
    del content["identity"]["training"]["settings"][setting]
    torch.save(content, tmp_path / "checkpoint.pt")
    own = own_identity(member, recordings[member.name])
    with pytest.raises(InputError, match="checkpoint"):
        load_member(tmp_path / "checkpoint.pt", member.subject, member.signals, own, member.name)


def test_what_a_checkpoint_of_many_is_not_good_for(trained, pair, make_member):
    _, path = trained
    cohort, recordings = pair
    tall = cohort.members[0]
    own = own_identity(tall, recordings["tall"])
    with pytest.raises(InputError, match="not trained on 'nobody'"):
        load_member(path, tall.subject, tall.signals, own, "nobody")
    with pytest.raises(InputError, match=r"another 'people.small.model'"):
        load_member(path, tall.subject, tall.signals, own, "small")
    with pytest.raises(InputError, match="that of a cohort") as error:
        load_estimator(path, tall.subject, tall.signals, own)
    assert "sspinn adapt" in error.value.fix
    with pytest.raises(InputError, match="another kind of training"):
        resume(path, Trainer(single_person_cohort(tall.subject, tall.signals), SETTINGS), own)
    fewer, recording = make_member("fewer", bodies=("pelvis", "foot_r"))
    for use in (
        lambda: load_network(path, own_identity(fewer, recording)),
        lambda: load_member(path, fewer.subject, fewer.signals, own_identity(fewer, recording), None),
    ):
        with pytest.raises(InputError, match=r"another 'network.sensors'"):
            use()
    backwards = tuple(sensor.body for sensor in reversed(recordings["tall"].sensors))
    mixed, recording = make_member("mixed", bodies=backwards)
    for use in (
        lambda: load_network(path, own_identity(mixed, recording)),
        lambda: load_member(path, mixed.subject, mixed.signals, own_identity(mixed, recording), None),
    ):
        with pytest.raises(InputError, match="sensors in another order"):
            use()


def test_a_cohort_goes_on_with_the_same_people_only(trained, pair):
    cohort, recordings = pair
    again = Trainer(cohort, SETTINGS)
    resume(trained[1], again, belongs_to(pair))
    assert again.finished and again.history == trained[0].history
    louder = dataclasses.replace(recordings["small"], acceleration=recordings["small"].acceleration + 1)
    with pytest.raises(InputError, match=r"another 'people.small.recording'"):
        resume(trained[1], Trainer(cohort, SETTINGS), belongs_to((cohort, recordings | {"small": louder})))
    less = Cohort(cohort.members[:1])
    with pytest.raises(InputError, match=r"another 'people.small'"):
        resume(trained[1], Trainer(less, SETTINGS), belongs_to((less, recordings)))


# --- a new person ---


def test_adaptation_helps_an_unseen_person(trained, pair, make_member):
    """A few steps on unlabelled signals of a stranger lower the total loss on windows not drawn before."""
    stranger, recording = make_member("stranger", small=True, seconds=4.0, speed_m_s=1.0)
    network = load_network(trained[1], own_identity(stranger, recording))
    settings = dataclasses.replace(
        adaptation_settings(TrainingChoice(), 0, 20, "lstm"),
        batch=8,
        window_s=SETTINGS.window_s,
        unscored_s=SETTINGS.unscored_s,
    )
    cohort = single_person_cohort(stranger.subject, stranger.signals)

    def total(trainer):
        with torch.no_grad():
            batch = trainer.source.draw(10**6)
            return trainer.objective(batch, settings.steps).total.item()

    adapted, untouched = (Trainer(cohort, settings, network) for _ in range(2))
    before = total(adapted)
    assert before == total(untouched)
    adapted.run(nothing, nothing)
    assert total(adapted) < 0.8 * before


def test_no_steps_leave_the_network_as_it_is(trained, pair, make_member):
    stranger, recording = make_member("stranger", small=True)
    network = load_network(trained[1], own_identity(stranger, recording))
    trainer = Trainer(
        single_person_cohort(stranger.subject, stranger.signals),
        adaptation_settings(TrainingChoice(), 0, 0, "lstm"),
        network,
    )
    assert trainer.finished
    for name, value in trainer.estimators[0].network.state_dict().items():
        assert torch.equal(value, network[name]), name
