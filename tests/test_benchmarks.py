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
