"""Formulas of expression-based forces: read as OpenSim's parser reads them, refused where they are none."""

import math
from pathlib import Path

import casadi as ca
import pytest
from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim.expressions import FUNCTIONS, read_expression
from casadi_dynamics.osim.xml import Element
from casadi_dynamics.symbolic.expressions import formula

Q, RATE = 0.7, -1.3


def read(text, default="0.0"):
    item = etree.fromstring(f"<Force name='f'><expression>{text}</expression></Force>")
    return read_expression(Element(Path("model.osim"), item), "expression", ("q", "qdot"), default)


def value(text):
    return float(ca.DM(formula(read(text), {"q": ca.SX(Q), "qdot": ca.SX(RATE)})))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "-2.44*exp(5.05*(q-1.81))+1.51*exp(-21.88*(q+0.47))-0.1*qdot",
            -2.44 * math.exp(5.05 * (Q - 1.81)) + 1.51 * math.exp(-21.88 * (Q + 0.47)) - 0.1 * RATE,
        ),
        ("-q^2", -(Q**2)),
        ("2^3^2", 512),
        ("2^-1", 0.5),
        ("-q*qdot", -Q * RATE),
        ("1-2-3", -4),
        ("8/4/2", 1),
        (" 1.5e-3 * q ", 1.5e-3 * Q),
        (".5*q", 0.5 * Q),
        ("max(q, qdot)*min(q,qdot)", Q * RATE),
        ("square(q)+cube(qdot)+recip(q)+abs(qdot)", Q**2 + RATE**3 + 1 / Q + abs(RATE)),
        (
            "sqrt(q)+log(q)+sin(q)+cos(q)+tan(q)+asin(q)+acos(q)+atan(q)",
            math.sqrt(Q) + math.log(Q) + math.sin(Q) + math.cos(Q) + math.tan(Q) + math.pi / 2 + math.atan(Q),
        ),
        ("sinh(q)+cosh(q)+tanh(q)+erf(q)", math.sinh(Q) + math.cosh(Q) + math.tanh(Q) + math.erf(Q)),
    ],
)
def test_formulas_have_their_values(text, expected):
    assert value(text) == pytest.approx(expected, rel=1e-14)


def test_every_known_function_has_a_meaning():
    for name in FUNCTIONS:
        assert math.isfinite(value(f"{name}(q, 0.3)" if name in ("min", "max") else f"{name}(q)"))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("2*", "ends too early"),
        ("(q", "ends too early"),
        ("q)", "not expected"),
        ("qdott", "did you mean 'qdot'"),
        ("sinn(q)", "function 'sinn' is not known"),
        ("q # 2", "belongs to no formula"),
        ("max(q)", "',' is missing"),
        ("(" * 200 + "q", "nested too deeply"),
        ("2q", "not expected"),
    ],
)
def test_what_is_no_formula_is_refused_by_place(text, part):
    with pytest.raises(InputError, match="line 1") as caught:
        read(text)
    assert part in str(caught.value)
