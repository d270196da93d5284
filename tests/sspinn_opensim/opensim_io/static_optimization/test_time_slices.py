"""Slices of time: their plan, the joined result, later attempts, and which one failed."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from casadi_dynamics.errors import OpenSimError
from casadi_dynamics.opensim_process import jobs
from casadi_dynamics.opensim_process.jobs import JobResult
from sspinn_opensim.opensim_io.static_optimization import time_slices
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings, prepare
from sspinn_opensim.opensim_io.static_optimization.setup_file import read_setup
from sspinn_opensim.opensim_io.tables.storage import read_storage

TIME_S = np.arange(0.0, 2.0, 0.01)


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_every_frame_belongs_to_one_slice_and_is_run_by_it(workers):
    slices = time_slices.plan(TIME_S, 0.2, 1.8, workers)
    frames = TIME_S[(TIME_S >= 0.2 - 1e-9) & (TIME_S <= 1.8 + 1e-9)]
    assert len(slices) == min(workers, 8)
    owners = [[s.number for s in slices if s.from_s <= t < s.to_s] for t in frames]
    assert all(len(numbers) == 1 for numbers in owners)
    for part in slices:
        own = frames[(frames >= part.from_s) & (frames < part.to_s)]
        assert len(own) == part.frames
        # OpenSim begins with the last frame at or before the time it is given.
        assert part.runs_from_s <= own[0] + 1e-9 and part.runs_to_s >= own[-1] - 1e-9
    assert slices[0].runs_from_s == 0.2 and slices[-1].runs_to_s == 1.8
    assert max(s.frames for s in slices) - min(s.frames for s in slices) <= 1


def test_a_long_window_is_cut_into_more_slices_than_workers():
    slices = time_slices.plan(np.arange(0.0, 60.0, 0.01), 1.0, 59.0, 2)
    assert len(slices) > 2 and len(slices) % 2 == 0
    assert max(part.frames for part in slices) <= 400


def test_short_windows_are_not_worth_a_second_process():
    assert len(time_slices.plan(TIME_S, 0.5, 0.7, 4)) == 1


def test_workers_are_bounded_by_memory(monkeypatch):
    monkeypatch.setattr(time_slices, "_available_memory_bytes", lambda: 10 * 2**20)
    assert time_slices.usual_workers() == 1
    monkeypatch.setattr(time_slices, "_available_memory_bytes", lambda: 2**50)
    assert time_slices.usual_workers() >= 1


@pytest.fixture
def long_crouch(_crouch, tmp_path) -> Path:
    folder = Path(shutil.copytree(_crouch, tmp_path / "results"))
    prepare(folder, window=(0.15, 0.75), settings=Settings(lowpass_hz=6.0))
    return folder


def test_slices_joined_equal_a_single_run(long_crouch):
    """Filtered, so that OpenSim's frames lie a little beside the file's."""
    setup = read_setup(long_crouch / "static_optimization_setup.xml")
    time_s = read_storage(setup.kinematics).time_s
    muscles = read_storage_muscles(setup)
    single = time_slices.solve(setup, time_s, muscles, workers=1)
    joined = time_slices.solve(setup, time_s, muscles, workers=3)
    assert single.workers == 1 and joined.workers == 3
    np.testing.assert_array_equal(joined.time_s, single.time_s)
    assert len(joined.time_s) == 61 and not joined.failed.any()
    np.testing.assert_allclose(joined.activations, single.activations, atol=2e-4)
    np.testing.assert_allclose(joined.forces, single.forces, atol=0.5)  # N; the optimizer stops at 1e-4
    assert set(joined.actuation) == set(single.actuation)
    assert np.isfinite(joined.violation).all() and np.isfinite(joined.objective).all()


def read_storage_muscles(setup):
    from sspinn_opensim.opensim_io.model.model_file import muscle_names, read_model_tree

    return muscle_names(read_model_tree(setup.model))


def test_the_slice_that_failed_is_named(long_crouch, monkeypatch):
    setup = read_setup(long_crouch / "static_optimization_setup.xml")

    def one_fails(function, arguments, **limits):
        if arguments["setup"].parent.name == "slice_2":
            raise OpenSimError("OpenSim job crashed", where=arguments["setup"])

    monkeypatch.setattr(jobs, "run_job", one_fails)
    with pytest.raises(OpenSimError, match=r"(?s)crashed.*slice 2 of 3, 0\.\d+ to 0\.\d+ s"):
        time_slices.solve(setup, read_storage(setup.kinematics).time_s, ("a",), workers=3)
    assert not setup.raw_folder.exists()


def test_frames_given_up_are_tried_again_with_a_looser_criterion(long_crouch, monkeypatch):
    """OpenSim is made to fail on chosen frames until the criterion is loose enough."""
    setup = read_setup(long_crouch / "static_optimization_setup.xml")
    time_s, muscles = read_storage(setup.kinematics).time_s, read_storage_muscles(setup)
    real, criteria = time_slices.run_jobs, []

    def stubborn(jobs, *, at_once):
        text = Path(jobs[0].arguments["setup"]).read_text()
        criteria.append(float(text.partition("criterion>")[2].partition("<")[0]))
        results = real(jobs, at_once=at_once)
        failing = {1e-4: [0.3, 0.31, 0.5], 1e-3: [0.5]}.get(round(criteria[-1], 6), [])
        return [_with_failures(result, failing) for result in results]

    monkeypatch.setattr(time_slices, "run_jobs", stubborn)
    solution = time_slices.solve(setup, time_s, muscles, workers=1)
    assert criteria == pytest.approx([1e-4, 1e-3, 1e-2])
    assert not solution.failed.any()
    np.testing.assert_allclose(solution.time_s[solution.relaxed], [0.3, 0.31, 0.5], atol=1e-4)


def _with_failures(result: JobResult, times) -> JobResult:
    values = result.values | {"failed_frames": len(times), "failed_times_s": list(times)}
    return dataclasses.replace(result, values=values)
