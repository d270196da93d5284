"""Scenes and frames: where OpenSim has bodies, and muscles as long as OpenSim says."""

import re
from importlib.resources import files

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import osim_models
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.osim import read_model
from sspinn_opensim.viewer import FrameMaker, make_scene

#: float32 has 1e-7 of a number, and the random states of these models are some metres from the origin.
PLACE_M = 2e-6
#: Models with points that come and go, that move, and that are fixed.
MODELS = ("gait2392_thelen2003", "gait10dof18musc_subject01", "Rajagopal2016", "gait2d")


@pytest.fixture(params=MODELS)
def case(request, shared):
    model = read_model(shared / "models" / f"{request.param}.osim")
    return model, np.load(shared / "models" / f"{request.param}.npz", allow_pickle=True)


def test_bodies_are_where_opensim_has_them(case):
    model, answers = case
    scene = make_scene(model)
    frames = FrameMaker(model, scene).frames(answers["q"])
    bodies = frames.reshape(len(frames), len(scene.bodies), 7)
    np.testing.assert_allclose(bodies[..., :3], answers["body_p"], atol=PLACE_M)
    turns = Rotation.from_quat(bodies[..., 3:].reshape(-1, 4)).as_matrix().reshape(answers["body_R"].shape)
    np.testing.assert_allclose(turns, answers["body_R"], atol=PLACE_M)


def test_muscles_without_surfaces_are_as_long_as_opensim_says(case):
    model, answers = case
    free = [muscle.name for muscle in model.muscles if not muscle.path.wraps]
    scene = make_scene(model, muscles=free)
    data = scene.to_json()
    names = [str(name) for name in answers["musc_names"]]
    frames = FrameMaker(model, scene).frames(answers["q"])
    first = 7 * len(scene.bodies) + len(free)
    for muscle in data["muscles"]:
        expected = answers["musc_len"][:, names.index(muscle["name"])]
        way = [_track(scene, frames, first, point) for point in muscle["points"]]
        length = np.linalg.norm(np.diff(way, axis=0), axis=2).sum(axis=0)
        np.testing.assert_allclose(length, expected, atol=10 * PLACE_M, err_msg=muscle["name"])


@pytest.mark.parametrize(
    ("name", "one_m", "some_m"), [("Rajagopal2016", 2e-4, 5e-3), ("arm26", 2e-4, 5e-3), ("gait2d", 2e-4, 0)]
)
def test_muscles_around_surfaces_run_along_them(shared, name, one_m, some_m):
    """Their arcs are drawn with five chords: of half a turn about 3 cm these leave out 1.5 mm, of what there
    is here a tenth of that. Around several surfaces OpenSim's lengths are of places that it has since moved.
    Straight lines between the points of the paths are up to two centimetres shorter."""
    model = read_model(shared / "models" / f"{name}.osim")
    answers = np.load(shared / "models" / f"{name}.npz", allow_pickle=True)
    wrapped = [muscle for muscle in model.muscles if muscle.path.wraps]
    scene = make_scene(model, muscles=[muscle.name for muscle in wrapped])
    frames = FrameMaker(model, scene).frames(answers["q"])
    assert frames.shape[1] == scene.frame_floats
    first, names, bends = 7 * len(scene.bodies) + len(wrapped), list(answers["musc_names"]), []
    for muscle, drawn in zip(wrapped, scene.to_json()["muscles"], strict=True):
        way = np.array([_track(scene, frames, first, point) for point in drawn["points"]])
        length = np.linalg.norm(np.diff(way, axis=0), axis=2).sum(axis=0)
        off = np.abs(length - answers["musc_len"][:, names.index(muscle.name)])
        assert off.max() < (one_m if len(muscle.path.wraps) == 1 else some_m), muscle.name
        ends = np.linalg.norm(way[-1] - way[0], axis=1)
        bends.append((length - ends).max())
    assert max(bends) > 0.01


def _track(scene, frames, first, point):
    if isinstance(point, int):
        return frames[:, first + 3 * point :][:, :3].astype(float)
    number, *location = point
    body = GROUND if number < 0 else scene.bodies[number]
    return np.array([scene.place(frame, body, location) for frame in frames])


def test_a_frame_is_laid_out_as_the_scene_says():
    model = read_model(osim_models.path("planar_gait"))
    muscle = model.muscles[0].name
    scene = make_scene(model, sensors=model.imu_frames, forces=("a", "b"), muscles=(muscle,))
    q = [coordinate.default for coordinate in model.coordinates]
    force = np.array([[[1.0, 2.0, 3.0], [np.nan, 0.0, 0.0]]])
    (frame,) = FrameMaker(model, scene).frames(q, point=force + 10, force=force, activation=[[0.5]])
    data = scene.to_json()
    bodies = 7 * len(data["bodies"])
    assert frame.dtype == "<f4" and frame.shape == (data["frame_floats"],)
    np.testing.assert_array_equal(frame[bodies : bodies + 12], [11, 12, 13, 1, 2, 3, *[0] * 6])
    assert frame[bodies + 12] == 0.5
    (unknown,) = FrameMaker(model, scene).frames(q)
    assert np.isnan(unknown[bodies + 12]) and not unknown[bodies : bodies + 12].any()
    with pytest.raises(KeyError):
        make_scene(model, muscles=("none of it",))


def test_muscles_that_were_not_analysed_have_no_colour_of_activity():
    """Between blue and red lies all that is known; grey has its channels alike."""
    script = (files("sspinn_opensim") / "viewer/browser/viewer.js").read_text(encoding="utf-8")
    unknown = [bytes.fromhex(found) for found in re.findall(r"unknown: 0x([0-9a-f]{6})", script)]
    assert len(unknown) == 2 and all(max(colour) - min(colour) < 32 for colour in unknown)
