"""Frames, points and IMUs on bodies: how they move in ground, and what an IMU reads there."""

from __future__ import annotations

from collections.abc import Sequence

import casadi as ca
import numpy as np

from casadi_dynamics.model import ImuFrame
from casadi_dynamics.symbolic.kinematics import BodyMotion, point_acceleration, point_velocity
from casadi_dynamics.symbolic.tree import Tree, stack


def motion_of_points(points: Sequence[tuple[BodyMotion, ca.SX]]) -> dict[str, ca.SX]:
    """Return the motion in ground of points: body and place (3,), along its axes, of each."""
    return {
        "position": stack(m.position + m.rotation @ p for m, p in points),
        "velocity": stack(m.rotation @ point_velocity(m, p) for m, p in points),
        "acceleration": stack(m.rotation @ point_acceleration(m, p) for m, p in points),
    }


def motion_of_frames(frames: Sequence[tuple[BodyMotion, ca.SX, ca.DM]]) -> dict[str, ca.SX]:
    """Return the motion in ground of frames: body, origin (3,) and axes (3, 3) of each, along the body's."""
    of_origins = motion_of_points([(motion, origin) for motion, origin, _ in frames])
    return {
        "position": of_origins["position"],
        "rotation": stack(ca.vec((m.rotation @ axes).T) for m, _, axes in frames),
        "velocity": of_origins["velocity"],
        "omega": stack(m.rotation @ m.omega for m, _, _ in frames),
        "acceleration": of_origins["acceleration"],
        "alpha": stack(m.rotation @ m.alpha for m, _, _ in frames),
    }


def imu_readings(tree: Tree, frames: Sequence[ImuFrame], places: Sequence[ca.SX]) -> dict[str, ca.SX]:
    """Return specific force R^T (a - g) and angular rate R^T omega at places on bodies, in sensor axes."""
    accelerations, rates = [], []
    for frame, place in zip(frames, places, strict=True):
        motion, to_sensor = tree.motions[frame.body], ca.DM(frame.rotation).T
        gravity = motion.rotation.T @ ca.DM(tree.model.gravity)
        accelerations.append(to_sensor @ (point_acceleration(motion, place) - gravity))
        rates.append(to_sensor @ motion.omega)
    return {"imu_acceleration": stack(accelerations), "imu_angular_rate": stack(rates)}


def imu_velocity_and_up(tree: Tree, frames: Sequence[ImuFrame], places: Sequence[ca.SX]) -> dict[str, ca.SX]:
    """Return the velocity of places on bodies in ground, and the direction against gravity in sensor axes."""
    up = ca.DM(-np.array(tree.model.gravity) / (np.linalg.norm(tree.model.gravity) or 1.0))
    velocities, ups = [], []
    for frame, place in zip(frames, places, strict=True):
        motion = tree.motions[frame.body]
        velocities.append(motion.rotation @ point_velocity(motion, place))
        ups.append(ca.DM(frame.rotation).T @ motion.rotation.T @ up)
    return {"imu_velocity": stack(velocities), "imu_up": stack(ups)}
