"""Which part of a long recording static optimization analyses."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from sspinn_opensim.gait import Stride, measured
from sspinn_opensim.gait.files import read_cycles, write_strides
from sspinn_opensim.opensim_io.static_optimization.choices import MuscleChoice
from sspinn_opensim.opensim_io.tables.storage import Table, write_storage
from sspinn_opensim.recording.movement.phases import Phase
from sspinn_opensim.report import muscle_charts
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import OutputChoice
from sspinn_opensim.verbs import muscles as verb

TIME_S = np.arange(3000) / 100.0
STRIDES = [Stride("r", "walking", 2.003 + k, 2.6 + k, 3.003 + k, 2.5 + k, 0.2, 0.0) for k in range(20)]


@pytest.fixture
def asked(tmp_path, walker, monkeypatch):
    """Return a function: changes of a study and arguments of the verb to the window that is prepared."""
    files = ResultsFolder(tmp_path)
    # Each stride is larger than the one before: the typical ones are in the middle.
    size = 1 + 0.1 * (np.floor(TIME_S - 2.003) - 6)
    write_storage(
        files.kinematics, Table(("knee",), TIME_S, (size * np.sin(2 * np.pi * TIME_S))[:, None], True)
    )
    write_strides(files.strides, measured(STRIDES[:13]))
    windows = []

    def solved(out, **_):
        part = (windows[-1][0] <= TIME_S) & (windows[-1][1] >= TIME_S)
        write_storage(files.muscle_forces, Table(("soleus_r",), TIME_S[part], TIME_S[part][:, None]))
        return "verdict"

    monkeypatch.setattr(verb.preparation, "prepare", lambda out, window, **_: windows.append(window))
    monkeypatch.setattr(verb.static_optimization, "run", solved)
    monkeypatch.setattr(muscle_charts, "write_group_figures", lambda out: None)
    recording = dataclasses.replace(walker.recording, **signals(walker.recording))

    def ask(cycle_s=None, output=None, muscles=None, **arguments):
        study = SimpleNamespace(output=output or OutputChoice(), muscles=muscles or MuscleChoice())
        prepared = SimpleNamespace(
            recording=dataclasses.replace(recording, cycle_s=cycle_s), subject=walker.subject
        )
        analyse = verb.muscles.__wrapped__
        monkeypatch.setattr(verb, "Study", SimpleNamespace)
        assert analyse(study, tmp_path, prepared=prepared, **arguments) == "verdict"
        return windows[-1], files

    return ask


def signals(recording):
    """Return a recording's fields for thirty seconds."""
    shape = (len(TIME_S), *recording.acceleration.shape[1:])
    return {
        "time_s": TIME_S,
        "acceleration": np.ones(shape),
        "angular_rate": np.ones(shape),
        "usable": np.ones(len(TIME_S), bool),
    }


def test_by_default_three_successive_typical_strides(asked):
    (from_s, to_s), files = asked()
    # Sizes 0.4 to 1.6; the median is 1.0, of the stride at 8 s; the strides about it are closest.
    assert (from_s, to_s) == (pytest.approx(7.0), pytest.approx(10.01))
    (cycle,) = read_cycles(files.muscle_cycles)
    assert cycle.strides == 3 and cycle.mean["soleus_r"][0] == pytest.approx(8.003, abs=0.01)


def test_the_number_can_be_chosen(asked):
    (from_s, to_s), _ = asked(muscles=MuscleChoice(strides=1))
    assert to_s - from_s == pytest.approx(1.01)


@pytest.mark.parametrize(
    "choice",
    [
        {"whole": True},
        {"fast": True},
        {"muscles": MuscleChoice(fast=True)},
        {"muscles": MuscleChoice(strides=0)},
    ],
)
def test_everything_where_that_is_asked_for(asked, choice):
    (from_s, to_s), _ = asked(**choice)
    assert from_s < 1.2 and to_s > 29.8


def test_a_chosen_part_and_a_repeated_cycle_stay_what_they_are(asked):
    assert asked(output=OutputChoice(4.0, 5.0))[0] == (4.0, 5.0)
    assert asked(cycle_s=1.5)[0] == (pytest.approx(27.0), pytest.approx(28.5))


WALKING = Phase("walking", 3.0, 13.0, cadence_steps_per_min=100.0)


@pytest.mark.parametrize(
    ("seen", "part", "said"),
    [
        # Three strides of 1.2 s in the middle of the longer walk, not of standing or turning, however long.
        (
            (
                Phase("standing", 0.0, 3.0),
                WALKING,
                Phase("turning", 13.0, 28.0),
                Phase("walking", 28.0, 29.9, 90.0),
            ),
            (6.2, 9.8),
            "the longest walking",
        ),
        # Of what is no gait three times as long as the slowest stride, moved inside where it leans out.
        ((Phase("standing", 0.0, 16.0), Phase("other", 16.0, 29.99)), (19.39, 26.6), "the longest movement"),
        ((Phase("standing", 0.0, 28.0), Phase("other", 28.0, 29.99)), (22.76, 29.96), "the longest movement"),
        ((Phase("standing", 0.0, 29.99),), (11.39, 18.6), "the longest standing"),
    ],
)
def test_without_strides_the_time_of_so_many(asked, monkeypatch, caplog, seen, part, said):
    monkeypatch.setattr(verb, "phases", lambda recording: seen)
    _, files = asked()
    files.strides.unlink()
    with caplog.at_level("INFO"):
        window, _ = asked()
    assert window == pytest.approx(part, abs=0.011) and not files.muscle_cycles.is_file()
    assert f"no stride was found: {window[0]:.2f} to {window[1]:.2f} s are analysed" in caplog.text
    assert said in caplog.text and asked(whole=True)[0][1] > 29.8
    assert asked(output=OutputChoice(4.0, 25.0))[0] == (4.0, 25.0)


def test_a_short_recording_without_strides_is_analysed_whole(asked, caplog):
    _, files = asked()
    files.strides.unlink()
    (from_s, to_s), _ = asked(muscles=MuscleChoice(strides=13))  # 13 strides of 2.4 s are more than 30 s
    assert from_s < 0.2 and to_s > 29.8 and "no stride" not in caplog.text
