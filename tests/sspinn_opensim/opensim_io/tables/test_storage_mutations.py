"""Damaged tables are read right or refused; `benchmarks/storage_mutations.py` does the same for thousands."""

import contextlib
import dataclasses
import warnings
from pathlib import Path
from random import Random

import numpy as np
import pytest

from benchmarks.storage_mutations import MUTATIONS, mutate, outcome, run
from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from sspinn_opensim.opensim_io.tables.storage import StorageWarning, Table, read_storage, write_storage
from sspinn_opensim.opensim_io.worker.tables import inspect_files


@pytest.fixture(params=[True, False])
def original(request, tmp_path) -> Path:
    values = np.random.default_rng(0).normal(size=(30, 5)) * 30
    names = ("pelvis_tilt", "pelvis_tx", "hip_flexion_r", "knee_angle_r", "ankle_angle_r")
    return write_storage(tmp_path / "a.mot", Table(names, np.arange(30) / 100, values, request.param, "walk"))


def test_mutated_tables_are_never_wrong_in_silence(original):
    counts, faults = run([original], count=400, seed=1)
    assert not faults, "\n".join(faults)
    assert min(counts["right"], counts["refused"], counts["right, warned"], counts["wrong, warned"]) > 10


def test_mutated_tables_of_laboratories_are_never_wrong_in_silence(shared):
    data = shared / "data"
    files = [
        data / "opensim_scaling/gait2354/subject01_walk1_ik.mot",
        data / "opensim_scaling/rajagopal/grf_run.mot",
        data / "arnold2013_walk_consistent/subject01/walk2_coordinates.sto",
    ]
    counts, faults = run(files, count=150, seed=2)
    assert not faults, "\n".join(faults)
    assert counts["right"] > 10 and counts["refused"] > 10


@pytest.mark.parametrize("kind", MUTATIONS)
def test_every_mutation_changes_a_file_and_is_survived(original, kind):
    truth, data = read_storage(original), original.read_bytes()
    changed = [MUTATIONS[kind](data, Random(f"{kind} {i}")) for i in range(4)]
    unit = {"unit in other words": not truth.in_degrees, "unit in other words (no)": truth.in_degrees}
    assert any(other != data for other in changed) or unit.get(kind)
    for other in changed:
        original.write_bytes(other)
        assert outcome(original, truth) != "wrong in silence"


def test_what_is_read_without_a_note_means_the_same_to_opensim_or_is_refused_by_it(original, tmp_path):
    """OpenSim's Storage, which its tools use, is wrong in silence on many files: each of these has a note."""
    data, read = original.read_bytes(), {}
    for number in range(120):
        path = tmp_path / f"{number}.mot"
        path.write_bytes(mutate(data, Random(f"agree/{number}"))[1])
        with contextlib.suppress(InputError), warnings.catch_warnings():
            warnings.simplefilter("ignore", StorageWarning)
            table = read_storage(path)
            if not table.notes:
                read[str(path)] = table
    output = tmp_path / "readings.npz"
    arguments = {"tables": list(read), "setups": {}, "output": output}
    found = run_job(inspect_files, arguments, timeout_s=120, outputs=[output]).values["tables"]
    same = 0
    with np.load(output) as readings:
        for place, (path, table) in enumerate(read.items()):
            if "error" in found[path]["Storage"]:
                continue
            values = readings[f"Storage_{place}"]
            np.testing.assert_allclose(values, np.column_stack([table.time_s, table.values]), rtol=1e-14)
            assert found[path]["Storage"]["labels"] == list(table.names)
            stated = {True: "yes", False: "no", None: found[path]["Storage"]["in_degrees"]}
            assert found[path]["Storage"]["in_degrees"] == stated[table.in_degrees]
            same += 1
    assert same > 10


def test_a_table_that_is_wrong_in_silence_is_caught(original):
    """The check itself: one number, one label, one time or the unit otherwise than in the truth."""
    truth = read_storage(original)
    assert outcome(original, truth) == "right"
    for change in (
        {"values": truth.values + np.eye(*truth.values.shape)},
        {"names": (*truth.names[:-1], "subtalar_angle_r")},
        {"time_s": truth.time_s + 1e-9},
        {"in_degrees": not truth.in_degrees},
    ):
        assert outcome(original, dataclasses.replace(truth, **change)) == "wrong in silence"


def test_a_mutation_can_be_made_again(original):
    assert mutate(original.read_bytes(), Random(7)) == mutate(original.read_bytes(), Random(7))
