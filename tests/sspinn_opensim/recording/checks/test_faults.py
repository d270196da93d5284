import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording import Phase, Recording, Sensor, check_placement, find_faults
from sspinn_opensim.recording.checks.units import refuse_implausible
from sspinn_opensim.recording.findings import KINDS, Finding, merged, refuse_serious, sentences, unaccepted
from sspinn_opensim.recording.provenance import Clocks, ImpactOffset, SensorClock


def walking(
    acceleration_factor=1.0, rate_factor=1.0, rest_force=9.81, channels=3, axes_known=True
) -> Recording:
    """Two seconds of rest, then eight of a swinging sensor."""
    time_s = np.arange(1000) / 100
    swing = np.where(time_s < 2, 0.0, np.sin(2 * np.pi * time_s))
    acceleration, rate = np.zeros((2, 1000, 1, 3))
    acceleration[:, 0, 1] = rest_force + 6.0 * swing
    acceleration[:, 0, 0] = 3.0 * swing
    acceleration[:, 0, 2] = 0.5 * swing
    rate[:, 0] = 3.0 * swing[:, None]
    known = np.arange(3)[None] < channels
    return Recording(
        *("walk", time_s, (Sensor("s", "b", axes_known=axes_known),)),
        *(acceleration * acceleration_factor * known, rate * rate_factor),
        *(known, np.ones((1, 3), dtype=bool), np.zeros((1, 3)), np.zeros((1, 3))),
    )


def changed(recording: Recording, **changes) -> Recording:
    return dataclasses.replace(recording, **changes)


@pytest.mark.parametrize("channels", [3, 2])
@pytest.mark.parametrize("axes_known", [True, False])
def test_a_plausible_recording_has_no_fault(channels, axes_known):
    recording = walking(channels=channels, axes_known=axes_known)
    refuse_implausible(recording, "walk.csv")
    assert find_faults(recording) == ()


@pytest.mark.parametrize(
    ("changes", "unit", "where", "fix"),
    [
        ({"acceleration_factor": 1 / 9.81}, "m/s^2", "acceleration_unit", 'acceleration_unit = "g"'),
        ({"acceleration_factor": 9.81}, "g", "acceleration_unit", 'acceleration_unit = "m/s^2"'),
        ({"acceleration_factor": 1 / 9.81, "channels": 2}, "m/s^2", "acceleration_unit", '= "g"'),
        ({"acceleration_factor": 1000 / 9.81}, "m/s^2", "acceleration_unit", 'acceleration_unit = "mg"'),
        ({"acceleration_factor": 1000.0}, "g", "acceleration_unit", 'acceleration_unit = "mg"'),
        ({"acceleration_factor": 1e5}, "m/s^2", "acceleration_unit", "neither m/s^2 nor g fits"),
        ({"rate_factor": 180 / np.pi}, "m/s^2", "angular_rate_unit", '"deg/s"'),
    ],
)
def test_a_wrong_unit_is_refused_and_the_way_out_is_one(changes, unit, where, fix):
    recording = walking(**changes)
    with pytest.raises(InputError) as caught:
        refuse_implausible(recording, "walk.csv", unit)
    assert "walk.csv" in caught.value.where and where in caught.value.where and fix in caught.value.fix
    kind = "acceleration_unit" if "acceleration" in where else "angular_rate_unit"
    (finding,) = (f for f in find_faults(recording) if f.kind.endswith("_unit"))
    assert finding.kind == kind and finding.is_serious


@pytest.mark.parametrize(("stated", "factor"), [("g", 9.80665), ("mg", 9.80665e-3)])
def test_what_was_in_m_s2_and_taken_for_another_unit_is_told(stated, factor):
    (finding,) = (f for f in find_faults(walking(factor)) if f.is_serious)
    assert finding.advice == f'acceleration_unit = "m/s^2": they were taken as {stated}'


@pytest.mark.parametrize("unit", ["m/s^2", "g"])
def test_acceleration_without_gravity_is_sent_round_in_no_circle(unit):
    recording = walking()
    free = recording.acceleration - np.array([0.0, 9.81, 0.0])
    recording = changed(recording, acceleration=0.3 * free)
    with pytest.raises(InputError) as caught:
        refuse_implausible(recording, "walk.csv", unit)
    assert "with gravity" in caught.value.fix and "unit =" not in caught.value.fix
    (finding,) = (f for f in find_faults(recording) if f.kind == "free_acceleration")
    assert finding.is_serious and "with gravity" in finding.advice


@pytest.mark.parametrize("axes", [[0, 2, 1], [2, 0, 1]])
@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_two_axes_across_gravity_are_told_as_axes_and_not_as_a_unit(axes, factor):
    lying = walking(factor, channels=2)
    across = factor * walking().acceleration[..., axes]
    recording = changed(lying, acceleration=across * (np.arange(3) < 2))
    with pytest.raises(InputError, match="no gravity along their two axes") as caught:
        refuse_implausible(recording, "walk.csv", "m/s^2")
    assert "unit" not in caught.value.fix and "up (y)" in caught.value.fix
    found = {f.key for f in find_faults(recording) if f.is_serious}
    assert "gravity_direction" in found and not any("unit" in key for key in found)


@pytest.mark.parametrize("axes", [[1, 0], [0, 1]])
def test_two_axes_that_hold_gravity_are_told_by_their_unit(axes):
    recording = walking(1 / 9.81, channels=2)
    turned = changed(recording, acceleration=recording.acceleration[..., [*axes, 2]] * [1.0, -1.0, 1.0])
    with pytest.raises(InputError, match="unit of the accelerations"):
        refuse_implausible(turned, "walk.csv", "m/s^2")


def test_a_rate_in_radians_called_degrees_is_told():
    (finding,) = find_faults(walking(rate_factor=np.pi / 180, axes_known=True))[:1]
    assert finding.kind == "angular_rate_unit" and "deg/s" in finding.advice and finding.is_serious


def test_a_trunk_in_degrees_called_radians_is_told_below_what_is_refused():
    recording = walking(rate_factor=180 / np.pi / 5)
    refuse_implausible(recording, "walk.csv")
    (finding,) = find_faults(recording)
    assert finding.key == "angular_rate_unit:s" and finding.is_serious


@pytest.mark.parametrize(
    ("signs", "kind", "degrees"),
    [((-1.0, -1.0, 1.0), "upside_down", 180), (None, "gravity_direction", 90)],
)
def test_a_sensor_whose_axes_are_stated_wrongly_is_told(signs, kind, degrees):
    recording = walking()
    turned = recording.acceleration * signs if signs else recording.acceleration[..., [1, 0, 2]]
    (finding,) = find_faults(changed(recording, acceleration=turned))
    assert finding.key == f"{kind}:s" and f"{degrees} degrees" in finding.evidence and finding.is_serious
    unknown = (dataclasses.replace(recording.sensors[0], axes_known=False),)
    assert find_faults(changed(recording, acceleration=turned, sensors=unknown)) == ()


@pytest.mark.parametrize(("bias_deg_s", "severity"), [(3.0, None), (6.0, "doubt")])
def test_a_gyroscope_that_turns_at_rest_is_told(bias_deg_s, severity):
    recording = walking()
    rate = recording.angular_rate + np.radians([0.0, bias_deg_s, 0.0])
    found = find_faults(changed(recording, angular_rate=rate))
    assert [(f.kind, f.severity) for f in found] == ([("gyroscope_bias", severity)] if severity else [])


@pytest.mark.parametrize(
    ("offset_s", "corrected", "kinds"), [(0.3, False, ["time_offset"]), (0.3, True, []), (0.05, False, [])]
)
def test_a_clock_that_what_is_felt_contradicts_is_told(offset_s, corrected, kinds):
    found = ImpactOffset("s", "t", offset_s, 0.02, corrected=corrected)
    clocks = Clocks(100.0, "time", (SensorClock("s", 100.0, impact_offset=found), SensorClock("t", 100.0)))
    found = find_faults(changed(walking(), clocks=clocks))
    assert [f.kind for f in found] == kinds and all(f.is_serious for f in found)


def test_who_does_not_walk_or_stand_is_told():
    noise = np.random.default_rng(0).normal(size=(1000, 1, 3))
    stirred = changed(walking(axes_known=False), angular_rate=noise)
    assert {f.kind for f in find_faults(stirred)} == {"no_gait", "no_standing"}


@pytest.mark.parametrize(("kind", "words"), [("acceleration", "specific force"), ("angular_rate", "angular")])
def test_a_signal_that_no_sensor_has_is_serious(kind, words):
    recording = walking(axes_known=False)
    none = {kind: np.zeros((1000, 1, 3)), f"{kind}_available": np.zeros((1, 3), bool)}
    (finding,) = (f for f in find_faults(changed(recording, **none)) if f.kind == "missing_signal")
    assert finding.is_serious and words in finding.evidence
    two = {
        name: np.concatenate([getattr(recording, name)] * 2, axis=0 if "available" in name else 1)
        for name in ("acceleration", "angular_rate", "acceleration_available", "angular_rate_available")
    }
    two[f"{kind}_available"] = np.array([3 * [True], 3 * [False]])
    two[kind] = two[kind] * [[[1.0], [0.0]]]
    sensors = (*recording.sensors, Sensor("t", "c", axes_known=False))
    zero = {f"{name}_variance": np.zeros((2, 3)) for name in ("acceleration", "angular_rate")}
    (finding,) = (
        f
        for f in find_faults(changed(recording, sensors=sensors, **two, **zero))
        if f.kind == "missing_signal"
    )
    assert finding.key == "missing_signal:t" and finding.severity == "doubt"


def test_only_what_is_serious_and_not_accepted_stops():
    found = (
        Finding("doubt", "saturation", "flat.", sensor="a"),
        Finding("serious", "resting_magnitude", "12.", sensor="foot_l", advice="calibrate it"),
        Finding("serious", "duplicate", "as a.", sensor="b"),
    )
    assert [f.key for f in unaccepted(found, ())] == ["resting_magnitude:foot_l", "duplicate:b"]
    assert unaccepted(found, ("resting_magnitude:foot_l", "duplicate")) == ()
    assert unaccepted(found[1:2], ("resting_magnitude:foot_r",)) == found[1:2]
    with pytest.raises(InputError) as caught:
        refuse_serious(found, ("duplicate:b",), "study.toml")
    assert "12." in caught.value.found and "calibrate" not in caught.value.found.lower()
    assert (
        caught.value.fix.startswith("calibrate it; or")
        and 'accepted = ["resting_magnitude:foot_l"]' in caught.value.fix
    )
    refuse_serious(found[:1], (), "study.toml")
    assert set(found[1].to_json()) == {"key", "severity", "kind", "sensor", "evidence", "advice"}
    with pytest.raises(ValueError, match="no kind"):
        Finding("note", "rum", "")


def test_what_is_said_twice_is_said_once_and_at_its_worst():
    said = (
        Finding("note", "reading", "a."),
        Finding("note", "reading", "b."),
        Finding("doubt", "no_gait", "1."),
        Finding("serious", "no_gait", "2."),
        Finding("note", "no_gait", "3."),
        Finding("note", "reading", "a."),
    )
    assert [f.evidence for f in merged(said)] == ["a.", "b.", "2."]
    assert (
        str(Finding("doubt", "gaps", "It lost 3.", sensor="s", advice="look"))
        == "doubt: sensor 's': it lost 3. Look."
    )


def test_a_kind_of_finding_is_a_word():
    assert all(kind.isidentifier() and meaning for kind, meaning in KINDS.items())


@pytest.fixture
def model():
    chain = [("root", "ground", "pelvis"), ("hip_r", "pelvis", "femur_r"), ("knee_r", "femur_r", "tibia_r")]
    at = {"translation": (0.0, 0.0, 0.0)}
    joints = [
        SimpleNamespace(
            name=name, parent=SimpleNamespace(body=parent, **at), child=SimpleNamespace(body=child, **at)
        )
        for name, parent, child in chain
    ]
    return SimpleNamespace(
        name="legs",
        bodies=[SimpleNamespace(name=child, mass=1.0, mass_center=(0.0, -0.2, 0.0)) for _, _, child in chain],
        joints=joints,
        joint_of=lambda body: next(joint for joint in joints if joint.child.body == body),
        imu_frames=[SimpleNamespace(name="femur_r_imu", body="femur_r", position=(0.0, -0.2, 0.05))],
        contact_spheres=[],
    )


def test_a_placement_the_model_has_is_accepted(model):
    sensors = (
        Sensor("a", "femur_r"),
        Sensor("b", "pelvis", origin="hip_r"),
        Sensor("c", "no_body_needed", imu_frame="femur_r_imu"),
    )
    check_placement(sensors, model)


@pytest.mark.parametrize(
    ("sensor", "what", "fix"),
    [
        (Sensor("a", "femurr"), "no body 'femurr'", "femur_r"),
        (Sensor("a", "femur_r", origin="hip"), "no joint 'hip'", "hip_r"),
        (Sensor("a", "femur_r", imu_frame="femur_imu"), "no IMU frame 'femur_imu'", "femur_r_imu"),
        (Sensor("a", "tibia_r", origin="hip_r"), "does not touch", ""),
        (Sensor("a", "tibia_r", (0.0, -1.4, 0.0)), "1.2 m from everything on its body", "origin"),
    ],
)
def test_a_placement_the_model_lacks_is_refused(model, sensor, what, fix):
    with pytest.raises(InputError) as caught:
        check_placement((sensor,), model, "study.toml")
    assert what in caught.value.what and fix in caught.value.fix
    assert "study.toml, [sensors.a]" in caught.value.where


def test_a_sensor_that_feels_less_than_gravity_is_named():
    one = walking()
    three = changed(
        one,
        sensors=tuple(Sensor(name, "b") for name in "abc"),
        acceleration=np.concatenate([one.acceleration, 0.3 * one.acceleration, one.acceleration], axis=1),
        angular_rate=np.repeat(one.angular_rate, 3, axis=1),
        acceleration_available=np.ones((3, 3), bool),
        angular_rate_available=np.ones((3, 3), bool),
        acceleration_variance=np.zeros((3, 3)),
        angular_rate_variance=np.zeros((3, 3)),
    )
    assert [f.key for f in find_faults(three) if f.is_serious] == ["acceleration_unit:b"]


def test_how_sensors_lay_before_they_were_put_on_does_not_count():
    recording = walking()
    acceleration = recording.acceleration.copy()
    acceleration[:700] = [9.81, 0.0, 0.0]
    recording = changed(recording, acceleration=acceleration)
    doing = (Phase("standing", 0.0, 6.99), Phase("walking", 7.0, 9.99, 120.0))
    turned = ("gravity_direction", "upside_down")
    assert [f for f in find_faults(recording, doing) if f.kind in turned] == []
    assert [f for f in find_faults(recording, doing[:1]) if f.kind in turned]


@pytest.mark.parametrize(("cadence", "kinds"), [(300.0, set()), (382.0, {"rate"})])
def test_steps_that_nobody_takes_are_a_wrong_clock(cadence, kinds):
    found = find_faults(walking(), (Phase("running", 0.0, 10.0, cadence),))
    assert {f.kind for f in found if f.is_serious} == kinds


def test_a_sensor_that_lies_on_the_table_is_named():
    """Beside one that is worn, and only while somebody walks: at rest both lie still."""
    worn = walking()
    time_s = worn.time_s
    noise = np.random.default_rng(0).normal(scale=0.01, size=(2, len(time_s), 3))
    acceleration = np.stack([worn.acceleration[:, 0], [0.0, 9.81, 0.0] + noise[0]], axis=1)
    rate = np.stack([worn.angular_rate[:, 0], noise[1]], axis=1)
    both = changed(
        worn,
        sensors=(Sensor("s", "b"), Sensor("t", "c")),
        acceleration=acceleration,
        angular_rate=rate,
        acceleration_available=np.ones((2, 3), bool),
        angular_rate_available=np.ones((2, 3), bool),
        acceleration_variance=np.zeros((2, 3)),
        angular_rate_variance=np.zeros((2, 3)),
    )
    gait = (Phase("standing", 0.0, 2.0), Phase("walking", 2.0, 10.0, 120.0))
    assert [f.key for f in find_faults(both, gait) if f.kind == "frozen"] == ["frozen:t"]
    assert not [f for f in find_faults(both, gait[:1]) if f.kind == "frozen"]
    # One that falls off lies still for a part of it.
    fell = np.where(time_s[:, None] < 6.0, both.acceleration[:, 0], both.acceleration[:, 1])
    turned = np.where(time_s[:, None] < 6.0, rate[:, 0], rate[:, 1])
    late = changed(
        both,
        acceleration=np.stack([acceleration[:, 0], fell], axis=1),
        angular_rate=np.stack([rate[:, 0], turned], axis=1),
    )
    assert [f.key for f in find_faults(late, gait) if f.kind == "frozen"] == ["frozen:t"]


def test_a_gyroscope_that_hardly_turns_in_gait_is_named():
    worn = walking()
    both = changed(
        worn,
        sensors=(Sensor("s", "b"), Sensor("t", "c")),
        acceleration=np.repeat(worn.acceleration, 2, axis=1),
        angular_rate=worn.angular_rate * [[1.0], [np.pi / 180]] / 3.0,
        acceleration_available=np.ones((2, 3), bool),
        angular_rate_available=np.ones((2, 3), bool),
        acceleration_variance=np.zeros((2, 3)),
        angular_rate_variance=np.zeros((2, 3)),
    )
    gait = (Phase("standing", 0.0, 2.0), Phase("walking", 2.0, 10.0, 120.0))
    assert [f.key for f in find_faults(both, gait) if f.is_serious] == ["angular_rate_unit:t"]


@pytest.mark.parametrize(
    ("angle_deg", "others", "severity"),
    [(8.0, 2, None), (15.0, 2, "doubt"), (30.0, 2, "serious"), (30.0, 0, "doubt")],
)
@pytest.mark.parametrize("channels", [3, 2])
def test_a_sensor_that_slips_is_named(angle_deg, others, severity, channels):
    """Where all lean otherwise, the person walks otherwise."""
    worn, count = walking(channels=channels), 1 + others
    turn = np.eye(3)
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    turn[:2, :2] = [[cosine, -sine], [sine, cosine]]
    slipped = np.repeat(worn.acceleration, count, axis=1)
    slipped[600:, 0] = slipped[600:, 0] @ turn.T
    recording = changed(
        worn,
        sensors=tuple(Sensor(name, "b") for name in "str"[:count]),
        acceleration=slipped,
        angular_rate=np.repeat(worn.angular_rate, count, axis=1),
        acceleration_available=np.repeat(worn.acceleration_available, count, axis=0),
        angular_rate_available=np.ones((count, 3), bool),
        acceleration_variance=np.zeros((count, 3)),
        angular_rate_variance=np.zeros((count, 3)),
    )
    gait = (Phase("standing", 0.0, 2.0), Phase("walking", 2.0, 10.0, 120.0))
    found = {f.key: f.severity for f in find_faults(recording, gait) if f.kind == "slipped"}
    assert found == ({} if severity is None else {"slipped:s": severity})


def test_what_is_the_same_of_several_sensors_is_said_once():
    advice = "say how it sits under [sensors.{}] of a study"
    names = ("a", "Left Foot")
    alike = [
        Finding("serious", "alignment", "It is turned.", sensor=n, advice=advice.format(t))
        for n, t in zip(names, ("a", '"Left Foot"'), strict=True)
    ]
    other = Finding("doubt", "alignment", "It is turned.", sensor="c")
    assert sentences([*alike, other]) == [
        "serious: each of 'a', 'Left Foot': it is turned. Say how it sits under [sensors.NAME] of a study.",
        "doubt: sensor 'c': it is turned.",
    ]
