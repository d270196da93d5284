"""Two results folders or files beside each other."""

import json
import shutil
import warnings

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError, InputWarning
from sspinn_opensim import cli
from sspinn_opensim.evaluation.comparison import Series, compare_series
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.ground_columns import by_side
from sspinn_opensim.opensim_io.tables.motion_files import force_columns, ground_forces_table
from sspinn_opensim.opensim_io.tables.storage import Table, write_storage
from sspinn_opensim.verbs.compare import compare

TIME = np.arange(101) / 100
SWING = np.sin(2 * np.pi * TIME)


def series(time_s, source="a", unit="deg", **columns):
    return Series(source, time_s, columns, dict.fromkeys(columns, unit))


def test_known_differences_come_out():
    a = series(TIME, knee=30 * SWING, hip=10 * SWING, still=0 * SWING)
    b = series(TIME, "b", knee=30 * SWING + 2, hip=-10 * SWING, still=0 * SWING, elbow=SWING)
    group = compare_series("Coordinates", a, b)
    knee, hip, still = group.differences
    assert (knee.rmsd, knee.bias, knee.largest) == pytest.approx(
        (2, 2, 2)
    ) and knee.correlation == pytest.approx(1)
    # Over a whole period the mean square of a sine is a half; sample 101 repeats the first, which is zero.
    assert hip.rmsd == pytest.approx(20 * np.sqrt(50 / 101)) and hip.bias == pytest.approx(0, abs=1e-12)
    assert hip.correlation == pytest.approx(-1) and hip.largest == pytest.approx(20)
    assert hip.largest_at_s in (0.25, 0.75) and hip.range_a == pytest.approx(20)
    assert (still.rmsd, still.correlation) == (0, None)
    assert group.only_a == () and group.only_b == ("elbow",) and group.samples == 101


def test_what_rounding_leaves_of_nothing_is_nothing():
    rest = 1e-14 * np.random.default_rng(0).standard_normal((2, len(TIME)))
    (row,) = compare_series("x", series(TIME, torque=rest[0]), series(TIME, "b", torque=rest[1])).differences
    assert (row.rmsd, row.bias, row.largest, row.range_a, row.correlation) == (0, 0, 0, 0, None)


def test_only_common_time_counts_on_the_coarser_clock():
    late = np.arange(0.5, 2, 0.002)
    a, b = series(TIME, ramp=TIME), series(late, "b", ramp=late + 1)
    group = compare_series("x", a, b)
    assert group.window_s == pytest.approx((0.5, 1.0)) and group.samples == 51
    assert group.differences[0].rmsd == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(group.time_s, TIME[50:], atol=1e-12)


def test_a_table_that_only_one_folder_has_is_told(tmp_path, caplog):
    """One that is damaged is no table any more."""
    for name in ("a", "b"):
        write_results(tmp_path / name)
    (tmp_path / "b/kinematics.mot").write_text("Coordinates\n")
    with caplog.at_level("INFO"):
        compare(tmp_path / "a", tmp_path / "b", tmp_path / "out")
    assert "not compared, coordinates: kinematics.mot in a; none in b" in caplog.text


@pytest.mark.parametrize(
    ("b", "message"),
    [
        (series(TIME, "b", elbow=SWING), "no column in common"),
        (series(TIME + 5, "b", knee=SWING), "too little time in common"),
        (series(TIME, "b", unit="rad", knee=SWING), "different units"),
    ],
)
def test_nothing_in_common_is_an_error(b, message):
    with pytest.raises(InputError, match=message) as error:
        compare_series("x", series(TIME, knee=SWING), b)
    assert "a and b" in error.value.where


def write_results(folder, *, degrees=True, offset_deg=0.0, foot="foot_", extra=()):
    """Write a results folder of our model; the angles in degrees or radians."""
    folder.mkdir()
    shutil.copy(osim_models.path("planar_gait.osim"), folder / "subject.osim")
    knee = 30 * SWING + offset_deg
    values = np.column_stack([knee if degrees else np.deg2rad(knee), TIME])
    write_storage(folder / "kinematics.mot", Table(("knee_angle_r", "pelvis_tx"), TIME, values, degrees))
    write_storage(folder / "kinematics_sd.mot", Table(("knee_angle_r",), TIME, values[:, :1], degrees))
    write_storage(folder / "moments.sto", Table(("knee_angle_r_moment",), TIME, 50 * SWING[:, None]))
    names = [f"{foot}{side}_ground_{what}" for side in "rl" for what in ("force_vy", "force_px", "torque_y")]
    write_storage(folder / "grf.mot", Table(tuple(names), TIME, np.outer(SWING, np.arange(1, 7.0))))
    write_storage(folder / "muscle_forces.sto", Table(("soleus_r",), TIME, 900 * SWING[:, None]))
    write_storage(folder / "muscle_activations.sto", Table(("soleus_r",), TIME, 0.5 * SWING[:, None]))
    for name in extra:
        write_storage(folder / name, Table(("knee_angle_r_moment",), TIME, 40 * SWING[:, None]))
    return folder


def test_two_folders_in_all_they_hold(tmp_path):
    a = write_results(tmp_path / "a")
    b = write_results(tmp_path / "b", degrees=False, offset_deg=3, foot="calcn_", extra=["id.sto"])
    found = compare(a, b, tmp_path / "out")
    groups = found.groups
    units = {row.name: row.unit for group in groups for row in group.differences}
    assert units == {
        "knee_angle_r": "deg",
        "pelvis_tx": "m",
        "knee_angle_r_moment": "N m",
        "right_ground_force_vy": "N",
        "right_ground_force_px": "m",
        "right_ground_torque_y": "N m",
        "left_ground_force_vy": "N",
        "left_ground_force_px": "m",
        "left_ground_torque_y": "N m",
        "soleus_r": "0 to 1",
    }
    assert [group.title for group in groups] == [
        "Coordinates",
        "Moments, moments.sto",
        "Ground forces",
        "Muscle forces",
        "Muscle activations",
    ]
    knee = groups[0].differences[0]
    assert (knee.rmsd, knee.bias) == pytest.approx((3, 3)) and groups[1].differences[0].rmsd == 0
    printed = str(found)
    assert "A a/kinematics.mot, B b/kinematics.mot: 0.000 to 1.000 s, 101 samples" in printed
    assert "knee_angle_r  deg   3.000      +3.000    3.000" in printed
    saved = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert saved["groups"][0]["columns"][0]["bias"] == pytest.approx(3)
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert page.count("<figure>") == 11 and "soleus_r" in page and "://" not in page


def test_joint_reactions_have_their_units(tmp_path):
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        names = tuple(f"knee_r_on_tibia_r_in_ground_{part}x" for part in "fmp")
        write_storage(folder / "joint_reactions.sto", Table(names, TIME, np.outer(SWING, [1, 2, 3])))
    (group,) = compare(tmp_path / "a", tmp_path / "b", tmp_path / "out").groups
    assert group.title == "Joint reactions" and [row.unit for row in group.differences] == ["N", "N m", "m"]


def test_two_files_by_the_command(tmp_path, capsys, only_files_of_the_table):
    a, b = write_results(tmp_path / "a"), write_results(tmp_path / "b", degrees=False, offset_deg=-1)
    files = [str(a / "kinematics.mot"), str(b / "kinematics.mot")]
    model = ["--model", str(a / "subject.osim"), "--out", str(tmp_path / "out")]
    assert cli.main(["compare", *files, *model]) == 0
    assert "knee_angle_r  deg   1.000      \u22121.000" in capsys.readouterr().out
    only_files_of_the_table(tmp_path / "out", "compare")
    page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert "<title>a/kinematics.mot and b/kinematics.mot" in page  # files of one name are told apart
    late = ["--shift", "0.5"]
    assert cli.main(["compare", *files, *model, *late]) == 0
    assert "0.500 to 1.000 s, 51 samples" in capsys.readouterr().out


def test_files_of_different_kinds_and_places_that_are_not_there(tmp_path, capsys):
    a = write_results(tmp_path / "a")
    with pytest.raises(InputError, match="nothing of the same kind") as error:
        compare(a / "moments.sto", a / "muscle_forces.sto", tmp_path / "out")
    assert "moments (moments.sto)" in error.value.expected
    with pytest.raises(InputError, match="no such folder or file"):
        compare(a, tmp_path / "none", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_one_kind_lacks_does_not_stop_the_others(tmp_path):
    a, b = write_results(tmp_path / "a"), write_results(tmp_path / "b")
    write_storage(b / "muscle_forces.sto", Table(("gastroc_r",), TIME, SWING[:, None]))
    found = compare(a, b, tmp_path / "out")
    assert len(found.groups) == 4
    assert "Muscle forces: not compared. The two have no column in common." in str(found)


def test_a_motion_without_its_unit_is_refused_and_a_false_one_is_noted(tmp_path, caplog):
    a, b = write_results(tmp_path / "a"), write_results(tmp_path / "b", degrees=False)
    text = (b / "kinematics.mot").read_text()
    (b / "kinematics.mot").write_text(text.replace("inDegrees=no\n", ""))
    with pytest.raises(InputError, match="does not say whether it is in degrees"):
        compare(a, b, tmp_path / "out")
    (b / "kinematics.mot").write_text(text.replace("inDegrees=no\n", "inDegrees=yes\n"))
    compare(a, b, tmp_path / "out")
    assert "the angles look like radians: is inDegrees wrong?" in caplog.text


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("ground_force_r_vy", "right_ground_force_vy"),
        ("R_ground_force_px", "right_ground_force_px"),
        ("foot_l_ground_torque_z", "left_ground_torque_z"),
        ("l_ground_moment_x", "left_ground_torque_x"),
        ("1_ground_force_vx", "1_ground_force_vx"),
        ("ground_force_vx", "ground_force_vx"),
    ],
)
def test_the_side_of_a_column(tmp_path, label, name):
    assert list(by_side({label: SWING}, tmp_path / "grf.mot")) == [name]


def test_external_loads_say_the_side_of_a_column(tmp_path):
    path = write_storage(tmp_path / "grf.mot", Table(("1_ground_force_vy",), TIME, SWING[:, None]))
    loads = write_external_loads(tmp_path / "loads.xml", ["calcn_l"])
    loads.write_text(loads.read_text().replace("calcn_l_ground_force_v", "1_ground_force_v"))
    assert list(by_side({"1_ground_force_vy": SWING}, path)) == ["left_ground_force_vy"]
    loads.write_text(loads.read_text().replace(">calcn_l<", ">hand_l<"))
    assert list(by_side({"1_ground_force_vy": SWING}, path)) == ["hand_l_ground_force_vy"]


def test_what_acts_on_one_side_is_added_up_where_it_acts_on_the_foot(tmp_path):
    """Two labels of a side may be one force twice, as measured and filtered, and hands may carry."""
    path = tmp_path / "grf.mot"
    two = {"calcn_l_ground_force_vy": SWING, "toes_l_ground_force_vy": 2 * SWING}
    np.testing.assert_allclose(by_side(two, path)["left_ground_force_vy"], 3 * SWING)
    for names in (("plate_l", "filtered_l"), ("calcn_l", "hand_l")):
        apart = {f"{name}_ground_force_vy": SWING for name in names}
        assert list(by_side(apart, path)) == list(apart)


@pytest.mark.parametrize("stated", [True, False])
def test_the_force_of_a_foot_is_that_of_its_bodies(tmp_path, stated):
    """Loads on heel and toes equal loads on the heels alone, at the common centre of pressure."""
    rng = np.random.default_rng(0)
    bodies = ("calcn_r", "toes_r", "calcn_l", "toes_l")
    force, torque, point = rng.normal(size=(3, 101, 4, 3))
    force[..., 1] = 400 + 300 * rng.random((101, 4))
    point[..., 1] = torque[..., 0] = torque[..., 2] = 0.0  # on the floor, which twists alone
    force[:30, :2] = torque[:30, :2] = 0.0  # the right foot is in the air first
    pairs = slice(None, None, 2), slice(1, None, 2)
    whole = sum(force[:, pair] for pair in pairs)
    moment = sum(np.cross(point, force)[:, pair] + torque[:, pair] for pair in pairs)
    up = np.where(whole[..., 1] > 0, whole[..., 1], 1.0)
    centre = np.stack([moment[..., 2] / up, 0 * up, -moment[..., 0] / up], axis=-1)
    centre[:30, 0] = (point[:30, 0] + point[:30, 1]) / 2
    left_over = moment - np.cross(centre, whole)
    for name, feet, *loads in (
        ("a", bodies, force, point, torque),
        ("b", bodies[::2], whole, centre, left_over),
    ):
        (tmp_path / name).mkdir()
        write_storage(tmp_path / name / "grf.mot", ground_forces_table(feet, TIME, *loads))
        if stated:
            write_external_loads(tmp_path / name / "external_loads.xml", feet)
    (group,) = compare(tmp_path / "a", tmp_path / "b", tmp_path / "out").groups
    names = [prefix + axis for side in ("right", "left") for prefix in force_columns(side) for axis in "xyz"]
    assert [row.name for row in group.differences] == names and not group.only_a + group.only_b
    assert max(row.largest for row in group.differences) < 1e-9


@pytest.mark.parametrize("fault", ["cut", "off"])
def test_external_loads_that_cannot_be_used_are_said(tmp_path, fault):
    path = write_storage(tmp_path / "grf.mot", Table(("1_ground_force_vy",), TIME, SWING[:, None]))
    loads = write_external_loads(tmp_path / "loads.xml", ["calcn_l"])
    text = loads.read_text()
    if fault == "cut":
        loads.write_text(text[:-10])
    else:
        loads.write_text(
            text.replace("</ExternalForce>", "<appliesForce>false</appliesForce></ExternalForce>")
        )
    with pytest.warns(InputWarning, match="loads.xml does not tell the sides"):
        assert list(by_side({"1_ground_force_vy": SWING}, path)) == ["1_ground_force_vy"]


def test_set_ups_and_loads_of_other_tables_are_passed_over(tmp_path):
    path = write_storage(tmp_path / "grf.mot", Table(("1_ground_force_vy",), TIME, SWING[:, None]))
    (tmp_path / "other.xml").write_text("<OpenSimDocument><ExternalLoads>no end, of another.mot")
    (tmp_path / "tool.xml").write_text("<OpenSimDocument><AnalyzeTool>grf.mot")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(by_side({"1_ground_force_vy": SWING}, path)) == ["1_ground_force_vy"]
