"""One mean stride of any format, repeated: through its samples, without a seam, and nothing else is taken."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import read_recording
from sspinn_opensim.recording.tiled import REPEATS
from sspinn_opensim.study import read_study

CYCLE_S, RATE_HZ = 1.13, 100.0
STUDY = """
[model]
file = "builtin:planar_gait"
[person]
height_m = 1.8
mass_kg = 75.0
[recording]
format = "csv"
file = "stride.csv"
{more}
[sensors.tibia_r]
position = [0.0, -0.2, 0.05]
"""


def channel(time_s, k=1.0):
    phase = 2 * np.pi * time_s / CYCLE_S
    return 9.0 + np.sin(phase + k) + 0.5 * np.cos(3 * phase)


@pytest.fixture
def study(tmp_path):
    def _study(samples, more=f"cycle_s = {CYCLE_S}", step_s=1 / RATE_HZ, from_s=2.0):
        time_s = from_s + np.arange(samples) * step_s
        names = [f"tibia_r_{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"]
        columns = [time_s, *(channel(time_s, k) for k in range(6))]
        text = ",".join(["time", *names])
        np.savetxt(tmp_path / "stride.csv", np.column_stack(columns), delimiter=",", header=text, comments="")
        (tmp_path / "study.toml").write_text(STUDY.format(more=more))
        return read_study(tmp_path / "study.toml")

    return _study


@pytest.mark.parametrize(
    ("samples", "step_s"),
    [(113, 0.01), (100, CYCLE_S / 100), (101, CYCLE_S / 100)],
    ids=["clock", "0-99", "0-100"],
)
def test_a_stride_is_repeated_without_a_seam(study, samples, step_s):
    recording = read_recording(study(samples, step_s=step_s))
    assert recording.cycle_s == CYCLE_S and recording.usable.all()
    assert recording.time_s[0] == 2.0
    assert recording.time_s[-1] == pytest.approx(2.0 + REPEATS * CYCLE_S, abs=1.01 * step_s)
    # A cubic spline through 100 samples of a wave of three periods: (2 pi 3 / 100)^4 / 384 of it, 3e-6.
    expected = channel(recording.time_s)
    np.testing.assert_allclose(recording.acceleration[:, 0, 1], expected, rtol=0, atol=2e-5)
    assert any("repeated 20 times" in note for note in recording.notes)


def test_the_stride_is_the_part_that_is_chosen(study):
    recording = read_recording(study(400, f"cycle_s = {CYCLE_S}\nfrom_s = 3.0\nto_s = 4.12"))
    assert recording.time_s[0] == pytest.approx(3.0)
    np.testing.assert_allclose(recording.acceleration[:, 0, 0], channel(recording.time_s, 0), atol=2e-5)
    at_200 = read_recording(study(113, f"cycle_s = {CYCLE_S}\nsampling_rate_hz = 200"))
    assert at_200.sampling_rate_hz == pytest.approx(200.0) and at_200.cycle_s == CYCLE_S


@pytest.mark.parametrize("samples", [100, 120, 400])
def test_more_or_less_than_a_stride_is_refused(study, samples):
    with pytest.raises(InputError, match="not one stride") as error:
        read_recording(study(samples))
    assert f"{samples} samples" in error.value.found


def test_a_mean_stride_is_one_part_of_a_format_that_does_not_say(study):
    with pytest.raises(InputError, match="one part"):
        study(400, f"cycle_s = {CYCLE_S}\npieces = [[2.0, 3.0], [4.0, 5.0]]")
