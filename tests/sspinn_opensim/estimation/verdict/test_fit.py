"""What is left of the loss after training: nothing of the true motion; of a fault, what its sensor shows."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sspinn_opensim.estimation.verdict.fit import fit_of
from sspinn_opensim.recording import Phase
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.motion import RawMotion, differentiate
from sspinn_opensim.training.mounting import Mounting
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import make_subject

SETTINGS = TrainingSettings()
#: Central differences over 20 ms of a motion of 1 Hz miss a part of (2 pi 0.01)^2 / 6 of a rate, 0.1 %, and
#: forces of floats another; foot and shank are moved by several of them.
EXPLAINED = 0.01


@pytest.fixture
def knows_the_motion(walker, make_motion):
    """Return an estimator that says how the walker moves, whatever the signals are, and pushes on no foot."""
    roles, rate_hz = walker.subject.roles, walker.recording.sampling_rate_hz
    q, u, _ = make_motion(walker.model, walker.recording.time_s)
    frames, unscored = round(SETTINGS.window_s * rate_hz), round(SETTINGS.unscored_s * rate_hz)

    def decoder(rows):
        points = len(walker.subject.functions.contact_points)
        return RawMotion(
            posture=torch.as_tensor(q[:, list(roles.posture)], dtype=torch.float32)[rows],
            velocity=torch.as_tensor(u[:, list(roles.steps)], dtype=torch.float32)[rows],
            height=torch.as_tensor(q[:, [roles.vertical]], dtype=torch.float32)[rows],
            yaw_rate=torch.zeros(*rows.shape, 0),
            force=torch.zeros(*rows.shape, points, 3),
            torque=torch.zeros(*rows.shape, len(roles.actuated)),
        )

    class Network:
        """Its state is how many frames of a window are over, its output which frames of the recording."""

        def settle(self, inputs):
            return inputs.shape[1]

        def __call__(self, inputs, state):
            starts = torch.arange(len(inputs)) * (frames - unscored) + state
            return starts[:, None] + torch.arange(inputs.shape[1]), None

    return SimpleNamespace(network=Network(), decoder=decoder, mounting=Mounting(7))


def fit_to(walker, estimator, recording):
    return fit_of(estimator, walker.subject, make_signals(recording, walker.subject), SETTINGS)


def changed(recording, sensor, how):
    """Return a recording with acceleration and rate of one sensor changed."""
    k = [s.body for s in recording.sensors].index(sensor)
    signals = {}
    for name in ("acceleration", "angular_rate"):
        values = getattr(recording, name).copy()
        values[:, k] = how(name, values[:, k])
        signals[name] = values
    return dataclasses.replace(recording, **signals)


def test_the_true_motion_explains_every_sensor(walker, knows_the_motion):
    fit = fit_to(walker, knows_the_motion, walker.recording)
    assert fit.windows == 2 and len(fit.sensors) == 7
    for sensor in fit.sensors:
        assert sensor.acceleration_share is None or sensor.acceleration_share < EXPLAINED
        assert sensor.angular_rate_share < EXPLAINED and abs(sensor.delay_s) < 1e-3
        assert sensor.turned_deg == sensor.moved_m == 0
    assert fit.speed_share == pytest.approx(1.0, abs=1e-6)
    assert fit.mean_angles_deg["knee_angle_r"] == pytest.approx(np.degrees(-0.45), abs=1.0)
    # Nothing carries the body: the whole weight is missing at the root, ten scales of a tenth of it.
    assert fit.terms["root_residual"] > 50
    assert "led_force" not in fit.terms


def test_who_stands_goes_at_no_speed(walker, knows_the_motion):
    """Of two windows the first holds someone who stands: the speed is that of the other."""
    moving = knows_the_motion.decoder

    def at_first_still(rows):
        raw = moving(rows)
        walks = (rows >= rows[-1, 0])[..., None]
        return dataclasses.replace(raw, velocity=raw.velocity * walks)

    knows_the_motion.decoder = at_first_still
    last = float(walker.recording.time_s[-1])
    told = (Phase("standing", 0.0, 0.5), Phase("walking", 0.5, last))
    for phases, share in ((told, 1.0), (told[1:], 0.5)):
        signals = make_signals(walker.recording, walker.subject, phases)
        fit = fit_of(knows_the_motion, walker.subject, signals, SETTINGS)
        assert fit.windows == 2 and fit.speed_share == pytest.approx(share, abs=0.01)


def test_mirror_images_have_equal_mean_angles(walker, knows_the_motion):
    """Of joints that turn about one axis on both sides, the left angle is the other way round."""
    usual = fit_to(walker, knows_the_motion, walker.recording).mean_angles_deg
    subject = dataclasses.replace(walker.subject)
    names = subject.model.coordinate_names
    pair = (names.index("hip_flexion_r"), names.index("hip_flexion_l"))
    knees = (names.index("knee_angle_r"), names.index("knee_angle_l"))
    subject.__dict__["mirrored_turns"] = ((*pair, 1.0), (*knees, -1.0))
    signals = make_signals(walker.recording, subject)
    found = fit_of(knows_the_motion, subject, signals, SETTINGS).mean_angles_deg
    assert found == usual | {"hip_flexion_l": -usual["hip_flexion_l"]}


def test_a_clock_that_is_late_is_found_at_its_sensor(walker, knows_the_motion):
    recording = changed(walker.recording, "tibia_r", lambda _, values: np.roll(values, 5, axis=0))
    found = {s.sensor: s for s in fit_to(walker, knows_the_motion, recording).sensors}
    late = {name: sensor.delay_s for name, sensor in found.items()}
    assert late.pop("tibia_r") == pytest.approx(0.05, abs=0.002)
    assert max(map(abs, late.values())) < 1e-3


def test_a_gyroscope_that_counts_the_other_way_leaves_twice_its_signal(walker, knows_the_motion):
    recording = changed(walker.recording, "foot_l", lambda n, v: -v if n == "angular_rate" else v)
    found = {s.sensor: s for s in fit_to(walker, knows_the_motion, recording).sensors}
    # Root mean square over the deviation: twice it about the mean, which is next to zero in gait.
    assert found["foot_l"].angular_rate_share == pytest.approx(2.0, rel=0.05)
    assert found["foot_r"].angular_rate_share < EXPLAINED
    assert found["foot_l"].acceleration_share < EXPLAINED


def test_where_training_put_a_sensor_is_told(walker, knows_the_motion):
    with torch.no_grad():
        knows_the_motion.mounting.rotation[1] = torch.tensor([0.0, 0.0, 0.1])
        knows_the_motion.mounting.shift[2] = torch.tensor([0.0, 0.03, 0.04])
    sensors = fit_to(walker, knows_the_motion, walker.recording).sensors
    assert sensors[1].turned_deg == pytest.approx(np.degrees(0.1), rel=1e-5)
    assert sensors[2].moved_m == pytest.approx(0.05, rel=1e-5)
    assert sensors[1].acceleration_share > EXPLAINED and sensors[2].acceleration_share > EXPLAINED


def test_a_training_may_follow(walker, knows_the_motion):
    """What the body keeps of a fit can be differentiated through."""
    fit_to(walker, knows_the_motion, walker.recording)
    raw = knows_the_motion.decoder(torch.arange(10)[None])
    posture = raw.posture.clone().requires_grad_()
    motion = differentiate(dataclasses.replace(raw, posture=posture), walker.subject, 0.01)
    (motion.q.sum() + motion.u.square().sum() + motion.udot.square().sum()).backward()
    assert posture.grad.isfinite().all() and posture.grad.any()


def test_a_recording_without_a_window_has_no_fit(walker, knows_the_motion, record):
    short = record(walker.model, seconds=0.5)
    assert fit_to(walker, knows_the_motion, short) is None


def test_how_tissue_turns_a_leg_is_not_held_against_its_gyroscope(walker, spatial_model):
    """In space, a network that says the same of all signals: other axes count at the pelvis alone."""
    subject = make_subject(spatial_model, walker.recording, {}, height_m=1.8)
    estimator = PersonNetwork(subject, make_signals(walker.recording, subject)).eval()
    with torch.no_grad():
        estimator.network.head[-1].weight.zero_()

    def misfits(sensor, axis):
        shaken = 3.0 * np.sin(30 * walker.recording.time_s)[:, None] * np.eye(3)[axis]
        recording = changed(walker.recording, sensor, lambda name, x: x + shaken * (name == "angular_rate"))
        fit = fit_of(estimator, subject, make_signals(recording, subject), SETTINGS)
        return next(own.angular_rate_rad_s for own in fit.sensors if own.body == sensor)

    about_x, about_y, about_z = (misfits("tibia_r", axis) for axis in range(3))
    assert about_x == about_y < about_z
    assert min(misfits("pelvis", axis) for axis in range(3)) > 1.5
