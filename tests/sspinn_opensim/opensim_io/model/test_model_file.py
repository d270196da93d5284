from pathlib import Path

import pytest
from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.models import describe_model
from sspinn_opensim.opensim_io.model.model_file import (
    active_ground_forces,
    contact_geometry,
    coordinate_actuators,
    coordinate_facts,
    muscle_names,
    read_model_tree,
    switch_ground_forces_off,
    write_model_tree,
)

PUBLIC = Path(__file__).parents[4] / "../shared/models"
needs_public_models = pytest.mark.skipif(not PUBLIC.is_dir(), reason="public models are not there")


def test_what_the_planar_model_says(model_file):
    tree = read_model_tree(model_file)
    facts = {fact.name: fact for fact in coordinate_facts(tree)}
    assert [name for name, fact in facts.items() if fact.is_root] == ["pelvis_tilt", "pelvis_tx", "pelvis_ty"]
    unspanned = [name for name, fact in facts.items() if not fact.spanned_by_muscle]
    assert unspanned == ["pelvis_tilt", "pelvis_tx", "pelvis_ty", "lumbar_extension"]
    assert all(fact.is_free for fact in facts.values())
    assert len(muscle_names(tree)) == 18
    assert "lumbar_extension" in coordinate_actuators(tree)
    carriers = {geometry.get("name"): body for body, geometry in contact_geometry(tree)}
    assert carriers == {
        "floor": "ground",
        "heel_r": "foot_r",
        "toe_r": "foot_r",
        "heel_l": "foot_l",
        "toe_l": "foot_l",
    }


def test_contact_switched_off_stays_off_in_opensim(model_file, tmp_path):
    tree = read_model_tree(model_file)
    active = active_ground_forces(tree)
    assert active and sorted(active) == sorted(switch_ground_forces_off(tree))
    assert not active_ground_forces(tree)
    written = write_model_tree(tmp_path / "off.osim", tree)
    assert not active_ground_forces(read_model_tree(written))
    assert run_job(describe_model, {"model": written}, timeout_s=60).values["name"] == "planar_gait"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "model file cannot be read: it does not exist"),
        ("<OpenSimDocument Version='40600'><Model>", "not well-formed XML"),
        ("<OpenSimDocument Version='40600'><ScaleTool/></OpenSimDocument>", "not an OpenSim model"),
        ("<OpenSimDocument Version='30000'><Model/></OpenSimDocument>", "before 4.0"),
        (f"<OpenSimDocument Version='{'4' * 5000}'><Model/></OpenSimDocument>", "before 4.0"),
    ],
)
def test_refuses_what_is_no_model_of_opensim_4(tmp_path, text, message):
    path = tmp_path / "x.osim"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_model_tree(path)


@pytest.mark.parametrize(
    ("socket", "offset_on"), [("", "/bodyset/pelvis"), ("a_frame", "a_frame"), ("/bodyset", "/")]
)
def test_a_frame_that_leads_to_no_body_is_refused(model_file, socket, offset_on):
    tree = read_model_tree(model_file)
    joint = tree.find("Model/JointSet/objects")[1]
    joint.find("socket_child_frame").text = socket
    other = tree.find("Model/JointSet/objects")[0]
    frame = etree.SubElement(etree.SubElement(other, "frames"), "PhysicalOffsetFrame", name="a_frame")
    etree.SubElement(frame, "socket_parent").text = offset_on
    if socket == "/bodyset":
        frame.set("name", "bodyset")
    with pytest.raises(InputError, match="a frame leads to no body"):
        coordinate_facts(tree)


def test_muscles_outside_the_force_set_are_refused(model_file, tmp_path):
    text = (
        model_file.read_text()
        .replace("<ForceSet ", "<ComponentSet ")
        .replace("</ForceSet>", "</ComponentSet>")
    )
    (tmp_path / "moved.osim").write_text(text)
    with pytest.raises(InputError, match="18 muscles elsewhere"):
        muscle_names(read_model_tree(tmp_path / "moved.osim"))


@needs_public_models
def test_couplers_and_locks_of_a_public_model():
    facts = {fact.name: fact for fact in coordinate_facts(read_model_tree(PUBLIC / "Rajagopal2016.osim"))}
    assert not facts["knee_angle_r_beta"].is_free and not facts["mtp_angle_l"].is_free
    assert facts["knee_angle_r"].is_free and facts["knee_angle_r"].spanned_by_muscle
    assert not facts["lumbar_extension"].spanned_by_muscle


@needs_public_models
def test_tags_with_a_double_colon_survive(tmp_path):
    source = PUBLIC / "bouncing_block.osim"
    written = write_model_tree(tmp_path / "x.osim", read_model_tree(source))
    assert written.read_bytes().count(b"::") == source.read_bytes().count(b"::") > 0
