"""What a study asks of its training."""

import re
import shutil
from importlib import import_module

import pytest

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.verbs import train


def test_a_study_that_estimates_the_root_alone_is_refused_before_training(tmp_path):
    examples = examples_folder()
    shutil.copytree(examples / "demo", tmp_path / "demo")
    text, head = (examples / "demo.toml").read_text(), "[coordinates]\n"
    assert head in text
    root = head + 'estimate = ["pelvis_tx", "pelvis_ty", "pelvis_tilt"]\n'
    study = tmp_path / "study.toml"
    study.write_text(text.replace(head, root))
    with recorded(tmp_path, "scale", study=read_study(study)):
        shutil.copy(osim_models.path("planar_gait.osim"), tmp_path / "subject.osim")
    with pytest.raises(InputError, match="No joint is estimated") as error:
        train.train(read_study(study), tmp_path)
    assert "[coordinates]" in error.value.where and "estimate" in error.value.fix
    assert not (tmp_path / "training").exists()


@pytest.mark.parametrize(
    "verb", ["scale", "train", "estimate", "evaluate", "muscles", "stream", "locate_sensors", "ablate"]
)
def test_a_model_alone_is_no_study(verb, tmp_path):
    """Also in a folder that holds all a verb needs: what it works on is the study."""
    out = tmp_path / "out"
    out.mkdir()
    model = osim_models.path("planar_gait")
    shutil.copy(model, ResultsFolder(out).subject)
    with pytest.raises(InputError, match="A model alone is no study") as error:
        getattr(import_module(f"sspinn_opensim.verbs.{verb}"), verb)(model, out)
    assert error.value.where == str(model) and "[model]" in error.value.fix


def test_a_model_without_gravity_is_refused_before_training(tmp_path):
    examples = examples_folder()
    shutil.copytree(examples / "demo", tmp_path / "demo")
    shutil.copy(examples / "demo.toml", tmp_path / "study.toml")
    text = osim_models.path("planar_gait.osim").read_text()
    weightless = re.sub("<gravity>[^<]*</gravity>", "<gravity>0 0 0</gravity>", text)
    with recorded(tmp_path, "scale", study=read_study(tmp_path / "study.toml")):
        (tmp_path / "subject.osim").write_text(weightless)
    with pytest.raises(InputError, match="no gravity"):
        train.train(read_study(tmp_path / "study.toml"), tmp_path)
    assert not (tmp_path / "training").exists()
