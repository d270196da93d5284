"""Forces that act on a model without muscles: frozen dataclasses named like OpenSim's classes, in SI units.

Angles are in rad, so stiffnesses and limits that a file gives per degree are converted when it is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from casadi_dynamics.model.expressions import Expression
from casadi_dynamics.model.functions import Function
from casadi_dynamics.model.muscles import GeometryPath
from casadi_dynamics.model.types import Frame, Vector3


@dataclass(frozen=True)
class CoordinateLimitForce:
    """A spring and damper that act beyond the limits of a coordinate and set in smoothly.

    Attributes
    ----------
    upper_stiffness, lower_stiffness : float
        N m/rad or N/m.
    upper_limit, lower_limit : float
        rad or m.
    damping : float
        N m s/rad or N s/m, only beyond a limit.
    transition : float
        Width beyond a limit over which stiffness and damping rise from zero, rad or m.
    """

    name: str
    coordinate: str
    upper_stiffness: float
    upper_limit: float
    lower_stiffness: float
    lower_limit: float
    damping: float
    transition: float


@dataclass(frozen=True)
class SpringGeneralizedForce:
    """A linear spring and damper on a coordinate; N m and rad, or N and m."""

    name: str
    coordinate: str
    stiffness: float
    rest_length: float
    viscosity: float


@dataclass(frozen=True)
class BushingForce:
    """Springs and dampers between two frames, linear in the offset of frame 2 from frame 1.

    Attributes
    ----------
    rotational_stiffness, rotational_damping : tuple of 3 floats
        Per body-fixed XYZ angle of frame 2 in frame 1, N m/rad and N m s/rad.
    translational_stiffness, translational_damping : tuple of 3 floats
        Per axis of frame 1, N/m and N s/m.
    """

    name: str
    frame1: Frame
    frame2: Frame
    rotational_stiffness: Vector3
    translational_stiffness: Vector3
    rotational_damping: Vector3
    translational_damping: Vector3


@dataclass(frozen=True)
class FunctionBasedBushingForce:
    """A bushing whose loads are functions of the offsets; see `BushingForce` for the offsets.

    Attributes
    ----------
    moments, forces : tuple of 3 functions
        Load that resists each angle (rad to N m) and each translation (m to N).
    rotational_damping, translational_damping : tuple of 3 floats
        N m s/rad and N s/m.
    """

    name: str
    frame1: Frame
    frame2: Frame
    moments: tuple[Function, ...]
    forces: tuple[Function, ...]
    rotational_damping: Vector3
    translational_damping: Vector3


@dataclass(frozen=True)
class ExpressionBasedCoordinateForce:
    """A force along a coordinate that is a formula of its value `q` and rate `qdot`; SI units."""

    name: str
    coordinate: str
    expression: Expression


@dataclass(frozen=True)
class ExpressionBasedBushingForce:
    """A bushing whose loads are formulas of all offsets; see `BushingForce` for the offsets.

    Attributes
    ----------
    loads : tuple of 6 Expression
        Moments about, then forces along x, y, z that resist the offsets ``theta_x`` ... ``delta_z``.
    rotational_damping, translational_damping : tuple of 3 floats
        N m s/rad and N s/m.
    """

    name: str
    frame1: Frame
    frame2: Frame
    loads: tuple[Expression, ...]
    rotational_damping: Vector3
    translational_damping: Vector3


@dataclass(frozen=True)
class PointToPointSpring:
    """A linear spring between two points (m), N/m and m.

    OpenSim takes each point in the axes of its body, even where the file attaches it to an offset frame.
    """

    name: str
    body1: str
    point1: Vector3
    body2: str
    point2: Vector3
    stiffness: float
    rest_length: float


@dataclass(frozen=True)
class ExpressionBasedPointToPointForce:
    """A pull between two points (m), in N, that is a formula of their distance `d` (m) and its rate `ddot`.

    The points are in the axes of their bodies, as those of a `PointToPointSpring`.
    """

    name: str
    body1: str
    point1: Vector3
    body2: str
    point2: Vector3
    expression: Expression


@dataclass(frozen=True)
class PrescribedForce:
    """A force and a torque that are constant, in ground or in a frame; N and N m.

    Attributes
    ----------
    frame : Frame
        What it acts on.
    point : tuple of 3 floats
        Where the force acts, m.
    turns_along : bool
        Whether force and torque are given in the frame, not in ground.
    moves_along : bool
        Whether the point is given in the frame.
    """

    name: str
    frame: Frame
    force: Vector3
    point: Vector3
    torque: Vector3
    turns_along: bool
    moves_along: bool


@dataclass(frozen=True)
class Material:
    """What a contact surface is made of: Hunt and Crossley's and Stribeck's constants, SI units."""

    stiffness: float
    dissipation: float
    static_friction: float
    dynamic_friction: float
    viscous_friction: float


@dataclass(frozen=True)
class HuntCrossleyForce:
    """Contact between every two of its surfaces that are on different bodies.

    Attributes
    ----------
    surfaces : tuple of (str, Material)
        Name of a contact sphere or half space of the model, and its material.
    transition_velocity : float
        Sliding speed of the largest friction, m/s.
    """

    name: str
    surfaces: tuple[tuple[str, Material], ...]
    transition_velocity: float


@dataclass(frozen=True)
class PathSpring:
    """A spring along a path that only pulls.

    Attributes
    ----------
    path : GeometryPath
        As of a muscle.
    resting_length : float
        m.
    stiffness : float
        N/m.
    dissipation : float
        s/m, of Hunt and Crossley's kind: it scales the tension.
    """

    name: str
    path: GeometryPath
    resting_length: float
    stiffness: float
    dissipation: float


@dataclass(frozen=True)
class Ligament:
    """A path whose tension is `pcsa_force` (N) times a curve of length over `resting_length` (m)."""

    name: str
    path: GeometryPath
    resting_length: float
    pcsa_force: float
    force_length_curve: Function


@dataclass(frozen=True)
class Blankevoort1991Ligament:
    """A path whose tension rises quadratically with strain at first, then linearly.

    Attributes
    ----------
    linear_stiffness : float
        N per unit of strain.
    transition_strain : float
        Where the tension becomes linear.
    damping_coefficient : float
        N s per unit of strain, while the ligament lengthens.
    slack_length : float
        m.
    """

    name: str
    path: GeometryPath
    linear_stiffness: float
    transition_strain: float
    damping_coefficient: float
    slack_length: float


Force = (
    CoordinateLimitForce
    | SpringGeneralizedForce
    | BushingForce
    | FunctionBasedBushingForce
    | ExpressionBasedCoordinateForce
    | ExpressionBasedBushingForce
    | ExpressionBasedPointToPointForce
    | PointToPointSpring
    | PrescribedForce
    | HuntCrossleyForce
    | PathSpring
    | Ligament
    | Blankevoort1991Ligament
)
