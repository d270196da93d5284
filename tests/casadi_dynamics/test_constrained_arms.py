"""Moment arms of muscles in models whose constraints pass their pull on, against a live OpenSim."""

import numpy as np
import pytest

from casadi_dynamics.symbolic.moment_arms import muscle_spans
from casadi_dynamics.verify import compare

ENDS = (
    "<socket_body_1>/ground</socket_body_1><socket_body_2>/bodyset/body3</socket_body_2>"
    "<location_body_1>0.1 0.2 0</location_body_1><location_body_2>0 0.1 0.2</location_body_2>"
)
FRAMES = "<socket_frame1>/ground</socket_frame1><socket_frame2>/bodyset/body1</socket_frame2>"
CONSTRAINTS = {
    "distance": f'<ConstantDistanceConstraint name="rod">{ENDS}<constant_distance>0.5</constant_distance>'
    "</ConstantDistanceConstraint>",
    "point": f'<PointConstraint name="pin">{ENDS}</PointConstraint>',
    "weld": f'<WeldConstraint name="weld">{FRAMES.replace("body1", "body3")}</WeldConstraint>',
}
COUPLER = (
    '<CoordinateCouplerConstraint name="pair"><coupled_coordinates_function><PolynomialFunction>'
    "<coefficients>0.4 0.7 0.1</coefficients></PolynomialFunction></coupled_coordinates_function>"
    "<independent_coordinate_names>b</independent_coordinate_names>"
    "<dependent_coordinate_name>c</dependent_coordinate_name></CoordinateCouplerConstraint>"
)
OF_TWO = (
    '<CoordinateCouplerConstraint name="saddle"><coupled_coordinates_function>'
    "<MultivariatePolynomialFunction><coefficients>0.1 0.2 -0.3 0.4 0.5 -0.6</coefficients>"
    "<dimension>2</dimension><order>2</order>"
    "</MultivariatePolynomialFunction></coupled_coordinates_function>"
    "<independent_coordinate_names>a b</independent_coordinate_names>"
    "<dependent_coordinate_name>c</dependent_coordinate_name><scale_factor>0.7</scale_factor>"
    "</CoordinateCouplerConstraint>"
)


def point(name: str, frame: str, place: str) -> str:
    return (
        f'<PathPoint name="{name}"><socket_parent_frame>{frame}</socket_parent_frame>'
        f"<location>{place}</location></PathPoint>"
    )


MOVING = (
    '<MovingPathPoint name="slides"><socket_parent_frame>/bodyset/body1</socket_parent_frame>'
    + "".join(f"<socket_{k}_coordinate>/jointset/joint2/c</socket_{k}_coordinate>" for k in "xyz")
    + "<x_location><PolynomialFunction><coefficients>0.1 0.05 0.2</coefficients></PolynomialFunction>"
    "</x_location></MovingPathPoint>"
)
PATHS = {
    "near": point("start", "/ground", "0 0.3 0") + point("end", "/bodyset/body1", "0.2 0.1 0"),
    "far": point("start", "/bodyset/body1", "0 0.3 0") + MOVING + point("end", "/bodyset/body3", "0.2 0.1 0"),
}


JOINTS = (
    ("PinJoint", ("a",)),
    ("UniversalJoint", ("b", "d")),
    ("PinJoint", ("c",)),
    ("GimbalJoint", ("e", "f", "g")),
)


def model(osim, *constraints: str) -> str:
    bodies, joints, parent = "", "", "/ground"
    for i, (kind, names) in enumerate(JOINTS):
        bodies += osim.body(f"body{i}")
        joints += osim.joint(kind, f"joint{i}", parent, f"/bodyset/body{i}", names)
        parent = f"/bodyset/body{i}"
    joints = joints.replace('"/>', '"><range>-1.2 1.2</range></Coordinate>')
    muscles = "".join(
        f'<Thelen2003Muscle name="{name}"><GeometryPath name="path"><PathPointSet><objects>{points}</objects>'
        "</PathPointSet></GeometryPath></Thelen2003Muscle>"
        for name, points in PATHS.items()
    )
    more = f"<ConstraintSet><objects>{''.join(constraints)}</objects></ConstraintSet>"
    return osim.document(bodies, joints, more + f"<ForceSet><objects>{muscles}</objects></ForceSet>")


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("kind", CONSTRAINTS)
def test_moment_arms_carry_constraints_between_bodies(osim, ask, kind, coupled):
    found, functions, answers = ask(model(osim, CONSTRAINTS[kind], *[COUPLER][: int(coupled)]))
    assert len(functions.constraint_equations) > 0
    assert compare(found, functions, answers)["moment arm"] < 1e-9


def test_moment_arms_carry_couplers_and_have_no_others(osim, ask):
    found, functions, answers = ask(model(osim, COUPLER))
    assert compare(found, functions, answers)["moment arm"] < 1e-12
    spans = muscle_spans(found)
    assert spans == {"near": ["a", "b", "d"], "far": ["b", "c", "e", "f", "g"]}
    for i, name in enumerate(answers["musc_names"]):
        others = [k for k, c in enumerate(answers["coord_names"]) if c not in (*spans[str(name)], "c")]
        assert np.abs(answers["musc_ma"][:, i, others]).max(initial=0.0) < 1e-15


@pytest.mark.parametrize("more", [(), (CONSTRAINTS["distance"],)])
def test_moment_arms_carry_couplers_of_several_coordinates(osim, ask, more):
    found, functions, answers = ask(model(osim, OF_TWO, *more))
    assert "c" not in functions.independent
    # OpenSim finds the speeds that obey to 1e-10
    assert compare(found, functions, answers)["moment arm"] < 1e-9
