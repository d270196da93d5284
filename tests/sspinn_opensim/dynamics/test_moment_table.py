"""The comparison of joint moments, with numbers that can be worked out by hand."""

import numpy as np
import pytest

from sspinn_opensim.dynamics import moment_table

TIME = np.linspace(0, 2 * np.pi, 400, endpoint=False)


def made(height_m):
    knee = 40 * np.sin(TIME)
    lift = np.full(400, 500.0)
    partly = np.where(np.pi > TIME, knee, np.nan)
    return moment_table.rows(
        {"knee": knee, "ty": lift},
        {"shifted": {"knee": knee + 6.0, "ty": lift + 7.0}, "partly": {"knee": partly}},
        {"knee": True, "ty": False},
        ["ty"],
        body_weight_n=700.0,
        height_m=height_m,
    )


def test_rows_hold_rmsd_shares_and_correlation():
    knee, ty = made(1.5)
    assert (knee.unit, knee.residual, ty.unit, ty.residual) == ("N m", False, "N", True)
    assert knee.peak == pytest.approx(40.0) and ty.peak == 500.0
    shifted = knee.agreement["shifted"]
    assert shifted.rmsd == pytest.approx(6.0) and shifted.largest == pytest.approx(6.0)
    assert shifted.percent == pytest.approx(100 * 6 / (700 * 1.5)) and shifted.correlation == pytest.approx(
        1.0
    )
    assert ty.agreement["shifted"].percent == pytest.approx(1.0)
    assert ty.agreement["shifted"].correlation is None  # a constant has no shape
    assert knee.agreement["partly"].rmsd == 0.0 and "partly" not in ty.agreement


def test_without_a_height_moments_have_no_share():
    knee, ty = made(None)
    assert knee.agreement["shifted"].percent is None and ty.agreement["shifted"].percent == pytest.approx(1.0)
    text = moment_table.as_text((knee, ty), ("shifted", "partly"))
    assert "BWBH%" not in text and "residuals" in text


def test_the_text_lines_up_and_names_what_is_missing():
    text = moment_table.as_text(made(1.5), ("shifted", "partly"))
    lines = text.splitlines()
    assert "BWBH%" in lines[1] and lines[2].startswith("knee") and lines[-1].startswith("ty")
    assert lines[2].split() == ["knee", "40.00", "N", "m", "6", "0.57", "1.000", "0", "0.00", "1.000"]
    assert lines[-1].split() == ["ty", "500.00", "N", "7", "1.00", "-", "-", "-", "-"]
