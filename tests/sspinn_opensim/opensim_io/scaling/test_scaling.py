import json
from pathlib import Path

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.models import describe_model
from sspinn_opensim.opensim_io.documents import child_text
from sspinn_opensim.opensim_io.model.model_file import contact_geometry, read_model_tree
from sspinn_opensim.opensim_io.scaling.scale import copy_scaled, scale_bodies, scale_by_height_and_mass

PUBLIC = Path(__file__).parents[4] / "../shared/models"
FACTOR = 1.73 / 1.80


def numbers(element, tag):
    return np.array(child_text(element, tag).split(), float)


def offset_frames(tree):
    """Frames by the name of the joint or body that holds them and their own."""
    frames = tree.iter("PhysicalOffsetFrame")
    return {(frame.getparent().getparent().get("name"), frame.get("name")): frame for frame in frames}


@pytest.fixture(scope="module")
def scaled(model_file, person, tmp_path_factory):
    subject = tmp_path_factory.mktemp("scaled") / "subject.osim"
    return subject, scale_by_height_and_mass(model_file, subject, person())


def test_total_mass_is_exact_and_shares_are_kept(scaled, model_file):
    subject, report = scaled
    after = run_job(describe_model, {"model": subject}, timeout_s=60)
    assert after.values["total_mass_kg"] == pytest.approx(73.0, rel=1e-9) == report.mass_kg
    assert not after.log_warnings
    for before_kg, after_kg in report.body_mass_kg.values():
        assert after_kg / before_kg == pytest.approx(73.0 / 75.0, rel=1e-12)
    assert all(factors == pytest.approx((FACTOR,) * 3, rel=1e-15) for factors in report.factors.values())


def test_people_have_names_that_components_may_not_have(model_file, person, tmp_path):
    subject = tmp_path / "subject.osim"
    report = scale_by_height_and_mass(model_file, subject, person(name="Anna Ö. / knee *2+"))
    assert report.name == "Anna Ö. / knee *2+"
    assert read_model_tree(subject).find("Model").get("name") == "Anna_Ö.___knee__2_"
    assert not run_job(describe_model, {"model": subject}, timeout_s=60).log_warnings


def test_inertia_and_muscles_scale(scaled, model_file):
    before = run_job(describe_model, {"model": model_file}, timeout_s=60).values
    after = run_job(describe_model, {"model": scaled[0]}, timeout_s=60).values
    for body, inertia in before["body_inertia"].items():
        expected = np.array(inertia) * (73.0 / 75.0) * FACTOR**2
        np.testing.assert_allclose(after["body_inertia"][body], expected, rtol=1e-12)
    assert after["muscles"] == before["muscles"]
    for muscle, length in before["muscle_length_m"].items():
        assert after["muscle_length_m"][muscle] == pytest.approx(length * FACTOR, rel=1e-9)


def test_joints_imu_frames_and_contact_scale_with_their_bodies(scaled, model_file):
    before, after = read_model_tree(model_file), read_model_tree(scaled[0])
    frames = offset_frames(after)
    for key, frame in offset_frames(before).items():
        expected = numbers(frame, "translation") * FACTOR
        np.testing.assert_allclose(numbers(frames[key], "translation"), expected, rtol=1e-12, atol=1e-15)
    assert sum(name.endswith("_imu") for _, name in frames) == 7
    spheres = {geometry.get("name"): geometry for _, geometry in contact_geometry(after)}
    for body, sphere in contact_geometry(before):
        factor = 1.0 if body == "ground" else FACTOR
        for tag in ("location", "radius"):
            found = numbers(spheres[sphere.get("name")], tag)
            np.testing.assert_allclose(found, numbers(sphere, tag) * factor, rtol=1e-12)
    assert scaled[1].contact == ("heel_r", "toe_r", "heel_l", "toe_l")


def test_contact_parameters_stay(scaled, model_file):
    def parameters(path):
        keys = ("stiffness", "dissipation", "static_friction", "dynamic_friction", "viscous_friction")
        forces = read_model_tree(path).iter("SmoothSphereHalfSpaceForce")
        return [[float(child_text(force, key)) for key in keys] for force in forces]

    assert parameters(scaled[0]) == parameters(model_file) != []


def test_each_body_may_have_its_own_factors(model_file, person, tmp_path):
    bodies = run_job(describe_model, {"model": model_file}, timeout_s=60).values["body_mass_kg"]
    factors = {body: (1.0, 1.0, 1.0) for body in bodies} | {"foot_r": (1.1, 0.9, 1.2)}
    scale_bodies(model_file, tmp_path / "subject.osim", person(), factors)
    before, after = (
        {geometry.get("name"): geometry for _, geometry in contact_geometry(read_model_tree(path))}
        for path in (model_file, tmp_path / "subject.osim")
    )
    moved = numbers(before["toe_r"], "location") * [1.1, 0.9, 1.2]
    np.testing.assert_allclose(numbers(after["toe_r"], "location"), moved, rtol=1e-14)
    np.testing.assert_array_equal(numbers(after["toe_l"], "location"), numbers(before["toe_l"], "location"))
    with pytest.raises(InputError, match="factors and bodies of the model differ"):
        scale_bodies(model_file, tmp_path / "x.osim", person(), factors | {"fot_l": (1, 1, 1)})


def test_report_prints_and_serialises(scaled):
    _, report = scaled
    text = report.table()
    assert "P01: 1.730 m (generic 1.800 m), 73.000 kg" in text and "0.9611" in text and "heel_r" in text
    assert json.loads(json.dumps(report.to_json()))["factors"]["foot_l"] == pytest.approx([FACTOR] * 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height_m": 173.0}, "(?s)height is implausible.*divide it by 100"),
        ({"mass_kg": 73000.0}, "(?s)mass is implausible.*divide it by 1000"),
        ({"height_m": 0.0}, "height is implausible"),
        ({"mass_kg": -1.0}, "mass is implausible"),
        ({"height_m": float("nan")}, "height is implausible"),
    ],
)
def test_implausible_person_is_refused(model_file, person, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        scale_by_height_and_mass(model_file, tmp_path / "subject.osim", person(**change))
    assert not list(tmp_path.iterdir())


def test_unknown_generic_height_is_asked_for(model_file, person, tmp_path):
    other = tmp_path / "other.osim"
    other.write_text(model_file.read_text().replace('<Model name="planar_gait">', '<Model name="other">'))
    with pytest.raises(InputError, match="state generic_height_m"):
        scale_by_height_and_mass(other, tmp_path / "subject.osim", person())
    report = scale_by_height_and_mass(other, tmp_path / "subject.osim", person(), generic_height_m=1.73)
    assert report.factors["torso"] == (1.0, 1.0, 1.0)


def test_a_body_mesh_is_refused(model_file, person, tmp_path):
    text = model_file.read_text().replace('<ContactSphere name="heel_r">', '<ContactMesh name="heel_r">', 1)
    text = text.replace("</ContactSphere>", "</ContactMesh>", 1)
    (tmp_path / "mesh.osim").write_text(text)
    with pytest.raises(InputError, match="ContactMesh 'heel_r' on body 'foot_r' cannot be scaled"):
        scale_by_height_and_mass(tmp_path / "mesh.osim", tmp_path / "subject.osim", person())


def test_a_scaled_model_is_copied_after_a_check_of_its_mass(scaled, person, tmp_path):
    subject, _ = scaled
    report = copy_scaled(subject, tmp_path / "copy.osim", person())
    assert (tmp_path / "copy.osim").read_bytes() == subject.read_bytes()
    assert report.factors["pelvis"] == (1.0, 1.0, 1.0) and "as given" in report.table()
    with pytest.raises(InputError, match="another mass than the person"):
        copy_scaled(subject, tmp_path / "other.osim", person(mass_kg=90.0))
    assert not (tmp_path / "other.osim").exists()


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="public models are not there")
def test_a_public_model_with_contact_and_coupled_axes(person, tmp_path):
    report = scale_by_height_and_mass(
        PUBLIC / "gait2d.osim", tmp_path / "subject.osim", person(), generic_height_m=1.80
    )
    assert report.mass_kg == pytest.approx(73.0, rel=1e-9) and "heel_r" in report.contact
