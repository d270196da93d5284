import dataclasses
import errno
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.training.checkpoint import identity, load_estimator, network_kind, resume, save
from sspinn_opensim.training.cohort import ONE_PERSON, single_person_cohort
from sspinn_opensim.training.networks import NETWORKS
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import make_subject
from sspinn_opensim.training.trainer import Trainer

SETTINGS = TrainingSettings(steps=4, batch=2, window_s=0.3, unscored_s=0.1, weights={"torque": 0.3})


OTHER_NETWORK = next(kind for kind in NETWORKS if kind != SETTINGS.network)


@pytest.fixture(scope="module")
def trained(walker, tmp_path_factory):
    """Return a trained trainer and its checkpoint."""
    path = tmp_path_factory.mktemp("training") / "seed_0" / "checkpoint.pt"
    trainer = Trainer(single_person_cohort(walker.subject, walker.signals), SETTINGS)
    trainer.run(lambda _: None, lambda t: save(path, t, identity(walker.subject, walker.recording, SETTINGS)))
    return trainer, path


@pytest.fixture
def checkpoint(trained, tmp_path):
    """Return a copy of the checkpoint that a test may spoil."""
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(trained[1].read_bytes())
    return path


def load(path, walker, subject=None, recording=None, settings=SETTINGS):
    subject, recording = subject or walker.subject, recording or walker.recording
    return load_estimator(path, subject, walker.signals, identity(subject, recording, settings))


def go_on(path, walker, subject=None, recording=None, settings=SETTINGS):
    trainer = Trainer(single_person_cohort(walker.subject, walker.signals), SETTINGS)
    resume(path, trainer, identity(subject or walker.subject, recording or walker.recording, settings))
    return trainer


def test_what_was_learnt_comes_back(trained, walker):
    trainer, path = trained
    estimator = load(path, walker)
    assert not estimator.training
    for name, value in trainer.estimators[0].state_dict().items():
        assert torch.equal(estimator.state_dict()[name], value), name


def test_a_training_goes_on_from_it(trained, walker):
    resumed = go_on(trained[1], walker)
    assert resumed.step == 4 and resumed.history == trained[0].history


def test_velocities_keep_their_centre_for_a_recording_at_another_speed(trained, walker):
    recording = dataclasses.replace(walker.recording, speed_m_s=2.0)
    signals = make_signals(recording, walker.subject)
    estimator = load_estimator(
        trained[1], walker.subject, signals, identity(walker.subject, recording, SETTINGS)
    )
    assert torch.equal(estimator.decoder.centre, trained[0].estimators[0].decoder.centre)


def heavier(walker):
    bodies = tuple(dataclasses.replace(b, mass=b.mass * 1.01) for b in walker.model.bodies)
    model = dataclasses.replace(walker.model, bodies=bodies)
    return {"subject": make_subject(model, walker.recording, {}, height_m=1.8)}


def taller(walker):
    return {"subject": dataclasses.replace(walker.subject, height_m=1.9)}


def fixed(walker):
    return {"subject": dataclasses.replace(walker.subject, fixed={"lumbar_extension": 0.0})}


def moved_sensor(walker):
    first, *others = walker.recording.sensors
    moved = dataclasses.replace(first, position=(0.0, 0.1, 0.0))
    return {"recording": dataclasses.replace(walker.recording, sensors=(moved, *others))}


def missing_channel(walker):
    available = np.array(walker.recording.acceleration_available)
    available[0, 0] = False
    return {"recording": dataclasses.replace(walker.recording, acceleration_available=available)}


def another_rate(walker):
    return {"recording": dataclasses.replace(walker.recording, time_s=2 * walker.recording.time_s)}


def other_samples(walker):
    return {
        "recording": dataclasses.replace(walker.recording, acceleration=walker.recording.acceleration + 1)
    }


def other_variance(walker):
    variance = walker.recording.angular_rate_variance + 1
    return {"recording": dataclasses.replace(walker.recording, angular_rate_variance=variance)}


def other_speed(walker):
    return {"recording": dataclasses.replace(walker.recording, speed_m_s=1.9)}


def more_steps(_):
    return {"settings": dataclasses.replace(SETTINGS, steps=9)}


def other_weights(_):
    return {"settings": dataclasses.replace(SETTINGS, weights={"torque": 0.3, "trunk": 2.0})}


def other_network(_):
    return {"settings": dataclasses.replace(SETTINGS, network=OTHER_NETWORK)}


OF_THE_BODY = {
    "model": heavier,
    "height_m": taller,
    "fixed.lumbar_extension": fixed,
    "sensors": moved_sensor,
    "acceleration_available": missing_channel,
    "sampling_rate_hz": another_rate,
}
OF_THE_TRAINING = {
    "recording": other_samples,
    "recording ": other_variance,
    "speed_m_s": other_speed,
    "settings.steps": more_steps,
    "settings.weights.trunk": other_weights,
    "settings.network": other_network,
}


@pytest.mark.parametrize("name", OF_THE_BODY | OF_THE_TRAINING)
def test_a_training_does_not_go_on_with_something_else(checkpoint, walker, name):
    with pytest.raises(InputError) as error:
        go_on(checkpoint, walker, **(OF_THE_BODY | OF_THE_TRAINING)[name](walker))
    assert error.value.what == f"The checkpoint was made with another '{name.strip()}'."
    assert error.value.where == str(checkpoint) and "--restart" in error.value.fix


@pytest.mark.parametrize("name", OF_THE_BODY)
def test_an_estimate_needs_the_same_body_and_sensors(checkpoint, walker, name):
    with pytest.raises(InputError, match=f"another '{name}'") as error:
        load(checkpoint, walker, **OF_THE_BODY[name](walker))
    assert "train again" in error.value.fix


def test_an_estimate_may_be_of_another_recording(checkpoint, walker):
    load(checkpoint, walker, **other_samples(walker))


def test_an_estimate_is_that_of_the_network_that_was_trained(walker, tmp_path):
    """Whatever kind of network the study asks for by now."""
    settings = dataclasses.replace(SETTINGS, network=OTHER_NETWORK)
    trainer, path = (
        Trainer(single_person_cohort(walker.subject, walker.signals), settings),
        tmp_path / "checkpoint.pt",
    )
    belongs_to = identity(walker.subject, walker.recording, settings)
    trainer.run(lambda _: None, lambda t: save(path, t, belongs_to))
    found, expected = load(path, walker).network, trainer.estimators[0].network
    assert type(found) is type(expected) is NETWORKS[OTHER_NETWORK] and network_kind(path) == OTHER_NETWORK
    assert all(torch.equal(value, found.state_dict()[name]) for name, value in expected.state_dict().items())
    again = Trainer(single_person_cohort(walker.subject, walker.signals), settings)
    resume(path, again, belongs_to)
    assert again.finished and again.history == trainer.history


def test_a_network_of_before_there_was_a_choice_is_an_lstm(checkpoint, walker):
    content = torch.load(checkpoint, weights_only=True)
    del content["identity"]["training"]["settings"]["network"]
    torch.save(content, checkpoint)
    assert network_kind(checkpoint) == "lstm" and type(load(checkpoint, walker).network) is NETWORKS["lstm"]


def test_without_a_checkpoint(tmp_path, walker):
    with pytest.raises(InputError, match="no trained network") as error:
        load(tmp_path / "checkpoint.pt", walker)
    assert "sspinn train" in error.value.fix


def test_an_unfinished_training_is_not_used(checkpoint, walker):
    content = torch.load(checkpoint, weights_only=True)
    content["state"] |= {"step": 3, "finished": False}
    torch.save(content, checkpoint)
    with pytest.raises(InputError, match="not finished") as error:
        load(checkpoint, walker)
    assert (error.value.expected, error.value.found) == ("4 steps", "3 steps")


def cut(path):
    path.write_bytes(path.read_bytes()[:2000])


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("time,x\n0,1\n")


def another_content(path):
    torch.save({"weights": torch.zeros(3)}, path)


def without_format(path):
    content = torch.load(path, weights_only=True)
    del content["format"]
    torch.save(content, path)


def no_number(path):
    content = torch.load(path, weights_only=True)
    next(iter(content["state"]["network"].values())).view(-1)[0] = float("nan")
    torch.save(content, path)


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def another_archive(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("sheet.xml", "<x/>")


def another_kind_of_content(path):
    torch.save([1, 2], path)


def an_object(path):
    torch.save({"format": SimpleNamespace()}, path)


SPOILT = [cut, empty, text, flipped, another_archive, another_content, another_kind_of_content, an_object]


@pytest.mark.parametrize("spoil", [*SPOILT, without_format, no_number])
def test_a_broken_file_is_one_clear_error(checkpoint, walker, spoil):
    spoil(checkpoint)
    for use in (load, go_on):
        with pytest.raises(InputError, match="cannot be read") as error:
            use(checkpoint, walker)
        assert error.value.where == str(checkpoint) and "--restart" in error.value.fix
        assert "\n" not in error.value.found


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("can't allocate memory"), AttributeError("a bug")]
)
def test_what_says_nothing_against_the_file_does_not_advise_to_throw_it_away(
    checkpoint, walker, monkeypatch, error
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(torch, "load", fail)
    for use in (load, go_on):
        with pytest.raises(type(error)):
            use(checkpoint, walker)


def test_another_version_is_refused(checkpoint, walker):
    content = torch.load(checkpoint, weights_only=True)
    torch.save(content | {"format": 99}, checkpoint)
    with pytest.raises(InputError, match="another version"):
        load(checkpoint, walker)


def test_a_network_of_other_sizes_is_refused(checkpoint, walker):
    content = torch.load(checkpoint, weights_only=True)
    content["state"]["people"][ONE_PERSON].pop("mounting.shift")
    torch.save(content, checkpoint)
    for use in (load, go_on):
        with pytest.raises(InputError, match="holds another network"):
            use(checkpoint, walker)


@pytest.mark.parametrize("library", ["torch", "sspinn_opensim"])
def test_a_training_goes_on_with_the_same_versions_only(checkpoint, walker, library):
    content = torch.load(checkpoint, weights_only=True)
    content["versions"][library] = "0.0.1"
    torch.save(content, checkpoint)
    with pytest.raises(InputError, match=f"another 'versions.{library}'"):
        go_on(checkpoint, walker)
    load(checkpoint, walker)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("operation", [(Path, "write_bytes"), (os, "replace")], ids=["write", "replace"])
def test_an_interrupted_save_leaves_the_old_checkpoint(
    checkpoint, trained, walker, monkeypatch, operation, failure
):
    old = checkpoint.read_bytes()

    def fail(*_):
        raise failure

    monkeypatch.setattr(*operation, fail)
    with pytest.raises((InputError, KeyboardInterrupt)) as error:
        save(checkpoint, trained[0], identity(walker.subject, walker.recording, SETTINGS))
    assert checkpoint.read_bytes() == old
    assert [file.name for file in checkpoint.parent.iterdir()] == ["checkpoint.pt"]
    if isinstance(failure, OSError):
        assert error.value.found == "No space left on device" and "free space" in error.value.fix
