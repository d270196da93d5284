"""IMU frames in a copy of a model: read back by our reader and by a live OpenSim."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.answers import model_answers
from casadi_dynamics.osim import read_model
from sspinn_opensim.opensim_io.model.imu_frames import FramePlace, frame_names, write_imu_frames
from sspinn_opensim.opensim_io.model.model_file import read_model_tree
from sspinn_opensim.recording.signals.rotations import rotation_from_angles

FRAMES = (
    FramePlace("pelvis_imu", "pelvis", (-0.12, 0.031, 0.002), (0.1, -0.2, 3.0)),
    FramePlace("left_shank_imu", "tibia_l", (0.01, -0.21, 0.06), (1.2, 0.3, -0.7)),
    FramePlace("foot_r_imu", "foot_l", (0.11, 0.02, 0.0), (0.0, 0.0, 0.0)),
)


@pytest.fixture
def written(model_file, tmp_path):
    return write_imu_frames(model_file, tmp_path / "copy.osim", FRAMES)


def test_our_reader_finds_every_frame_in_its_place(written, model_file):
    found = {frame.name: frame for frame in read_model(written).imu_frames}
    for frame in FRAMES:
        assert found[frame.name].body == frame.body and found[frame.name].position == frame.position
        np.testing.assert_allclose(
            found[frame.name].rotation, rotation_from_angles(frame.orientation), atol=1e-15
        )
    before = {frame.name: frame for frame in read_model(model_file).imu_frames}
    assert found.keys() == before.keys() | {"left_shank_imu"}
    assert all(found[name] == before[name] for name in before.keys() - {frame.name for frame in FRAMES})


def test_opensim_finds_every_frame_in_its_place(written, tmp_path):
    answers = tmp_path / "answers.npz"
    arguments = {"model": written, "samples": 2, "seed": 0, "output": answers}
    run_job(model_answers, arguments, timeout_s=120, outputs=[answers])
    with np.load(answers) as stored:
        names, bodies = list(stored["imu_frames"]), list(stored["body_names"])
        for frame in FRAMES:
            k, b = names.index(frame.name), bodies.index(frame.body)
            assert stored["imu_bodies"][k] == frame.body
            place = stored["body_p"][:, b] + stored["body_R"][:, b] @ frame.position
            np.testing.assert_allclose(stored["imu_p"][:, k], place, atol=1e-12)
            axes = stored["body_R"][:, b] @ rotation_from_angles(frame.orientation)
            rate = np.einsum("nji,nj->ni", axes, stored["body_w"][:, b])
            np.testing.assert_allclose(stored["imu_gyro"][:, k], rate, atol=1e-12)


def test_the_rest_of_the_model_stays(written, model_file):
    before, after = read_model(model_file), read_model(written)
    assert (after.bodies, after.joints, after.coordinates) == (
        before.bodies,
        before.joints,
        before.coordinates,
    )


def test_an_unknown_body_is_refused_and_nothing_written(model_file, tmp_path):
    with pytest.raises(InputError, match="no body named 'tibia'") as error:
        write_imu_frames(
            model_file, tmp_path / "copy.osim", [FramePlace("a_imu", "tibia", (0, 0, 0), (0, 0, 0))]
        )
    assert "tibia_" in error.value.fix and not list(tmp_path.iterdir())


def test_a_frame_in_use_does_not_change_its_body(model_file, tmp_path):
    tree = read_model_tree(model_file)
    frame = next(f for f in tree.iter("PhysicalOffsetFrame") if f.get("name") == "foot_r_imu")
    user = next(f for f in tree.iter("PhysicalOffsetFrame") if f.get("name") == "foot_r_foot_center")
    user.find("socket_parent").text = "/bodyset/foot_r/foot_r_imu"
    path = tmp_path / "used.osim"
    tree.write(str(path))
    assert frame is not None
    with pytest.raises(InputError, match="is in use"):
        write_imu_frames(path, tmp_path / "copy.osim", FRAMES)


def test_names_can_stand_in_paths():
    assert frame_names(["tibia_r", "left shank", "a/b", "a_b"]) == (
        "tibia_r_imu",
        "left_shank_imu",
        "a_b_imu",
        "a_b_2_imu",
    )
