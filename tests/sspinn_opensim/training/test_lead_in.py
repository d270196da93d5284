"""Lead-ins: a movement played backwards reads what it should, by a movement whose signals are known."""

import numpy as np
import pytest
import torch

from sspinn_opensim.training.lead_in import LEAD_IN_S, lead_in_frames, with_lead_in


def led_in(first, length, frames):
    rows = torch.arange(first - frames, first)
    found, sign = with_lead_in(rows, torch.tensor(first), torch.tensor(length))
    return found.tolist(), sign.tolist()


def test_a_piece_is_played_from_its_middle_to_its_first_frame():
    assert led_in(100, 50, 4) == ([104, 103, 102, 101], [-1.0] * 4)


def test_a_piece_shorter_than_its_lead_in_goes_back_and_forth():
    # Frames 10, 11, 12: back to the first comes the way it went.
    assert led_in(10, 3, 6) == ([12, 11, 10, 11, 12, 11], [-1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
    assert led_in(10, 1, 3)[0] == [10, 10, 10]


def test_frames_of_the_piece_are_what_they_are():
    rows, sign = with_lead_in(torch.arange(5, 9), torch.tensor(5), torch.tensor(4))
    assert rows.tolist() == [5, 6, 7, 8] and (sign == 1).all()


@pytest.mark.parametrize("step_s", [0.01, 0.005, 0.02])
def test_a_lead_in_lasts_as_long_as_is_not_scored_less_a_frame(step_s):
    assert (lead_in_frames(step_s) + 1) * step_s == pytest.approx(LEAD_IN_S)


def test_a_swing_that_began_at_rest_was_before_what_it_will_be_backwards():
    """Its rate is odd in time and what an accelerometer feels along the rod is even."""
    angle, step_s = (lambda time_s: 0.5 * np.cos(4.0 * time_s)), 0.01
    time_s = np.arange(-60, 200) * step_s
    rate = np.gradient(angle(time_s), step_s)
    force = 9.81 * np.cos(angle(time_s)) + 0.5 * rate**2
    rows, sign = with_lead_in(torch.arange(1, 60), torch.tensor(60), torch.tensor(200))
    assert rows.min() > 60
    np.testing.assert_allclose(sign.numpy() * rate[rows], rate[1:60], atol=1e-9)
    np.testing.assert_allclose(force[rows], force[1:60], atol=1e-9)
