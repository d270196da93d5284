"""The benchmarks run; what they measure depends on the machine and is not tested."""

import json
import subprocess
import sys


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


def test_a_study_that_is_not_there_is_one_clear_error(repository):
    answer = latency(repository, "--study", "nowhere.toml")
    assert answer.returncode == 2 and answer.stderr.startswith("The study file does not exist.")


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
    assert len(errors) % 6 == 0 and len(errors) >= 6
    assert max(error for _, error in errors) < 1e-12
