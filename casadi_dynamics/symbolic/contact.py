"""Points where spheres meet the floor, and OpenSim's smooth contact force there."""

from __future__ import annotations

from dataclasses import dataclass

import casadi as ca

from casadi_dynamics.model import ContactForce, ContactSphere
from casadi_dynamics.symbolic.kinematics import BodyMotion, point_velocity


@dataclass(frozen=True)
class ContactPoint:
    """The lowest point of a sphere, in ground.

    Attributes
    ----------
    position, velocity : (3,) SX
        Of the material point of the sphere that is lowest at this instant, m and m/s.
    radius : SX
    """

    position: ca.SX
    velocity: ca.SX
    radius: ca.SX


def lowest_point(motion: BodyMotion, center: ca.SX, radius: ca.SX) -> ContactPoint:
    """Return the lowest point of a sphere with its `center` in body axes."""
    down = ca.vertcat(0, -radius, 0)
    from_origin = center + motion.rotation.T @ down
    velocity = motion.rotation @ point_velocity(motion, from_origin)
    return ContactPoint(motion.position + motion.rotation @ center + down, velocity, radius)


def smooth_force(law: ContactForce, point: ContactPoint, motion: BodyMotion, center: ca.SX, height: float):
    """Return the force on the sphere and the point it acts at, in ground.

    Hunt-Crossley contact with smoothed penetration, dissipation and friction: Serrancoli et al., "Analysis of
    optimal control problem formulations in skeletal movement predictions", 2019; the constants are those of
    OpenSim's `SmoothSphereHalfSpaceForce`.

    Parameters
    ----------
    law : ContactForce
    point : ContactPoint
    motion : BodyMotion
        Of the body that carries the sphere.
    center : (3,) SX
        Sphere centre in body axes.
    height : float
        Of the floor, m.

    Returns
    -------
    force, position : (3,) SX
    """
    depth = height - point.position[1]
    position = point.position + ca.vertcat(0, depth / 2, 0)
    from_origin = motion.rotation.T @ (position - motion.position)
    velocity = motion.rotation @ point_velocity(motion, from_origin)
    sinking, sliding = -velocity[1], ca.vertcat(velocity[0], 0, velocity[2])
    stiffness = 0.5 * law.stiffness ** (2 / 3)
    smooth_depth = ca.sqrt(depth**2 + law.constant_contact_force)
    hertz = 4 / 3 * stiffness * ca.sqrt(point.radius * stiffness) * smooth_depth**1.5
    hertz *= 0.5 + 0.5 * ca.tanh(law.hertz_smoothing * depth)
    damping = 1 + 1.5 * law.dissipation * sinking
    onset = 0.5 + 0.5 * ca.tanh(law.hunt_crossley_smoothing * (sinking + 2 / (3 * law.dissipation)))
    normal = hertz * damping * onset
    slip = ca.sqrt(ca.sumsqr(sliding) + law.constant_contact_force)
    ratio = slip / law.transition_velocity
    dry = law.dynamic_friction + 2 * (law.static_friction - law.dynamic_friction) / (1 + ratio**2)
    friction = normal * (ca.fmin(ratio, 1) * dry + law.viscous_friction * slip)
    return ca.vertcat(0, normal, 0) - friction * sliding / slip, position


def center_of(sphere: ContactSphere, parameters) -> tuple[ca.SX, ca.SX]:
    """Return the symbols of a sphere's centre (body axes) and radius."""
    return parameters[f"{sphere.name}.location"], parameters[f"{sphere.name}.radius"]
