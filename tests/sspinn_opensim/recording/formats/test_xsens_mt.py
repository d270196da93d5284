import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice
from sspinn_opensim.recording.formats.folders import head_of
from sspinn_opensim.recording.formats.xsens_columns import GRAVITY
from sspinn_opensim.recording.formats.xsens_mt import XsensMtOptions, is_xsens_mt, read_xsens_mt

HEADER = "// General information: \n//  DeviceId: {name}\n// Update Rate: {rate}\n"
ACC, GYR = ("Acc_X", "Acc_Y", "Acc_Z"), ("Gyr_X", "Gyr_Y", "Gyr_Z")
QUAT = ("Quat_q0", "Quat_q1", "Quat_q2", "Quat_q3")
#: As MT Manager lists a matrix: column by column.
MAT = tuple(f"Mat[{r}][{c}]" for c in (1, 2, 3) for r in (1, 2, 3))
#: Files have six decimals.
ROUNDING = 1e-6
MAPPING = """<?xml version="1.0"?><OpenSimDocument Version="40000"><XsensDataReaderSettings>
<trial_prefix>{trial}</trial_prefix><ExperimentalSensors><ExperimentalSensor name="_00B40001">
<name_in_model>pelvis_imu</name_in_model></ExperimentalSensor></ExperimentalSensors>
</XsensDataReaderSettings></OpenSimDocument>"""


@pytest.fixture
def write(tmp_path):
    """Write a file of columns; None gives empty cells."""

    def _write(columns, name="walk-000_00B40001", header=None, mark="\t", empty=""):
        header = HEADER.format(name=name.rpartition("_")[2], rate="100.0Hz") if header is None else header
        n = max(len(values) for values in columns.values() if values is not None)
        cells = [
            [empty] * n if v is None else [f"{x:.6f}" if v.dtype == float else f"{x:05d}" for x in v]
            for v in columns.values()
        ]
        path = tmp_path / f"{name}.txt"
        lines = [mark.join(columns), *(mark.join(row) for row in zip(*cells, strict=True))]
        path.write_text(header + "\n".join(lines) + "\n")
        return path

    return _write


def motion(n=60, seed=0):
    """Return a walk of random turns: specific force, angular rate, and the quaternions w, x, y, z."""
    chance = np.random.default_rng(seed)
    turns = Rotation.from_rotvec(np.cumsum(chance.normal(size=(n, 3)) * 0.05, axis=0))
    force = turns.inv().apply(chance.normal(size=(n, 3)) + np.array([0, 0, 9.81]))
    return force, chance.normal(size=(n, 3)), turns


def columns(n=60, counter=None, clock=None, **extra):
    force, rate, _ = motion(n)
    counter = np.arange(n) + 400 if counter is None else counter
    found = {"PacketCounter": counter, "SampleTimeFine": clock, "Year": None, "Second": None}
    return found | dict(zip(ACC, force.T, strict=True)) | dict(zip(GYR, rate.T, strict=True)) | extra


def read(path, **options):
    return read_xsens_mt(RecordingChoice("xsens_mt", path, options=XsensMtOptions(**options)))


def refused(path, **options) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    assert str(path.parent) in caught.value.where
    return caught.value


@pytest.mark.parametrize("mark", ["\t", ",", ";", " "])
@pytest.mark.parametrize("empty", ["", "NaN"])
def test_signals_are_read_with_any_separator(write, mark, empty):
    path = write(columns(), mark=mark, empty=empty)
    assert is_xsens_mt(path, head_of(path))
    (stream,) = read(path)
    force, rate, _ = motion()
    np.testing.assert_allclose(stream.acceleration, force, atol=ROUNDING)
    np.testing.assert_allclose(stream.angular_rate, rate, atol=ROUNDING)
    assert (stream.name, stream.rate_hz, stream.segment) == ("00B40001", 100.0, "")
    assert stream.time_s is None and stream.counter[0] == 400 and not stream.notes
    assert list(stream.lines)[:2] == [5, 6]


def test_without_a_rate_none_is_assumed(write):
    (stream,) = read(write(columns(), header="// DeviceId: 00B40001\n"))
    assert stream.rate_hz is None and stream.time_s is None


@pytest.mark.parametrize("rate", ["", "fast", "0.0Hz", "1e9Hz", "100"])
def test_a_rate_that_is_none_counts_as_not_stated(write, rate):
    header = HEADER.format(name="00B40001", rate=rate)
    assert read(write(columns(), header=header))[0].rate_hz is None


def test_lost_packets_leave_a_hole_and_the_counter_wraps(write):
    counter = np.delete(np.arange(65500, 65562), [10, 50]) % 65536
    (stream,) = read(write(columns(counter=counter)))
    assert stream.counter[0] == 65500 and stream.counter[-1] == 65561
    assert np.diff(stream.counter).max() == 2


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda c: np.full(60, 400), 6),
        (lambda c: np.concatenate([c[:9], c[9:11][::-1], c[11:]]), 15),
    ],
)
def test_a_counter_that_does_not_go_forward_is_refused(write, change, line):
    error = refused(write(columns(counter=change(np.arange(60) + 400))))
    assert "does not go forward" in error.what and f"line {line}" in error.where


def test_a_repeated_packet_is_left_to_the_clocks(write):
    counter = np.insert(np.arange(60) + 400, 7, 406)[:60]
    (stream,) = read(write(columns(counter=counter, clock=100 * counter)))
    assert np.flatnonzero(np.diff(stream.counter) == 0).tolist() == [6]
    assert stream.time_s[-1] == pytest.approx(0.58)


def test_a_clock_that_starts_again_at_midnight(write):
    ticks = (864_000_000 - 500 + 100 * np.arange(60)) % 864_000_000
    np.testing.assert_allclose(read(write(columns(clock=ticks)))[0].time_s, np.arange(60) / 100, rtol=1e-12)


def test_a_counter_that_is_no_count_is_refused(write):
    assert "not a count" in refused(write(columns(counter=np.arange(60) + 0.5))).what


@pytest.mark.parametrize(("step", "unit_s"), [(100, 1e-4), (10_000, 1e-6), (8333, 1e-6)])
def test_the_clock_has_ticks_of_100_us_or_1_us_and_wraps(write, step, unit_s):
    ticks = (2**32 - 5 * step + step * np.arange(60)) % 2**32
    (stream,) = read(write(columns(clock=ticks), header="// DeviceId: x\n"))
    np.testing.assert_allclose(stream.time_s, step * unit_s * np.arange(60), rtol=1e-12)


def test_three_forms_of_a_rotation_are_one(write):
    turns = motion()[2]
    forms = {
        "quaternion": dict(zip(QUAT, turns.as_quat(scalar_first=True).T, strict=True)),
        "matrix": {name: turns.as_matrix()[:, int(name[4]) - 1, int(name[7]) - 1] for name in MAT},
        "angles": dict(zip(("Yaw", "Pitch", "Roll"), turns.as_euler("ZYX", degrees=True).T, strict=True)),
    }
    for form in forms.values():
        (stream,) = read(write(columns(**form)))
        found = Rotation.from_quat(stream.orientation, scalar_first=True)
        # Six decimals of a matrix or quaternion, 1e-6 degrees of an angle.
        assert (found * turns.inv()).magnitude().max() < 3e-6


def test_a_world_with_z_down_becomes_one_with_z_up(write):
    north_east_down = Rotation.from_matrix([[0, 1, 0], [1, 0, 0], [0, 0, -1]])
    turns = north_east_down.inv() * motion()[2]
    header = "// DeviceId: 00B40001\n// Coordinate system: NED\n"
    form = dict(zip(QUAT, turns.as_quat(scalar_first=True).T, strict=True))
    (stream,) = read(write(columns(**form), header=header))
    found = Rotation.from_quat(stream.orientation, scalar_first=True)
    assert (found * motion()[2].inv()).magnitude().max() < 3e-6


@pytest.mark.parametrize("names", [QUAT, MAT, ("Roll", "Pitch", "Yaw")])
def test_numbers_that_are_no_rotations_are_left_out(write, names):
    values = np.random.default_rng(1).uniform(-900, 900, (len(names), 60))
    (stream,) = read(write(columns(**dict(zip(names, values, strict=True)))))
    assert stream.orientation is None and "no rotations" in stream.notes[0]


def test_columns_may_be_missing(write):
    force, rate, _ = motion()
    (only_force,) = read(write(dict(zip(ACC, force.T, strict=True))))
    assert (
        only_force.angular_rate is None and only_force.counter is None and only_force.acceleration is not None
    )
    (only_rate,) = read(write(dict(zip(GYR, rate.T, strict=True))))
    assert only_rate.acceleration is None and not only_rate.lacks


def test_nan_stays_in_its_axis(write):
    force = motion()[0].copy()
    force[3, 1] = np.nan
    (stream,) = read(write(columns(Acc_Y=force[:, 1])))
    assert np.argwhere(np.isnan(stream.acceleration)).tolist() == [[3, 1]]


def test_free_acceleration_in_acc_is_not_taken(write):
    free = np.random.default_rng(2).normal(size=(3, 60)) * 0.05
    (stream,) = read(write(columns(**dict(zip(ACC, free, strict=True)))))
    assert stream.acceleration is None and "free acceleration" in stream.lacks[0]


def test_free_acceleration_with_orientation_and_gyroscope_is_specific_force_again(write):
    force, rate, turns = motion()
    free = turns.apply(force) - [0, 0, GRAVITY]
    form = dict(zip(QUAT, turns.as_quat(scalar_first=True).T, strict=True))
    form |= dict(zip(("FreeAcc_E", "FreeAcc_N", "FreeAcc_U"), free.T, strict=True))
    (stream,) = read(write(form | dict(zip(GYR, rate.T, strict=True))))
    # Quaternions of six decimals times 10 m/s^2.
    np.testing.assert_allclose(stream.acceleration, force, atol=3e-5)
    assert any("free acceleration" in note for note in stream.notes)
    (mute,) = read(write(form))
    assert mute.acceleration is None and "removed gravity" in mute.lacks[0]


def test_increments_over_their_interval_are_the_signals(write):
    force, rate, _ = motion()
    turned = Rotation.from_rotvec(rate / 100).as_quat(scalar_first=True)
    form = {f"OriInc_q{k}": turned[:, k] for k in range(4)}
    form |= {f"VelInc_{axis}": force[:, k] / 100 for k, axis in enumerate("XYZ")}
    (stream,) = read(write(form))
    # Six decimals times 100 Hz.
    np.testing.assert_allclose(stream.acceleration, force, atol=1e-4)
    np.testing.assert_allclose(stream.angular_rate, rate, atol=2e-4)


def test_a_folder_is_one_trial_with_the_segments_of_its_mapping(write, tmp_path):
    for serial in ("00B40001", "00B40002"):
        write(columns(), f"walk-000_{serial}")
    (tmp_path / "myIMUMappings.xml").write_text(MAPPING.format(trial="walk-000"))
    (tmp_path / "notes.txt").write_text("nothing to see")
    streams = read(tmp_path)
    assert [(s.name, s.segment) for s in streams] == [("00B40001", "pelvis_imu"), ("00B40002", "")]


def test_of_several_trials_one_is_chosen(write, tmp_path):
    for trial in ("walk-000", "walk-001"):
        write(columns(), f"{trial}_00B40001")
    error = refused(tmp_path)
    assert "several trials" in error.what and "walk-000, walk-001" in error.expected
    assert [s.file.name for s in read(tmp_path, trial="walk-001")] == ["walk-001_00B40001.txt"]
    assert "'run'" in refused(tmp_path, trial="run").what
    write(columns(), "pelvis", header=HEADER.format(name="00B40002", rate="100.0Hz"))
    error = refused(tmp_path)
    assert error.expected == "one of walk-000, walk-001" and "pelvis.txt" in error.found
    (tmp_path / "pelvis.txt").unlink()
    mapping = tmp_path / "mapping.xml"
    mapping.write_text(MAPPING.format(trial="walk-000"))
    assert read(tmp_path)[0].file.name == "walk-000_00B40001.txt"
    assert read(tmp_path, trial="walk-001")[0].segment == "pelvis_imu"
    (tmp_path / "other.xml").write_text(MAPPING.format(trial="walk-001"))
    assert "several mapping files" in refused(tmp_path).what
    assert read(tmp_path, mapping=mapping)[0].file.name == "walk-000_00B40001.txt"


def test_two_files_of_one_sensor_are_refused(write, tmp_path):
    header = HEADER.format(name="00B40001", rate="100.0Hz")
    for name in ("pelvis", "thigh"):
        write(columns(), name, header=header)
    assert "2 files of the folder are of sensor '00B40001'" in refused(tmp_path).what


def test_files_that_their_user_named_keep_that_as_segment(write, tmp_path):
    for k, name in enumerate(("pelvis", "thigh_r")):
        write(columns(), name, header=HEADER.format(name=f"00B4000{k}", rate="100.0Hz"))
    assert [(s.name, s.segment) for s in read(tmp_path)] == [("00B40000", "pelvis"), ("00B40001", "thigh_r")]
    for name in ("pelvis", "thigh_r"):
        write(columns(), name, header="// Update Rate: 100.0Hz\n")
    assert [s.name for s in read(tmp_path)] == ["pelvis", "thigh_r"]


@pytest.mark.parametrize(
    "text",
    ["not xml", "<a/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><XsensDataReaderSettings/>"],
)
def test_a_mapping_that_is_none_is_refused(write, tmp_path, text):
    path = write(columns())
    mapping = tmp_path / "mapping.xml"
    mapping.write_text(text)
    assert "mapping.xml" in refused(path, mapping=mapping).where


@pytest.mark.parametrize(
    "text",
    [
        "",
        "time,a,b,c\n0,1,2,3\n",
        "sep=,\nDeviceTag:,a\n\nPacketCounter,SampleTimeFine,Quat_W,Quat_X,Quat_Y\n",
        "// a\n// b\n",
    ],
)
def test_other_files_are_not_taken_for_it(tmp_path, text):
    assert not is_xsens_mt(tmp_path / "a.txt", text.encode())
