"""The benchmarks run; what they measure depends on the machine and is not tested."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import osim_models
from benchmarks import forked
from benchmarks.people.feet import body_poses, coordinates, on_foot
from benchmarks.people.references import Measured
from benchmarks.people.space import angle_scores, segment_scores
from benchmarks.run_time import time_of_run
from benchmarks.training_speed.__main__ import table
from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from sspinn_opensim.evaluation.curves import Curves
from sspinn_opensim.evaluation.metrics import evaluate_curves
from sspinn_opensim.opensim_io.tables.storage import Table
from sspinn_opensim.recording import FORMATS, output_window, read_recording
from sspinn_opensim.study import Person, read_study


def latency(repository, *arguments):
    command = [sys.executable, "-m", "benchmarks.latency", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120, check=False)


def test_latency_measures_the_estimator_and_its_peers(repository):
    answer = latency(repository, "--frames", "20", "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert found["frames"] == 20 and found["threads"] == 1 and found["sensors"] == 7
    assert len(found["latency_ms"]) == 3
    for numbers in found["latency_ms"].values():
        assert 0 < numbers["p50"] <= numbers["p95"] <= numbers["p99"]


def test_streaming_measures_the_whole_way(repository):
    command = [sys.executable, "-m", "benchmarks.streaming", "--frames", "40", "--minutes", "0.2", "--json"]
    command += ["--seconds", "2", "--only", "latency", "paced", "memory", "equality"]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=200, check=False)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert 0 < found["latency"]["wall_p50_ms"] <= found["latency"]["wall_p99_ms"]
    assert found["paced"]["sent"] == 200 >= found["paced"]["estimated"] and found["paced"]["core"] > 0
    assert found["equality"]["frames"] > 1000 and found["equality"]["moments"] < 1e-9
    assert found["sensors"] == 7


def test_damaged_samples_end_no_stream(repository):
    command = [
        sys.executable,
        "-m",
        "benchmarks.fuzzed_streams",
        "--count",
        "300",
        "--only",
        "udp",
        "recording",
    ]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=200, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    found = {name: row for line in answer.stdout.splitlines() for name, row in json.loads(line).items()}
    for row in found.values():
        assert row["damaged"] == 300 and row["refused"] and not row["raised"]
        assert row["estimates_again"] and row["growth_mb"] < 5.0


def test_a_study_that_is_not_there_is_one_clear_error(repository):
    answer = latency(repository, "--study", "nowhere.toml")
    assert answer.returncode == 2 and answer.stderr.startswith("The study file does not exist.")


def test_training_speed_takes_turns_with_another_checkout(repository):
    """Of itself: the same number of operations, the same losses, and a table that names both."""
    arguments = ["--study", "examples/demo.toml", "--against", ".", "--pieces", "2", "--steps", "2", "--json"]
    command = [sys.executable, "-m", "benchmarks.training_speed", *arguments]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert len(set(found["operations_a_step"].values())) == 1
    assert all(rate > 0 for rate in found["product_rate_gflops"].values())
    for name in ("this code", "the other"):
        assert len(found["wall_ms"][name]) == len(found["cpu_ms"][name]) == 1
        assert found["wall_ms"][name][0] > 0
    assert "times as fast" in table(found)


def test_the_stages_of_a_run_are_timed_from_heading_to_heading(tmp_path):
    """By a program that works for known times, in place of the package of another checkout."""
    program = tmp_path / "sspinn_opensim" / "__main__.py"
    program.parent.mkdir()
    (program.parent / "__init__.py").touch()
    program.write_text(
        "import sys, time\n"
        "print('can be used', flush=True)\n"
        "for stage in ('scale', 'train'):\n"
        "    print(stage + ' ' + chr(9472) * 20, flush=True)\n"
        "    time.sleep(0.3)\n"
        "sys.exit('7' in sys.argv)\n"
    )
    found = time_of_run(tmp_path, tmp_path / "study.toml", steps=3)
    assert list(found) == ["start", "scale", "train", "all", "processor time"]
    assert found["scale"] >= 0.2 and found["train"] >= 0.2
    assert found["start"] + found["scale"] + found["train"] == pytest.approx(found["all"])
    with pytest.raises(InputError, match="ended with status 1"):
        time_of_run(tmp_path, tmp_path / "study.toml", steps=7)


def virtual(repository, *arguments):
    command = [sys.executable, "-m", "benchmarks.virtual_imu", *map(str, arguments)]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def studies(repository, shared, tmp_path_factory):
    """Return the folder of the quick virtual benchmark."""
    if not (shared / "data" / "hamner2013_running").is_dir():
        pytest.skip("the public recordings lack hamner2013_running")
    out = tmp_path_factory.mktemp("virtual")
    answer = virtual(repository, "--data", shared / "data", "--out", out, "--quick", "--folds", 2)
    assert answer.returncode == 0, answer.stderr
    return out


def test_in_space_everyone_keeps_a_model_of_their_own(repository, shared, tmp_path):
    if not (shared / "data" / "hamner2013_running").is_dir():
        pytest.skip("the public recordings lack hamner2013_running")
    answer = virtual(
        repository, "--data", shared / "data", "--out", tmp_path, "--quick", "--people", 1, "--space"
    )
    assert answer.returncode == 0, answer.stderr
    written = {file.parent.name: tomllib.loads(file.read_text()) for file in tmp_path.rglob("study.toml")}
    assert len(written) == 2 and not list(tmp_path.glob("fold_*.toml"))
    for study in written.values():
        assert study["coordinates"] == {"estimate": "observed"} and study["model"]["scaled"]
        assert (shared / "data").resolve() in Path(study["model"]["file"]).resolve().parents


def test_everyone_is_unseen_in_one_fold_and_never_seen_there(studies):
    folds = [tomllib.loads((studies / f"fold_{k}.toml").read_text()) for k in (1, 2)]
    unseen = [set(fold["unseen"]) for fold in folds]
    assert len(unseen[0] | unseen[1]) == 4 and not unseen[0] & unseen[1]
    for fold in folds:
        assert not set(fold["members"]) & set(fold["unseen"])
        for file in fold["members"] + fold["unseen"]:
            study = read_study(studies / file)
            recording = read_recording(study)
            assert recording.time_s[-1] > 3.0 and study.recording.speed_m_s > 1.0
            output_window(recording, study.output)


def test_the_scores_of_folds_become_one_table(repository, studies, tmp_path):
    """Made-up scores: who was unseen, which movement, and a person's trials averaged before people are."""
    for k in (1, 2):
        folder = tmp_path / f"fold_{k}"
        fold = tomllib.loads((studies / f"fold_{k}.toml").read_text())
        names = {key: [Path(file).parent.name for file in fold[key]] for key in ("members", "unseen")}
        for key, error in (("members", 2.0), ("unseen", 6.0 if k == 1 else 4.0)):
            for name in names[key]:
                (folder / "people" / name).mkdir(parents=True)
                scores = json.dumps({"trials": {name: made_up_scores(error)}})
                (folder / "people" / name / "metrics.json").write_text(scores)
        for name in names["unseen"]:
            (folder / "adapted" / name).mkdir(parents=True)
            scores = json.dumps({"trials": {name: made_up_scores(3.0)}})
            (folder / "adapted" / name / "metrics.json").write_text(scores)
        (folder / "manifest.json").write_text(json.dumps({"cohort": names}))
    answer = virtual(repository, "--json", "--collect", tmp_path / "fold_1", tmp_path / "fold_2")
    assert answer.returncode == 0, answer.stderr
    groups = json.loads(answer.stdout)["groups"]
    assert groups["unseen"]["all"]["means"]["angle_rmsd_deg"]["median"] == pytest.approx(5.0)
    assert groups["seen"]["all"]["means"]["angle_rmsd_deg"]["median"] == pytest.approx(2.0)
    assert groups["unseen, adapted"]["all"]["means"]["angle_rmsd_deg"]["median"] == pytest.approx(3.0)
    assert set(groups["unseen"]["activities"]) == {"walking", "running"}
    assert groups["unseen"]["all"]["people"] == 4 == groups["seen"]["all"]["people"]


def made_up_scores(error):
    """Return the entry of a trial in ``metrics.json`` with one angle that is wrong by `error` degrees."""
    angles = np.radians([[0.0, 10.0, 30.0]])
    estimate = Curves(np.arange(3.0), {"hip_flexion_r": angles[0] + np.radians(error)})
    reference = Curves(np.arange(3.0), {"hip_flexion_r": angles[0]})
    scores = evaluate_curves(estimate, reference, Person(height_m=1.7, mass_kg=70.0))
    rivals = {name: scores for name in ("median", "baseline", "constant_posture")}
    return {"seeds": {"seed_0": scores}, "declared_lag": None, **rivals}


def test_data_that_are_not_there_are_one_clear_error(repository, tmp_path):
    answer = virtual(repository, "--data", tmp_path, "--out", tmp_path / "out")
    assert answer.returncode == 2 and answer.stderr.startswith("The data sets are not there.")
    answer = virtual(repository, "--collect", tmp_path)
    assert answer.returncode == 2 and answer.stderr.startswith("No scored trial")
    answer = virtual(repository, "--adapt", tmp_path, "--out", tmp_path)
    assert answer.returncode == 2 and answer.stderr.startswith("There is no trained network.")


@pytest.mark.slow
def test_networks_are_adapted_to_the_unseen_and_scored(repository, studies, tmp_path):
    """Two steps of training and two of adaptation; the scores are those of every unseen trial."""
    shutil.copytree(studies, tmp_path / "v")
    fold = tomllib.loads((tmp_path / "v" / "fold_1.toml").read_text())
    names = [Path(file).parent.name for file in fold["unseen"]]
    for name in names:
        with (tmp_path / "v" / "studies" / name / "study.toml").open("a") as study:
            study.write("\n[training]\nadaptation_steps = 2\n")
    results = tmp_path / "results"
    run = [sys.executable, "-m", "sspinn_opensim", "run", str(tmp_path / "v" / "fold_1.toml")]
    run += ["--out", str(results), "--steps", "2", "--seeds", "0"]
    subprocess.run(run, cwd=repository, capture_output=True, timeout=300, check=True)
    answer = virtual(repository, "--adapt", results, "--out", tmp_path / "v")
    assert answer.returncode == 0, answer.stderr
    answer = virtual(repository, "--json", "--collect", results, "--out", tmp_path / "v")
    groups = json.loads(answer.stdout)["groups"]
    assert groups["unseen, adapted"]["all"]["trials"] == len(names) == groups["unseen"]["all"]["trials"]


def test_the_plates_of_the_walkers_are_late_and_those_of_the_runners_are_not(repository, shared):
    if not (shared / "data" / "hamner2013_running").is_dir():
        pytest.skip("the public recordings lack hamner2013_running")
    answer = virtual(repository, "--data", shared / "data", "--quick", "--clocks", "--json")
    assert answer.returncode == 0, answer.stderr
    found = {row["name"]: row for row in json.loads(answer.stdout)["trials"]}
    # Found by 2.5 ms; walkers 10 to 20 ms, runners at most one step off.
    assert all(10 <= row["late_ms"] <= 20 for row in found.values() if row["kind"] == "walking")
    assert all(abs(row["late_ms"]) <= 2.5 for row in found.values() if row["kind"] == "running")
    assert all(row["moved_bw"] <= row["as_given_bw"] for row in found.values()) and len(found) == 4


def dynamics(repository, *arguments):
    command = [sys.executable, "-m", "benchmarks.dynamics", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120, check=False)


ROUTES = ("ours", "pinocchio", "mujoco", "opensim", "casadi_map", "torch")


def test_dynamics_lists_what_every_route_reached(repository, tmp_path):
    plot = tmp_path / "speed.svg"
    choice = ["--quick", "--json", "--batch", "4", "--dtype", "float64", "--plot", str(plot)]
    answer = dynamics(repository, *choice, "--models", str(tmp_path / "nowhere"))
    assert answer.returncode == 0, answer.stderr
    rows = json.loads(answer.stdout)
    lines = answer.stderr.splitlines()
    folder_lines = [line for line in lines if line.startswith("left out: gait10dof18musc, Rajagopal2016: ")]
    assert len(folder_lines) == 1 and "--models DIR" in folder_lines[0]
    left_out = {route for route in ROUTES for line in lines if line.startswith(f"left out: {route} ")}
    assert {row["route"] for row in rows} == set(ROUTES) - left_out
    assert {"ours", "casadi_map", "torch"}.isdisjoint(left_out)
    assert len({(row["route"], row["direction"]) for row in rows}) == len(rows)
    for row in rows:
        assert (row["model"], row["dtype"], row["batch"]) == ("planar_gait", "float64", 4)
        assert row["direction"] in ("forward", "forward_backward")
        assert row["evaluations_per_s"] > 0 and row["wall_s"] > 0
        assert row["threads"] == 1
        if row["route"] == "ours":
            assert row["compile_s"] > 0 and row["cached_s"] > 0 and row["ratio"] == 1
            assert row["largest_error"] < 1e-12
        else:
            assert row["compile_s"] is None
            # All peers have the same planar model.
            assert row["tau_difference"] < 1e-12
    assert plot.read_text(encoding="utf-8").count("<polyline") == len(rows)


def test_a_peer_that_is_not_installed_is_one_line(repository):
    arguments = ["--model", "planar_gait", "--routes", "pinocchio", "mujoco", "--quick"]
    code = (
        "import sys; sys.modules['pinocchio'] = sys.modules['mujoco'] = None; "
        f"from benchmarks.dynamics import main; main({arguments})"
    )
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 2
    assert answer.stderr.splitlines() == [
        "left out: pinocchio for planar_gait: not installed: python -m pip install pin",
        "left out: mujoco for planar_gait: not installed: python -m pip install mujoco",
        "Nothing is left to measure.",
    ]


COMPARE = """
import sys
from pathlib import Path
import numpy as np, torch
from benchmarks.peers.case import DIFFERENTIATED, NAMES, read_case
from benchmarks.peers.newton_euler import NewtonEuler
for name in NAMES if Path(sys.argv[1]).is_dir() else NAMES[:1]:
    case = read_case(name, Path(sys.argv[1]))
    states = case.states(5)
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in states.items()}
    outputs = NewtonEuler(case.model, torch.float64)(
        **tensors, sensor_position=torch.tensor(case.shared["sensor_position"])
    )
    weights = {f"d_{name}": torch.randn_like(output) for name, output in outputs.items()}
    leaves = [tensors[name] for name in DIFFERENTIATED]
    found = dict(outputs)
    found["gradient"] = torch.cat(
        torch.autograd.grad([*outputs.values()], leaves, [*weights.values()]), 1
    )
    given = {name: value.T for name, value in {**states, **case.shared}.items()}
    cotangents = {name: weight.numpy().T for name, weight in weights.items()}
    expected = case.function.call(given) | case.gradients.call(given | cotangents)
    for output, value in expected.items():
        value = np.array(value).T
        print(name, output, np.abs(found[output].detach().numpy() - value).max() / np.abs(value).max())
"""


def test_torch_code_by_hand_agrees_with_the_symbolic_functions(repository):
    command = [sys.executable, "-c", COMPARE, str(repository.parent / "shared" / "models")]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    errors = [(name, float(error)) for name, _, error in map(str.split, answer.stdout.splitlines())]
    assert len(errors) % 8 == 0 and len(errors) >= 8
    assert max(error for _, error in errors) < 1e-12


def test_muscle_forces_are_measured_beside_opensims(repository, tmp_path):
    arguments = ["--case", "planar", "--case", "Hamner", "--data", str(tmp_path), "--out", str(tmp_path)]
    command = [sys.executable, "-m", "benchmarks.muscle_forces", *arguments, "--json"]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=300, check=False)
    assert answer.stderr.startswith("left out: Hamner")
    (row,) = json.loads(answer.stdout)
    assert row["muscles"] == 18 and row["failed"] == {"opensim": 0, "ours": 0}
    assert 0 < row["mean_percent"] <= row["worst_percent"] < 1 and len(row["rmsd_percent"]) == 18
    assert sum(row["share"].values()) == pytest.approx(1)
    assert row["ratio"] > row["ratio_with_reading"] > 1


def test_what_a_change_of_the_code_moved_is_found(repository, tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    table = "name\nnRows=2\nnColumns=2\ninDegrees=yes\nendheader\ntime\tknee\n0.0\t10.0\n0.01\t-20.0\n"
    (before / "kinematics.mot").write_text(table)
    (before / "metrics.json").write_text(json.dumps({"rmsd": [1.0, 2.0], "name": "a"}))
    shutil.copytree(before, after)
    command = [sys.executable, "-m", "benchmarks.unchanged", str(before), str(after)]
    assert subprocess.run(command, cwd=repository, capture_output=True, check=False).returncode == 0
    (after / "kinematics.mot").write_text(table.replace("10.0", "10.5"))
    (after / "grf.mot").write_text(table)
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    said = answer.stdout
    assert answer.returncode == 1
    assert "0.5" in said and "2.5e-02" in said and "knee" in said and "only after" in said
    assert "metrics.json" not in said and "1 files are equal byte for byte" in said


def test_readers_are_timed_beside_others(repository):
    command = [sys.executable, "-m", "benchmarks.readers", "--minutes", "0.1"]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    lines = [line.split() for line in answer.stdout.splitlines()]
    timed = {line[0]: line[1:] for line in lines if line and line[0] in FORMATS}
    assert set(timed) == set(FORMATS) - {"dorschky2019"}
    assert all(float(megabytes) > 0 and float(faster) > 0 for megabytes, _, faster, *_ in timed.values())
    assert "pandas" in timed["xsens_mt"] and "numpy" in timed["opensense"]


def test_a_real_person_is_estimated_from_the_raw_folder_and_scored(repository, shared, tmp_path):
    if not (shared / "data" / "kuopio2024_walk").is_dir():
        pytest.skip("the public recordings lack kuopio2024_walk")
    command = [sys.executable, "-m", "benchmarks.people", "--data", shared / "data", "--out", tmp_path]
    command += ["--only", "kuopio", "--steps", "3"]
    answer = subprocess.run(
        list(map(str, command)), cwd=repository, capture_output=True, text=True, timeout=300, check=False
    )
    assert answer.returncode == 0, answer.stderr
    (row,) = json.loads((tmp_path / "people.json").read_text())
    assert row["recording"] == "kuopio" and 1.4 < row["speed_measured"] < 1.6
    for quantity in ("angle", "moment", "force_up"):
        rmsd, bias, spread = (row[f"{quantity}_{number}"] for number in ("rmsd", "bias", "spread"))
        assert max(bias, spread) > 0 and rmsd < bias + spread + 1e-9


def test_virtual_people_are_turned_by_a_level_and_stand_in_the_same_table(repository, shared, tmp_path):
    if not (shared / "data" / "hamner2013_running").is_dir():
        pytest.skip("the public recordings lack hamner2013_running")
    command = [sys.executable, "-m", "benchmarks.people", "--data", shared / "data", "--out", tmp_path]
    command += ["--only", "--virtual", "4", "8", "--virtual-people", "1", "--steps", "2"]
    answer = subprocess.run(
        list(map(str, command)), cwd=repository, capture_output=True, text=True, timeout=300, check=False
    )
    assert answer.returncode == 0, answer.stderr
    rows = json.loads((tmp_path / "people.json").read_text())
    assert [(row["kind"], row["level"]) for row in rows] == [
        (kind, level) for kind in ("walking", "running") for level in ("4", "8")
    ]
    assert "walking@8 (1 people)" in answer.stdout
    for row in rows:
        # A posture held still has 16 and 26 degrees; the baseline of a turned sensor is within its turns.
        assert 1.0 < row["baseline_rmsd"] < row["angle_rmsd"]
    truths = [json.loads(file.read_text()) for file in sorted(tmp_path.glob("virtual/walker*/truth.json"))]
    for name, sensor in truths[0]["sensors"].items():
        both = np.array([truth["sensors"][name]["misalignment_deg"] for truth in truths])
        # Angles of a rotation grow with its vector to second order: 8 degrees turn others by about 1.
        np.testing.assert_allclose(both[1], 2 * both[0], atol=2.0)
        assert sensor["misalignment_deg"] != [0.0, 0.0, 0.0]


BELTS = """
import json, pathlib, sys
from benchmarks.people import references, scores
from sspinn_opensim.evaluation.curves import Curves
measured = references.capsense(pathlib.Path(sys.argv[1]))
time_s = measured.ground_force["r"][0]
same = Curves(time_s, ground_force={side: force for side, (_, force) in measured.ground_force.items()})
print(json.dumps(scores.timing(same, measured, 66.7 * 9.80665)))
"""


def test_belts_against_themselves_are_no_error(repository, shared):
    """An estimate that is what the laboratory measured scores zero."""
    file = shared / "data" / "capsense_walk" / "Sub01_CSBaseline.npz"
    if not file.is_file():
        pytest.skip("the public recordings lack capsense_walk")
    command = [sys.executable, "-c", BELTS, str(file)]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert found["cadence_estimated"] == found["cadence_measured"]
    assert abs(found["cadence_measured"] - 92.0) < 0.5
    assert found["stance_error_ms_r"] == found["force_up_gait_l"] == 0.0


FEET = """
import json, numpy as np
from benchmarks.contact import _feet, _later, force_error
time_s = np.arange(0.0, 5.0, 0.01)
def walk(late_s, share=1.0):
    phase = (time_s[None] - late_s - np.array([[0.0], [0.5]])) % 1.0
    load = share * 700.0 * np.sin(np.pi * np.clip(phase / 0.6, 0.0, 1.0)).clip(0.0)
    return _feet({side: (time_s, force) for side, force in zip("rl", load)}, 700.0)
print(json.dumps([_later(walk(0.02), walk(0.0), "ms"), force_error(walk(0.0, 1.1), walk(0.0), 700.0)]))
"""


def test_feet_that_load_late_are_told_by_how_much(repository):
    command = [sys.executable, "-c", FEET]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    later, error = json.loads(answer.stdout)
    assert later == {"onset_ms": pytest.approx(20.0, abs=0.1), "toe_off_ms": pytest.approx(20.0, abs=0.1)}
    # A tenth of a half sine that lasts 0.6 of a second.
    assert error == pytest.approx(10.0 * (0.5 * 0.6) ** 0.5, rel=0.01)


def test_scores_in_space_know_bias_spread_and_no_heading():
    time_s = np.arange(50) / 100
    swing = 0.3 * np.sin(9.0 * time_s)
    own = Curves(time_s, {"hip_adduction_r": swing + 0.05, "pelvis_rotation": swing + 2.0})
    measured = Measured({"hip_adduction_r": (time_s, swing), "pelvis_rotation": (time_s, swing)})
    found = angle_scores(own, measured)
    assert found["angle hip_adduction"]["bias"] == pytest.approx(np.degrees(0.05))
    assert found["angle hip_adduction"]["spread"] == pytest.approx(0.0, abs=1e-9)
    assert found["angle pelvis_rotation"]["rmsd"] == pytest.approx(0.0, abs=1e-9)


def test_segments_are_told_by_tilt_and_heading():
    """A laboratory whose shank has a zero of its own, and a person who turns by half a circle."""
    model, time_s = read_model(osim_models.path("planar_gait.osim")), np.linspace(0.0, 2.0, 101)
    tilt = 0.2 * np.sin(6.0 * time_s)
    motion = Table(("pelvis_tilt", "knee_angle_r"), time_s, np.column_stack([tilt, tilt - 0.3]), False)
    poses = body_poses(build(model), coordinates(model, motion), ("pelvis", "tibia_r"))
    seen = Rotation.from_rotvec(np.outer(np.pi * (time_s > 1.0), [0.0, 1.0, 0.0])).as_matrix()
    zero = Rotation.from_rotvec([0.0, 0.0, 0.1]).as_matrix()
    axes = {
        "pelvis": (time_s, seen @ poses["pelvis"][1]),
        "tibia_r": (time_s, seen @ poses["tibia_r"][1] @ zero),
    }
    found = segment_scores(model, motion, Measured(axes=axes, turn_s=((0.0, 0.9), (1.1, 2.0))))
    assert found["tilt pelvis"]["rmsd"] == pytest.approx(0.0, abs=1e-5)
    assert found["tilt tibia"]["rmsd"] == pytest.approx(np.degrees(0.1))
    assert found["tilt tibia"]["spread"] == pytest.approx(0.0, abs=1e-5)
    assert found["heading over the turn"]["rmsd"] == pytest.approx(180.0)


def test_a_point_under_a_foot_is_told_along_the_foot():
    """The foot points to the person's right: what is forward of it is right of the person."""
    foot = np.array([[1.0, 0.1, 2.0]]), np.array([[0.0, -0.2, 0.9]])
    assert on_foot(foot, np.array([[0.9, 0.0, 2.2]])) == pytest.approx(np.array([[0.2, 0.1]]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="copies of a process, of Unix")
def test_a_copy_of_the_process_is_a_command_of_its_own(tmp_path):
    """Its session, folders, output and status; and signals end it as they do a new Python."""

    def command():
        print(os.getsid(0) == os.getpid(), Path.cwd() == tmp_path, tempfile.gettempdir())
        return 3

    def waiting():
        print("waits", flush=True)
        time.sleep(60)

    said, temporary = tmp_path / "said.txt", tmp_path / "temporary"
    folder, out = Path.cwd(), sys.stdout
    _, status = os.waitpid(forked.start(command, tmp_path, temporary, said), 0)
    assert os.waitstatus_to_exitcode(status) == 3 and said.read_text() == f"True True {temporary}\n"
    assert (Path.cwd(), sys.stdout) == (folder, out), "this process is as it was"
    for number in (signal.SIGTERM, signal.SIGINT):
        said.unlink()
        child = forked.start(waiting, tmp_path, temporary, said)
        while not said.exists() or "waits" not in said.read_text():
            time.sleep(0.01)
        os.kill(child, number)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -number


@pytest.mark.skipif(not hasattr(os, "fork"), reason="copies of a process, of Unix")
def test_what_a_copy_raises_is_said(tmp_path):
    said = tmp_path / "said.txt"
    child = forked.start(lambda: 1 // 0, tmp_path, tmp_path / "temporary", said)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 70
    assert said.read_text().rstrip().endswith("ZeroDivisionError: integer division or modulo by zero")
