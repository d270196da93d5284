import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.formats.channels import (
    ACCELERATION,
    ANGULAR_RATE,
    FREE_ACCELERATION,
    Channel,
    channel_of,
    channels_by_order,
    sensors_of,
)
from sspinn_opensim.recording.units import unit_of


@pytest.mark.parametrize(
    ("name", "sensor", "quantity", "axis"),
    [
        ("foot_r_acc_x", "foot_r", ACCELERATION, 0),
        ("foot_r_gyro_z", "foot_r", ANGULAR_RATE, 2),
        ("IM EMG1.ACC X", "IM EMG1", ACCELERATION, 0),
        ("IM EMG12.GYRO Y", "IM EMG12", ANGULAR_RATE, 1),
        ("Sensor 2.Acc.Z", "Sensor 2", ACCELERATION, 2),
        ("Trigno IM sensor 1: Acc 1.X", "Trigno IM sensor 1", ACCELERATION, 0),
        ("ACCX1", "1", ACCELERATION, 0),
        ("GYROZ12", "12", ANGULAR_RATE, 2),
        ("Upper/Angular Velocity/Y", "Upper", ANGULAR_RATE, 1),
        ("Foot RT Accel Sensor X", "Foot RT", ACCELERATION, 0),
        ("Thigh LT Gyro-x", "Thigh LT", ANGULAR_RATE, 0),
        ("leftAccX", "left", ACCELERATION, 0),
        ("Accelerometer X", "", ACCELERATION, 0),
        ("pelvis_accelerometer_ax", "pelvis", ACCELERATION, 0),
        ("pelvis_linAcc_x", "pelvis", FREE_ACCELERATION, 0),
        ("FreeAcc_Y", "", FREE_ACCELERATION, 1),
        ("Pelvis accelerometer x-axis", "Pelvis", ACCELERATION, 0),
        ("rotationRate.y", "", ANGULAR_RATE, 1),
        ("foot_l Rate of Turn Z", "foot_l", ANGULAR_RATE, 2),
    ],
)
def test_a_channel_is_known_by_its_name(name, sensor, quantity, axis):
    assert channel_of(name) == Channel(sensor, quantity, axis)
    assert channel_of(f"{name} [g]") == Channel(sensor, quantity, axis, "g")


@pytest.mark.parametrize(
    "name",
    [
        "time",
        "pelvis_acc_norm",
        "vacc_x",
        "pelvis_global_acc_x",
        "mag_x",
        "knee_angle_r",
        "Fx1",
        "pelvis_acc",
    ],
)
def test_what_is_no_signal_along_a_sensor_s_axis_is_none(name):
    assert channel_of(name) is None


@pytest.mark.parametrize(
    "pattern",
    ["{k}_{s}_{a}", "{k}{A}_{s}", "{k}_{a}_{s}", "{s}_{a}_{k}", "{a}_{k}_{s}", "{s} {A} {k}", "{l}{a}_{s}"],
)
def test_names_in_another_order_are_known_by_all_of_a_table(pattern):
    kinds = {("acc", "a"): ACCELERATION, ("gyro", "g"): ANGULAR_RATE}
    expected = [Channel(s, q, a) for s in ("rf", "left_shank") for q in kinds.values() for a in range(3)]
    names = [
        pattern.format(k=k, l=letter, s=s, a="xyz"[a], A="XYZ"[a])
        for s in ("rf", "left_shank")
        for k, letter in kinds
        for a in range(3)
    ]
    found = channels_by_order(["time", *names, "label"])
    assert found == dict(enumerate(expected, 1))


@pytest.mark.parametrize(
    "names",
    [
        ["acc_filtered_x", "gyro_x"],
        ["acc_global_x", "gyro_global_x"],
        ["acc_pelvis_x", "acc_pelvis_y"],
        ["accuracy_x_y", "gyro_foot_x"],
        ["free_acc_foot_x", "gyro_foot_x"],
    ],
)
def test_names_in_another_order_need_both_signals_of_each_sensor(names):
    assert channels_by_order(names) == {}


@pytest.mark.parametrize(
    ("spelt", "unit"),
    [
        ("m/s^2", "m/s^2"), ("m/s²", "m/s^2"), ("m s^-2", "m/s^2"), ("G", "g"), ("mG", "mg"),
        ("°/s", "deg/s"), ("dps", "deg/s"), ("deg/sec", "deg/s"), ("Rad/s", "rad/s"), ("µs", "us"),
        ("volts", None), ("", None),
    ],
)  # fmt: skip
def test_spellings_of_units(spelt, unit):
    assert unit_of(spelt) == unit


def test_two_columns_of_one_channel_are_refused():
    channels = {0: Channel("a", ACCELERATION, 0), 3: Channel("a", ACCELERATION, 0)}
    with pytest.raises(InputError, match="acceleration x of 'a'") as caught:
        sensors_of(channels, {}, "walk.csv", "[recording.csv]")
    assert caught.value.found == "columns 1 and 4"
