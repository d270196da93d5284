"""The one table of what this project does with each OpenSim class: supported, ignored because, refused."""

from __future__ import annotations

SUPPORTED_JOINTS = frozenset(
    {"PinJoint", "SliderJoint", "WeldJoint", "UniversalJoint", "GimbalJoint", "PlanarJoint", "CustomJoint"}
)

SUPPORTED_FUNCTIONS = frozenset(
    {"Constant", "LinearFunction", "PolynomialFunction", "SimmSpline", "MultiplierFunction"}
)

SUPPORTED_CONTACT_GEOMETRY = frozenset({"ContactSphere", "ContactHalfSpace"})

SUPPORTED_FORCES = frozenset({"SmoothSphereHalfSpaceForce"})

_MUSCLE = "muscle forces come from OpenSim's static optimization, which reads the .osim itself"
_ACTUATOR = "an actuator's force is part of the joint moments that are estimated"
_OBSERVER = "it observes the model and exerts no force"

#: Class of an element in one of the model's sets -> why inverse dynamics does not need it.
IGNORED = {
    "Thelen2003Muscle": _MUSCLE,
    "Millard2012EquilibriumMuscle": _MUSCLE,
    "Millard2012AccelerationMuscle": _MUSCLE,
    "DeGrooteFregly2016Muscle": _MUSCLE,
    "RigidTendonMuscle": _MUSCLE,
    "Schutte1993Muscle_Deprecated": _MUSCLE,
    "PathActuator": _ACTUATOR,
    "CoordinateActuator": _ACTUATOR,
    "PointActuator": _ACTUATOR,
    "TorqueActuator": _ACTUATOR,
    "Marker": _OBSERVER,
    "Station": _OBSERVER,
    "IMU": _OBSERVER,
    "Umberger2010MuscleMetabolicsProbe": _OBSERVER,
    "Bhargava2004MuscleMetabolicsProbe": _OBSERVER,
    "PrescribedController": "controls of actuators are not used",
    "ControlSetController": "controls of actuators are not used",
}

#: Class -> what a user can do about it; a class in no table is refused with the last entry's advice.
REFUSED = {
    "BallJoint": "its speeds are not derivatives of its coordinates; replace it by a GimbalJoint",
    "FreeJoint": "its speeds are not derivatives of its coordinates; use a CustomJoint with six axes",
    "EllipsoidJoint": "replace it by a CustomJoint",
    "ScapulothoracicJoint": "replace it by a CustomJoint",
    "CoordinateCouplerConstraint": "remove the constraint or lock the dependent coordinate",
    "WeldConstraint": "replace it by a WeldJoint",
    "PointConstraint": "remove the constraint",
    "PointOnLineConstraint": "remove the constraint",
    "ConstantDistanceConstraint": "remove the constraint",
    "HuntCrossleyForce": "replace it by SmoothSphereHalfSpaceForce",
    "": "remove the element, or use a model without it",
}


def advice(kind: str) -> str:
    """Return what to do about the refused class `kind`."""
    return REFUSED.get(kind, REFUSED[""])
