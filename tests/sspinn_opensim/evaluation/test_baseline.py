"""The label-free baseline on a motion whose angles are known, and on the public recording."""

import dataclasses

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Linear
from casadi_dynamics.osim import read_model
from sspinn_opensim.evaluation import (
    SagittalJoint,
    constant_posture,
    evaluate_curves,
    read_reference,
    sagittal_joints,
    segment_angle_baseline,
)
from sspinn_opensim.recording import Sensor, read_recording
from sspinn_opensim.recording.formats.dorschky2019 import Dorschky2019Options
from sspinn_opensim.recording.movement.sagittal import sagittal_signals
from sspinn_opensim.study import (
    ModelChoice,
    Person,
    RecordingChoice,
    ReferenceChoice,
    SensorChoice,
    Study,
)


@pytest.fixture(scope="module")
def public_models(repository):
    folder = repository.parent / "shared" / "models"
    if not folder.is_dir():
        pytest.skip("the public models are not beside this checkout (../shared/models)")
    return folder


def _baseline(recording, model, **options):
    signals = sagittal_signals(recording, model)
    return segment_angle_baseline(signals, sagittal_joints(model, signals.rate), **options)


def _largest_error_deg(curves, truth, frames=slice(None)):
    return max(np.degrees(np.abs(curves.angles[n] - truth[n])[frames]).max() for n in curves.angles)


def test_periodic_motion_is_recovered_with_its_offsets(recording, model, gait):
    curves = _baseline(recording, model)
    assert set(curves.angles) == {
        f"{j}_{s}" for j in ("hip_flexion", "knee_angle", "ankle_angle") for s in "rl"
    }
    assert _largest_error_deg(curves, gait.joint_angles(recording.time_s)) < 0.02


def test_gyro_bias_does_not_matter_in_a_periodic_motion(recording, model, gait):
    biased = dataclasses.replace(recording, angular_rate=recording.angular_rate + 0.1)
    assert _largest_error_deg(_baseline(biased, model), gait.joint_angles(recording.time_s)) < 0.02


def test_sensor_tilted_on_the_shank_is_mended_at_the_knee_only(recording, model, gait):
    shank = [sensor.body for sensor in recording.sensors].index("tibia_r")
    c, s = np.cos(np.radians(8)), np.sin(np.radians(8))
    acceleration = recording.acceleration.copy()
    x, y = acceleration[:, shank, 0].copy(), acceleration[:, shank, 1].copy()
    acceleration[:, shank, 0], acceleration[:, shank, 1] = c * x + s * y, c * y - s * x
    tilted = dataclasses.replace(recording, acceleration=acceleration)
    truth = gait.joint_angles(recording.time_s)
    mended, plain = _baseline(tilted, model), _baseline(tilted, model, knee_full_extension=None)
    assert np.degrees(np.abs(mended.angles["knee_angle_r"] - truth["knee_angle_r"])).max() < 0.05
    shift = np.degrees(
        plain.angles["knee_angle_r"]
        - _baseline(recording, model, knee_full_extension=None).angles["knee_angle_r"]
    )
    assert shift == pytest.approx(np.full_like(shift, 8.0), abs=0.3)


def test_unknown_cycle_is_integrated_without_drift(model, gait):
    recording = gait.make_recording(cycle_known=False, seconds=40.0)
    biased = dataclasses.replace(recording, angular_rate=recording.angular_rate + 0.02)
    middle = slice(500, -500)
    error = _largest_error_deg(_baseline(biased, model), gait.joint_angles(recording.time_s), middle)
    assert error < 2.5, "a drift of 0.02 rad/s over 40 s alone would be 46 degrees"


def test_a_gap_is_not_integrated_through(model, gait):
    """What a gap is filled with says nothing: either side is as good as a recording of its own."""
    whole = gait.make_recording(cycle_known=False, seconds=30.0)
    gap = slice(1480, 1520)
    usable = np.ones(len(whole.time_s), bool)
    usable[gap] = False
    rates = whole.angular_rate.copy()
    rates[gap] = rates[gap.start] + 2.0
    broken = dataclasses.replace(whole, usable=usable, angular_rate=rates)
    found = _baseline(broken, model, knee_full_extension=None)
    for part in (slice(0, gap.start), slice(gap.stop, None)):
        alone = dataclasses.replace(
            whole,
            time_s=whole.time_s[part],
            acceleration=whole.acceleration[part],
            angular_rate=whole.angular_rate[part],
            usable=usable[part],
        )
        expected = _baseline(alone, model, knee_full_extension=None)
        for name, angle in expected.angles.items():
            np.testing.assert_allclose(found.angles[name][part], angle, atol=1e-9)


def test_signs_follow_the_model(model):
    def turned(function):
        joints = []
        for joint in model.joints:
            if joint.name == "knee_r":
                axes = [
                    dataclasses.replace(axis, function=function) if axis.coordinate else axis
                    for axis in joint.rotations
                ]
                joints.append(dataclasses.replace(joint, rotations=tuple(axes)))
            else:
                joints.append(joint)
        return dataclasses.replace(model, joints=tuple(joints))

    bodies = [body.name for body in model.bodies]
    knee = SagittalJoint("tibia_r", "femur_r", 1, place="knee_r")
    assert sagittal_joints(model, bodies)["knee_angle_r"] == knee
    assert sagittal_joints(turned(Linear(-1.0, 0.0)), bodies)["knee_angle_r"].sign == -1
    shifted = sagittal_joints(turned(Linear(-1.0, 0.3)), bodies)["knee_angle_r"]
    assert shifted.offset == pytest.approx(0.3), "the shank is turned by 0.3 rad where the coordinate is zero"
    assert shifted.coordinate(0.3 - 1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(("name", "flexion"), [("gait2392_thelen2003", -1), ("Rajagopal2016", 1)])
def test_knees_of_public_models_count_flexion_their_own_way(public_models, name, flexion):
    model = read_model(public_models / f"{name}.osim")
    bodies = ["pelvis"] + [f"{b}_{s}" for s in "rl" for b in ("femur", "tibia", "calcn")]
    joints = sagittal_joints(model, bodies)
    assert {n: joint.place for n, joint in joints.items()} == {
        f"{n}_{s}": f"{p}_{s}"
        for s in "rl"
        for n, p in (("hip_flexion", "hip"), ("knee_angle", "knee"), ("ankle_angle", "ankle"))
    }
    # A turn of the shank about +z straightens the knee.
    assert joints["knee_angle_r"].sign == -flexion and joints["ankle_angle_r"].sign == 1
    assert joints["ankle_angle_r"].child == "calcn_r" and joints["ankle_angle_r"].parent == "tibia_r"
    posture = constant_posture(np.arange(2.0), joints)
    assert np.degrees(posture.angles["knee_angle_r"]) == pytest.approx([20 * flexion] * 2)
    low, high = model.coordinate("knee_angle_r").range
    assert (abs(high) > abs(low)) == (flexion == 1), "the range of the knee tells the same"


def test_joint_without_both_sensors_is_left_out(recording, model):
    joints = sagittal_joints(model, ["pelvis", "tibia_r", "foot_r"])
    assert set(joints) == {"ankle_angle_r"}


def test_a_pelvis_without_a_sensor_is_upright(recording, model, gait):
    joints = sagittal_joints(model, ["femur_r", "foot_r", "femur_l", "foot_l"])
    assert joints == {
        f"hip_flexion_{side}": SagittalJoint(f"femur_{side}", "", place=f"hip_{side}") for side in "rl"
    }
    curves = segment_angle_baseline(sagittal_signals(recording, model), joints)
    truth = gait.joint_angles(recording.time_s)
    tilt = np.abs(truth["pelvis_tilt"]).max()
    assert np.abs(curves.angles["hip_flexion_r"] - truth["hip_flexion_r"]).max() < tilt + 0.001


def test_imu_frame_names_the_body_and_an_unknown_one_is_refused(recording, model):
    def placed(frame):
        sensors = [Sensor(name=s.name, body="", imu_frame=frame.format(s.body)) for s in recording.sensors]
        return dataclasses.replace(recording, sensors=tuple(sensors))

    by_frame, by_body = _baseline(placed("{}_imu"), model), _baseline(recording, model)
    assert by_frame.angles["knee_angle_r"] == pytest.approx(by_body.angles["knee_angle_r"])
    with pytest.raises(InputError, match="no IMU frame 'pelvis_imv'"):
        _baseline(placed("{}_imv"), model)


def test_constant_posture_has_hip_knee_and_ankle_with_signs():
    joints = {
        "hip_flexion_r": SagittalJoint("a", "b", place="hip_r"),
        "knee_angle_r": SagittalJoint("a", "b", -1, place="knee_r"),
        "mtp_angle_r": SagittalJoint("a", "b"),
    }
    curves = constant_posture(np.arange(3.0), joints)
    assert set(curves.angles) == {"hip_flexion_r", "knee_angle_r"}
    assert np.degrees(curves.angles["hip_flexion_r"]) == pytest.approx([10, 10, 10])
    assert np.degrees(curves.angles["knee_angle_r"]) == pytest.approx([20, 20, 20])


@pytest.mark.parametrize(
    ("trial", "integrated", "shifted", "constant"),
    # Measured on the same file by an independent prototype, degrees: integration and gravity; the same with
    # the knee shifted; a constant posture.
    [("normwalking", 6.0, 4.0, 14.8), ("normrunning", 9.1, 7.7, 23.4)],
)
def test_published_recording(dorschky2019, model, trial, integrated, shifted, constant):
    file = dorschky2019 / f"P01_{trial}.mat"
    bodies = ("pelvis", "femur_r", "tibia_r", "foot_r")
    study = Study(
        path=file,
        model=ModelChoice(file),
        person=Person(1.73, 73.0),
        recording=RecordingChoice("dorschky2019", file, trial, options=Dorschky2019Options(3)),
        sensors=tuple(SensorChoice(body, body) for body in bodies),
        reference=ReferenceChoice("dorschky2019", file),
    )
    recording = read_recording(study)
    frames = slice(0, round(recording.cycle_s * recording.sampling_rate_hz))
    reference = read_reference(study, model)(recording.time_s[frames])

    def error(curves):
        scores = evaluate_curves(curves.select(frames), reference, study.person)
        assert set(scores["angles"]) == {"hip_flexion_r", "knee_angle_r", "ankle_angle_r"}
        return scores["angle_rmsd_deg"]

    signals = sagittal_signals(recording, model)
    joints = sagittal_joints(model, signals.rate)
    assert error(segment_angle_baseline(signals, joints, knee_full_extension=None)) == pytest.approx(
        integrated, abs=0.1
    )
    assert error(segment_angle_baseline(signals, joints)) == pytest.approx(shifted, abs=0.15)
    assert error(constant_posture(recording.time_s, joints)) == pytest.approx(constant, abs=0.1)
