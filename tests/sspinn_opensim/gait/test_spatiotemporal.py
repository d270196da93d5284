"""Lengths, widths and symmetry of steps whose places are chosen."""

import numpy as np
import pytest

from sspinn_opensim.gait import find_strides, measured, summary, symmetry_index
from sspinn_opensim.gait.spatiotemporal import MEANS, strikes_of

STEP_M = {"r": 0.7, "l": 0.5}
HALF_WIDTH_M = 0.06


@pytest.fixture
def strides(made):
    return find_strides(*made.walk(steps=10), made.body_weight_n)


def places(strides, heading):
    """Return where each foot strikes when right steps are longer than left ones, along any heading."""
    events = sorted((at, side) for side, times in strikes_of(strides.strides).items() for at in times)
    along, found = 0.0, {"r": {}, "l": {}}
    turn = np.array(
        [[np.cos(heading), 0, -np.sin(heading)], [0, 1, 0], [np.sin(heading), 0, np.cos(heading)]]
    )
    for at, side in events:
        along += STEP_M[side]
        found[side][at] = turn @ np.array([along, 0.0, HALF_WIDTH_M * (1 if side == "r" else -1)])
    return found


@pytest.mark.parametrize("heading", [0.0, 1.0, np.pi])
def test_lengths_and_widths_whatever_the_heading(strides, heading):
    values = measured(strides.strides, places(strides, heading))
    for v in values:
        assert v.stride_length_m == pytest.approx(1.2)
        assert v.speed_m_s == pytest.approx(1.2 / v.stride_s)
        assert v.step_length_m == pytest.approx(STEP_M[v.side])
        assert v.step_width_m == pytest.approx(2 * HALF_WIDTH_M)
    told = summary(strides, values)["walking"]
    assert told["symmetry_index_percent"]["step_length_m"] == pytest.approx(100 * 0.2 / 0.6)
    assert told["right"]["step_length_m"] == pytest.approx(0.7) and told["right"]["strides"] == 4


def test_in_the_plane_there_is_no_width_and_on_the_spot_no_length(strides):
    values = measured(strides.strides, places(strides, 0.0), sideways=False)
    assert all(np.isnan(v.step_width_m) for v in values)
    still = {side: {at: np.zeros(3) for at in own} for side, own in places(strides, 0.0).items()}
    assert all(np.isnan(v.step_length_m) and v.speed_m_s == 0.0 for v in measured(strides.strides, still))


def test_symmetry_index_as_in_its_source():
    assert symmetry_index(1.1, 0.9) == pytest.approx(20.0)
    assert symmetry_index(0.9, 1.1) == pytest.approx(-20.0)
    assert symmetry_index(0.4, 0.4) == 0.0


def test_a_summary_is_json_with_none_for_what_is_not_known(strides):
    told = summary(strides, measured(strides.strides))
    for table in (told["walking"][side] for side in ("both", "right", "left")):
        assert set(table) == {"strides", *MEANS, *(f"{name}_sd" for name in MEANS)}
        assert table["speed_m_s"] is None and table["stride_s"] is not None
    nothing = find_strides(np.arange(100) / 100, {"r": np.zeros(100), "l": np.zeros(100)}, 700.0)
    assert summary(nothing, []) == {"left_out": {}}
