"""Errors keep what they are on their way between processes."""

import copy
import pickle

import pytest

from casadi_dynamics.errors import InputError, OpenSimError


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
