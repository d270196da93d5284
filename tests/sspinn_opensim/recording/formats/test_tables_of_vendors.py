"""Tables as Capture.U, ConsensysPRO, MyoResearch and EMGworks write them, made here from known signals."""

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


def test_shimmer_without_time_in_numbers_is_refused(tmp_path):
    path = shimmer(tmp_path / "one.csv", {"S": 1}, stamp="Timestamp_FormattedUnix")
    said = refused(path)
    assert said.found == "S_Timestamp_FormattedUnix_CAL" and "Unix format" in said.fix


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


def test_signals_of_one_sensor_at_different_times_are_refused(tmp_path):
    said = refused(delsys(tmp_path / "walk.csv", gyroscope_late_s=0.004))
    assert "not sampled at the same times" in str(said) and "'Avanti sensor 1'" in str(said)


def test_vendors_tables_are_along_the_axes_of_the_sensors():
    assert not any(FORMATS[name].segment_axes for name in ("blue_trident", "shimmer", "noraxon", "delsys"))
