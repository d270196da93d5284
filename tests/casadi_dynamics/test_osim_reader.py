"""What the reader takes, what it leaves aside for a reason, and what it refuses with file and line."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim import read_model

SPHERE = (
    '<ContactSphere name="{name}"><socket_frame>{frame}</socket_frame><location>0.1 0 0</location>'
    "<radius>0.03</radius></ContactSphere>"
)
FLOOR = (
    '<ContactHalfSpace name="floor"><socket_frame>/ground</socket_frame><location>0 0.1 0</location>'
    "<orientation>{orientation}</orientation></ContactHalfSpace>"
)
LAW = (
    '<SmoothSphereHalfSpaceForce name="touch"><socket_sphere>/contactgeometryset/{sphere}</socket_sphere>'
    "<socket_half_space>/contactgeometryset/floor</socket_half_space><stiffness>1e6</stiffness>"
    "<dissipation>2</dissipation><static_friction>0.8</static_friction>"
    "<dynamic_friction>0.7</dynamic_friction><viscous_friction>0.5</viscous_friction>"
    "<transition_velocity>0.2</transition_velocity><constant_contact_force>1e-5</constant_contact_force>"
    "<hertz_smoothing>300</hertz_smoothing><hunt_crossley_smoothing>50</hunt_crossley_smoothing>"
    "</SmoothSphereHalfSpaceForce>"
)


def contact(geometry, forces=""):
    return (
        f"<ContactGeometrySet><objects>{geometry}</objects></ContactGeometrySet>"
        f"<ForceSet><objects>{forces}</objects></ForceSet>"
    )


def test_reads_numbers_names_and_frames(osim, read):
    imu = osim.frame("rod_imu", "..", "0.01 0.02 0.03", "0 0 1.5707963267948966")
    text = osim.document(
        bodies=osim.body(more=f"<components>{imu}<Marker name='m'/></components>"),
        more=contact(
            SPHERE.format(name="ball", frame="/bodyset/rod/rod_imu")
            + FLOOR.format(orientation="0 0 -1.570796326"),
            LAW.format(sphere="ball"),
        ),
    )
    model = read(text)
    assert (model.name, model.gravity, model.total_mass) == ("tiny", (0.0, -9.81, 0.0), 2.0)
    assert model.body("rod").inertia == (0.02, 0.03, 0.04, 0.001, -0.002, 0.003)
    assert model.coordinate_names == ("angle",) == model.root_coordinates()
    assert model.coordinate("angle").motion == "rotational"
    (sensor,) = model.imu_frames
    assert (sensor.name, sensor.body, sensor.position) == ("rod_imu", "rod", (0.01, 0.02, 0.03))
    np.testing.assert_allclose(sensor.rotation, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)
    # The sphere sits 0.1 m along the turned x axis of the frame, which is the y axis of the body.
    np.testing.assert_allclose(model.contact_spheres[0].location, (0.01, 0.12, 0.03), atol=1e-15)
    assert model.half_spaces[0].height == pytest.approx(0.1)
    assert model.contact_forces[0].stiffness == 1e6
    assert model.ignored == ("Marker 'm': it observes the model and exerts no force",)


def test_orders_joints_by_the_tree_and_keeps_the_files_order_of_coordinates(osim, read):
    bodies = osim.body("hand") + osim.body("arm")
    joints = osim.joint(name="wrist", parent="/bodyset/arm", child="/bodyset/hand", names=("bend",))
    joints += osim.joint(name="shoulder", child="/bodyset/arm", names=("lift",))
    model = read(osim.document(bodies, joints))
    assert [joint.name for joint in model.joints] == ["shoulder", "wrist"]
    assert model.coordinate_names == ("bend", "lift")
    assert model.root_coordinates() == ("lift",)


def test_offset_frames_chain_whatever_their_order(osim, read):
    frames = osim.frame("second", "../first", "0 1 0") + osim.frame(
        "first", "..", "1 0 0", "0 0 1.5707963267948966"
    )
    frames += osim.frame("sensor_imu", "/bodyset/rod/second", "0 0 1")
    model = read(osim.document(bodies=osim.body(more=f"<components>{frames}</components>")))
    np.testing.assert_allclose(model.imu_frames[0].position, (0, 0, 1), atol=1e-15)


def test_a_joint_frame_may_bear_the_name_of_its_body(osim, read):
    joint = osim.joint().replace("moving", "rod")
    model = read(osim.document(joints=joint))
    assert model.joints[0].child.body == "rod"
    assert model.joints[0].child.translation == (-0.2, 0.1, 0.15)


def test_colons_in_tags_are_read(osim, read):
    text = osim.document(
        more="<ForceSet><objects><HuntCrossleyForce name='f'><A::B/></HuntCrossleyForce></objects></ForceSet>"
    )
    assert read(text).forces[0].name == "f"


def test_content_hash_tells_models_apart(osim, read):
    same, heavier = osim.document(), osim.document(osim.body(mass="2.5"))
    assert read(same).content_hash == read(same).content_hash != read(heavier).content_hash


def refused(read, text, *parts):
    """Read text that must be refused; the one message names file and line, and contains `parts`."""
    with pytest.raises(InputError) as caught:
        read(text)
    for part in ("tiny.osim, line ", *parts):
        assert part in str(caught.value)
    assert caught.value.fix
    return caught.value


def test_refuses_files_that_are_no_models(osim, read, tmp_path):
    good = osim.document()
    refused(read, good.replace('Version="40000"', 'Version="30516"'), "older version", "30516")
    refused(read, good.replace('Version="40000"', ""), "older version")
    refused(
        read,
        "<OpenSimDocument Version='40000'><ScaleTool/></OpenSimDocument>",
        "not an OpenSim model",
        "ScaleTool",
    )
    refused(read, "<Model/>", "not an OpenSim model")
    refused(read, good.replace("</Model>", ""), "not well-formed")
    refused(read, "", "not well-formed")
    refused(read, "\x01\x02", "not well-formed")
    for missing in (tmp_path / "absent.osim", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_model(missing)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("<mass>2</mass>", "", "has no <mass>"),
        ("<mass>2</mass>", "<mass/>", "an empty element"),
        ("<mass>2</mass>", "<mass>nan</mass>", "finite numbers"),
        ("<mass>2</mass>", "<mass>inf</mass>", "finite numbers"),
        ("<mass>2</mass>", "<mass>two</mass>", "finite numbers"),
        ("<mass>2</mass>", "<mass>2 3</mass>", "1 finite numbers"),
        ("<mass>2</mass>", "<mass>-2</mass>", "negative mass"),
        ("0.1 -0.2 0.03", "0.1 -0.2", "3 finite numbers"),
        ("0.02 0.03 0.04 0.001 -0.002 0.003", "-0.02 0.03 0.04 0 0 0", "negative mass or moment"),
        ("0 -9.81 0", "0 NaN 0", "<gravity>"),
        ('<Body name="rod">', "<Body>", "attached to 'rod'"),
        ('<Coordinate name="angle"/>', "", "wrong number of coordinates"),
        (
            '<Coordinate name="angle"/>',
            '<Coordinate name="angle"><locked>maybe</locked></Coordinate>',
            "neither",
        ),
        ('<Coordinate name="angle"/>', '<Coordinate name="angle"><range>1</range></Coordinate>', "<range>"),
        ("<socket_child_frame>moving</socket_child_frame>", "", "has no <socket_child_frame>"),
        ("<socket_child_frame>moving<", "<socket_child_frame>movin<", "did you mean 'moving'?"),
        ("<socket_parent>/bodyset/rod<", "<socket_parent>/bodyset/rot<", "did you mean 'rod'?"),
        ("<socket_parent>/bodyset/rod<", "<socket_parent>../moving<", "hangs on itself"),
        ('name="moving"', 'name="fixed"', "of a frame occurs twice"),
        ("PinJoint", "FreeJoint", "wrong number of coordinates"),
        ("PinJoint", "EllipsoidJoint", "wrong number of coordinates"),
        ("PinJoint", "OddJoint", "OddJoint 'hinge' cannot be converted"),
        ("<socket_parent>/ground<", "<socket_parent>/bodyset/rod<", "one chain"),
    ],
)
def test_refuses_a_broken_part(osim, read, old, new, part):
    text = osim.document()
    assert old in text
    refused(read, text.replace(old, new), part)


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (
            "<ConstraintSet><objects><RollingOnSurfaceConstraint name='c'/></objects></ConstraintSet>",
            "RollingOnSurfaceConstraint 'c' cannot be converted",
        ),
        ("<ForceSet><objects><BushingForce name='f'/></objects></ForceSet>", "BushingForce 'f'"),
        (
            "<ControllerSet><objects><ReflexController name='r'/></objects></ControllerSet>",
            "ReflexController 'r'",
        ),
        ("<ComponentSet><objects><Body name='b'/></objects></ComponentSet>", "Body 'b'"),
        ("<components><PinJoint name='b'/></components>", "PinJoint 'b'"),
        ("<SomethingNew/>", "SomethingNew"),
        (contact(SPHERE.format(name="ball", frame="/bodyset/rob")), "did you mean 'rod'?"),
        (
            contact(SPHERE.format(name="ball", frame="/bodyset/rod") * 2),
            "name 'ball' of a contact geometry occurs twice",
        ),
        (
            contact(FLOOR.format(orientation="0 0 -1.570796"), LAW.format(sphere="ball")),
            "contact geometry '/contactgeometryset/ball'",
        ),
    ],
)
def test_refuses_what_it_cannot_convert(osim, read, more, part):
    refused(read, osim.document(more=more), part)


def test_refuses_names_that_occur_twice(osim, read):
    two = osim.body() + osim.body("other")
    other = {"child": "/bodyset/other"}
    refused(read, osim.document(osim.body() * 2), "name 'rod' of a body occurs twice")
    refused(
        read,
        osim.document(two, osim.joint() + osim.joint(name="again", **other)),
        "name 'angle' of a coordinate occurs twice",
    )
    refused(
        read,
        osim.document(two, osim.joint() + osim.joint(names=("b",), **other)),
        "name 'hinge' of a joint occurs twice",
    )
    frames = "<components>" + osim.frame("chip_imu", "..") + "</components>"
    joints = osim.joint() + osim.joint(name="second", names=("b",), **other)
    bodies = osim.body(more=frames) + osim.body("other", more=frames)
    refused(read, osim.document(bodies, joints), "name 'chip_imu' of an IMU frame occurs twice")


def test_refuses_bodies_that_do_not_hang_in_one_tree(osim, read):
    two = osim.body() + osim.body("other")
    refused(read, osim.document(two), "from ground to body 'other'")
    again = osim.joint(name="again", names=("b",))
    refused(read, osim.document(joints=osim.joint() + again), "closes a loop", "one tree")
    loop = osim.joint(parent="/bodyset/other") + osim.joint(
        name="back", parent="/bodyset/rod", child="/bodyset/other", names=("b",)
    )
    refused(read, osim.document(two, loop), "one chain")


def test_refuses_components_of_bodies_that_are_not_frames(osim, read):
    body = osim.body(more="<components><Body name='inner'/></components>")
    refused(read, osim.document(body), "Body 'inner'")


LINEAR = "<LinearFunction><coefficients>1 0</coefficients></LinearFunction>"


@pytest.mark.parametrize(
    ("axis", "part"),
    [
        (("angle", "0 0 0", LINEAR), "no direction"),
        (("angel", "0 0 1", LINEAR), "did you mean 'angle'?"),
        (("angle other", "0 0 1", LINEAR), "several coordinates"),
        (("angle", "0 0 1", ""), "exactly one function"),
        (("angle", "0 0 1", LINEAR * 2), "exactly one function"),
        (
            ("angle", "0 0 1", "<PiecewiseConstantFunction name='s'/>"),
            "PiecewiseConstantFunction 's' cannot be converted",
        ),
        (("angle", "0 0 1", LINEAR.replace("1 0", "1")), "2 finite numbers"),
        (("angle", "0 0 1", "<MultiplierFunction><function/></MultiplierFunction>"), "exactly one function"),
        (("angle", "0 0 1", "<SimmSpline><x>0 1 1</x><y>0 1 2</y></SimmSpline>"), "x not rising"),
        (("angle", "0 0 1", "<SimmSpline><x>0 1 2</x><y>0 1</y></SimmSpline>"), "3 x and 2 y"),
        (("angle", "0 0 1", "<SimmSpline><x>0</x><y>0</y></SimmSpline>"), "2 or more"),
    ],
)
def test_refuses_a_broken_axis(osim, read, axis, part):
    transform = osim.spatial_transform(rotation1=axis)
    refused(read, osim.document(joints=osim.joint("CustomJoint", more=transform)), part)


def test_refuses_a_custom_joint_without_its_axes(osim, read):
    refused(read, osim.document(joints=osim.joint("CustomJoint")), "no <SpatialTransform>")
    transform = osim.spatial_transform().replace('name="translation3"', 'name="translation4"')
    refused(
        read, osim.document(joints=osim.joint("CustomJoint", more=transform)), "did you mean 'translation"
    )


def test_refuses_a_prescribed_coordinate(osim, read):
    prescribed = '<Coordinate name="angle"><prescribed>true</prescribed><prescribed_function><Constant/>'
    text = osim.document().replace(
        '<Coordinate name="angle"/>', prescribed + "</prescribed_function></Coordinate>"
    )
    refused(read, text, "prescribed")


def test_names_are_looked_up_with_a_hint(osim, read):
    model = read(osim.document())
    for look_up in (model.body, model.joint, model.coordinate):
        with pytest.raises(InputError, match="one of"):
            look_up("rodd")
    with pytest.raises(InputError, match="did you mean 'rod'"):
        model.body("rodd")
