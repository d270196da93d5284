import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import RecordingChoice
from sspinn_opensim.recording.clocks.common import on_one_clock
from sspinn_opensim.recording.streams import Stream

FILE = Path("imu.txt")
#: A cubic spline through samples 1/100 s apart of a movement of up to 3 Hz is off by 5/384 (2 pi 3 / 100)^4,
#: 2e-5 of its amplitude at most; at the ends of a recording ten times that.
SPLINE = 3e-4
#: Samples that were not moved differ from the movement by the rounding of their times alone: at 9000 s by
#: 1e-12, times rates of 30 a second.
ROUNDING = 1e-10


def movement(time_s):
    """Return signals (n, 3) of a person in motion, known at any time."""
    phases = np.array([0.0, 1.0, 2.0])
    return sum(
        amplitude * np.sin(2 * np.pi * hz * time_s[:, None] + phases)
        for hz, amplitude in ((0.9, 2.0), (1.8, 1.0), (3.0, 0.5))
    )


def stream(name="a", time_s=None, true_s=None, **fields):
    """Return a stream whose samples were truly taken at `true_s` (default: when its stamps say)."""
    at = np.asarray(time_s if true_s is None else true_s, dtype=float)
    signals = {"acceleration": movement(at) + np.array([0.0, 9.81, 0.0]), "angular_rate": movement(at + 0.1)}
    return Stream(name, FILE, time_s=time_s, **(signals | fields))


def joined(*streams, segments=(), **choice):
    return on_one_clock(streams, RecordingChoice("any", FILE, **choice), segments)


LEG = (("pelvis", ""), ("shank", "right"))


def clock_of(common, name="a"):
    return next(sensor for sensor in common.clocks.sensors if sensor.sensor == name)


def error(common, k=0):
    """Return how far the angular rate of a sensor is from the movement, where it is usable."""
    return np.abs(common.angular_rate[:, k] - movement(common.time_s + 0.1))[common.usable].max()


@pytest.mark.parametrize(
    "clock",
    [
        {"time_s": np.arange(500) / 100},
        {"time_s": 7.25 + np.arange(500) / 128},
        {"counter": 51400 + np.arange(500), "rate_hz": 100.0},
        {"rate_hz": 60.0},
    ],
)
def test_an_even_clock_hands_samples_on_bit_for_bit(clock):
    given = stream(true_s=np.arange(500) / 100, **clock)
    common = joined(given, stream("b", true_s=np.arange(500) / 100, **clock))
    for k in range(2):
        np.testing.assert_array_equal(common.acceleration[:, k], given.acceleration)
        np.testing.assert_array_equal(common.angular_rate[:, k], given.angular_rate)
    assert common.usable.all() and common.notes == () and common.clocks.left_out_s == ()
    assert common.clocks.common_from == "one clock" and not clock_of(common).interpolated
    expected = clock["time_s"] if "time_s" in clock else np.arange(500) / clock["rate_hz"]
    np.testing.assert_allclose(common.time_s, expected, atol=1e-12)


def test_the_rate_is_asked_for_where_nothing_states_it():
    without = stream(true_s=np.arange(972) / 100, counter=4097 + np.arange(972))
    with pytest.raises(InputError, match="does not say its sampling rate") as caught:
        joined(without)
    assert "recorded_rate_hz" in caught.value.fix
    common = joined(without, recorded_rate_hz=100.0)
    assert len(common.time_s) == 972 and common.clocks.rate_hz == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("clock", "recorded", "what"),
    [
        ({"rate_hz": 100.0}, 60.0, "not that of the recording"),
        ({"time_s": np.arange(300) / 100}, 40.0, "not that of the recording"),
        ({"time_s": np.arange(300) / 60, "rate_hz": 100.0}, None, "contradicts itself"),
    ],
)
def test_rates_that_no_drift_explains_are_refused(clock, recorded, what):
    with pytest.raises(InputError, match=what):
        joined(stream(true_s=np.arange(300) / 100, **clock), recorded_rate_hz=recorded)


def test_advice_on_a_file_that_contradicts_itself_works():
    """A file that claims 100 Hz and stamps 60 Hz is read by its stamps once the study agrees with them."""
    given = stream(time_s=np.arange(300) / 60, rate_hz=100.0)
    with pytest.raises(InputError) as caught:
        joined(given)
    assert "recorded_rate_hz = 60 " in caught.value.fix
    assert joined(given, recorded_rate_hz=60.0).clocks.rate_hz == pytest.approx(60.0)


def test_a_nominal_rate_gives_way_to_the_clock():
    """x-IMU3 runs at 398 Hz where 400 is set."""
    common = joined(stream(time_s=np.arange(800) / 398.0, rate_hz=400.0))
    assert common.clocks.rate_hz == pytest.approx(398.0) and error(common) < ROUNDING


def test_lost_packets_are_filled_where_they_are_few():
    number = np.delete(np.arange(1000), [50, 51, 52, 53, 54, 300, 700, 701])
    common = joined(stream(true_s=number / 100, counter=(4097 + number), rate_hz=100.0))
    assert len(common.time_s) == 1000 and common.usable.all()
    # A gap of 60 ms is 18 % of a period of 3 Hz: 5/384 (2 pi 3 0.06)^4 of its amplitude 0.5 is 0.011.
    assert error(common) < 0.011
    kept = np.isin(np.arange(1000), number)
    np.testing.assert_array_equal(common.angular_rate[kept, 0], movement(number / 100 + 0.1))
    assert (clock_of(common).lost, clock_of(common).filled) == (8, 8)
    assert "fills gaps of up to 50 ms, 8 samples" in common.notes[0]


def test_a_long_gap_is_left_out_and_said():
    number = np.delete(np.arange(1000), np.arange(400, 440))
    common = joined(
        stream(true_s=number / 100, time_s=number / 100), stream("b", time_s=np.arange(1000) / 100)
    )
    np.testing.assert_array_equal(np.flatnonzero(~common.usable), np.arange(400, 440))
    assert np.isfinite(common.acceleration).all() and error(common) < ROUNDING and error(common, 1) < ROUNDING
    assert common.clocks.left_out_s == ((pytest.approx(4.0), pytest.approx(4.39)),)
    assert any("4.00-4.39" in note for note in common.notes)


def test_an_empty_cell_is_a_gap_of_its_channel_alone():
    given = stream(time_s=np.arange(400) / 100)
    given.acceleration[100, 0] = np.nan
    common = joined(given)
    assert abs(common.acceleration[100, 0, 0] - movement(np.array([1.0]))[0, 0]) < 1e-3
    np.testing.assert_array_equal(common.acceleration[:, 0, 1:], given.acceleration[:, 1:])
    np.testing.assert_array_equal(common.angular_rate[:, 0], given.angular_rate)
    assert clock_of(common).filled == 1 and clock_of(common).lost == 0


def test_what_lies_before_the_first_complete_sample_is_not_usable():
    given = stream(time_s=np.arange(400) / 100)
    given.acceleration[0, 0] = np.nan
    assert np.flatnonzero(~joined(given).usable).tolist() == [0]


def test_a_channel_that_was_not_measured_is_not_available():
    given = stream(time_s=np.arange(400) / 100, acceleration=None)
    given.angular_rate[:, 1] = np.nan
    common = joined(given)
    assert not common.acceleration_available.any() and not common.acceleration.any()
    assert common.angular_rate_available.tolist() == [[True, False, True]] and common.usable.all()


def test_jitter_is_resampled_to_the_mean_clock():
    time_s = np.arange(600) / 100 + np.random.default_rng(0).uniform(-0.004, 0.004, 600)
    common = joined(stream(time_s=time_s))
    assert error(common) < 1e-3 and clock_of(common).interpolated
    assert common.clocks.rate_hz == pytest.approx(100.0, rel=2e-4) and "interpolated" in common.notes[0]


def test_jitter_of_stamps_is_none_of_samples_that_are_counted():
    """A receiver stamps late; the counter shows that the sensor sampled evenly."""
    late = np.arange(600) / 100 + np.random.default_rng(0).uniform(0.0, 0.03, 600)
    given = stream(true_s=np.arange(600) / 100, time_s=np.sort(late), counter=np.arange(600))
    common = joined(given)
    np.testing.assert_array_equal(common.angular_rate[:, 0], given.angular_rate)
    assert common.clocks.rate_hz == pytest.approx(100.0, rel=1e-3)


def test_jitter_and_a_gap_together():
    rng = np.random.default_rng(1)
    number = np.delete(np.arange(900), [200, 201, *range(500, 530)])
    time_s = number / 100 + rng.uniform(-0.002, 0.002, len(number))
    common = joined(stream(time_s=time_s))
    assert error(common) < 3e-3 and clock_of(common).lost == 32
    lost = common.time_s[~common.usable]
    assert 4.98 < lost[0] < 5.02 and 5.27 < lost[-1] < 5.31


def test_repeated_times_are_dropped():
    """As x-IMU3 writes: a row twice in place of the one after it."""
    number = np.arange(800)
    number[[100, 250, 600]] -= 1
    common = joined(stream(time_s=number / 400.0))
    assert error(common) < SPLINE and clock_of(common).repeated == 3 and clock_of(common).filled == 3


def test_whole_seconds_are_no_clock_but_a_stated_rate_is():
    coarse = stream(true_s=np.arange(600) / 50, time_s=np.floor(np.arange(600) / 50))
    with pytest.raises(InputError, match="same time"):
        joined(coarse)
    common = joined(coarse, recorded_rate_hz=50.0)
    assert error(common) < ROUNDING and "too coarse" in common.notes[0]
    with pytest.raises(InputError, match="same time"):
        joined(coarse, recorded_rate_hz=100.0)


@pytest.mark.parametrize(
    ("scale", "advice"), [(100.0, "counter"), (1000.0, "milliseconds"), (1e6, "microseconds")]
)
def test_time_in_other_units_is_named(scale, advice):
    with pytest.raises(InputError, match="not in seconds") as caught:
        joined(stream(time_s=np.round(np.arange(300) / 100 * scale)))
    assert advice in caught.value.fix


def test_time_and_counter_do_not_run_backwards():
    time_s = np.arange(100) / 100
    time_s[50:] -= 0.2
    with pytest.raises(InputError, match="does not increase") as caught:
        joined(stream(time_s=time_s, lines=range(13, 113)))
    assert "line 63" in caught.value.where
    counter = np.concatenate([np.arange(50), np.arange(50)])
    with pytest.raises(InputError, match="backwards") as caught:
        joined(stream(true_s=time_s, counter=counter, rate_hz=100.0))
    assert "sample 51 of 'a'" in caught.value.where


def test_counters_of_one_origin_set_the_common_start():
    late, early = np.arange(30, 1000), np.arange(0, 980)
    a = stream("a", true_s=late / 100, counter=65530 + late, rate_hz=100.0)
    b = stream("b", true_s=early / 100, counter=65530 - 65536 + early, rate_hz=100.0)
    common = joined(a, b)
    np.testing.assert_array_equal(common.angular_rate[:, 0], a.angular_rate[:950])
    np.testing.assert_array_equal(common.angular_rate[:, 1], b.angular_rate[30:])
    assert common.clocks.common_from == "counter" and clock_of(common).offset_s == pytest.approx(0.3)
    assert any("'a' starts 0.3 s after" in note for note in common.notes)
    assert any("'b' ends 0.2 s before" in note for note in common.notes)


def test_stamps_of_one_origin_place_sensors_between_samples():
    """Two sensors that sample at other moments, stamped since 1970: one is kept, the other moved."""
    epoch = 1.6e9
    a = stream("a", time_s=epoch + np.arange(600) / 100, true_s=np.arange(600) / 100)
    b = stream("b", time_s=epoch + 0.043 + np.arange(600) / 100, true_s=0.043 + np.arange(600) / 100)
    common = joined(a, b)
    assert common.time_s[0] == 0 and common.clocks.common_from == "time"
    # Common time 0 is the first sample of a after the start of b; a date is known to 0.2 microseconds.
    true_s = common.time_s + 0.05
    assert np.abs(common.angular_rate[:, 0] - movement(true_s + 0.1)).max() < 1e-5
    assert np.abs(common.angular_rate[:, 1] - movement(true_s + 0.1)).max() < SPLINE


def test_drift_between_stamped_clocks_is_stretched_away():
    """A sensor that samples at 100.05 Hz by a shared clock: after 60 s it would be three samples off."""
    a = stream("a", time_s=np.arange(6000) / 100)
    b = stream("b", time_s=np.arange(6003) / 100.05)
    common = joined(a, b, recorded_rate_hz=100.0)
    assert error(common, 0) < SPLINE and error(common, 1) < SPLINE
    assert any("100 to 100.05 Hz" in note for note in common.notes)


def test_clocks_that_agree_to_all_digits_that_are_told_are_no_note():
    a = stream("a", time_s=np.arange(600) / 100)
    b = stream("b", time_s=np.arange(600) / 100.0003)
    assert not any("Hz" in note for note in joined(a, b).notes)


def test_files_that_share_nothing_start_together():
    a = stream("a", time_s=np.arange(500) / 100)
    b = stream("b", time_s=9000.0 + np.arange(510) / 100, true_s=np.arange(510) / 100)
    common = joined(a, b)
    assert common.clocks.common_from == "start" and len(common.time_s) == 500
    assert error(common, 1) < ROUNDING and any("share no clock" in note for note in common.notes)


def test_a_slower_sensor_is_brought_to_the_rate_of_the_others():
    common = joined(stream("a", time_s=np.arange(600) / 100), stream("b", time_s=np.arange(360) / 60))
    assert common.clocks.rate_hz == pytest.approx(100.0)
    # At 60 Hz a spline is off by (100 / 60)^4 = 8 times as much.
    assert error(common, 0) < ROUNDING and error(common, 1) < 8 * SPLINE


def test_a_sensor_that_misses_most_is_refused():
    number = np.sort(np.random.default_rng(0).choice(1000, 400, replace=False))
    with pytest.raises(InputError, match="Most samples of the sensor 'a' are missing"):
        joined(stream(true_s=number / 100, counter=number, rate_hz=100.0))


def test_a_jump_to_another_day_is_refused_where_it_is():
    """And before a clock of a day is made."""
    time_s = np.arange(100) / 100
    time_s[60:] += 86400.0
    with pytest.raises(InputError, match="Most samples of the sensor 'a' are missing") as caught:
        joined(stream(time_s=time_s, true_s=np.arange(100) / 100))
    assert "sample 61" in caught.value.where
    with pytest.raises(InputError, match="Most samples") as caught:
        joined(stream(true_s=np.arange(3) / 100, counter=np.array([0, 1, 10**15]), rate_hz=100.0))


def test_any_clock_is_read_or_refused():
    """Clocks made wrong in a thousand ways: a uniform clock and finite signals, or one clear error."""
    rng = np.random.default_rng(0)
    read = 0
    for _ in range(1000):
        n = int(rng.choice([1, 2, 3, 50, 300]))
        streams = []
        for name in "ab"[: rng.integers(1, 3)]:
            time_s, fields = np.arange(n) / rng.choice([25.0, 100.0, 1000.0]), {}
            counter = np.arange(n) + int(rng.choice([0, 65530, 10**9]))
            for _ in range(rng.integers(0, 3)):
                at = rng.integers(0, n)
                time_s[at] = rng.choice([np.nan, np.inf, -1.0, 0.0, 1e9, time_s[at] + 0.004, time_s[at] + 3])
                counter[at:] += rng.integers(-2, 60)
                time_s[at:] += rng.choice([0.0, 0.0, 0.05, 2.0, 1e7])
            if rng.random() < 0.7:
                fields["time_s"] = np.round(time_s, int(rng.integers(0, 7)))
            if rng.random() < 0.4:
                fields["counter"] = counter
            if rng.random() < 0.5:
                fields["rate_hz"] = float(rng.choice([25.0, 99.0, 100.0]))
            made = stream(name, true_s=np.arange(n) / 100, **fields)
            made.acceleration[rng.integers(0, n, rng.integers(0, n + 1) // 3)] = rng.choice([np.nan, np.inf])
            streams.append(made)
        recorded_rate_hz = float(rng.choice([25, 100])) if rng.random() < 0.3 else None
        try:
            common = joined(*streams, recorded_rate_hz=recorded_rate_hz)
        except InputError:
            continue
        read += 1
        assert np.isfinite(common.acceleration).all() and np.isfinite(common.angular_rate).all()
        steps = np.diff(common.time_s)
        assert len(steps) and steps.min() > 0 and np.ptp(steps) < 1e-6 and common.usable.any()
    assert 100 < read < 900  # neither all refused nor all taken


def test_an_hour_of_eight_sensors_is_joined():
    """100 Hz, one lost packet in a thousand: 138 MB of signals."""
    number = np.delete(np.arange(360_000), np.arange(500, 360_000, 1000))
    signal = movement(number / 100)
    streams = [Stream(f"s{k}", FILE, signal, signal, counter=number, rate_hz=100.0) for k in range(8)]
    common = joined(*streams)
    assert common.usable.all() and len(common.time_s) == 360_000


def steps(duration_s, seed=0):
    """Return times and strengths of impacts of someone who walks: no stride is as long as another."""
    rng = np.random.default_rng(seed)
    times = 2.0 + np.cumsum(rng.normal(0.55, 0.025, round(duration_s / 0.5)))
    return times[times < duration_s - 2.0], rng.uniform(0.6, 1.4, len(times))


def walker(name, true_s, *, gain=1.0, seed=1, **clock):
    """Return a stream of one sensor that feels every impact, with a movement and noise of its own."""
    duration_s = float(true_s[-1]) + 3.0
    force = np.array([0.0, 9.81, 0.0]) + 2.0 * movement(true_s + seed)
    for time, strength in zip(*steps(duration_s), strict=False):
        near = np.abs(true_s - time) < 0.15
        since = true_s[near] - time
        force[near, 1] += gain * strength * 12 * np.exp(-((since / 0.02) ** 2)) * np.cos(40 * np.pi * since)
    force += np.random.default_rng(seed).normal(0, 0.1, force.shape)
    return Stream(name, Path(f"{name}.txt"), force, movement(true_s + seed), **clock)


def test_one_that_ends_early_leaves_the_others_their_clock():
    time_s = 1000.0 + np.arange(6000) / 100
    whole, late = stream("whole", time_s), stream("late", time_s[200:] + 0.0)
    common = joined(whole, late, stream("short", time_s[:2800]))
    assert common.clocks.common_from == "time" and clock_of(common, "late").offset_s == pytest.approx(2.0)
    assert error(common, 1) < 1e-6


@pytest.mark.parametrize("late_s", [0.3537, -1.2082])
def test_sensors_that_share_no_clock_are_set_by_what_they_feel(late_s):
    """Started by hand, one after the other; 30 s at 100 Hz."""
    a = walker("a", 3.0 + np.arange(3000) / 100, rate_hz=100.0)
    b = walker("b", 3.0 - late_s + np.arange(3000) / 100, gain=0.6, seed=5, rate_hz=100.0)
    common = joined(a, b, segments=LEG)
    offset = next(s.impact_offset for s in common.clocks.sensors if s.impact_offset)
    assert json.loads(json.dumps(dataclasses.asdict(common.clocks)))  # it is written as such
    sign = 1 if offset.sensor == "b" else -1
    # Two milliseconds: a fifth of a sample.
    assert sign * offset.offset_s == pytest.approx(late_s, abs=0.002) and offset.corrected
    first_s = 3.0 + max(0.0, -late_s)
    ahead = np.array([s.offset_s for s in common.clocks.sensors])
    assert ahead[1] - ahead[0] == pytest.approx(-late_s, abs=0.002)
    middle = slice(50, -50)
    true_s = first_s + common.time_s
    # 2 ms of a movement whose rate changes by up to 30 rad/s^2.
    assert np.abs(common.angular_rate[:, 0] - movement(true_s + 1))[middle].max() < 0.06 + 0.3
    assert any("corrected" in note for note in common.notes)


def test_drift_of_clocks_that_share_nothing_is_felt():
    """120 millionths: at the end of five minutes 36 ms."""
    a = walker("a", 3.0 + np.arange(30000) / 100, rate_hz=100.0)
    b = walker("b", 3.0 + np.arange(30000) / 100 * (1 - 120e-6), gain=0.6, seed=5, rate_hz=100.0)
    offset = next(s.impact_offset for s in joined(a, b, segments=LEG).clocks.sensors if s.impact_offset)
    sign = 1 if offset.sensor == "b" else -1
    assert sign * offset.drift_ppm == pytest.approx(120, abs=5) and offset.drift_deviation_ppm < 5
    assert offset.corrected


def test_stamps_are_not_moved_by_what_is_felt_but_doubted():
    a = walker("a", 3.0 + np.arange(3000) / 100, time_s=3.0 + np.arange(3000) / 100)
    wrong_s = 3.0 + np.arange(3000) / 100 + 1e-7
    b = walker("b", 2.6 + np.arange(3000) / 100, gain=0.6, seed=5, time_s=wrong_s)
    common = joined(a, b, segments=LEG)
    assert common.clocks.common_from == "time"
    assert [s.impact_offset.corrected for s in common.clocks.sensors if s.impact_offset] == [False]
    assert any("left as they are" in note for note in common.notes)
    np.testing.assert_array_equal(common.acceleration[:, 0], a.acceleration)


def test_steps_that_are_all_alike_tell_no_offset():
    """A machine's walk: a shift by a stride fits as well."""

    def marching(name, true_s, seed):
        force = np.array([0.0, 9.81, 0.0]) + np.random.default_rng(seed).normal(0, 0.1, (len(true_s), 3))
        since = (true_s + 0.25) % 0.5 - 0.25
        force[:, 1] += 12 * np.exp(-((since / 0.02) ** 2)) * np.cos(40 * np.pi * since)
        return Stream(name, Path(name), force, movement(true_s), rate_hz=100.0)

    a, b = marching("a", np.arange(3000) / 100, 1), marching("b", 0.2 + np.arange(3000) / 100, 2)
    common = joined(a, b, segments=LEG)
    assert not any(s.impact_offset for s in common.clocks.sensors)
    assert any("do not tell for sure when these started: 'a', 'b'" in note for note in common.notes)


@pytest.mark.parametrize(
    "segments", [(), (("shank", "left"), ("shank", "right")), (("hand", "left"), ("pelvis", ""))]
)
def test_legs_that_take_turns_are_not_compared(segments):
    a = walker("a", 3.0 + np.arange(3000) / 100, rate_hz=100.0)
    b = walker("b", 2.5 + np.arange(3000) / 100, gain=0.6, seed=5, rate_hz=100.0)
    assert not any(sensor.impact_offset for sensor in joined(a, b, segments=segments).clocks.sensors)
