"""Verdict on a training: what is beyond a level is named, by term and by sensor, and only that."""

import dataclasses
import json

import numpy as np
import pytest

from benchmarks.fit_levels import BAD, UNUSUAL, levels_of
from sspinn_opensim.estimation.verdict.fit import Fit, SensorFit
from sspinn_opensim.estimation.verdict.judgement import Level, judge, known_levels, measures, write_fit
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.read_back import read_fit

BODIES = ("pelvis", "tibia_r", "tibia_l", "foot_r", "foot_l")


def fit_of(intensity=5.0, terms=None, speed=1.0, knee_l=-20.0, planar=True, **sensors):
    """Return a fit with the same shares everywhere but for the named sensors."""
    usual = {"acceleration_share": 0.5, "angular_rate_share": 0.1, "turned_deg": 0.5, "delay_s": 0.001}
    found = []
    for body in BODIES:
        own = usual | sensors.get(body, {})
        misfit = 2 * own["acceleration_share"], 3 * own["angular_rate_share"]
        found.append(SensorFit(f"imu_{body}", body, *misfit, moved_m=0.001, **own))
    terms = {"contact_speed": 0.2, "root_residual": 0.1, "led_force": 99.0, "joint_limits": 0.0} | (
        terms or {}
    )
    angles = {"knee_angle_r": -20.0, "knee_angle_l": knee_l}
    return Fit(
        planar, 9, intensity, terms, tuple(found), {"knee_angle_r": 0.1, "knee_angle_l": 0.4}, angles, speed
    )


LEVELS = {measure.level: Level(measure.value, 0.0, 1.5, 2.0) for measure in measures(fit_of())}


def test_what_is_like_the_good_is_good():
    verdict = judge({0: fit_of()}, LEVELS)
    assert verdict.ok and not verdict.notes() and "as those of good recordings do" in str(verdict)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"terms": {"contact_speed": 0.5}}, "feet that carry load move over the floor: contact_speed 0.5"),
        ({"terms": {"joint_limits": 1.0}}, "most of all knee_angle_l"),
        ({"tibia_r": {"acceleration_share": 1.2}}, "sensor 'imu_tibia_r' on tibia_r: 2.4 m/s²"),
        ({"tibia_l": {"angular_rate_share": 0.3}}, "0.9 rad/s of its angular rate are not explained, 30 %"),
        ({"foot_l": {"turned_deg": 12.0}}, "sensor 'imu_foot_l' on foot_l: turned by 12.0 deg"),
        ({"foot_r": {"delay_s": -0.05}}, "sensor 'imu_foot_r' on foot_r: its signals come 50 ms early"),
        ({"speed": 0.6}, "60 % of the speed that the study states"),
    ],
)
def test_what_is_far_from_the_good_is_named(changes, says):
    verdict = judge({0: fit_of(**changes)}, LEVELS)
    assert not verdict.ok and any(says in text for text in verdict.failures), verdict
    assert "do not trust it" in str(verdict) and "what to do: train for as many" in str(verdict)
    assert all(text.startswith("fit: ") for text in verdict.notes()[: len(verdict.failures)])


def test_a_sensor_that_fits_worse_than_its_like_is_named_with_it():
    (text,) = [
        t for t in judge({0: fit_of(foot_r={"angular_rate_share": 0.25})}, LEVELS).failures if "other" in t
    ]
    assert text.startswith(
        "sensor 'imu_foot_r' on foot_r: its angular rate fits 2.5 times worse than that of 'imu_"
    )


def test_the_leg_to_look_at_is_named_where_a_sensor_of_it_is_bad():
    bad = judge({0: fit_of(tibia_l={"angular_rate_share": 0.5}, foot_l={"acceleration_share": 0.9})}, LEVELS)
    assert bad.failures[0] == "look first at the sensors of the left leg: most of what is off is there"
    hardly = fit_of(terms={"contact_speed": 2.0}, foot_l={"acceleration_share": 0.8})
    verdict = judge({0: hardly}, LEVELS)
    assert not verdict.ok and not any("look first" in text for text in verdict.failures)
    assert any("imu_foot_l" in text for text in verdict.warnings)


def test_an_uneven_person_is_told_and_not_bad():
    verdict = judge({0: fit_of(knee_l=-5.0)}, LEVELS)
    assert verdict.ok and "right and left differ by 15 deg" in verdict.warnings[0]
    assert "something unusual" in str(verdict)


def test_between_the_limits_it_is_unusual_and_the_farthest_comes_first():
    verdict = judge({0: fit_of(terms={"contact_speed": 0.35, "root_residual": 0.19})}, LEVELS)
    assert verdict.ok and [text.split(":")[0] for text in verdict.warnings] == [
        "the forces on the feet do not carry the motion",
        "feet that carry load move over the floor",
    ]


def test_what_is_hardly_beyond_a_level_is_not_told_as_one_time_it():
    levels = {"term.contact_speed": Level(0.066, 0.0, 1.5, 2.0)}
    (text,) = judge({0: fit_of(terms={"contact_speed": 0.1})}, levels).warnings
    assert text.endswith("(just above the most that is usual)")


def test_several_seeds_are_told_apart_and_a_short_recording_has_no_verdict():
    verdict = judge({3: fit_of(), 4: fit_of(speed=0.5)}, LEVELS)
    assert not verdict.ok and verdict.failures[0].startswith("seed 4: speed")
    assert judge({0: None}, LEVELS).warnings == ("the recording is too short for a verdict",)


def test_a_level_grows_with_how_violently_the_sensors_move():
    levels = {"term.contact_speed": Level(0.1, 1.0, 1.5, 2.0)}
    assert judge({0: fit_of(20.0, {"contact_speed": 2.9})}, levels).ok
    assert not judge({0: fit_of(10.0, {"contact_speed": 2.9})}, levels).ok


def test_what_good_recordings_exceed_is_as_rare_as_said():
    """Levels from five good recordings, held against another: unusual and bad as often as stated."""
    random, counts, tries = np.random.default_rng(0), np.zeros(2), 3000
    for _ in range(tries):
        # Far wider than the least deviation, which would only make findings rarer.
        terms = 500.0 * np.exp(1.5 * random.standard_normal(6))
        *known, new = (fit_of(terms={"contact_speed": value}) for value in terms)
        level = levels_of(known)["plane"]["term.contact_speed"]
        times = new.terms["contact_speed"] / level.expected(5.0)
        counts += times > level.unusual, times > level.bad
    # Binomial counts of 60 and 6 have deviations of 8 and 2.4: within three of them.
    assert 0.6 * UNUSUAL < counts[0] / tries < 1.4 * UNUSUAL
    assert counts[1] / tries < 2.3 * BAD


def test_a_power_of_the_intensity_is_found():
    fits = [fit_of(x, {"contact_speed": 0.01 * x**1.5}) for x in (2.0, 4.0, 8.0, 16.0)]
    levels = levels_of(fits)["plane"]
    level = levels["term.contact_speed"]
    assert level.power == pytest.approx(1.5) and level.middle == pytest.approx(0.01)
    assert levels["acceleration.foot"].power == 0


def test_plane_and_space_have_their_own_middles_and_share_how_far_people_are_from_them():
    random = np.random.default_rng(1)
    planar, space = (x * np.exp(random.standard_normal(5)) for x in (300.0, 3000.0))
    fits = [fit_of(terms={"contact_speed": value}) for value in planar]
    fits += [fit_of(terms={"contact_speed": value}, planar=False) for value in space[:4]]
    both, alone = (levels_of(own)["plane"]["term.contact_speed"] for own in (fits, fits[:5]))
    assert both.middle == alone.middle == pytest.approx(np.exp(np.log(planar).mean()))
    in_space = levels_of(fits)["space"]["term.contact_speed"]
    assert in_space.middle == pytest.approx(np.exp(np.log(space[:4]).mean()))
    # Both limits go by one deviation; that of a middle of fewer people is known less.
    assert np.log(in_space.bad) / np.log(both.bad) == pytest.approx(np.sqrt((1 + 1 / 4) / (1 + 1 / 5)))


def test_a_fit_is_held_against_levels_of_its_kind():
    running = 30.0
    limits = {}
    for kind in ("plane", "space"):
        level = known_levels(kind)["term.contact_speed"]
        limits[kind] = level.bad * level.expected(running)
    assert limits["plane"] > 1.2 * limits["space"]  # else the test says nothing
    between = {"contact_speed": np.sqrt(limits["plane"] * limits["space"])}
    plane, space = (judge({0: fit_of(running, between, planar=planar)}) for planar in (True, False))
    assert "contact_speed" not in " ".join(plane.failures)
    assert "contact_speed" in " ".join(space.failures)


def test_a_turned_sensor_is_only_told_in_space():
    """About axes of which gravity says nothing, sensors of good recordings turn as far too."""
    plane, space = (
        judge({0: fit_of(planar=on, foot_l={"turned_deg": 12.0})}, LEVELS) for on in (True, False)
    )
    assert any("turned by 12.0 deg" in text for text in plane.failures)
    assert any("turned by 12.0 deg" in text for text in space.warnings)
    assert not any("turned" in text for text in space.failures)


@pytest.mark.parametrize("kind", ["plane", "space"])
def test_levels_that_come_with_the_package_know_every_kind_of_measure(kind):
    levels = known_levels(kind)
    for level in levels.values():
        assert 1 < level.unusual < level.bad and level.middle > 0 and 0 <= level.power <= 2
    assert {"term.contact_speed", "acceleration.foot", "angular_rate.shank", "turned", "delay.shank"} <= set(
        levels
    )


def test_a_fit_is_written_and_read_back(tmp_path):
    fits = {0: fit_of(speed=0.5), 1: None}
    verdict = judge(fits, LEVELS)
    write_fit(fits, verdict, tmp_path / "fit.json")
    found = read_fit(ResultsFolder(tmp_path))
    assert (
        found["ok"] is False and found["failures"] == list(verdict.failures) and list(found["seeds"]) == ["0"]
    )
    assert Fit.from_json(json.loads((tmp_path / "fit.json").read_text())["seeds"]["0"]) == fits[0]
    assert dataclasses.asdict(fits[0])["sensors"][0]["sensor"] == "imu_pelvis"
