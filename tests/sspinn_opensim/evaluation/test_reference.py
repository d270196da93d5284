"""Reading references: files of OpenSim and of the public data set."""

import dataclasses

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.evaluation import SagittalJoint, read_estimate, read_reference
from sspinn_opensim.evaluation.curves import ground_force_of
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.recording.formats import matlab_tables
from sspinn_opensim.study import Person, RecordingChoice, ReferenceChoice


def test_opensim_files_in_radians_inside(study, model, recording, gait):
    reference = read_reference(study, model)(recording.time_s)
    truth = gait.joint_angles(recording.time_s)
    for name, angle in truth.items():
        assert reference.angles[name] == pytest.approx(angle, abs=1e-9)
    assert "pelvis_ty" not in reference.angles, "translations are no angles"
    assert reference.moments["knee_angle_r"] == pytest.approx(gait.moments(recording.time_s)["knee_angle_r"])
    assert reference.ground_force["l"] == pytest.approx(gait.ground_forces(recording.time_s)["l"])
    assert "kinematics.mot" in reference.source


def test_reference_in_radians_is_read_as_such(study, model, recording):
    table = read_storage(study.reference.kinematics)
    column = table.names.index("knee_angle_r")
    radians = Table(("knee_angle_r",), table.time_s, np.radians(table.values[:, [column]]), in_degrees=False)
    expected = read_reference(study, model)(recording.time_s).angles["knee_angle_r"]
    write_storage(study.reference.kinematics, radians)
    assert read_reference(study, model)(recording.time_s).angles["knee_angle_r"] == pytest.approx(expected)


def test_reference_that_does_not_state_its_unit_is_refused(study, model, recording):
    path = study.reference.kinematics
    path.write_text(path.read_text().replace("inDegrees=yes\n", ""))
    with pytest.raises(InputError, match="does not say whether it is in degrees"):
        read_reference(study, model)(recording.time_s)


def test_outside_its_time_a_reference_says_nothing(study, model, recording):
    time_s = np.array([-0.5, 0.0, 1.0, recording.time_s[-1], recording.time_s[-1] + 0.2])
    angle = read_reference(study, model)(time_s).angles["hip_flexion_r"]
    assert np.isnan(angle).tolist() == [True, False, False, False, True]


def test_reference_of_another_model_is_refused(study, model, recording):
    write_storage(
        study.reference.moments, Table(("elbow_moment",), recording.time_s, recording.time_s[:, None])
    )
    with pytest.raises(InputError, match="No column of the reference belongs to the model"):
        read_reference(study, model)(recording.time_s)


def test_no_reference(study, model, recording):
    assert read_reference(dataclasses.replace(study, reference=None), model) is None


@pytest.mark.parametrize(
    ("prefix", "side"),
    [
        ("foot_r_ground_force_", "r"),
        ("calcn_l_ground_force_", "l"),
        ("ground_force_r_", "r"),
        ("ground_force_", "r"),
        ("1_ground_force_", "l"),
        ("L_ground_force_", "l"),
    ],
)
def test_side_of_a_ground_force(prefix, side):
    table = Table(
        tuple(f"{prefix}v{axis}" for axis in "xyz"), np.arange(2.0), np.array([[1, 2, 3], [4, 5, 6.0]])
    )
    forces = ground_force_of(table, where="grf.mot")
    assert forces == {side: pytest.approx(table.values)}


def test_forces_on_two_bodies_of_a_side_add_up():
    names = tuple(f"{body}_r_ground_force_v{axis}" for body in ("calcn", "toes") for axis in "xyz")
    table = Table(names, np.arange(1.0), np.array([[1, 2, 3, 10, 20, 30.0]]))
    assert ground_force_of(table, where="grf.mot")["r"] == pytest.approx(np.array([[11, 22, 33.0]]))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("hand_ground_force_vx", "hand_ground_force_vy", "hand_ground_force_vz"), "is not clear"),
        (("foot_r_ground_force_vx", "foot_r_ground_force_vy"), "lacks a component"),
        (("force",), "no ground forces"),
    ],
)
def test_odd_ground_force_columns_are_refused(names, message):
    with pytest.raises(InputError, match=message):
        ground_force_of(Table(names, np.arange(1.0), np.ones((1, len(names)))), where="grf.mot")


def test_files_of_one_estimate_must_share_their_times(tmp_path, model, recording, gait):
    gait.write_motion(tmp_path / "a", model, recording.time_s)
    gait.write_motion(tmp_path / "b", model, recording.time_s[:-1])
    (tmp_path / "b" / "moments.sto").replace(tmp_path / "a" / "moments.sto")
    with pytest.raises(InputError, match="moments.sto and kinematics.mot have different times"):
        read_estimate(tmp_path / "a", model)


def test_public_data_set(dorschky2019, study, model):
    file = dorschky2019 / "P01_normwalking.mat"
    study = dataclasses.replace(
        study,
        person=Person(1.73, 73.0),
        recording=RecordingChoice("dorschky2019", file, "walk"),
        reference=ReferenceChoice("dorschky2019", file),
    )
    cycle = read_reference(study, model)(np.zeros(1)).cycle_s
    time_s = np.arange(250) * cycle / 100
    reference = read_reference(study, model)(time_s)
    knee, force = reference.angles["knee_angle_r"], reference.ground_force["r"]
    assert knee[0] == pytest.approx(-0.10102584), "sample 1 of the file stands at time zero"
    assert knee[100:200] == pytest.approx(knee[:100]), "one cycle, repeated"
    assert np.degrees(knee.min()) == pytest.approx(-70.9, abs=0.1)
    assert 1.0 < force[:, 1].max() / (73.0 * 9.80665) < 1.3
    assert set(reference.ground_force) == {"r"} and np.isnan(force[:, 2]).all()
    other_way = SagittalJoint("tibia_r", "femur_r", -1, 0.1)
    flipped = read_reference(study, model, joints={"knee_angle_r": other_way})(time_s)
    assert flipped.angles["knee_angle_r"] == pytest.approx(0.1 - knee)
    assert flipped.moments["knee_angle_r"] == pytest.approx(-reference.moments["knee_angle_r"])
    assert flipped.angles["hip_flexion_r"] == pytest.approx(reference.angles["hip_flexion_r"])
    named = {"RightKneeFlexion": dataclasses.replace(other_way, offset=0.0, place="knee_r")}
    renamed = read_reference(study, model, joints=named)(time_s)
    assert renamed.angles["RightKneeFlexion"] == pytest.approx(-knee) and "knee_angle_r" not in renamed.angles


@pytest.mark.parametrize("nothing", [np.zeros((0, 0)), np.full((100, 1), np.nan), np.array(["unknown"])])
def test_rows_of_the_data_set_that_hold_no_numbers_say_nothing(
    dorschky2019, study, model, monkeypatch, nothing
):
    file = dorschky2019 / "P01_normwalking.mat"
    study = dataclasses.replace(study, reference=ReferenceChoice("dorschky2019", file))
    table = matlab_tables._load(file).copy()
    cells, kinds = list(table["mean"]), [kind[0] for kind in table["type"]]
    cells[kinds.index("angle")] = cells[kinds.index("GRF")] = nothing
    table["mean"] = cells
    monkeypatch.setattr(matlab_tables, "_load", lambda _: table)
    with pytest.raises(InputError, match="no row GRF 'GRF_x_r'"):
        read_reference(study, model)(np.zeros(1))
    cells[kinds.index("GRF") + 1] = nothing
    table["mean"] = cells
    reference = read_reference(study, model)(np.zeros(1))
    assert set(reference.angles) == {"knee_angle_r", "ankle_angle_r"} and not reference.ground_force


def test_damaged_data_set_file_is_one_error(study, model, tmp_path):
    file = tmp_path / "bad.mat"
    file.write_bytes(b"not a MATLAB file")
    study = dataclasses.replace(study, reference=ReferenceChoice("dorschky2019", file))
    with pytest.raises(InputError):
        read_reference(study, model)(np.zeros(1))
