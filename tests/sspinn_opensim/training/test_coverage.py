"""No window that is drawn touches what the method does not cover; where all is covered nothing changes."""

import dataclasses

import numpy as np
import pytest
import torch

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import Phase
from sspinn_opensim.training.batches import WindowSource
from sspinn_opensim.training.cohort import single_person_cohort
from sspinn_opensim.training.coverage import (
    covered_samples,
    scored_frames,
    uncovered,
    window_starts,
    with_ends,
)
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.signals import make_signals

SETTINGS = TrainingSettings(steps=10, batch=16, window_s=0.4, unscored_s=0.1)
TURN = (Phase("walking", 0.0, 1.0), Phase("turning", 1.01, 1.5), Phase("walking", 1.51, 2.99))


def signals_of(walker, masked):
    """Return the walker's signals, each of which is the number of its frame, with some frames masked."""
    numbers = torch.arange(len(walker.signals.acceleration), dtype=torch.float32)[:, None]
    numbered = numbers.expand(-1, walker.signals.acceleration.shape[1])
    return dataclasses.replace(walker.signals, acceleration=numbered, covered=torch.as_tensor(~masked))


def frames_of(source, steps):
    """Return the frames of every window that is drawn in so many steps."""
    return [source.draw(step)[0].windows.acceleration[:, :, 0].numpy().astype(int) for step in range(steps)]


def test_no_drawn_window_touches_a_masked_frame(walker):
    masked = np.zeros(len(walker.signals.acceleration), bool)
    masked[120:150] = True
    masked[200] = True
    source = WindowSource(single_person_cohort(walker.subject, signals_of(walker, masked)), SETTINGS)
    drawn = np.concatenate(frames_of(source, 200))
    assert drawn.shape[1] == 40 and not masked[drawn].any()
    # Frames that are scored, and the one before them, follow each other; before them a piece is played back.
    assert (np.diff(drawn[:, 9:], axis=1) == 1).all() and (abs(np.diff(drawn, axis=1)) == 1).all()
    # And every window that is allowed is drawn: of 120 frames, of 50, and of 99, 9 of them led in to.
    allowed = {0: 81 + 9, 150: 11 + 9, 201: 60 + 9}
    starts = set(drawn[:, 9].tolist())
    assert starts == {first + i for first, number in allowed.items() for i in range(number)}


@pytest.mark.parametrize(
    ("pieces", "scored"), [([100], 30), ([25, 25], 24), ([40, 25], 30), ([20, 25, 3], 19)]
)
def test_windows_are_shorter_where_most_of_a_recording_is_short_pieces(pieces, scored):
    covered = np.concatenate([[True] * length + [False] * 5 for length in pieces])
    assert scored_frames(covered, most=30, least=10) == scored
    starts = window_starts(covered, 10 + scored, lead_in=9)
    assert len(starts) == sum(max(length - scored, 0) for length in pieces)
    assert scored_frames(np.zeros(9, bool), most=30, least=10) == 0


@pytest.mark.parametrize("lengths", [(31,), (60,), (1000,), (1000, 31, 400)])
def test_the_ends_of_a_piece_are_scored_nearly_as_often_as_its_middle(lengths):
    scored, lead_in = 30, 9
    covered = np.concatenate([[True] * length + [False] * 5 for length in lengths])
    once = window_starts(covered, scored + lead_in, lead_in)
    starts = with_ends(once, scored)
    assert len(starts) == len(once) + scored * len(lengths)
    times = np.zeros(len(covered))
    for start in starts[:, 0] + lead_in:
        times[start : start + scored] += 1
    assert times[covered].min() > scored / 2 and not times[~covered].any()
    assert lengths[0] < 1000 or times[500] == scored
    assert with_ends(once[:0], scored).shape == (0, 3)


def test_where_all_is_covered_every_window_may_be_drawn(walker):
    nothing = np.zeros(len(walker.signals.acceleration), bool)
    source = WindowSource(single_person_cohort(walker.subject, signals_of(walker, nothing)), SETTINGS)
    state = int(np.random.SeedSequence((SETTINGS.seed, 3, 1)).generate_state(1, np.uint64)[0])
    generator = torch.Generator().manual_seed(state)
    # Nine more begin before the first frame; the first and the last are there as often as half of 31 frames.
    last = len(nothing) - 40
    starts = [*range(-9, last + 1), *[-9, last] * 15]
    expected = torch.randint(len(starts), (16,), generator=generator)
    assert frames_of(source, 4)[3][:, 9].tolist() == [starts[k] + 9 for k in expected]


def test_what_is_covered_too_briefly_is_refused(walker):
    masked = np.ones(len(walker.signals.acceleration), bool)
    masked[::39] = False
    with pytest.raises(InputError, match="too short") as error:
        WindowSource(single_person_cohort(walker.subject, signals_of(walker, masked)), SETTINGS)
    assert "of them covered" in error.value.found


def test_a_turn_is_not_covered_in_the_plane_and_is_in_space(walker):
    recording = walker.recording
    (turn,) = uncovered(recording, TURN, turns=False)
    assert (turn.from_s, turn.to_s) == (1.01, 1.5) and "turns" in str(turn)
    assert uncovered(recording, TURN, turns=True) == ()
    covered = covered_samples(recording.time_s, (turn,))
    np.testing.assert_array_equal(np.flatnonzero(~covered), np.arange(101, 151))


def test_filled_gaps_are_not_covered_anywhere(walker):
    usable = np.ones(len(walker.recording.time_s), bool)
    usable[30:35] = usable[250:] = False
    recording = dataclasses.replace(walker.recording, usable=usable)
    spans = uncovered(recording, TURN, turns=True)
    assert [(span.from_s, span.to_s) for span in spans] == [(0.30, 0.34), (2.5, 2.99)]
    signals = make_signals(recording, walker.subject)
    np.testing.assert_array_equal(signals.covered.numpy(), usable)
    starts = window_starts(signals.covered.numpy(), 40)
    np.testing.assert_array_equal(starts, [(start, 35, 215) for start in range(35, 211)])


def test_windows_with_standing_in_them_are_known_and_do_not_count_for_the_speed(walker):
    told = (Phase("standing", 0.0, 1.0), Phase("walking", 1.01, 2.99))
    signals = make_signals(walker.recording, walker.subject, told)
    assert signals.covered.all() and signals.standing.sum() == 101
    assert signals.still.sum() == 71  # beside the first step weight is shifted
    numbers = torch.arange(300, dtype=torch.float32)[:, None].expand(-1, signals.acceleration.shape[1])
    source = WindowSource(
        single_person_cohort(walker.subject, dataclasses.replace(signals, acceleration=numbers)), SETTINGS
    )
    for step in range(20):
        windows = source.draw(step)[0].windows
        assert windows.on_the_way is not None
        assert (windows.on_the_way == (windows.acceleration[..., 0].min(dim=1).values > 100)).all()
        assert windows.still is not None
        assert (windows.still == (windows.acceleration[..., 0] <= 70)).all()
