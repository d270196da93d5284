import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice, SensorChoice
from sspinn_opensim.recording.formats.csv_table import CsvOptions, SensorColumns, read_csv

CHANNELS = [f"{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"]


@pytest.fixture
def write(tmp_path):
    def _write(header, rows, delimiter=",", encoding="utf-8"):
        path = tmp_path / "walk.csv"
        lines = [delimiter.join(header)] + [delimiter.join(map(str, row)) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return _write


def rows(n=4, rate_hz=100.0, channels=6):
    return [[index / rate_hz, *(10 * index + channel for channel in range(channels))] for index in range(n)]


def read(path, *sensors, speed_m_s=None, **options):
    choice = RecordingChoice("csv", path, "walk", speed_m_s=speed_m_s, options=CsvOptions(**options))
    return read_csv(choice, sensors or [sensor()])


def sensor(name="s", **fields):
    return SensorChoice(name, body="b", position=(0.0, 0.0, 0.0), **fields)


HEADER = ["time", *(f"s_{channel}" for channel in CHANNELS)]


def refused(path, *sensors, **choice) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, *sensors, **choice)
    return caught.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t", ", "])
def test_a_table_is_read(write, delimiter):
    recording = read(write(HEADER, rows(), delimiter), speed_m_s=1.3)
    np.testing.assert_allclose(recording.time_s, [0, 0.01, 0.02, 0.03])
    np.testing.assert_array_equal(recording.acceleration[1, 0], [10, 11, 12])
    np.testing.assert_array_equal(recording.angular_rate[1, 0], [13, 14, 15])
    assert recording.acceleration_available.all() and recording.angular_rate_available.all()
    assert recording.speed_m_s == 1.3 and recording.cycle_s is None


def test_a_byte_order_mark_blank_lines_and_other_columns_do_no_harm(write):
    header = [*HEADER, "comment number"]
    path = write(header, [*([*row, ""] for row in rows()), []], encoding="utf-8-sig")
    assert read(path).time_s.size == 4


def test_units_become_si(write):
    recording = read(write(HEADER, rows()), acceleration_unit="g", angular_rate_unit="deg/s")
    np.testing.assert_allclose(recording.acceleration[0, 0], np.array([0, 1, 2]) * 9.80665)
    np.testing.assert_allclose(recording.angular_rate[0, 0], np.radians([3, 4, 5]))


def test_signals_become_body_axes(write):
    recording = read(write(HEADER, rows()), sensor(axes=("y", "-x", "z")))
    np.testing.assert_array_equal(recording.acceleration[0, 0], [-1, 0, 2])
    np.testing.assert_array_equal(recording.angular_rate[0, 0], [-4, 3, 5])
    np.testing.assert_allclose(recording.sensors[0].orientation, (0, 0, np.pi / 2))


def test_a_planar_set_leaves_the_rest_unavailable(write):
    header = ["time", "s_acc_x", "s_acc_y", "s_gyro_z"]
    recording = read(write(header, rows(channels=3)))
    np.testing.assert_array_equal(recording.acceleration_available, [[True, True, False]])
    np.testing.assert_array_equal(recording.angular_rate_available, [[False, False, True]])
    np.testing.assert_array_equal(recording.acceleration[:, 0, 2], 0)


def test_columns_are_named_in_the_study(write):
    header = ["t", "Ax", "Ay", "Gz"]
    named = SensorColumns("s", ("Ax", "Ay", ""), ("", "", "Gz"))
    recording = read(write(header, rows(channels=3)), time_column="t", columns=(named,))
    np.testing.assert_array_equal(recording.acceleration[1, 0], [10, 11, 0])
    np.testing.assert_array_equal(recording.angular_rate[1, 0], [0, 0, 12])


def test_columns_named_in_the_study_and_columns_found_by_name_mix(write):
    header = ["time", "s_accel x", "s_gyro_z"]
    named = SensorColumns("s", acceleration=("s_accel x", "", ""))
    recording = read(write(header, rows(channels=2)), columns=(named,))
    np.testing.assert_array_equal(recording.acceleration[1, 0], [10, 0, 0])
    np.testing.assert_array_equal(recording.angular_rate[1, 0], [0, 0, 11])


def test_the_order_is_that_of_the_study(write):
    header = ["time", "a_acc_x", "b_acc_x"]
    recording = read(write(header, rows(channels=2)), sensor("b"), sensor("a"))
    assert recording.sensor_names == ("b", "a")
    np.testing.assert_array_equal(recording.acceleration[0, :, 0], [1, 0])


def test_a_clock_printed_in_milliseconds_is_uniform(write):
    table = rows(200, 60.0)
    path = write(HEADER, [[f"{row[0]:.3f}", *row[1:]] for row in table])
    recording = read(path)
    assert recording.sampling_rate_hz == pytest.approx(60.0, rel=1e-3)
    np.testing.assert_array_equal(recording.acceleration[:, 0, 0], [row[1] for row in table])
    assert "its 3 decimals explain" in recording.notes[0]
    assert not read(write(HEADER, rows(200, 100.0))).notes


@pytest.mark.parametrize("rate_hz", [50.0, 500.0, 2000.0])
def test_jitter_counts_by_the_length_of_a_step(write, rate_hz):
    """A fifth of a step is a lot at any rate, also where it is less than a millisecond."""
    rng = np.random.default_rng(0)
    time_s = (np.arange(400) + rng.uniform(-0.2, 0.2, 400)) / rate_hz
    angle = 2 * np.pi * 0.02 * rate_hz
    recording = read(write(["time", "s_acc_x"], zip(time_s, np.sin(angle * time_s), strict=True)))
    expected = np.sin(angle * recording.time_s)
    np.testing.assert_allclose(recording.acceleration[:, 0, 0], expected, atol=1e-4)
    assert "interpolated to even steps" in recording.notes[0]


def test_a_clock_too_coarse_for_its_rate_is_not_taken_as_even(write):
    """Rounded to milliseconds at 450 Hz: up to half a step that may as well be jitter."""
    table = rows(200, 450.0)
    recording = read(write(HEADER, [[f"{row[0]:.3f}", *row[1:]] for row in table]))
    assert "interpolated" in recording.notes[0]


def test_jitter_is_resampled(write):
    rng = np.random.default_rng(0)
    time_s = np.arange(300) / 100 + rng.uniform(-0.002, 0.002, 300)
    signal = np.sin(2 * np.pi * time_s)
    path = write(["time", "s_acc_x"], zip(time_s, signal, strict=True))
    recording = read(path)
    np.testing.assert_allclose(
        recording.acceleration[:, 0, 0], np.sin(2 * np.pi * recording.time_s), atol=1e-4
    )


def changed(row, column, value, table=None):
    table = table or rows()
    table[row][column] = value
    return table


@pytest.mark.parametrize(
    ("table", "what", "where"),
    [
        (changed(2, 3, "nan"), "empty or not a number", "line 4, column 's_acc_z'"),
        (changed(2, 3, ""), "empty or not a number", "line 4, column 's_acc_z'"),
        (changed(2, 3, "inf"), "empty or not a number", "line 4, column 's_acc_z'"),
        (changed(1, 5, "high"), "not a number", "line 3, column 's_gyro_y'"),
        (changed(2, 0, 0.001), "does not increase", "line 4"),
        (changed(2, 0, 0.01), "does not increase", "line 4"),
        (changed(3, 0, 0.09), "not uniform", "line 5"),
        (changed(1, 0, ""), "empty or not a number", "line 3, column 'time'"),
        ([[1000 * row[0], *row[1:]] for row in rows()], "not in seconds", "column 'time'"),
        ([row[:-1] for row in rows()], "does not match", "line 2"),
        ([], "no samples", "walk.csv"),
    ],
)
def test_a_bad_cell_is_named_with_line_and_column(write, table, what, where):
    error = refused(write(HEADER, table))
    assert what in error.what and where in error.where


def test_a_decimal_comma_is_explained(write):
    error = refused(write(HEADER, changed(1, 2, "1,5"), delimiter=";"))
    assert "decimal point" in error.fix


@pytest.mark.parametrize(
    ("header", "what", "fix"),
    [
        (["tme", *HEADER[1:]], "no column 'time'", "tme"),
        (["time", "s_acc_X", *HEADER[2:]], "'s_acc_X' looks like", "s_acc_x"),
        (["time", "s_acc_x", "s_acc_x", *HEADER[3:]], "Two columns", ""),
        (["time", *(f"p{name}" for name in HEADER[1:])], "no column for sensor 's'", "acc_x"),
        (["0", "1", "2", "3", "4", "5", "6"], "holds numbers", ""),
    ],
)
def test_a_bad_header_is_named(write, header, what, fix):
    error = refused(write(header, rows()))
    assert what in error.what and fix in error.fix and "line 1" in error.where


def test_a_column_named_in_the_study_must_exist(write):
    named = SensorColumns("s", acceleration=("s_acc_x", "s_acc_y", "s_ac_z"))
    error = refused(write(HEADER, rows()), columns=(named,))
    assert "'s_ac_z'" in error.what and "s_acc_z" in error.fix


def test_no_table_at_all(tmp_path):
    assert "empty" in refused_file(tmp_path, b"").what
    assert "not a text table" in refused_file(tmp_path, b"\xff\xfe\x00\x01").what
    assert "cannot be read" in refused(tmp_path).what


def refused_file(folder, content: bytes) -> InputError:
    (folder / "walk.csv").write_bytes(content)
    return refused(folder / "walk.csv")
