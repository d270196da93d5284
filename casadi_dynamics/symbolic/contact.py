"""Contact of spheres with half spaces and with one another: where they touch, and the force there."""

from __future__ import annotations

from dataclasses import dataclass

import casadi as ca

from casadi_dynamics.model import ContactForce, ContactSphere, HalfSpace
from casadi_dynamics.model.forces import Material
from casadi_dynamics.symbolic.kinematics import BodyMotion, point_velocity
from casadi_dynamics.symbolic.parameters import Parameters


@dataclass(frozen=True)
class ContactPoint:
    """The lowest point of a sphere.

    Attributes
    ----------
    arm : (3,) SX
        From the body's origin, in body axes, m.
    position, velocity : (3,) SX
        Of the material point of the sphere that is lowest at this instant, in ground, m and m/s.
    """

    arm: ca.SX
    position: ca.SX
    velocity: ca.SX
    radius: ca.SX


@dataclass(frozen=True)
class Sphere:
    """A sphere on a moving body: its centre (3,) in ground and radius, m."""

    motion: BodyMotion
    center: ca.SX
    radius: ca.SX


@dataclass(frozen=True)
class Plane:
    """The surface of a half space on a moving body: a point of it and the unit vector into the solid."""

    motion: BodyMotion
    point: ca.SX
    inward: ca.SX


@dataclass(frozen=True)
class Push:
    """What one of two surfaces does to the other, in ground.

    Attributes
    ----------
    force, point : (3,) SX
        On the second surface, N, and where it acts, m.
    pressure : SX
        Its part along the normal, N, before it is kept from pulling: negative where the surfaces part so fast
        that the law would have them pull at each other.
    """

    force: ca.SX
    point: ca.SX
    pressure: ca.SX


@dataclass(frozen=True)
class Touch:
    """How two surfaces meet, in ground.

    Attributes
    ----------
    depth : SX
        m; negative where they are apart.
    normal : (3,) SX
        Unit vector from the first surface to the second.
    middle : (3,) SX
        The point half way between the deepest points of both.
    radius : SX
        Of the relative curvature, m.
    """

    depth: ca.SX
    normal: ca.SX
    middle: ca.SX
    radius: ca.SX


def surface(
    geometry: ContactSphere | HalfSpace, motions: dict[str, BodyMotion], parameters: Parameters
) -> Sphere | Plane:
    """Return contact geometry where the motion of its body takes it."""
    motion = motions[geometry.body]
    place = motion.position + motion.rotation @ parameters[f"{geometry.name}.location"]
    if isinstance(geometry, ContactSphere):
        return Sphere(motion, place, parameters[f"{geometry.name}.radius"])
    return Plane(motion, place, motion.rotation @ ca.DM(geometry.inward))


def lowest_point(motion: BodyMotion, center: ca.SX, radius: ca.SX) -> ContactPoint:
    """Return the lowest point of a sphere with its `center` in body axes."""
    down = ca.vertcat(0, -radius, 0)
    arm = center + motion.rotation.T @ down
    velocity = motion.rotation @ point_velocity(motion, arm)
    return ContactPoint(arm, motion.position + motion.rotation @ center + down, velocity, radius)


def center_of(sphere: ContactSphere, parameters: Parameters) -> tuple[ca.SX, ca.SX]:
    """Return the symbols of a sphere's centre (body axes) and radius."""
    return parameters[f"{sphere.name}.location"], parameters[f"{sphere.name}.radius"]


def touch(first: Sphere | Plane, second: Sphere) -> Touch:
    """Return how a sphere meets a half space or another sphere."""
    if isinstance(first, Plane):
        depth = second.radius + ca.dot(second.center - first.point, first.inward)
        middle = second.center + (second.radius - depth / 2) * first.inward
        return Touch(depth, -first.inward, middle, second.radius)
    apart = second.center - first.center
    squared = ca.sumsqr(apart)
    # Concentric spheres have no normal; Simbody lets them be, and so does a normal of zero.
    distance = ca.sqrt(squared + (squared <= 0))
    normal = apart / distance
    depth = first.radius + second.radius - distance
    middle = first.center + (first.radius - depth / 2) * normal
    return Touch(depth, normal, middle, first.radius * second.radius / (first.radius + second.radius))


def smooth_force(law: ContactForce, sphere: Sphere, floor: Plane) -> tuple[ca.SX, ca.SX]:
    """Return the force on a sphere in a half space, and the point it acts at, in ground.

    Hunt-Crossley contact with smoothed penetration, dissipation and friction: Serrancoli et al., "Analysis of
    optimal control problem formulations in skeletal movement predictions", 2019; the constants are those of
    OpenSim's `SmoothSphereHalfSpaceForce`.

    Returns
    -------
    force, position : (3,) SX
        N and m.
    """
    meeting = touch(floor, sphere)
    depth, normal = meeting.depth, meeting.normal
    velocity = _relative_velocity(meeting.middle, sphere.motion, floor.motion)
    sinking = -ca.dot(velocity, normal)
    sliding = velocity + sinking * normal
    stiffness = 0.5 * law.stiffness ** (2 / 3)
    smooth_depth = ca.sqrt(depth**2 + law.constant_contact_force)
    hertz = 4 / 3 * stiffness * ca.sqrt(meeting.radius * stiffness) * smooth_depth**1.5
    hertz *= 0.5 + 0.5 * ca.tanh(law.hertz_smoothing * depth)
    damping = 1 + 1.5 * law.dissipation * sinking
    pressure = hertz * damping
    if not ca.SX(law.dissipation).is_zero():  # without it, nothing ever pulls
        parting = sinking + 2 / (3 * law.dissipation)
        pressure *= 0.5 + 0.5 * ca.tanh(law.hunt_crossley_smoothing * parting)
    slip = ca.sqrt(ca.sumsqr(sliding) + law.constant_contact_force)
    ratio = slip / law.transition_velocity
    dry = law.dynamic_friction + 2 * (law.static_friction - law.dynamic_friction) / (1 + ratio**2)
    friction = pressure * (ca.fmin(ratio, 1) * dry + law.viscous_friction * slip)
    return pressure * normal - friction * sliding / slip, meeting.middle


def hunt_crossley(
    first: Sphere | Plane, second: Sphere, materials: tuple[Material, Material], transition_velocity: float
) -> Push:
    """Return the force on the second of two surfaces.

    Hertz contact of two elastic solids with Hunt and Crossley's dissipation ("Coefficient of restitution
    interpreted as damping in vibroimpact", 1975) and a friction that falls from static to dynamic with the
    sliding speed; combined as in Sherman, Seth and Delp, "Simbody: multibody dynamics for biomedical
    research", 2011, and Simbody's `HuntCrossleyForce`.
    """
    meeting = touch(first, second)
    one, two = materials
    # Hertz: each solid yields by its share of the depth, as two springs in series.
    moduli = [material.stiffness ** (2 / 3) for material in materials]
    share = moduli[1] / sum(moduli)
    modulus = moduli[0] * share
    dissipation = one.dissipation * share + two.dissipation * (1 - share)
    position = meeting.middle + meeting.depth * (0.5 - share) * meeting.normal
    velocity = _relative_velocity(position, first.motion, second.motion)
    closing = ca.dot(velocity, meeting.normal)
    sliding = velocity - closing * meeting.normal
    hertz = 4 / 3 * modulus * ca.sqrt(meeting.radius * modulus) * ca.fmax(meeting.depth, 0) ** 1.5
    pressure = hertz * (1 + 1.5 * dissipation * closing)
    static, dynamic, viscous = (
        _harmonic(getattr(one, kind), getattr(two, kind))
        for kind in ("static_friction", "dynamic_friction", "viscous_friction")
    )
    squared = ca.sumsqr(sliding)
    dry = dynamic + 2 * (static - dynamic) / (1 + squared / transition_velocity**2)
    # min(slip / transition, 1) / slip without the division by a slip of zero
    grip = dry / ca.sqrt(ca.fmax(squared, transition_velocity**2)) + viscous
    return Push(ca.fmax(pressure, 0) * (meeting.normal + grip * sliding), position, pressure)


def _relative_velocity(point: ca.SX, one: BodyMotion, two: BodyMotion) -> ca.SX:
    """Return the velocity in ground of a point that moves with body one, less that with body two."""
    return _velocity_at(one, point) - _velocity_at(two, point)


def _velocity_at(motion: BodyMotion, point: ca.SX) -> ca.SX:
    return motion.rotation @ point_velocity(motion, motion.rotation.T @ (point - motion.position))


def _harmonic(a: ca.SX, b: ca.SX) -> ca.SX:
    return ca.SX(0) if ca.SX(a + b).is_zero() else 2 * a * b / (a + b)
