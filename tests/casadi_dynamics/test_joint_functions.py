"""The scalar functions of joints: values against independent evaluations, derivatives against differences."""

import casadi as ca
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import (
    Constant,
    Linear,
    Multiplier,
    NaturalSpline,
    PiecewiseLinear,
    Polynomial,
    SimmSpline,
    Sine,
    Step,
)
from casadi_dynamics.symbolic.functions import evaluate, forsythe_coefficients

KNOTS = (-2.1, -1.7, -0.9, -0.35, 0.1, 0.2, 0.9)
VALUES = (0.3, 0.9, 0.1, -0.6, -0.2, 0.5, 0.45)


def compiled(function):
    x = ca.SX.sym("x")
    return ca.Function("f", [x], list(evaluate(function, x)))


def values(function, points):
    return np.array([[float(part) for part in compiled(function)(x)] for x in points]).T


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (Constant(0.7), lambda x: (0.7, 0, 0)),
        (Linear(-1.5, 0.2), lambda x: (-1.5 * x + 0.2, -1.5, 0)),
        (
            Polynomial((2.0, -1.0, 0.5, 3.0)),
            lambda x: (2 * x**3 - x**2 + 0.5 * x + 3, 6 * x**2 - 2 * x + 0.5, 12 * x - 2),
        ),
        (Polynomial((4.0,)), lambda x: (4.0, 0, 0)),
        (
            Sine(0.5, 2.0, 0.3, -1.0),
            lambda x: (0.5 * np.sin(2 * x + 0.3) - 1, np.cos(2 * x + 0.3), -2 * np.sin(2 * x + 0.3)),
        ),
        (Multiplier(3.0, Multiplier(-0.5, Linear(2.0, 1.0))), lambda x: (-1.5 * (2 * x + 1), -3.0, 0)),
    ],
)
def test_closed_forms(function, expected):
    for x in (-1.3, 0.0, 0.8):
        np.testing.assert_allclose(values(function, [x])[:, 0], expected(x), rtol=1e-15, atol=1e-15)


def test_multiplier_takes_its_scale_from_the_caller():
    scale = ca.SX.sym("scale")
    parts = evaluate(Multiplier(9.0, Linear(2.0, 1.0)), ca.SX(3), (scale,))
    assert float(ca.Function("f", [scale], [parts[0]])(0.5)) == 3.5


def simm_spline_by_hand(knots, y, point):
    """Scipy's cubic with Forsythe's third derivatives at the ends, and straight lines outside."""
    x, y = np.array(knots), np.array(y)

    def end_slope(points, heights, at):
        return np.polyval(np.polyder(np.polyfit(points - at, heights, 3), 3), 0.0)

    # Forsythe: the third derivative in the first and last interval is that of the cubic through four points.
    third = end_slope(x[:4], y[:4], x[0]), end_slope(x[-4:], y[-4:], x[-1])

    # Third derivatives are linear in the slopes at the ends: solve for the slopes.
    def thirds(slopes):
        spline = CubicSpline(x, y, bc_type=((1, slopes[0]), (1, slopes[1])))
        return np.array([6 * spline.c[0, 0], 6 * spline.c[0, -1]])

    base = thirds((0.0, 0.0))
    response = np.column_stack([thirds((1.0, 0.0)) - base, thirds((0.0, 1.0)) - base])
    slopes = np.linalg.solve(response, np.array(third) - base)
    spline = CubicSpline(x, y, bc_type=((1, slopes[0]), (1, slopes[1])))
    if point < x[0]:
        return y[0] + slopes[0] * (point - x[0]), slopes[0], 0.0
    if point > x[-1]:
        return y[-1] + slopes[1] * (point - x[-1]), slopes[1], 0.0
    return spline(point), spline(point, 1), spline(point, 2)


@pytest.mark.parametrize("count", [4, 5, 7])
def test_simm_spline_is_forsythes_cubic_continued_by_lines(count):
    function = SimmSpline(KNOTS[:count], VALUES[:count])
    points = np.linspace(KNOTS[0] - 0.7, KNOTS[count - 1] + 0.6, 41)
    expected = np.transpose([simm_spline_by_hand(function.x, function.y, p) for p in points])
    # Two conditionings of the same linear system: a few digits are lost in the reference's detour.
    np.testing.assert_allclose(values(function, points), expected, rtol=1e-10, atol=1e-10)


def test_simm_spline_of_two_points_is_a_line():
    np.testing.assert_allclose(values(SimmSpline((1.0, 3.0), (2.0, -2.0)), [0.0, 2.0, 5.0])[0], [4, 0, -6])


def test_simm_spline_of_three_points_passes_through_them_smoothly():
    function = SimmSpline((0.0, 1.0, 2.5), (0.0, 1.0, -1.0))
    np.testing.assert_allclose(values(function, function.x)[0], function.y, atol=1e-15)
    left, right = values(function, [1 - 1e-9, 1 + 1e-9]).T
    np.testing.assert_allclose(left, right, atol=1e-7)


def test_simm_spline_is_continuous_at_its_knots_and_flat_in_curvature_outside():
    function = SimmSpline(KNOTS, VALUES)
    for knot in KNOTS:
        left, right = values(function, [knot - 1e-9, knot + 1e-9]).T
        inside = KNOTS[0] < knot < KNOTS[-1]
        parts = slice(0, 3 if inside else 2)
        np.testing.assert_allclose(left[parts], right[parts], atol=1e-6)
    assert not values(function, [KNOTS[0] - 0.5, KNOTS[-1] + 0.5])[2].any()


def test_derivatives_agree_with_differences():
    function, step = SimmSpline(KNOTS, VALUES), 1e-6
    points = np.linspace(-2.5, 1.3, 37) + 0.013  # none within a step of a knot
    ahead, behind, here = (values(function, points + h) for h in (step, -step, 0.0))
    difference = (ahead - behind) / (2 * step)
    np.testing.assert_allclose(here[1], difference[0], atol=1e-8)
    np.testing.assert_allclose(here[2], difference[1], atol=1e-7)


def test_coefficients_reproduce_a_cubic_exactly():
    x = np.array([-1.0, -0.2, 0.5, 0.6, 2.0])
    y = x**3 - 2 * x + 1
    _, slopes, halves, sixths = forsythe_coefficients(x, y)
    np.testing.assert_allclose(slopes, 3 * x**2 - 2, atol=1e-13)
    np.testing.assert_allclose(halves, 3 * x, atol=1e-13)
    np.testing.assert_allclose(sixths, 1.0, atol=1e-13)


def test_step_rises_smoothly_between_its_ends():
    function = Step(-1.0, 3.0, 2.0, 6.0)
    found = values(function, [-5.0, -1.0, 1.0, 3.0, 9.0])
    # At the middle of the quintic the slope is 15/8 of the mean slope.
    np.testing.assert_allclose(found[0], [2, 2, 4, 6, 6], atol=1e-14)
    np.testing.assert_allclose(found[1], [0, 0, 15 / 8, 0, 0], atol=1e-14)
    np.testing.assert_allclose(found[2], np.zeros(5), atol=1e-14)


def test_piecewise_linear_goes_on_beyond_its_points():
    function = PiecewiseLinear((0.0, 1.0, 3.0), (0.0, 2.0, 1.0))
    np.testing.assert_allclose(values(function, [-1.0, 0.5, 2.0, 5.0])[0], [-2, 1, 1.5, 0], atol=1e-15)
    np.testing.assert_allclose(values(function, [-1.0, 0.5, 2.0, 5.0])[1], [2, 2, -0.5, -0.5], atol=1e-15)


def test_natural_spline_of_degree_three_is_the_natural_cubic():
    function = NaturalSpline(2, KNOTS, VALUES)
    expected = CubicSpline(KNOTS, VALUES, bc_type="natural")
    points = np.linspace(KNOTS[0], KNOTS[-1], 31)[1:-1]
    for order, found in enumerate(values(function, points)):
        np.testing.assert_allclose(found, expected(points, order), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("half_order", [1, 2, 3])
def test_natural_spline_takes_its_points_and_is_smooth_at_its_ends(half_order):
    function = NaturalSpline(half_order, KNOTS, VALUES)
    np.testing.assert_allclose(values(function, KNOTS)[0], VALUES, atol=1e-12)
    for knot in (KNOTS[0], KNOTS[-1]):
        left, right = values(function, [knot - 1e-9, knot + 1e-9]).T
        smooth = slice(0, min(3, 2 * half_order - 1))
        np.testing.assert_allclose(left[smooth], right[smooth], atol=1e-5)
    outside = np.array([KNOTS[-1] + 0.1 * i for i in range(1, 6)])
    differences = np.diff(values(function, outside)[0], n=half_order)
    np.testing.assert_allclose(differences, 0, atol=1e-11)  # a polynomial of degree half_order - 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<GCVSpline><half_order>2</half_order><x>0 1 2</x><y>0 1 2</y></GCVSpline>", "4 or more"),
        ("<GCVSpline><half_order>5</half_order><x>0 1</x><y>0 1</y></GCVSpline>", "1, 2, 3 or 4"),
        ("<GCVSpline><x>0 1</x><y>0 1</y></GCVSpline>", "1, 2, 3 or 4"),
        (
            "<GCVSpline><half_order>1</half_order><error_variance>0.1</error_variance><x>0 1</x><y>0 1</y>"
            "</GCVSpline>",
            "set <error_variance> to 0",
        ),
        (
            "<StepFunction><transition_start_time>2</transition_start_time></StepFunction>",
            "a start before the end",
        ),
        ("<PiecewiseLinearFunction><x>0 1 1</x><y>0 1 2</y></PiecewiseLinearFunction>", "x not rising"),
        (
            "<PiecewiseConstantFunction><x>0 1</x><y>0 1</y></PiecewiseConstantFunction>",
            "PiecewiseLinearFunction",
        ),
    ],
)
def test_refuses_what_is_no_function_it_knows(osim, read, text, reason):
    axes = osim.spatial_transform(rotation1=("angle", "0 0 1", text))
    with pytest.raises(InputError, match=reason) as refused:
        read(osim.document(joints=osim.joint("CustomJoint", more=axes)))
    assert "line " in refused.value.where


def test_a_function_whose_accelerations_opensim_has_wrong_is_refused_in_joints(osim, read):
    function = "<MultivariatePolynomialFunction><coefficients>0 1</coefficients><dimension>1</dimension>"
    function += "<order>1</order></MultivariatePolynomialFunction>"
    transform = osim.spatial_transform(rotation1=("b", "0 0 1", function))
    joint = osim.joint("CustomJoint", names=("b",), more=transform)
    with pytest.raises(InputError, match="first derivative of a MultivariatePolynomialFunction"):
        read(osim.document(joints=joint))
