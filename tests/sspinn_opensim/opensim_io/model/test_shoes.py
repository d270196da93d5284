"""Soles under the feet: geometry of the written model, and what cannot wear shoes."""

import math

import pytest

import osim_models
from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.models import describe_model
from casadi_dynamics.osim import read_model
from sspinn_opensim.opensim_io.model.shoes import put_on_shoes


@pytest.fixture
def feet(tmp_path):
    """Return a copy of the built-in model, as a path."""
    path = tmp_path / "subject.osim"
    path.write_bytes(osim_models.path("planar_gait").read_bytes())
    return path


def places(path):
    return {sphere.name: sphere.location for sphere in read_model(path).contact_spheres}


def test_heel_and_forefoot_are_lowered_by_their_soles(feet):
    before = places(feet)
    assert sorted(put_on_shoes(feet, 30.0, 20.0)) == ["heel_l", "heel_r", "toe_l", "toe_r"]
    after = places(feet)
    for name, (x, y, z) in before.items():
        thickness = 0.030 if name.startswith("heel") else 0.020
        assert after[name] == pytest.approx((x, y - thickness, z), abs=1e-15)


def test_the_foot_stands_tilted_by_the_drop(feet):
    put_on_shoes(feet, 30.0, 20.0)
    (xh, yh, _), (xt, yt, _) = places(feet)["heel_r"], places(feet)["toe_r"]
    drop = 0.010 / (xt - xh)
    assert math.degrees(math.atan2(yt - yh, xt - xh)) == pytest.approx(math.degrees(math.atan(drop)))


def test_opensim_loads_the_model_in_shoes(feet):
    mass = run_job(describe_model, {"model": feet}, timeout_s=120).values["total_mass_kg"]
    put_on_shoes(feet, 30.0, 20.0)
    assert run_job(describe_model, {"model": feet}, timeout_s=120).values["total_mass_kg"] == mass


def test_a_point_between_heel_and_toe_gets_a_sole_between(feet):
    text = feet.read_text()
    sphere = text[text.index('<ContactSphere name="toe_r">') :]
    sphere = sphere[: sphere.index("</ContactSphere>") + len("</ContactSphere>")]
    x = read_model(feet).contact_spheres
    heel, toe = (next(s.location for s in x if s.name == name) for name in ("heel_r", "toe_r"))
    middle = sphere.replace('"toe_r"', '"middle_r"').replace(repr(toe[0]), repr((heel[0] + toe[0]) / 2))
    feet.write_text(text.replace(sphere, sphere + middle))
    before = places(feet)["middle_r"]
    put_on_shoes(feet, 30.0, 20.0)
    assert places(feet)["middle_r"][1] == pytest.approx(before[1] - 0.025, abs=1e-12)


def test_a_model_without_contact_points_is_refused(feet):
    text = feet.read_text()
    start, end = text.index("<ContactGeometrySet"), text.index("</ContactGeometrySet>")
    feet.write_text(text[:start] + text[end + len("</ContactGeometrySet>") :])
    before = feet.read_bytes()
    with pytest.raises(InputError, match="no contact points"):
        put_on_shoes(feet, 30.0, 20.0)
    assert feet.read_bytes() == before
