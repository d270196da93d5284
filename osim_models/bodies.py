"""Mass properties of the bodies and the places of joints, contact spheres and sensors.

The trunk. The proportions give head, arms and trunk as one segment above the hips; the model has a pelvis
and a torso. The pelvis takes its published share of the mass, the place of its mass centre and its radii of
gyration from the source model; the torso takes what remains of mass, of first moment and of moment of inertia
about z, so that at zero lumbar angle both together are exactly the one segment. All lie on the
vertical through the hips, as the proportions know no other place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from osim_models import tables

Vector = tuple[float, ...]


@dataclass(frozen=True)
class BodyProperties:
    """Mass (kg), mass centre (m, body frame), moments of inertia about it (kg m^2, body axes x, y, z)."""

    name: str
    mass: float
    mass_center: Vector
    inertia: Vector


def hat() -> BodyProperties:
    """Head, arms and trunk as one segment, in the pelvis frame; of its inertia only z is known."""
    row = tables.SEGMENTS["hat"]
    length = row.length * tables.GENERIC_HEIGHT_M
    mass = row.mass * tables.GENERIC_MASS_KG
    moment = mass * (row.gyration * length) ** 2
    return BodyProperties("hat", mass, (0.0, row.mass_center * length, 0.0), (math.nan, math.nan, moment))


def lumbar_height() -> float:
    """Height of the lumbar joint above the hips, m."""
    return _above_hip("lumbar")


def bodies() -> tuple[BodyProperties, ...]:
    """Return pelvis, torso and the segments of one leg (femur, tibia, foot; the other leg has the same)."""
    pelvis = _pelvis()
    return pelvis, _torso(pelvis), _limb("femur", "thigh"), _limb("tibia", "shank"), _foot()


def foot_length() -> float:
    """Length of the foot from heel to tip, m."""
    return tables.SEGMENTS["foot"].length * tables.GENERIC_HEIGHT_M


def contact_points() -> dict[str, Vector]:
    """Points of the sole that touch the ground, in the foot frame (origin at the ankle), m."""
    heel, sole = tables.HEEL_BEHIND_ANKLE.value, tables.SOLE_BELOW_ANKLE.value
    ball = foot_length() * tables.BALL_OF_FOOT.value - heel
    return {"heel": (-heel, -sole, 0.0), "toe": (ball, -sole, 0.0)}


def _above_hip(place: str) -> float:
    height = tables.DELP_PLACES[place].position[1] - tables.DELP_PLACES["hip"].position[1]
    return height * tables.GENERIC_HEIGHT_M / tables.DELP_HEIGHT_M


def _pelvis() -> BodyProperties:
    mass = tables.PELVIS_MASS.value * tables.GENERIC_MASS_KG
    shape = tables.SHAPES["pelvis"]
    size = (tables.GENERIC_HEIGHT_M / tables.DELP_HEIGHT_M) ** 2
    inertia = tuple(mass * moment / shape.mass * size for moment in shape.inertia)
    return BodyProperties("pelvis", mass, (0.0, _above_hip("pelvis_mass_center"), 0.0), inertia)


def _torso(pelvis: BodyProperties) -> BodyProperties:
    whole = hat()
    mass = whole.mass - pelvis.mass
    height = (whole.mass * whole.mass_center[1] - pelvis.mass * pelvis.mass_center[1]) / mass
    moment = (
        whole.inertia[2]
        - pelvis.inertia[2]
        - pelvis.mass * (pelvis.mass_center[1] - whole.mass_center[1]) ** 2
        - mass * (height - whole.mass_center[1]) ** 2
    )
    return BodyProperties("torso", mass, (0.0, height - lumbar_height(), 0.0), _shaped("torso", moment))


def _limb(name: str, segment: str) -> BodyProperties:
    row = tables.SEGMENTS[segment]
    length = row.length * tables.GENERIC_HEIGHT_M
    mass = row.mass * tables.GENERIC_MASS_KG
    inertia = _shaped(segment, mass * (row.gyration * length) ** 2)
    return BodyProperties(name, mass, (0.0, -row.mass_center * length, 0.0), inertia)


def _foot() -> BodyProperties:
    row = tables.SEGMENTS["foot"]
    mass = row.mass * tables.GENERIC_MASS_KG
    center = (
        row.mass_center * foot_length() - tables.HEEL_BEHIND_ANKLE.value,
        -tables.FOOT_MASS_CENTER_BELOW_ANKLE.value,
        0.0,
    )
    return BodyProperties("foot", mass, center, _shaped("foot", mass * (row.gyration * foot_length()) ** 2))


def _shaped(shape: str, moment: float) -> Vector:
    x, y, z = tables.SHAPES[shape].inertia
    return moment * x / z, moment * y / z, moment
