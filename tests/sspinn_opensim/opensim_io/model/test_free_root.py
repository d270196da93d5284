"""The root of a scaled model may leave the range of its file; nothing else changes."""

import pytest

import osim_models
from sspinn_opensim.opensim_io.model.free_root import free_the_way
from sspinn_opensim.opensim_io.model.model_file import read_model_tree
from sspinn_opensim.opensim_io.static_optimization.preparation import lock, unclamp


@pytest.fixture
def subject(tmp_path):
    path = tmp_path / "subject.osim"
    text = osim_models.path("planar_gait.osim").read_text()
    path.write_text(text.replace("<clamped>false</clamped>", "<clamped>true</clamped>"))
    return path


def coordinates(tree):
    return {c.get("name"): c for c in tree.iterfind("Model/JointSet/objects/*/coordinates/Coordinate")}


def test_only_the_joint_with_ground_is_unclamped(subject):
    before = coordinates(read_model_tree(subject))
    clamped = {name for name, c in before.items() if c.findtext("clamped") == "true"}
    root = {"pelvis_tilt", "pelvis_tx", "pelvis_ty"}
    assert root <= clamped and "knee_angle_r" in clamped, "the test needs clamped coordinates"
    assert set(free_the_way(subject)) == root
    after = coordinates(read_model_tree(subject))
    assert {name for name, c in after.items() if c.findtext("clamped") == "true"} == clamped - root
    assert all(after[n].findtext("range") == before[n].findtext("range") for n in before)
    written = subject.read_bytes()
    assert free_the_way(subject) == [] and subject.read_bytes() == written


def test_static_optimization_s_copy_is_unclamped_and_locked_where_it_is_held(subject):
    tree = read_model_tree(subject)
    lock(tree, {"lumbar_extension": -0.2})
    unclamp(tree)
    found = coordinates(tree)
    assert {c.findtext("clamped") for c in found.values()} <= {"false", None}
    back = found["lumbar_extension"]
    assert back.findtext("locked") == "true" and float(back.findtext("default_value")) == -0.2
    assert [name for name, c in found.items() if c.findtext("locked") == "true"] == ["lumbar_extension"]
