import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.formats.channels import (
    ACCELERATION,
    ANGULAR_RATE,
    FREE_ACCELERATION,
    Channel,
    channel_of,
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
