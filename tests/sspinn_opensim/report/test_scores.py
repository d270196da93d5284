"""The table of scores on the console: complete, narrow enough, and in plain words."""

import dataclasses

from sspinn_opensim.evaluation import evaluate, read_evaluation_data
from sspinn_opensim.report.scores import score_table


def test_table_prints_in_a_hundred_columns(study, results, recording):
    text = score_table(evaluate(study, read_evaluation_data(study, results, recording)))
    assert max(map(len, text.splitlines())) <= 100
    for part in ("angle [deg]", "moment [BWBH%]", "GRF vertical [%BW]", "knee_angle_r", "1.00 - 3.00"):
        assert part in text


def test_the_table_tells_bias_spread_and_correlation_apart(study, results, recording):
    text = score_table(evaluate(study, read_evaluation_data(study, results, recording)))
    line = next(line for line in text.splitlines() if "hip_flexion_r" in line)
    assert line.split()[:5] == ["hip_flexion_r", "2.00", "+2.00", "0.00", "1.00"]
    assert "in band" not in text and "fewer than 3 seeds" not in text
    one = dataclasses.replace(study, training=dataclasses.replace(study.training, seeds=(0,)))
    assert "fewer than 3 seeds" in score_table(evaluate(one, read_evaluation_data(one, results, recording)))


def test_the_table_says_what_it_does_not_compare(study, results, recording, model, gait):
    lagging = dataclasses.replace(study, reference=dataclasses.replace(study.reference, lag_s=0.03))
    text = score_table(evaluate(lagging, read_evaluation_data(lagging, results, recording)))
    assert "delayed by 30 ms" in text and "these sensors give the baseline 6 of 7 joints" in text
    gait.write_band(results / "seeds" / "seed_0", model, recording.time_s)
    assert "in band" in score_table(evaluate(study, read_evaluation_data(study, results, recording)))
    unscored = dataclasses.replace(study, reference=None)
    metrics = evaluate(unscored, read_evaluation_data(unscored, results, recording))
    assert "nothing is scored" in score_table(metrics)
