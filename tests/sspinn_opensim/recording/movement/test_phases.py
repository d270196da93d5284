"""Phases of signals whose course is known: written here, and public recordings with belts and notes."""

import dataclasses
import itertools

import numpy as np
import pytest

from sspinn_opensim.recording import Recording, Sensor, read_recording
from sspinn_opensim.recording.movement.phases import phases, phases_of_signals
from sspinn_opensim.study import read_study

RATE_HZ, GRAVITY = 100.0, 9.81
SENSORS = ("pelvis", "femur_r", "femur_l", "tibia_r", "tibia_l", "calcn_r", "calcn_l")
#: Amplitude of the sagittal rate, rad/s, and phase in strides, in the order of `SENSORS`.
SWING, PHASE = (0.3, 1.5, 1.5, 4.0, 4.0, 5.0, 5.0), (0.0, 0.0, 0.5, 0.0, 0.5, 0.0, 0.5)
#: What a boundary may be off: activity is averaged over half a second, and a step is not a sharp edge.
BOUNDARY_S = 0.5
#: Cadence, as a part: the target against instrumented belts.
CADENCE = 0.005


def movement(pieces, seed=0, rate_hz=RATE_HZ):
    """Return time, force and rate of pieces (kind, seconds, strides a second), each sensor turned."""
    rng = np.random.default_rng(seed)
    force, rate, phase = [], [], 0.0
    for kind, duration_s, frequency_hz in pieces:
        n = round(duration_s * rate_hz)
        f, w = np.zeros((n, len(SENSORS), 3)), np.zeros((n, len(SENSORS), 3))
        f[..., 1] = GRAVITY
        strides = phase + np.arange(n) / rate_hz * frequency_hz
        phase = phase + n / rate_hz * frequency_hz
        if kind in ("walk", "run", "turn"):
            for sensor, (swing, shift) in enumerate(zip(SWING, PHASE, strict=True)):
                angle = 2 * np.pi * (strides + shift)
                w[:, sensor, 2] = swing * (np.cos(angle) + 0.5 * np.cos(2 * angle))
                f[:, sensor, 1] += 0.4 * swing * np.sin(2 * angle)
        if kind == "run":  # half of each step in the air: the pelvis feels nothing, then twice its weight
            f[:, 0, 1] = np.where((2 * strides) % 1.0 < 0.5, 0.1, 2 * GRAVITY)
        if kind == "turn":
            w[..., 1] += np.pi / duration_s
        if kind == "fidget":
            w += 0.8 * np.cumsum(rng.normal(size=w.shape), axis=0) / np.sqrt(n)
        force.append(f), rate.append(w)
    force, rate = np.concatenate(force), np.concatenate(rate)
    for sensor in range(len(SENSORS)):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        turn *= np.sign(np.linalg.det(turn))
        force[:, sensor], rate[:, sensor] = force[:, sensor] @ turn.T, rate[:, sensor] @ turn.T
    noise = rng.normal(size=(2, *force.shape))
    return np.arange(len(force)) / rate_hz, force + 0.05 * noise[0], rate + 0.01 * noise[1]


def record(time_s, force, rate, names=SENSORS, known=None):
    known = np.ones((len(names), 3), bool) if known is None else known
    sensors = tuple(Sensor(name, name) for name in names)
    nothing = np.zeros((len(names), 3))
    return Recording("r", time_s, sensors, force, rate, known, known, nothing, nothing)


COURSE = [
    ("stand", 3, 0),
    ("walk", 12, 0.8),
    ("turn", 2, 0.8),
    ("walk", 6, 0.9),
    ("stand", 2, 0),
    ("run", 10, 1.35),
    ("stand", 3, 0),
]


def test_a_course_is_told_apart_piece_by_piece_and_without_a_gap():
    time_s, force, rate = movement(COURSE)
    found = phases(record(time_s, force, rate))
    expected = ["standing", "walking", "turning", "walking", "standing", "running", "standing"]
    assert [phase.kind for phase in found] == expected
    ends = np.cumsum([seconds for _, seconds, _ in COURSE])
    np.testing.assert_allclose([phase.to_s for phase in found], ends, atol=BOUNDARY_S)
    assert found[0].from_s == time_s[0] and found[-1].to_s == time_s[-1]
    for before, after in itertools.pairwise(found):
        assert after.from_s - before.to_s == pytest.approx(1 / RATE_HZ)
    cadences = [phase.cadence_steps_per_min for phase in found]
    assert [c is not None for c in cadences] == [k in ("walking", "running") for k in expected]
    np.testing.assert_allclose([c for c in cadences if c], [96.0, 108.0, 162.0], rtol=CADENCE)


@pytest.mark.parametrize("seed", range(5))
def test_it_does_not_matter_how_sensors_sit_nor_what_they_are_called(seed):
    time_s, force, rate = movement(COURSE, seed)
    named = phases_of_signals(time_s, force, rate, trunk=[0])
    turned = phases(record(time_s, force, rate, [f"sensor{i}" for i in range(len(SENSORS))]))
    assert [phase.kind for phase in turned] == [phase.kind for phase in named]


@pytest.mark.parametrize("rate_hz", [50.0, 60.0, 240.0])
def test_any_sampling_rate(rate_hz):
    time_s, force, rate = movement(COURSE, rate_hz=rate_hz)
    found = phases(record(time_s, force, rate))
    assert [phase.kind for phase in found][:4] == ["standing", "walking", "turning", "walking"]
    assert found[1].cadence_steps_per_min == pytest.approx(96.0, rel=CADENCE)


def test_what_does_not_repeat_is_no_gait():
    found = phases(record(*movement([("stand", 3, 0), ("fidget", 6, 0), ("stand", 3, 0)])))
    assert [phase.kind for phase in found] == ["standing", "other", "standing"]


def test_one_slow_turn_of_the_head_or_a_curved_path_is_no_turning():
    time_s, force, rate = movement([("walk", 20, 0.9)])
    up = force[:, :1].mean(axis=0) / np.linalg.norm(force[:, :1].mean(axis=0))
    curved = rate + np.radians(8.0) * up
    assert [phase.kind for phase in phases_of_signals(time_s, force, curved, trunk=[0])] == ["walking"]


def leg(pieces, rate_hz=RATE_HZ):
    """Return time, force and rate of one foot: flat on the ground for 60 % of each stride, then swung."""
    strides = np.cumsum(
        [frequency / rate_hz for _, s, frequency in pieces for _ in range(round(s * rate_hz))]
    )
    walks = np.repeat([f > 0 for *_, f in pieces], [round(s * rate_hz) for _, s, _ in pieces])
    swing = (strides % 1.0 - 0.6) / 0.4
    rng = np.random.default_rng(0)
    rate = 0.01 * rng.normal(size=(len(strides), 1, 3))
    rate[:, 0, 2] += np.where(walks & (swing > 0), 5.0 * np.sin(2 * np.pi * swing), 0.0)
    force = np.array([0.0, GRAVITY, 0.0]) + 0.05 * rng.normal(size=rate.shape)
    return np.arange(len(strides)) / rate_hz, force, rate


@pytest.mark.parametrize("frequency_hz", [0.5, 0.75, 1.1])
def test_a_foot_alone_walks_although_it_rests_in_every_stance(frequency_hz):
    found = phases_of_signals(*leg([("stand", 3, 0), ("walk", 12, frequency_hz), ("stand", 3, 0)]))
    assert [phase.kind for phase in found if phase.duration_s > 1.0] == ["standing", "walking", "standing"]
    (walking,) = (phase for phase in found if phase.kind == "walking")
    assert walking.duration_s > 12 - 2 / frequency_hz
    assert walking.cadence_steps_per_min == pytest.approx(120 * frequency_hz, rel=CADENCE)


def test_steps_that_nobody_takes_are_counted_although_all_last_half_a_second(repository):
    """A clock that is far too fast: by its steps it is refused."""
    walk = read_recording(read_study(repository / "examples" / "demo.toml"))
    (found,) = phases(dataclasses.replace(walk, time_s=walk.time_s / 19.0))
    assert found.duration_s < 0.7
    assert found.kind == "running" and found.cadence_steps_per_min > 330


@pytest.mark.parametrize("pause_s", [1.0, 2.0])
def test_who_stops_for_a_moment_stands_meanwhile(pause_s):
    pieces = [("walk", 6, 0.8), ("stand", pause_s, 0), ("walk", 6, 0.8)]
    found = phases(record(*movement(pieces)))
    assert [phase.kind for phase in found] == ["walking", "standing", "walking"]


def test_channels_of_the_plane_alone_show_no_turn():
    time_s, force, rate = movement([("walk", 10, 0.9)])
    known = np.ones((len(SENSORS), 3), bool)
    known[:, 0] = False
    recording = record(time_s, force, rate, known=known)
    assert [phase.kind for phase in phases(recording)] == ["walking"]


def test_short_recordings_have_phases_too():
    time_s, force, rate = movement([("stand", 0.2, 0)])
    assert [phase.kind for phase in phases(record(time_s, force, rate))] == ["standing"]


def capsense(shared, name):
    file = np.load(shared / "data/capsense_walk" / f"{name}.npz", allow_pickle=True)
    names = [str(name) for name in file["segments"]]
    time_s = np.arange(len(file["t_imu"])) / 100.0
    up = {side: file["grf"][:, list(file["grf_cols"]).index(f"{side}Fy")] for side in "lr"}
    return record(time_s, file["acc"], file["gyr"], names), file["t_grf"], up


#: From belts, as published with the recordings' notes: steps a minute of the steady part.
BELTS = {
    "Sub01_CSBaseline": 91.8,
    "Sub01_CSStiffKnee": 96.8,
    "Sub02_CSBaseline": 90.6,
    "Sub03_CSBaseline": 88.3,
}


@pytest.mark.parametrize("name", BELTS)
def test_cadence_of_a_treadmill_as_its_belts_count_it(shared, name):
    recording, time_s, up = capsense(shared, name)
    walk = max(phases(recording), key=lambda phase: phase.duration_s)
    assert walk.kind == "walking"
    assert walk.cadence_steps_per_min == pytest.approx(BELTS[name], rel=CADENCE)
    for force in up.values():  # and as counted here, over what both have
        down = np.flatnonzero((force[1:] > 30) & (force[:-1] <= 30)) + 1
        strikes = time_s[down][np.concatenate([[True], np.diff(time_s[down]) > 0.5])]
        strikes = strikes[(strikes > walk.from_s + walk.stride_s) & (strikes < walk.to_s - walk.stride_s)]
        counted = 120 * (len(strikes) - 1) / (strikes[-1] - strikes[0])
        # Strikes lie within a stride of the ends: half of a stride's variation (4 %) over 40 strides.
        assert walk.cadence_steps_per_min == pytest.approx(counted, rel=CADENCE + 0.02 / len(strikes))


def xsens(file, separator):
    lines = [line for line in file.read_text(errors="replace").splitlines() if not line.startswith("//")]
    names = [name.strip() for name in lines[0].split(separator)]
    rows = [line.split(separator) for line in lines[1:] if line.strip()]
    columns = [names.index(f"{kind}_{axis}") for kind in ("Acc", "Gyr") for axis in "XYZ"]
    return np.array([[float(row[i]) for i in columns] for row in rows]).reshape(-1, 2, 3)


def overground(folder, separator):
    signals = np.stack([xsens(file, separator) for file in sorted(folder.glob("imu/*.txt"))], axis=1)
    names = [f"sensor{i}" for i in range(signals.shape[1])]
    return record(np.arange(len(signals)) / 100.0, signals[:, :, 0], signals[:, :, 1], names)


def test_a_walk_from_standing_to_standing(shared):
    found = phases(overground(shared / "data/kuopio2024_walk", "\t"))
    assert [phase.kind for phase in found] == ["standing", "walking", "standing"]
    assert found[1].from_s == pytest.approx(1.6, abs=BOUNDARY_S)
    # Noted as stopping from 8.5 s on: the trailing leg is still brought up then.
    assert 8.5 < found[1].to_s < 9.3
    assert found[1].cadence_steps_per_min == pytest.approx(60 / 0.44, rel=0.03)  # "a step of 0.44 s"


def alone(recording, *names):
    """Return what is said of some sensors of a recording."""
    kept = [i for i, sensor in enumerate(recording.sensors) if sensor.name in names]
    trunk = [j for j, name in enumerate(names) if name in ("pelvis", "torso")]
    return phases_of_signals(
        recording.time_s, recording.acceleration[:, kept], recording.angular_rate[:, kept], trunk=trunk
    )


def seconds(some, others, kinds):
    """Return how many seconds of gait fall into phases of other kinds."""
    gait = [phase for phase in some if phase.kind in ("walking", "running")]
    other = [phase for phase in others if phase.kind in kinds]
    return sum(max(min(a.to_s, b.to_s) - max(a.from_s, b.from_s), 0.0) for a in gait for b in other)


@pytest.mark.parametrize("name", [*BELTS, "Sub05_CSBaseline", "Sub08_CSBaseline", "kuopio", "gaittoolbox"])
def test_one_sensor_tells_gait_as_all_do(shared, name):
    if "_" in name:
        recording = capsense(shared, name)[0]
    else:
        folder = next((shared / "data").glob(f"{name}*_walk"))
        recording = overground(folder, {"kuopio": "\t", "gaittoolbox": ","}[name])
    whole = phases(recording)
    walked_s = seconds(whole, whole, ["walking"])
    for sensor in recording.sensors:
        found = alone(recording, sensor.name)
        assert {phase.kind for phase in found} <= {"standing", "walking", "turning", "other"}, sensor.name
        assert seconds(found, whole, ["walking"]) > 0.4 * walked_s, sensor.name
        assert seconds(found, whole, ["standing"]) < 0.6, sensor.name  # an edge of the walk


def test_walking_turning_and_walking_back(shared):
    found = phases(overground(shared / "data/gaittoolbox_walk", ","))
    kinds = [phase.kind for phase in found if phase.kind != "other"]
    assert kinds == ["standing", "walking", "turning", "walking", "standing"]
    by_kind = [phase for phase in found if phase.kind != "other"]
    noted = [(0, 11), (11, 14), (14, 16), (16, 20)]
    for phase, (from_s, to_s) in zip(by_kind, noted, strict=False):
        assert (phase.from_s, phase.to_s) == pytest.approx((from_s, to_s), abs=BOUNDARY_S)
    assert by_kind[-1].from_s < 22.0  # after some shuffling


@pytest.mark.parametrize(("frequency_hz", "kind"), [(1.3, "walking"), (1.42, "running")])
def test_strides_that_nobody_walks_are_running_although_the_trunk_is_never_light(frequency_hz, kind):
    (found,) = phases(record(*movement([("walk", 6.0, frequency_hz)])))
    assert found.kind == kind


def test_running_is_told_with_and_without_a_pelvis(dorschky2019):
    from sspinn_opensim.recording.formats.dorschky2019 import read_dorschky2019
    from sspinn_opensim.study import RecordingChoice, SensorChoice

    for name, kind in (("running", "running"), ("walking", "walking")):
        choice = RecordingChoice("dorschky2019", dorschky2019 / f"P01_norm{name}.mat")
        names = ("pelvis", "femur_r", "femur_l", "tibia_r", "tibia_l", "foot_r", "foot_l")
        recording = read_dorschky2019(choice, [SensorChoice(name) for name in names])
        (whole,) = phases(recording)
        assert whole.kind == kind
        assert whole.cadence_steps_per_min == pytest.approx(120 / recording.cycle_s, rel=CADENCE)
        legs = slice(1, None)
        kept = {
            field: getattr(recording, field)[legs]
            for field in ("acceleration_available", "angular_rate_available")
        } | {f"{kind}_variance": np.zeros((6, 3)) for kind in ("acceleration", "angular_rate")}
        legs_alone = dataclasses.replace(
            recording,
            sensors=recording.sensors[legs],
            acceleration=recording.acceleration[:, legs],
            angular_rate=recording.angular_rate[:, legs],
            **kept,
        )
        assert [phase.kind for phase in phases(legs_alone)] == [kind]


def test_signals_that_are_put_on_other_bodies_are_looked_at_once(monkeypatch):
    looked = []
    monkeypatch.setitem(
        phases.__globals__,
        "phases_of_signals",
        lambda *given, **more: looked.append(given) or phases_of_signals(*given, **more),
    )
    one = record(*movement(COURSE[:2]))
    moved = [dataclasses.replace(sensor, position=(0.0, 0.1, 0.0)) for sensor in one.sensors]
    found = phases(one)
    assert phases(dataclasses.replace(one, sensors=tuple(moved))) == found and len(looked) == 1
    # What stands for the pelvis is another sensor now.
    swapped = (dataclasses.replace(one.sensors[0], name="hand", body="hand"), *one.sensors[1:])
    phases(dataclasses.replace(one, sensors=swapped))
    assert len(looked) == 2
