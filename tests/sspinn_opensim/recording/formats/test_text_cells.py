"""Times in words and tables with a row for each sensor, read as whoever wrote them means them."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice, recognise
from sspinn_opensim.recording.formats.text_cells import is_moment, with_nanoseconds
from sspinn_opensim.recording.streams import stream_of
from sspinn_opensim.recording.units import GRAVITY


def read(path, **changes):
    form = recognise(path)
    return form.streams(RecordingChoice(form.name, path, "walk", **changes))


@pytest.fixture
def write(tmp_path):
    def write(text, name="walk.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (["2024-03-01 12:00:00.25", "2024-03-01 12:00:00.5"], [1709294400.25, 1709294400.5]),
        (["2024-03-01T12:00:00.2500000Z", "2024-03-01T12:00:01Z"], [1709294400.25, 1709294401]),
        (["2024-03-01T13:00:00+01:00", "2024-03-01T13:00:01+0100"], [1709294400, 1709294401]),
        (["2024-02-29 23:59:59.5", "2024-03-01 00:00:00.5"], [1709251199.5, 1709251200.5]),
        (["12:00:00,25", "12:00:00,5"], [43200.25, 43200.5]),
        (["12:00:00:250", "12:00:00:500"], [43200.25, 43200.5]),
        (["23:59:59.5", "00:00:00.5"], [86399.5, 86400.5]),
        (["3/1/2024 11:59:59.5 AM", "3/1/2024 12:00:00.5 PM"], [1704283199.5, 1704283200.5]),
        (["31.12.2024 23:59:59", "01.01.2025 00:00:00"], [1735689599, 1735689600]),
        (["12:30:00 am", "01:00:00 am"], [1800, 3600]),
    ],
)
def test_dates_and_times_of_day_become_times(times, seconds):
    body = "\n".join([f'x;"{time}";1,5' for time in times] + [""]).encode()
    rows = with_nanoseconds(body, ";", 1, "walk.csv", 2).decode().split("\n")
    assert [int(row.split(";")[1]) for row in rows[:-1]] == [round(100 * s) * 10**7 for s in seconds]
    assert rows[0].startswith("x;") and rows[0].endswith(";1,5") and rows[-1] == ""


@pytest.mark.parametrize("cell", ["12.5", "2024", "12:00", "", "2024-03-01", "a 12:00:00", "1e5", "12:61:00"])
def test_other_cells_are_no_moments(cell):
    assert not is_moment(cell)


def test_a_table_with_dates_is_read(write):
    rows = [f"2024-03-01 12:00:{i / 100:06.3f},{i},9.5,{i / 2}" for i in range(20)]
    (stream,) = read(write("timestamp,number,acc_x,gyro_y\n" + "\n".join(rows)))
    np.testing.assert_allclose(np.diff(stream.time_s), 0.01, atol=1e-6)
    assert stream.angular_rate[3, 1] == 1.5 and stream.lines[3] == 5


def test_dates_with_points_and_numbers_with_commas_go_together(write):
    rows = [f"01.03.2024 12:00:{i / 100:06.3f};{i},25;0,5".replace("00.", "00,") for i in range(20)]
    (stream,) = read(write("Zeit;Date/Time;acc_x;gyro_y\n" + "\n".join(f"0;{row}" for row in rows)))
    np.testing.assert_allclose(np.diff(stream.time_s), 0.01, atol=1e-6)
    assert stream.acceleration[3, 0] == 3.25


def test_a_time_that_is_none_is_named(write):
    with pytest.raises(InputError, match="A time cannot be read") as caught:
        read(write("time,acc_x\n12:00:00.00,1\n12:00:00.01,1\n12:00.02,1\n"))
    assert caught.value.where.endswith("walk.csv, line 4") and caught.value.found == "'12:00.02'"


def test_when_a_recording_started_is_no_line_of_names(write):
    above = "Serial Number: TAS1\nStart Time 12:00:00\nEpoch Period (hh:mm:ss) 00:00:00\n---\n"
    names = "Timestamp,Accelerometer X,Gyroscope X,Temperature\n"
    rows = "".join(f"2024-03-01T12:00:00.{i}000000,9.5,1,25\n" for i in range(10))
    (stream,) = read(write(above + names + rows))
    assert stream.acceleration[0, 0] == 9.5 and stream.time_s[-1] - stream.time_s[0] == pytest.approx(0.9)


@pytest.mark.parametrize("by_sensor", [True, False])
@pytest.mark.parametrize("names", [("hip", "foot_r"), ("1", "2")])
def test_rows_of_several_sensors_are_told_apart(write, by_sensor, names):
    rows = [(i, k) for k in (0, 1) for i in range(30)]
    rows = rows if by_sensor else sorted(rows)
    text = "".join(f"{names[k]}, {i / 100:.2f}, {i + k}, {10 * k + i}\n" for i, k in rows)
    streams = read(write("SensorId, TimeStamp (s), AccX (g), GyroX (deg/s)\n" + text))
    assert [stream.name for stream in streams] == list(names)
    for k, stream in enumerate(streams):
        np.testing.assert_allclose(stream.time_s, np.arange(30) / 100)
        np.testing.assert_allclose(stream.acceleration[:, 0], GRAVITY * (np.arange(30) + k))
        np.testing.assert_allclose(stream.angular_rate[:, 0], np.deg2rad(np.arange(30) + 10 * k))
    assert streams[1].lines[0] == (32 if by_sensor else 3)


def test_a_column_that_names_one_sensor_changes_nothing(write):
    rows = "".join(f"WT901,{i / 100:.2f},1,2\n" for i in range(5))
    (stream,) = read(write("DeviceName,time,AccX(g),AsX(°/s)\n" + rows))
    assert stream.name == "walk" and stream.angular_rate[0, 0] == pytest.approx(np.deg2rad(2))


def test_a_row_of_no_sensor_is_named(write):
    rows = "".join(f"{'ab'[i % 2]},{i // 2 / 100:.2f},1\n" for i in range(8))
    with pytest.raises(InputError, match="does not say which sensor") as caught:
        read(write("sensor,time,acc_x\n" + rows + ",0.05,1\n"))
    assert caught.value.where.endswith("line 10")


def test_speeds_of_letters_are_angular_rates(write):
    (stream,) = read(write("time,ax,ay,wx,wy\n0,9.5,1,2,3\n0.01,9.5,1,2,3\n"))
    assert stream.angular_rate[0].tolist()[:2] == [2, 3] and stream.acceleration[0, 0] == 9.5


def test_blocks_of_sensors_and_files_around_midnight_stay_together(write):
    """The second sensor of a table begins before midnight again; so do dates that name the month last."""

    def block(name, start):
        times = [start + 0.5 * i for i in range(10)]
        clock = [f"{int(t // 3600) % 24:02d}:{int(t // 60) % 60:02d}:{t % 60:04.1f}" for t in times]
        return "".join(f"{name},{time},1\n" for time in clock)

    one, other = read(write("sensor,time,acc_x\n" + block("a", 86397) + block("b", 86398)))
    assert other.time_s[0] - one.time_s[0] == pytest.approx(1.0)
    rows = "28/02/2024 23:59:59.5,1\n29/02/2024 00:00:00.0,1\n"
    (early,) = read(write("time,acc_x\n" + rows, "early.csv"))
    (late,) = read(write("time,acc_x\n29/02/2024 00:00:00.5,1\n29/02/2024 00:00:01.0,1\n", "late.csv"))
    assert late.time_s[0] - early.time_s[0] == pytest.approx(1.0)


def test_a_line_of_units_above_the_names_is_no_line_of_sensors(write):
    units = "s,m/s^2,m/s^2,deg/s,deg/s\n"
    (stream,) = read(write(units + "time,acc_x,acc_y,gyro_x,gyro_y\n0,9.5,1,90,0\n0.01,9.5,1,90,0\n"))
    assert stream.name == "walk" and stream.angular_rate[0, 0] == pytest.approx(np.pi / 2)


@pytest.mark.parametrize(
    ("line", "rate_hz"),
    [
        ("Sampling rate: 100 Hz", 100.0),
        ("Sampling frequency (Hz): 100", 100.0),
        ("Sample Rate [Hz];100", 100.0),
        ("Sampling rate 0.1 kHz", 100.0),
        ("Sampling rate,1,000 Hz", None),
        ("Frame rate: 1/100 s", None),
        ("Sampling rate 0.01 s", None),
    ],
)
def test_rates_above_a_table_are_rates(write, line, rate_hz):
    path = write(f"{line}\nacc_x,gyro_x\n9.5,1\n9.5,1\n")
    if rate_hz is None:
        with pytest.raises(InputError, match="no column 'time'"):
            read(path)
    else:
        assert read(path)[0].rate_hz == rate_hz


def test_a_number_is_no_part_of_a_longer_one(write):
    names = ("IMU2", "IMU10", "00B42DA3")
    columns = ",".join(f"{name}_acc_x" for name in names)
    streams = read(write(f"time,{columns}\n0,1,2,3\n0.01,1,2,3\n"))
    assert (
        stream_of(streams, "IMU10", "x").name == "IMU10" and stream_of(streams, "DA3", "x").name == names[2]
    )
    with pytest.raises(InputError, match="no sensor 'IMU1'"):
        stream_of(streams, "IMU1", "x")
