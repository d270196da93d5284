"""Files that leave out what OpenSim fills in, or hold what nothing uses, against a live OpenSim."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.models import describe_model, upgrade
from casadi_dynamics.osim import read_model
from casadi_dynamics.verify import compare

LINE = "<LinearFunction><coefficients>1 0</coefficients></LinearFunction>"
IDLE = "<Constant><value>0</value></Constant>"


def ranged(text: str) -> str:
    """Give every coordinate a range away from where angles are not unique."""
    return text.replace('"/>', '"><range>-1.4 1.4</range></Coordinate>')


def assert_agrees(model, functions, answers):
    errors = compare(model, functions, answers)
    assert {"body acceleration", "tau", "mass matrix"} <= set(errors)
    assert max(errors.values()) < 1e-12, errors


def custom(osim, **axes) -> str:
    upright = {"rotation1": ("angle", "0 0 1", LINE), "rotation3": ("", "1 0 0", IDLE)}
    joint = osim.joint("CustomJoint", more=osim.spatial_transform(**(upright | axes)))
    return osim.document(joints=ranged(joint))


@pytest.mark.parametrize("function", ["", "<function/>"])
@pytest.mark.parametrize("axis", ["rotation2", "translation2"])
def test_an_axis_with_neither_coordinate_nor_function_is_zero(osim, ask, axis, function):
    assert_agrees(*ask(custom(osim, **{axis: ("", "0 1 0", function)})))


@pytest.mark.parametrize("axis", ["rotation2", "translation3"])
def test_an_axis_that_is_not_there_is_zero(osim, ask, axis):
    text = custom(osim)
    start = text.index(f'<TransformAxis name="{axis}"')
    end = text.index("</TransformAxis>", start) + len("</TransformAxis>")
    assert_agrees(*ask(text[:start] + text[end:]))


def test_an_axis_with_a_coordinate_needs_a_function(osim, read):
    text = custom(osim, rotation1=("angle", "0 0 1", ""))
    with pytest.raises(InputError, match="(?s)exactly one function.*write it into the file"):
        read(text)
    read(text.replace("<axis>0 0 1</axis>", "<axis>0 0 1</axis>" + LINE, 1))


@pytest.mark.parametrize(
    ("full", "empty"),
    [
        ("<mass_center>0.1 -0.2 0.03</mass_center>", "<mass_center/>"),
        ("<inertia>0.02 0.03 0.04 0.001 -0.002 0.003</inertia>", "<inertia/>"),
        ('<Coordinate name="angle"/>', '<Coordinate name="angle"><default_value/><range/></Coordinate>'),
    ],
)
def test_an_empty_element_means_the_default(osim, ask, full, empty):
    text = osim.document()
    assert full in text
    model, functions, answers = ask(text.replace(full, empty))
    assert_agrees(model, functions, answers)
    assert (model.coordinates[0].default, model.coordinates[0].range) == (0.0, (-10.0, 10.0))


MUSCLE = (
    "<Thelen2003Muscle><GeometryPath><PathPointSet><objects>"
    "<PathPoint><socket_parent_frame>/ground</socket_parent_frame><location>0 0.3 0</location></PathPoint>"
    "<PathPoint><socket_parent_frame>/bodyset/rod</socket_parent_frame><location>0.2 0.1 0</location>"
    "</PathPoint></objects></PathPointSet></GeometryPath></Thelen2003Muscle>"
)


def test_nameless_components_get_the_names_that_opensim_makes_up(osim, ask, tmp_path):
    joints = osim.joint() + osim.joint(parent="/bodyset/rod", child="/bodyset/other", names=("b",))
    joints = ranged(joints).replace(' name="hinge"', "").replace(' name="angle"', "")
    forces = f"<ForceSet><objects>{MUSCLE * 2}</objects></ForceSet>"
    text = osim.document(osim.body() + osim.body("other"), joints, forces)
    model, functions, answers = ask(text)
    assert_agrees(model, functions, answers)
    assert [joint.name for joint in model.joints] == ["pinjoint", "pinjoint_0"]
    assert [muscle.name for muscle in model.muscles] == ["thelen2003muscle", "thelen2003muscle_0"]
    assert [point.name for point in model.muscles[0].path.points] == ["pathpoint", "pathpoint_0"]
    seen = run_job(describe_model, {"model": tmp_path / "tiny.osim"}, timeout_s=60).values
    assert tuple(seen["motions"]) == model.coordinate_names == ("coordinate", "b")


def test_a_path_point_outside_of_paths_is_ignored(osim, ask):
    point = (
        '<PathPoint name="pp"><socket_parent_frame>/bodyset/rod</socket_parent_frame>'
        "<location>0 0.3 0</location></PathPoint>"
    )
    model, functions, answers = ask(osim.document(more=f"<components>{point}</components>"))
    assert_agrees(model, functions, answers)
    assert model.ignored == ("PathPoint 'pp': it stands outside of paths, so that nothing pulls at it",)


CYLINDER = '<ContactCylinder name="roll"><socket_frame>/ground</socket_frame></ContactCylinder>'
TOUCH = (
    '<HuntCrossleyForce name="touch"><appliesForce>{acts}</appliesForce><contact_parameters>'
    "<HuntCrossleyForce..ContactParametersSet><objects/></HuntCrossleyForce..ContactParametersSet>"
    "</contact_parameters><geometry>roll</geometry></HuntCrossleyForce>"
)


def test_contact_geometry_that_no_force_uses_is_ignored(osim, ask, read):
    geometry = f"<ContactGeometrySet><objects>{CYLINDER}</objects></ContactGeometrySet>"
    model, functions, answers = ask(osim.document(more=geometry))
    assert_agrees(model, functions, answers)
    assert model.ignored == ("ContactCylinder 'roll': no force uses it",)
    forces = "<ForceSet><objects>" + TOUCH + "</objects></ForceSet>"
    assert len(read(osim.document(more=geometry + forces.format(acts="false"))).ignored) == 2
    with pytest.raises(InputError, match="ContactCylinder 'roll' cannot be converted"):
        read(osim.document(more=geometry + forces.format(acts="true")))


def test_a_bare_ampersand_is_named_with_its_line(osim, read, tmp_path):
    text = osim.document().replace("<gravity>", "<credits>\nSmith & Sons</credits>\n<gravity>")
    line = text[: text.index("&")].count("\n") + 1
    with pytest.raises(InputError, match=f"(?s)line {line}.*write &amp; for & in line {line}"):
        read(text)
    read(text.replace("&", "&amp;"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<gravity>", "<credits><![CDATA[A & B]]></credits><gravity>"),
        ('Version="40000"', 'Version="40700"'),
        ('Version="40000"', 'Version="30516"'),
        ('<coordinates><Coordinate name="angle"/></coordinates>', ""),
    ],
)
def test_saving_again_in_opensim_helps_where_the_error_says_so(osim, read, tmp_path, old, new):
    text = osim.document()
    assert old in text
    with pytest.raises(InputError, match="fix: open the model in OpenSim"):
        read(text.replace(old, new, 1))
    saved = tmp_path / "saved.osim"
    run_job(upgrade, {"model": tmp_path / "tiny.osim", "output": saved}, timeout_s=60, outputs=[saved])
    assert np.isclose(read_model(saved).total_mass, 2.0)


def station(name: str, place: str, kind: str = "Station", parent: str = "..") -> str:
    return (
        f'<{kind} name="{name}"><socket_parent_frame>{parent}</socket_parent_frame>'
        f"<location>{place}</location></{kind}>"
    )


def through_stations(name: str, more: str = "") -> str:
    sockets = "".join(f"<socket_point_{p}>../{p}</socket_point_{p}>" for p in "abc")
    return (
        f'<StationDefinedFrame name="{name}">{more}{sockets}<socket_origin_point>../o</socket_origin_point>'
        "</StationDefinedFrame>"
    )


def on_stations(osim, *frames: str, c: str = "0.2 0.9 0.1") -> str:
    """Return two bodies, of which the second hangs on a frame through stations of the first."""
    points = station("a", "0.1 0.2 0.3", parent="../turned") + station("b", "0.5 0.1 -0.3")
    points += station("c", c) + station("o", "0 0.9 0.3", "Marker")
    parts = "".join(frames) + osim.frame("turned", "..", "0.1 0 0", "0.2 0.3 -0.4") + points
    parts += osim.frame("chip", "../marked", "0.1 0 0")
    joints = osim.joint() + osim.joint(
        name="elbow", parent="/bodyset/rod/chip", child="/bodyset/other", names=("b",)
    )
    bodies = osim.body(more=f"<components>{parts}</components>") + osim.body("other")
    return osim.document(bodies, ranged(joints))


@pytest.mark.parametrize(("along", "across"), [("", ""), ("-y", "+x"), ("+z", "y"), ("x", "-z")])
def test_frames_through_stations(osim, ask, along, across):
    axes = f"<ab_axis>{along}</ab_axis><ab_x_ac_axis>{across}</ab_x_ac_axis>" if along else ""
    text = on_stations(osim, through_stations("marked", axes))
    assert_agrees(*ask(text))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("../o<", "../none<", "no station or marker"),
        ('name="marked">', 'name="marked"><ab_axis>y</ab_axis>', "has no axes"),
        ('name="marked">', 'name="marked"><ab_axis>w</ab_axis>', "has no axes"),
        ("<socket_parent_frame>../turned<", "<socket_parent_frame>/ground<", "different bodies"),
        ("<socket_parent_frame>../turned<", "<socket_parent_frame>../marked<", "hangs on itself"),
    ],
)
def test_frames_through_stations_that_make_none_are_refused(osim, read, old, new, reason):
    text = on_stations(osim, through_stations("marked"))
    assert old in text
    with pytest.raises(InputError, match=reason):
        read(text.replace(old, new, 1))
