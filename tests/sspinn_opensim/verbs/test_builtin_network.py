"""The network that is shipped, as users meet it: no training at all, a shorter one, a known person again."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim import cli
from sspinn_opensim.estimation import Estimator
from sspinn_opensim.estimation.verdict.judgement import FitVerdict
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.recording import read_recording
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import examples_folder, override
from sspinn_opensim.verbs import adapt, estimate, train

#: Degrees, against the demo's walk, of which the network saw nothing; the legs of a posture that never moves
#: (hip 10, knee -20, ankle 0) are 13 degrees off.
UNSEEN_DEG = 3.0
LEGS = ("hip_flexion_r", "knee_angle_r", "ankle_angle_r", "hip_flexion_l", "knee_angle_l", "ankle_angle_l")


@pytest.fixture(scope="module")
def unseen(study, tmp_path_factory):
    """Return the results of the shipped network as it is, by the command line, in a folder that was empty."""
    out = tmp_path_factory.mktemp("unseen") / "results"
    assert cli.main(["estimate", str(study.path), "--out", str(out), "--network", "builtin"]) == 0
    return out


@pytest.fixture
def scaled(scaled, tmp_path):
    """Return a copy to train in: other tests begin at the folder itself."""
    return shutil.copytree(scaled, tmp_path / "scaled")


def state_of(folder):
    return torch.load(folder / "training/seed_0/checkpoint.pt", weights_only=True)["state"]


def test_no_training_is_needed(unseen, only_files_of_the_table):
    found, truth = (
        read_storage(path)
        for path in (unseen / "kinematics.mot", examples_folder() / "demo" / "reference_kinematics.mot")
    )
    errors = [found.column(name) - np.interp(found.time_s, truth.time_s, truth.column(name)) for name in LEGS]
    assert np.sqrt(np.mean(np.square(errors))) < UNSEEN_DEG
    force = read_storage(unseen / "grf.mot")
    up = sum(force.column(f"foot_{side}_ground_force_vy") for side in "rl")
    # Body weight, on average over the strides of a walk: 68 kg.
    assert up.mean() == pytest.approx(68.0 * 9.81, rel=0.1)
    assert state_of(unseen)["step"] == 0
    only_files_of_the_table(unseen, "scale", "adapt", "estimate")


def test_it_is_called_what_it_is(unseen, study, tmp_path, capsys):
    """Not an adaptation of no steps, nor a network that was trained in the folder; nothing is told twice."""
    capsys.readouterr()
    out = shutil.copytree(unseen, tmp_path / "again")
    assert cli.main(["estimate", str(study.path), "--out", str(out), "--network", "builtin"]) == 0
    told = "".join(capsys.readouterr())
    assert "0 steps" not in told and "network as it is, without adaptation" in told
    assert "steps/min from strike to strike" in told
    ends = ["--from", "recording", "--to", "files", "--speed", "20"]
    assert cli.main(["stream", str(study.path), "--out", str(out), *ends]) == 0
    told = "".join(capsys.readouterr())
    assert "by the built-in network as it is" in told and told.count("All sensors are there") == 1


def test_the_advice_is_to_adapt_it(unseen, study, monkeypatch):
    bad = FitVerdict(failures=("sensor 'foot_r' is off",))
    monkeypatch.setattr("sspinn_opensim.verbs.estimate.judge", lambda fits: bad)
    assert "sspinn adapt STUDY --from builtin" in str(estimate.estimate(study, unseen).fit)
    assert "adapt" not in str(bad)


def test_it_is_the_same_in_memory(unseen, study):
    """Segments are inclined by their sensors there, too."""
    recording = read_recording(study)
    found = Estimator.load(unseen).estimate(recording)
    written = read_storage(ResultsFolder(unseen).seed(0).kinematics)
    for name in LEGS:
        curve = np.degrees(found.q[:, found.coordinates.index(name)])
        np.testing.assert_allclose(written.column(name), curve, atol=1e-3, err_msg=name)


def test_it_can_be_asked_for_again_but_does_not_replace_a_training(unseen, study, scaled, tmp_path):
    estimate.estimate(study, unseen, network="builtin")
    train.train(study, scaled)
    with pytest.raises(InputError, match="would be lost") as error:
        estimate.estimate(study, scaled, network="builtin")
    assert "--out" in error.value.fix
    with pytest.raises(InputError, match="no such network"):
        estimate.estimate(study, tmp_path / "new", network="bultin")


def test_a_training_starts_from_it_and_says_so(study, scaled):
    out = scaled
    done = train.train(_from_builtin(study), out, restart=True)
    assert any("starts from the built-in network" in note for note in done.notes)
    with pytest.raises(InputError, match="another 'settings"):
        train.train(study, out)
    again = train.train(study, out, restart=True)
    assert not any("starts from" in note for note in again.notes)


def _from_builtin(study):
    return dataclasses.replace(study, training=dataclasses.replace(study.training, start="builtin"))


def test_a_known_person_keeps_how_the_sensors_sit(study, scaled, tmp_path):
    """A recording of the same person with the same sensors goes on from the mountings that were learnt."""
    train.train(study, scaled, restart=True)
    known = state_of(scaled)["people"]["person"]
    assert known["mounting.rotation"].abs().max() > 0
    same, other = tmp_path / "same", tmp_path / "other"
    adapt.adapt(study, scaled, same, steps=0)
    taller = dataclasses.replace(study, person=dataclasses.replace(study.person, height_m=1.80))
    adapt.adapt(taller, scaled, other, steps=0)
    for name in ("mounting.rotation", "mounting.shift"):
        assert torch.equal(state_of(same)["people"]["person"][name], known[name])
        assert not state_of(other)["people"]["person"][name].any()


def test_adapting_the_shipped_network_is_training_from_it(study, scaled, tmp_path):
    one = tmp_path / "one"
    adapt.adapt(study, "builtin", one, steps=2)
    train.train(_from_builtin(override(study, steps=2)), scaled, restart=True)
    for name, value in state_of(one)["network"].items():
        assert torch.equal(value, state_of(scaled)["network"][name]), name
