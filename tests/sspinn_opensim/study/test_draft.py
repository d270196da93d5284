"""Drafts of studies: what is said, what is guessed and marked, what is refused."""

from pathlib import Path

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model
from sspinn_opensim.recording.streams import Stream
from sspinn_opensim.study.draft import (
    Draft,
    is_planar,
    model_file,
    study_text,
    unobserved_trunk,
)
from sspinn_opensim.study.placed_sensors import place_streams


@pytest.fixture(scope="module")
def model():
    return read_model(osim_models.path("planar_gait"))


def stream(name: str, segment: str = "") -> Stream:
    return Stream(name, Path("walk"), np.zeros((3, 3)), np.zeros((3, 3)), segment=segment, rate_hz=100.0)


def test_places_come_from_the_user_the_file_or_the_name(model):
    streams = [stream("00B42DA3"), stream("00B42DA2", "femur_r_imu"), stream("LeftShank"), stream("x")]
    placed = place_streams(streams, {"42DA3": "pelvis"}, model)
    assert [(p.name, p.source, p.body) for p in placed] == [
        ("pelvis", "00B42DA3", "pelvis"),
        ("thigh_r", "00B42DA2", "femur_r"),
    ]
    assert [p.told_by for p in placed] == ["", "the files say where it sits"]
    by_name = place_streams(streams[1:], {}, model)
    assert [(p.name, p.body) for p in by_name] == [("thigh_r", "femur_r"), ("shank_l", "tibia_l")]


@pytest.mark.parametrize(
    ("where", "what", "expected"),
    [
        ({"00B4": "pelvis"}, "Several sensors match", "00B42DA3, 00B42DA2"),
        ({"nobody": "pelvis"}, "no sensor 'nobody'", "00B42DA3"),
        ({"00B42DA3": "thigh"}, "no body for 'thigh'", "pelvis"),
        ({"00B42DA3": "femur_r", "00B42DA2": "femur_r"}, "called 'femur_r'", ""),
        ({}, "Nothing says for sure where", "thigh"),
    ],
)
def test_a_place_that_there_is_not_is_refused(model, where, what, expected):
    with pytest.raises(InputError) as caught:
        place_streams([stream("00B42DA3"), stream("00B42DA2")], where, model)
    assert what in caught.value.what and expected in caught.value.expected


def test_a_sensor_called_toes_is_guessed_to_sit_on_the_instep(shared):
    """On the body of the toes it alone would turn the toe joint; where the foot has one too, it is there."""
    model = read_model(shared / "models" / "gait2392_thelen2003.osim")
    alone, heel, also = (
        stream("toes_r", "toes_r"),
        stream("calcn_l", "calcn_l"),
        stream("toes_l", "toes_l"),
    )
    placed = {p.name: p for p in place_streams([alone, heel, also], {}, model)}
    assert {name: p.body for name, p in placed.items()} == {
        "foot_r": "calcn_r",
        "foot_l": "calcn_l",
        "toes_l": "toes_l",
    }
    assert placed["foot_r"].told_by.startswith("guess: on the instep")
    assert place_streams([alone], {"toes_r": "toes_r"}, model)[0].body == "toes_r"  # the user says so


def test_of_two_sensors_on_a_segment_one_is_used_and_the_other_named(model):
    """The first by names; by movement the surest, where the other's place is sure itself."""
    (one,) = place_streams([stream("shank_r upper"), stream("shank_r lower")], {}, model)
    assert (one.body, one.source, one.beside) == ("tibia_r", "shank_r upper", ("shank_r lower",))
    told = {"a": ("shank", "right", 0.95), "b": ("shank", "right", 0.99), "c": ("thigh", "right", 0.92)}
    streams = [stream(name) for name in told]
    placed = place_streams(streams, {}, model, lambda: told)
    assert [(p.source, p.beside) for p in placed] == [("b", ("a",)), ("c", ())]
    told["a"] = ("shank", "right", 0.8)
    assert [p.beside for p in place_streams(streams, {}, model, lambda: told)] == [(), ()]


def test_two_sensors_on_a_segment_are_two_when_the_user_says_so(model):
    placed = place_streams([stream("a"), stream("b")], {"a": "tibia_r", "b": "right_shank"}, model)
    assert [(p.name, p.body) for p in placed] == [("tibia_r", "tibia_r"), ("right_shank", "tibia_r")]


def test_a_sensor_has_one_name_by_whatever_route_its_place_is_told(model):
    moves = {"x": ("thigh", "left", 0.99)}
    routes = (
        place_streams([stream("x")], {"x": "thigh_l"}, model),
        place_streams([stream("x", "femur_l_imu")], {}, model),
        place_streams([stream("LeftUpperLeg")], {}, model),
        place_streams([stream("x")], {}, model, lambda: moves),
    )
    assert {(own.name, own.body) for (own,) in routes} == {("thigh_l", "femur_l")}


def test_a_trunk_that_nothing_observes_is_held(model):
    legs = place_streams([stream("pelvis"), stream("femur_r")], {}, model)
    assert unobserved_trunk(model, legs) == ("lumbar_extension",) and is_planar(model)
    trunk = place_streams([stream("pelvis"), stream("torso")], {}, model)
    assert unobserved_trunk(model, trunk) == ()


def test_guesses_are_marked_and_paths_are_relative(model, tmp_path):
    placed = place_streams([stream("00B42DA3", "pelvis_imu")], {}, model)
    draft = Draft(
        *("xsens_mt", tmp_path / "data" / "imu", "builtin:planar_gait", 1.75, 75.5, placed),
        left_out=("y",),
        fixed=("lumbar_extension",),
        recorded_rate_hz=100.0,
        measured_speed_m_s=1.234,
        standing_s=(0.0, 1.5),
        accepted={"alignment:pelvis": "sensor 'pelvis': it may face backward"},
    )
    text = study_text(draft, tmp_path / "studies" / "a.toml")
    assert 'file = "../data/imu"' in text and "recorded_rate_hz = 100" in text
    assert text.count("# guess: ") == 4 and "# speed_m_s = 1.23" in text
    assert "standing_s = [0.00, 1.50]" in text and 'accepted = ["alignment:pelvis"]' in text
    assert "may face backward; it is taken as found" in text
    assert 'source = "00B42DA3"' in text and "Not used" in text
    assert "lumbar_extension = 0.0" in text
    assert model_file("builtin:planar_gait") == Path(osim_models.path("planar_gait"))
