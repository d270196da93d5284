"""Errors keep what they are on their way between processes."""

import copy
import pickle

import pytest

from casadi_dynamics.errors import InputError, OpenSimError, nearest


class WithMoreError(InputError):
    def __init__(self, what, seed):
        super().__init__(what, where="there")
        self.seed = seed


@pytest.mark.parametrize(
    "error",
    [
        InputError("No such file.", where="a.osim", expected="a file", found="none", fix="make one"),
        OpenSimError("The job failed.", where="m.osim", found="last words"),
        WithMoreError("The training diverged.", seed=3),
    ],
)
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_an_error_stays_of_its_class_with_all_its_parts(error, again):
    found = again(error)
    assert type(found) is type(error) and vars(found) == vars(error) and str(found) == str(error)


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("HIP_R", ["HIP_L", "hip_r"], "hip_r"),
        ("KNEE_R", ["KNEE_L", "KNEE R"], "KNEE R"),
        ("HIP_R", ["HIP_L"], ""),
        ("RASI", ["LASI"], ""),
        ("RASIS", ["LASI", "RASI"], "RASI"),
        ("LeftFot", ["RightFoot", "LeftFoot"], "LeftFoot"),
        ("leftfot", ["rightfoot", "leftfoot"], "leftfoot"),
        ("femurr", ["femurl", "femur_r"], "femur_r"),
        ("rfemr", ["lfemur", "rfemur"], "rfemur"),
        ("hip_flexion", ["hip_flexion_l", "hip_flexion_r"], "hip_flexion_r"),
        ("pelvs", ["torso", "pelvis"], "pelvis"),
        ("nothing", ["torso"], ""),
        ("RightFoot", ["LeftFoot", "right_fot"], "right_fot"),
        ("knee_angle_r", ["knee_angle_right", "knee_angle_l"], "knee_angle_right"),
        ("femur", ["femur_l"], "femur_l"),
    ],
)
def test_the_nearest_name_is_of_the_same_side(name, known, hint):
    assert nearest(name, known) == (f"did you mean '{hint}'?" if hint else "")
