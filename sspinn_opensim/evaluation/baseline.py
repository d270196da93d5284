"""Baseline: joint angles from gyroscopes and gravity, without a network, physics or labels.

Each segment's sagittal rate is integrated over the recording; the angle left open by integration is the
one that makes the mean specific force vertical, because a body that keeps moving (a gait cycle, several
seconds of walking) has no mean acceleration. Joint angles are differences of segment angles. The knee, whose
offset suffers most from a sensor that does not sit along the shank, is shifted so that its fullest
extension is 5 degrees of flexion, as in human gait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic.posture import Posture, posture, upright
from sspinn_opensim.anatomy import joint_of_leg
from sspinn_opensim.anatomy.sagittal import sagittal_coordinates
from sspinn_opensim.evaluation.curves import Curves
from sspinn_opensim.recording.movement.sagittal import SagittalSignals
from sspinn_opensim.recording.signals.runs import true_runs

#: Stands for a body that is taken as upright.
UPRIGHT = ""

#: rad, flexion left in the straightest knee of a gait cycle. Fixed before scoring.
KNEE_FULL_EXTENSION = np.radians(-5.0)

#: rad about +z, a posture that never moves: hip flexed 10, knee flexed 20, ankle neutral.
CONSTANT_POSTURE = {"hip": np.radians(10.0), "knee": np.radians(-20.0), "ankle": 0.0}

#: rad: bodies that are turned against each other by less than this are not turned.
_ROUNDING = 1e-9

#: s, standard deviation of the window over which a recording without a known cycle has no mean acceleration.
AVERAGING_S = 1.5


@dataclass(frozen=True)
class SagittalJoint:
    """A coordinate read as the angle of `child` minus that of `parent` about +z, less `offset`, times `sign`.

    An empty `parent` is a pelvis without a sensor, which stays upright. `place` is 'hip', 'knee' or 'ankle'
    with its side, as in 'knee_r', where the names of the bodies tell; else empty. `offset` in rad is what the
    bodies are turned against each other where the coordinate is zero.
    """

    child: str
    parent: str
    sign: int = 1
    offset: float = 0.0
    place: str = ""

    def coordinate(self, turn):
        """Return the value of the coordinate for a turn of the child against the parent, rad."""
        return self.sign * (turn - self.offset)


def sagittal_joints(model: Model, sensor_bodies: Iterable[str]) -> dict[str, SagittalJoint]:
    """Find the coordinates that turn about the z axis between two bodies that carry sensors.

    A body without a sensor borrows the next one outward or inward that does not turn against it in the
    sagittal plane (the ankle of a model with talus and calcaneus is read from a sensor on the calcaneus). The
    body that the root moves is taken as upright where nothing is known of it, so that sparse sets have hips.

    Parameters
    ----------
    sensor_bodies : iterable of str
        Bodies with an angular rate and an acceleration.

    Returns
    -------
    dict of coordinate to SagittalJoint
        Signs and offsets follow the model: -1 where the coordinate counts clockwise turns as positive.
    """
    sensors = set(sensor_bodies)
    roots = set(model.root_coordinates())
    signs = sagittal_coordinates(model)
    turning = {model.joint(model.coordinate(name).joint).child.body: name for name in signs}
    inward = {joint.child.body: joint.parent.body for joint in model.joints}

    def next_outward(body: str) -> str | None:
        if body in sensors:
            return body
        rigid = [child for child, parent in inward.items() if parent == body and child not in turning]
        return next_outward(rigid[0]) if len(rigid) == 1 else None

    def next_inward(body: str) -> str | None:
        while body not in sensors and body in inward and body not in turning:
            body = inward[body]
        upright = UPRIGHT if inward.get(body) == GROUND else None
        return body if body in sensors else upright

    standing, values = posture(model), upright(model)
    found = {}
    for body, name in turning.items():
        child, parent = next_outward(body), next_inward(inward[body])
        if name in roots or child is None or parent is None:
            continue
        turn = _turn_about_z(standing, child) - _turn_about_z(standing, parent)
        offset = turn - signs[name] * values[name]
        offset = 0.0 if abs(offset) < _ROUNDING else offset
        found[name] = SagittalJoint(child, parent, signs[name], offset, joint_of_leg(body, inward[body]))
    order = {name: k for k, name in enumerate(model.coordinate_names)}
    return dict(sorted(found.items(), key=lambda item: order[item[0]]))


def _turn_about_z(standing: Posture, body: str) -> float:
    x_axis = standing.rotation[body][:, 0] if body != UPRIGHT else (1.0, 0.0, 0.0)
    return float(np.arctan2(x_axis[1], x_axis[0]))


def segment_angle_baseline(
    signals: SagittalSignals,
    joints: Mapping[str, SagittalJoint],
    *,
    knee_full_extension: float | None = KNEE_FULL_EXTENSION,
) -> Curves:
    """Joint angles from periodic (or windowed) gyro integration and mean gravity.

    Parameters
    ----------
    knee_full_extension : float or None
        Angle of the shank against the thigh about +z, rad (flexion is negative), given to the straightest
        frame of every knee; None leaves the knee as integrated.

    Returns
    -------
    Curves
        Angles only, on the times of the recording, rad. Offline: it uses the whole recording.
    """
    bodies = {body for joint in joints.values() for body in (joint.child, joint.parent)}
    segments = {body: _segment_angle(signals, body) if body != UPRIGHT else np.zeros(1) for body in bodies}
    angles = {}
    for name, joint in joints.items():
        turn = segments[joint.child] - segments[joint.parent]
        if joint.place.startswith("knee") and knee_full_extension is not None:
            turn = turn - turn[signals.usable].max() + knee_full_extension
        angles[name] = joint.coordinate(turn)
    return Curves(time_s=signals.time_s, angles=angles)


def constant_posture(time_s: np.ndarray, joints: Mapping[str, SagittalJoint]) -> Curves:
    """Return the posture of `CONSTANT_POSTURE` held still at the given times (hip, knee and ankle only)."""
    angles = {}
    for name, joint in joints.items():
        angle = CONSTANT_POSTURE.get(joint.place.partition("_")[0])
        if angle is not None:
            angles[name] = np.full(len(time_s), joint.coordinate(angle))
    return Curves(time_s=time_s, angles=angles)


def _segment_angle(signals: SagittalSignals, body: str) -> np.ndarray:
    """Angle of a body about +z from ground x, shape (n,), rad."""
    rate, force = signals.rate[body], signals.force[body]
    if signals.cycle_s is None:
        # What gyroscope and gravity say ends where a gap begins; in it the angle is as good as it gets.
        angle = _windowed_angle(signals.time_s, rate, force)
        for first, last in true_runs(signals.usable):
            if last - first > 1:
                run = slice(first, last)
                angle[run] = _windowed_angle(signals.time_s[run], rate[run], force[run])
        return angle
    return _periodic_angle(signals.time_s, rate, force, signals.cycle_s)


def _periodic_angle(time_s: np.ndarray, rate: np.ndarray, force: np.ndarray, cycle_s: float) -> np.ndarray:
    """Integrate the harmonics of one cycle; the mean rate, which cannot be motion, is dropped."""
    samples = max(2, round(cycle_s / np.median(np.diff(time_s))))
    phase_s = time_s[0] + np.arange(samples) * cycle_s / samples
    cycle_rate = np.interp(phase_s, time_s, rate)
    cycle_force = np.column_stack([np.interp(phase_s, time_s, axis) for axis in force.T])
    harmonics = np.fft.rfft(cycle_rate)
    omega = 2 * np.pi * np.arange(len(harmonics)) / cycle_s
    harmonics[0] = 0.0
    if samples % 2 == 0:
        harmonics[-1] = 0.0  # the derivative of the highest harmonic is not visible in its samples
    harmonics[1:] /= 1j * omega[1:]
    angle = np.fft.irfft(harmonics, samples)
    angle += _tilt_of(_turn(cycle_force, angle).mean(axis=0))
    return np.interp(time_s - time_s[0], phase_s - time_s[0], angle, period=cycle_s)


def _windowed_angle(time_s: np.ndarray, rate: np.ndarray, force: np.ndarray) -> np.ndarray:
    """Integrate throughout; the drift is what turns the locally averaged specific force off the vertical."""
    steps = np.diff(time_s)
    angle = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * steps)])
    turned = _turn(force, angle)
    sigma = AVERAGING_S / np.median(steps)
    half = max(1, round(4 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    weight = np.convolve(np.ones(len(time_s)), kernel)[half:-half]
    averaged = np.column_stack([np.convolve(axis, kernel)[half:-half] for axis in turned.T]) / weight[:, None]
    return angle + np.unwrap(_tilt_of(averaged))


def _turn(vectors: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Turn plane vectors, shape (n, 2), by angles, shape (n,)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.column_stack([c * vectors[:, 0] - s * vectors[:, 1], s * vectors[:, 0] + c * vectors[:, 1]])


def _tilt_of(up: np.ndarray) -> np.ndarray:
    """Angle by which plane vectors must turn to point up."""
    return np.arctan2(up[..., 0], up[..., 1])
