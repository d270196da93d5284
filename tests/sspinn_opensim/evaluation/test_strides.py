"""Errors of single strides: those that were put in, where the reference covers a stride."""

import dataclasses

import numpy as np
import pytest

from sspinn_opensim.evaluation import evaluate, read_evaluation_data
from sspinn_opensim.evaluation.curves import Curves
from sspinn_opensim.evaluation.reference import Reference
from sspinn_opensim.evaluation.strides import score_strides
from sspinn_opensim.gait import Stride, Strides
from sspinn_opensim.report.scores import score_table
from sspinn_opensim.study import OutputChoice

TIME_S = np.arange(1000) / 100.0


def strides(side="r"):
    return [Stride(side, "walking", float(k), k + 0.6, k + 1.0) for k in range(1, 9)]


def test_the_errors_of_a_study_stride_by_stride(study, results, recording):
    study = dataclasses.replace(study, output=OutputChoice(1.0, 6.5))
    data = read_evaluation_data(study, results, dataclasses.replace(recording, cycle_s=None))
    metrics = evaluate(study, data)
    single = metrics["trials"]["walk"]["per_stride"]
    # Offsets of whole seeds: 1, 3 and 2 degrees, the same in each stride.
    assert single["angle_rmsd_deg"] == pytest.approx(2.0)
    assert single["angle_rmsd_deg_sd"] == pytest.approx(0.0, abs=1e-9)
    knee = single["angles"]["knee_angle_l"]
    assert knee["rmsd"] == pytest.approx(2.0) == knee["rmsd_largest"] and knee["strides"] >= 3
    assert single["grf_vertical"]["r"]["strides"] >= 3 and single["moments"]
    assert "over single strides: angle 2.00 \u00b1 0.00 deg" in score_table(metrics)


def test_only_whole_strides_that_the_reference_knows_count(gait):
    estimate = Curves(TIME_S, angles={"knee_angle_r": np.zeros(1000), "knee_angle_l": np.zeros(1000)})
    error = np.radians(np.floor(TIME_S))  # stride k is off by k degrees
    right = np.where((TIME_S >= 2.5) & (TIME_S < 6.2), error, np.nan)
    reference = Reference("walk", TIME_S, angles={"knee_angle_r": right, "knee_angle_l": error})
    beyond = Stride("l", "walking", 9.0, 9.9, 10.4)  # ends after the last frame
    found = Strides((*strides(), *strides("l")[:2], beyond), {})
    scores = score_strides(estimate, reference, found, gait.person, ["knee_angle_r", "knee_angle_l"])
    knee = scores["angles"]["knee_angle_r"]
    assert knee == {
        "rmsd": pytest.approx(4.0),
        "rmsd_sd": pytest.approx(1.0),
        "rmsd_largest": pytest.approx(5.0),
        "strides": 3,
    }
    assert scores["angles"]["knee_angle_l"]["strides"] == 2  # those of its own side
    assert scores["angle_rmsd_deg"] == pytest.approx((4.0 + 1.5) / 2)
    assert scores["moment_rmsd_bwbh"] is None


def test_without_a_covered_stride_there_is_nothing(gait):
    estimate = Curves(TIME_S, angles={"knee_angle_r": np.zeros(1000)})
    unknown = Reference("walk", TIME_S, angles={"knee_angle_r": np.full(1000, np.nan)})
    assert (
        score_strides(estimate, unknown, Strides(tuple(strides()), {}), gait.person, ["knee_angle_r"]) is None
    )
    known = Reference("walk", TIME_S, angles={"knee_angle_r": np.zeros(1000)})
    assert score_strides(estimate, known, Strides((), {}), gait.person, ["knee_angle_r"]) is None
