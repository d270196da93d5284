"""A motion file becomes smooth functions of time."""

import warnings

import numpy as np
import pytest

from casadi_dynamics.errors import InputError, InputWarning
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.simulation.motion import (
    Samples,
    filtered,
    read_motion,
    repeat_stride,
    stride_time,
    through,
)


def samples(q, rate_hz=100.0):
    return Samples(np.arange(len(q)) / rate_hz, np.asarray(q, float), "test")


def rewritten(files, tmp_path, change):
    """Write the motion again with its table changed by a function."""
    return write_storage(tmp_path / "changed.mot", change(read_storage(files.motion)))


def test_degrees_and_radians_and_state_paths_are_one_motion(planar_files, planar_model, tmp_path):
    def in_radians(table):
        turning = np.array([planar_model.coordinate(n).motion == "rotational" for n in table.names])
        values = table.values * np.where(turning, np.pi / 180, 1.0)
        names = tuple(f"/jointset/joint/{name}/value" for name in table.names)
        speeds = tuple(f"/jointset/joint/{name}/speed" for name in table.names)
        return Table((*names, *speeds), table.time_s, np.hstack([values, 99 + values]), False)

    found = read_motion(planar_files.motion, planar_model)
    np.testing.assert_allclose(found.q, planar_files.q, atol=1e-12)
    other = read_motion(rewritten(planar_files, tmp_path, in_radians), planar_model)
    np.testing.assert_allclose(other.q, planar_files.q, atol=1e-12)


def test_a_missing_coordinate_keeps_its_default_and_an_unknown_column_is_left_alone(
    planar_files, planar_model, tmp_path
):
    def change(table):
        kept = [i for i, name in enumerate(table.names) if name != "pelvis_ty"]
        names = (*(table.names[i] for i in kept), "mtp_angle_r")
        return Table(names, table.time_s, np.column_stack([table.values[:, kept], table.time_s]), True)

    found = read_motion(rewritten(planar_files, tmp_path, change), planar_model)
    assert found.missing == ("pelvis_ty",) and found.unused == ("mtp_angle_r",)
    column = found.q[:, planar_model.coordinate_names.index("pelvis_ty")]
    assert np.all(column == planar_model.coordinate("pelvis_ty").default)


@pytest.mark.parametrize(
    ("change", "unit", "message"),
    [
        (lambda t: Table(t.names, t.time_s, t.values, False), None, "beyond two turns"),
        (lambda t: t, "radians", "different units"),
        (lambda t: Table(t.names, t.time_s + 0.0025 * np.sin(40 * t.time_s), t.values, True), None, None),
        (
            lambda t: Table(tuple("abcdefghijk"[: len(t.names)]), t.time_s, t.values, True),
            None,
            "no coordinate",
        ),
        (lambda t: Table(t.names, t.time_s[:9], t.values[:9], True), None, "too short"),
        (
            lambda t: Table(
                t.names, np.delete(t.time_s, range(90, 130)), np.delete(t.values, range(90, 130), 0), True
            ),
            None,
            "lost frames",
        ),
    ],
)
def test_what_cannot_be_used_is_one_clear_error(planar_files, planar_model, tmp_path, change, unit, message):
    file = rewritten(planar_files, tmp_path, change)
    if message is None:
        assert np.ptp(np.diff(read_motion(file, planar_model, unit).time_s)) < 1e-9
        return
    with pytest.raises(InputError, match=message):
        read_motion(file, planar_model, unit)


def test_a_file_without_unit_needs_it_said(planar_files, planar_model, tmp_path):
    text = planar_files.motion.read_text().replace("inDegrees=yes\n", "")
    file = tmp_path / "silent.mot"
    file.write_text(text)
    with pytest.raises(InputError, match="does not say whether"):
        read_motion(file, planar_model)
    np.testing.assert_allclose(read_motion(file, planar_model, "degrees").q, planar_files.q, atol=1e-12)


@pytest.mark.parametrize("frequency_hz", [1.0, 6.0, 20.0])
def test_the_filter_takes_3_db_at_its_cut_off_and_delays_nothing(frequency_hz):
    time_s = np.arange(2000) / 200
    q = np.sin(2 * np.pi * frequency_hz * time_s)[:, None]
    motion = through(filtered(samples(q, 200.0), 6.0))
    inner = slice(400, 1600)
    found = motion(time_s[inner])[0][:, 0]
    basis = np.stack(
        [np.sin(2 * np.pi * frequency_hz * time_s), np.cos(2 * np.pi * frequency_hz * time_s)], 1
    )
    (gain, lag), *_ = np.linalg.lstsq(basis[inner], found, rcond=None)
    # Forwards and backwards the power gain is that of one pass, twice over: 1 / (1 + (f / fc)^4)^2, bilinear.
    corner = np.tan(np.pi * 6.0 / (np.sqrt(2) - 1) ** 0.25 / 200)
    expected = 1 / (1 + (np.tan(np.pi * frequency_hz / 200) / corner) ** 4)
    assert abs(gain - expected) < 2e-3 and abs(lag) < 1e-3
    if frequency_hz == 6.0:
        assert abs(20 * np.log10(gain) + 3.0) < 0.05


def test_derivatives_are_those_of_the_motion():
    time_s = np.arange(300) / 100
    motion = through(samples(np.sin(6 * time_s)[:, None]))
    inner = time_s[30:-30]
    q, qdot, qddot = (part[:, 0] for part in motion(inner))
    np.testing.assert_allclose(q, np.sin(6 * inner), atol=1e-9)
    np.testing.assert_allclose(qdot, 6 * np.cos(6 * inner), atol=1e-5)
    np.testing.assert_allclose(qddot, -36 * np.sin(6 * inner), atol=1e-3)


def test_a_cut_off_beyond_the_rate_is_refused():
    with pytest.raises(InputError, match="cut-off"):
        filtered(samples(np.zeros((50, 1))), 60.0)


def strides(count, period_s=1.1, rate_hz=100.0):
    """Two coordinates that nearly repeat, and one that travels."""
    time_s = np.arange(round(count * period_s * rate_hz)) / rate_hz
    phase = 2 * np.pi * time_s / period_s
    swing = np.sin(phase) + 0.4 * np.sin(2 * phase + 1) + 0.02 * time_s
    return time_s, np.column_stack([swing, np.cos(phase + 0.3), 1.4 * time_s + 0.02 * np.cos(2 * phase)])


@pytest.mark.parametrize("count", [1.3, 2.5, 6.0])
def test_the_stride_is_found_whatever_the_length(count):
    _, q = strides(count)
    assert stride_time(through(samples(q)), [0, 1]) == pytest.approx(1.1, abs=0.02)


def test_a_motion_without_a_whole_stride_has_none():
    with pytest.raises(InputError, match="no whole stride"):
        stride_time(through(samples(strides(0.5)[1])), [0, 1])


def test_a_repeated_stride_is_smooth_and_leaves_what_is_kept():
    original = through(samples(strides(1.4)[1]))
    period, keep = 1.1, (0.2, 0.8)
    motion = repeat_stride(original, period, keep, [2], 6)
    kept = np.linspace(*keep, 40)
    for ours, theirs in zip(motion(kept), original(kept), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-3)
    again = motion(kept + 4 * period)
    np.testing.assert_allclose(again[0][:, :2], motion(kept)[0][:, :2], atol=1e-9)
    travelled = again[0][:, 2] - motion(kept)[0][:, 2]
    np.testing.assert_allclose(travelled, travelled[0], atol=1e-9)
    assert travelled[0] == pytest.approx(4 * 1.4 * period, abs=0.02)
    time_s = np.arange(motion.from_s, motion.to_s, 0.001)
    _, qdot, qddot = motion(time_s)
    assert np.abs(np.diff(qdot, axis=0)).max() < 0.2 and np.abs(np.diff(qddot, axis=0)).max() < 2.0


def test_a_stride_that_leaves_the_motion_is_refused():
    with pytest.raises(InputError, match="does not fit"):
        repeat_stride(through(samples(strides(1.4)[1])), 1.1, (0.9, 1.2), [2], 4)


def test_a_column_that_is_misspelt_and_the_coordinate_that_rests_for_it_are_named(
    planar_files, planar_model, tmp_path
):
    text = planar_files.motion.read_text()
    (tmp_path / "misspelt.mot").write_text(text.replace("knee_angle_r", "knee_angle_right"))
    with pytest.warns(InputWarning) as notes:
        samples = read_motion(tmp_path / "misspelt.mot", planar_model)
    said = [str(note.message) for note in notes]
    assert samples.missing == ("knee_angle_r",) and samples.unused == ("knee_angle_right",)
    assert len(said) == 2 and "is it column 'knee_angle_right'?" in said[0] and "rests" in said[0]
    assert "no coordinate 'knee_angle_right'" in said[1]


def test_a_motion_that_does_not_travel_says_so(planar_files, planar_model, tmp_path):
    text = planar_files.motion.read_text().replace("pelvis_tx", "forward")
    (tmp_path / "still.mot").write_text(text)
    with pytest.warns(InputWarning, match="no column 'pelvis_tx'.*does not move along it"):
        read_motion(tmp_path / "still.mot", planar_model)


def test_a_whole_motion_needs_no_note(planar_files, planar_model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not read_motion(planar_files.motion, planar_model).missing
