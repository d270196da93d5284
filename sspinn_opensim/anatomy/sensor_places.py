"""Places of sensors on a model: the joint that carries a segment, and where on it people wear them.

The usual places follow the joint centres of the scaled model, and so the person; only their distance from
the bone is a constant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casadi_dynamics.model import Joint, Model
from casadi_dynamics.model.types import GROUND
from sspinn_opensim.anatomy.names import joint_of_leg, segment_of, side_of


@dataclass(frozen=True)
class UsualPlace:
    """Where a sensor is strapped on a segment.

    Attributes
    ----------
    words : str
        The place in words.
    offset_m : tuple of 3 float
        From the middle of the segment to the skin: forward, up, outward, m.
    deviation_m : float
        Standard deviation of where people really wear it, m, about.
    """

    words: str
    offset_m: tuple[float, float, float]
    deviation_m: float


#: Segment -> its usual place. Offsets are choices of this project: of the 7 sensors on participant P01 of
#: Dorschky et al. (2019) they miss 3 cm at the pelvis, 1 to 3 cm at the thighs, 3 to 5 cm at shanks and feet.
USUAL_PLACES = {
    "pelvis": UsualPlace("on the sacrum", (-0.10, 0.08, 0.0), 0.03),
    "thigh": UsualPlace("outside, half way down", (0.0, 0.0, 0.07), 0.05),
    "shank": UsualPlace("outside of the shin, half way down", (0.02, 0.0, 0.045), 0.05),
    "foot": UsualPlace("on the instep", (0.0, 0.04, 0.0), 0.04),
    # Worn on the chest or between the shoulder blades: the place itself is a guess.
    "trunk": UsualPlace("on the breastbone", (0.10, 0.05, 0.0), 0.12),
}


def usual_place_of(body: str) -> UsualPlace | None:
    """Return where sensors are worn on the segment of a body; None where its name tells no such segment."""
    found = segment_of(body)
    return USUAL_PLACES.get(found[0]) if found else None


def foot_of_toes(model: Model, body: str) -> str | None:
    """Return the body of a foot that carries its toes; None if `body` is no toes.

    Toes are the end of a foot that another body of that foot carries. A talus and a calcaneus are carried by
    another segment or carry others; a foot of one body has no toes.
    """
    segment, carrier = segment_of(body), model.joint_of(body).parent.body
    ends = all(joint.parent.body != body for joint in model.joints)
    return carrier if segment and segment[0] == "foot" and ends and segment_of(carrier) == segment else None


def usual_position(model: Model, body: str) -> np.ndarray:
    """Return the usual place on a body in its axes from its origin, (3,), m.

    It is measured from the middle between the joints of the segment, from the mass centre where there is but
    one joint, and from the level of the hips on the pelvis. A body without a usual place has it there.
    """
    from sspinn_opensim.anatomy.joint_centres import joint_centre  # loads CasADi, which reading needs not

    found = segment_of(body)
    middle = near_centre(model, body)
    if not found or found[0] != "pelvis":
        far = [j for j in model.joints if j.parent.body == body and "patell" not in j.child.body]
        ends = [joint_centre(model, joint, body) for joint in far]
        middle = 0.5 * (middle + np.mean(ends, axis=0)) if ends else np.array(model.body(body).mass_center)
    place = usual_place_of(body)
    outward = -1.0 if side_of(body) == "l" else 1.0
    return middle + np.array(place.offset_m) * (1.0, 1.0, outward) if place else middle


def joint_above(model: Model, body: str) -> Joint | None:
    """Return the joint that carries the segment of a body; None for the root, which carries all others.

    A segment may be several bodies by name: calcaneus and toes are carried by the ankle, as the talus is.
    """
    joint, segment = model.joint_of(body), segment_of(body)
    if joint.parent.body == GROUND:
        return None
    while segment and segment_of(joint.parent.body) == segment:
        joint = model.joint_of(joint.parent.body)
    return joint


def near_centre(model: Model, body: str) -> np.ndarray:
    """Return the centre of the joint that carries a segment, in the body's axes from its origin, (3,), m.

    The root is carried by its hips: the middle between them, at its own z, since their level has no side.
    """
    from sspinn_opensim.anatomy.joint_centres import joint_centre  # as above

    joint = joint_above(model, body)
    if joint is not None:
        return joint_centre(model, joint, body)
    hips = [
        joint_centre(model, j, body)
        for j in model.joints
        if j.parent.body == body and joint_of_leg(j.child.body, body).startswith("hip")
    ]
    return np.mean(hips, axis=0) * (1.0, 1.0, 0.0) if hips else np.zeros(3)
