import math

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.model.model_file import read_model_tree
from sspinn_opensim.opensim_io.scaling import segments as scaling_segments
from sspinn_opensim.opensim_io.scaling.choices import Segment
from sspinn_opensim.opensim_io.scaling.finish import describe
from sspinn_opensim.opensim_io.scaling.scale import scale_bodies
from sspinn_opensim.opensim_io.scaling.segments import scale_by_segments

HEIGHT = 1.73 / 1.80


@pytest.fixture(scope="module")
def model(model_file):
    return describe(model_file)


def between(model, one, other):
    return math.dist(model["joints"][one]["center"], model["joints"][other]["center"])


def test_lengths_scale_their_bodies_and_height_the_rest(model_file, model, person, tmp_path):
    thigh, shank = between(model, "hip_r", "knee_r"), between(model, "knee_l", "ankle_l")
    segments = [Segment("thigh", 1.05 * thigh), Segment("shank_l", 0.98 * shank), Segment("foot", 0.26)]
    report = scale_by_segments(model_file, tmp_path / "subject.osim", person(), segments)
    foot = 0.26 / (0.152 * 1.80)
    expected = {
        **{body: HEIGHT for body in ("pelvis", "torso", "tibia_r")},
        **{"femur_r": 1.05, "femur_l": 1.05, "tibia_l": 0.98, "foot_r": foot, "foot_l": foot},
    }
    assert report.factors == {body: pytest.approx((s,) * 3, rel=1e-12) for body, s in expected.items()}
    assert report.mass_kg == pytest.approx(73.0, rel=1e-9) and report.method == "measured segments"
    scaled = describe(tmp_path / "subject.osim")
    assert between(scaled, "hip_l", "knee_l") == pytest.approx(1.05 * thigh, rel=1e-9)
    assert "0.9611 for pelvis, torso, tibia_r" in report.measured["body height"]
    assert report.contact == ("heel_r", "toe_r", "heel_l", "toe_l")


def test_a_girth_scales_across_and_is_held_against_a_cylinder_of_the_mass(
    model_file, model, person, tmp_path
):
    length, mass = between(model, "hip_r", "knee_r"), model["bodies"]["femur_r"]["mass_kg"]
    radius = math.sqrt(mass / (1050.0 * math.pi * length))  # density of the thigh: Winter (2009)
    segments = [Segment("thigh", length, circumference_m=2 * math.pi * radius * 1.1)]
    report = scale_by_segments(model_file, tmp_path / "subject.osim", person(), segments)
    for body in ("femur_r", "femur_l"):
        np.testing.assert_allclose(report.factors[body], (1.1, 1.0, 1.1), rtol=1e-12)
    by_volume = scale_by_segments(
        model_file, tmp_path / "subject.osim", person(), segments, preserve_mass_distribution=False
    )
    shares = {body: after / before for body, (before, after) in by_volume.body_mass_kg.items()}
    assert shares["femur_r"] / shares["tibia_r"] == pytest.approx(1.1**2 / HEIGHT**3, rel=1e-9)
    assert by_volume.mass_kg == pytest.approx(73.0, rel=1e-9)


def test_a_girth_alone_leaves_the_length_to_the_height(model_file, person, tmp_path):
    segments = [Segment("shank_r", circumference_m=0.33)]
    report = scale_by_segments(model_file, tmp_path / "subject.osim", person(), segments)
    x, y, z = report.factors["tibia_r"]
    assert y == pytest.approx(HEIGHT) and x == z != y


def test_places_and_bodies_of_the_users_own(model_file, model, person, tmp_path):
    spine = Segment("spine", 0.5, between=("back", "pelvis"), bodies=("torso",), axes="y")
    length = math.dist(model["joints"]["back"]["center"], model["bodies"]["pelvis"]["origin"])
    report = scale_by_segments(model_file, tmp_path / "subject.osim", person(), [spine])
    x, y, z = report.factors["torso"]
    assert (x, z) == (pytest.approx(HEIGHT),) * 2 and y == pytest.approx(0.5 / length)
    assert any("implausible factors of torso" in doubt for doubt in report.doubts)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([Segment("tigh", 0.4)], "(?s)'tigh' is not known.*did you mean 'thigh'"),
        ([Segment("thigh", 0.4), Segment("thigh_r", 0.4)], "stands for both sides"),
        ([Segment("thigh")], "without a measure"),
        ([Segment("thigh", 42.0)], "(?s)no person's length_m.*0.02 to 1.5 m"),
        ([Segment("foot", 0.26, circumference_m=0.3)], "circumference cannot be used for 'foot'"),
        ([Segment("upper_arm", 0.3)], "(?s)no body that is called right upper_arm.*between"),
        ([Segment("thigh", 0.4, between=("hip_r", "femur_r"))], "(?s)'thigh' has no length.*0 mm"),
        ([Segment("leg", 0.8, between=("hip_r", "ancle_r"), bodies=("femur_r",))], "did you mean 'ankle_r'"),
        ([Segment("leg", 0.8, between=("hip_r", "ankle_r"), bodies=("femur",))], "no body 'femur'"),
        ([Segment("thigh", 0.4, axes="q")], "axes are some of x, y, z"),
        (
            [Segment("thigh", 0.4), Segment("leg", 0.8, between=("hip_r", "ankle_r"), bodies=("femur_r",))],
            "two measurements scale 'femur_r' along x",
        ),
    ],
)
def test_what_cannot_be_used_is_one_clear_error(
    model_file, model, person, tmp_path, monkeypatch, segments, message
):
    monkeypatch.setattr(scaling_segments, "describe", lambda file: model)
    with pytest.raises(InputError, match=message):
        scale_by_segments(model_file, tmp_path / "subject.osim", person(), segments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "rename"),
    [
        ("Rajagopal2016", {}),
        ("gait2392_thelen2003", {}),
        # Sides in front and other words for the bodies.
        ("gait2392_thelen2003", {"femur_r": "RightThigh", "femur_l": "LeftThigh", "tibia_r": "r_shank"}),
    ],
)
def test_lengths_of_a_scaled_model_find_its_factors_again(shared, person, tmp_path, name, rename):
    """What a tape finds on a person whose factors are known gives these factors, however bodies are named."""
    text = (shared / "models" / f"{name}.osim").read_text()
    for old, new in rename.items():
        text = text.replace(f'"{old}"', f'"{new}"').replace(f"/bodyset/{old}<", f"/bodyset/{new}<")
    (generic := tmp_path / "generic.osim").write_text(text)
    bodies = [body.get("name") for body in read_model_tree(generic).iterfind("Model/BodySet/objects/Body")]
    true = {body: (1.0,) * 3 for body in bodies} | {"pelvis": (1.0, 1.0, 1.05)}
    true |= {rename.get(f"femur_{s}", f"femur_{s}"): (1.1,) * 3 for s in "rl"}
    true |= {rename.get(f"tibia_{s}", f"tibia_{s}"): (0.95,) * 3 for s in "rl"}
    true |= {body: (1.1,) * 3 for body in bodies if body.startswith("patella")}
    scale_bodies(generic, tmp_path / "true.osim", person(), true)
    measured = describe(tmp_path / "true.osim")
    segments = [
        Segment("thigh", between(measured, "hip_r", named(measured, "knee_r", "walker_knee_r"))),
        Segment("shank_r", between(measured, named(measured, "knee_r", "walker_knee_r"), "ankle_r")),
        Segment("shank_l", between(measured, named(measured, "knee_l", "walker_knee_l"), "ankle_l")),
        Segment("pelvis_width", between(measured, "hip_r", "hip_l")),
        Segment("foot", 0.152 * 1.73),
    ]
    report = scale_by_segments(generic, tmp_path / "subject.osim", person(), segments, generic_height_m=1.73)
    for body, factors in true.items():
        # A knee that rolls sits a few tenths of a millimetre along the shank's own length.
        np.testing.assert_allclose(report.factors[body], factors, rtol=2e-3, err_msg=body)


def named(model, *names):
    return next(name for name in names if name in model["joints"])
