"""The two verbs on small folders: what they write, compare, refuse and leave alone."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim.dynamics.moment_comparison import with_couplers
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import ground_forces_table, kinematics_table, moments_table
from sspinn_opensim.opensim_io.tables.staging import check_files
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.opensim_io.tools import inverse_dynamics as inverse_dynamics_tool
from sspinn_opensim.verbs.inverse_dynamics import inverse_dynamics
from sspinn_opensim.verbs.joint_reactions import joint_reactions
from sspinn_opensim.verbs.trial_of_folder import AnalysedPart, Laboratory

FEET = ("foot_r", "foot_l")
WEIGHT_N = 75.0 * 9.80665


@pytest.fixture(scope="module")
def trial(planar_model, tmp_path_factory):
    """Return a folder with a person who bends the knees slowly, and forces that carry the weight."""
    folder = tmp_path_factory.mktemp("trial")
    time_s = np.arange(120) / 100
    bend = 0.3 + 0.1 * np.sin(2 * np.pi * time_s / 1.2)
    posture = {"pelvis_ty": 1.0 - 0.3 * bend, "pelvis_tilt": -0.1 * bend}
    for side in "rl":
        posture |= {
            f"hip_flexion_{side}": 1.1 * bend,
            f"knee_angle_{side}": -2 * bend,
            f"ankle_angle_{side}": bend,
        }
    names, motions = planar_model.coordinate_names, [c.motion for c in planar_model.coordinates]
    q = np.column_stack([posture.get(name, 0 * time_s) for name in names])
    write_storage(folder / "kinematics.mot", kinematics_table(names, motions, time_s, q))
    force = np.zeros((120, 2, 3))
    force[:, :, 1] = WEIGHT_N / 2
    point = np.zeros((120, 2, 3))
    point[:, :, 0] = 0.05
    write_storage(folder / "grf.mot", ground_forces_table(FEET, time_s, force, point, 0 * force))
    write_external_loads(folder / "external_loads.xml", FEET)
    shutil.copy(osim_models.path("planar_gait.osim"), folder / "subject.osim")
    return folder


@pytest.fixture
def folder(trial, tmp_path):
    """Return a fresh copy of it."""
    return shutil.copytree(trial, tmp_path / "results")


def test_a_results_folder_is_compared_with_its_own_moments(folder, planar_model):
    """Moments that are OpenSim's own but for a known difference; the converted model agrees to rounding."""
    inverse_dynamics_tool.run(folder, inverse_dynamics_tool.prepare(folder, lowpass_hz=6.0))
    own = read_storage(folder / "inverse_dynamics.sto")
    names = [c.name for c in planar_model.coordinates if c.name.startswith(("hip", "knee"))]
    tau = np.column_stack([own.column(f"{name}_moment") for name in names])
    tau[:, names.index("knee_angle_r")] += 8.0
    write_storage(folder / "moments.sto", moments_table(names, ["rotational"] * len(names), own.time_s, tau))
    (folder / "scaling.json").write_text('{"height_m": 1.6}')
    found = inverse_dynamics(folder)
    rows = {row.coordinate: row for row in found.rows}
    assert rows["knee_angle_r"].agreement["moments.sto"].rmsd == pytest.approx(8.0, abs=1e-6)
    assert rows["knee_angle_r"].agreement["moments.sto"].percent == pytest.approx(
        800 / (WEIGHT_N * 1.6), rel=1e-3
    )
    assert rows["hip_flexion_l"].agreement["moments.sto"].rmsd < 1e-6
    assert "moments.sto" not in rows["ankle_angle_r"].agreement
    assert all(row.agreement["converted model"].largest < 1e-6 for row in rows.values())  # eight decimals
    assert rows["pelvis_ty"].residual and not rows["knee_angle_r"].residual
    written = json.loads((folder / "inverse_dynamics.json").read_text())
    assert written["coordinates"]["knee_angle_r"] == dataclasses.asdict(rows["knee_angle_r"])
    assert (written["lowpass_hz"], written["height_m"]) == (6.0, 1.6)
    check_files([folder / "inverse_dynamics_setup.xml", folder / "inverse_dynamics.sto"])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["files"]["inverse_dynamics.sto"]["verb"] == "inverse-dynamics"
    printed = str(found)
    assert "BWBH%" in printed and "residuals" in printed and "filtered at 6 Hz" in printed
    assert "inverse_dynamics_setup.xml" in (folder / "README.txt").read_text()


def test_the_models_own_contact_does_not_act_twice(folder):
    """The feet are 5 cm in the floor; the set-up names a copy of the model whose contact is off."""
    table = read_storage(folder / "kinematics.mot")
    values = table.values.copy()
    values[:, table.names.index("pelvis_ty")] -= 0.05
    write_storage(folder / "kinematics.mot", dataclasses.replace(table, values=values))
    found = inverse_dynamics(folder)
    rows = {row.coordinate: row for row in found.rows}
    # A centimetre in the floor alone would add more than the weight.
    assert rows["pelvis_ty"].peak < 0.2 * WEIGHT_N
    assert "<model_file>subject_inverse_dynamics.osim<" in (folder / "inverse_dynamics_setup.xml").read_text()


def test_forces_that_the_model_was_saved_with_do_not_act(folder):
    """A push of 500 N on the pelvis would be the residual's whole difference."""
    before = inverse_dynamics(folder)
    model = folder / "subject.osim"
    push = "".join(f"<Constant><value>{x}</value></Constant>" for x in (500, 0, 0))
    force = (
        '<PrescribedForce name="push"><socket_frame>/bodyset/pelvis</socket_frame>'
        f'<FunctionSet name="forceFunctions"><objects>{push}</objects></FunctionSet></PrescribedForce>'
    )
    text = re.sub(r"(<ForceSet[^>]*>\s*<objects>)", lambda m: m[1] + force, model.read_text(), count=1)
    assert force in text
    model.write_text(text)
    after = inverse_dynamics(folder)
    assert [row.peak for row in after.rows] == [row.peak for row in before.rows]


def test_an_actuator_with_an_activation_of_its_own_does_not_act(folder):
    """OpenSim's tool would let it act with its default activation, without a word."""
    model = folder / "subject.osim"
    actuator = """<ActivationCoordinateActuator name="motor"><coordinate>knee_angle_r</coordinate>
        <optimal_force>100</optimal_force><default_activation>0.5</default_activation>
        </ActivationCoordinateActuator>"""
    head, mark, tail = model.read_text().partition('<ForceSet name="forceset">')
    assert mark, "the model's ForceSet is written otherwise"
    before, objects, after = tail.partition("<objects>")
    model.write_text(head + mark + before + objects + actuator + after)
    found = inverse_dynamics(folder)
    rows = {row.coordinate: row for row in found.rows}
    assert rows["knee_angle_r"].agreement["converted model"].largest < 1e-6
    assert rows["knee_angle_r"].peak == pytest.approx(rows["knee_angle_l"].peak, abs=1e-6)


def test_a_laboratorys_files_are_brought_in(trial, tmp_path):
    """In radians that the header does not state, under other names, with a table to compare with."""
    lab = tmp_path / "lab"
    lab.mkdir()
    table = read_storage(trial / "kinematics.mot")
    turning = np.array([name not in ("pelvis_tx", "pelvis_ty") for name in table.names])
    radians = np.where(turning, np.deg2rad(table.values), table.values)
    lines = ["walk", "version=1", f"nRows={len(radians)}", f"nColumns={len(table.names) + 1}", "endheader"]
    lines.append("\t".join(("time", *table.names)))
    lines += ["\t".join(map(repr, row)) for row in np.column_stack([table.time_s, radians]).tolist()]
    (lab / "walk.mot").write_text("\n".join(lines) + "\n")
    shutil.copy(trial / "grf.mot", lab / "forces.mot")
    text = (trial / "external_loads.xml").read_text().replace("grf.mot", "forces.mot")
    (lab / "loads.xml").write_text(text)
    given = Laboratory(trial / "subject.osim", lab / "walk.mot", lab / "loads.xml")
    out = tmp_path / "out"
    with pytest.raises(InputError, match="--unit"):
        inverse_dynamics(out, given)
    rows = inverse_dynamics(
        out, dataclasses.replace(given, unit="radians"), part=AnalysedPart(0.3, 0.9, 8.0), height_m=1.7
    ).rows
    assert all(row.agreement["converted model"].largest < 1e-6 for row in rows)
    np.testing.assert_allclose(read_storage(out / "kinematics.mot").values, table.values, rtol=0, atol=1e-9)
    own = read_storage(out / "inverse_dynamics.sto")
    assert 0.29 < own.time_s[0] < 0.32 and 0.88 < own.time_s[-1] < 0.91
    again = inverse_dynamics(out, part=AnalysedPart(0.3, 0.9, 8.0), moments=out / "inverse_dynamics.sto").rows
    assert all(row.agreement["inverse_dynamics.sto"].largest == 0 for row in again)


def test_a_folder_with_an_estimate_is_not_filled_with_other_files(folder):
    (folder / "training").mkdir()
    before = sorted(path.name for path in folder.iterdir())
    given = Laboratory(folder / "subject.osim", folder / "kinematics.mot", folder / "external_loads.xml")
    with pytest.raises(InputError, match="holds an estimate"):
        inverse_dynamics(folder, given)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_moments_without_ground_forces_are_refused(folder, tmp_path):
    """Without them the ankle carries next to nothing, and nothing else tells."""
    files = folder / "subject.osim", folder / "kinematics.mot"
    with pytest.raises(InputError, match="external loads are not clear"):
        Laboratory(*files)
    with pytest.raises(InputError, match="external loads are not clear"):
        Laboratory(*files, folder / "external_loads.xml", untouched=True)
    moments = inverse_dynamics(tmp_path / "free", Laboratory(*files, untouched=True))
    assert {row.coordinate: row.peak for row in moments.rows}["pelvis_ty"] > 0.5 * WEIGHT_N
    (folder / "external_loads.xml").unlink()
    with pytest.raises(InputError, match=r"(?s)no ground forces.*--no-external-loads"):
        inverse_dynamics(folder)
    assert not (folder / "inverse_dynamics.sto").exists()


def test_a_folder_without_a_motion_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"(?s)no motion to analyse.*sspinn estimate"):
        inverse_dynamics(tmp_path / "empty")
    with pytest.raises(InputError, match=r"(?s)no muscle forces.*sspinn muscles"):
        joint_reactions(tmp_path)


def test_a_window_that_the_motion_does_not_cover_is_refused(folder):
    with pytest.raises(InputError, match="the motion does not cover the analysed window"):
        inverse_dynamics(folder, part=AnalysedPart(0.01, 1.0, 6.0))
    with pytest.raises(InputError, match="no time is left"):
        inverse_dynamics(folder, part=AnalysedPart(0.9, 0.4, 6.0))
    assert not (folder / "inverse_dynamics.sto").exists()


def test_what_drives_a_coupled_coordinate_is_counted_where_it_follows(shared):
    """The power of all generalized forces is that of the counted ones, whatever they are."""
    from casadi_dynamics.osim import read_model
    from casadi_dynamics.symbolic import build

    functions = build(read_model(shared / "data/opencap_s4_walking/subject4_optimized.osim"))
    names, free, random = functions.coordinates, list(functions.independent), np.random.default_rng(3)
    assert {"knee_angle_r_beta", "knee_angle_l_beta"} == set(names) - set(free)
    q = random.uniform(0.2, 0.9, (1, len(free)))
    speed = random.uniform(-1, 1, len(free))
    whole = functions.coupling(q.ravel(), speed, np.zeros(len(free)), functions.parameters)
    tau = {name: random.uniform(-50, 50, 1) for name in names}
    seen = dataclasses.make_dataclass("Seen", ["time_s", "held", "column"])(
        np.zeros(1), np.array(whole[0]).T, names.index
    )
    moments = dataclasses.make_dataclass("Moments", ["time_s"])(np.zeros(1))
    result = dataclasses.make_dataclass("Result", ["survey", "moments"])(seen, moments)
    counted = with_couplers(functions, tau, result)
    power = sum(tau[name][0] * u for name, u in zip(names, np.array(whole[1]).ravel(), strict=True))
    assert sum(counted[name][0] * u for name, u in zip(free, speed, strict=True)) == pytest.approx(power)
    assert counted["knee_angle_r_beta"] == 0
