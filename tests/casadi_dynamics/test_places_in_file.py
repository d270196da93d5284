"""Where a file keeps bodies, joints and frames, and which way round: against a live OpenSim."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.answers import model_answers
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.verify import answer_sensors, compare

#: Rounding of two programs that sum the same terms in different orders.
CLOSE = 1e-12


@pytest.fixture
def agree(tmp_path):
    """Return a function that holds a model text against OpenSim and returns our model."""

    def agree_with_opensim(text: str):
        file, output = tmp_path / "tiny.osim", tmp_path / "answers.npz"
        file.write_text(text.replace('"/>', '"><range>-1.3 1.3</range></Coordinate>'))
        run_job(model_answers, {"model": file, "samples": 5, "seed": 3, "output": output}, timeout_s=120)
        with np.load(output) as stored:
            answers = dict(stored)
        model = read_model(file)
        assert model.coordinate_names == tuple(answers["coord_names"])
        assert {b.name for b in model.bodies} == set(answers["body_names"])
        errors = compare(model, build(model, answer_sensors(model, answers)), answers)
        assert {"body acceleration", "tau", "mass matrix", "model inertia"} <= set(errors)
        assert max(errors.values()) < CLOSE, errors
        return model

    return agree_with_opensim


def chain(osim, *kinds):
    """Return bodies and joints, a list each, of a chain of joints of these kinds."""
    bodies, joints, parent = [], [], "/ground"
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    counts = {"PinJoint": 1, "SliderJoint": 1, "UniversalJoint": 2, "PlanarJoint": 3, "GimbalJoint": 3}
    for i, kind in enumerate(kinds):
        bodies.append(osim.body(f"body{i}", mass=f"{i + 1}.5"))
        names = tuple(next(letters) for _ in range(counts[kind]))
        joints.append(osim.joint(kind, f"joint{i}", parent, f"/bodyset/body{i}", names))
        parent = f"/bodyset/body{i}"
    return bodies, joints


def turned_round(joint: str) -> str:
    """Return the text of a joint whose file calls the frame on the side of ground its child."""
    swapped = joint.replace(">fixed</socket_p", ">@</socket_p")
    swapped = swapped.replace(">moving</socket_c", ">fixed</socket_c")
    return swapped.replace(">@</socket_p", ">moving</socket_p")


@pytest.mark.parametrize("kind", ["PinJoint", "SliderJoint", "UniversalJoint", "PlanarJoint", "GimbalJoint"])
def test_reversed_joints(osim, agree, kind):
    bodies, joints = chain(osim, "PinJoint", kind, "PinJoint")
    model = agree(osim.document("".join(bodies), joints[0] + turned_round(joints[1]) + joints[2]))
    assert [joint.reversed for joint in model.joints] == [False, True, False]


def test_a_reversed_joint_on_ground_and_a_reversed_custom_joint(osim, agree):
    transform = osim.spatial_transform(
        rotation1=("b", "0.6 0 0.8", "<LinearFunction><coefficients>1 0</coefficients></LinearFunction>"),
        rotation2=("c", "0 1 0", "<LinearFunction><coefficients>1 0.1</coefficients></LinearFunction>"),
        translation2=("b", "0 1 0", "<SimmSpline><x>-2 -1 0 2</x><y>0.1 0.3 0 0.2</y></SimmSpline>"),
    )
    bodies, joints = chain(osim, "PinJoint", "PinJoint")
    custom = osim.joint("CustomJoint", "joint1", "/bodyset/body0", "/bodyset/body1", ("b", "c"), transform)
    agree(osim.document("".join(bodies), turned_round(joints[0]) + turned_round(custom)))


def test_any_order_of_bodies_and_joints(osim, agree):
    bodies, joints = chain(osim, "PinJoint", "SliderJoint", "UniversalJoint")
    order = [2, 0, 1]
    model = agree(osim.document("".join(bodies[i] for i in (1, 2, 0)), "".join(joints[i] for i in order)))
    assert model.coordinate_names == ("c", "d", "a", "b")
    assert [joint.name for joint in model.joints] == ["joint0", "joint1", "joint2"]


def test_frames_of_frames_and_frames_on_bodies_and_ground(osim, agree):
    carried = osim.frame("far", "..", "0.1 0.2 0.3", "0.3 -0.2 0.1")
    carried += osim.frame("farther", "../far", "-0.1 0.3 0.1", "0.1 0.2 -0.4")
    carried += osim.frame("chip_imu", "/bodyset/rod/farther", "0.01 0.02 0.03", "-0.7 0.2 0.5")
    base = osim.frame("stand", "/ground", "0.5 0 0.1", "0 0.5 0.2")
    second = osim.joint(name="second", parent="/bodyset/rod/farther", child="/bodyset/other", names=("b",))
    text = osim.document(
        osim.body(more=f"<components>{carried}</components>") + osim.body("other"),
        osim.joint(parent="/ground/stand") + second,
    )
    ground = f'<Ground name="ground"><components>{base}</components></Ground>'
    model = agree(text.replace("<BodySet>", f"{ground}<BodySet>"))
    assert [frame.name for frame in model.imu_frames] == ["chip_imu"]


def test_joints_on_bodies_without_offset_frames(osim, agree):
    joint = (
        '<PinJoint name="bare"><socket_parent_frame>/ground</socket_parent_frame>'
        "<socket_child_frame>../../bodyset/rod</socket_child_frame>" + osim.coordinates("a") + "</PinJoint>"
    )
    agree(osim.document(joints=joint))


def test_bodies_and_joints_in_component_sets(osim, agree):
    body = osim.body("loose", more="<components>" + osim.frame("chip_imu", "..", "0.1 0 0") + "</components>")
    joint = osim.joint(name="extra", parent="/bodyset/rod", child="/componentset/loose", names=("b",))
    third = osim.joint(name="third", parent="/componentset/loose", child="/bodyset/other", names=("c",))
    model = agree(
        osim.document(
            osim.body() + osim.body("other"),
            osim.joint() + third,
            f"<ComponentSet><objects>{body}{joint}</objects></ComponentSet>",
        )
    )
    assert model.body("loose").mass == 2.0


def test_bodies_and_joints_among_the_components_of_a_model(osim, agree):
    joint = osim.joint(name="extra", parent="/bodyset/rod", child="/loose", names=("b",))
    agree(osim.document(more=f"<components>{osim.body('loose')}{joint}</components>"))


def test_a_massless_body_keeps_no_inertia(osim, agree):
    bodies = osim.body("light", mass="0") + osim.body()
    joints = osim.joint(name="first", child="/bodyset/light", names=("b",))
    model = agree(osim.document(bodies, joints + osim.joint(parent="/bodyset/light")))
    assert model.body("light").inertia == (0.0,) * 6


@pytest.mark.parametrize("place", ["<BodySet>", "</Model>"])
def test_default_objects_fill_in_what_is_left_out(osim, agree, place):
    defaults = '<defaults><Body name="default"><mass>9</mass><inertia>0.5 0.6 0.7 0 0 0</inertia></Body>'
    defaults += "<PhysicalOffsetFrame><orientation>0.3 0.2 0.1</orientation></PhysicalOffsetFrame></defaults>"
    text = osim.document().replace(place, defaults + place)
    text = text.replace("<inertia>0.02 0.03 0.04 0.001 -0.002 0.003</inertia>", "")
    model = agree(text.replace("<orientation>0.4 -0.3 0.2</orientation>", ""))
    assert (model.body("rod").mass, model.body("rod").inertia[:3]) == (2.0, (0.5, 0.6, 0.7))


@pytest.mark.parametrize(
    "socket", ["rod", "../../bodyset/rod", "/rod", "bodyset/rod", "/bodyset/nothing/rod", "/jointset/hinge"]
)
def test_a_path_that_opensim_does_not_find_is_refused(osim, read, socket):
    text = osim.document().replace("<socket_parent>/bodyset/rod<", f"<socket_parent>{socket}<")
    with pytest.raises(InputError, match="the model does not have there"):
        read(text)


@pytest.mark.parametrize("socket", ["/bodyset/rod/", "/bodyset/../bodyset/rod", "../../../bodyset/rod"])
def test_a_path_that_opensim_finds_is_found(osim, read, socket):
    text = osim.document().replace("<socket_parent>/bodyset/rod<", f"<socket_parent>{socket}<")
    assert read(text) == read(osim.document())
