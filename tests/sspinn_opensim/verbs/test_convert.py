"""`sspinn convert` of public models: it ends with a comparison with OpenSim."""

import json
import re

import pytest

import osim_models
from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import is_older
from sspinn_opensim.verbs import convert


@pytest.fixture
def public_models(repository):
    folder = repository.parent / "shared" / "models"
    if not folder.is_dir():
        pytest.skip("the public models are not beside this checkout (../shared/models)")
    return folder


def test_an_old_model_is_upgraded_first(public_models, tmp_path, caplog, only_files_of_the_table):
    given = public_models / "gait3d_pelvis213.osim"
    assert "under the feet" in str(convert.convert(given, tmp_path))
    only_files_of_the_table(tmp_path, "convert")
    upgraded = tmp_path / "gait3d_pelvis213_upgraded.osim"
    assert is_older(given) and not is_older(upgraded)
    summary = json.loads((tmp_path / "conversion.json").read_text())
    assert max(summary["largest_relative_error"].values()) < 1e-12
    assert "the model was written anew" in caplog.text


def test_the_defect_of_simbody_is_no_difference(public_models, tmp_path):
    found = convert.convert(public_models / "Rajagopal2015_opensense.osim", tmp_path)
    summary = json.loads((tmp_path / "conversion.json").read_text())
    assert max(summary["largest_relative_error"].values()) < 1e-12
    assert summary["simbody_defect_added_in"] == ["walker_knee_r", "walker_knee_l"]
    assert "walker_knee_r, walker_knee_l" in str(found)


def test_what_is_not_used_is_said_once_per_class():
    notes = ("Marker 'a': seen", "Marker 'b': seen", "CMC 'c': not run")
    assert convert._not_used(notes) == ["each of 2 Markers: seen", "CMC 'c': not run"]


def test_a_model_that_cannot_be_converted_leaves_nothing(tmp_path):
    file = tmp_path / "bad.osim"
    file.write_text('<OpenSimDocument Version="40000"><Model name="m"><Odd/></Model></OpenSimDocument>')
    with pytest.raises(InputError, match="Odd"):
        convert.convert(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("gravity", "noted"), [("0 -9.81 0", False), ("0 0 -9.81", True)])
def test_gravity_that_no_study_could_use_is_noted(tmp_path, caplog, gravity, noted):
    text = osim_models.path("planar_gait.osim").read_text()
    model = tmp_path / "model.osim"
    model.write_text(re.sub("<gravity>[^<]*</gravity>", f"<gravity>{gravity}</gravity>", text))
    with caplog.at_level("INFO"):
        convert.convert(model, tmp_path / "out")
    assert ("gravity does not point along -y" in caplog.text) == noted


def test_nobody_speaks_of_feet_where_there_are_none(public_models, tmp_path):
    assert "feet" not in str(convert.convert(public_models / "arm26.osim", tmp_path))


def test_a_conversion_is_delivered_unverified_where_opensim_takes_too_long(
    planar_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(convert, "_OPENSIM_TIME_S", 0.05)
    found = convert.convert(planar_file, tmp_path)
    summary = json.loads((tmp_path / "conversion.json").read_text())
    assert not found.verified and summary["verified"] is False and not summary["largest_relative_error"]
    assert "note: not compared with OpenSim" in str(found)
    assert not list(tmp_path.glob(".*"))


def test_a_conversion_that_was_compared_says_so(planar_file, tmp_path):
    assert convert.convert(planar_file, tmp_path).verified
    assert json.loads((tmp_path / "conversion.json").read_text())["verified"] is True


@pytest.fixture
def planar_file(repository):
    return repository / "osim_models" / "planar_gait.osim"
