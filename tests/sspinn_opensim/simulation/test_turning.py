"""Straight walks laid along paths that bend."""

import dataclasses

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.symbolic import build
from sspinn_opensim.simulation.motion import Samples, through
from sspinn_opensim.simulation.settings import LaboratorySettings, MotionSettings, SimulationSettings, check
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.turning import END_S, bent
from sspinn_opensim.simulation.virtual import body_signals

SPEED_M_S, SECONDS = 1.2, 12.0


@pytest.fixture(scope="module")
def straight(spatial_model, make_motion):
    time_s = np.arange(-1.0, SECONDS + 1.0, 0.01)
    return build(spatial_model), through(Samples(time_s, make_motion(spatial_model, time_s)[0], "test"))


def laid(straight, path):
    functions, motion = straight
    return bent(functions, motion, (0.0, SECONDS), SPEED_M_S, path, 2.0, 3.0)


@pytest.mark.parametrize("path", ["circle", "back_and_forth"])
def test_the_body_turns_with_the_path_and_keeps_its_posture(straight, path, spatial_model):
    """Sensors feel the yaw rate about the vertical besides; the planar walk has no rate there."""
    functions, motion = straight
    turning, heading = laid(straight, path)
    time_s = np.arange(END_S, SECONDS - END_S, 0.01)
    names = spatial_model.coordinate_names
    before, after = (completed(functions, *m(time_s)) for m in (motion, turning))
    joints = [
        i for i, c in enumerate(spatial_model.coordinates) if c.name not in spatial_model.root_coordinates()
    ]
    np.testing.assert_allclose(after["q"][:, joints], before["q"][:, joints], atol=1e-6)
    at = np.tile([0.05, 0.1, 0.02], (len(time_s), 1, 1))
    _, rate = body_signals(functions, ["pelvis"], after, at)
    tilt = before["q"][:, names.index("pelvis_tilt")]
    yawing = heading(time_s, 1)
    expected = np.stack(
        [np.sin(tilt) * yawing, np.cos(tilt) * yawing, before["u"][:, names.index("pelvis_tilt")]], axis=1
    )
    np.testing.assert_allclose(rate[:, 0], expected, atol=2e-4)
    rotation = after["q"][:, names.index("pelvis_rotation")]
    assert np.abs(np.diff(rotation)).max() < 0.05 and rotation[-1] > np.pi


def test_the_way_is_the_path(straight, spatial_model):
    turning, _ = laid(straight, "circle")
    q = turning(np.arange(0.0, SECONDS, 0.01))[0]
    x, z = (q[:, spatial_model.coordinate_names.index(f"pelvis_t{axis}")] for axis in "xz")
    np.testing.assert_allclose(np.hypot(x, z + 2.0), 2.0, atol=1e-3)


def test_what_cannot_turn_is_refused(straight, planar_model, make_motion):
    time_s = np.arange(0.0, 3.0, 0.01)
    motion = through(Samples(time_s, make_motion(planar_model, time_s)[0], "test"))
    with pytest.raises(InputError, match="does not turn about the vertical") as refused:
        bent(build(planar_model), motion, (0.0, 3.0), SPEED_M_S, "circle", 2.0, 3.0)
    assert "straight" in refused.value.fix


def test_forces_of_a_straight_walk_are_refused(tmp_path):
    settings = SimulationSettings(
        motion=MotionSettings(path="circle"),
        laboratory=LaboratorySettings(external_loads=tmp_path / "loads.xml"),
    )
    with pytest.raises(InputError, match="not those of one that turns"):
        check(settings)
    check(dataclasses.replace(settings, motion=MotionSettings()))
    check(dataclasses.replace(settings, laboratory=LaboratorySettings()))
