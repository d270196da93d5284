"""Mean curves of level walking, drawn through the landmarks by which textbooks describe it.

Landmarks are values at phases of the cycle, rounded to five degrees or so; a curve through them is typical
walking, not a digitised record of anyone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

SOURCES = {
    "perry2010": (
        "Perry J, Burnfield JM (2010) Gait Analysis: Normal and Pathological Function, 2nd ed., SLACK: "
        "sagittal thigh, knee and ankle at the end of each phase of the cycle (initial contact 0 %, loading "
        "response 12 %, mid stance 31 %, terminal stance 50 %, pre-swing 62 %, initial swing 75 %, mid swing "
        "87 %)."
    ),
    "winter2009": (
        "Winter DA (2009) Biomechanics and Motor Control of Human Movement, 4th ed., Wiley: timing of the "
        "extremes of knee, ankle and vertical ground force at natural cadence."
    ),
    "winter1992": (
        "Winter DA (1992) Foot trajectory in human gait: a precise and multifactorial motor control task. "
        "Phys Ther 72:45-53: toe clearance of 1.29 cm on average."
    ),
    "upright": "Choice of this project: pelvis and trunk upright.",
}


@dataclass(frozen=True)
class Curve:
    """Landmarks of one mean curve over the cycle of the same side.

    Attributes
    ----------
    percent : tuple of float
        Phases of the cycle that starts with the foot's contact, in [0, 100), increasing.
    values : tuple of float
        Degrees, with the signs of the model's coordinates; the ground force in body weights.
    sources : tuple of str
        Keys of `SOURCES`.
    """

    percent: tuple[float, ...]
    values: tuple[float, ...]
    sources: tuple[str, ...]

    def __call__(self, percent: ArrayLike) -> np.ndarray:
        """Return the curve at phases of any cycle, %; between landmarks it stays between their values."""
        phases = np.concatenate([np.add(self.percent, shift) for shift in (-200, -100, 0, 100, 200)])
        return PchipInterpolator(phases, np.tile(self.values, 5))(np.mod(percent, 100.0))


#: The thigh against the vertical: the model's hip angle while its pelvis stands upright.
HIP_FLEXION = Curve(
    (0, 12, 31, 50, 62, 75, 87),
    (20, 20, 0, -20, -10, 15, 25),
    ("perry2010",),
)
KNEE_ANGLE = Curve(
    (0, 14, 40, 50, 62, 72, 87, 97),
    (-5, -20, -5, -10, -40, -60, -25, -3),
    ("perry2010", "winter2009"),
)
ANKLE_ANGLE = Curve(
    (0, 7, 31, 46, 63, 75, 87),
    (0, -5, 5, 10, -15, -5, 0),
    ("perry2010", "winter2009"),
)
UPRIGHT = Curve((0, 50), (0, 0), ("upright",))
VERTICAL_FORCE = Curve(
    (0, 13, 31, 48, 62, 81),
    (0.0, 1.1, 0.8, 1.1, 0.0, 0.0),
    ("perry2010", "winter2009"),
)
#: Brake and push along the walking direction, body weights.
FORWARD_FORCE = Curve(
    (0, 14, 31, 52, 62, 81),
    (0.0, -0.2, 0.0, 0.2, 0.0, 0.0),
    ("winter2009",),
)

#: Phases (first and last, %) of swing in which heel and toe are at least so high, m (Winter 1992).
CLEARANCE = {"heel": (65, 95, 0.012), "toe": (68, 95, 0.012)}

#: Curve of each kind of coordinate; `_r` and `_l` share one, half a cycle apart.
ANGLES = {
    "hip_flexion": HIP_FLEXION,
    "knee_angle": KNEE_ANGLE,
    "ankle_angle": ANKLE_ANGLE,
    "pelvis_tilt": UPRIGHT,
    "lumbar_extension": UPRIGHT,
}
