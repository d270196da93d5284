"""Lengths, moment arms and lengthening speeds of muscle paths."""

import casadi as ca
import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.symbolic import build

_FIXED = (
    '<{kind} name="{name}"><socket_parent_frame>{frame}</socket_parent_frame>'
    "<location>{place}</location>{more}</{kind}>"
)
_SPLINE = "<SimmSpline><x>-1 0 0.5 1</x><y>{y}</y></SimmSpline>"
_HINGE = "/jointset/hinge/angle"


def point(name, frame, place, kind="PathPoint", more=""):
    return _FIXED.format(kind=kind, name=name, frame=frame, place=place, more=more)


def conditional(name, frame, place, low, high):
    more = f"<socket_coordinate>{_HINGE}</socket_coordinate><range>{low} {high}</range>"
    return point(name, frame, place, "ConditionalPathPoint", more)


def moving(name, frame):
    axes = "".join(
        f"<socket_{axis}_coordinate>{_HINGE}</socket_{axis}_coordinate>"
        f"<{axis}_location>{_SPLINE.format(y=y)}</{axis}_location>"
        for axis, y in (("x", "0.1 0.12 0.2 0.15"), ("y", "0 -0.1 -0.05 0.02"))
    )
    return (
        f'<MovingPathPoint name="{name}"><socket_parent_frame>{frame}</socket_parent_frame>{axes}'
        "<z_location><Constant><value>0.03</value></Constant></z_location></MovingPathPoint>"
    )


def muscle(points, kind="Thelen2003Muscle", more="", name="puller"):
    return (
        f'<{kind} name="{name}"><GeometryPath name="geometrypath"><PathPointSet><objects>{points}</objects>'
        f"</PathPointSet>{more}</GeometryPath><max_isometric_force>50</max_isometric_force></{kind}>"
    )


START, END = point("start", "/ground", "0.3 0.1 0.05"), point("end", "/bodyset/rod", "0.1 -0.3 0.02")


@pytest.fixture
def tiny(osim, read):
    """Return a function that reads a rod on a hinge (range -0.5 to 0.8) with the given forces."""

    def make(forces, wraps=""):
        body = osim.body(more=f"<WrapObjectSet><objects>{wraps}</objects></WrapObjectSet>" if wraps else "")
        text = osim.document(bodies=body, more=f"<ForceSet><objects>{forces}</objects></ForceSet>")
        coordinate = '<Coordinate name="angle"/>'
        assert coordinate in text
        limited = '<Coordinate name="angle"><range>-0.5 0.8</range></Coordinate>'
        return read(text.replace(coordinate, limited))

    return make


def evaluate(model, q, u=0.0, **settings):
    """Return length, moment arm and speed of the only muscle at one angle."""
    functions = build(model)
    outputs = functions.muscles(**settings)(q=q, u=u, parameters=functions.parameters)
    return tuple(float(outputs[name]) for name in ("length", "moment_arm", "speed"))


def slope(model, q, step=1e-6):
    return (evaluate(model, q + step)[0] - evaluate(model, q - step)[0]) / (2 * step)


@pytest.mark.parametrize("angle", [-0.4, 0.3, 2.0])
def test_a_straight_path_is_the_distance_of_its_ends(tiny, angle):
    model = tiny(muscle(START + END))
    functions = build(model)
    place = functions.stations(["rod"])(
        q=angle, u=0, udot=0, station=[0.1, -0.3, 0.02], parameters=functions.parameters
    )["position"]
    length, arm, speed = evaluate(model, angle, 1.7)
    assert length == pytest.approx(np.linalg.norm(np.array(place).ravel() - (0.3, 0.1, 0.05)), abs=1e-14)
    assert arm == pytest.approx(-slope(model, angle), abs=1e-8)
    assert speed == pytest.approx(-1.7 * arm, abs=1e-14)


@pytest.mark.parametrize(("angle", "on"), [(0.2, True), (0.5 + 0.9e-5, True), (0.5 + 1.1e-5, False)])
def test_a_conditional_point_is_on_the_path_within_its_range_and_a_margin(tiny, angle, on):
    middle = conditional("middle", "/ground", "0.5 -0.2 0.3", 0.1, 0.5)
    always = point("middle", "/ground", "0.5 -0.2 0.3")
    found = evaluate(tiny(muscle(START + middle + END)), angle)
    assert found == pytest.approx(evaluate(tiny(muscle(START + (always if on else "") + END)), angle))


@pytest.mark.parametrize("angle", [-0.3, 0.2, 0.6])
def test_neighbouring_conditional_points_join_every_combination(tiny, angle):
    one = conditional("one", "/ground", "0.5 -0.2 0.3", -1.0, 0.4)
    two = conditional("two", "/bodyset/rod", "0.2 -0.1 0.1", 0.0, 1.0)
    on = [point("one", "/ground", "0.5 -0.2 0.3")] * (angle < 0.4)
    on += [point("two", "/bodyset/rod", "0.2 -0.1 0.1")] * (angle > 0.0)
    found = evaluate(tiny(muscle(START + one + two + END)), angle)
    assert found == pytest.approx(evaluate(tiny(muscle(START + "".join(on) + END)), angle))


def test_a_moving_point_stops_at_the_range_but_its_rate_does_not(tiny):
    model = tiny(muscle(START + moving("slider", "/bodyset/rod")))
    _length, arm, speed = evaluate(model, 0.3, 2.0)
    assert arm == pytest.approx(-slope(model, 0.3), abs=1e-7)
    assert speed == pytest.approx(-2 * arm)
    # Beyond the range (0.8) the length is that of the point where it stopped, so its slope is another.
    assert abs(evaluate(model, 0.95)[1] + slope(model, 0.95)) > 1e-3


def test_numbers_and_class_of_a_muscle_are_kept(tiny):
    model = tiny(muscle(START + END, kind="DeGrooteFregly2016Muscle"))
    (read,) = model.muscles
    assert (read.kind, read.max_isometric_force, read.optimal_fiber_length) == (
        "DeGrooteFregly2016Muscle",
        50.0,
        0.1,
    )


def test_a_moment_arm_has_gradients_to_the_places_of_points(tiny):
    functions = build(tiny(muscle(START + END)))
    paths = functions.muscles()
    parameters = ca.SX.sym("parameters", len(functions.parameters))
    length = paths(q=0.3, u=0, parameters=parameters)["length"]
    gradient = ca.Function("gradient", [parameters], [ca.jacobian(length, parameters)])
    place = functions.parameter_names.index("puller.end.location[1]")
    step = np.zeros(len(functions.parameters))
    step[place] = 1e-6
    ahead, behind = (
        float(paths(q=0.3, u=0, parameters=functions.parameters + s)["length"]) for s in (step, -step)
    )
    assert float(gradient(functions.parameters)[place]) == pytest.approx((ahead - behind) / 2e-6, abs=1e-8)


@pytest.mark.parametrize(
    ("forces", "words"),
    [
        (muscle(START), "does not run anywhere"),
        (muscle(START + point("p", "/bodyset/rob", "0 0 0")), "did you mean 'rod'"),
        (muscle(START + END).replace("GeometryPath", "FunctionBasedPath"), "FunctionBasedPath"),
        (
            muscle(START + END)
            .replace("PathPoint ", "OddPathPoint ")
            .replace("</PathPoint>", "</OddPathPoint>"),
            "OddPathPoint",
        ),
        (
            muscle(
                START + END,
                more="<PathWrapSet><objects><PathWrap><wrap_object>drum</wrap_object></PathWrap>"
                "</objects></PathWrapSet>",
            ),
            "drum",
        ),
    ],
)
def test_a_path_that_cannot_be_converted_is_refused_by_name(tiny, forces, words):
    with pytest.raises(InputError, match=words):
        tiny(forces)


WRAP = '<WrapCylinder name="drum"><radius>0.02</radius></WrapCylinder>'
WRAPPED = muscle(
    START + END,
    more="<PathWrapSet><objects><PathWrap><wrap_object>drum</wrap_object></PathWrap></objects></PathWrapSet>",
)


def test_a_muscle_that_is_not_there_is_refused(tiny):
    model = tiny(WRAPPED, WRAP)
    assert build(model).muscle_names == ("puller",) and model.muscles[0].path.bodies == ("ground", "rod")
    for function in (build(model).muscles, build(model).muscle_ways):
        with pytest.raises(InputError, match="no muscle named 'pul'"):
            function(["pul"])


@pytest.mark.parametrize("name", ["gait2392_thelen2003", "wrist", "Rajagopal2016", "SoccerKickingModel"])
def test_paths_agree_with_opensim(public_models, with_answers, name):
    """Independent and coupled coordinates, conditional and moving points, surfaces."""
    _model, functions, answers = with_answers(public_models, f"{name}.osim", f"{name}.npz")
    muscles = functions.muscle_names
    order = [list(answers["coord_names"]).index(c) for c in functions.coordinates]
    columns = [list(answers["musc_names"]).index(m) for m in muscles]
    q = answers["q"][:, order]
    outputs = functions.muscles().map(len(q))(
        q=q.T, u=np.zeros(q.T.shape), parameters=np.tile(functions.parameters[:, None], len(q))
    )
    length = answers["musc_len"][:, columns]
    assert np.abs(np.array(outputs["length"]).T - length).max() < 1e-12
    stored = answers["musc_ma"][:, columns][:, :, order]
    arm = np.array(outputs["moment_arm"]).reshape(len(muscles), len(q), len(order)).transpose(1, 0, 2)
    asked = ~np.isnan(stored)
    assert asked.any() and np.abs(arm - stored)[asked].max() < 1e-12 * np.abs(stored[asked]).max() + 1e-12
