"""From a results folder to metrics.json, with errors put in on purpose."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.evaluation import evaluate as scores_of
from sspinn_opensim.evaluation import read_evaluation_data, write_metrics
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.recording.units import GRAVITY
from sspinn_opensim.study import CoordinateChoice, OutputChoice, RecordingChoice, ReferenceChoice


def evaluate(study, results, recording):
    """Return the scores of a results folder."""
    return scores_of(study, read_evaluation_data(study, results, recording))


def test_scores_are_the_errors_that_were_put_in(study, results, recording, gait):
    metrics = evaluate(study, results, recording)
    trial = metrics["trials"]["walk"]
    assert trial["median"]["angle_rmsd_deg"] == pytest.approx(2.0)
    assert trial["range_over_seeds"]["angle_rmsd_deg"] == pytest.approx([1.0, 3.0])
    assert {name: seed["angle_bias_deg"] for name, seed in trial["seeds"].items()} == {
        f"seed_{seed}": pytest.approx(offset) for seed, offset in gait.seed_offset_deg.items()
    }
    bwbh = gait.person.mass_kg * GRAVITY * gait.person.height_m
    assert trial["median"]["moment_rmsd_bwbh"] == pytest.approx(100 * 12.0 / bwbh)
    vertical = trial["median"]["grf_vertical"]["r"]
    assert vertical["correlation"] == pytest.approx(1.0) and vertical["bias"] > 0
    assert trial["baseline"]["angle_rmsd_deg"] < 0.05, "the motion is made so that the baseline is right"
    assert trial["constant_posture"]["angle_rmsd_deg"] > 10
    assert trial["declared_lag"] is None, "simulated or unknown laboratories have no declared lag"


def test_root_and_fixed_coordinates_are_no_joints(study, results, recording):
    scores = evaluate(study, results, recording)["trials"]["walk"]["median"]
    assert "pelvis_tilt" not in scores["angles"] and "lumbar_extension" in scores["angles"]
    fixed = dataclasses.replace(study, coordinates=CoordinateChoice({"lumbar_extension": 0.0}))
    assert "lumbar_extension" not in evaluate(fixed, results, recording)["trials"]["walk"]["median"]["angles"]


def test_rivals_are_compared_on_the_joints_they_have(study, results, recording):
    trial = evaluate(study, results, recording)["trials"]["walk"]
    assert "lumbar_extension" not in trial["baseline"]["angles"]
    assert trial["baseline"]["estimate_on_same_joints_deg"] == pytest.approx(2.0)


def test_sparse_sensors_have_rivals_too(study, results, recording):
    """Feet alone see no joint; the posture that never moves needs no sensor."""
    feet = [k for k, sensor in enumerate(recording.sensors) if sensor.body.startswith("foot")]
    parts = {name: getattr(recording, name)[:, feet] for name in ("acceleration", "angular_rate")}
    parts |= {
        f"{name}_{what}": getattr(recording, f"{name}_{what}")[feet]
        for name in ("acceleration", "angular_rate")
        for what in ("available", "variance")
    }
    sparse = dataclasses.replace(recording, sensors=tuple(recording.sensors[k] for k in feet), **parts)
    trial = evaluate(study, results, sparse)["trials"]["walk"]
    assert trial["baseline"]["angle_rmsd_deg"] is None and len(trial["constant_posture"]["angles"]) == 6


def test_comparison_with_a_rival_and_headline_are_one_number(study, results, recording):
    """The median of means, not the mean of medians: they differ where seeds err at different joints."""
    for seed, joint in ((0, "hip_flexion_r"), (1, "knee_angle_r"), (2, "ankle_angle_r")):
        path = results / "seeds" / f"seed_{seed}" / "kinematics.mot"
        table = read_storage(path)
        values = table.values.copy()
        values[:, table.names.index(joint)] += 9.0 + seed
        write_storage(path, dataclasses.replace(table, values=values))
    study = dataclasses.replace(study, coordinates=CoordinateChoice({"lumbar_extension": 0.0}))
    trial = evaluate(study, results, recording)["trials"]["walk"]
    per_joint = [score["rmsd"] for score in trial["median"]["angles"].values()]
    assert trial["baseline"]["estimate_on_same_joints_deg"] == pytest.approx(
        trial["median"]["angle_rmsd_deg"]
    )
    assert np.mean(per_joint) < trial["median"]["angle_rmsd_deg"] - 0.5


def test_one_whole_cycle_of_the_output_window_is_scored(study, results, recording, gait):
    window = evaluate(study, results, recording)["trials"]["walk"]["window"]
    assert window["gait_cycles"] == 1
    assert window["frames"] == 110
    assert window["from_s"] == pytest.approx(4 * gait.cycle_s)


def test_a_window_without_a_whole_cycle_is_scored_as_it_is(study, results, recording):
    short = dataclasses.replace(study, output=OutputChoice(from_s=2.0, to_s=2.5))
    window = evaluate(short, results, recording)["trials"]["walk"]["window"]
    assert window == {"from_s": 2.0, "to_s": pytest.approx(2.49), "frames": 50, "gait_cycles": None}


def test_file_holds_what_was_returned_and_nothing_else_is_left(study, results, recording):
    metrics = evaluate(study, results, recording)
    write_metrics(results, metrics)
    assert json.loads((results / "metrics.json").read_text()) == metrics
    assert not [path for path in results.iterdir() if path.name.startswith(".")]


def test_without_reference_nothing_is_scored_and_the_file_says_so(study, results, recording):
    metrics = evaluate(dataclasses.replace(study, reference=None), results, recording)
    assert metrics["trials"] == {} and "none named" in metrics["reference"]


def test_reference_at_another_time_is_refused(study, results, recording, model, gait):
    gait.write_motion(study.reference.kinematics.parent, model, recording.time_s[:20])
    with pytest.raises(InputError, match="shares no joint, side or time"):
        evaluate(study, results, recording)


def test_missing_seed_is_one_error(study, results, recording):
    study = dataclasses.replace(study, training=dataclasses.replace(study.training, seeds=(0, 7)))
    with pytest.raises(InputError, match="cannot read"):
        evaluate(study, results, recording)


def test_seeds_with_different_times_are_refused(study, results, recording, model, gait):
    gait.write_motion(results / "seeds" / "seed_1", model, recording.time_s[:-3])
    with pytest.raises(InputError, match="seeds have different times"):
        evaluate(study, results, recording)


def test_declared_lag_delays_the_reference(dorschky2019, study, results, recording):
    file = dorschky2019 / "P01_normwalking.mat"
    study = dataclasses.replace(
        study,
        recording=RecordingChoice("dorschky2019", file, "walk"),
        reference=ReferenceChoice("dorschky2019", file),
    )
    data = read_evaluation_data(study, results, recording)
    assert data.lag_s == 0.015
    now, late = (reference.angles["knee_angle_r"] for reference in (data.reference, data.lagged_reference))
    assert np.interp(data.frames_s[5:-5], data.frames_s + 0.015, now) == pytest.approx(late[5:-5], abs=0.01)
    trial = evaluate(study, results, recording)["trials"]["walk"]
    assert trial["declared_lag"]["lag_s"] == 0.015
    assert trial["declared_lag"]["median"]["angle_rmsd_deg"] != trial["median"]["angle_rmsd_deg"]


def test_a_study_declares_its_own_lag(study, results, recording, gait):
    lagging = dataclasses.replace(study, reference=dataclasses.replace(study.reference, lag_s=0.03))
    data = read_evaluation_data(lagging, results, recording)
    late = gait.joint_angles(data.frames_s - 0.03)["knee_angle_r"]
    assert data.lagged_reference.angles["knee_angle_r"] == pytest.approx(late, abs=1e-3)
    trial = evaluate(lagging, results, recording)["trials"]["walk"]
    assert trial["declared_lag"]["lag_s"] == 0.03
    assert trial["declared_lag"]["median"]["angle_rmsd_deg"] > trial["median"]["angle_rmsd_deg"]


def test_a_lag_of_zero_declares_none(dorschky2019, study, results, recording):
    file = dorschky2019 / "P01_normwalking.mat"
    study = dataclasses.replace(
        study,
        recording=RecordingChoice("dorschky2019", file, "walk"),
        reference=ReferenceChoice("dorschky2019", file, lag_s=0.0),
    )
    assert read_evaluation_data(study, results, recording).lagged_reference is None


def test_the_share_inside_the_band_is_scored_for_seeds_that_have_one(study, results, recording, model, gait):
    """Seeds are off by 1, 3 and 2 degrees; a standard deviation of 1 covers the first alone."""
    for seed in (0, 1):
        gait.write_band(results / "seeds" / f"seed_{seed}", model, recording.time_s, angle_deg=1.0)
    seeds = evaluate(study, results, recording)["trials"]["walk"]["seeds"]
    assert [seeds[f"seed_{k}"]["angle_coverage"] for k in range(3)] == [1.0, 0.0, None]
    assert seeds["seed_0"]["angle_half_width_deg"] == pytest.approx(1.96)
    assert seeds["seed_0"]["grf_vertical"]["r"]["coverage"] is not None


def test_a_band_beside_the_files_for_opensim_belongs_to_the_first_seed(
    study, results, recording, model, gait
):
    for name in ("kinematics.mot", "moments.sto", "grf.mot"):
        shutil.copy(results / "seeds" / "seed_0" / name, results)
    gait.write_band(results, model, recording.time_s)
    (results / "grf_sd.mot").unlink()
    data = read_evaluation_data(study, results, recording)
    assert list(data.deviations) == ["seed_0"] and not data.deviations["seed_0"].ground_force
    assert len(data.deviations["seed_0"].angles["knee_angle_r"]) == len(data.frames_s)


@pytest.mark.parametrize(
    ("deviation", "rows", "what"), [(-1.0, None, "negative"), (1.0, 20, "different times")]
)
def test_a_wrong_band_is_refused(study, results, recording, model, gait, deviation, rows, what):
    folder = results / "seeds" / "seed_0"
    gait.write_band(folder, model, recording.time_s, angle_deg=deviation)
    table = read_storage(folder / "kinematics_sd.mot")
    cut = dataclasses.replace(table, time_s=table.time_s[:rows], values=table.values[:rows])
    write_storage(folder / "kinematics_sd.mot", cut)
    with pytest.raises(InputError, match=what):
        evaluate(study, results, recording)
