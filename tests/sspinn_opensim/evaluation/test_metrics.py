"""Error numbers against values worked out by hand."""

import numpy as np
import pytest

from sspinn_opensim.evaluation import Curves, Reference, error_numbers, evaluate_curves
from sspinn_opensim.evaluation.metrics import combine
from sspinn_opensim.recording.units import GRAVITY

TIME = np.arange(200) / 200
SINE = np.sin(2 * np.pi * TIME)


def test_offset_and_shape_error_are_told_apart():
    reference = SINE
    estimate = SINE + 3.0 + 4.0 * np.sqrt(2) * np.cos(2 * np.pi * 5 * TIME)
    numbers = error_numbers(estimate, reference)
    assert numbers["bias"] == pytest.approx(3.0)
    assert numbers["spread"] == pytest.approx(4.0)
    assert numbers["rmsd"] == pytest.approx(5.0)


def test_sign_of_bias_is_estimate_minus_reference():
    assert error_numbers(SINE - 2.0, SINE)["bias"] == pytest.approx(-2.0)


@pytest.mark.parametrize(("factor", "correlation"), [(0.3, 1.0), (-2.0, -1.0)])
def test_correlation_sees_shape_only(factor, correlation):
    assert error_numbers(factor * SINE + 7, SINE)["correlation"] == pytest.approx(correlation)


def test_correlation_with_a_constant_is_unknown():
    numbers = error_numbers(np.full(200, 0.1), SINE)
    assert numbers["correlation"] is None
    assert numbers["rmsd"] == pytest.approx(np.sqrt(0.5 + 0.01))


def test_frames_without_reference_do_not_count():
    reference = SINE.copy()
    reference[:50] = np.nan
    estimate = SINE + np.where(TIME < 0.25, 100.0, 1.0)
    assert error_numbers(estimate, reference)["rmsd"] == pytest.approx(1.0)
    assert error_numbers(estimate, np.full(200, np.nan))["rmsd"] is None


def test_units_of_every_quantity(gait):
    person = gait.person
    weight = person.mass_kg * GRAVITY
    zero = np.zeros(200)
    reference = Reference(
        name="x",
        time_s=TIME,
        angles={"knee_angle_r": SINE},
        moments={"knee_angle_r": SINE},
        ground_force={"r": np.column_stack([SINE, SINE, np.full(200, np.nan)])},
    )
    estimate = Curves(
        time_s=TIME,
        angles={"knee_angle_r": SINE + np.radians(2.0)},
        moments={"knee_angle_r": SINE + 0.01 * weight * person.height_m},
        ground_force={"r": np.column_stack([SINE + 0.03 * weight, SINE - 0.05 * weight, zero])},
    )
    scores = evaluate_curves(estimate, reference, person)
    assert scores["angle_rmsd_deg"] == pytest.approx(2.0)
    assert scores["moment_rmsd_bwbh"] == pytest.approx(1.0)
    assert scores["grf_horizontal_rmsd_bw"] == pytest.approx(3.0)
    assert scores["grf_vertical_rmsd_bw"] == pytest.approx(5.0)
    assert scores["grf_vertical"]["r"]["bias"] == pytest.approx(-5.0)
    assert scores["grf_vertical_bias_bw"] == pytest.approx(5.0), "the mean bias is of absolute biases"


def test_mean_is_over_joints_that_both_have_and_that_may_count(gait):
    reference = Reference(name="x", time_s=TIME, angles={name: SINE for name in ("a", "b", "c", "d")})
    offsets = {"a": 1.0, "b": -3.0, "c": 50.0, "e": 70.0}
    estimate = Curves(TIME, {name: SINE + np.radians(value) for name, value in offsets.items()})
    scores = evaluate_curves(estimate, reference, gait.person, joints=("a", "b", "d", "e"))
    assert set(scores["angles"]) == {"a", "b"}
    assert scores["angle_rmsd_deg"] == pytest.approx(2.0)
    assert scores["angle_bias_deg"] == pytest.approx(2.0)
    assert scores["moment_rmsd_bwbh"] is None


def test_combine_takes_the_median_number_by_number():
    results = [{"a": 1.0, "b": {"c": None}}, {"a": 9.0, "b": {"c": 4.0}}, {"a": 2.0, "b": {"c": None}}]
    assert combine(results) == {"a": 2.0, "b": {"c": 4.0}}
    assert combine(results, lambda v: [min(v), max(v)])["a"] == [1.0, 9.0]


def test_a_band_covers_what_lies_inside_it():
    reference = np.zeros(200)
    estimate = np.linspace(-1.0, 1.0, 200)
    numbers = error_numbers(estimate, reference, np.full(200, 0.5 / 1.96))
    assert numbers["coverage"] == pytest.approx(0.5) and numbers["half_width"] == pytest.approx(0.5)
    assert error_numbers(estimate, reference)["coverage"] is None
    reference[:150] = np.nan
    assert error_numbers(estimate, reference, np.full(200, 0.5 / 1.96))["coverage"] == 0.0


def test_normal_errors_are_covered_as_a_band_of_95_percent_promises():
    noise = np.random.default_rng(0).normal(scale=3.0, size=100_000)
    assert error_numbers(noise, 0 * noise, np.full(len(noise), 3.0))["coverage"] == pytest.approx(
        0.95, abs=0.003
    )


def test_the_band_is_scored_in_the_units_of_the_error(gait):
    weight = gait.person.mass_kg * GRAVITY
    reference = Curves(TIME, {"k": SINE}, {"k": SINE}, {"r": np.column_stack([SINE, SINE, SINE])})
    band = Curves(
        TIME,
        {"k": np.full(200, np.radians(2.0))},
        {"k": np.full(200, 0.01 * weight * gait.person.height_m)},
        {"r": np.full((200, 3), 0.03 * weight)},
    )
    scores = evaluate_curves(reference, reference, gait.person, band=band)
    widths = ("angle_half_width_deg", "moment_half_width_bwbh", "grf_vertical_half_width_bw")
    assert [scores[key] / 1.96 for key in widths] == pytest.approx([2.0, 1.0, 3.0])
    assert scores["angle_coverage"] == scores["grf_horizontal_coverage"] == 1.0
    part = evaluate_curves(reference, reference, gait.person, band=Curves(TIME, band.angles))
    assert part["angle_coverage"] == 1.0 and part["moment_coverage"] is None
