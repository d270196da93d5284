"""Clocks of files as vendors wrote them."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import FORMATS, RecordingChoice
from sspinn_opensim.recording.clocks.common import on_one_clock
from sspinn_opensim.recording.clocks.stream_clock import stream_clock
from sspinn_opensim.recording.sensors.gyro_bias import gyro_biases


@pytest.fixture
def read(shared):
    def _read(form, path, **choice):
        choice = RecordingChoice(form, shared / "data" / path, **choice)
        streams = FORMATS[form].streams
        assert streams is not None
        return streams(choice), choice

    return _read


def test_kuopio_asks_for_its_rate(read):
    streams, choice = read("xsens_mt", "kuopio2024_walk/imu")
    with pytest.raises(InputError, match="does not say its sampling rate"):
        on_one_clock(streams, choice)


def test_kuopio_is_handed_on_as_it_is(read):
    """972 samples, none lost, one counter: nothing is moved."""
    streams, choice = read("xsens_mt", "kuopio2024_walk/imu", recorded_rate_hz=100.0)
    common = on_one_clock(streams, choice)
    assert len(common.time_s) == 972 and common.time_s[-1] == pytest.approx(9.71) and common.usable.all()
    assert common.clocks.common_from == "one clock" and not any(s.interpolated for s in common.clocks.sensors)
    for k, stream in enumerate(streams):
        np.testing.assert_array_equal(common.angular_rate[:, k], stream.angular_rate)


def test_biases_of_standing_sensors(read):
    """The person stands for 11 s: whoever takes part of that finds the bias of all within its deviation."""
    streams, choice = read("xsens_mt", "gaittoolbox_walk/imu")
    common = on_one_clock(streams, choice)
    assert len(common.time_s) == 2503
    names = [stream.name for stream in streams]
    signals = (names, common.time_s, common.acceleration, common.angular_rate)
    whole = gyro_biases(*signals, standing_s=(0.5, 10.5))
    parts = [gyro_biases(*signals, standing_s=(start, start + 2.5)) for start in (0.5, 3.0, 5.5, 8.0)]
    misses = np.array(
        [
            (np.array(p.bias_rad_s) - w.bias_rad_s) / p.deviation_rad_s
            for part in parts
            for p, w in zip(part, whole, strict=True)
        ]
    )
    # Of 132 numbers one in 370 lies beyond three standard deviations.
    assert np.sqrt(np.mean(misses**2)) < 1.5 and np.mean(np.abs(misses) > 3) < 0.03
    assert all(bias.subtracted for bias in whole)


def test_lost_packets_are_counted(read):
    """68 of 1527 packets are missing; what the file holds is orientation alone."""
    file = "vendor_formats/xsens_mt/MT_012005D6-000_sit_to_stand-000_00B421ED.txt"
    (stream,), _ = read("xsens_mt", file)
    clock = stream_clock(stream)
    assert clock.lost == 68 and len(clock.number) == 1459 and clock.rate_hz == pytest.approx(40.0)
    assert stream.orientation is not None and clock.time_s[-1] - clock.time_s[0] == pytest.approx(1526 / 40)


def test_a_chip_s_own_oscillator(read):
    """An x-IMU3 of nominally 400 Hz: 398.3 by its stamps, which wander; 205 rows twice, 244 lost."""
    streams, choice = read("x_imu3", "vendor_formats/x_imu3/short_walk.csv")
    common = on_one_clock(streams, choice)
    (sensor,) = common.clocks.sensors
    assert common.clocks.rate_hz == pytest.approx(398.3, abs=0.1) and common.usable.all()
    assert sensor.repeated == 205 and sensor.lost == 244 and sensor.interpolated
    # The ends of stamps that wander are off by a few of a line through all.
    assert len(common.time_s) == pytest.approx(16539 - 205 + 244, abs=5)
    assert common.time_s[-1] == pytest.approx(41.618, abs=0.02)
