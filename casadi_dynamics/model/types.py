"""Frozen dataclasses of a multibody model: what the symbolic side needs, and nothing of any library."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model.functions import Function

#: Three numbers along x, y and z; three rows of three.
Vector3 = tuple[float, ...]
Matrix3 = tuple[Vector3, ...]

GROUND = "ground"


@dataclass(frozen=True)
class Body:
    """A rigid body.

    Attributes
    ----------
    mass : float
        kg.
    mass_center : tuple of 3 floats
        m, in body axes from the body origin.
    inertia : tuple of 6 floats
        kg m^2 about the mass centre in body axes: xx, yy, zz, xy, xz, yz.
    """

    name: str
    mass: float
    mass_center: Vector3
    inertia: tuple[float, ...]


@dataclass(frozen=True)
class Frame:
    """A frame fixed to a body (or ground): origin in m and axes (columns of `rotation`) in body axes."""

    body: str
    translation: Vector3
    rotation: Matrix3


@dataclass(frozen=True)
class Coordinate:
    """A generalized coordinate.

    Attributes
    ----------
    motion : str
        'rotational' (rad), 'translational' (m), or 'coupled' where the coordinate is not itself the
        displacement along an axis; OpenSim's files keep coupled coordinates in rad and m, never in degrees.
    default, range : float, tuple of 2 floats
        rad or m.
    """

    name: str
    joint: str
    motion: str
    default: float
    range: tuple[float, float]
    locked: bool
    clamped: bool


@dataclass(frozen=True)
class FixedCoordinate:
    """A coordinate that stays at `value` and is none of the model's coordinates any more; rad or m."""

    name: str
    joint: str
    value: float
    range: tuple[float, float]


@dataclass(frozen=True)
class TransformAxis:
    """One axis of a joint: unit `axis` in the parent frame, driven by `function` of `coordinate` or none."""

    axis: Vector3
    coordinate: str | None
    function: Function


@dataclass(frozen=True)
class Winging:
    """A turn of the child about a unit `axis` through `origin` (m), both fixed in the turned child frame."""

    coordinate: str
    axis: Vector3
    origin: Vector3


@dataclass(frozen=True)
class Joint:
    """A joint between a frame on the parent body and a frame on the child body.

    The child frame is turned by the three rotations in sequence (body-fixed) and moved along the three
    translation axes, both axes and offsets in the parent frame (OpenSim's `CustomJoint`; all other joints are
    special cases of it but for what `speeds`, `radii` and `winging` say).

    Attributes
    ----------
    name, kind : str
        `kind` is the OpenSim class the joint was read from.
    speeds : str
        'rates': speeds are the rates of the coordinates. 'angular velocity': those of the three rotations
        are the angular velocity of the child frame in the parent frame, expressed there (Ball, Free,
        Ellipsoid and Scapulothoracic joints).
    radii : tuple of 3 floats or None
        The child frame's origin rides on this ellipsoid (m, about the parent frame's origin and along its
        axes), its z axis pointing outwards along the sphere that the ellipsoid was stretched from.
    winging : Winging or None
        A further turn on the ellipsoid.
    reversed : bool
        The file's parent hangs on the file's child: `parent` and `child` here are swapped so that the tree
        grows from ground, and the motion that the axes describe is that of `parent` in `child`.
    """

    name: str
    kind: str
    parent: Frame
    child: Frame
    rotations: tuple[TransformAxis, ...]
    translations: tuple[TransformAxis, ...]
    speeds: str = "rates"
    radii: Vector3 | None = None
    winging: Winging | None = None
    reversed: bool = False


@dataclass(frozen=True)
class ImuFrame:
    """Where a sensor sits: position in m and axes (columns of `rotation`) in the axes of `body`."""

    name: str
    body: str
    position: Vector3
    rotation: Matrix3


@dataclass(frozen=True)
class ContactSphere:
    """A sphere on a body that can touch the floor; centre `location` in body axes and `radius`, m."""

    name: str
    body: str
    location: Vector3
    radius: float


@dataclass(frozen=True)
class HalfSpace:
    """A half space of solid, such as the floor.

    Attributes
    ----------
    location : tuple of 3 floats
        A point of its surface, m, in body axes.
    inward : tuple of 3 floats
        Unit vector from the surface into the solid (the x axis of its frame), in body axes.
    """

    name: str
    body: str
    location: Vector3
    inward: Vector3

    @property
    def height(self) -> float:
        """Height (m) in ground of a level floor that is fixed there; any other raises `InputError`."""
        level = abs(self.inward[0]) < 1e-4 and abs(self.inward[2]) < 1e-4 and self.inward[1] < 0
        if self.body != GROUND or not level:
            raise InputError(
                f"The half space '{self.name}' is not a level floor.",
                expected="a half space fixed to ground whose surface is level and solid below",
                found=f"on '{self.body}', solid towards {self.inward}",
                fix="turn the ContactHalfSpace so that its x axis points down",
            )
        return self.location[1]


@dataclass(frozen=True)
class ContactForce:
    """OpenSim's `SmoothSphereHalfSpaceForce` between a sphere and the floor; SI units, OpenSim's names."""

    name: str
    sphere: str
    half_space: str
    stiffness: float
    dissipation: float
    static_friction: float
    dynamic_friction: float
    viscous_friction: float
    transition_velocity: float
    constant_contact_force: float
    hertz_smoothing: float
    hunt_crossley_smoothing: float


@dataclass(frozen=True)
class Model:
    """A multibody tree in SI units.

    Attributes
    ----------
    gravity : tuple of 3 floats
        m/s^2, in ground.
    joints : tuple of Joint
        Every joint after the joint that carries its parent body.
    coordinates : tuple of Coordinate
        In the order of OpenSim's `CoordinateSet`; the order of every coordinate axis in this project.
    imu_frames : tuple of ImuFrame
        Frames on bodies whose name ends in `_imu`.
    ignored : tuple of str
        What the file holds beside that, each with the reason why inverse dynamics does not need it.
    forces, muscles, constraints : tuples
        What acts on the tree: frozen dataclasses of `casadi_dynamics.model`.
    fixed : tuple of FixedCoordinate
        Coordinates that were taken out of the model; see `casadi_dynamics.symbolic.fix_coordinates`.
    """

    name: str
    gravity: Vector3
    bodies: tuple[Body, ...]
    joints: tuple[Joint, ...]
    coordinates: tuple[Coordinate, ...]
    imu_frames: tuple[ImuFrame, ...]
    contact_spheres: tuple[ContactSphere, ...]
    half_spaces: tuple[HalfSpace, ...]
    contact_forces: tuple[ContactForce, ...]
    ignored: tuple[str, ...]
    forces: tuple = ()
    muscles: tuple = ()
    constraints: tuple = ()
    fixed: tuple[FixedCoordinate, ...] = ()

    @cached_property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the coordinates, in order."""
        return tuple(c.name for c in self.coordinates)

    @cached_property
    def total_mass(self) -> float:
        """Mass of all bodies, kg."""
        return sum(body.mass for body in self.bodies)

    def body(self, name: str) -> Body:
        """Return the body `name`; an unknown name raises `InputError`."""
        return _by_name(self.bodies, name, "body", self.name)

    def joint(self, name: str) -> Joint:
        """Return the joint `name`; an unknown name raises `InputError`."""
        return _by_name(self.joints, name, "joint", self.name)

    def coordinate(self, name: str) -> Coordinate:
        """Return the coordinate `name`; an unknown name raises `InputError`."""
        return _by_name(self.coordinates, name, "coordinate", self.name)

    def geometry(self, name: str) -> ContactSphere | HalfSpace:
        """Return the contact geometry `name`; an unknown name raises `InputError`."""
        return _by_name((*self.contact_spheres, *self.half_spaces), name, "contact geometry", self.name)

    def range_of(self, name: str) -> tuple[float, float]:
        """Return the range of a coordinate, fixed or not; an unknown name raises `InputError`."""
        return _by_name((*self.coordinates, *self.fixed), name, "coordinate", self.name).range

    def joint_of(self, body: str) -> Joint:
        """Return the joint that carries `body`."""
        return next(joint for joint in self.joints if joint.child.body == body)

    def root_coordinates(self) -> tuple[str, ...]:
        """Return the coordinates of joints on ground: no muscle acts there, so their force is a residual."""
        roots = {joint.name for joint in self.joints if joint.parent.body == GROUND}
        return tuple(c.name for c in self.coordinates if c.joint in roots)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of all numbers and names: two files with the same hash are the same model."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def _by_name(items, name: str, kind: str, model: str):
    for item in items:
        if item.name == name:
            return item
    known = [item.name for item in items]
    raise InputError(
        f"The model has no {kind} named '{name}'.",
        where=f"model '{model}'",
        expected=f"one of {', '.join(known)}",
        found=name,
        fix=nearest(name, known) or f"name a {kind} of this model",
    )
