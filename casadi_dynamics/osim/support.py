"""The one table of what this project does with each OpenSim class: supported, ignored because, refused."""

from __future__ import annotations

SUPPORTED_JOINTS = frozenset(
    {
        "PinJoint",
        "SliderJoint",
        "WeldJoint",
        "UniversalJoint",
        "GimbalJoint",
        "BallJoint",
        "FreeJoint",
        "PlanarJoint",
        "EllipsoidJoint",
        "ScapulothoracicJoint",
        "CustomJoint",
    }
)

SUPPORTED_FRAMES = frozenset({"PhysicalOffsetFrame", "StationDefinedFrame"})

SUPPORTED_FUNCTIONS = frozenset(
    {
        "Constant",
        "LinearFunction",
        "PolynomialFunction",
        "Sine",
        "StepFunction",
        "PiecewiseLinearFunction",
        "SimmSpline",
        "GCVSpline",
        "MultiplierFunction",
        "MultivariatePolynomialFunction",
    }
)

SUPPORTED_CONTACT_GEOMETRY = frozenset({"ContactSphere", "ContactHalfSpace"})

SUPPORTED_FORCES = frozenset(
    {
        "Blankevoort1991Ligament",
        "BushingForce",
        "CoordinateLimitForce",
        "ExpressionBasedBushingForce",
        "ExpressionBasedCoordinateForce",
        "ExpressionBasedPointToPointForce",
        "FunctionBasedBushingForce",
        "HuntCrossleyForce",
        "Ligament",
        "PathSpring",
        "PointToPointSpring",
        "PrescribedForce",
        "SmoothSphereHalfSpaceForce",
        "SpringGeneralizedForce",
    }
)

SUPPORTED_MUSCLES = frozenset(
    {
        "Thelen2003Muscle",
        "Millard2012EquilibriumMuscle",
        "Millard2012AccelerationMuscle",
        "DeGrooteFregly2016Muscle",
        "RigidTendonMuscle",
        "Schutte1993Muscle_Deprecated",
        "Delp1990Muscle_Deprecated",
        "Thelen2003Muscle_Deprecated",
    }
)

#: Surfaces that the path of a muscle, spring or ligament may wrap around.
SUPPORTED_WRAP_OBJECTS = frozenset({"WrapCylinder", "WrapSphere", "WrapEllipsoid", "WrapTorus"})

SUPPORTED_CONSTRAINTS = frozenset(
    {
        "CoordinateCouplerConstraint",
        "WeldConstraint",
        "PointConstraint",
        "PointOnLineConstraint",
        "ConstantDistanceConstraint",
    }
)

#: Class of a component that is read -> what it is; the readers of each kind are in modules of their own.
KINDS = {
    "Body": "body",
    **dict.fromkeys(SUPPORTED_FRAMES, "frame"),
    "Coordinate": "coordinate",
    **dict.fromkeys(SUPPORTED_JOINTS, "joint"),
    **dict.fromkeys(SUPPORTED_CONSTRAINTS, "constraint"),
    **dict.fromkeys(SUPPORTED_FORCES, "force"),
    **dict.fromkeys(SUPPORTED_MUSCLES, "muscle"),
    **dict.fromkeys(SUPPORTED_CONTACT_GEOMETRY, "contact geometry"),
}

_ACTUATOR = "an actuator's force is part of the joint moments that are estimated"
_CONTROLLER = "controls of actuators are not used"
_OBSERVER = "it observes the model and exerts no force"
_DECORATION = "it is only shown"
_NO_PATH = "it stands outside of paths, so that nothing pulls at it"

#: Class of a component -> why inverse dynamics does not need it.
IGNORED = {
    **dict.fromkeys(
        (
            "PathActuator",
            "CoordinateActuator",
            "ActivationCoordinateActuator",
            "PointActuator",
            "PointToPointActuator",
            "TorqueActuator",
            "BodyActuator",
            "McKibbenActuator",
            "ClutchedPathSpring",
        ),
        _ACTUATOR,
    ),
    **dict.fromkeys(
        (
            "PrescribedController",
            "ControlSetController",
            "CorrectionController",
            "SynergyController",
            "ToyReflexController",
            "ToyPropMyoController",
            "CMC",
        ),
        _CONTROLLER,
    ),
    **dict.fromkeys(
        (
            "Marker",
            "Station",
            "IMU",
            "Umberger2010MuscleMetabolicsProbe",
            "Bhargava2004MuscleMetabolicsProbe",
            "Bhargava2004SmoothedMuscleMetabolics",
            "ActuatorForceProbe",
            "ActuatorPowerProbe",
            "JointInternalPowerProbe",
            "SystemEnergyProbe",
            "ConsoleReporter__double_",
            "ConsoleReporter__Vec3_",
            "TableReporter__double_",
            "TableReporter__Vec3_",
            "TableReporter__Vector_",
            "StatesTrajectoryReporter",
        ),
        _OBSERVER,
    ),
    **dict.fromkeys(
        (
            "FrameGeometry",
            "Mesh",
            "Sphere",
            "Brick",
            "Cylinder",
            "Cone",
            "Ellipsoid",
            "Torus",
            "Arrow",
            "LineGeometry",
        ),
        _DECORATION,
    ),
    "PathPoint": _NO_PATH,
}

#: Contact geometry that is not read: refused where a force uses it.
UNREAD_GEOMETRY = ("ContactMesh", "ContactEllipsoid", "ContactCylinder", "ContactTorus")

#: Class -> what a user can do about it; a class in no table is refused with the last entry's advice.
REFUSED = {
    "ConstantCurvatureJoint": "replace it by a CustomJoint",
    "PiecewiseConstantFunction": "it has no speed; replace it by a PiecewiseLinearFunction",
    "ExpressionBasedFunction": "replace it by a PolynomialFunction or SimmSpline",
    "RollingOnSurfaceConstraint": "remove the constraint",
    "ElasticFoundationForce": "replace its meshes by spheres with a HuntCrossleyForce",
    **dict.fromkeys(
        UNREAD_GEOMETRY,
        "replace it by a ContactSphere; ignored where no force uses it",
    ),
    **dict.fromkeys(
        ("ExponentialContactForce", "MeyerFregly2016Force"),
        "replace it by a SmoothSphereHalfSpaceForce",
    ),
    "ExternalForce": "it follows a table over time, which a model here has not; give it as an external load",
    "": "remove the element, or use a model without it",
}


def advice(kind: str) -> str:
    """Return what to do about the refused class `kind`."""
    return REFUSED.get(kind, REFUSED[""])
