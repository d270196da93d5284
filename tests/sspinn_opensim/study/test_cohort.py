import dataclasses
import re

import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.study import cohort as cohort_file
from sspinn_opensim.study.cohort import is_cohort, read_cohort
from sspinn_opensim.training.settings import TrainingSettings

STUDY = """
[model]
file = "builtin:planar_gait"
[person]
height_m = 1.7
mass_kg = 70
[recording]
format = "csv"
file = "{recording}"
[sensors.pelvis]
imu_frame = "pelvis_imu"
[sensors.foot_r]
imu_frame = "foot_r_imu"
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a cohort file beside three studies, each with a recording of its own."""
    for name in ("anna", "ben", "carla"):
        (tmp_path / f"{name}.csv").touch()
        (tmp_path / f"{name}.toml").write_text(STUDY.format(recording=f"{name}.csv"))

    def write(text):
        path = tmp_path / "all.toml"
        path.write_text(text)
        return path

    return write


def test_a_cohort_is_read(write):
    path = write('members = ["anna.toml", "ben.toml"]\nunseen = ["carla.toml"]\n[training]\nsteps = 7\n')
    cohort = read_cohort(path, sensors=["foot_r"])
    assert is_cohort(path) and cohort.name == "all"
    assert [study.name for study in cohort.people] == ["anna", "ben", "carla"]
    assert [study.name for study in cohort.members] == ["anna", "ben"]
    assert cohort.training.steps == 7
    assert all([s.name for s in study.sensors] == ["foot_r"] for study in cohort.people)


def test_people_of_a_cohort_share_its_steps_so_it_takes_more(write):
    cohort = read_cohort(write('members = ["anna.toml", "ben.toml"]'))
    assert cohort.training.steps == 600 > TrainingSettings.steps


def test_what_is_no_cohort(write, tmp_path):
    assert not is_cohort(tmp_path / "anna.toml") and not is_cohort(tmp_path / "absent.toml")
    assert not is_cohort(write("members = ["))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("members = []", "wrong kind"),
        ('members = ["dora.toml"]', "does not exist"),
        ('members = ["anna.toml"]\nunseeen = ["ben.toml"]', "Unknown key 'unseeen'"),
        ('members = ["anna.toml", "anna.toml"]', "Two studies of the cohort are called 'anna'"),
        ('members = ["anna.toml"]\n[training]\nseeds = [1, 1]', "A seed is repeated"),
        ('members = ["anna.toml"]\n[training]\ndevices = 0', "out of bounds"),
    ],
)
def test_a_wrong_cohort_is_one_clear_error(write, text, message):
    with pytest.raises(InputError, match=message) as error:
        read_cohort(write(text))
    assert error.value.where or error.value.fix


def test_a_recording_is_not_on_both_sides(write, tmp_path):
    (tmp_path / "again.toml").write_text(STUDY.format(recording="anna.csv"))
    with pytest.raises(InputError, match="'again' is both trained on and unseen"):
        read_cohort(write('members = ["anna.toml"]\nunseen = ["again.toml"]'))


def test_a_name_that_is_no_folder(write, tmp_path):
    (tmp_path / "ben.toml").write_text('name = "../ben"\n' + STUDY.format(recording="ben.csv"))
    with pytest.raises(InputError, match="folder"):
        read_cohort(write('members = ["anna.toml", "ben.toml"]'))


def named(folder, file, lines):
    path = folder / f"{file}.toml"
    path.write_text(path.read_text().replace("[person]", f"[person]\n{lines}"))


def test_two_people_of_one_name_are_two(write, tmp_path):
    for file in ("anna", "ben"):
        named(tmp_path, file, 'name = "Anna"')
    members = read_cohort(write('members = ["anna.toml", "ben.toml"]')).members
    assert [study.person_id for study in members] == ["anna", "ben"]
    assert [study.person.name for study in members] == ["Anna", "Anna"]


def test_trials_with_the_same_id_are_of_one_person(write, tmp_path):
    for file in ("anna", "ben"):
        named(tmp_path, file, f'name = "{file}"\nid = "S7"')
    members = read_cohort(write('members = ["anna.toml", "ben.toml", "carla.toml"]')).members
    assert [study.person_id for study in members] == ["S7", "S7", "carla"]


def test_an_id_that_is_the_name_of_another_study_is_refused(write, tmp_path):
    named(tmp_path, "ben", 'id = "anna"')
    with pytest.raises(InputError, match="'anna' is called like another study"):
        read_cohort(write('members = ["anna.toml", "ben.toml"]'))
    named(tmp_path, "anna", 'id = "anna"')
    assert {s.person_id for s in read_cohort(write('members = ["anna.toml", "ben.toml"]')).members} == {
        "anna"
    }


def test_every_key_is_documented_and_no_other(repository):
    text = (repository / "docs" / "study.md").read_text(encoding="utf-8")
    section = text.partition("## Many people")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `\[?(\w+)\]?` \|", section, re.MULTILINE)
    assert documented == [field.name for field in dataclasses.fields(cohort_file._CohortTable)]
