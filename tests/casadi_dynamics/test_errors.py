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
    ("name", "known", "expected"),
    [
        ("HIP_R", ["HIP_L", "hip_r", "KNEE R"], "hip_r"),
        ("KNEE_R", ["HIP_L", "KNEE_L", "KNEE R"], "KNEE R"),
        ("hip_r", ["hip_l"], ""),
        ("RightFoot", ["LeftFoot", "right_fot"], "right_fot"),
        ("knee_angle_r", ["knee_angle_right", "knee_angle_l"], "knee_angle_right"),
        ("pelvs", ["pelvis", "femur_r"], "pelvis"),
        ("femur", ["femur_l"], "femur_l"),
    ],
)
def test_the_nearest_name_is_of_the_same_letters_first_and_never_of_the_other_side(name, known, expected):
    assert nearest(name, known) == (f"did you mean '{expected}'?" if expected else "")
