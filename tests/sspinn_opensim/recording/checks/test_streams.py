"""Streams as files hold them: each planted defect is found, and a clean stream has none."""

from pathlib import Path

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.checks.streams import check_channels, check_streams, refuse_impossible
from sspinn_opensim.recording.streams import Stream

N = 1000


def stream(seed=0, **changes) -> Stream:
    random = np.random.default_rng(seed)
    swing = np.sin(2 * np.pi * np.arange(N) / 100)[:, None]
    made = {
        "acceleration": np.array([0.0, 9.81, 0.0]) + 12.0 * swing + 0.05 * random.normal(size=(N, 3)),
        "angular_rate": 5.0 * swing + 0.01 * random.normal(size=(N, 3)),
        "time_s": np.arange(N) / 100,
        "rate_hz": 100.0,
    }
    return Stream("s", Path("s.txt"), **(made | changes))


def keys(*streams: Stream, rate_hz=None) -> list[tuple[str, str]]:
    named = {f"s{k}": s for k, s in enumerate(streams)}
    return [(f.key, f.severity) for f in check_streams(named, rate_hz)]


def test_times_in_whole_seconds_are_no_clock_of_one_hertz():
    """They are counted at the rate that the study states."""
    assert keys(stream(time_s=np.arange(N) // 100 + 0.0, rate_hz=None), rate_hz=100.0) == []


def test_clean_streams_have_no_fault():
    assert keys(stream(), stream(1, time_s=None, counter=np.arange(7, N + 7))) == []
    # Two axes that were not measured are no gap, and rounding to milliseconds is no jitter.
    partial = stream().acceleration.copy()
    partial[:, 2] = np.nan
    rounded = np.round(np.arange(N) / 60.0, 3)
    assert keys(stream(acceleration=partial), stream(2, time_s=rounded, rate_hz=60.0)) == []


def test_a_rate_that_is_not_that_of_the_clock_is_serious():
    sixty = np.arange(N) / 60
    assert keys(stream(time_s=sixty)) == [("rate:s0", "serious")]
    assert keys(stream(time_s=sixty, rate_hz=None), rate_hz=100.0) == [("rate:s0", "serious")]
    assert keys(stream(time_s=sixty), rate_hz=60.0) == [("rate:s0", "doubt")]  # the study decides
    assert keys(stream(time_s=None), rate_hz=40.0) == [("rate:s0", "serious")]
    assert keys(stream(time_s=None), rate_hz=100.0) == []
    assert keys(stream(time_s=np.arange(N) / 30, rate_hz=None)) == [("rate:s0", "doubt")]


@pytest.mark.parametrize(("spread", "severity"), [(0.01, None), (0.15, "note"), (0.45, "doubt")])
def test_uneven_steps_are_told(spread, severity):
    jitter = spread / 100 * np.random.default_rng(3).uniform(-1, 1, size=N)
    expected = [("jitter:s0", severity)] if severity else []
    assert [k for k in keys(stream(time_s=np.arange(N) / 100 + jitter)) if "jitter" in k[0]] == expected


@pytest.mark.parametrize(
    ("lost", "severity"),
    [(slice(500, 502), "note"), (slice(500, 530), "doubt"), (slice(100, 400), "serious")],
)
def test_missing_samples_are_told_however_they_are_missing(lost, severity):
    left = np.delete(np.arange(N), np.arange(N)[lost])
    whole = stream()
    cut = {"acceleration": whole.acceleration[left], "angular_rate": whole.angular_rate[left]}
    by_counter = stream(**cut, time_s=None, counter=left)
    by_time = stream(**cut, time_s=left / 100)
    blank = {name: getattr(whole, name).copy() for name in ("acceleration", "angular_rate")}
    for signal in blank.values():
        signal[lost] = np.nan
    for made in (by_counter, by_time, stream(acceleration=blank["acceleration"]), stream(**blank)):
        (finding,) = check_streams({"s0": made})  # empty cells are no sensor that stopped
        assert (finding.key, finding.severity) == ("gaps:s0", severity)
        assert finding.evidence.startswith(f"{N - len(left)} of {N} samples are missing")


@pytest.mark.parametrize("kind", ["acceleration", "angular_rate"])
def test_flat_tops_are_told(kind):
    bound = {"acceleration": 19.6, "angular_rate": 4.36}[kind]
    signal = getattr(stream(), kind)
    clipped = np.clip(signal * np.array([1.0, 1.6, 0.5]), -bound, bound)
    found = keys(stream(**{kind: clipped}))
    assert found and all(key == "saturation:s0" for key, _ in found)
    # The same shape far from the end of any range is a plateau of the movement, and one sample is a peak.
    assert keys(stream(**{kind: 0.2 * clipped})) == []


def test_dead_channels_are_told():
    dead = stream().angular_rate.copy()
    dead[:, 1] = 0.7
    assert keys(stream(angular_rate=dead)) == [("dead_channel:s0", "serious")]
    dead[:, 1] = 0.0
    assert keys(stream(angular_rate=dead)) == [("dead_channel:s0", "doubt")]
    dead[:, 1] = np.nan
    assert keys(stream(angular_rate=dead)) == []


@pytest.mark.filterwarnings("error")
def test_the_same_samples_under_two_names_are_told():
    assert keys(stream(), stream(5), stream()) == [("duplicate:s2", "serious")]
    assert check_channels({"a": (None, stream().angular_rate), "b": (stream().acceleration, None)}) == []


@pytest.mark.parametrize(
    ("rows", "severity", "said"),
    [
        (slice(300, None), "serious", "its samples are those of 's0'"),  # starts later
        (slice(None, -300), "serious", "its samples are those of 's0'"),  # ends earlier
        (slice(400, 600), "serious", "% of its samples, first from sample 1001 on, are those of 's0'"),
        (slice(400, 440), None, ""),  # too short to be told from chance
    ],
)
def test_samples_of_another_sensor_are_told_however_either_is_cut(rows, severity, said):
    one, other = stream(), stream(5)
    parts = ([] if "first" not in said and severity else [other]) + [one]
    cut = {
        kind: np.concatenate([getattr(part, kind)[rows if part is one else slice(None)] for part in parts])
        for kind in ("acceleration", "angular_rate")
    }
    time_s = np.arange(len(cut["acceleration"])) / 100
    found = check_streams({"s0": one, "s1": stream(**cut, time_s=time_s)})
    assert [f.severity for f in found if f.kind == "duplicate"] == ([severity] if severity else [])
    assert all(said in f.evidence for f in found)


def test_a_part_that_comes_twice_is_told():
    rows = np.r_[0:400, 100:400, 400:700]  # 3 s, pasted behind themselves; the clock goes on
    whole, short = stream(), np.r_[0:400, 380:400, 400:980]
    pasted = {"acceleration": whole.acceleration[rows], "angular_rate": whole.angular_rate[rows]}
    named = {"s": stream(**pasted)}
    (found,) = check_streams(named)
    assert (found.key, found.severity) == ("duplicate:s", "doubt")
    assert "3 s of its samples from sample 401 on are those of 3 s before" in found.evidence
    pasted = {"acceleration": whole.acceleration[short], "angular_rate": whole.angular_rate[short]}
    assert keys(stream(**pasted)) == []  # 0.2 s of one sensor may come twice by a radio that sends again


def test_a_number_that_no_sensor_measures_is_named_with_its_line():
    refuse_impossible([stream(), stream(acceleration=None)])
    damaged = stream().angular_rate.copy()
    damaged[7, 1] = -1e300
    with pytest.raises(InputError) as caught:
        refuse_impossible([stream(), stream(angular_rate=damaged, lines=range(5, N + 5))])
    assert "angular rate of sensor 's'" in caught.value.what
    assert caught.value.where == "s.txt, line 12, axis y" and "-1e+300" in caught.value.found


def frozen(first: int, last: int, value: float | None = None) -> Stream:
    """Return a stream whose rows stay as the first of a stretch, or at a value."""
    signals = {}
    for name in ("acceleration", "angular_rate"):
        signal = getattr(stream(), name).copy()
        signal[first:last] = signal[first] if value is None else value
        signals[name] = signal
    return stream(**signals)


@pytest.mark.parametrize(
    ("made", "severity"),
    [
        (frozen(320, 350), "doubt"),
        (frozen(320, 350, 0.0), "doubt"),
        (frozen(320, 900), "serious"),
        (frozen(320, 325), None),
    ],
)
def test_a_sensor_that_stops_while_it_moves_is_told(made, severity):
    assert [k for k in keys(made) if "frozen" in k[0]] == ([("frozen:s0", severity)] if severity else [])
    said = [f.evidence for f in check_streams({"s": made}) if f.kind == "frozen"]
    assert all("in the middle of a movement once, for up to" in evidence for evidence in said)


def test_a_sensor_at_rest_may_repeat_itself_and_held_samples_are_told():
    still = np.tile([0.0, 9.81, 0.0], (N, 1))
    still[::40, 0] = 0.01
    assert [k for k in keys(stream(acceleration=still, angular_rate=0 * still)) if "frozen" in k[0]] == []
    every = np.arange(N) // 3 * 3
    held = stream(acceleration=stream().acceleration[every], angular_rate=stream().angular_rate[every])
    (finding,) = (f for f in check_streams({"s": held}) if f.kind == "frozen")
    assert finding.severity == "doubt" and "33.33 Hz" in finding.evidence


def standing(first: int, last: int, seed: int = 4) -> Stream:
    """Return a stream of a foot that stands for a while, and then keeps its last row."""
    random = np.random.default_rng(5)
    signals = {name: getattr(stream(seed), name).copy() for name in ("acceleration", "angular_rate")}
    rest = {"acceleration": np.array([0.0, 9.81, 0.0]), "angular_rate": np.zeros(3)}
    for name, signal in signals.items():
        signal[first - 30 : last] = rest[name] + 0.01 * random.normal(size=(last - first + 30, 3))
        signal[first:last] = signal[first]
    return stream(**signals)


def test_a_sensor_that_stops_at_rest_is_told_by_those_that_go_on():
    frozen_at_rest, other = standing(300, 380), stream(1)
    assert [k for k in keys(frozen_at_rest) if "frozen" in k[0]] == []  # alone it may rest
    assert keys(frozen_at_rest, other) == [("frozen:s0", "serious")]
    assert keys(standing(300, 330), other) == [("frozen:s0", "doubt")]
    # Two that rest at once, and clocks of which nothing is known, say nothing of each other.
    assert keys(frozen_at_rest, standing(290, 380, seed=6)) == []
    assert keys(frozen_at_rest, stream(1, time_s=7.0 + np.arange(N) / 100)) == []


@pytest.mark.parametrize(("value", "rows"), [(-9999.0, 20), (32767.0, 1), (1e9, 1)])
def test_single_numbers_that_no_worn_sensor_gives_are_refused(value, rows):
    signal = stream().acceleration.copy()
    signal[40 : 40 + rows, 1] = value
    with pytest.raises(InputError, match="beyond what any sensor measures") as refused:
        refuse_impossible([stream(acceleration=signal)])
    assert "empty" in (refused.value.fix or "")
    refuse_impossible([stream(acceleration=500 * stream().acceleration)])  # a unit, which others tell


def test_rows_that_come_twice_are_no_uneven_steps():
    """A logger wrote one row in fifty again, at the same time."""
    rows = np.sort(np.append(np.arange(N), np.arange(10, N, 50)))
    whole = stream()
    again = stream(
        time_s=whole.time_s[rows],
        acceleration=whole.acceleration[rows],
        angular_rate=whole.angular_rate[rows],
    )
    assert not [key for key, _ in keys(again) if key.startswith("jitter")]
    late = stream(time_s=whole.time_s + 0.001 * (np.arange(N) % 2))
    assert ("jitter:s0", "note") in keys(late)
