"""Sensors of a study that does not say how they sit: aligned once, kept, used again, refused if doubtful."""

import dataclasses
import shutil

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import osim_models
import sspinn_opensim as so
from casadi_dynamics.errors import InputError
from sspinn_opensim.alignment.files import read_alignment
from sspinn_opensim.alignment.strides import attitudes
from sspinn_opensim.alignment.usual import QUIET_STANDING, usual_gaits
from sspinn_opensim.recording import read_recording
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import TrainingChoice, read_study
from sspinn_opensim.verbs import axes, evaluate
from sspinn_opensim.verbs.axes import along_segments
from sspinn_opensim.verbs.check import check
from sspinn_opensim.verbs.estimate import estimate, estimate_seeds
from sspinn_opensim.verbs.inputs import check_inputs
from sspinn_opensim.verbs.prepared import prepare, write_reading
from sspinn_opensim.verbs.run import run
from sspinn_opensim.verbs.scale import scale
from sspinn_opensim.verbs.train import train, train_seeds

SITES = {
    "pelvis": ("pelvis", ""),
    "femur_r": ("thigh", "right"),
    "femur_l": ("thigh", "left"),
    "tibia_r": ("shank", "right"),
    "tibia_l": ("shank", "left"),
}
TURNS = Rotation.random(len(SITES), np.random.default_rng(5)).as_matrix()
RATE_HZ, STRIDE_S = 100.0, 1.1
HEAD = """[model]
file = "builtin:planar_gait"
scaled = true
[person]
height_m = 1.75
mass_kg = 75.0
[recording]
format = "csv"
file = "walk.csv"
"""


def csv(bodies=tuple(SITES), turned=None):
    """Return a table of someone who stands for two seconds and takes six usual strides."""
    n_stand, n = 200, 200 + round(6 * STRIDE_S * RATE_HZ)
    phase = 2 * np.pi * np.arange(n - n_stand) / (STRIDE_S * RATE_HZ)
    columns = {"time": np.arange(n) / RATE_HZ}
    for name, body, turn in zip(SITES, bodies, TURNS if turned is None else turned, strict=True):
        segment, side = SITES[body]
        curves = usual_gaits()[0].segments[segment]
        turns = np.exp(1j * np.arange(1, len(curves.rate) + 1)[:, None] * phase)
        rate, force = (
            np.einsum("hi,ht->ti", curves.signal(kind, side), turns).real for kind in ("rate", "force")
        )
        force = np.vstack([np.tile(9.81 * QUIET_STANDING[segment].up(side), (n_stand, 1)), force])
        force[n_stand:] += mean_force(rate, force[n_stand:], curves.lean.up(side))
        rate = np.vstack([np.zeros((n_stand, 3)), rate])
        for kind, signal in (("acc", force), ("gyro", rate)):
            columns |= {f"{name}_{kind}_{axis}": (signal @ turn)[:, i] for i, axis in enumerate("xyz")}
    rows = np.column_stack(list(columns.values()))
    return "\n".join([",".join(columns), *(",".join(f"{v:.6g}" for v in row) for row in rows)]) + "\n"


def mean_force(rate, force, up):
    """Return the mean of a specific force whose harmonics are known, so that it is gravity over a stride."""
    stride = slice(round(STRIDE_S * RATE_HZ))
    attitude = attitudes(rate[None, stride, None] / RATE_HZ)[0, :-1, 0]
    start = np.linalg.solve(attitude.mean(axis=0).T, up)
    felt = np.einsum("tij,tj->i", attitude, force[stride]) / len(attitude)
    return np.linalg.solve(attitude.mean(axis=0), 9.81 * start / np.linalg.norm(start) - felt)


@pytest.fixture
def study(tmp_path):
    """Return a function that writes a study, with the model in a results folder, and reads it."""

    def written(alignment='method = "signals"', sensors="", bodies=tuple(SITES), recording="", turned=None):
        (tmp_path / "walk.csv").write_text(csv(bodies, turned))
        tables = "".join(f"[sensors.{name}]\n" for name in SITES)
        file = tmp_path / "study.toml"
        file.write_text(f"{HEAD}{recording}\n[alignment]\n{alignment}\n{tables}{sensors}")
        out = tmp_path / "results"
        out.mkdir(exist_ok=True)
        shutil.copy(osim_models.path("planar_gait.osim"), out / "subject.osim")
        return read_study(file), out

    return written


@pytest.mark.parametrize(
    ("rate_hz", "told"), [(100.00000346, []), (80.0, ["note: 100 Hz become 80 Hz for the training"])]
)
def test_rates_are_told_apart_where_it_matters(rate_hz, told, study):
    known, out = study()
    training = dataclasses.replace(known.training, rate_hz=rate_hz)
    prepared = prepare(dataclasses.replace(known, training=training), out)
    assert [note for note in prepared.notes if "Hz" in note] == told


def test_sensors_are_aligned_once_kept_and_used_again(study, monkeypatch):
    known, out = study()
    assert check(known.path).ok  # although a CSV is along the segments where the study says nothing
    first = prepare(known, out)
    write_reading(first, out)
    file = ResultsFolder(out).alignment
    for k, body in enumerate(SITES):
        off = first.alignment.sensors[k].rotation @ TURNS[k].T
        # The usual curves as they are: what is left is heading, and 3 degrees sideways that it mixes in.
        assert np.degrees(np.arctan2(off[0, 1], off[1, 1])) == pytest.approx(0, abs=1.5), body
    assert any("known within" in note for note in first.notes)
    monkeypatch.setattr(axes, "align", None)  # it must not be made again
    second = prepare(known, out)
    assert np.array_equal(first.recording.acceleration, second.recording.acceleration)
    assert np.array_equal(first.recording.angular_rate, second.recording.angular_rate)
    assert first.recording.sensors == second.recording.sensors
    elsewhere = file.rename(out.parent / "kept.toml")
    named, out = study(alignment='method = "signals"\nfile = "kept.toml"')
    monkeypatch.undo()
    third = prepare(named, out)
    assert "note: Sensors are turned as 'kept.toml' says, made from the recording 'walk'." in third.notes
    assert elsewhere.is_file() and np.array_equal(first.recording.angular_rate, third.recording.angular_rate)


def test_an_alignment_of_other_signals_is_made_anew(study):
    known, out = study()
    first = prepare(known, out)
    write_reading(first, out)
    assert read_alignment(ResultsFolder(out).alignment).source == first.alignment.source
    changed, out = study(alignment='method = "signals"\nposture = "upright"')
    assert prepare(changed, out).alignment.source != first.alignment.source


def test_a_csv_is_along_the_segments_unless_the_study_says_otherwise(study):
    known, out = study(alignment="", recording='accepted = ["gravity_direction", "upside_down"]\n')
    kept = prepare(known, out)
    write_reading(kept, out)
    assert kept.alignment is None and not ResultsFolder(out).alignment.exists()


def test_exchanged_sensors_stop_a_run_before_anything_is_made_unless_accepted(study):
    swapped = ("pelvis", "femur_r", "femur_l", "tibia_l", "tibia_r")
    known, out = study(bodies=swapped)
    with pytest.raises(InputError, match="2 things are wrong") as error:
        run(known, out / "run")
    assert "swapped_sides:tibia_r" in str(error.value) and "left shank" in str(error.value)
    assert not (out / "run").exists()
    accepted, out = study(bodies=swapped, recording='accepted = ["swapped_sides"]\n')
    assert prepare(accepted, out).alignment.sensors[3].found == ("shank", "left")


def test_exchanged_sensors_whose_axes_are_stated_stop_every_stage_too(study):
    """`train` and `estimate` on their own see what `run` sees."""
    along = np.broadcast_to(np.eye(3), TURNS.shape)
    kept, out = study(alignment="", turned=along)
    assert prepare(kept, out).alignment is None
    swapped = ("pelvis", "femur_r", "femur_l", "tibia_l", "tibia_r")
    known, out = study(alignment="", bodies=swapped, turned=along)
    with pytest.raises(InputError, match="swapped_sides:tibia_r"):
        prepare(known, out)


def test_standing_outside_the_part_that_is_used_counts(study):
    known, _ = study(recording="from_s = 3.0\n")
    recording = read_recording(known)
    turned, found = along_segments(known, recording)
    assert turned.time_s[0] >= 3.0
    assert any("standing" in source for source in found.sensors[0].evidence)


def test_the_alignment_of_a_run_is_made_once(study, monkeypatch):
    known, out = study()
    inputs = check_inputs(known)
    monkeypatch.setattr(axes, "align", None)  # it must not be made again
    made = prepare(known, out, inputs.recording, inputs.alignment, inputs.said)
    assert made.alignment.source == inputs.alignment.source and made.alignment.recording == "walk"


def test_a_trained_network_takes_the_sensors_as_its_training_found_them(study):
    known, out = study()
    brief = dataclasses.replace(known, training=TrainingChoice(steps=2))
    prepared = prepare(brief, out)
    write_reading(prepared, out)
    list(train_seeds(brief, prepared, out))
    written = estimate_seeds(brief, prepared, out).seeds[0]
    recording = so.read_recording(known)
    assert not any(sensor.axes_known for sensor in recording.sensors)
    assert np.array_equal(so.Estimator.load(out).estimate(recording).q, written.q)
    ResultsFolder(out).alignment.unlink()
    with pytest.raises(InputError, match="alignment file does not exist"):
        so.Estimator.load(out).estimate(recording)


def test_a_trained_network_takes_stated_axes_as_its_training_refined_them(study):
    small = Rotation.from_euler("z", 6, degrees=True).as_matrix()
    known, out = study('method = "none"\nstated_within_deg = 8', turned=np.tile(small, (len(TURNS), 1, 1)))
    brief = dataclasses.replace(known, training=TrainingChoice(steps=2))
    prepared = prepare(brief, out)
    write_reading(prepared, out)
    list(train_seeds(brief, prepared, out))
    written = estimate_seeds(brief, prepared, out).seeds[0]
    estimator, recording = so.Estimator.load(out), so.read_recording(known)
    recording = dataclasses.replace(
        recording, sensors=tuple(dataclasses.replace(s, axes_known=True) for s in recording.sensors)
    )
    assert np.array_equal(estimator.estimate(recording).q, written.q)
    assert np.array_equal(estimator.estimate(prepared.recording).q, written.q)  # turned already


def test_the_baseline_of_a_later_evaluation_is_that_of_the_run(study, monkeypatch):
    known, out = study()
    brief = dataclasses.replace(known, training=TrainingChoice(steps=2))
    shutil.rmtree(out)
    scale(brief, out)
    prepared = prepare(brief, out)
    train(brief, out, prepared=prepared)
    estimate(brief, out, prepared=prepared)
    read, baselines = evaluate.read_evaluation_data, []

    def kept(*arguments):
        data = read(*arguments)
        baselines.append(data.baseline.angles)
        return data

    monkeypatch.setattr(evaluate, "read_evaluation_data", kept)
    evaluate.evaluate(brief, out, prepared=prepared)
    evaluate.evaluate(brief, out)
    assert {"hip_flexion_l", "knee_angle_l"} <= set(baselines[0])
    for name, angles in baselines[0].items():
        np.testing.assert_allclose(baselines[1][name], angles, atol=1e-9, err_msg=name)


@pytest.fixture
def kept(study):
    """Return the file of an alignment that was made from the walk."""
    known, out = study()
    write_reading(prepare(known, out), out)
    return ResultsFolder(out).alignment.rename(out.parent / "kept.toml")


NAMED = 'method = "signals"\nfile = "kept.toml"'


@pytest.mark.parametrize(("axis", "angle_deg"), [("z", 35.0), ("x", 40.0), ("y", 180.0)])
def test_an_alignment_that_the_signals_contradict_stops_unless_accepted(study, kept, axis, angle_deg):
    turns = TURNS.copy()
    turns[3] = Rotation.from_euler(axis, angle_deg, degrees=True).as_matrix() @ turns[3]
    known, out = study(NAMED, turned=turns)
    with pytest.raises(InputError, match="against the alignment file") as error:
        check_inputs(known)
    assert 'accepted = ["alignment:tibia_r"]' in error.value.fix
    seen = check(known.path)
    assert not seen.ok
    assert [f.key for f in seen.overview.findings if f.is_serious] == ["alignment:tibia_r"]
    accepted, out = study(NAMED, turned=turns, recording='accepted = ["alignment:tibia_r"]\n')
    used = prepare(accepted, out).alignment
    assert np.array_equal(used.sensors[3].rotation, read_alignment(kept).sensors[3].rotation)


def test_exchanged_sensors_are_seen_with_the_alignment_of_another_recording(study, kept):
    known, _ = study(NAMED, bodies=("pelvis", "femur_r", "femur_l", "tibia_l", "tibia_r"))
    serious = {f.key for f in check(known.path).overview.findings if f.is_serious}
    assert serious >= {"swapped_sides:tibia_r", "swapped_sides:tibia_l"}


def test_a_part_too_short_to_align_by_itself_may_use_a_file(study, kept):
    """No stride is in it and nobody stands: its own signals say nothing, and nothing is contradicted."""
    rows = (kept.parent / "walk.csv").read_text().splitlines()
    known, out = study(NAMED)
    (kept.parent / "walk.csv").write_text("\n".join([rows[0], *rows[300:350]]) + "\n")
    made = prepare(known, out)
    assert not any(f.is_serious for f in made.alignment.findings)
    assert any("do not show" in note for note in made.notes)


@pytest.mark.parametrize(
    ("alignment", "axes_of_all"),
    [
        ('method = "none"\nfile = "kept.toml"', ""),
        ('file = "kept.toml"', ""),
        (NAMED, 'axes = ["x", "y", "z"]\n'),
    ],
)
def test_an_alignment_that_nothing_would_use_is_refused(study, kept, alignment, axes_of_all):
    with pytest.raises(InputError, match="names an alignment"):
        known, _ = study(alignment)
        text = known.path.read_text()
        for name in SITES:
            text = text.replace(f"[sensors.{name}]\n", f"[sensors.{name}]\n{axes_of_all}")
        known.path.write_text(text)
        check_inputs(read_study(known.path))


def test_a_broken_alignment_is_not_called_a_study(study, kept):
    kept.write_text("[sensors.pelvis\n")
    known, _ = study(NAMED)
    with pytest.raises(InputError, match=r"The alignment file is not valid TOML") as error:
        check(known.path)
    assert error.value.where.endswith("kept.toml")


def test_doubts_are_judged_by_the_bound_of_the_study_each_time(study):
    known, out = study()
    write_reading(prepare(known, out), out)
    strict, _ = study(alignment='method = "signals"\nlargest_sd_deg = 1.0')
    with pytest.raises(InputError, match="known within"):
        prepare(strict, out)


@pytest.mark.parametrize(("written", "within"), [("", 3.5), ("[alignment]\nstated_within_deg = 0\n", None)])
def test_a_format_says_how_well_it_knows_its_axes_unless_the_study_does(
    dorschky2019, repository, tmp_path, written, within
):
    text = (repository / "examples" / "dorschky2019_walk.toml").read_text()
    (tmp_path / "study.toml").write_text(
        text.replace("../../shared/data/dorschky2019", str(dorschky2019)) + written
    )
    study = read_study(tmp_path / "study.toml")
    sensors = axes.as_chosen(study, read_recording(study)).sensors
    assert {(sensor.stated_within_deg, sensor.axes_known) for sensor in sensors} == {(within, within is None)}
