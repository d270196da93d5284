import csv
from itertools import pairwise

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.gait import Cycle, find_strides, measured
from sspinn_opensim.gait.cycles import PERCENT
from sspinn_opensim.gait.files import read_cycles, read_strides, write_cycles, write_strides


def cycle(side, kind="walking", strides=7):
    mean = {"hip_flexion_r": 30 * np.sin(PERCENT), "foot_l_ground_force_vy": 700 + PERCENT}
    return Cycle(side, kind, strides, mean, {name: 0.1 + 0 * curve for name, curve in mean.items()})


def test_cycles_are_read_back(tmp_path):
    written = [cycle("r"), cycle("l"), cycle("r", "running", 1)]
    found = read_cycles(write_cycles(tmp_path / "gait_cycles.csv", written))
    assert [(c.side, c.kind, c.strides) for c in found] == [(c.side, c.kind, c.strides) for c in written]
    for a, b in zip(found, written, strict=True):
        for name in b.mean:  # nine digits are written
            np.testing.assert_allclose(a.mean[name], b.mean[name], rtol=1e-8, atol=1e-8)
            np.testing.assert_allclose(a.sd[name], b.sd[name], rtol=1e-8)


def test_without_a_stride_the_tables_have_their_headings_alone(tmp_path):
    assert read_cycles(write_cycles(tmp_path / "c.csv", [])) == []
    assert write_strides(tmp_path / "s.csv", []).read_text().startswith("side,kind,from_s,toe_off_s,to_s")


@pytest.mark.parametrize(
    ("old", "new"), [("right,7,50,", "right,7,49,"), ("walking,right,7,0,", "walking,up,7,0,"), ("700", "x")]
)
def test_a_damaged_table_is_refused(tmp_path, old, new):
    path = write_cycles(tmp_path / "gait_cycles.csv", [cycle("r")])
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match="damaged"):
        read_cycles(path)


def test_a_row_for_each_stride_with_blanks_for_what_is_not_known(tmp_path, made):
    values = measured(find_strides(*made.walk(steps=10), made.body_weight_n).strides)
    with write_strides(tmp_path / "strides.csv", values).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(values) and {row["side"] for row in rows} == {"right", "left"}
    for row, value in zip(rows, values, strict=True):
        assert float(row["stance_percent"]) == pytest.approx(value.stance_percent)
        assert row["speed_m_s"] == ""


def test_events_of_strides_are_read_back_and_follow_one_another(tmp_path, made):
    found = find_strides(*made.walk(steps=10), made.body_weight_n)
    path = write_strides(tmp_path / "strides.csv", measured(found.strides))
    again = read_strides(path)
    for a, b in zip(again.strides, found.strides, strict=True):
        assert (a.side, a.kind) == (b.side, b.kind)
        assert (a.from_s, a.toe_off_s, a.to_s) == pytest.approx((b.from_s, b.toe_off_s, b.to_s), abs=1e-7)
    right = again.of("r")
    assert all(a.to_s == b.from_s for a, b in pairwise(right))
    path.write_text(path.read_text().replace("right", "up", 1))
    with pytest.raises(InputError, match="strides.csv is damaged"):
        read_strides(path)
