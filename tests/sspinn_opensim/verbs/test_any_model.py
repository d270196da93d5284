"""A public model in space goes through a planar estimate: all coordinates are written, couplers satisfied."""

import dataclasses

import numpy as np
import pytest

from casadi_dynamics.osim import read_model
from sspinn_opensim.evaluation import read_evaluation_data
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.recording import read_recording
from sspinn_opensim.recording.formats.dorschky2019 import Dorschky2019Options
from sspinn_opensim.study import override, read_study
from sspinn_opensim.verbs import estimate, scale, train


@pytest.fixture(scope="module")
def results(repository, tmp_path_factory):
    """Return study and results folder of an estimate after two steps of training; its angles mean nothing."""
    for needed in ("models/Rajagopal2016.osim", "data/dorschky2019/P01_normwalking.mat"):
        if not (repository.parent / "shared" / needed).is_file():
            pytest.skip("the public models and recordings are not beside this checkout (../shared)")
    study = read_study(repository / "examples" / "dorschky2019_rajagopal2016.toml")
    study = override(study, steps=2)
    study = dataclasses.replace(
        study, recording=dataclasses.replace(study.recording, options=Dorschky2019Options(3))
    )
    out = tmp_path_factory.mktemp("rajagopal")
    for stage in (scale.scale, train.train, estimate.estimate):
        stage(study, out)
    return study, out


def test_all_coordinates_are_written_and_kneecaps_follow(results):
    _study, out = results
    model = read_model(out / "subject.osim")
    table = read_storage(out / "kinematics.mot")
    assert table.in_degrees and set(table.names) == set(model.coordinate_names) and len(table.names) == 39
    for side in "rl":
        knee, kneecap = (table.column(f"knee_angle_{side}{end}") for end in ("", "_beta"))
        assert np.ptp(knee) > 0
        np.testing.assert_allclose(kneecap, np.radians(knee), atol=1e-7)  # coupled: never in degrees
    for name in ("hip_adduction_r", "lumbar_bending", "arm_flex_l", "mtp_angle_r", "pelvis_tz"):
        np.testing.assert_array_equal(table.column(name), 0.0)
    moments = read_storage(out / "moments.sto").names
    assert set(moments) == {
        f"{joint}_{side}_moment" for side in "rl" for joint in ("hip_flexion", "knee_angle", "ankle_angle")
    }


def test_one_ground_force_a_foot(results):
    _, out = results
    names = read_storage(out / "grf.mot").names
    assert {name.split("_ground_")[0] for name in names} == {"calcn_r", "calcn_l"}
    spheres = read_model(out / "subject.osim").contact_spheres
    assert {sphere.body for sphere in spheres} == {"calcn_r", "calcn_l"}, "the toes of this model are locked"


def test_what_is_scored_has_the_signs_of_the_model(results):
    """The reference counts knee flexion as negative, Rajagopal's model as positive."""
    study, out = results
    for seed in study.training.seeds:
        assert (out / "seeds" / f"seed_{seed}" / "kinematics.mot").is_file()
    data = read_evaluation_data(study, out, read_recording(study))
    legs = {f"{joint}_{side}" for side in "rl" for joint in ("hip_flexion", "knee_angle", "ankle_angle")}
    assert set(data.joints) == legs
    knee, ankle = data.reference.angles["knee_angle_r"], data.reference.angles["ankle_angle_r"]
    assert 0.9 < knee.max() < 1.4 and knee.min() > -0.1, "flexion is positive here"
    assert set(data.baseline.angles) == legs, "the baseline finds every joint of the legs"
    baseline = data.baseline.angles["knee_angle_r"]
    assert np.corrcoef(baseline, knee)[0, 1] > 0.95
    assert np.corrcoef(data.baseline.angles["ankle_angle_r"], ankle)[0, 1] > 0.8


def test_the_root_may_leave_its_range(results):
    _, out = results
    model = read_model(out / "subject.osim")
    assert not any(model.coordinate(name).clamped for name in model.root_coordinates())
