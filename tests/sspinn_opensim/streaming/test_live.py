"""Streams with whatever goes wrong on the way; time is made, nothing waits."""

import dataclasses
import re
import tracemalloc

import numpy as np
import pytest

from sspinn_opensim.estimation import estimate
from sspinn_opensim.streaming.frames import FrameMaker, Patience
from sspinn_opensim.streaming.samples import Sample, SampleClock
from sspinn_opensim.streaming.sensor_clock import SensorClock


@pytest.fixture(scope="module")
def whole(person):
    return estimate(person.estimator, person.subject, person.signals, person.recording.time_s)


def rows_of(frames):
    return np.round(np.array([frame.time_s for frame in frames]) * 100).astype(int)


def assert_same(frames, whole, shift=0):
    """Streaming is double precision with another order of sums: 1e-9 is a hundred thousand roundings."""
    rows = rows_of(frames) + shift
    for name, found, expected in (
        ("moments", [f.estimate.moments for f in frames], whole.moments[rows]),
        ("force", [f.estimate.ground.force for f in frames], whole.ground.force[rows]),
        ("q", [f.estimate.q for f in frames], whole.q[rows]),
    ):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(np.array(found), expected, rtol=0, atol=1e-9 * scale, err_msg=name)


def kinds(events):
    return [event.kind for event in events]


def test_a_stream_is_the_estimate_of_the_whole_recording(make_live, arrivals, play_to, whole):
    frames, events = play_to(make_live(), arrivals())
    assert rows_of(frames).tolist() == list(range(len(whole.time_s))) and kinds(events) == ["began"]
    assert_same(frames, whole)
    assert [frame.late for frame in frames].index(False) == 60 and not any(frame.held for frame in frames)


def test_a_replay_at_another_speed_is_as_late_as_at_its_own(make_live, arrivals, play_to):
    """Four seconds of this machine pass in one of the recording: no frame is behind by the other three."""
    frames, _ = play_to(make_live(clock=SampleClock(speed=0.25)), arrivals())
    passed_s, recorded_s = (np.array([getattr(f, name) for f in frames]) for name in ("machine_s", "time_s"))
    np.testing.assert_allclose(passed_s - passed_s[0], 4 * (recorded_s - recorded_s[0]), atol=1e-9)


def test_packets_that_change_places_change_nothing(make_live, arrivals, play_to, whole):
    live = make_live(patience=Patience(window_s=0.06))
    frames, _ = play_to(live, arrivals(jitter_s=0.05))
    assert rows_of(frames).tolist() == list(range(len(whole.time_s)))
    assert_same(frames, whole)
    assert all(health.too_late == 0 and health.lost == 0 for health in live.health.values())


def test_a_lost_sample_is_bridged_counted_and_told(make_live, arrivals, play_to, whole, person):
    live = make_live()
    frames, events = play_to(live, arrivals(loss=0.05))
    assert len(frames) > 0.99 * len(whole.time_s) and kinds(events) == ["began"]
    lost = sum(health.lost for health in live.health.values())
    assert lost == pytest.approx(0.05 * person.sent.shape[0] * 7, rel=0.2)
    held = sum(len(frame.held) for frame in frames)
    assert 0.9 * lost < held < 1.1 * lost
    knee = whole.coordinates.index("knee_angle_r")
    off = np.array([f.estimate.q[knee] for f in frames]) - whole.q[rows_of(frames), knee]
    # An untrained network, ten times louder than it begins: what is lost is seen, and is small.
    assert 0 < np.sqrt(np.mean(off**2)) < 0.1 * np.ptp(whole.q[:, knee])


def test_a_dead_sensor_withdraws_the_estimate_and_is_named(make_live, arrivals, play_to, whole):
    frames, events = play_to(make_live(), arrivals(dead=[(3, 5.0, 15.0)]))
    assert kinds(events) == ["began", "withdrawn", "missing", "began"]
    assert events[1].sensors == events[2].sensors == ("foot_r",)
    times = np.array([frame.time_s for frame in frames])
    assert not ((times > 5.0 + 0.1) & (times < 15.0 - 1e-6)).any()
    again = [frame for frame in frames if frame.time_s > 14.0]
    # It goes on with the samples on which it settles, so with the estimate of that piece alone.
    assert again[0].time_s == pytest.approx(15.0) and again[0].late and not again[-1].late
    late = rows_of(again)[-1]
    np.testing.assert_allclose(again[-1].estimate.moments, whole.moments[late], atol=1e-3)


def test_after_a_gap_it_is_the_estimate_of_what_follows(make_live, arrivals, play_to, person):
    frames, _ = play_to(make_live(), arrivals(dead=[(0, 4.0, 6.0)]))
    again = [frame for frame in frames if frame.time_s > 5.0]
    first = round(6.0 * 100)
    signals = dataclasses.replace(
        person.signals,
        **{
            name: getattr(person.signals, name)[first:]
            for name in ("acceleration", "angular_rate", "usable", "covered")
        },
    )
    piece = estimate(person.estimator, person.subject, signals, person.recording.time_s[first:])
    moments = np.array([frame.estimate.moments for frame in again])
    np.testing.assert_allclose(moments, piece.moments, atol=1e-9 * np.abs(piece.moments).max())
    # The body goes on from where it was.
    forward = person.subject.roles.forward
    before = [frame for frame in frames if frame.time_s < 5.0][-1].estimate.q[forward]
    assert again[0].estimate.q[forward] == before


def test_a_sensor_that_joins_late_is_waited_for(make_live, arrivals, play_to, whole):
    frames, events = play_to(make_live(), arrivals(dead=[(1, 0.0, 5.0)]))
    assert kinds(events) == ["missing", "began"] and events[0].sensors == ("femur_r",)
    assert frames[0].time_s == pytest.approx(5.0)


def test_a_sensor_that_lacks_an_axis_is_told_from_one_that_is_silent(make_live, arrivals, play_to):
    lacking = [
        (arrived, dataclasses.replace(sample, signals=np.where(sample.sensor == 1, np.nan, sample.signals)))
        for arrived, sample in arrivals(dead=[(2, 0.0, 5.0)], to_row=450)
    ]
    _, (event,) = play_to(make_live(), lacking)
    assert event.kind == "missing" and event.sensors == ("femur_r", "tibia_r")
    assert "Of sensor 'femur_r' no sample can be used: axes are missing" in event.text


def test_clocks_of_their_own_are_put_on_one(make_live, arrivals, play_to, whole):
    """Origins minutes apart, 100 ppm between the quickest and the slowest, 50 ms of jitter."""
    live = make_live(clock=SampleClock(shared=False))
    ppm = np.linspace(-50, 50, 7) + 30
    frames, events = play_to(live, arrivals(ppm=ppm, jitter_s=0.05))
    assert kinds(events) == ["began"] and len(frames) > 0.98 * len(whole.time_s)
    times = np.array([frame.time_s for frame in frames]) - 1000.0 - 0.002
    knee = whole.coordinates.index("knee_angle_r")
    expected = np.interp(times, whole.time_s, whole.q[:, knee])
    found = np.array([frame.estimate.q[knee] for frame in frames])
    settled = times > 3.0
    off = np.sqrt(np.mean((found - expected)[settled] ** 2))
    assert off < 0.05 * np.ptp(expected)


def test_a_clock_that_drifts_is_followed():
    """100 ppm, 50 ms of jitter: of a hundred samples the quickest is late by half a millisecond."""
    clock, random, errors = SensorClock(), np.random.default_rng(0), []
    for true_s in np.arange(0.0, 600.0, 0.01):
        arrived = true_s + 0.05 * random.random()
        delay = clock.delay_s(77.0 + true_s * (1 - 1e-4), arrived)
        assert delay is not None
        errors.append(arrived - delay - true_s)
    settled = np.array(errors[2000:])
    assert np.abs(settled).max() < 2e-3 and settled.std() < 4e-4
    assert clock.drift_ppm == pytest.approx(-100, abs=15) or clock.drift_ppm == pytest.approx(100, abs=15)


@pytest.mark.parametrize(("share", "within_s"), [(0.01, 0.005), (0.2, 0.05)])
def test_stamps_ahead_of_time_do_not_move_a_clock(share, within_s):
    """Up to a second, from the first sample on: those that are right bear each other out."""
    clock, random, errors, passed = SensorClock(), np.random.default_rng(1), [], []
    for true_s in np.arange(0.0, 60.0, 0.01):
        arrived, ahead_s = true_s + 0.02 * random.random(), random.random() * (random.random() < share)
        delay = clock.delay_s(true_s * (1 - 1e-4) + ahead_s, arrived)
        if ahead_s and delay is not None:
            passed.append((true_s, ahead_s))
        elif not ahead_s and true_s > 10.0:
            assert delay is not None
            errors.append(arrived - delay - true_s)
    assert np.abs(errors).max() < within_s
    assert max(ahead_s for true_s, ahead_s in passed if true_s > 10.0) < 0.2


def test_a_clock_that_is_set_ahead_by_little_is_followed():
    clock, random = SensorClock(), np.random.default_rng(2)
    delays = []
    for true_s in np.arange(0.0, 40.0, 0.01):
        arrived = true_s + 0.02 * random.random()
        delays.append(clock.delay_s(true_s + 0.4 * (true_s > 20.0), arrived))
    assert sum(delay is None for delay in delays) == 4
    assert max(delay for delay in delays[3000:] if delay is not None) < 0.03


def test_a_clock_that_stands_still_gives_numbers():
    clock = SensorClock()
    delays = [clock.delay_s(5.0, 100.0 + 0.01 * k) for k in range(3000)]
    assert all(delay is None or np.isfinite(delay) for delay in delays) and np.isfinite(clock.drift_ppm)


def test_a_sensor_whose_packets_come_late_is_named(make_live, arrivals, play_to, whole):
    frames, events = play_to(make_live(), arrivals(late=[(2, 0.03)]))
    assert kinds(events) == ["began", "late"] and events[1].sensors == ("tibia_r",)
    assert "30 ms" in events[1].text
    assert_same(frames, whole)


@pytest.mark.parametrize(("sensor", "name"), [(2, "tibia_r"), (6, "foot_l"), (4, "femur_l")])
def test_a_sensor_whose_signals_come_late_is_named(make_live, arrivals, play_to, sensor, name):
    """By 30 ms, hidden by its clock: nothing but the joints tell it."""
    live = make_live(clock=SampleClock(shared=False))
    _, events = play_to(live, arrivals(ppm=np.full(7, 1.0), signal_late=[(sensor, 3)], jitter_s=0.01))
    late = [event for event in events if event.kind == "late"]
    assert [event.sensors for event in late] == [(name,)]
    # Of some seconds of noise-free walking on clocks with jitter, to a fifth of a frame.
    assert float(re.search(r"come (\d+) ms", late[0].text)[1]) == pytest.approx(30, abs=2)


@pytest.mark.parametrize("late", [(), [(2, 3)], [(5, -3)]])
def test_it_is_named_whatever_else_goes_wrong(make_live, arrivals, play_to, person, late):
    """Losses, jitter, clocks 100 ppm apart, a sensor that is dead for a time; and nobody where nobody is."""
    live = make_live(clock=SampleClock(shared=False))
    ppm = np.linspace(-50, 50, 7)
    sent = arrivals(loss=0.05, jitter_s=0.05, ppm=ppm, dead=[(6, 5.0, 12.0)], signal_late=late, to_row=1800)
    told = [event for event in play_to(live, sent)[1] if event.kind == "late"]
    assert [event.sensors for event in told] == [(person.sensors.names[sensor],) for sensor, _ in late]
    for event, (_, frames) in zip(told, late, strict=True):
        assert f"{'after' if frames > 0 else 'before'} those" in event.text


def test_nobody_is_late_in_a_good_stream(make_live, arrivals, play_to):
    for shared in (True, False):
        live = make_live(clock=SampleClock(shared=shared))
        _, events = play_to(live, arrivals(jitter_s=0.05, ppm=None if shared else np.full(7, 1.0)))
        assert kinds(events) == ["began"]


def test_a_sender_that_starts_again_is_followed(make_live, arrivals, play_to, whole):
    again = [(arrived + 10.0, sample) for arrived, sample in arrivals(to_row=500)]
    frames, events = play_to(make_live(), arrivals(to_row=700) + again)
    assert kinds(events).count("began") == 2
    later = [k for k in range(1, len(frames)) if frames[k].time_s < frames[k - 1].time_s]
    assert len(later) == 1 and frames[-1].time_s > 4.0
    np.testing.assert_allclose(
        [frame.estimate.moments for frame in frames[later[0] :]][-100:],
        whole.moments[rows_of(frames[later[0] :])][-100:],
        atol=1e-3,
    )


@pytest.mark.parametrize(
    "ahead_s",
    [
        {row: (-1) ** row * 1e9 + 5.0 * row for row in range(500, 560, 2)},
        {row: 0.2 + 0.8 * np.random.default_rng(row).random() for row in range(500, 2000, 10)},
    ],
    ids=["impossible", "up to a second ahead"],
)
def test_rows_with_wrong_times_change_nothing(make_live, arrivals, play_to, whole, ahead_s):
    """Rows that came once more: all sensors of one clock at once, and no two rows alike."""
    odd = [
        (arrived + 1e-4, dataclasses.replace(sample, time_s=sample.time_s + wrong_s, counter=None))
        for row, wrong_s in ahead_s.items()
        for arrived, sample in arrivals(from_row=row, to_row=row + 1)
    ]
    live = make_live()
    frames, events = play_to(live, arrivals() + odd)
    assert kinds(events) == ["began"]
    assert_same(frames, whole)
    assert sum(health.strange for health in live.health.values()) == len(odd)


@pytest.mark.parametrize(("leap_s", "rows"), [(1e6, 40), (1e6, 7), (-500.0, 40)])
def test_a_clock_that_leaps_and_comes_back_is_followed(make_live, arrivals, play_to, whole, leap_s, rows):
    away = [
        (arrived, dataclasses.replace(sample, time_s=sample.time_s + leap_s))
        for arrived, sample in arrivals(from_row=600, to_row=600 + rows)
    ]
    frames, _ = play_to(make_live(), arrivals(to_row=600) + away + arrivals(from_row=600 + rows))
    after = [frame.time_s for frame in frames if 10.0 < frame.time_s < 100.0]
    assert after == pytest.approx(whole.time_s[-len(after) :]) and len(after) > 1000


def test_standing_corrects_gyroscopes_and_moving_does_not(person, make_live, play_to, arrivals):
    bias, rows = 0.02, 300
    still = np.zeros((rows, 7, 6))
    still[:, :, 1] = 9.81
    still += np.random.default_rng(2).normal(0, 0.0005, still.shape)
    still[:, 2, 5] += bias
    rotation = person.sensors.rotation
    own = np.concatenate(
        [np.einsum("kij,nki->nkj", rotation, still[..., part]) for part in (slice(3), slice(3, 6))], axis=2
    )
    sent = [(1000.0 + row / 100, Sample(k, row / 100, own[row, k])) for row in range(rows) for k in range(7)]
    live = make_live(standing_s=1.0)
    frames, events = play_to(live, sent)
    assert kinds(events) == ["standing", "began"] and "1 of 7" in events[0].text and len(frames) == rows
    assert live._bias[2, 2] == pytest.approx(bias, abs=1e-3)
    _, events = play_to(make_live(standing_s=1.0), arrivals(to_row=300))
    assert kinds(events) == ["not_standing", "began"]
    own[:, 5] = own[:, 5] @ np.diag([-1, -1, -1, 1, 1, 1])
    sent = [(1000.0 + row / 100, Sample(k, row / 100, own[row, k])) for row in range(rows) for k in range(7)]
    _, events = play_to(make_live(standing_s=1.0), sent)
    assert kinds(events) == ["standing", "tilted", "began"] and events[1].sensors == ("tibia_l",)


def test_standing_turns_sensors_to_where_up_is(person, make_live, play_to):
    """By what the callback says of the signals along the axes that are stated; from the first frame on."""
    turn = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    turns, given = np.tile(np.eye(3), (7, 1, 1)), []
    turns[2] = turn
    still = np.zeros((120, 7, 6))
    still[:, :, 1] = 9.81
    still[:, 2, :3] = 9.81 * turn.T[:, 1]  # so that turned it is upright
    still[:, 2, 5] = 0.02
    rotation = person.sensors.rotation
    own = np.concatenate(
        [np.einsum("kij,nki->nkj", rotation, part) for part in np.split(still, 2, axis=2)], 2
    )
    sent = [(1000.0 + row / 100, Sample(k, row / 100, own[row, k])) for row in range(120) for k in range(7)]

    def inclined(acceleration, rate):
        given.append((acceleration, rate))
        return turns

    live = make_live(standing_s=1.0, inclined=inclined)
    frames, events = play_to(live, sent)
    assert kinds(events) == ["standing", "began"] and "at most 37 (tibia_r)" in events[0].text
    ((acceleration, rate),) = given
    np.testing.assert_allclose(acceleration, still[:100, :, :3], atol=1e-12)
    np.testing.assert_allclose(rate, 0.0, atol=1e-12)
    upright = np.tile([0.0, 9.81, 0.0], (7, 1))
    found, turning = live._along_bodies(own[0])
    np.testing.assert_allclose(found[live.sensors.used[:, :3]], upright[live.sensors.used[:, :3]], atol=1e-12)
    np.testing.assert_allclose(turning, 0.0, atol=1e-12)
    settled = make_live()
    upright_sent = [
        (at, dataclasses.replace(sample, signals=_turned_back(rotation[sample.sensor], upright[0])))
        for at, sample in sent
    ]
    expected, _ = play_to(settled, upright_sent)
    np.testing.assert_allclose(frames[-1].estimate.q, expected[-1].estimate.q, atol=1e-9)


def _turned_back(rotation, up):
    return np.concatenate([rotation.T @ up, np.zeros(3)])


def test_faster_sensors_are_smoothed_and_slower_ones_are_interpolated(
    person, planar_model, record, make_live, play_to, whole
):
    from sspinn_opensim.streaming.sources import own_axes

    knee = whole.coordinates.index("knee_angle_r")
    for rate, most in ((400.0, 0.03), (60.0, 0.1)):
        recording = record(planar_model, seconds=8.0, rate_hz=rate)
        own = own_axes(recording, person.sensors.rotation)
        sent = [
            (1000.0 + t, Sample(k, float(t), row[k]))
            for t, row in zip(recording.time_s, own, strict=True)
            for k in range(7)
        ]
        live = make_live()
        frames, _ = play_to(live, sent)
        assert len(frames) > 750 and live.frames.look_ahead_s == (0.02 if rate > 100 else 0.0)
        rows = rows_of(frames)
        off = np.array([f.estimate.q[knee] for f in frames]) - whole.q[rows, knee]
        assert np.sqrt(np.mean(off[100:] ** 2)) < most * np.ptp(whole.q[:, knee])


def test_queues_do_not_grow(arrivals):
    """Neither over minutes, nor with a flood of samples of one moment, nor while a sensor is awaited."""
    one = arrivals(to_row=1000)
    for without in (None, 3):
        frames = FrameMaker(7, 0.01, shared_clock=False, patience=Patience())
        sizes = []
        for turn in range(7):
            if turn == 2:
                tracemalloc.start()
            for arrived, sample in one:
                if sample.sensor != without:
                    at = sample.time_s + 10 * turn
                    frames.take(dataclasses.replace(sample, time_s=at), arrived + 10 * turn)
                    while frames.next(arrived + 10 * turn):
                        pass
            if turn >= 2:
                sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        # What a queue of seven times two seconds holds may lie a little to either side.
        assert abs(sizes[-1] - sizes[1]) < 100_000
    for k in range(20_000):
        frames.take(Sample(0, 70.0 + 1e-5 * k, np.zeros(6)), 1070.0)
    assert len(frames._queues[0].samples) <= 8192
