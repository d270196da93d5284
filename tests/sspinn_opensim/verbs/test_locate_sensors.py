"""`sspinn locate-sensors` on the built-in walk; the known motion stands in for a network's."""

import dataclasses
import json
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from sspinn_opensim import cli
from sspinn_opensim.opensim_io.scaling.scale import scale_by_height_and_mass
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.placement import search
from sspinn_opensim.placement.fit import Guess, Place
from sspinn_opensim.recording import Sensor, read_recording
from sspinn_opensim.recording.signals.rotations import rotation_from_angles
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.verbs import locate_sensors as locate

ORDER = (3, 5, 0, 6, 1, 4, 2)


@pytest.fixture(scope="module")
def study():
    return read_study(examples_folder() / "demo.toml")


@pytest.fixture(scope="module")
def scaled(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("scaled")
    with recorded(out, "scale", study=study):
        scale_by_height_and_mass(study.model.file, out / "subject.osim", study.person)
    return out


@pytest.fixture(scope="module")
def known(study, scaled):
    """Return the recording where its motion is known, and that motion with derivatives."""
    recording = read_recording(study)
    model = read_model(scaled / "subject.osim")
    table = read_storage(study.reference.kinematics)
    turns = {c.name for c in model.coordinates if c.motion == "rotational"}
    q = np.column_stack(
        [
            np.radians(table.column(name)) if table.in_degrees and name in turns else table.column(name)
            for name in model.coordinate_names
        ]
    )
    time = recording.time_s[(recording.time_s >= table.time_s[0]) & (recording.time_s <= table.time_s[-1])]
    spline = make_interp_spline(table.time_s, q, k=5)
    rows = np.isin(recording.time_s, time)
    part = dataclasses.replace(
        recording,
        time_s=time,
        acceleration=recording.acceleration[rows],
        angular_rate=recording.angular_rate[rows],
    )
    return part, tuple(spline(time, order) for order in range(3))


@pytest.fixture
def stand_in(known, monkeypatch):
    """Return a function that lets the workflow see a recording, moving as the known motion does."""
    _, motion = known

    def use(recording):
        monkeypatch.setattr("sspinn_opensim.verbs.prepared.read_recording", lambda study: recording)
        monkeypatch.setattr(locate, "load_estimator", lambda *arguments: None)
        monkeypatch.setattr(search, "frozen_motion", lambda *arguments: tuple(x[1:-1] for x in motion))

    return use


def reordered(recording, order, turn=1.0):
    """Return a recording whose sensor i holds the signals of sensor `order[i]`, turned."""
    order = list(order)
    turn = turn * np.eye(3)
    return dataclasses.replace(
        recording,
        acceleration=recording.acceleration[:, order] @ turn,
        angular_rate=recording.angular_rate[:, order] @ turn,
    )


def test_the_sensors_of_the_walk_sit_where_they_were_put(study, scaled, known, stand_in):
    stand_in(known[0])
    places = locate.locate_sensors(study, scaled)
    found = places.sensors
    moved = [np.linalg.norm((f.place.position - f.given.position)[:2]) for f in found]
    assert np.median(moved) < 0.02
    shown = str(places)
    assert "shift" in shown and "left as given" in shown
    report = json.loads((scaled / "sensor_places.json").read_text())["sensors"]
    frames = {frame.name: frame for frame in read_model(scaled / "sensor_places.osim").imu_frames}
    for f in found:
        entry, frame = report[f.sensor.name], frames[f"{f.sensor.name}_imu"]
        assert entry["segment"] == frame.body == f.body
        np.testing.assert_allclose(frame.position, entry["position_m"], atol=1e-12)
        turned = rotation_from_angles(tuple(np.radians(entry["orientation_deg"])))
        np.testing.assert_allclose(frame.rotation, turned, atol=1e-12)
        assert not entry["position_observable"]["z"] and entry["shift_m"][2] == 0
        low, high = np.array(entry["position_interval_95_m"])
        assert (low < entry["position_m"]).all() and (high > entry["position_m"]).all()
    picture = ElementTree.parse(scaled / "sensor_places.svg")
    texts = "".join(picture.getroot().itertext())
    assert all(f.sensor.name in texts for f in found)
    assert not [file for file in scaled.iterdir() if file.name.startswith(".")]


@pytest.mark.parametrize("turn", [np.eye(3), np.diag([-1.0, 1.0, -1.0])], ids=["as given", "turned about"])
def test_sensors_in_unknown_order_find_their_bodies(study, scaled, known, stand_in, turn, monkeypatch):
    monkeypatch.setattr(locate, "_write_model", lambda *arguments: None)
    stand_in(reordered(known[0], ORDER, turn))
    places = locate.locate_sensors(study, scaled, segments="unknown")
    found = places.sensors
    assert [f.body for f in found] == [known[0].sensors[i].name for i in ORDER]
    report = json.loads((scaled / "sensor_places.json").read_text())
    assert all(entry["segment_margin"] > 1.2 for entry in report["sensors"].values())
    assert any("pelvis, torso move as one" in note for note in report["notes"])


def test_the_order_is_searched_for_with_the_network_of_others(study, scaled, known, stand_in, monkeypatch):
    """A network that is right in one order alone, and sees some other motion in any other."""
    recording, motion = known
    monkeypatch.setattr(locate, "_write_model", lambda *arguments: None)
    stand_in(reordered(recording, ORDER))
    right = recording.angular_rate[..., 2]

    def seen(estimator, subject, signals):
        rates = signals.angular_rate.numpy()[:, -len(ORDER) :]
        wrong = np.mean([np.std(rates[:, i] - right[:, i]) > 1e-3 for i in range(len(ORDER))])
        q, u, udot = (x[1:-1] for x in motion)
        return q, u * (1 + wrong), udot * (1 + wrong)

    monkeypatch.setattr(search, "frozen_motion", seen)
    monkeypatch.setattr(locate, "load_member", lambda *arguments: None)
    places = locate.locate_sensors(study, scaled, segments="unknown", network=scaled)
    found = places.sensors
    assert [f.body for f in found] == [recording.sensors[i].name for i in ORDER]


def test_a_network_that_does_not_know_the_movement_is_an_error(study, scaled, known, stand_in, monkeypatch):
    stand_in(known[0])
    count = iter(range(10**6))

    def nonsense(estimator, subject, signals):
        random = np.random.default_rng(next(count))
        return tuple(random.normal(0, 1, x[1:-1].shape) for x in known[1])

    monkeypatch.setattr(search, "frozen_motion", nonsense)
    monkeypatch.setattr(search, "starting_orders", lambda *arguments: [tuple(range(7)), ORDER])
    monkeypatch.setattr(locate, "load_member", lambda *arguments: None)
    with pytest.raises(InputError, match="No order") as error:
        locate.locate_sensors(study, scaled, segments="unknown", network=scaled)
    assert "--network" in error.value.fix


def test_several_networks_give_their_mean_and_their_differences():
    guess = Guess(np.zeros(3), 0.2, np.eye(3))
    seen = np.array([True, True, False, True, True, True])
    covariance = np.diag([1e-4] * 2 + [0.04] + [1e-4] * 3)
    places = [
        Place(np.array([x, 0.1, 0.0]), np.eye(3), covariance, seen, np.zeros(3), np.zeros(3), 1.0, 0.1)
        for x in (0.1, 0.2, 0.3)
    ]
    place = search.combine(places, guess)
    np.testing.assert_allclose(place.position, [0.2, 0.1, 0.0])
    np.testing.assert_allclose(np.diag(place.covariance)[:3], [1e-4 + 0.01, 1e-4, 0.04])
    assert search.combine(places[:1], guess) is places[0]
    blind = dataclasses.replace(places[0], observable=np.zeros(6, bool), covariance=np.eye(6) * 0.04)
    assert not search.combine([places[0], blind], guess).observable.any()


def test_a_shift_of_one_sensor_is_a_doubt_about_all():
    """Trained with wrong places, the motion is bent, and no place is as sure as its own residuals say."""
    seen = np.array([True, True, False, True, True, True])
    nothing = np.zeros(3)
    found = [
        search.LocatedSensor(
            Sensor(name, "tibia_r"),
            "tibia_r",
            Place(np.array([x, 0.0, 0.0]), np.eye(3), 1e-6 * np.eye(6), seen, nothing, nothing, 1.0, 0.1),
            Guess(nothing, 0.2, np.eye(3)),
            np.eye(3),
        )
        for name, x in (("moved", 0.1), ("still", 0.0))
    ]
    doubt = search.TRAINING_PULL * 0.1 / 2
    for f in search.with_training_doubt(found):
        np.testing.assert_allclose(np.diag(f.place.covariance)[:3], [1e-6 + doubt**2] * 2 + [1e-6])
    unmoved = search.with_training_doubt(found[1:])
    np.testing.assert_array_equal(unmoved[0].place.covariance, found[1].place.covariance)


def test_a_model_that_opensim_reads_otherwise_is_our_own_error(study, scaled, known, stand_in, monkeypatch):
    """Nothing that a user could mend: it keeps its traceback, and no model is left."""
    stand_in(known[0])
    (scaled / "sensor_places.osim").unlink(missing_ok=True)
    monkeypatch.setattr(locate, "compare", lambda *arguments: {"imu_acceleration": 1e-3})
    with pytest.raises(RuntimeError, match=r"imu_acceleration differs by 0.001"):
        locate.locate_sensors(study, scaled)
    assert not (scaled / "sensor_places.osim").exists()


def test_without_a_network_or_a_model_it_says_what_to_run(study, scaled, tmp_path):
    with pytest.raises(InputError, match="no trained network") as error:
        locate.locate_sensors(study, scaled)
    assert "sspinn train" in error.value.fix
    with pytest.raises(InputError, match="earlier stage") as error:
        locate.locate_sensors(study, tmp_path)
    assert "sspinn scale" in error.value.fix


def test_a_short_recording_is_refused(study, scaled, known, stand_in):
    recording = known[0]
    rows = slice(0, 150)
    stand_in(
        dataclasses.replace(
            recording,
            time_s=recording.time_s[rows],
            acceleration=recording.acceleration[rows],
            angular_rate=recording.angular_rate[rows],
            usable=recording.usable[rows],
        )
    )
    with pytest.raises(InputError, match="too short"):
        locate.locate_sensors(study, scaled)


def test_the_command_reaches_the_workflow(scaled, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("sspinn_opensim.verbs.inputs._networks", lambda *_, **__: {})
    monkeypatch.setattr(
        locate, "locate_sensors", lambda study, out, **settings: calls.append((out, settings))
    )
    arguments = ["locate-sensors", str(examples_folder() / "demo.toml"), "--out", str(scaled)]
    assert cli.main(arguments) == 0
    assert cli.main([*arguments, "--segments", "unknown", "--network", str(tmp_path)]) == 0
    assert [settings for _, settings in calls] == [
        {"segments": "given", "network": None},
        {"segments": "unknown", "network": tmp_path},
    ]
    assert calls[0][0] == scaled
