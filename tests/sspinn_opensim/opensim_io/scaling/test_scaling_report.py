import math

import numpy as np
import pytest
from lxml import etree

from sspinn_opensim.opensim_io.scaling.anatomy import leg_doubts
from sspinn_opensim.opensim_io.scaling.finish import describe, scale_contact
from sspinn_opensim.opensim_io.scaling.report import MarkerErrors, factor_doubts, mass_doubts, unscaled

ONE = (1.0, 1.0, 1.0)


def test_a_factor_far_from_the_body_height_is_doubted_once_for_all_its_bodies():
    factors = {"pelvis": ONE, "talus_r": (1.1, 1.66, 1.1), "calcn_r": (1.1, 1.66, 1.1)}
    (doubt,) = factor_doubts(factors, None)
    assert "talus_r, calcn_r: y 1.660" in doubt and "pelvis" not in doubt
    assert not factor_doubts({"pelvis": (0.62, 0.6, 0.58)}, 0.6)  # a child
    assert "body height says 0.600" in factor_doubts({"pelvis": ONE}, 0.6)[0]


@pytest.mark.parametrize(("right", "left"), [("femur_r", "femur_l"), ("RightThigh", "LeftThigh")])
def test_sides_that_differ_are_doubted(right, left):
    (doubt,) = factor_doubts({right: (1.0, 1.08, 1.0), left: ONE}, None)
    assert doubt == f"right and left differ by 8 % in y: {right} and {left}"
    assert not factor_doubts({right: (1.0, 1.03, 1.0), left: ONE}, None)


@pytest.mark.parametrize(
    ("factor", "before", "after", "doubted"),
    [
        (1.0, 4.2, 12.0, True),  # an arm given the mass of more than an arm
        (0.05, 0.03, 75.0, True),  # a mouse with the mass of a person
        (1.0, 75.0, 30.0, True),
        (0.62, 75.0, 20.0, False),  # a child
        (0.95, 75.0, 110.0, False),
        (1.1, 75.0, 95.0, False),
        (1.0, 0.0, 0.0, False),
    ],
)
def test_a_mass_that_the_lengths_do_not_explain_is_doubted(factor, before, after, doubted):
    found = mass_doubts(
        {"a": (factor,) * 3, "b": (factor,) * 3}, {"a": (before, after), "b": (before, after)}
    )
    assert len(found) == doubted and all("length factors cubed" in doubt for doubt in found)


def test_bodies_without_a_factor_are_named_and_all_of_them_are_a_finding():
    (doubt,) = unscaled({"femur_r": (1.1, 1.0, 1.0), "hand_r": ONE})
    assert "hand_r" in doubt and "femur_r" not in doubt
    (doubt,) = unscaled({"femur_r": ONE, "hand_r": ONE})
    assert "nothing was scaled: every factor is 1" in doubt
    assert not unscaled({"femur_r": (1.1, 1.0, 1.0)})


def test_legs_that_no_person_of_this_height_has_are_doubted(model_file):
    model = describe(model_file)  # for a person of 1.80 m
    assert not leg_doubts(model, 1.80) and not leg_doubts(model, None)
    assert "hip to ankle is 0.884 m" in leg_doubts(model, 1.45)[0]
    renamed = {**model, "bodies": {f"segment{k}": body for k, body in enumerate(model["bodies"].values())}}
    assert not leg_doubts(renamed, 1.45)


def test_markers_without_weight_do_not_count():
    errors = MarkerErrors({"A": 0.003, "B": 0.004, "C": 0.5}, {"A": 1.0, "B": 2.0, "C": 0.0}, {}, {})
    assert errors.rms_m == pytest.approx(math.sqrt((0.003**2 + 0.004**2) / 2)) and not errors.doubts()
    assert list(errors.fitted) == ["B", "A"] and "largest B 4.0, A 3.0 mm" in errors.lines()[0]


@pytest.mark.parametrize("socket", ["/bodyset/foot/sole", "sole"])
def test_a_sphere_on_a_turned_frame_scales_along_the_axes_of_the_body(socket):
    """A quarter turn about z: the frame's x is the body's y."""
    frame = (
        '<PhysicalOffsetFrame name="sole"><socket_parent>/bodyset/foot</socket_parent>'
        f"<translation>0.1 0 0</translation><orientation>0 0 {math.pi / 2}</orientation>"
        "</PhysicalOffsetFrame>"
    )
    sphere = (
        f'<ContactSphere name="heel"><socket_frame>{socket}</socket_frame>'
        "<location>0.02 0.03 0.04</location><radius>0.01</radius></ContactSphere>"
    )
    on_frame = etree.fromstring(f"<Model>{frame}{sphere}</Model>")
    assert scale_contact(on_frame.getroottree(), {"foot": (2.0, 3.0, 1.0)}) == ("heel",)
    place = np.array(on_frame.findtext("ContactSphere/location").split(), float)
    # In the body the sphere lies at (-0.03, 0.02, 0.04) from the frame; scaled (-0.06, 0.06, 0.04).
    np.testing.assert_allclose(place, (0.06, 0.06, 0.04), rtol=1e-12)
    radius = float(on_frame.findtext("ContactSphere/radius"))
    assert radius == pytest.approx(0.01 * 6 ** (1 / 3))
