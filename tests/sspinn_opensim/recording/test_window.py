import dataclasses

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import Recording, Sensor, output_window
from sspinn_opensim.study import OutputChoice


def recording(duration_s: float, cycle_s: float | None = None) -> Recording:
    time_s = np.arange(int(np.ceil(duration_s * 100 - 1e-9))) / 100
    signal, known, nothing = np.zeros((time_s.size, 1, 3)), np.ones((1, 3), dtype=bool), np.zeros((1, 3))
    return Recording(
        "r", time_s, (Sensor("s", "b"),), signal, signal, known, known, nothing, nothing, cycle_s=cycle_s
    )


@pytest.mark.parametrize("cycle_s", [1.0, 1.2135, 0.7335])
def test_a_tiled_recording_gives_its_last_cycle_but_one(cycle_s):
    from_s, to_s = output_window(recording(20 * cycle_s, cycle_s), OutputChoice())
    assert (from_s, to_s) == (pytest.approx(18 * cycle_s), pytest.approx(19 * cycle_s))


def test_another_recording_gives_all():
    assert output_window(recording(5.0), OutputChoice()) == (0.0, pytest.approx(4.99))


def test_a_chosen_window_wins():
    tiled = recording(10.0, 1.0)
    assert output_window(tiled, OutputChoice(2.0, 3.0)) == (2.0, 3.0)
    assert output_window(tiled, OutputChoice(from_s=2.0)) == (2.0, pytest.approx(9.99))
    assert output_window(tiled, OutputChoice(to_s=3.0)) == (0.0, 3.0)


def test_a_bound_is_the_time_of_its_sample():
    shifted = recording(5.0)
    time_s = shifted.time_s + 2e-12
    shifted = dataclasses.replace(shifted, time_s=time_s)
    assert output_window(shifted, OutputChoice(2.0, 2.3)) == (time_s[200], time_s[230])


@pytest.mark.parametrize(
    "choice", [OutputChoice(4.0, 6.0), OutputChoice(from_s=7.0), OutputChoice(to_s=-0.5)]
)
def test_a_window_outside_is_refused(choice):
    with pytest.raises(InputError, match="does not fit"):
        output_window(recording(5.0), choice)
