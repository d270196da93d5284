"""Standing still before a motion."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.tables.motion_files import kinematics_table
from sspinn_opensim.opensim_io.tables.storage import write_storage
from sspinn_opensim.recording import read_recording
from sspinn_opensim.recording.movement.phases import phases
from sspinn_opensim.simulation.reference_tables import reference_tables
from sspinn_opensim.simulation.settings import SimulationSettings, changed
from sspinn_opensim.simulation.standing import START_S
from sspinn_opensim.simulation.walk import read_walk, scored_window
from sspinn_opensim.study import read_study
from sspinn_opensim.verbs.simulate_imu import settings_for, simulate_imu

STANDS_S = 1.5


@pytest.fixture
def standing_file(planar_model, tmp_path):
    """A motion file of somebody who sways about a posture."""
    time_s = np.linspace(0.0, 1.0, 101)
    motions = [c.motion for c in planar_model.coordinates]
    q = np.tile(0.01 * np.arange(1, len(motions) + 1), (101, 1))
    q += 0.002 * np.sin(2 * np.pi * time_s)[:, None]
    table = kinematics_table(planar_model.coordinate_names, motions, time_s, q)
    write_storage(tmp_path / "standing.mot", table)
    return tmp_path / "standing.mot"


@pytest.mark.parametrize("strides", [{}, {"motion.strides": 4}])
def test_the_person_stands_starts_smoothly_and_walks_as_before(
    planar_files, planar_model, standing_file, strides
):
    plain = changed(SimulationSettings(), strides)
    stands = changed(plain, {"motion.standing_s": STANDS_S, "motion.standing": standing_file})
    walk, stood = (read_walk(planar_files.model, planar_files.motion, s) for s in (plain, stands))
    before_s = STANDS_S + START_S
    time_s = np.arange(0.0, walk.to_s - walk.from_s, 0.01)
    np.testing.assert_allclose(stood.recorded(before_s + time_s)[0], walk.recorded(time_s)[0], atol=1e-12)
    q, qdot, _ = stood.recorded(np.linspace(0.0, STANDS_S, 20))
    assert np.abs(qdot).max() == 0.0 and np.ptp(q, axis=0).max() == 0.0
    angles = [i for i, c in enumerate(planar_model.coordinates) if c.motion == "rotational"]
    np.testing.assert_allclose(q[0, angles], 0.01 * (np.array(angles) + 1), atol=1e-6)
    # Derivatives are those of the coordinates, through the start and where the walk goes on.
    time_s = np.arange(STANDS_S - 0.1, before_s + 0.5, 1e-4)
    q, qdot, qddot = stood.recorded(time_s)
    np.testing.assert_allclose(np.gradient(q, 1e-4, axis=0)[1:-1], qdot[1:-1], atol=2e-4)
    np.testing.assert_allclose(np.gradient(qdot, 1e-4, axis=0)[1:-1], qddot[1:-1], atol=0.05)
    scored, later = scored_window(walk), scored_window(stood)
    expected = scored or (0.0, walk.to_s - walk.from_s)
    np.testing.assert_allclose(later, np.add(expected, before_s))


def test_the_reference_is_on_the_clock_of_the_recording(planar_files):
    signs = {"knee_angle_r": 1}
    plain = SimulationSettings()
    stands = changed(plain, {"motion.standing_s": STANDS_S})
    tables = [
        reference_tables(read_walk(planar_files.model, planar_files.motion, settings), signs, settings)
        for settings in (plain, stands)
    ]
    early, late = (table["kinematics"] for table in tables)
    shifted = np.interp(early.time_s + STANDS_S + START_S, late.time_s, late.column("knee_angle_r"))
    np.testing.assert_allclose(shifted, early.column("knee_angle_r"), atol=1e-6)


def test_the_recording_shows_that_somebody_stands(planar_files, tmp_path):
    settings = settings_for(None, {"study.height_m": 1.66, "motion.standing_s": STANDS_S})
    study = read_study(simulate_imu(planar_files.model, planar_files.motion, tmp_path, settings).study)
    first = phases(read_recording(study, whole=True))[0]
    assert first.kind == "standing" and first.from_s == 0.0
    assert first.to_s == pytest.approx(STANDS_S, abs=0.4)
    assert study.output.from_s == study.recording.from_s == pytest.approx(STANDS_S + START_S)


def test_a_posture_that_nobody_holds_is_refused(standing_file):
    with pytest.raises(InputError, match="nobody stands"):
        changed(SimulationSettings(), {"motion.standing": standing_file})
