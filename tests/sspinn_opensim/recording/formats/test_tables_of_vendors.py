"""Tables as Capture.U, ConsensysPRO, MyoResearch and EMGworks write them, made here from known signals."""

import re

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import FORMATS, RecordingChoice, recognise
from sspinn_opensim.recording.units import GRAVITY

SAMPLES = 20
START_US = 1_661_351_820_000_000


def signals(sensor):
    """Return specific force in m/s^2 and angular rate in deg/s, (n, 3) each, of a sensor by its number."""
    numbers = np.random.default_rng(sensor).normal(size=(2, SAMPLES, 3))
    return np.round(9.0 * numbers[0], 4), np.round(100.0 * numbers[1], 4)


def read(path, **options):
    form = recognise(path)
    chosen = form.options(**options) if options else None
    return form.name, form.streams(RecordingChoice(form.name, path, "walk", options=chosen))


def refused(path, **options):
    with pytest.raises(InputError) as caught:
        read(path, **options)
    return caught.value


def assert_is(stream, sensor, within=1e-9):
    force, rate = signals(sensor)
    np.testing.assert_allclose(stream.acceleration, force, atol=within)
    np.testing.assert_allclose(stream.angular_rate, np.radians(rate), atol=within)
    np.testing.assert_allclose(stream.time_s - stream.time_s[0], np.arange(SAMPLES) / 100.0, atol=1e-6)


def write_table(path, names, columns, mark=",", above=(), below=()):
    rows = [mark.join(f"{cell:.10g}" for cell in row) for row in np.column_stack(columns)]
    path.write_text("\n".join([*above, mark.join(names), *below, *rows]) + "\n")
    return path


@pytest.fixture
def blue_trident(tmp_path):
    def write(name, sensor, folder=tmp_path, kind="lowg"):
        force, rate = signals(sensor)
        names = ["unix_timestamp_microsec", "time_s", *(f"a{x}_m/s/s" for x in "xyz")]
        stamps = START_US + 10_000 * np.arange(SAMPLES)
        columns = [stamps, np.arange(SAMPLES) / 100.0, force]
        if kind == "lowg":
            names, columns = [*names, *(f"g{x}_deg/s" for x in "xyz")], [*columns, rate]
        rows = [",".join([str(int(s)), *(f"{c:.10g}" for c in row)]) for s, row in
                zip(stamps, np.column_stack(columns[1:]), strict=True)]  # fmt: skip
        (folder / f"{name}_{kind}.csv").write_text("\n".join([",".join(names), *rows]) + "\n")

    return write


def test_blue_trident_has_a_file_a_sensor_and_one_clock(blue_trident, tmp_path):
    blue_trident("TS-02849_2022-08-24-14-37-06", 1)
    blue_trident("TS-02850_2022-08-24-14-37-07", 2)
    blue_trident("TS-02850_2022-08-24-14-37-07", 2, kind="highg")
    form, streams = read(tmp_path)
    assert form == "blue_trident" and [stream.name for stream in streams] == ["02849", "02850"]
    for sensor, stream in enumerate(streams, 1):
        assert_is(stream, sensor)
        # Times since 1970 in s would hold 0.2 us.
        np.testing.assert_allclose(np.diff(stream.time_s), 0.01, rtol=0, atol=1e-9)
        assert stream.time_s[0] == streams[0].time_s[0] > 86400
    one = tmp_path / "TS-02849_2022-08-24-14-37-06_lowg.csv"
    assert_is(read(one)[1][0], 1)


def test_serial_numbers_of_blue_trident_tell_trials_that_started_at_any_second(blue_trident, tmp_path):
    for trial in (1, 2):
        for sensor in (1, 2):
            blue_trident(
                f"S10-{trial}-CMJ_TS-0339{sensor}_2022-11-10-14-3{trial}-3{sensor}", 2 * trial + sensor
            )
    assert refused(tmp_path).expected == "one of S10-1-CMJ, S10-2-CMJ"
    streams = read(tmp_path, trial="S10-2-CMJ")[1]
    assert [stream.name for stream in streams] == ["03391", "03392"]
    assert_is(streams[0], 5)


def test_two_files_of_one_blue_trident_are_refused(blue_trident, tmp_path):
    for minute in (31, 32):
        for sensor in (1, 2):
            blue_trident(f"TS-0339{sensor}_2022-11-10-14-{minute}-33", sensor)
    said = refused(tmp_path)
    assert "2 files of the folder are of sensor '03391'" in said.what
    # They start with the serial number: no start is that of a trial.
    assert said.fix == "put the files of each trial into a folder of its own"


@pytest.mark.parametrize("kind", ["highg", "mag"])
def test_other_tables_of_blue_trident_alone_are_told_with_what_to_export(blue_trident, tmp_path, kind):
    blue_trident("TS-03391_2022-11-10-14-31-31", 1, kind="highg")
    file = tmp_path / "TS-03391_2022-11-10-14-31-31_highg.csv"
    if kind == "mag":
        file.write_text(file.read_text().replace("_m/s/s", "_uT").replace(",a", ",m"))
    for path in (tmp_path, file):
        said = refused(path)
        assert f"_{kind}.csv" in said.found and "_lowg.csv" in said.fix


def test_one_blue_trident_is_called_by_its_serial_number_too(blue_trident, tmp_path):
    blue_trident("TS-03391_2022-11-10-14-31-31", 1)
    for path in (tmp_path, tmp_path / "TS-03391_2022-11-10-14-31-31_lowg.csv"):
        (stream,) = read(path)[1]
        assert stream.name == "03391"
        assert_is(stream, 1)


def test_a_trial_is_refused_where_names_of_files_tell_none(blue_trident, tmp_path):
    for sensor in (1, 2):
        blue_trident(f"TS-0339{sensor}_2022-11-10-14-31-31", sensor)
    said = refused(tmp_path, trial="run")
    assert said.fix == "leave trial out" and "TS-03391_2022" in said.found
    assert len(read(tmp_path)[1]) == 2


def test_blue_trident_is_read_as_spreadsheets_save_it(blue_trident, tmp_path):
    blue_trident("TS-02849_2022-08-24-14-37-06", 1)
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text().replace(",", ";").replace(".", ","))
    form, (stream,) = read(path)
    assert form == "blue_trident"
    assert_is(stream, 1)


def test_of_several_trials_of_blue_trident_one_is_chosen(blue_trident, tmp_path):
    for trial in (1, 2):
        for sensor, name in enumerate(("pelvis", "foot_r")):
            blue_trident(f"walk{trial}_{name}", 2 * trial + sensor)
    said = refused(tmp_path)
    assert "several trials" in str(said) and said.expected == "one of walk1, walk2"
    streams = read(tmp_path, trial="walk2")[1]
    assert [stream.name for stream in streams] == ["foot_r", "pelvis"]
    assert_is(streams[1], 4)


def shimmer(path, sensors, *, wide=True, stamp="Timestamp_Unix", mark="\t"):
    names, unit, columns = [], [], []
    for name, sensor in sensors.items():
        force, rate = signals(sensor)
        kinds = {"Accel_LN": force if not wide else np.clip(force, -3, 3)} | (
            {"Accel_WR": force} if wide else {}
        )
        names += [f"{name}_{stamp}_CAL", *(f"{name}_{kind}_{x}_CAL" for kind in kinds for x in "XYZ")]
        names += [f"{name}_Gyro_{x}_CAL" for x in "XYZ"]
        unit += ["ms", *["m/(s^2)"] * 3 * len(kinds), *["deg/s"] * 3]
        columns += [1000.0 + 10.0 * np.arange(SAMPLES), *kinds.values(), rate]
    names, unit, columns = [*names, ""], [*unit, ""], [*columns, np.full(SAMPLES, np.nan)]
    write_table(path, names, columns, mark, [f'"sep={mark}"'], [mark.join(unit)])
    path.write_text(path.read_text().replace("nan", ""))
    return path


@pytest.mark.parametrize("wide", [True, False])
def test_shimmer_is_read_by_its_accelerometer_of_wide_range(tmp_path, wide):
    for sensor, name in enumerate(("Shimmer_8665", "Shimmer_9A1F"), 1):
        shimmer(tmp_path / f"walk_Session1_{name}_Calibrated_SD.csv", {name: sensor}, wide=wide)
    form, streams = read(tmp_path)
    assert form == "shimmer" and [stream.name for stream in streams] == ["Shimmer_8665", "Shimmer_9A1F"]
    for sensor, stream in enumerate(streams, 1):
        assert_is(stream, sensor)


def test_shimmers_in_one_file_have_their_own_times(tmp_path):
    path = shimmer(tmp_path / "all.csv", {"S_Thigh": 1, "S_Shank": 2}, mark=",")
    streams = read(path)[1]
    assert [stream.name for stream in streams] == ["S_Thigh", "S_Shank"]
    for sensor, stream in enumerate(streams, 1):
        assert_is(stream, sensor)


def test_shimmer_without_time_since_1970_is_refused(tmp_path):
    path = shimmer(tmp_path / "one.csv", {"S": 1}, stamp="Timestamp_Shimmer")
    said = refused(path)
    assert said.found == "S_Timestamp_Shimmer_CAL" and "Unix format" in said.fix


def test_shimmer_may_have_dates_for_times(tmp_path):
    path = shimmer(tmp_path / "one.csv", {"S": 1}, stamp="Timestamp_FormattedUnix")
    above, names, units, *rows = path.read_text().splitlines()
    dates = [f"2022/12/31 23:59:59.{900 + 10 * k}" for k in range(10)]
    dates += [f"2023/01/01 00:00:00.0{10 * k:02d}" for k in range(10)]
    rows = ["\t".join((date, *row.split("\t")[1:])) for date, row in zip(dates, rows, strict=True)]
    path.write_text(
        "\n".join([above, names, units.replace("ms", "yyyy/mm/dd hh:mm:ss.000", 1), *rows]) + "\n"
    )
    (stream,) = read(path)[1]
    assert_is(stream, 1)
    assert stream.time_s[10] % 2**20 == 1_672_531_200 % 2**20  # since 1970, but for whole periods
    path.write_text(path.read_text().replace("2023/01", "2023/13"))
    assert "not a number" in str(refused(path))


def test_shimmer_without_units_and_names_has_those_of_its_software(tmp_path):
    path = shimmer(tmp_path / "one.csv", {"S": 1})
    _, names, _, *rows = path.read_text().splitlines()
    for spelt, name in ((names, "S"), (names.replace("S_", ""), "one")):
        path.write_text("\n".join([spelt, *rows]) + "\n")
        (stream,) = read(path)[1]
        assert stream.name == name
        assert_is(stream, 1)


def test_raw_shimmers_are_refused_and_left_aside_beside_calibrated_ones(tmp_path):
    shimmer(tmp_path / "walk_S_Calibrated_SD.csv", {"S": 1})
    raw = shimmer(tmp_path / "walk_S_Uncalibrated_SD.csv", {"S": 2})
    raw.write_text(raw.read_text().replace("_CAL", "_RAW"))
    (stream,) = read(tmp_path)[1]
    assert_is(stream, 1)
    said = refused(raw)
    assert "no calibrated signals" in str(said) and "S_Accel_LN_X_RAW" in said.found


def noraxon(path, sensors, *, raw=True):
    angles = [f"Hip Flexion LT {k} (deg)" for k in range(300)]  # more than is looked at to recognise others
    names, columns = ["time", *angles], [np.arange(SAMPLES) / 100.0, np.zeros((SAMPLES, len(angles)))]
    for (segment, side), sensor in sensors.items():
        force, rate = signals(sensor)
        own = f"Noraxon MyoMotion-Segments-{segment}{side}"
        if raw:
            names += [f"{segment} Accel Sensor {x}{side} (mG)" for x in "XYZ"]
            columns.append(1000.0 * force / GRAVITY)
        names += [f"{own}-Acceleration-{x} (mG)" for x in "xyz"]
        names += [f"{own}-Gyroscope-{x} (deg/s)" for x in "xyz"]
        columns += [1000.0 * force / GRAVITY * (0.5 if raw else 1.0), rate]
    return write_table(path, names, columns)


@pytest.mark.parametrize("raw", [True, False])
def test_noraxon_names_sensors_by_segment_and_side(tmp_path, raw):
    path = noraxon(tmp_path / "walk.csv", {("Pelvis", ""): 1, ("Shank", " LT"): 2}, raw=raw)
    form, streams = read(path)
    assert form == "noraxon" and [stream.name for stream in streams] == ["Pelvis", "Shank LT"]
    for sensor, stream in enumerate(streams, 1):
        assert_is(stream, sensor, within=1e-6)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Shank Accel Sensor (.) LT", r"LT Shank Accel Sensor \1"),
        ("Segments-Shank LT", "Segments-LT Shank"),
        ("MyoMotion", "Ultium Motion"),
        (r" \(mG\)| \(deg/s\)", ""),
        (r"([^,\n]+) \((mG|deg/s)\)", r'"\1,\2"'),
        ("^time", "Name,walk\nRate,100 Hz\n\ntime"),
    ],
)
def test_noraxon_has_many_spellings(tmp_path, old, new):
    path = noraxon(tmp_path / "walk.csv", {("Pelvis", ""): 1, ("Shank", " LT"): 2})
    path.write_text(re.sub(old, new, path.read_text()))
    form, streams = read(path)
    assert form == "noraxon"
    assert {stream.name for stream in streams} == {"Pelvis", "Shank LT"}
    for sensor, stream in enumerate(streams, 1):
        assert_is(stream, sensor, within=1e-6)


def test_units_of_noraxon_are_those_of_the_file(tmp_path):
    path = noraxon(tmp_path / "walk.csv", {("Pelvis", ""): 1})
    mg = read(path)[1][0].acceleration
    path.write_text(path.read_text().replace("(mG)", "(m/s²)").replace("(deg/s)", "(rad/s)"))
    (stream,) = read(path)[1]
    np.testing.assert_allclose(stream.acceleration, 1000.0 / GRAVITY * mg)
    np.testing.assert_allclose(stream.angular_rate, signals(1)[1], rtol=1e-6)


def delsys(path, *, gyroscope_late_s=0.0):
    label = "Label: Avanti sensor 1: EMG 1 Sampling frequency: 200 Unit: V"
    names, columns = [], []

    def add(name, times_s, values):
        names.extend(["X[s]", f'"{name}"'])
        for cells in (times_s, values):
            columns.append(np.append(cells, np.full(2 * SAMPLES - len(cells), np.nan)))

    for sensor in (1, 2):
        own = f"Avanti sensor {sensor}"
        add(f"{own}: EMG {sensor} [V]", np.arange(2 * SAMPLES) / 200.0, np.zeros(2 * SAMPLES))
        times_s = np.arange(SAMPLES) / 100.0
        for what, late_s, values in zip(
            ("ACC", "GYRO"), (0.0, gyroscope_late_s), signals(sensor), strict=True
        ):
            unit, factor = ("[g]", GRAVITY) if what == "ACC" else ("", 1.0)
            for k, axis in enumerate("XYZ"):
                name = f"{own}: {what}.{axis} {sensor} {unit}".strip()
                add(name, times_s + late_s, values[:, k] / factor)
    write_table(path, names, columns, above=[label, ""])
    path.write_text(path.read_text().replace("nan", ""))
    return path


def test_delsys_has_times_beside_each_channel(tmp_path):
    form, streams = read(delsys(tmp_path / "walk.csv"))
    assert form == "delsys" and [s.name for s in streams] == ["Avanti sensor 1", "Avanti sensor 2"]
    for sensor, stream in enumerate(streams, 1):
        assert_is(stream, sensor, within=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "first"),
    [
        (r"(ACC|GYRO)\.(.) (\d)", r"\1 \3.\2 (IM)", "Avanti sensor 1"),
        (r"GYRO\.(.) (\d)", r"Gyro \2.\1 (IM) [deg/sec]", "Avanti sensor 1"),
        ("Avanti sensor 1", "R SHANK, front", "R SHANK, front 1"),
        ("^", "Label: a muscle Sampling frequency: 2000 Unit: V\n" * 150, "Avanti sensor 1"),
        ("(?<=,)(?=[,\n])", "0", "Avanti sensor 1"),
    ],
)
def test_delsys_has_many_spellings(tmp_path, old, new, first):
    path = delsys(tmp_path / "walk.csv")
    path.write_text(re.sub(old, new, path.read_text()))
    form, streams = read(path)
    assert form == "delsys" and [stream.name for stream in streams] == [first, "Avanti sensor 2"]
    for sensor, stream in enumerate(streams, 1):
        assert_is(stream, sensor, within=1e-6)


def discover(path, labels, mark=", "):
    names, rates, steps, above, columns = [], [], [], [], []
    for sensor, label in enumerate(labels, 1):
        force, rate = signals(sensor)
        channels = [("EMG 1", "mV", np.zeros(2 * SAMPLES), 200.0)]
        channels += [(f"ACC {x}", "G", force[:, k] / GRAVITY, 100.0) for k, x in enumerate("XYZ")]
        channels += [(f"GYRO {x}", "deg/s", rate[:, k], 100.0) for k, x in enumerate("XYZ")]
        above += [label, *[""] * (2 * len(channels) - 1)]
        for name, unit, values, rate_hz in channels:
            names += [f"{name} Time Series (s)", f"{name} ({unit})"]
            rates, steps = [*rates, "", f"{rate_hz} Hz"], [*steps, "", f"{1.0 / rate_hz} s"]
            times_s = np.arange(len(values)) / rate_hz
            columns += [
                [f"{cell:.10g}" for cell in cells] + [""] * (2 * SAMPLES - len(cells))
                for cells in (times_s, values)
            ]
    rows = [mark.join(cells) for cells in (above, above, names, rates, steps, *zip(*columns, strict=True))]
    rows[1] = "sensor mode: 609"
    path.write_text("\n".join(["Application:, Trigno Discover (2.1.0.7)", "Date/Time:, today", *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (("Femur Anterior (75657)", "Tibia (75557)"), ["Femur Anterior", "Tibia"]),
        (("IMU (75657)", "IMU (75557)"), ["IMU (75657)", "IMU (75557)"]),
        (("",), ["sensor"]),
    ],
)
@pytest.mark.parametrize("mark", [", ", ";"])
def test_trigno_discover_names_sensors_above_their_columns(tmp_path, labels, names, mark):
    path = discover(tmp_path / "walk.csv", labels, mark)
    if mark == ";":
        path.write_text(path.read_text().replace(".", ","))
    form, streams = read(path)
    assert form == "delsys" and [stream.name for stream in streams] == names
    for sensor, stream in enumerate(streams, 1):
        assert_is(stream, sensor, within=1e-6)


def test_a_cell_of_trigno_discover_is_refused_by_its_line(tmp_path):
    path = discover(tmp_path / "walk.csv", ("A (1)",))
    lines = path.read_text().splitlines()
    cells = lines[9].split(", ")
    path.write_text("\n".join([*lines[:9], ", ".join([*cells[:3], "bad", *cells[4:]]), *lines[10:]]) + "\n")
    assert refused(path).where.startswith(f"{path}, line 10,")


def test_signals_of_one_sensor_at_different_times_are_refused(tmp_path):
    said = refused(delsys(tmp_path / "walk.csv", gyroscope_late_s=0.004))
    assert "not sampled at the same times" in str(said) and "'Avanti sensor 1'" in str(said)


def test_vendors_tables_are_along_the_axes_of_the_sensors():
    assert not any(FORMATS[name].segment_axes for name in ("blue_trident", "shimmer", "noraxon", "delsys"))
