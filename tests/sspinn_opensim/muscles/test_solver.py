"""Static optimization of whole trials against OpenSim's on the same files."""

import dataclasses
import re
import shutil

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.muscles import MuscleSolver, fast_muscle_forces
from sspinn_opensim.muscles import demand as demand_module
from sspinn_opensim.muscles import solver as solver_module
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage

WINDOW = (8.0, 8.12)
#: Of the maximal isometric force. OpenSim's optimizer, at its strictest, stops within this of the least sum.
AGREES = 1e-4


def difference(found, walk) -> float:
    """Return the largest difference from OpenSim's muscle forces in parts of the maximal isometric force."""
    expected = np.column_stack([walk.forces.column(name) for name in found.muscles])
    np.testing.assert_allclose(found.time_s, walk.forces.time_s, atol=1e-9)
    strongest = MuscleSolver(**{k: walk.files[k] for k in ("model_file", "actuators")}).max_isometric_force
    return float(np.abs((found.forces - expected) / strongest).max())


def edit(path, pattern, replacement):
    text = path.read_text()
    changed = re.sub(pattern, replacement, text, count=1)
    assert changed != text
    path.write_text(changed)


def rewrite(path, change):
    """Write a table again with columns that `change` returns."""
    table = read_storage(path)
    values = table.values.copy()
    for name, column in change(table).items():
        values[:, table.names.index(name)] = column
    write_storage(path, dataclasses.replace(table, values=values))


@pytest.fixture(scope="module")
def walk(walk_files, tmp_path_factory, solve_with_opensim):
    folder = shutil.copytree(walk_files, tmp_path_factory.mktemp("solved") / "results")
    return solve_with_opensim(folder, WINDOW)


@pytest.fixture
def files(walk, tmp_path):
    """Return arguments for a copy of the walk, to be spoilt."""
    folder = shutil.copytree(walk.folder, tmp_path / "copy")
    return dataclasses.replace(walk, folder=folder).files


def test_forces_are_opensims(walk):
    found = fast_muscle_forces(**walk.files, settings=walk.settings, window=WINDOW)
    assert difference(found, walk) < AGREES
    assert not found.failed.any() and len(found.time_s) == 13
    activations = np.column_stack([walk.activations.column(name) for name in found.muscles])
    np.testing.assert_allclose(found.activations, activations, atol=1e-4)
    # The sum that both minimise is not larger here; OpenSim's own stopping leaves it a little above.
    opensims = (walk.activations.values**2).sum(axis=1)
    assert (found.objective < opensims * (1 + 1e-6)).all()


def test_reserves_and_residuals_are_opensims(walk):
    found = fast_muscle_forces(**walk.files, settings=walk.settings, window=WINDOW)
    assert set(found.actuation) | set(found.muscles) <= set(walk.forces.names)
    assert {"residual_pelvis_ty", "reserve_knee_angle_r", "lumbar_extension_torque"} <= set(found.actuation)
    for name, values in found.actuation.items():
        expected = walk.forces.column(name)
        # OpenSim's equations are met in accelerations, which leaves up to 0.01 N of the forces of the root.
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=0.02, err_msg=name)


@pytest.mark.parametrize(
    "settings",
    [{"lowpass_hz": 4.0}, {"physiology": False}, {"activation_exponent": 3.0}],
    ids=lambda settings: next(iter(settings)),
)
def test_every_setting_means_what_it_means_in_opensim(walk_files, tmp_path, solve_with_opensim, settings):
    folder = shutil.copytree(walk_files, tmp_path / "results")
    walk = solve_with_opensim(folder, (8.0, 8.04), **settings)
    found = fast_muscle_forces(**walk.files, settings=walk.settings, window=walk.window)
    assert difference(found, walk) < AGREES


COUPLER = """<ConstraintSet name="constraintset"><objects>
<CoordinateCouplerConstraint name="couple"><isEnforced>true</isEnforced>
<coupled_coordinates_function><PolynomialFunction><coefficients>-0.15 -0.3 0.05</coefficients>
</PolynomialFunction></coupled_coordinates_function>
<independent_coordinate_names>knee_angle_l</independent_coordinate_names>
<dependent_coordinate_name>ankle_angle_l</dependent_coordinate_name><scale_factor>1</scale_factor>
</CoordinateCouplerConstraint></objects></ConstraintSet>"""


#: Cheap but weak: it gives all it has to the ankle that the coupler moves.
ANKLE_ACTUATOR = """<CoordinateActuator name="brace"><coordinate>ankle_angle_l</coordinate>
<optimal_force>2000</optimal_force><min_control>-0.001</min_control><max_control>0.001</max_control>
</CoordinateActuator>"""


def test_couplers_and_locked_coordinates_are_held_by_the_model(walk_files, tmp_path, solve_with_opensim):
    """An ankle that follows its knee passes its moment on to it; a locked trunk asks nothing of anyone."""
    folder = shutil.copytree(walk_files, tmp_path / "results")
    edit(folder / "subject.osim", "</Model>", COUPLER + "</Model>")
    edit(folder / "subject.osim", r"<ForceSet[^>]*>\s*<objects>", lambda m: m[0] + ANKLE_ACTUATOR)
    edit(
        folder / "subject.osim",
        r'(<Coordinate name="lumbar_extension">)([\s\S]*?)(</Coordinate>)',
        lambda m: m[1] + re.sub(r"<locked>.*?</locked>", "", m[2]) + "<locked>true</locked>" + m[3],
    )

    def follow(table):
        knee = np.deg2rad(table.column("knee_angle_l"))
        return {"ankle_angle_l": np.rad2deg(-0.15 * knee**2 - 0.3 * knee + 0.05)}

    rewrite(folder / "kinematics.mot", follow)
    walk = solve_with_opensim(folder, (8.0, 8.04))
    assert not [name for name in walk.forces.names if name.endswith("ve_ankle_angle_l")]
    found = fast_muscle_forces(**walk.files, settings=walk.settings, window=walk.window)
    assert difference(found, walk) < AGREES
    # OpenSim's interior-point optimizer stays about 1e-5 of a control away from a bound.
    np.testing.assert_allclose(found.actuation["brace"], walk.forces.column("brace"), atol=1e-5 * 2000)
    assert np.abs(found.actuation["brace"]).max() == pytest.approx(2.0)


def test_frames_of_a_long_trial_are_solved_in_parts(walk, monkeypatch):
    settings = dataclasses.replace(walk.settings)
    whole = fast_muscle_forces(**walk.files, settings=settings, window=WINDOW)
    monkeypatch.setattr(solver_module, "_BLOCK", 5)
    parts = fast_muscle_forces(**walk.files, settings=settings, window=WINDOW)
    np.testing.assert_allclose(parts.forces, whole.forces, atol=1e-6)
    np.testing.assert_array_equal(parts.time_s, whole.time_s)


def test_one_solver_serves_several_trials(walk):
    solver = MuscleSolver(walk.files["model_file"], actuators=walk.files["actuators"])
    motion, loads = walk.files["motion"], walk.files["external_loads"]
    first = solver.solve(motion, loads, WINDOW)
    solver.solve(motion, None, (7.8, 7.85))
    np.testing.assert_array_equal(solver.solve(motion, loads, WINDOW).forces, first.forces)


def test_the_whole_motion_is_the_window_by_default(walk):
    solver = MuscleSolver(walk.files["model_file"], actuators=walk.files["actuators"])
    found = solver.solve(walk.files["motion"], walk.files["external_loads"])
    np.testing.assert_allclose(found.time_s, read_storage(walk.files["motion"]).time_s, atol=1e-9)
    assert np.isfinite(found.forces).all() and (found.activations <= 1 + 1e-9).all()


def test_what_no_one_can_do_fails_by_frame(walk):
    """Without residuals nothing balances what motion and ground forces leave unexplained."""
    found = fast_muscle_forces(**(walk.files | {"actuators": []}), settings=walk.settings, window=WINDOW)
    assert found.failed.all() and np.isfinite(found.forces).all()


def test_a_motion_without_a_coordinate_is_refused(files):
    table = read_storage(files["motion"])
    kept = [i for i, name in enumerate(table.names) if name != "knee_angle_l"]
    names = tuple(table.names[i] for i in kept)
    write_storage(files["motion"], dataclasses.replace(table, names=names, values=table.values[:, kept]))
    with pytest.raises(InputError, match="knee_angle_l"):
        fast_muscle_forces(**files)


def test_loads_that_end_early_are_refused(files):
    grf = files["model_file"].parent / "grf.mot"
    table = read_storage(grf)
    write_storage(grf, dataclasses.replace(table, time_s=table.time_s[:20], values=table.values[:20]))
    with pytest.raises(InputError, match="do not cover"):
        fast_muscle_forces(**files, window=WINDOW)


def test_an_actuator_of_another_model_is_refused(files):
    edit(files["actuators"][0], "<coordinate>knee_angle_r<", "<coordinate>knee_flexion_r<")
    with pytest.raises(InputError, match=r"knee_flexion_r|reserve_knee_angle_r"):
        fast_muscle_forces(**files)


def test_constraints_between_bodies_are_refused(files):
    weld = (
        '<ConstraintSet name="constraintset"><objects><PointConstraint name="strap">'
        "<socket_body_1>/bodyset/foot_r</socket_body_1><socket_body_2>/bodyset/foot_l</socket_body_2>"
        "</PointConstraint></objects></ConstraintSet>"
    )
    edit(files["model_file"], "</Model>", weld + "</Model>")
    with pytest.raises(InputError, match="constraints between bodies"):
        fast_muscle_forces(**files, window=WINDOW)


def test_a_prescribed_coordinate_is_refused(files):
    function = "<prescribed>true</prescribed><prescribed_function><Constant><value>0</value></Constant>"
    edit(
        files["model_file"],
        r'(<Coordinate name="lumbar_extension">)([\s\S]*?)(</Coordinate>)',
        lambda m: m[1] + m[2] + function + "</prescribed_function>" + m[3],
    )
    with pytest.raises(InputError, match="lumbar_extension"):
        fast_muscle_forces(**files, window=WINDOW)


def test_settings_that_cannot_be_met_are_refused(walk):
    with pytest.raises(InputError, match="power of the activations"):
        fast_muscle_forces(**walk.files, settings=Settings(activation_exponent=1.0), window=WINDOW)


def test_the_model_of_the_set_up_is_the_one_without_contact(walk):
    """With the model's own contact the ground would act twice."""
    with_contact = walk.files | {"model_file": walk.folder / "subject.osim"}
    assert "subject_static_optimization.osim" in str(walk.files["model_file"])
    right = fast_muscle_forces(**walk.files, settings=walk.settings, window=WINDOW)
    twice = fast_muscle_forces(**with_contact, settings=walk.settings, window=WINDOW)
    assert np.abs(twice.forces - right.forces).max() > 10


def test_what_is_built_for_a_model_is_kept(walk, tmp_path, monkeypatch):
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", str(tmp_path / "cache"))
    first = fast_muscle_forces(**walk.files, settings=walk.settings, window=WINDOW)
    monkeypatch.setattr(demand_module, "build", None)
    second = fast_muscle_forces(**walk.files, settings=walk.settings, window=WINDOW)
    np.testing.assert_array_equal(first.forces, second.forces)


def test_another_model_is_built_anew(files, tmp_path, monkeypatch):
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", str(tmp_path / "cache"))
    first = fast_muscle_forces(**files, window=WINDOW)
    edit(files["model_file"], r"(?s)(<Body name=.foot_r.*?<mass>)", r"\g<1>1")
    second = fast_muscle_forces(**files, window=WINDOW)
    assert np.abs(first.forces - second.forces).max() > 1
