"""Bodies of sensors: which body of a model each sits on, by names of segments, and whether there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import Model
from sspinn_opensim.anatomy import segment_of
from sspinn_opensim.anatomy.sensor_places import USUAL_PLACES, foot_of_toes, joint_above, usual_place_of
from sspinn_opensim.recording.choices import SensorChoice
from sspinn_opensim.recording.signals.rotations import rotate
from sspinn_opensim.recording.types import PROXIMAL, Recording, Sensor
from sspinn_opensim.text import toml_table

#: A sensor is not farther than this from everything on its body: joints, centre of mass, paths of muscles; m.
_FARTHEST_OFF_M = 0.5


def on_model(recording: Recording, model: Model) -> Recording:
    """Return a recording whose sensors sit on bodies of the model, as far as their names tell.

    A sensor whose body the study leaves open, and whose name is no body of the model, sits on the body of its
    segment: 'foot_r' on calcn_r of OpenSim's gait models. Names that tell nothing stay as they are; see
    `check_placement`.
    """
    return replace(recording, sensors=tuple(_on_model(sensor, model) for sensor in recording.sensors))


def along_bodies(recording: Recording, model: Model) -> Recording:
    """Return a recording whose sensors in IMU frames of the model are along the axes of the bodies instead.

    What segments usually do can then be held against their signals. A frame that the model does not have
    stays; see `check_placement`.
    """
    frames = {frame.name: frame for frame in model.imu_frames}
    sensors, turns = list(recording.sensors), {}
    for k, sensor in enumerate(sensors):
        frame = frames.get(sensor.imu_frame)
        if frame is not None:
            turns[k] = np.array(frame.rotation)
            sensors[k] = replace(sensor, body=frame.body, position=frame.position, imu_frame="")
    if all((turn == np.eye(3)).all() for turn in turns.values()):  # an hour has no place in memory twice
        return replace(recording, sensors=tuple(sensors))
    force, rate = recording.acceleration.copy(), recording.angular_rate.copy()
    force_known, rate_known = recording.acceleration_available.copy(), recording.angular_rate_available.copy()
    for k, turn in turns.items():
        force[:, k], force_known[k] = rotate(force[:, k], force_known[k], turn)
        rate[:, k], rate_known[k] = rotate(rate[:, k], rate_known[k], turn)
    return replace(
        recording,
        sensors=tuple(sensors),
        acceleration=force,
        angular_rate=rate,
        acceleration_available=force_known,
        angular_rate_available=rate_known,
    )


def moved_sensors(recording: Recording, model: Model) -> tuple[str, ...]:
    """Return a sentence for each sensor that `on_model` puts on a body of another name."""
    pairs = zip(recording.sensors, on_model(recording, model).sensors, strict=True)
    return tuple(f"sensor '{a.name}' sits on body '{b.body}'" for a, b in pairs if a.body != b.body)


def bodies_of(sensors: Sequence, model: Model) -> tuple[str, ...]:
    """Return the bodies of sensors of a study or of a recording, as far as the model has them."""
    frames = {frame.name: frame.body for frame in model.imu_frames}
    found = [frames.get(sensor.imu_frame, _on_model(sensor, model).body) for sensor in sensors]
    return tuple(body for body in found if any(known.name == body for known in model.bodies))


def site_of(sensor: Sensor | SensorChoice) -> tuple[str, str] | None:
    """Return segment and side that the name of a sensor's IMU frame or body tells, else its own name."""
    return segment_of(sensor.imu_frame or sensor.body) or segment_of(sensor.name)


def usual_places(recording: Recording, model: Model) -> tuple[str, ...]:
    """Return a sentence for each place of sensors whose position nobody gave."""
    alike: dict[str, list[str]] = {}
    for sensor in on_model(recording, model).sensors:
        place = usual_place_of(sensor.body)
        if sensor.position is not None or place is None:
            continue
        words, hint = place.words, ""
        if foot := foot_of_toes(model, sensor.body):
            words = "on the toes, beyond the toe joint"
            hint = f'; one on the instep is on body = "{foot}"'
        where = f"{words}, give or take {100 * place.deviation_m:g} cm{hint}"
        alike.setdefault(where, []).append(f"'{sensor.name}'")
    return tuple(
        f"sensor {names[0]} has no position: it is taken to sit {where}"
        if len(names) == 1
        else f"sensors {', '.join(names)} have no position: each is taken to sit {where}"
        for where, names in alike.items()
    )


def body_of_segment(model: Model, place: tuple[str, str]) -> str | None:
    """Return the heaviest body of a segment and side, by the names of the bodies; None if there is none."""
    found = {body.name: body.mass for body in model.bodies if segment_of(body.name) == place}
    return max(found, key=found.__getitem__) if found else None


def check_placement(sensors: tuple[Sensor, ...], model: Model, where: str = "the study") -> None:
    """Refuse a sensor whose body, joint or IMU frame the model does not have.

    Parameters
    ----------
    model : Model
        Scaled or not: only names count.
    """
    bodies = [body.name for body in model.bodies]
    frames = [frame.name for frame in model.imu_frames]
    joints = {joint.name: joint for joint in model.joints}
    for sensor in sensors:
        place = f"{where}, {toml_table('sensors', sensor.name)}"
        if sensor.imu_frame:
            fix = "" if frames else "say which body carries it, body = ..., instead of imu_frame"
            _require_name("IMU frame", sensor.imu_frame, frames, model.name, place, fix)
            continue
        if sensor.body not in bodies:
            told = segment_of(sensor.body)
            like = body_of_segment(model, told) if told else None
            fix = f"did you mean '{like}'?" if like else ""
            _require_name("body", sensor.body, bodies, model.name, place, fix)
        if sensor.position is None and usual_place_of(sensor.body) is None:
            raise InputError(
                f"Sensor '{sensor.name}' has no place on the model.",
                where=place,
                expected="position = [x, y, z] in m, or a body of " + ", ".join(USUAL_PLACES),
                found=f"body '{sensor.body}'",
            )
        if sensor.position is not None and not sensor.origin:
            _refuse_far(sensor, model, place)
        if sensor.origin and sensor.origin != PROXIMAL:
            _require_name("joint", sensor.origin, list(joints), model.name, place)
            joint = joints[sensor.origin]
            ends = (joint.parent.body, joint.child.body)
            if sensor.body not in ends and joint != joint_above(model, sensor.body):
                raise InputError(
                    f"Joint '{sensor.origin}' does not touch body '{sensor.body}'.",
                    where=f"{place} origin",
                    expected="a joint that connects the body to its neighbour",
                    found=f"a joint from '{ends[0]}' to '{ends[1]}'",
                    fix="name the joint at the near end of the segment",
                )


def _on_model(sensor: Sensor, model: Model) -> Sensor:
    known = {body.name for body in model.bodies}
    place = segment_of(sensor.name)
    if sensor.imu_frame or sensor.body in known or sensor.body != sensor.name or place is None:
        return sensor
    return replace(sensor, body=body_of_segment(model, place) or sensor.body)


def _refuse_far(sensor: Sensor, model: Model, where: str) -> None:
    """Refuse a sensor that sits far from everything on its body."""
    frames = [frame for joint in model.joints for frame in (joint.parent, joint.child)]
    points = [frame.translation for frame in frames if frame.body == sensor.body]
    points += [body.mass_center for body in model.bodies if body.name == sensor.body]
    points += [sphere.location for sphere in model.contact_spheres if sphere.body == sensor.body]
    points += [frame.position for frame in model.imu_frames if frame.body == sensor.body]
    off_m = np.linalg.norm(np.array(points) - np.array(sensor.position), axis=1).min()
    if off_m > _FARTHEST_OFF_M:
        raise InputError(
            f"Sensor '{sensor.name}' sits {off_m:.2g} m from everything on its body.",
            where=f"{where} position",
            expected=f"a place on '{sensor.body}', m along its axes (x forward, y up, z to the right)",
            found=", ".join(f"{value:g}" for value in sensor.position or ()),
            fix="measure from the origin of the body, or name a joint to measure from: origin",
        )


def _require_name(kind: str, name: str, known: list[str], model: str, where: str, fix: str = "") -> None:
    if name not in known:
        raise InputError(
            f"The model '{model}' has no {kind} '{name}'.",
            where=where,
            expected="one of " + ", ".join(known) if known else f"the model has no {kind} at all",
            fix=nearest(name, known) or fix,
        )
