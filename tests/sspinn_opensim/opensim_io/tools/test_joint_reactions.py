"""Joint reactions against sums of forces on the bodies beyond a joint, and faults OpenSim is silent about."""

import dataclasses
import itertools
import json
import shutil
from pathlib import Path

import casadi as ca
import numpy as np
import pytest
from scipy.interpolate import CubicSpline, make_interp_spline

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.muscles import ConditionalPathPoint, MovingPathPoint
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.symbolic.functions import evaluate
from sspinn_opensim.opensim_io.static_optimization import run as static_optimization
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings, prepare
from sspinn_opensim.opensim_io.static_optimization.trial_files import import_trial
from sspinn_opensim.opensim_io.tables.external_loads import read_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import coordinates_of
from sspinn_opensim.opensim_io.tables.staging import check_files
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.opensim_io.tools import inverse_dynamics as inverse_dynamics_tool
from sspinn_opensim.opensim_io.tools import joint_reactions
from sspinn_opensim.opensim_io.tools.joint_reactions import Choices
from sspinn_opensim.verbs.joint_reactions import joint_reactions as joint_reactions_verb
from sspinn_opensim.verbs.trial_of_folder import AnalysedPart, Laboratory

RAW_FORCES = "static_optimization/subject_StaticOptimization_force.sto"
PLANAR_JOINTS = {
    "ankle_r": "foot_r",
    "knee_r": "tibia_r",
    "hip_r": "femur_r",
    "hip_l": "femur_l",
    "back": "torso",
    "ground_pelvis": "pelvis",
}


class Bodies:
    """Motion of all bodies at the times of a table of forces, by the project's own functions."""

    def __init__(self, model_file, filtered, time_s):
        self.model = read_model(model_file)
        functions = build(self.model)
        names = [c.name for c in self.model.coordinates]
        q = coordinates_of(filtered, names, [c.motion for c in self.model.coordinates])
        ends = [(3, np.zeros(q.shape[1])), (4, np.zeros(q.shape[1]))]
        spline = make_interp_spline(filtered.time_s, q, k=5, bc_type=(ends, ends))
        state = [spline(time_s, order) for order in range(3)]
        for k, coordinate in enumerate(self.model.coordinates):
            if coordinate.locked:
                state[0][:, k], state[1][:, k], state[2][:, k] = coordinate.default, 0.0, 0.0
        self.q, self.frames = state[0], len(time_s)
        parameters = np.tile(functions.parameters[:, None], (1, self.frames))
        moved = functions.kinematics.map(self.frames)(*(part.T for part in state), parameters)
        outputs = dict(zip(functions.kinematics.name_out(), moved, strict=True))
        self._outputs = {
            name: np.array(value).T.reshape(self.frames, -1, 3) for name, value in outputs.items()
        }
        self._places = {name: k for k, name in enumerate(functions.bodies)}

    def of(self, name, body):
        """Return a vector of a body in ground, (frames, 3)."""
        return self._outputs[name][:, self._places[body]]

    def rotation(self, body):
        """Return the axes of a body, (frames, 3, 3)."""
        k = 3 * self._places[body]
        return self._outputs["rotation"][:, k : k + 3]

    def placed(self, body, point):
        """Return a point on a body, (3,) or (frames, 3), in ground."""
        if body == "ground":
            return np.broadcast_to(point, (self.frames, 3))
        return self.of("position", body) + np.einsum(
            "nij,nj->ni", self.rotation(body), np.broadcast_to(point, (self.frames, 3))
        )

    def beyond(self, joint):
        """Return the names of the bodies beyond a joint."""
        found = {joint.child.body}
        while more := {j.child.body for j in self.model.joints if j.parent.body in found} - found:
            found |= more
        return found

    def path(self, muscle):
        """Return body, place in ground and whether it is on the path, of every point of a muscle."""
        found = []
        for point in muscle.path.points:
            active, location = np.ones(self.frames, bool), None
            if isinstance(point, MovingPathPoint):
                columns = [
                    self._along(function, coordinate)
                    for function, coordinate in zip(point.location, point.coordinates, strict=True)
                ]
                location = (
                    np.column_stack(columns) @ np.transpose(point.frame.rotation) + point.frame.translation
                )
            else:
                location = np.array(point.location)
            if isinstance(point, ConditionalPathPoint):
                value, (low, high) = self._coordinate(point.coordinate), point.range
                active = (value >= low - 1e-5) & (value <= high + 1e-5)
            found.append((point.body, self.placed(point.body, location), active))
        return found

    def _coordinate(self, name):
        return self.q[:, self.model.coordinate_names.index(name)]

    def _along(self, function, coordinate):
        x = ca.SX.sym("x")
        values = ca.Function("f", [x], [evaluate(function, x)[0]])
        return np.array(values(self._coordinate(coordinate) if coordinate else np.zeros(self.frames))).ravel()


def reaction(bodies, joint_name, loads, forces):
    """Return force, moment and point of a joint on its child in ground: what the bodies beyond it still need.

    Newton's and Euler's equations of the bodies beyond the joint, less ground forces and the pull of muscles.
    """
    joint = next(j for j in bodies.model.joints if j.name == joint_name)
    beyond, gravity = bodies.beyond(joint), np.array(bodies.model.gravity)
    centre = bodies.placed(joint.child.body, joint.child.translation)
    force, moment = np.zeros_like(centre), np.zeros_like(centre)

    def add(f, at, torque=0.0):
        nonlocal force, moment
        force, moment = force + f, moment + torque + np.cross(at - centre, f)

    for body in bodies.model.bodies:
        if body.name not in beyond:
            continue
        arm = bodies.placed(body.name, body.mass_center) - bodies.of("position", body.name)
        w, alpha = bodies.of("omega", body.name), bodies.of("alpha", body.name)
        a = bodies.of("acceleration", body.name) + np.cross(alpha, arm) + np.cross(w, np.cross(w, arm))
        xx, yy, zz, xy, xz, yz = body.inertia
        axes = bodies.rotation(body.name)
        inertia = axes @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ axes.transpose(0, 2, 1)
        spin = np.einsum("nij,nj->ni", inertia, alpha) + np.cross(w, np.einsum("nij,nj->ni", inertia, w))
        add(body.mass * (a - gravity), bodies.placed(body.name, body.mass_center), spin)
    vectors = CubicSpline(loads.time_s, loads.vectors, bc_type="natural")(forces.time_s)
    for load, (f, at, torque) in zip(loads.forces, np.moveaxis(vectors, 0, 2), strict=True):
        if load.body in beyond:
            add(-f, at, -torque)
    for k, body, at, f in _pulls(bodies, forces):
        if body in beyond:
            force[k] -= f
            moment[k] -= np.cross(at - centre[k], f)
    return force, moment, centre


def _pulls(bodies, forces):
    """Yield frame, body, point and force of every pull of a muscle on a point of its path."""
    for muscle in bodies.model.muscles:
        tension, points = forces.column(muscle.name), bodies.path(muscle)
        for k in range(bodies.frames):
            on_path = [(body, at[k]) for body, at, active in points if active[k]]
            for (one, start), (other, end) in itertools.pairwise(on_path):
                pull = tension[k] * (end - start) / np.linalg.norm(end - start)
                yield k, one, start, pull
                yield k, other, end, -pull


def reported(table, joint, body):
    """Return force, moment and point of a table in ground."""
    prefix = f"{joint}_on_{body}_in_ground_"
    return [np.column_stack([table.column(f"{prefix}{part}{x}") for x in "xyz"]) for part in "fmp"]


@pytest.fixture(scope="module")
def optimized(_prepared, tmp_path_factory):
    """Return a folder with muscle forces of the crouch, unfiltered."""
    folder = Path(shutil.copytree(_prepared, tmp_path_factory.mktemp("optimized") / "results"))
    assert static_optimization.run(folder, workers=1).ok
    return folder


@pytest.fixture
def folder(optimized, tmp_path):
    """Return a fresh copy of it."""
    return Path(shutil.copytree(optimized, tmp_path / "results"))


@pytest.fixture(scope="module")
def seen(optimized):
    """Return the survey of the crouch, which tests that do not change it can share."""
    return inverse_dynamics_tool.checked(optimized, joint_reactions.sources_of(optimized).trial)[0]


def compute(folder, choices=None, seen=None):
    """Prepare and run, as the verb does."""
    sources = joint_reactions.sources_of(folder)
    trial = joint_reactions.prepare(folder, sources, choices or Choices())
    return joint_reactions.run(folder, trial, seen or inverse_dynamics_tool.checked(folder, trial)[0])


def filtered_motion(folder, trial):
    """Return the coordinates of a folder as OpenSim filters them."""
    own = inverse_dynamics_tool.prepare(
        folder, window=(trial.from_s, trial.to_s), lowpass_hz=trial.lowpass_hz
    )
    return inverse_dynamics_tool.run(folder, own).filtered


def check_against_sums(folder, joints, tolerance):
    result = compute(folder, Choices(tuple(joints), "child", "ground"))
    trial = joint_reactions.sources_of(folder).trial
    forces = read_storage(folder / "joint_reactions_forces.sto")
    assert np.array_equal(forces.time_s, result.table.time_s)
    bodies = Bodies(folder / trial.model, filtered_motion(folder, trial), forces.time_s)
    loads = read_external_loads(folder / trial.external_loads)
    for joint, body in joints.items():
        for ours, theirs in zip(
            reaction(bodies, joint, loads, forces), reported(result.table, joint, body), strict=True
        ):
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=tolerance, err_msg=joint)
    return result


def test_reactions_are_what_the_bodies_beyond_a_joint_still_need(folder):
    """Coordinate actuators act about the joint's own axes and are part of the moment; muscles are not."""
    # The files have 12 significant digits of forces up to 2000 N; OpenSim solves to 1e-6.
    result = check_against_sums(folder, PLANAR_JOINTS, tolerance=5e-6)
    peak = result.joints["knee_r"]
    assert peak["on"] == "tibia_r" and peak["in"] == "ground"
    assert 2.0 < peak["peak_force_bw"] < 3.0  # crouching: more than the weight, as the vasti pull as well
    assert read_storage(folder / "joint_reactions.sto").names == result.table.names


HAMNER = "data/hamner2013_running/subject01"


@pytest.mark.slow
def test_reactions_of_a_real_runner_are_those_sums_too(shared, tmp_path):
    """37 coordinates, 92 muscles, moving path points, a filter: the right foot on the ground."""
    data, folder = shared / HAMNER, tmp_path
    settings = Settings(lowpass_hz=15.0)
    trial = import_trial(
        data / "subject01_scaled.osim",
        data / "Run_3_ik.mot",
        data / "Run_3_grf.xml",
        folder,
        settings=settings,
        from_s=0.60,
        to_s=0.75,
    )
    prepare(folder, window=trial.window, settings=settings)
    static_optimization.run(folder, workers=1)
    joints = {"ankle_r": "talus_r", "knee_r": "tibia_r", "hip_r": "femur_r", "back": "torso"}
    # What the optimizer leaves of its constraints on accelerations makes 0.08 of 7500 N here.
    result = check_against_sums(folder, joints, tolerance=0.2)
    peaks = {joint: result.joints[joint]["peak_force_bw"] for joint in joints}
    # Running: measured and modelled contact forces of hip and knee are some 5 to 14 body weights, the ankle's
    # larger than the knee's in push-off (Scott and Winter 1990; Rooney and Derrick 2013).
    assert 5 < peaks["hip_r"] < 14 and 5 < peaks["knee_r"] < 14 and 6 < peaks["ankle_r"] < 15
    assert any("reserve" in warning for warning in result.warnings)
    setup = folder / "static_optimization_setup.xml"
    replace_text(
        setup,
        "<lowpass_cutoff_frequency_for_coordinates>15.0",
        "<lowpass_cutoff_frequency_for_coordinates>6.0",
    )
    with pytest.raises(
        InputError, match="computed for another motion, other ground forces or another filter"
    ):
        compute(folder)


def test_axes_and_body_can_be_chosen(folder, seen):
    """The force on the parent is the opposite; in the child's axes it is the same vector, turned."""
    on_child = compute(folder, Choices(("knee_r",), "child", "ground"), seen).table.values
    on_parent = compute(folder, Choices(("knee_r",), "parent", "ground"), seen).table.values
    np.testing.assert_allclose(on_parent[:, :3], -on_child[:, :3], rtol=0, atol=1e-6)
    turned = compute(folder, Choices(("knee_r",)), seen).table
    assert turned.names[0] == "knee_r_on_tibia_r_in_tibia_r_fx"
    np.testing.assert_allclose(
        np.linalg.norm(turned.values[:, :3], axis=1), np.linalg.norm(on_child[:, :3], axis=1), rtol=1e-9
    )
    assert (turned.values[:, 1] < -1000).all()  # the shank is compressed along its own axis


def test_the_folder_can_be_moved_and_the_order_of_columns_does_not_matter(folder, tmp_path, seen):
    """OpenSim alone would read beyond its table of forces: thousands of newtons of error, or no numbers."""
    expected = compute(folder, seen=seen).table.values
    (tmp_path / "elsewhere").mkdir()
    moved = Path(shutil.move(folder, tmp_path / "elsewhere"))
    check_files([moved / "joint_reactions_setup.xml", moved / "joint_reactions.sto"])
    rewrite(moved / RAW_FORCES, lambda n, t, v: (n[::-1], t, v[:, ::-1]))
    np.testing.assert_array_equal(compute(moved, seen=seen).table.values, expected)


def test_a_laboratory_can_bring_its_own_muscle_forces(folder, tmp_path, seen):
    """Under other names, with more columns than needed in front, from a model whose contact still acts."""
    expected = compute(folder, seen=seen).table.values
    table = read_storage(folder / RAW_FORCES)
    more = np.column_stack([np.full(len(table.time_s), 1e6), table.values])
    write_storage(tmp_path / "so.sto", Table(("other", *table.names), table.time_s, more, False, "lab"))
    given = Laboratory(
        folder / "subject.osim",
        folder / "kinematics.mot",
        folder / "external_loads.xml",
        forces=tmp_path / "so.sto",
        actuators=(folder / "static_optimization_actuators.xml",),
    )
    out, part = tmp_path / "out", AnalysedPart(0.3, 0.6, 0.0)
    result = joint_reactions_verb(out, given, part=part)
    # The motion is written anew in degrees: the last digits differ.
    np.testing.assert_allclose(result.table.values, expected, rtol=0, atol=1e-5)
    written = json.loads((out / "joint_reactions.json").read_text())
    assert written["joints"] == result.joints and written["window_s"] == [0.3, 0.6]
    assert "knee_r" in str(result)
    assert "joint_reactions_setup.xml" in (out / "README.txt").read_text()
    with pytest.raises(InputError, match="joint reactions need muscle forces"):
        joint_reactions_verb(tmp_path / "none", dataclasses.replace(given, forces=None), part=part)


def rewrite(path, change):
    """Write a table changed: `change` gets names, times and values."""
    table = read_storage(path)
    names, time_s, values = change(list(table.names), table.time_s, table.values.copy())
    write_storage(path, Table(tuple(names), time_s, values, False, table.header))


def without(name):
    def change(names, time_s, values):
        k = names.index(name)
        return names[:k] + names[k + 1 :], time_s, np.delete(values, k, axis=1)

    return change


def replace_text(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def contact_on(folder):
    replace_text(folder / "subject_static_optimization.osim", "<appliesForce>false", "<appliesForce>true")


def stray_actuator(folder):
    """Put an actuator where OpenSim's tools do not look for one."""
    stray = "<CoordinateActuator name='stray'><coordinate>knee_angle_r</coordinate></CoordinateActuator>"
    components = f"<ComponentSet name='componentset'><objects>{stray}</objects></ComponentSet>"
    replace_text(folder / "subject_static_optimization.osim", "<ForceSet ", f"{components}<ForceSet ")


def other_motion(folder):
    """Let the pelvis go up and down half as far again."""
    table = read_storage(folder / "kinematics.mot")
    height = table.names.index("pelvis_ty")
    values = table.values.copy()
    values[:, height] += 0.5 * (values[:, height] - values[:, height].mean())
    write_storage(folder / "kinematics.mot", Table(table.names, table.time_s, values, True, "other"))


#: Fault -> how it is planted and what the error says.
FAULTS = {
    "no muscle forces": (lambda f: (f / RAW_FORCES).unlink(), "forces of static optimization are missing"),
    "no set-up": (lambda f: (f / "static_optimization_setup.xml").unlink(), "no muscle forces"),
    "a muscle without forces": (
        lambda f: rewrite(f / RAW_FORCES, without("soleus_r")),
        "1 of 29 actuators have no force: soleus_r",
    ),
    "a reserve without forces": (
        lambda f: rewrite(f / RAW_FORCES, without("reserve_knee_angle_r")),
        "1 of 29 actuators have no force: reserve_knee_angle_r",
    ),
    "muscles alone": (
        lambda f: shutil.copy(f / "muscle_forces.sto", f / RAW_FORCES),
        "11 of 29 actuators have no force",
    ),
    "every third frame": (
        lambda f: rewrite(f / RAW_FORCES, lambda n, t, v: (n, t[::3], v[::3])),
        "do not cover the frames",
    ),
    "a gap": (
        lambda f: rewrite(f / RAW_FORCES, lambda n, t, v: (n, np.delete(t, [8, 9]), np.delete(v, [8, 9], 0))),
        "do not cover the frames",
    ),
    "no number": (lambda f: replace_text(f / RAW_FORCES, "\n0.4\t", "\n0.4\tnan\t"), "line|number|cells"),
    "contact in the model": (contact_on, "contact forces act in the model besides"),
    "an actuator outside the ForceSet": (stray_actuator, "(?s)outside the ForceSet.*found: stray"),
    "replaced forces": (
        lambda f: replace_text(
            f / "static_optimization_setup.xml", "<replace_force_set>false", "<replace_force_set>true"
        ),
        "replace_force_set true",
    ),
    "forces of another time": (
        lambda f: rewrite(
            f / RAW_FORCES, lambda n, t, v: (n, t, v + 30 * (np.array(n) == "residual_pelvis_ty"))
        ),
        "computed for another motion",
    ),
    "ground forces changed since": (
        lambda f: rewrite(f / "grf.mot", lambda n, t, v: (n, t, v * 1.1)),
        "computed for another motion.*at 'pelvis_",
    ),
    "motion changed since": (other_motion, "computed for another motion.*at 'pelvis_"),
}


def test_forces_of_a_motion_with_a_jolt_belong_to_it(folder):
    """Static optimization takes accelerations from speeds, inverse dynamics from the coordinates."""
    table = read_storage(folder / "kinematics.mot")
    height, since_s = table.names.index("pelvis_ty"), table.time_s - table.time_s.mean()
    table.values[:, height] += 2e-3 * np.sin(2 * np.pi * 18 * since_s) * np.exp(-((since_s / 0.05) ** 2))
    write_storage(folder / "kinematics.mot", table)
    static_optimization.run(folder, workers=1)
    trial = joint_reactions.sources_of(folder).trial
    own = inverse_dynamics_tool.prepare(folder, window=(trial.from_s, trial.to_s), lowpass_hz=0.0)
    needed = inverse_dynamics_tool.run(folder, own).tau("pelvis_ty")
    given = read_storage(folder / RAW_FORCES).column("residual_pelvis_ty")
    seen, _ = inverse_dynamics_tool.checked(folder, trial)
    assert np.abs(given - needed).max() > 0.01 * seen.body_weight_n  # more than other motions are told by
    assert compute(folder, seen=seen).joints


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_opensim_keeps_silent_about_is_refused(folder, seen, fault):
    plant, message = FAULTS[fault]
    plant(folder)
    with pytest.raises(InputError, match=f"(?s){message}"):
        compute(folder, seen=None if "changed since" in fault else seen)
    assert not (folder / "joint_reactions.sto").exists()


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (Choices(("hip_rr",)), "(?s)no joint 'hip_rr'.*did you mean 'hip_r'"),
        (Choices(on="tibia_r"), "cannot be given on 'tibia_r'"),
        (Choices(expressed_in="tibia"), "(?s)cannot be given in 'tibia'.*did you mean 'tibia_"),
    ],
)
def test_what_the_model_does_not_have_is_refused(folder, choices, message):
    with pytest.raises(InputError, match=message):
        compute(folder, choices)
