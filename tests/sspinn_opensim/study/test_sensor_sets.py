"""Sparse sets of sensors: found by the names of bodies, refused with a name when one is missing."""

import re
from dataclasses import replace

import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.recording import read_recording
from sspinn_opensim.study import SensorChoice, examples_folder, read_study
from sspinn_opensim.study.sensor_sets import ALL, PRESETS, select

WHOLE = ("pelvis", "femur_r", "tibia_r", "foot_r", "femur_l", "tibia_l", "foot_l")
EXPECTED = {
    "FT": ("femur_r", "foot_r", "femur_l", "foot_l"),
    "FS": ("tibia_r", "foot_r", "tibia_l", "foot_l"),
    "TS": ("femur_r", "tibia_r", "femur_l", "tibia_l"),
    "SP": ("pelvis", "tibia_r", "tibia_l"),
    "F": ("foot_r", "foot_l"),
    "all": WHOLE,
}


def sensors(*bodies: str, **changes) -> list[SensorChoice]:
    return [SensorChoice(name=f"imu{k}", body=body, **changes) for k, body in enumerate(bodies)]


def names(chosen) -> tuple[str, ...]:
    return tuple(sensor.name for sensor in chosen)


@pytest.mark.parametrize("example", ["demo", "dorschky2019_walk", "dorschky2019_run"])
@pytest.mark.parametrize("chosen", EXPECTED)
def test_every_set_of_the_examples(example, chosen, shared, repository):
    study = read_study(repository / "examples" / f"{example}.toml", sensors=chosen)
    assert names(study.sensors) == EXPECTED[chosen] and study.recording.sensors == chosen
    assert set(EXPECTED) == {ALL, *PRESETS}


def test_the_recording_has_the_sensors_of_the_set_and_their_signals():
    whole, part = (
        read_recording(read_study(examples_folder() / "demo.toml", sensors=s)) for s in ("all", "FT")
    )
    places = [names(whole.sensors).index(name) for name in names(part.sensors)]
    assert (part.acceleration == whole.acceleration[:, places]).all()
    assert (part.angular_rate == whole.angular_rate[:, places]).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("calcn_r", ("foot", "right")),
        ("talus_l", ("foot", "left")),
        ("toes_r", ("foot", "right")),
        ("RightFoot", ("foot", "right")),
        ("LeftToe", ("foot", "left")),
        ("lfoot", ("foot", "left")),
        ("r_tibia", ("shank", "right")),
        ("TIBIA_L", ("shank", "left")),
        ("tibiaR", ("shank", "right")),
        ("LeftLowerLeg", ("shank", "left")),
        ("lower-leg right", ("shank", "right")),
        ("femur_l_imu", ("thigh", "left")),
        ("LFemur", ("thigh", "left")),
        ("Right_Upper_Leg", ("thigh", "right")),
        ("thigh2_r", ("thigh", "right")),
        ("pelvis", ("pelvis", "")),
        ("Pelvis_l", ("pelvis", "")),
        ("sacrum", ("pelvis", "")),
        ("foot", ("foot", "")),
        ("foot_r_left", ("foot", "")),
        ("torso", ("trunk", "")),
        ("leg_r", None),
        ("imu7", None),
        ("femur_tibia_r", None),
        ("", None),
    ],
)
def test_segments_are_read_from_names(name, expected):
    assert segment_of(name) == expected


def test_every_leg_of_every_published_model_is_known(shared):
    """The names that models in use give to their bodies."""
    files = [p for p in (shared / "models").glob("*.osim") if re.search("gait|Rajagopal|Hamner", p.name)]
    assert len(files) >= 8
    for path in files:
        bodies = re.findall(r'<Body name="([^"]+)"', path.read_text(encoding="utf-8"))
        sides = ("right",) if path.name == "gait2d.osim" else ("left", "right")
        needed = {(segment, side) for segment in ("foot", "shank", "thigh") for side in sides}
        assert needed | {("pelvis", "")} <= {segment_of(body) for body in bodies}, (path.name, bodies)


def test_sensors_named_by_their_maker_are_found_by_their_bodies():
    given = sensors("calcn_l", "torso", "calcn_r", "toes_r")
    assert names(select(given, "F", where="here")) == ("imu0", "imu2", "imu3")


def test_the_imu_frame_decides_where_a_sensor_sits():
    given = [
        replace(sensor, imu_frame=frame)
        for sensor, frame in zip(sensors("thigh_r", "imu1"), ("tibia_r_imu", "tibia_l_imu"), strict=True)
    ]
    pelvis = sensors("pelvis", imu_frame="frame_of_mine")
    assert len(select([*given, *pelvis], "SP", where="here")) == 3
    with pytest.raises(InputError, match="needs a sensor on the left thigh"):
        select([*given, *pelvis], "TS", where="here")


def test_a_sensor_whose_side_is_unknown_is_not_in_a_set():
    given = sensors("foot_l", "foot_r", "foot")
    assert names(select(given, "F", where="here")) == ("imu0", "imu1")


@pytest.mark.parametrize(
    ("chosen", "missing"),
    [
        ("FT", "left thigh"),
        ("FS", "left shank"),
        ("TS", "left thigh"),
        ("SP", "left shank"),
        ("F", "left foot"),
    ],
)
def test_a_missing_sensor_is_named_with_what_there_is(chosen, missing):
    given = sensors("femur_r", "tibia_r", "foot_r", "leg_r", "foot")
    if missing != "left foot":
        given += sensors("foot_l")
    with pytest.raises(InputError) as caught:
        select(given, chosen, where="the study")
    error = caught.value
    assert error.what == f"The sensor set {chosen} needs a sensor on the {missing}."
    assert error.where == "the study" and "imu0 (right thigh)" in error.found
    assert "segment unknown" in error.found and "foot, side unknown" in error.found


def test_sets_and_names_that_do_not_exist():
    given = sensors("foot_l", "foot_r")
    with pytest.raises(InputError) as caught:
        select(given, "FTS", where="")
    assert "no sensor set 'FTS'" in caught.value.what and "did you mean" in caught.value.fix
    with pytest.raises(InputError) as caught:
        select(given, "imu0", where="")
    assert caught.value.fix == 'for this sensor alone write ["imu0"]'
    with pytest.raises(InputError) as caught:
        select(given, ["imu0", "imu2"], where="")
    assert "no sensor 'imu2'" in caught.value.what and "did you mean" in caught.value.fix
    with pytest.raises(InputError, match="named twice"):
        select(given, ["imu0", "imu0"], where="")


def test_a_sensor_alone_on_its_segment_has_any_name_of_that():
    legs = [SensorChoice("thigh_l", "femur_l"), SensorChoice("b", "tibia_l"), SensorChoice("c", "tibia_l")]
    assert names(select(legs, ["femur_l"], where="study")) == ("thigh_l",)
    for twice, said in ((["femur_l", "thigh_l"], "named twice"), (["shank_l"], "no sensor 'shank_l'")):
        with pytest.raises(InputError, match=said):
            select(legs, twice, where="study")


def test_a_list_of_names_keeps_the_order_of_the_study():
    given = sensors("foot_l", "torso", "foot_r")
    assert names(select(given, ["imu2", "imu0"], where="")) == ("imu0", "imu2")


@pytest.fixture
def write(tmp_path):
    """Write a study of four sensors with a choice among them."""

    def _write(choice: str):
        (tmp_path / "walk.csv").touch()
        tables = "".join(
            f'[sensors.{name}]\nimu_frame = "{name}_imu"\n'
            for name in ("pelvis", "femur_r", "tibia_r", "tibia_l")
        )
        path = tmp_path / "study.toml"
        path.write_text(
            '[model]\nfile = "builtin:planar_gait"\n[person]\nheight_m = 1.7\nmass_kg = 70\n'
            f'[recording]\nformat = "csv"\nfile = "walk.csv"\n{choice}\n{tables}'
        )
        return path

    return _write


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("", ("pelvis", "femur_r", "tibia_r", "tibia_l")),
        ('sensors = "all"', ("pelvis", "femur_r", "tibia_r", "tibia_l")),
        ('sensors = "SP"', ("pelvis", "tibia_r", "tibia_l")),
        ('sensors = ["tibia_l", "pelvis"]', ("pelvis", "tibia_l")),
    ],
)
def test_the_study_chooses(write, choice, expected):
    assert names(read_study(write(choice)).sensors) == expected


def test_the_command_line_chooses_among_all_sensors_of_the_study(write):
    path = write('sensors = ["femur_r"]')
    assert names(read_study(path, sensors="SP").sensors) == ("pelvis", "tibia_r", "tibia_l")
    assert len(read_study(path, sensors="all").sensors) == 4


@pytest.mark.parametrize(
    ("choice", "what", "where"),
    [
        ('sensors = "FT"', "needs a sensor on the left foot", "line 9, recording.sensors"),
        ('sensors = "SPF"', "no sensor set 'SPF'", "line 9, recording.sensors"),
        ("sensors = []", "wrong kind", "recording.sensors"),
        ("sensors = 3", "wrong kind", "recording.sensors"),
        ('sensors = ["pelvis", 3]', "wrong kind", "recording.sensors"),
    ],
)
def test_a_wrong_choice_is_named_with_its_line(write, choice, what, where):
    with pytest.raises(InputError) as caught:
        read_study(write(choice))
    assert what in caught.value.what and where in caught.value.where
