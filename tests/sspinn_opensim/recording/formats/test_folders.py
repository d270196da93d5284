from pathlib import Path

import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice, recognise
from sspinn_opensim.recording.formats.folders import told_by_names

ONE = "time,acc_x,acc_y,gyro_z\n0,0.5,9.5,0.25\n0.01,1.5,8.5,0.75\n0.02,2.5,7.5,1.25\n"
TWO = "time,a_acc_x,a_acc_y,b_acc_x,b_acc_y\n0,0.5,9.5,0.25,1\n0.01,1.5,8.5,0.75,1\n0.02,2.5,7.5,1.25,1\n"


@pytest.mark.parametrize(
    ("names", "sensors", "trials"),
    [
        (["pelvis", "thigh_r", "thigh_l"], ["pelvis", "thigh_r", "thigh_l"], None),
        (["P01 walk-pelvis", "P01 walk-foot_r"], ["pelvis", "foot_r"], None),
        (["imu1", "imu2", "imu3"], ["imu1", "imu2", "imu3"], None),
        (["a_1", "a_2"], ["1", "2"], None),
        (["w1_hip", "w1_foot", "w2_hip", "w2_foot"], ["hip", "foot"] * 2, ["w1", "w1", "w2", "w2"]),
        (["hip_1_x", "foot_1_x", "hip_2_x", "foot_2_x"], ["hip", "foot"] * 2, ["1", "1", "2", "2"]),
        (["go_hip", "go_foot_r", "run_hip", "run_foot_r"], ["hip", "foot_r"] * 2, ["go", "go", "run", "run"]),
        (["hip_go", "foot_r_go", "hip_run", "foot_r_run"], ["hip", "foot_r"] * 2, ["go", "go", "run", "run"]),
        (["upper_leg_l", "lower_leg_l", "upper_leg_r", "lower_leg_r"], None, None),
        (["l_foot", "r_foot", "l_shank", "r_shank"], None, None),
        (["acc_hip", "gyro_hip", "acc_foot", "gyro_foot"], None, None),
        (["thigh_l", "thigh_r", "shank_l", "shank_r"], ["thigh_l", "thigh_r", "shank_l", "shank_r"], None),
        (["TS-2849_06_low", "TS-2850_07_low", "TS-2851_06_low"], ["2849", "2850", "2851"], None),
        (["s_8605_SD", "s_9A1F_SD"], ["8605", "9A1F"], None),
        (["imu1_r1", "imu1_r2", "imu2_r1", "imu2_r2"], ["imu1"] * 2 + ["imu2"] * 2, ["r1", "r2"] * 2),
        (["walk"], ["walk"], None),
    ],
)  # fmt: skip
def test_names_of_files_tell_sensors_and_trials(names, sensors, trials):
    told = told_by_names([Path(f"{name}.csv") for name in names])
    assert [sensor for sensor, _ in told.values()] == (sensors or names)
    assert [trial for _, trial in told.values()] == (trials or [""] * len(names))


@pytest.fixture
def folder(tmp_path):
    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.csv").write_text(text)
        return tmp_path

    return write


def read(path, **options):
    form = recognise(path)
    return form.streams(RecordingChoice(form.name, path, "walk", options=form.options(**options)))


def test_tables_of_one_sensor_each_are_one_recording(folder):
    path = folder(walk_pelvis=ONE, walk_foot_r=ONE.replace("9.5", "4.5"), notes="a,b\n1,2\n")
    streams = read(path)
    assert [stream.name for stream in streams] == ["foot_r", "pelvis"]
    assert [stream.acceleration[0, 1] for stream in streams] == [4.5, 9.5]


def test_names_in_columns_count_before_those_of_files(folder):
    hip, foot = (
        ONE.replace("acc", f"{name}_acc").replace("gyro", f"{name}_gyro") for name in ("hip", "foot")
    )
    assert [stream.name for stream in read(folder(x1=hip, x2=foot))] == ["hip", "foot"]
    assert [stream.name for stream in read(folder(x1=hip, x2=hip))] == ["x1", "x2"]


def test_a_table_of_several_sensors_beside_others_is_refused(folder):
    with pytest.raises(InputError, match="several recordings") as caught:
        read(folder(walk=TWO, run=TWO))
    assert caught.value.found == "tables of several sensors: run.csv, walk.csv"


def test_one_table_of_several_sensors_is_read(folder):
    assert [stream.name for stream in read(folder(walk=TWO))] == ["a", "b"]


def test_of_several_trials_one_is_chosen(folder):
    path = folder(w1_hip=ONE, w1_foot=ONE, w2_hip=ONE.replace("9.5", "4.5"), w2_foot=ONE)
    with pytest.raises(InputError, match="several trials"):
        read(path)
    assert [(s.name, s.acceleration[0, 1]) for s in read(path, trial="w2")] == [("foot", 9.5), ("hip", 4.5)]


def test_two_tables_of_one_sensor_are_refused(folder):
    path = folder(hip=ONE, foot=ONE)
    (path / "hip.txt").write_text(ONE)
    with pytest.raises(InputError, match="2 files of the folder are of sensor 'hip'") as caught:
        read(path)
    assert caught.value.found == "hip.csv, hip.txt"


def test_accelerometers_and_gyroscopes_whose_files_do_not_pair_are_refused(folder):
    force, rate = "time,acc_x\n0,9.5\n0.01,8.5\n", "time,gyro_x\n0,0.5\n0.01,0.75\n"
    with pytest.raises(InputError, match="files of their own") as caught:
        read(folder(pelvis=force, thigh_r=rate, shank_r=force, foot_r=rate))
    assert "gyroscopes alone in foot_r.csv, thigh_r.csv" in caught.value.found
