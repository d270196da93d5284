import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.static_optimization.comparison import muscle_comparison, write_comparison
from sspinn_opensim.opensim_io.static_optimization.groups import groups_of
from sspinn_opensim.opensim_io.tables.storage import Table, write_storage

MODEL = """<OpenSimDocument Version="40600"><Model name="m"><ForceSet name="forceset"><objects/><groups>
<ObjectGroup name="R_hip_ext"><members> glut_max1_r glut_max2_r elsewhere</members></ObjectGroup>
<ObjectGroup name="L_hip_ext"><members>glut_max1_l glut_max2_l</members></ObjectGroup>
<ObjectGroup name="ankle_pf_r"><members>soleus_r</members></ObjectGroup>
<ObjectGroup name="right_leg"><members>glut_max1_r glut_max2_r soleus_r tib_ant_r</members></ObjectGroup>
</groups></ForceSet></Model></OpenSimDocument>"""
MUSCLES = ("glut_max1_r", "glut_max2_r", "soleus_r", "tib_ant_r", "glut_max1_l", "glut_max2_l", "ercspn_l")


def test_the_groups_of_the_model_are_used_and_no_muscle_is_lost(tmp_path):
    (tmp_path / "m.osim").write_text(MODEL)
    groups = {group.name: group.sides for group in groups_of(tmp_path / "m.osim", MUSCLES)}
    assert groups["hip_ext"] == {
        "right": ("glut_max1_r", "glut_max2_r"),
        "left": ("glut_max1_l", "glut_max2_l"),
    }
    assert "right_leg" not in groups  # a limb says nothing about function
    shown = {name for sides in groups.values() for names in sides.values() for name in names}
    assert shown == set(MUSCLES)
    assert groups["others"] == {"right": ("tib_ant_r",), "left": ("ercspn_l",)}


def test_without_groups_muscles_are_joined_by_name(tmp_path):
    groups = groups_of(
        osim_models.path("planar_gait.osim"), ("glut_med1_r", "glut_med2_r", "vasti_r", "vasti_l")
    )
    assert [(group.name, group.sides) for group in groups] == [
        ("glut_med", {"right": ("glut_med1_r", "glut_med2_r")}),
        ("vasti", {"right": ("vasti_r",), "left": ("vasti_l",)}),
    ]


@pytest.fixture
def trials(tmp_path):
    """Two trials of different length and rate whose curves are known over the share of the window."""
    folders = {}
    for name, rate, gain in (("slow", 50, 100.0), ("fast", 200, 300.0)):
        folder = tmp_path / name
        folder.mkdir()
        time_s = np.linspace(3.0, 3.0 + 50 / rate, 51)
        rise = np.linspace(0, 1, 51)[:, None]
        for file, scale in (("muscle_forces.sto", gain), ("muscle_activations.sto", gain / 1000)):
            write_storage(folder / file, Table(("a_r", "a_l"), time_s, scale * rise * [1.0, 2.0]))
        folders[name] = folder
    return folders


def test_mean_and_deviation_run_over_the_share_of_the_window(trials, tmp_path):
    files = write_comparison(muscle_comparison(trials), tmp_path)
    forces = np.genfromtxt(files[0], delimiter=",", names=True)
    np.testing.assert_allclose(forces["percent"], np.arange(101))
    np.testing.assert_allclose(forces["a_r_mean"], np.linspace(0, 200, 101), atol=1e-3)
    np.testing.assert_allclose(forces["a_l_sd"], np.linspace(0, np.std([200, 600], ddof=1), 101), atol=1e-3)
    rows = (tmp_path / "trials.csv").read_text().splitlines()
    assert rows[0].endswith("peak_a_r_n,peak_a_l_n") and rows[2].startswith("fast,")
    assert rows[2].endswith("300,600")


def test_trials_of_other_muscles_are_not_compared(trials):
    write_storage(
        trials["fast"] / "muscle_forces.sto", Table(("a_r", "b_r"), np.arange(3.0), np.ones((3, 2)))
    )
    with pytest.raises(InputError, match=r"(?s)different muscles.*a_l, b_r"):
        muscle_comparison(trials)


def test_a_folder_without_muscle_forces_is_named(trials, tmp_path):
    with pytest.raises(InputError, match="holds no muscle forces"):
        muscle_comparison(trials | {"empty": tmp_path})
