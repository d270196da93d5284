import dataclasses
import os
import re
import typing
from pathlib import Path

import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim import study as studies
from sspinn_opensim.recording import FORMATS, RecordingChoice
from sspinn_opensim.study import override, read_scaling, read_study
from sspinn_opensim.study.cohort import is_cohort, read_cohort

GOOD = """
[model]
file = "generic.osim"

[person]
height_m = 1.73
mass_kg = 73

[recording]
format = "csv"
file = "walk.csv"

[sensors.pelvis]
position = [-0.1, 0.05, 0]

[sensors.shank]
body = "tibia_r"
imu_frame = "tibia_r_imu"

[training]
steps = 10
seeds = [0, 3]
weights = { slip = 2, torque = 0.5 }
"""


@pytest.fixture
def write(tmp_path):
    """Write a study with some text replaced, beside the files it names."""

    def _write(*replacements: tuple[str, str], add: str = "", text: str = GOOD) -> Path:
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        for name in ("generic.osim", "walk.csv", "grf.mot"):
            (tmp_path / name).touch()
        path = tmp_path / "walk_study.toml"
        path.write_text(text + add, encoding="utf-8")
        return path

    return _write


def refused(path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_study(path)
    return caught.value


@pytest.mark.parametrize("table", ["model", "person", "recording", "sensors.pelvis", "training", "alignment"])
@pytest.mark.parametrize("read", [read_study, read_scaling])
def test_a_misspelt_table_is_named_before_what_is_missing_for_it(table, read, write):
    """Also where a table in it is spelt right, and of a study of which the scaling alone is read."""
    path = write(add='[recording.csv]\nacceleration_unit = "g"\n[alignment]\nmethod = "none"\n')
    right = table.partition(".")[0]
    path.write_text(path.read_text().replace(f"[{table}]", f"[{table.replace(right, right[:-1])}]", 1))
    with pytest.raises(InputError, match=f"Unknown key '{right[:-1]}'") as caught:
        read(path)
    assert right in caught.value.fix


def test_a_study_is_read(write, tmp_path):
    study = read_study(write())
    assert study.name == "walk_study"
    assert study.path == tmp_path / "walk_study.toml"
    assert study.model.file == tmp_path / "generic.osim"
    assert study.person.mass_kg == 73.0 and isinstance(study.person.mass_kg, float)
    assert study.recording.name == "walk"
    assert [sensor.body for sensor in study.sensors] == ["pelvis", "tibia_r"]
    assert study.sensors[0].position == (-0.1, 0.05, 0.0)
    assert study.training.seeds == (0, 3)
    assert study.training.weights == {"slip": 2.0, "torque": 0.5}
    assert study.reference is None
    assert study.output.from_s is None


def test_defaults(write):
    study = read_study(write(("steps = 10\nseeds = [0, 3]\n", "")))
    assert (study.training.steps, study.training.seeds) == (None, (0,))
    assert study.training.start == "random"
    assert study.coordinates.fixed == {}
    assert study.recording.sampling_rate_hz is None


def test_a_builtin_model_is_found(write):
    study = read_study(write(("generic.osim", "builtin:planar_gait")))
    assert study.model.file.name == "planar_gait.osim" and study.model.file.is_file()


def test_an_unknown_builtin_model_is_refused(write):
    error = refused(write(("generic.osim", "builtin:planar_gat")))
    assert "planar_gat" in error.what and "planar_gait" in error.fix


def test_paths_are_relative_to_the_study(write, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert read_study(write()).recording.file == tmp_path / "walk.csv"


@pytest.mark.parametrize(
    ("change", "what", "where", "fix"),
    [
        (("height_m", "heigth_m"), "Unknown key 'heigth_m'", "line 6, person.heigth_m", "height_m"),
        (("[person]", "[persom]"), "Unknown key 'persom'", "line 5, persom", "person"),
        (("[recording]", "[recordin]"), "Unknown key 'recordin'", "line 9, recordin", "recording"),
        (('format = "csv"', 'formt = "csv"'), "Unknown key 'formt'", "recording.formt", "format"),
        (("position", "postion"), "Unknown key 'postion'", "sensors.pelvis.postion", "position"),
        (("seeds", "seed"), "Unknown key 'seed'", "training.seed", "seeds"),
        (('format = "csv"', 'format = "csw"'), "not one of the choices", "recording.format", "csv"),
        (("mass_kg = 73\n", ""), "'mass_kg' is missing", "line 5, person", ""),
        (("walk.csv", "wlak.csv"), "does not exist", "recording.file", "walk.csv"),
        (("1.73", "173"), "out of bounds", "person.height_m", "metres"),
        (("= 73\n", "= 73000\n"), "out of bounds", "person.mass_kg", "kilograms"),
        (("1.73", '"1.73"'), "wrong kind", "person.height_m", ""),
        (("1.73", "true"), "wrong kind", "person.height_m", ""),
        (("1.73", "nan"), "wrong kind", "person.height_m", ""),
        (("steps = 10", "steps = 10.5"), "wrong kind", "training.steps", ""),
        (("steps = 10", "steps = 0"), "out of bounds", "training.steps", ""),
        (("[0, 3]", "[]"), "wrong kind", "training.seeds", ""),
        (("[0, 3]", "[0, -1]"), "out of bounds", "training.seeds", ""),
        (("[0, 3]", "[3, 3]"), "repeated", "training.seeds", ""),
        (("[0, 3]", "0"), "wrong kind", "training.seeds", ""),
        (("0.05, 0]", "0.05]"), "wrong kind", "sensors.pelvis.position", ""),
        (("torque = 0.5", 'torque = "much"'), "wrong kind", "training.weights.torque", ""),
        (("torque = 0.5", "torque = -1"), "out of bounds", "training.weights.torque", ""),
        (("position = [-0.1, 0.05, 0]", 'origin = "hip_r"'), "origin but no position", "sensors.pelvis", ""),
        (('"tibia_r_imu"', '"tibia_r_imu"\norigin = "knee_r"'), "placed twice", "sensors.shank", ""),
        (("= 73\n", "= 12\n"), "cannot be one person's", "person", ""),
        (("[-0.1, 0.05, 0]", "[-100, 50, 0]"), "out of bounds", "sensors.pelvis.position", "metres"),
        (("[-0.1, 0.05, 0]", "[1.2, 1.2, 0]"), "sits off its body", "sensors.pelvis.position", "metres"),
        (("[-0.1, 0.05, 0]", "[120, 0, 0]"), "out of bounds", "sensors.pelvis.position", "metres"),
        (("steps = 10", "steps = 1" + "0" * 23), "wrong kind", "training.steps", ""),
        (("steps = 10", "steps = 1" + "0" * 400), "wrong kind", "training.steps", ""),
        (("steps = 10", "steps = 0x1" + "0" * 5000), "wrong kind", "training.steps", ""),
        (("steps = 10", "steps = 1e23"), "wrong kind", "training.steps", ""),
        (("1.73", "1" + "0" * 400), "wrong kind", "person.height_m", ""),
        (("[0, 3]", "[0, 18446744073709551616]"), "wrong kind", "training.seeds", ""),
        (("steps = 10", "steps = 10\ndevices = 100000"), "out of bounds", "training.devices", ""),
        (("steps = 10", "steps = 1" + "0" * 5000), "cannot be read", "walk_study", ""),
        (("steps = 10", "steps = " + "[" * 5000 + "]" * 5000), "cannot be read", "walk_study", ""),
        (("walk.csv", "~nobody-of-this-name/walk.csv"), "home folder", "recording.file", ""),
        (("walk.csv", "x" * 300), "cannot be found", "recording.file", ""),
        (
            ("[training]", "[coordinates]\nfixed = { knee_angle_r = 90 }\n[training]"),
            "out of bounds",
            "fixed.knee",
            "rad",
        ),
        (("[recording]", "[recording]\nspeed_m_s = 500"), "out of bounds", "recording.speed_m_s", "metres"),
    ],
)
def test_a_wrong_entry_is_named(write, change, what, where, fix):
    error = refused(write(change))
    assert what in error.what
    assert where in error.where and "walk_study.toml" in error.where
    assert fix in error.fix


def test_a_sensor_needs_no_position_and_may_be_turned_in_its_frame(write):
    turned = ('"tibia_r_imu"', '"tibia_r_imu"\norientation_deg = [0, 0, 90]')
    pelvis, shank = read_study(write(("position = [-0.1, 0.05, 0]", ""), turned)).sensors
    assert pelvis.position is None and shank.orientation_deg == (0, 0, 90)


RATE = ('file = "walk.csv"', 'file = "walk.csv"\n{}')


@pytest.mark.parametrize(
    ("keys", "what", "where"),
    [
        ("from_s = 5\nto_s = 3", "ends before it starts", "recording.to_s"),
        ("standing_s = [2, 1]", "ends before it starts", "recording.standing_s"),
        ("standing_s = [2]", "wrong kind", "recording.standing_s"),
        ("pieces = [[2, 5], [8, 8]]", "ends before it starts", "recording.pieces"),
        ("pieces = [[2, 5], [4, 8]]", "overlap", "recording.pieces"),
        ("pieces = [[6, 8], [2, 4]]", "not in their order", "recording.pieces"),
        ("pieces = [[2, 5]]\nfrom_s = 2", "chosen twice", "recording.pieces"),
        ("pieces = []", "wrong kind", "recording.pieces"),
    ],
)
def test_parts_of_the_recording_that_cannot_be_are_refused(write, keys, what, where):
    error = refused(write((RATE[0], RATE[1].format(keys))))
    assert what in error.what and where in error.where


def test_parts_of_the_recording_are_read(write):
    keys = "pieces = [[2, 5], [8, 10.5]]\nstanding_s = [0, 1.5]"
    choice = read_study(write((RATE[0], RATE[1].format(keys)))).recording
    assert choice.pieces == ((2.0, 5.0), (8.0, 10.5)) and choice.standing_s == (0.0, 1.5)


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        ({"one.csv": "time,a\n0,1\n"}, 'file = "sensors/one.csv"'),
        ({"one.csv": "time,a\n0,1\n", "two.csv": "time,a\n0,1\n"}, "join the files"),
        ({"a.txt": "// a\nAcc_X\tAcc_Y\tAcc_Z\n1\t2\t3\n", "b.md": ""}, 'format = "xsens_mt"'),
        ({}, "join the files"),
    ],
)
def test_a_folder_for_a_format_of_single_files_is_told_what_to_do(write, tmp_path, files, fix):
    (tmp_path / "sensors").mkdir()
    for name, text in files.items():
        (tmp_path / "sensors" / name).write_text(text)
    error = refused(write(('"csv"', '"c3d"'), ("walk.csv", "sensors")))
    assert "folder" in error.what and "recording.file" in error.where and fix in error.fix


def test_a_folder_is_no_file_where_only_a_file_will_do(write, tmp_path):
    (tmp_path / "models").mkdir()
    error = refused(write(("generic.osim", "models")))
    assert "is a folder" in error.what and "model.file" in error.where


def test_sensors_that_are_one_are_refused(write):
    """At one place of a body, or reading the same columns: whatever the names say."""
    again = '[sensors.other]\nbody = "pelvis"\nposition = [-0.1, 0.05, 0]\n'
    assert "at the same place" in refused(write(add=again)).what
    again = again.replace("0.05", "0.15")
    read_study(write(add=again))
    assert "are the same sensor" in refused(write(add=again + 'source = "pelvis"\n')).what
    again = '[sensors.other]\nimu_frame = "tibia_r_imu"\n'
    assert "at the same place" in refused(write(add=again)).what


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes that have names")
def test_a_pipe_is_no_file_and_nothing_waits_for_it(write, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe" in refused(tmp_path / "pipe").what and not is_cohort(tmp_path / "pipe")
    assert "is a pipe" in refused(write(("walk.csv", "pipe"))).what


def test_a_study_without_sensors_is_refused(write):
    text = re.sub(r"\[sensors.*?(?=\[training)", "", GOOD, flags=re.DOTALL)
    assert "'sensors' is missing" in refused(write(text=text)).what
    assert "no sensor" in refused(write(text=text, add="[sensors]\n")).what


def test_a_sensor_that_is_no_table_is_refused(write):
    text = re.sub(r"\[sensors.*?(?=\[training)", "", GOOD, flags=re.DOTALL)
    assert "table" in refused(write(text='sensors = ["pelvis"]\n' + text)).expected


def test_two_rotations_of_a_sensor_are_refused(write):
    change = ("[-0.1, 0.05, 0]", '[0, 0, 0]\naxes = ["x", "y", "z"]\norientation_deg = [0, 0, 90]')
    assert "rotated twice" in refused(write(change)).what


def test_toml_errors_name_the_line(write):
    error = refused(write(("mass_kg = 73", "mass_kg = seventy")))
    assert "not valid TOML" in error.what and "line 7" in error.what


def test_a_missing_study_names_a_near_one(write, tmp_path):
    write()
    assert "walk_study.toml" in refused(tmp_path / "walk_stduy.toml").fix


def test_a_folder_or_binary_file_is_no_study(tmp_path):
    assert "is a folder" in refused(tmp_path).what
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refused(tmp_path / "binary.toml").what


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ('format = "opensim"', "names its tables"),
        ('format = "opensim"\nfile = "grf.mot"\ngrf = "grf.mot"', "names its tables"),
        ('format = "dorschky2019"', "is one file"),
        ('format = "dorschky2019"\nfile = "grf.mot"\ngrf = "grf.mot"', "is one file"),
        ('format = "opensim"\ngrf = "missing.mot"', "does not exist"),
    ],
)
def test_a_contradictory_reference_is_refused(write, table, what):
    assert what in refused(write(add=f"\n[reference]\n{table}\n")).what


def test_a_reference_is_read(write, tmp_path):
    study = read_study(write(add='\n[reference]\nformat = "opensim"\ngrf = "grf.mot"\n'))
    assert study.reference.grf == tmp_path / "grf.mot" and study.reference.kinematics is None


def test_an_empty_output_window_is_refused(write):
    assert "ends before" in refused(write(add="\n[output]\nfrom_s = 3\nto_s = 2\n")).what


def test_override(write):
    study = read_study(write())
    changed = override(study, steps=5, seeds=[7, 8])
    assert (changed.training.steps, changed.training.seeds) == (5, (7, 8))
    assert changed.training.weights == study.training.weights
    assert override(study) == study


@pytest.mark.parametrize("settings", [{"steps": 0}, {"seeds": []}, {"seeds": [1, 1]}, {"seeds": [-1]}])
def test_a_wrong_override_is_refused(write, settings):
    with pytest.raises(InputError):
        override(read_study(write()), **settings)


def test_the_examples_are_valid(shared, repository):
    names = sorted(path.name for path in studies.examples_folder().glob("*.toml"))
    models = ["dorschky2019_gait2392.toml", "dorschky2019_rajagopal2016.toml"]
    one_person = [*models, "dorschky2019_run.toml", "dorschky2019_walk.toml"]
    vendors = [
        *("capsense_sub01.toml", "gaittoolbox_walk.toml"),
        *("kuopio2024_walk.toml", "kuopio2024_walk_space.toml"),
    ]
    assert names == sorted(["demo.toml", "dorschky2019_p01.toml", *one_person, *vendors])
    for name in ["demo.toml", *one_person]:
        study = read_study(repository / "examples" / name)
        assert len(study.sensors) == 7 and study.reference is not None
    cohort = read_cohort(repository / "examples" / "dorschky2019_p01.toml")
    assert [study.recording.name for study in cohort.members] == ["walk", "run"]
    assert {study.person_id for study in cohort.members} == {"P01"}


def dataclass_of(hint):
    """Return the dataclass inside an annotation such as ``tuple[SensorChoice, ...]``, or None."""
    candidates = (hint, *typing.get_args(hint))
    return next((candidate for candidate in candidates if dataclasses.is_dataclass(candidate)), None)


def tables_of(kind, name):
    """Return the tables of a dataclass, of the formats of recordings and of all inside, by their names."""
    inside = {key: dataclass_of(hint) for key, hint in typing.get_type_hints(kind).items()}
    found = {f"{name}.{key}".removeprefix("."): kind for key, kind in inside.items() if kind is not None}
    if kind is RecordingChoice:
        found |= {f"recording.{form.name}": form.options for form in FORMATS.values()}
    return found | {k: v for key, own in found.items() for k, v in tables_of(own, key).items()}


def test_every_key_is_documented_and_no_other(repository):
    """The tables of docs/study.md list exactly the fields of the dataclasses."""
    text = (repository / "docs" / "study.md").read_text(encoding="utf-8").partition("## Keys")[2]
    documented = {}
    for part in re.split(r"^(?=`\[|Top level)", text, flags=re.MULTILINE)[1:]:
        table = re.match(r"`\[([\w.]+?)(\.NAME)?\]`", part)
        keys = re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)
        documented[table[1] if table else ""] = [*keys, "name"] if table and table[2] else keys
    tables = tables_of(studies.Study, "")
    fields = {name: {field.name for field in dataclasses.fields(kind)} for name, kind in tables.items()}
    fields["recording"] -= {"options"}
    fields[""] = {"name"}
    assert {field.name for field in dataclasses.fields(studies.Study)} - set(tables) == {"path", "name"}
    assert {table: set(keys) for table, keys in documented.items()} == fields
    told = {name: "".join(base.__doc__ or "" for base in kind.__mro__) for name, kind in tables.items()}
    assert all(field in told[name] for name in tables for field in fields[name])
    formats = re.search(r"^\| `format` \| (.*?) \|", text, re.MULTILINE)[1]
    assert re.findall(r'"(\w+)"', formats) == list(FORMATS)


@pytest.mark.parametrize(
    ("change", "what", "where", "expected", "fix"),
    [
        (
            'time_column = "t"',
            "option of one format",
            "line 12, recording.time_column",
            "[recording.csv]",
            "move",
        ),
        ("cycles = 3", "option of one format", "recording.cycles", "[recording.dorschky2019]", "move"),
        ("[recording.dorschky2019]", "another format than 'csv'", "recording.dorschky2019", "", "remove"),
        ("[recording.cvs]", "Unknown key 'cvs'", "recording.cvs", "[recording.csv]", "csv"),
        ("flie = 3", "Unknown key 'flie'", "recording.flie", "speed_m_s", "file"),
        ('[recording.csv]\ntime_colum = "t"', "Unknown key", "recording.csv.time_colum", "", "time_column"),
        (
            '[recording.csv]\nacceleration_unit = "G"',
            "not one of the choices",
            "acceleration_unit",
            "m/s^2",
            "",
        ),
        ("[recording.csv.columns.plevis]", "no sensor 'plevis'", "csv.columns.plevis", "", "pelvis"),
    ],
)
def test_options_of_a_format_stand_in_its_table(write, change, what, where, expected, fix):
    error = refused(write(('file = "walk.csv"', f'file = "walk.csv"\n{change}')))
    assert what in error.what and where in error.where and expected in error.expected and fix in error.fix


def test_a_key_that_several_formats_have_belongs_to_the_table_of_its_own(write):
    error = refused(write(('file = "walk.csv"', 'file = "walk.csv"\ntime_column = "t"')))
    assert error.expected == "time_column under [recording.csv]"


def test_columns_named_under_a_sensor_are_told_their_new_place(write):
    columns = 'imu_frame = "tibia_r_imu"\nacceleration_columns = ["", "", ""]'
    error = refused(write(('imu_frame = "tibia_r_imu"', columns)))
    assert "[recording.csv.columns.shank]" in error.expected and "sensors.shank" in error.where


def test_options_of_a_format_are_read(write):
    table = '[recording.csv]\ntime_column = "t"\n[recording.csv.columns.shank]\nangular_rate = ["", "", "Gz"]'
    options = read_study(write(('file = "walk.csv"', f'file = "walk.csv"\n{table}'))).recording.options
    assert options.time_column == "t" and options.acceleration_unit == ""
    assert [(own.name, own.acceleration, own.angular_rate[2]) for own in options.columns] == [
        ("shank", None, "Gz")
    ]
    assert read_study(write()).recording.options == FORMATS["csv"].options()


def test_the_example_in_the_documentation_is_valid(repository, write):
    text = (repository / "docs" / "study.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(\[model\].*?)```", text, re.DOTALL)[1]
    study = read_study(write(text=example))
    assert study.sensors[1].axes == ("y", "-x", "z")
