import re
from types import SimpleNamespace

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice, SensorChoice, read_recording
from sspinn_opensim.recording.formats.column_options import SensorColumns
from sspinn_opensim.recording.formats.csv_table import FORMAT, CsvOptions, is_csv, read_csv

CHANNELS = [f"{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"]


@pytest.fixture
def write(tmp_path):
    def _write(header, rows, delimiter=",", encoding="utf-8"):
        lines = [delimiter.join(header)] + [delimiter.join(map(str, row)) for row in rows]
        return _text("\n".join(lines) + "\n", encoding)

    def _text(text, encoding="utf-8"):
        path = tmp_path / "walk.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    _write.text = _text
    return _write


def rows(n=4, rate_hz=100.0, channels=6):
    return [[index / rate_hz, *(10 * index + channel for channel in range(channels))] for index in range(n)]


def choose(path, recorded_rate_hz=None, **options):
    return RecordingChoice(
        "csv", path, "walk", recorded_rate_hz=recorded_rate_hz, options=CsvOptions(**options)
    )


def read(path, *sensors, **options):
    """Return a recording of sensors of a file, whatever its magnitude."""
    study = SimpleNamespace(recording=choose(path, **options), sensors=sensors or (sensor(),))
    return read_recording(study, refuse=False)


def streams(path, **options):
    return {stream.name: stream for stream in read_csv(choose(path, **options))}


def sensor(name="s", **fields):
    return SensorChoice(name, body="b", position=(0.0, 0.0, 0.0), **fields)


HEADER = ["time", *(f"s_{channel}" for channel in CHANNELS)]


def refused(path, *sensors, **choice) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, *sensors, **choice)
    return caught.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t", ", ", " ", "   "])
def test_a_table_is_read(write, delimiter):
    recording = read(write(HEADER, rows(), delimiter))
    np.testing.assert_allclose(recording.time_s, [0, 0.01, 0.02, 0.03])
    np.testing.assert_array_equal(recording.acceleration[1, 0], [10, 11, 12])
    np.testing.assert_array_equal(recording.angular_rate[1, 0], [13, 14, 15])
    assert recording.acceleration_available.all() and recording.angular_rate_available.all()
    assert not recording.notes


def test_a_byte_order_mark_blank_lines_and_other_columns_do_no_harm(write):
    header = [*HEADER, "comment number"]
    path = write(header, [*([*row, "stumbled"] for row in rows()), []], encoding="utf-8-sig")
    assert read(path).time_s.size == 4


TABLE = "time,s_acc_x,s_acc_y,s_gyro_z\n0,0.5,9.5,0.25\n0.01,1.5,8.5,0.75\n0.02,2.5,7.5,1.25\n"
FORCE, RATE = [[0.5, 9.5], [1.5, 8.5], [2.5, 7.5]], [0.25, 0.75, 1.25]


@pytest.mark.parametrize(
    "text",
    [
        "// Update Rate: 100.0Hz\n// Firmware: 4.2\n" + TABLE,
        "# recorded by hand\n\n" + TABLE,
        "sep=,\nDeviceTag:,one\nOutputRate:,100Hz\n\n" + TABLE,
        "sep=;\n" + TABLE.replace(",", ";"),
        ",s,s,s\n" + TABLE,
        TABLE.replace("\n", "\ns,m/s^2,m/s^2,rad/s\n", 1),
        TABLE.replace("\n", "\n[s],[m/s²],[m/s²],[rad/s]\n", 1),
        TABLE.replace("\n", ",\n").replace("gyro_z,", "gyro_z"),
        TABLE.replace("\n", ",\n"),
        TABLE.replace("\n", ",,\n"),
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\r"),
        TABLE.replace("gyro_z\n", "gyro_z,heading [°]\n").replace("5\n", "5,90\n").encode("cp1252"),
        TABLE.encode("utf-16"),
        TABLE.replace(",", ";").replace(".", ","),
        TABLE.replace(",", "\t").replace(".", ","),
        "\n".join(",".join(f'"{c}"' for c in line.split(",")) for line in TABLE.split("\n")[:-1]),
        "\n".join(",".join(f'"{c}"' for c in r.replace(".", ";").split(",")) for r in TABLE.split("\n")[:-1])
        .replace(";", ","),
        ",s,s,s\n,acc_x,acc_y,gyro_z\ntime,,,\n" + TABLE.partition("\n")[2],
        ",s,,\ntime,acc_x,acc_y,gyro_z\n" + TABLE.partition("\n")[2],
        re.sub("^(.*?),", r'\1,"note, in words",', TABLE.replace("0.01,", "0.010,"), flags=re.MULTILINE),
        TABLE.replace("time,", "Time (s),"),
        TABLE.replace("_acc_x", ".Acceleration.X").replace("_acc_y", " Acc Y"),
        TABLE.replace("_acc_x", "_ax").replace("_acc_y", "_ay").replace("_gyro_z", "_gz"),
        TABLE.replace("_acc_x", "_Ax (m/s^2)").replace("_acc_y", "_Ay").replace("_gyro_z", " Gz (rad/s)"),
    ],
)  # fmt: skip
def test_what_programs_do_to_tables_is_mended(write, text):
    found = streams(write.text(text))["s"]
    np.testing.assert_array_equal(found.acceleration[:, :2], FORCE)
    np.testing.assert_array_equal(found.angular_rate[:, 2], RATE)
    np.testing.assert_allclose(found.time_s, [0, 0.01, 0.02], rtol=1e-12)


def test_decimal_commas_are_told(write):
    recording = read(write.text(TABLE.replace(",", ";").replace(".", ",")))
    assert recording.notes == ("Decimal commas are read as points.",)


def test_commas_in_words_are_no_decimals(write):
    text = re.sub("^(.*?),", r'\1,"note, in words",', TABLE, flags=re.MULTILINE)
    assert read(write.text(text)).notes == ()


@pytest.mark.parametrize(
    "text",
    [
        TABLE.replace(",", ";").replace("2.5", "1.002,5"),
        TABLE.replace(",", ";").replace("2.5", "1,002.5"),
        TABLE.replace(",", ";").replace("2.5", "2,5"),
        TABLE.replace("2.5", '"1,002.5"'),
        TABLE.replace("2.5", '"1,002"'),
    ],
)
def test_points_and_commas_in_one_table_are_refused(write, text):
    error = refused(write.text(text))
    assert "points and with commas" in error.what and "line 4" in error.where and "decimal point" in error.fix


@pytest.mark.parametrize(
    ("names", "factors"),
    [
        (("s_acc_x (g)", "s_gyro_z (deg/s)"), (9.80665, np.pi / 180)),
        (("s_acc_x [mg]", "s_gyro_z [°/s]"), (9.80665e-3, np.pi / 180)),
        (("s_acc_x [m/s²]", "s_gyro_z [dps]"), (1.0, np.pi / 180)),
        (("s_acc_x (m s^-2)", "s_gyro_z"), (1.0, 1.0)),
    ],
)
def test_units_in_names_are_used(write, names, factors):
    found = streams(write(["time", *names], rows(channels=2)))["s"]
    np.testing.assert_allclose(found.acceleration[1, 0], 10 * factors[0], rtol=1e-12)
    np.testing.assert_allclose(found.angular_rate[1, 2], 11 * factors[1], rtol=1e-12)


def test_units_of_the_study_are_used(write):
    recording = read(write(HEADER, rows()), acceleration_unit="g", angular_rate_unit="deg/s")
    np.testing.assert_allclose(recording.acceleration[0, 0], np.array([0, 1, 2]) * 9.80665)
    np.testing.assert_allclose(recording.angular_rate[0, 0], np.radians([3, 4, 5]))


@pytest.mark.parametrize(
    ("names", "options", "what"),
    [
        (["s_acc_x (g)", "s_gyro_z"], {"acceleration_unit": "m/s^2"}, "stated twice, and differently"),
        (["s_acc_x (g)", "s_acc_y (m/s^2)"], {}, "stated twice, and differently"),
        (["s_acc_x (furlong)", "s_acc_y"], {}, "Unknown unit 'furlong'"),
        (["s_acc_x (deg/s)", "s_acc_y"], {}, "Unknown unit 'deg/s' of the acceleration"),
    ],
)
def test_units_that_contradict_each_other_are_refused(write, names, options, what):
    assert what in refused(write(["time", *names], rows(channels=2)), **options).what


def test_a_unit_that_agrees_is_no_contradiction(write):
    found = streams(write(["time", "s_acc_x (g)"], rows(channels=1)), acceleration_unit="g")["s"]
    np.testing.assert_allclose(found.acceleration[1, 0], 10 * 9.80665)


@pytest.mark.parametrize(
    ("name", "factor", "options"),
    [
        ("time (ms)", 1000, {}),
        ("Timestamp (us)", 1e6, {}),
        ("time_ms", 1000, {}),
        ("time", 1000, {"time_unit": "ms"}),
        ("clock [ms]", 1000, {"time_column": "clock"}),
    ],
)
def test_time_is_in_the_unit_of_its_name(write, name, factor, options):
    path = write([name, "s_acc_x"], [[round(factor * t, 6), x] for t, x in rows(channels=1)])
    np.testing.assert_allclose(streams(path, **options)["s"].time_s, [0, 0.01, 0.02, 0.03], atol=1e-12)


def test_a_unit_of_time_that_contradicts_is_refused(write):
    error = refused(write(["time (s)", "s_acc_x"], rows(channels=1)), time_unit="ms")
    assert "unit of time" in error.what and 'time_unit = "s"' in error.expected


@pytest.mark.parametrize(
    ("factor", "fix"), [(100.0, "recorded_rate_hz"), (1000.0, "milliseconds"), (1e6, "microseconds")]
)
def test_time_in_another_unit_is_told_apart_from_a_counter(write, factor, fix):
    path = write(HEADER, [[round(factor * row[0]), *row[1:]] for row in rows(20)])
    error = refused(path)
    assert "not in seconds" in error.what and fix in error.fix


def test_a_counter_in_the_column_of_time_needs_the_rate(write):
    path = write(["packet", "s_acc_x"], [[7 + k, k * k] for k in range(30)])
    found = streams(path, time_column="packet", recorded_rate_hz=100.0)["s"]
    np.testing.assert_array_equal(found.counter, 7 + np.arange(30))
    assert found.time_s is None and "counts samples" in found.notes[0]
    assert read(path, time_column="packet", recorded_rate_hz=100.0).sampling_rate_hz == pytest.approx(100)


def test_a_column_that_counts_shows_what_was_lost(write):
    table = [[k, k / 100, np.sin(k / 10)] for k in range(200) if k != 77]
    found = streams(write(["n", "time", "s_acc_x"], table), counter_column="n")["s"]
    assert found.counter[77] == 78 and found.time_s[77] == 0.78


def test_without_time_the_rate_is_that_of_the_file_or_the_study(write):
    header, table = HEADER[1:], [row[1:] for row in rows()]
    error = refused(write(header, table))
    assert "no column 'time'" in error.what and "recorded_rate_hz" in error.fix
    assert streams(write(header, table), recorded_rate_hz=50.0)["s"].time_s is None
    text = "Sampling Rate: 128 Hz\n" + write(header, table).read_text()
    assert streams(write.text(text))["s"].rate_hz == 128.0


def test_signals_become_body_axes(write):
    recording = read(write(HEADER, rows()), sensor(axes=("y", "-x", "z")))
    np.testing.assert_array_equal(recording.acceleration[0, 0], [-1, 0, 2])
    np.testing.assert_array_equal(recording.angular_rate[0, 0], [-4, 3, 5])
    np.testing.assert_allclose(recording.sensors[0].orientation, (0, 0, np.pi / 2))
    assert recording.sensors[0].axes_known and read(write(HEADER, rows())).sensors[0].axes_known


def test_a_planar_set_leaves_the_rest_unavailable(write):
    header = ["time", "s_acc_x", "s_acc_y", "s_gyro_z"]
    recording = read(write(header, rows(channels=3)))
    np.testing.assert_array_equal(recording.acceleration_available, [[True, True, False]])
    np.testing.assert_array_equal(recording.angular_rate_available, [[False, False, True]])
    np.testing.assert_array_equal(recording.acceleration[:, 0, 2], 0)


def test_columns_are_named_in_the_study(write):
    header = ["t", "Ax", "Ay", "Gz [deg/s]"]
    named = SensorColumns("s", ("Ax", "Ay", ""), ("", "", "Gz"))
    recording = read(write(header, rows(channels=3)), time_column="t", columns=(named,))
    np.testing.assert_array_equal(recording.acceleration[1, 0], [10, 11, 0])
    np.testing.assert_allclose(recording.angular_rate[1, 0], [0, 0, np.radians(12)])


def test_columns_named_in_the_study_and_columns_found_by_name_mix(write):
    header = ["time", "s_force x", "s_gyro_z"]
    named = SensorColumns("s", acceleration=("s_force x", "", ""))
    recording = read(write(header, rows(channels=2)), columns=(named,))
    np.testing.assert_array_equal(recording.acceleration[1, 0], [10, 0, 0])
    np.testing.assert_array_equal(recording.angular_rate[1, 0], [0, 0, 11])


def test_a_pattern_names_the_columns_of_all_sensors(write):
    header = ["time", "a: force X", "a: turning Z", "b: force X", "b: turning Z"]
    found = streams(
        write(header, rows(channels=4)),
        acceleration_pattern="{sensor}: force {axis}",
        angular_rate_pattern="{sensor}: turning {axis}",
    )
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["b"].acceleration[1, 0], 12)
    np.testing.assert_array_equal(found["b"].angular_rate[1, 2], 13)


def test_a_file_of_one_sensor_is_called_by_its_name(write):
    found = streams(write(["time", "Acc_X", "Gyr_Z"], rows(channels=2)))
    assert list(found) == ["walk"]


def test_the_order_is_that_of_the_study(write):
    header = ["time", "a_acc_x", "b_acc_x"]
    recording = read(write(header, rows(channels=2)), sensor("b"), sensor("a"))
    assert recording.sensor_names == ("b", "a")
    np.testing.assert_array_equal(recording.acceleration[0, :, 0], [1, 0])


def test_free_acceleration_is_refused_and_passed_over_beside_the_other(write):
    error = refused(write(["time", "s_free_acc_x", "s_gyro_z"], rows(channels=2)))
    assert "Gravity is missing" in error.what and "free acceleration" in error.what
    found = streams(write(["time", "s_linAcc_x", "s_acc_x"], rows(channels=2)))["s"]
    np.testing.assert_array_equal(found.acceleration[1, 0], 11)


def test_a_clock_printed_in_milliseconds_is_uniform(write):
    table = rows(200, 60.0)
    recording = read(write(HEADER, [[f"{row[0]:.3f}", *row[1:]] for row in table]))
    assert recording.sampling_rate_hz == pytest.approx(60.0, rel=1e-3)
    np.testing.assert_array_equal(recording.acceleration[:, 0, 0], [row[1] for row in table])


def changed(row, column, value, table=None):
    table = table or rows()
    table[row][column] = value
    return table


@pytest.mark.parametrize(
    ("table", "what", "where"),
    [
        (changed(2, 3, "inf"), "not a number", "line 4, column 's_acc_z'"),
        (changed(1, 5, "high"), "not a number", "line 3, column 's_gyro_y'"),
        (changed(2, 0, 0.001), "does not increase", "line 4"),
        (changed(1, 0, ""), "not a number", "line 3"),
        ([row[:-1] for row in rows()], "does not match", "line 2"),
        ([*rows(), [0.04, 1, 2]], "does not match", "line 6"),
        ([[*row, "", 7] for row in rows()], "does not match", "line 2"),
        ([], "no samples", "walk.csv"),
    ],
)
def test_a_bad_cell_is_named_with_line_and_column(write, table, what, where):
    error = refused(write(HEADER, table))
    assert what in error.what and where in error.where


def test_a_number_beside_the_named_columns_is_refused(write):
    """Else a row with a cell too many and one at its end too few would be read shifted."""
    table = [f"{','.join(map(str, row))},," for row in rows()]
    table[2] = table[2].replace("20,", "20,20,", 1).removesuffix(",")
    error = refused(write.text("\n".join([",".join(HEADER) + ",,", *table])))
    assert "does not match" in error.what and "line 4" in error.where


def test_missing_samples_are_handed_on(write):
    found = streams(write(HEADER, changed(2, 3, "", changed(1, 2, "nan"))))["s"]
    assert np.isnan(found.acceleration[1, 1]) and np.isnan(found.acceleration[2, 2])
    assert np.isnan(found.acceleration).sum() == 2 and list(found.lines) == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("header", "what", "fix"),
    [
        (["tme", *HEADER[1:]], "no column 'time'", "tme"),
        (["time", "s_acc_eks_x", *HEADER[2:]], "'s_acc_eks_x' looks like", "s_acc_x"),
        (["time", "s_acc_x", "s_acc_x", *HEADER[3:]], "Two columns", "rename"),
        (["time", *(f"p{name}" for name in HEADER[1:])], "no sensor 's'", "source"),
        (["0", "1", "2", "3", "4", "5", "6"], "holds numbers", ""),
        (["a", "b", "c", "d", "e", "f", "g"], "no column 'time'", "name the column"),
        (["time", "b", "c", "d", "e", "f", "g"], "no column of an accelerometer", "[recording.csv.columns"),
    ],
)
def test_a_bad_header_is_named(write, header, what, fix):
    error = refused(write(header, rows()))
    assert what in error.what and fix in error.fix


def test_a_column_named_in_the_study_must_exist(write):
    named = SensorColumns("s", acceleration=("s_acc_x", "s_acc_y", "s_ac_z"))
    error = refused(write(HEADER, rows()), columns=(named,))
    assert "'s_ac_z'" in error.what and "s_acc_z" in error.fix
    assert "no column 'clock'" in refused(write(HEADER, rows()), time_column="clock").what


def test_no_table_at_all(tmp_path):
    assert "empty" in refused_file(tmp_path, b"").what
    assert "not a text table" in refused_file(tmp_path, b"\xff\xfe\x00\xdc").what
    torn = TABLE.encode("utf-16").replace(b"\n", b"\r\n")  # by a program that knows no UTF-16
    assert "not a text table" in refused_file(tmp_path, torn).what
    (tmp_path / "walk.csv").unlink()
    assert "holds no file of this format" in refused(tmp_path).what


def refused_file(folder, content: bytes) -> InputError:
    (folder / "walk.csv").write_bytes(content)
    return refused(folder / "walk.csv")


def test_a_table_is_recognised_by_the_names_of_its_columns(write):
    path = write(HEADER, rows())
    assert is_csv(path, path.read_bytes()) and FORMAT.recognises is is_csv
    assert not is_csv(path, b"time,knee_angle\n0,1\n")
    assert not is_csv(path.with_suffix(".bin"), path.read_bytes())


@pytest.mark.parametrize(
    "name",
    [
        "blanks",
        "comment_header",
        "degree_sign_cp1252",
        "group_line",
        "sep_line",
        "separator_at_row_end",
        "two_nameless_columns",
        "unit_line",
    ],
)
def test_layouts_of_vendors_are_read(shared, name):
    folder = shared / "cases" / "05_vendor_csv_layouts"
    (found,) = read_csv(choose(folder / f"{name}.csv"))
    assert found.name == "foot_right"
    np.testing.assert_array_equal(found.acceleration[1], [0.119928, 12.8046, 0.00899865])
    np.testing.assert_allclose(np.diff(found.time_s), 0.01, rtol=1e-9)
