"""Signals of sensors in the sagittal plane, by the body that carries them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic.posture import posture
from sspinn_opensim.anatomy.names import MIDDLE, segment_of
from sspinn_opensim.anatomy.sagittal import root_stays_in_plane
from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.movement.phases import GAIT, Phase
from sspinn_opensim.recording.sensors.places import place
from sspinn_opensim.recording.types import AXES, Recording

#: A sensor's axis is in the sagittal plane if it is closer to it than to the z axis of ground.
IN_PLANE = 0.5**0.5
#: rad/s, root mean square: tissue lets sensors on one rigid part turn against each other by less than the
#: first. Legs in gait turn by more than the second: a thigh against the pelvis by 1.8 in a walk at 1.26 m/s.
_TISSUE_RATE, _JOINT_RATE = 0.5, 1.0


@dataclass(frozen=True)
class SagittalSignals:
    """Signals of a recording by body, in body axes (x forward, y up, z right when standing).

    Attributes
    ----------
    time_s : ndarray, shape (n,)
    cycle_s : float or None
        Period, s, if the recording is one gait cycle repeated.
    rate : mapping of body to ndarray, shape (n,)
        Angular rate about z, rad/s.
    force : mapping of body to ndarray, shape (n, 2)
        Specific force along x and y, m/s^2.
    usable : ndarray, shape (n,)
        False in gaps.
    """

    time_s: np.ndarray
    cycle_s: float | None
    rate: Mapping[str, np.ndarray]
    force: Mapping[str, np.ndarray]
    usable: np.ndarray


def sagittal_signals(recording: Recording, model: Model) -> SagittalSignals:
    """Return those of every body whose sensor measures them.

    Signals of a sensor placed by an IMU frame of the model are turned from that frame into body axes.

    Raises
    ------
    InputError
        A sensor names an IMU frame that the model lacks.
    """
    frames = {frame.name: frame for frame in model.imu_frames}
    rate, force = {}, {}
    for k, sensor in enumerate(recording.sensors):
        body, to_body = sensor.body, np.eye(3)
        if sensor.imu_frame:
            if sensor.imu_frame not in frames:
                raise InputError(
                    f"the model has no IMU frame '{sensor.imu_frame}'",
                    where=f"sensor '{sensor.name}'",
                    expected=", ".join(frames),
                    fix=nearest(sensor.imu_frame, frames),
                )
            body, to_body = frames[sensor.imu_frame].body, np.array(frames[sensor.imu_frame].rotation)
        rated = recording.angular_rate_available[k][np.abs(to_body[2]) > 0.1].all()
        weighed = recording.acceleration_available[k][(np.abs(to_body[:2]) > 0.1).any(axis=0)].all()
        if rated and weighed and body not in rate:
            rate[body] = recording.angular_rate[:, k] @ to_body[2]
            force[body] = recording.acceleration[:, k] @ to_body[:2].T
    return SagittalSignals(recording.time_s, recording.cycle_s, rate, force, recording.usable)


def lacking_channels(recording: Recording, model: Model, held: Container[str]) -> tuple[Finding, ...]:
    """Return of which sensors channels are missing that a model would be compared with.

    Parameters
    ----------
    recording : Recording
        Along the axes of the model's bodies and IMU frames, which carry all its sensors.
    held : container of str
        Coordinates that do not move. Where the root stays in the sagittal plane, what is felt across it is
        not needed.
    """
    planar, standing, found = root_stays_in_plane(model, held), posture(model).rotation, []
    for k, sensor in enumerate(recording.sensors):
        frame = place(sensor, model)
        across = np.abs((standing[frame.body] @ np.array(frame.rotation))[2])
        lacks = []
        for words, known, needed in (
            ("specific force along", recording.acceleration_available[k], across < IN_PLANE),
            ("angular rate about", recording.angular_rate_available[k], across > IN_PLANE),
        ):
            missing = needed & ~known if planar else ~known
            if known.any() and missing.any():  # of a whole signal it is told without a model
                lacks.append(f"{words} {', '.join(np.array(AXES)[missing])}")
        if lacks:
            found.append(
                Finding(
                    "doubt",
                    "missing_signal",
                    f"it has no {' and no '.join(lacks)} that can be used: angles and forces at its segment "
                    "are less certain.",
                    sensor=sensor.name,
                    advice="export all its axes, or name their columns",
                )
            )
    return tuple(found)


def across_held_joints(
    along: Recording, model: Model, held: Container[str], doing: Sequence[Phase]
) -> tuple[Finding, ...]:
    """Return which sensors turn against each other in the sagittal plane although nothing moves between them.

    Parameters
    ----------
    along : Recording
        Along the axes of the bodies.
    held : container of str
        Coordinates that do not move; those that are locked in the model are among them.
    doing : sequence of Phase
        What the person does: gait counts, if there is some.

    Returns
    -------
    tuple of Finding
        Empty of a model that is one rigid body: that no joint is estimated is refused by itself.
    """
    parts, standing, time_s = _rigid_parts(model, held), posture(model).rotation, along.time_s
    if len(set(parts.values())) == 1:
        return ()
    walks = [(time_s >= phase.from_s) & (time_s <= phase.to_s) for phase in doing if phase.kind in GAIT]
    counts = np.any(walks, axis=0) if walks else np.ones(len(time_s), bool)
    rates = {
        k: along.angular_rate[counts, k] @ standing[sensor.body][2]
        for k, sensor in enumerate(along.sensors)
        if along.angular_rate_available[k][np.abs(standing[sensor.body][2]) > IN_PLANE].all()
    }
    return tuple(_against(along, parts, rates))


def _against(
    along: Recording, parts: Mapping[str, str], rates: Mapping[int, np.ndarray]
) -> Iterator[Finding]:
    for k, sensor in enumerate(along.sensors):
        for other, rate in rates.items():
            neighbour = along.sensors[other]
            same = parts[sensor.body] == parts[neighbour.body] and sensor.body != neighbour.body
            if other >= k or k not in rates or not same:
                continue
            apart = float(np.sqrt(np.mean((rates[k] - rate) ** 2)))
            if apart < _TISSUE_RATE:
                continue
            told = [segment_of(body) for body in (sensor.body, neighbour.body)]
            trunk = all(segment is not None and segment[0] in MIDDLE for segment in told)
            yield Finding(
                "serious" if apart > _JOINT_RATE and not trunk else "doubt",
                "held_joint",
                f"it turns against '{neighbour.name}' by {apart:.2g} rad/s (root mean square), and the joint "
                "between them is held.",
                sensor=sensor.name,
                advice="let it move (fixed and estimate under [coordinates], locked in the model), or leave "
                "out one of the sensors",
            )


def _rigid_parts(model: Model, held: Container[str]) -> dict[str, str]:
    """Return for each body the one nearest to ground that nothing moves against it."""
    joints, parts = {joint.child.body: joint for joint in model.joints}, {}
    for body in (body.name for body in model.bodies):
        part = body
        while (joint := joints.get(part)) is not None and joint.parent.body != GROUND:
            axes = (axis.coordinate for axis in (*joint.rotations, *joint.translations))
            if joint.winging or any(name and name not in held for name in axes):
                break
            part = joint.parent.body
        parts[body] = part
    return parts
