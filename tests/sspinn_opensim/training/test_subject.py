import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.functions import Linear
from casadi_dynamics.osim import read_model
from sspinn_opensim.recording import Sensor
from sspinn_opensim.recording.sensors.places import place
from sspinn_opensim.study import CoordinateChoice
from sspinn_opensim.training.coordinates import held_by_choice
from sspinn_opensim.training.motion import standing_height
from sspinn_opensim.training.subject import TRUNK_LEAN_RAD, Subject, make_subject


@pytest.fixture(scope="module")
def gait2354(repository):
    path = repository.parent / "shared" / "models" / "gait2354_subject01.osim"
    if not path.is_file():
        pytest.skip("the public models are not beside this checkout (../shared/models)")
    return read_model(path)


@pytest.fixture(scope="module")
def on_gait2354(gait2354, planar_model, walker):
    """Return a function that makes a subject of the spatial model, given contact points it does not have."""

    def make(fixed=None, recording=walker.recording, middle="pelvis"):
        spheres = tuple(
            dataclasses.replace(sphere, name=f"{sphere.name}_{side}", body=f"calcn_{side}")
            for side in "rl"
            for sphere in planar_model.contact_spheres[:2]
        )
        model = dataclasses.replace(gait2354, contact_spheres=spheres, half_spaces=planar_model.half_spaces)
        sensors = tuple(
            Sensor(body, body)
            for body in (middle, *(f"{b}_{s}" for s in "rl" for b in ("femur", "tibia", "calcn")))
        )
        recording = dataclasses.replace(recording, sensors=sensors)
        return make_subject(model, recording, fixed or {}, height_m=1.8)

    return make


def test_legs_turn_out_of_the_plane_as_each_others_mirror_images(on_gait2354, walker):
    subject = on_gait2354()
    found = {tuple(named(subject, pair)): sign for *pair, sign in subject.mirrored_turns}
    # Both hips count adduction and rotation inward: alike is a difference of none.
    assert found == {(f"hip_{turn}_r", f"hip_{turn}_l"): -1.0 for turn in ("adduction", "rotation")}
    assert walker.subject.mirrored_turns == ()


def with_defaults(model, **values):
    coordinates = (dataclasses.replace(c, default=values.get(c.name, c.default)) for c in model.coordinates)
    return dataclasses.replace(model, coordinates=tuple(coordinates))


@pytest.mark.parametrize("heading", [0.5, np.pi / 2, np.pi])
def test_a_model_may_face_any_way_by_default(spatial_model, walker, heading):
    """As OpenSim's scaling leaves it: facing as the person stood in the static trial."""
    usual, turned = (
        make_subject(with_defaults(spatial_model, pelvis_rotation=yaw), walker.recording, {}, height_m=1.8)
        for yaw in (0.0, heading)
    )
    np.testing.assert_array_equal(turned.usual_posture(), usual.usual_posture())
    np.testing.assert_array_equal(turned.turning(), usual.turning())
    np.testing.assert_array_equal(turned.contact_in_default_posture, usual.contact_in_default_posture)
    model = with_defaults(spatial_model, pelvis_rotation=heading, pelvis_list=0.1)
    held = held_by_choice(CoordinateChoice({}, "planar"), walker.recording.sensors, model)
    assert held["pelvis_rotation"] == 0.0 and held["pelvis_list"] == 0.1


@pytest.mark.parametrize("locked", [True, False])
def test_a_root_that_is_held_turned_is_refused(spatial_model, walker, locked):
    model = with_defaults(spatial_model, pelvis_rotation=0.7)
    coordinates = (
        dataclasses.replace(c, locked=locked and c.name == "pelvis_rotation") for c in model.coordinates
    )
    model = dataclasses.replace(model, coordinates=tuple(coordinates))
    held = held_by_choice(
        CoordinateChoice({} if locked else {"pelvis_rotation": 0.7}, "all"), walker.recording.sensors, model
    )
    with pytest.raises(InputError, match="facing another way than it walks: 'pelvis_rotation'"):
        make_subject(model, walker.recording, held, height_m=1.8)


@pytest.mark.parametrize("function", [Linear(-1.0, 0.0), Linear(2.0, 0.0), Linear(1.0, 0.1)])
def test_steps_of_the_root_are_metres(planar_model, walker, function):
    (root,) = (joint for joint in planar_model.joints if joint.parent.body == "ground")
    forward, *others = root.translations
    slow = dataclasses.replace(root, translations=(dataclasses.replace(forward, function=function), *others))
    joints = tuple(slow if joint is root else joint for joint in planar_model.joints)
    model = dataclasses.replace(planar_model, joints=joints)
    with pytest.raises(InputError, match="cannot move forward and up"):
        make_subject(model, walker.recording, {}, height_m=1.8).roles  # noqa: B018


@pytest.mark.parametrize(
    ("right", "left", "signs"),
    [
        ("x", "-x", [-1.0]),
        ("-y", "y", [-1.0]),
        ("x", "x", [1.0]),
        ("-y", "-y", [1.0]),
        ("z", "z", []),
        ("x", "y", []),
        ("xz", "xz", []),
    ],
)
def test_mirrored_turns_are_about_one_axis_across_the_plane(planar_model, walker, right, left, signs):
    axes = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0), "xz": (0.8, 0.0, 0.6)}
    given = {
        f"hip_{side}": tuple(float(x) * (-1 if axis[0] == "-" else 1) for x in axes[axis.strip("-")])
        for side, axis in (("r", right), ("l", left))
    }
    model = with_joint_axes(planar_model, given)
    subject = dataclasses.replace(walker.subject, model=model)
    pairs = [["hip_flexion_r", "hip_flexion_l"]] * len(signs)
    assert [named(subject, pair) for *pair, _ in subject.mirrored_turns] == pairs
    assert [sign for *_, sign in subject.mirrored_turns] == signs


def test_arms_are_no_legs(planar_model, walker):
    """Limbs that do not carry the feet may turn as they like."""
    turned = with_joint_axes(planar_model, {"hip_r": (1.0, 0.0, 0.0), "hip_l": (-1.0, 0.0, 0.0)})
    subject = dataclasses.replace(walker.subject, model=turned)
    assert len(subject.mirrored_turns) == 1
    trunk = next(joint.child.body for joint in turned.joints if joint.name == "back")
    on_trunk = tuple(dataclasses.replace(sphere, body=trunk) for sphere in turned.contact_spheres)
    arms = dataclasses.replace(turned, contact_spheres=on_trunk)
    assert dataclasses.replace(walker.subject, model=arms).mirrored_turns == ()


def with_joint_axes(model, axes):
    """Return the model with other axes (3,) of the first rotation of some joints."""

    def turned(joint):
        first, *others = joint.rotations
        axis = dataclasses.replace(first, axis=axes.get(joint.name, first.axis))
        return dataclasses.replace(joint, rotations=(axis, *others))

    joints = tuple(turned(joint) if joint.name in axes else joint for joint in model.joints)
    return dataclasses.replace(model, joints=joints)


def named(subject, indices):
    return [subject.model.coordinate_names[i] for i in indices]


def test_roles_of_the_planar_model(walker):
    subject, roles = walker.subject, walker.subject.roles
    assert named(subject, roles.steps) == ["pelvis_tx", "pelvis_ty"]
    assert named(subject, [roles.forward, roles.vertical]) == ["pelvis_tx", "pelvis_ty"]
    assert set(named(subject, roles.root)) == {"pelvis_tilt", "pelvis_tx", "pelvis_ty"}
    legs = {f"{joint}_{side}" for joint in ("hip_flexion", "knee_angle", "ankle_angle") for side in "rl"}
    assert set(named(subject, roles.actuated)) == legs | {"lumbar_extension"}
    assert set(named(subject, roles.posture)) == legs | {"lumbar_extension", "pelvis_tilt"}
    assert roles.fixed == {}


def test_roles_of_a_spatial_model(on_gait2354):
    subject = on_gait2354()
    roles = subject.roles
    assert named(subject, roles.steps) == ["pelvis_tx", "pelvis_ty", "pelvis_tz"]
    assert named(subject, [roles.forward, roles.vertical]) == ["pelvis_tx", "pelvis_ty"]
    turns = {"pelvis_tilt", "pelvis_list", "pelvis_rotation"}
    assert set(named(subject, roles.root)) == turns | {"pelvis_tx", "pelvis_ty", "pelvis_tz"}
    assert not turns & set(named(subject, roles.actuated)) and turns < set(named(subject, roles.posture))
    assert subject.modelled.acceleration.all() and subject.modelled.angular_rate.all()
    assert subject.modelled.force.all()


def test_locked_and_fixed_coordinates_are_not_estimated(on_gait2354, gait2354):
    locked = {c.name: c.default for c in gait2354.coordinates if c.locked}
    subject = on_gait2354({"pelvis_tz": 0.25, "hip_rotation_r": 0.1})
    assert subject.fixed == locked | {"pelvis_tz": 0.25, "hip_rotation_r": 0.1}
    assert (
        dict(zip(named(subject, subject.roles.fixed), subject.roles.fixed.values(), strict=True))
        == subject.fixed
    )
    assert named(subject, subject.roles.steps) == ["pelvis_tx", "pelvis_ty"]
    estimated = {*subject.roles.posture, *subject.roles.steps, *subject.roles.actuated}
    assert not estimated & set(subject.roles.fixed)


def test_a_fixed_value_wins_over_a_locked_default(planar_model, walker):
    coordinates = tuple(
        dataclasses.replace(c, locked=c.name == "lumbar_extension") for c in planar_model.coordinates
    )
    model = dataclasses.replace(planar_model, coordinates=coordinates)
    assert make_subject(model, walker.recording, {}, height_m=1.8).fixed == {"lumbar_extension": 0.0}
    subject = make_subject(model, walker.recording, {"lumbar_extension": -0.1}, height_m=1.8)
    assert subject.fixed == {"lumbar_extension": -0.1}


def test_scales_of_the_body(walker):
    subject = walker.subject
    gravity = np.linalg.norm(walker.model.gravity)
    assert subject.body_weight == pytest.approx(sum(b.mass for b in walker.model.bodies) * gravity)
    assert subject.moment_scale == pytest.approx(1.8 * subject.body_weight)


def test_a_model_without_contact_is_refused(planar_model, walker):
    model = dataclasses.replace(planar_model, contact_spheres=(), contact_forces=())
    with pytest.raises(InputError, match="no contact points") as error:
        make_subject(model, walker.recording, {}, height_m=1.8)
    assert "ContactSphere" in error.value.expected and error.value.fix


def test_an_unknown_fixed_coordinate_is_refused_with_the_nearest(planar_model, walker):
    with pytest.raises(InputError, match="knee_angel_r") as error:
        make_subject(planar_model, walker.recording, {"knee_angel_r": 0.0}, height_m=1.8)
    assert "knee_angle_r" in error.value.fix


@pytest.mark.parametrize("coordinate", ["pelvis_tx", "pelvis_ty"])
def test_a_root_that_cannot_walk_is_refused(planar_model, walker, coordinate):
    with pytest.raises(InputError, match="cannot move forward and up"):
        _ = make_subject(planar_model, walker.recording, {coordinate: 0.9}, height_m=1.8).roles


def test_a_sensor_on_an_unknown_body_is_refused(planar_model):
    with pytest.raises(InputError, match="tibia_x") as error:
        place(Sensor("shank", "tibia_x"), planar_model)
    assert "tibia_" in error.value.fix


def test_an_unknown_imu_frame_is_refused(planar_model):
    with pytest.raises(InputError, match="'shin_imu'") as error:
        place(Sensor("shank", "tibia_r", imu_frame="shin_imu"), planar_model)
    assert "tibia_r_imu" in error.value.expected and "shank" in error.value.where


@pytest.mark.parametrize("origin", ["ankle_l", "hip_r"])
def test_an_origin_joint_elsewhere_is_refused(planar_model, origin):
    with pytest.raises(InputError, match="does not touch body 'tibia_r'") as error:
        place(Sensor("shank", "tibia_r", origin=origin), planar_model)
    assert error.value.fix


def test_an_unknown_origin_joint_is_refused(planar_model):
    with pytest.raises(InputError, match="knie_r") as error:
        place(Sensor("shank", "tibia_r", origin="knie_r"), planar_model)
    assert "knee_r" in error.value.fix


def test_place_counts_from_the_body_s_origin(planar_model):
    frame = place(Sensor("shank", "tibia_r", (0.01, -0.2, 0.03)), planar_model)
    assert (frame.body, frame.position) == ("tibia_r", (0.01, -0.2, 0.03))
    np.testing.assert_array_equal(frame.rotation, np.eye(3))


def test_place_counts_from_the_joint_above(gait2354):
    centre = np.array(gait2354.joint("ankle_r").child.translation)
    frame = place(Sensor("foot", "talus_r", (0.1, -0.03, 0.0), origin="ankle_r"), gait2354)
    np.testing.assert_allclose(frame.position, centre + np.array([0.1, -0.03, 0.0]), rtol=0, atol=1e-15)


def test_place_from_hip_level_has_no_side(gait2354):
    """The hip centres are beside the pelvis; 'hip level' is in its middle, whichever hip is named."""
    right, left = (
        place(Sensor("pelvis", "pelvis", (-0.1, 0.05, 0.0), origin=f"hip_{side}"), gait2354) for side in "rl"
    )
    centre = np.array(gait2354.joint("hip_r").parent.translation)
    assert abs(centre[2]) > 0.05
    np.testing.assert_allclose(right.position, [centre[0] - 0.1, centre[1] + 0.05, 0.0])
    np.testing.assert_allclose(right.position, left.position)


def test_place_takes_a_frame_s_place_and_axes(planar_model):
    frame = next(f for f in planar_model.imu_frames if f.name == "tibia_r_imu")
    found = place(Sensor("shank", "tibia_r", imu_frame="tibia_r_imu"), planar_model)
    assert (found.name, found.body) == ("shank", "tibia_r")
    assert (found.position, found.rotation) == (frame.position, frame.rotation)


def test_only_the_tilt_of_a_pelvis_leans_backward(gait2354):
    """The prior on how the trunk leans is about the tilt; list and rotation are about other axes."""
    subject = Subject(gait2354, None, {}, 1.8, np.zeros(0))
    backward = {gait2354.coordinate_names[i]: z for i, z in subject.root_turns_backward.items()}
    assert backward == pytest.approx(
        {"pelvis_tilt": 1.0, "pelvis_list": 0.0, "pelvis_rotation": 0.0}, abs=1e-12
    )


def test_a_force_on_a_foot_tips_the_root_by_its_lever(on_gait2354, walker):
    """The moment in the frontal plane is that of the cross product, whatever the force and its point."""
    subject = on_gait2354()
    count, points = len(subject.model.coordinates), len(subject.functions.contact_points)
    q = np.array([c.default for c in subject.model.coordinates])
    parts = subject.root_frontal_moment

    def held(force):
        found = subject.dynamics(
            q=q,
            u=np.zeros(count),
            udot=np.zeros(count),
            contact_force=force.ravel(),
            sensor_position=subject.sensor_position,
            parameters=subject.functions.parameters,
        )
        moment = sum(part * float(found["tau"][i]) for i, part in parts.items())
        return moment, np.array(found["contact_position"]).reshape(points, 3)

    force = np.random.default_rng(2).normal(scale=300.0, size=(points, 3))
    alone, place = held(np.zeros((points, 3)))
    origin = q[[subject.model.coordinate_names.index(f"pelvis_t{axis}") for axis in "xyz"]]
    assert held(force)[0] - alone == pytest.approx(-np.cross(place - origin, force)[:, 0].sum(), rel=1e-9)
    assert list(walker.subject.root_frontal_moment.values()) == [0.0]


def test_a_planar_model_feels_only_its_plane(walker):
    modelled = walker.subject.modelled
    assert (modelled.acceleration == [True, True, False]).all()
    assert (modelled.angular_rate == [False, False, True]).all()
    assert (modelled.force == [True, True, False]).all()
    assert walker.signals.acceleration.shape[1] == 14 and walker.signals.angular_rate.shape[1] == 7


def test_the_segment_map_is_exact_in_the_plane(walker):
    """Segments turned by some angles each are what the body shows when the joints follow the map."""
    subject = walker.subject
    model, functions, posture = subject.model, subject.functions, list(subject.roles.posture)
    segments = subject.segment_map()
    assert segments.shape == (8, 8)
    random = np.random.default_rng(3)
    defaults = np.array([c.default for c in model.coordinates])
    for angle in random.uniform(-1.0, 1.0, (5, 8)):
        q = defaults.copy()
        q[posture] += segments @ angle
        zeros = np.zeros(len(q))
        rotation = np.array(
            functions.kinematics(q=q, u=zeros, udot=zeros, parameters=functions.parameters)["rotation"]
        )
        rotation = rotation.reshape(-1, 3, 3)
        np.testing.assert_allclose(np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]), angle, atol=1e-12)


LUMBAR = ["lumbar_extension", "lumbar_bending", "lumbar_rotation"]


def test_a_trunk_that_no_sensor_feels_stays_upright(on_gait2354):
    """Whatever segments an output turns, the trunk stands, to the second order of the pelvis' turn."""
    subject = on_gait2354({"lumbar_extension": 0.0, "lumbar_bending": 0.0})
    assert named(subject, subject.upright) == LUMBAR and not set(LUMBAR) & set(subject.fixed)
    assert set(LUMBAR) < set(named(subject, subject.roles.actuated))  # so moments.sto has its moments
    functions, posture = subject.functions, list(subject.roles.posture)
    segments, random = subject.segment_map(), np.random.default_rng(3)
    q = np.array([c.default for c in subject.model.coordinates])
    zeros = np.zeros(len(q))

    def turned(more):
        out = functions.kinematics(q=q + more, u=zeros, udot=zeros, parameters=functions.parameters)
        axes = dict(zip(functions.bodies, np.array(out["rotation"]).reshape(-1, 3, 3), strict=True))
        return {body: axes[body] for body in ("pelvis", "torso")}

    still, small = turned(zeros), 0.05
    for _ in range(5):
        more = zeros.copy()
        more[posture] = segments @ random.uniform(-small, small, segments.shape[1])
        moved = turned(more)
        off = {body: np.abs(moved[body] - still[body]).max() for body in still}
        assert off["torso"] < 5 * off["pelvis"] ** 2 and off["pelvis"] > 0.01


def test_a_trunk_that_no_sensor_feels_leans_forward_where_outputs_are_zero(on_gait2354, walker):
    subject = on_gait2354({})
    functions, posture = subject.functions, list(subject.roles.posture)
    q = np.array([c.default for c in subject.model.coordinates])
    zeros = np.zeros(len(q))

    def axes(q):
        out = functions.kinematics(q=q, u=zeros, udot=zeros, parameters=functions.parameters)
        return dict(zip(functions.bodies, np.array(out["rotation"]).reshape(-1, 3, 3), strict=True))

    before = axes(q)
    q[posture] = subject.usual_posture()
    turned = {body: Rotation.from_matrix(own @ before[body].T).as_rotvec() for body, own in axes(q).items()}
    np.testing.assert_allclose(turned.pop("torso"), (0, 0, TRUNK_LEAN_RAD), atol=1e-12)
    assert turned and not np.any(list(turned.values()))
    default = [c.default for c in walker.subject.model.coordinates]
    planar = [default[i] for i in walker.subject.roles.posture]
    np.testing.assert_array_equal(walker.subject.usual_posture(), planar)


def test_a_trunk_that_is_felt_or_held_elsewhere_is_not_taken_to_be_upright(on_gait2354, walker):
    assert walker.subject.upright == () and named(walker.subject, walker.subject.unfelt) == LUMBAR[:1]
    leaning = on_gait2354({"lumbar_extension": -0.1})
    assert named(leaning, leaning.upright) == LUMBAR[1:] and leaning.fixed["lumbar_extension"] == -0.1
    felt = on_gait2354({"lumbar_extension": 0.0}, middle="torso")
    assert felt.upright == () and felt.fixed["lumbar_extension"] == 0.0


@pytest.mark.parametrize("floor_m", [0.0, 0.3])
def test_standing_height_puts_the_lowest_point_on_the_floor(walker, floor_m):
    (floor,) = walker.model.half_spaces
    raised = dataclasses.replace(floor, location=(0.0, floor_m, 0.0))
    model = dataclasses.replace(walker.model, half_spaces=(raised,))
    subject = dataclasses.replace(walker.subject, model=model)
    functions = subject.functions
    q = np.array([c.default for c in subject.model.coordinates])
    q[subject.roles.vertical] = standing_height(subject)
    zeros = np.zeros(len(q))
    out = functions.dynamics(
        q=q,
        u=zeros,
        udot=zeros,
        contact_force=np.zeros(12),
        sensor_position=subject.sensor_position,
        parameters=functions.parameters,
    )
    assert np.array(out["contact_position"]).reshape(-1, 3)[:, 1].min() == pytest.approx(floor_m, abs=1e-12)


@pytest.mark.parametrize("estimate", [("pelvis_tx", "pelvis_ty", "pelvis_tilt"), "all"])
def test_a_root_without_joints_is_refused(walker, estimate):
    names = walker.model.coordinate_names
    fixed = {name: 0.0 for name in names if not name.startswith("pelvis")} if estimate == "all" else {}
    held = held_by_choice(CoordinateChoice(fixed, estimate), walker.recording.sensors, walker.model)
    with pytest.raises(InputError, match="No joint is estimated") as error:
        make_subject(walker.model, walker.recording, held, height_m=1.8)
    assert (
        error.value.found == "pelvis_tilt, pelvis_tx, pelvis_ty" and "hip_flexion_r" in error.value.expected
    )
    assert error.value.where == "[coordinates] of the study, model 'planar_gait'" and error.value.fix
