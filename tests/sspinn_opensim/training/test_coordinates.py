"""Which coordinates are estimated, and at which value the others are held."""

import dataclasses

import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from sspinn_opensim.anatomy.sagittal import sagittal_coordinates
from sspinn_opensim.training.coordinates import held_coordinates

SENSORS = ("pelvis", *(f"{body}_{side}" for side in "rl" for body in ("femur", "tibia", "calcn")))
PLANAR = {"pelvis_tilt", "pelvis_tx", "pelvis_ty"} | {
    f"{joint}_{side}" for side in "rl" for joint in ("hip_flexion", "knee_angle", "ankle_angle")
}


@pytest.fixture(
    scope="module",
    params=["gait2392_thelen2003", "Rajagopal2016", "Hamner2010_full_body", "gait2354_subject01"],
)
def model(request, repository):
    path = repository.parent / "shared" / "models" / f"{request.param}.osim"
    if not path.is_file():
        pytest.skip("the public models are not beside this checkout (../shared/models)")
    return read_model(path)


def estimated(model, *choice):
    held = held_coordinates(model, *choice)
    dependent = {constraint.dependent for constraint in model.constraints}
    return set(model.coordinate_names) - set(held) - dependent


def test_the_sagittal_plane_of_every_gait_model(model):
    assert estimated(model, "planar", {}, SENSORS) == PLANAR


def test_a_sensor_on_the_trunk_frees_it(model):
    assert estimated(model, "planar", {}, (*SENSORS, "torso")) == PLANAR | {"lumbar_extension"}
    without_feet = ("pelvis", "femur_r", "femur_l")
    assert estimated(model, "planar", {}, without_feet) == {
        n for n in PLANAR if n[:4] not in ("knee", "ankl")
    }


def test_what_moves_a_sensor_or_a_foot(model):
    found = estimated(model, "observed", {}, SENSORS)
    assert found > PLANAR and {"hip_adduction_r", "pelvis_list", "pelvis_tz"} < found
    assert not {"lumbar_extension", "arm_flex_r", "mtp_angle_r"} & found


def test_all_but_the_locked(model):
    locked = {c.name for c in model.coordinates if c.locked}
    assert set(held_coordinates(model, "all", {}, SENSORS)) == locked
    assert held_coordinates(model, "all", {"hip_rotation_r": 0.1}, ())["hip_rotation_r"] == 0.1


def test_values_are_defaults_or_those_given(model):
    changed = tuple(
        dataclasses.replace(c, default=0.2) if c.name == "lumbar_bending" else c for c in model.coordinates
    )
    model = dataclasses.replace(model, coordinates=changed)
    held = held_coordinates(model, "planar", {"hip_adduction_r": -0.1, "ankle_angle_l": 0.3}, SENSORS)
    assert (held["lumbar_bending"], held["hip_adduction_r"], held["ankle_angle_l"]) == (0.2, -0.1, 0.3)


def test_a_list_is_taken_by_name(model):
    names = ("pelvis_tx", "pelvis_ty", "hip_adduction_r")
    assert estimated(model, names, {}, SENSORS) == set(names)


@pytest.mark.parametrize(
    ("estimate", "fixed", "what"),
    [
        ("plannar", {}, "no choice 'plannar'"),
        (("knee_angel_r",), {}, "no coordinate named 'knee_angel_r'"),
        (("knee_angle_r",), {"knee_angle_r": 0.0}, "estimated and held"),
        ("all", {"knee_angel_r": 0.0}, "no coordinate named 'knee_angel_r'"),
    ],
)
def test_impossible_choices_are_refused(model, estimate, fixed, what):
    with pytest.raises(InputError, match=what) as refused:
        held_coordinates(model, estimate, fixed, SENSORS)
    assert refused.value.fix


@pytest.mark.parametrize(
    ("estimate", "fixed", "still"),
    [
        ("all", {"pelvis_tx": 0.0}, "pelvis_tx"),
        ("planar", {"pelvis_ty": 0.95}, "pelvis_ty"),
        (("pelvis_tilt", "pelvis_tx", "hip_flexion_r"), {}, "pelvis_ty"),
    ],
)
def test_a_root_that_cannot_travel_is_refused(model, estimate, fixed, still):
    with pytest.raises(InputError, match=f"cannot travel: '{still}' is held") as refused:
        held_coordinates(model, estimate, fixed, SENSORS)
    assert "estimate" in refused.value.fix
    # Steps aside are none of the sagittal plane.
    assert held_coordinates(model, "all", {"pelvis_tz": 0.1}, SENSORS)["pelvis_tz"] == 0.1


def test_followers_and_locked_coordinates_cannot_be_chosen(repository):
    path = repository.parent / "shared" / "models" / "Rajagopal2016.osim"
    if not path.is_file():
        pytest.skip("the public models are not beside this checkout (../shared/models)")
    model = read_model(path)
    with pytest.raises(InputError, match="a coupler sets it"):
        held_coordinates(model, ("knee_angle_r_beta",), {}, SENSORS)
    with pytest.raises(InputError, match="locked in the model") as refused:
        held_coordinates(model, ("mtp_angle_r",), {}, SENSORS)
    assert "unlock" in refused.value.fix


def test_knees_count_either_way(model):
    """+1 where a turn about z, which straightens the knee, counts as positive."""
    signs = sagittal_coordinates(model)
    low, high = model.coordinate("knee_angle_r").range
    assert signs["knee_angle_r"] == (-1 if high > -low else 1)
    assert signs["hip_flexion_r"] == signs["ankle_angle_r"] == signs["pelvis_tilt"] == 1
    assert not {"mtp_angle_r", "subtalar_angle_r", "hip_adduction_r"} & set(signs)
