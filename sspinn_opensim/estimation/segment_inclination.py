"""Inclination of segments by their own sensors, where a network that hardly saw the person estimates.

How segments turn within seconds their gyroscopes know best, and how sensors are inclined on average gravity
over whole strides: a body that keeps going has no mean acceleration. What neither knows is how each sensor is
turned on its segment. All that speaks of it is weighed by least squares:

- how well its axes are known, and its place;
- joints, whose centres move as the sensors on both sides say (Seel, Raisch and Schauer 2014, Sensors
  14:6891). At the way r from a sensor the specific force is f + w' x r + w x (w x r): so the ways to the
  joints, known from the model, tell how it is turned. The mean of the difference is left to gravity;
- the mean inclination that the network sees;
- knees, nearly straight once a stride in walking.

A training on the recording alone, or with few others, weighs more than this, so the estimates of its network
are left as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from casadi_dynamics.symbolic.posture import posture as posed
from sspinn_opensim.alignment.types import Alignment
from sspinn_opensim.anatomy import joint_of_leg
from sspinn_opensim.anatomy.joint_centres import joint_centre
from sspinn_opensim.estimation.inference.offline import Estimate, estimate
from sspinn_opensim.recording import Phase, Recording, phases
from sspinn_opensim.recording.movement.phases import GAIT
from sspinn_opensim.recording.movement.sagittal import SagittalSignals, sagittal_signals
from sspinn_opensim.recording.signals.filters import low_pass
from sspinn_opensim.recording.signals.runs import true_runs
from sspinn_opensim.recording.units import GRAVITY
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject

#: Within this time gyroscopes say how segments turn, over longer ones the network, s (standard deviation of a
#: window).
GYROSCOPES_S = 1.5
#: Standard deviations of a sensor's turn where its axes are stated, rad, and of its place along x and y, m:
#: those of a training (`mounting`).
TURN_RAD, SHIFT_M = 0.15, 0.03
#: Of the mean inclination by the network, rad: twice that on the people it was trained on.
NETWORK_RAD = float(np.radians(5.0))
#: A walker's straightest knee, rad, and how far people differ from it. Runners differ more, and are not held.
STRAIGHT_KNEE_RAD, STRAIGHT_KNEE_SD_RAD = float(np.radians(-5.0)), float(np.radians(5.0))
#: Percentile of the angle of the knee that counts as its straightest.
_STRAIGHTEST = 98.0
#: What sensors differ by at a joint, m/s^2, unless it is more; tissue swings above this, Hz.
_FORCE_SD, _TISSUE_HZ = 1.0, 6.0
#: No inclination by gravity is known better, rad.
_LEAST_SD_RAD = 0.002
#: Length of a stride that nobody counted, s.
_STRIDE_S = 1.1
#: Rounds in which it is found by how much sensors differ at the joints.
_ROUNDS = 5
#: So long after a gap the sensors count fully, s: what they say jumps there.
_FADE_S = 0.25


def estimate_by_sensors(
    network: PersonNetwork,
    subject: Subject,
    signals: Signals,
    recording: Recording,
    alignment: Alignment | None,
) -> Estimate:
    """Return the estimate of a recording; where the network is that of others, with `linked_posture`.

    Parameters
    ----------
    recording : Recording
        Which `signals` were made of, along the axes of the segments.
    alignment : Alignment or None
        Of its sensors, where they had to be aligned.
    """
    alone = estimate(network, subject, signals, recording.time_s)
    if not (network.of_others and subject.planar):
        return alone
    posture = linked_posture(alone.q, subject, recording, alignment)
    return estimate(network, subject, signals, recording.time_s, posture)


def linked_posture(
    q: np.ndarray, subject: Subject, recording: Recording, alignment: Alignment | None
) -> np.ndarray:
    """Return the posture of a planar model with segments inclined as their sensors say.

    Parameters
    ----------
    q : (n, c) ndarray
        Coordinates as the network has them. They stay where no sensor says more.

    Returns
    -------
    (n, p) ndarray
        In the order of `Roles.posture`, rad.
    """
    posture, told = q[:, list(subject.roles.posture)], sagittal_signals(recording, subject.model)
    turning = _turning(subject, told)
    gait = [phase for phase in phases(recording) if phase.kind in GAIT]
    counts = recording.usable & (_whole_strides(gait, recording.time_s) if gait else True)
    if not (turning and counts.any()):
        return posture
    bodies, rows = list(turning), np.array([*turning.values()])
    at_zero = posed(
        subject.model, {c.name: subject.fixed.get(c.name, 0.0) for c in subject.model.coordinates}
    )
    rest = [np.arctan2(*at_zero.rotation[body][[1, 0], 0]) for body in bodies]
    network = posture @ rows.T + rest
    turned = _by_gyroscopes(network, np.column_stack([told.rate[body] for body in bodies]), recording)
    by_sensors = _linked(turned, bodies, subject, told, counts, gait, alignment)
    # Sensors on some of the segments change the posture by the least that it takes.
    return posture + _share(recording)[:, None] * ((by_sensors - network) @ np.linalg.pinv(rows).T)


def _turning(subject: Subject, told: SagittalSignals) -> dict[str, np.ndarray]:
    """Return how segments with sensors turn with the posture, (p,), each by its body.

    Of bodies that do not turn against each other, the inner one tells.
    """
    found: dict[str, np.ndarray] = {}
    for body, row in zip(subject.functions.bodies, subject.turning()[:, 2], strict=True):
        if body in told.rate and not any(np.array_equal(row, other) for other in found.values()):
            found[body] = row
    return found


def _linked(
    inclination: np.ndarray,
    bodies: Sequence[str],
    subject: Subject,
    told: SagittalSignals,
    counts: np.ndarray,
    gait: Sequence[Phase],
    alignment: Alignment | None,
) -> np.ndarray:
    """Return inclinations (n, k) of segments, each moved by what gravity and joints say of its sensor."""
    force = [
        _turned(told.force[body][counts], angle[counts])
        for body, angle in zip(bodies, inclination.T, strict=True)
    ]
    # By this gravity says that sensors are inclined otherwise than their segments.
    off = np.array([np.arctan2(*each.mean(axis=0)) for each in force])
    gravity = [_gravity_sd(each[:, 0], told.time_s[1] - told.time_s[0]) for each in force]
    links = list(_links(subject, told, bodies, inclination + off, counts, gait))
    turn = [_turn_sd(body, subject, alignment) for body in bodies]
    deviation = np.column_stack([turn, np.full((len(bodies), 2), SHIFT_M), gravity])
    return inclination + off - _turns(links, off, deviation)


def _by_gyroscopes(inclination: np.ndarray, rate: np.ndarray, recording: Recording) -> np.ndarray:
    """Return inclinations (n, k) that turn by the rates (n, k) within seconds, and stay near given ones."""
    from scipy.integrate import cumulative_trapezoid  # both take long to import
    from scipy.ndimage import gaussian_filter1d

    step_s, found = recording.time_s[1] - recording.time_s[0], inclination.copy()
    for first, last in true_runs(recording.usable):
        turned = cumulative_trapezoid(rate[first:last], dx=step_s, axis=0, initial=0.0)
        slow = gaussian_filter1d(inclination[first:last] - turned, GYROSCOPES_S / step_s, axis=0)
        found[first:last] = turned + slow
    return found


def _turned(force: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Return vectors in the plane (n, 2) turned by angles (n,)."""
    c, s = np.cos(angle), np.sin(angle)
    x, y = force.T
    return np.column_stack([c * x - s * y, s * x + c * y])


@dataclass(frozen=True, eq=False)
class _Link:
    """A joint between two segments with sensors.

    Attributes
    ----------
    ends : tuple of 2 int
        Places of both among the segments, the inner one first.
    ways : (2, 2) ndarray
        From each sensor to the joint, along x and y of the segment, m.
    root : (r, 5) ndarray
        Times both ways along the axes of the sensors, and one, a vector as long as the root mean square by
        which the sensors differ at the joint, m/s^2.
    independent : float
        Numbers in which they may differ.
    straightest : float or None
        Of a walker's knee by the inclination of the sensors, rad.
    """

    ends: tuple[int, int]
    ways: np.ndarray
    root: np.ndarray
    independent: float
    straightest: float | None

    def difference(self, x: np.ndarray) -> np.ndarray:
        """Return by what the sensors differ, with turns and shifts (k, 4) of all of them."""
        own = x[list(self.ends)]
        c, s = np.cos(own[:, 0]), np.sin(own[:, 0])
        ahead, up = (self.ways - own[:, 1:3]).T
        along = np.column_stack([c * ahead + s * up, c * up - s * ahead])
        return self.root @ np.append(along.ravel(), 1.0)


def _links(
    subject: Subject,
    told: SagittalSignals,
    bodies: Sequence[str],
    inclination: np.ndarray,
    counts: np.ndarray,
    gait: Sequence[Phase],
) -> Iterator[_Link]:
    rate_hz = 1.0 / (told.time_s[1] - told.time_s[0])
    felt = [
        _felt(told.force[body], told.rate[body], angle, rate_hz)[counts]
        for body, angle in zip(bodies, inclination.T, strict=True)
    ]
    strides = [phase.stride_s for phase in gait if phase.stride_s]
    # Errors are alike from stride to stride, so all count as one, with x and y twice in a period of tissue.
    independent = 4 * _TISSUE_HZ * float(np.mean(strides or [_STRIDE_S]))
    places = dict(
        zip(
            (frame.body for frame in subject.functions.imu_frames),
            subject.sensor_position.reshape(-1, 3),
            strict=True,
        )
    )
    walks = bool(gait) and all(phase.kind == "walking" for phase in gait)
    for joint in subject.model.joints:
        pair = joint.parent.body, joint.child.body
        if not set(pair) <= set(bodies):
            continue
        one, other = (bodies.index(body) for body in pair)
        by_ways = [felt[one][..., :2], -felt[other][..., :2]]
        columns = np.concatenate([*by_ways, (felt[one] - felt[other])[..., 2:]], axis=2)
        columns -= columns.mean(axis=0)
        root = np.linalg.qr(columns.reshape(-1, 5), mode="r") / np.sqrt(2 * len(columns))
        bent = inclination[counts, other] - inclination[counts, one]
        knee = walks and joint_of_leg(*pair[::-1]).startswith("knee")
        yield _Link(
            (one, other),
            np.array([(joint_centre(subject.model, joint, body) - places[body])[:2] for body in pair]),
            root,
            independent,
            float(np.percentile(bent, _STRAIGHTEST)) if knee else None,
        )


def _felt(force: np.ndarray, rate: np.ndarray, angle: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return what times a way along a sensor's axes, and one, is the force there in ground, (n, 2, 3)."""
    rate = low_pass(rate, _TISSUE_HZ, rate_hz)
    faster, squared = np.gradient(rate, 1.0 / rate_hz), rate**2
    level = low_pass(_turned(force, angle), _TISSUE_HZ, rate_hz)
    c, s = np.cos(angle), np.sin(angle)
    found = np.empty((len(rate), 2, 3))
    found[:, 0] = np.column_stack([-squared * c - faster * s, squared * s - faster * c, level[:, 0]])
    found[:, 1] = np.column_stack([faster * c - squared * s, -faster * s - squared * c, level[:, 1]])
    return found


def _turns(links: Sequence[_Link], network: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return how each sensor is turned on its segment, less what gravity is wrong by, (k,), rad.

    Parameters
    ----------
    network : (k,) ndarray
        By the mean inclination of the network.
    deviation : (k, 4) ndarray
        Of turn, place along x and y, and inclination by gravity, before anything else is known.
    """
    from scipy.optimize import least_squares  # takes long to import

    x = np.zeros(deviation.shape)
    for _ in range(_ROUNDS if links else 1):
        left = [float(np.linalg.norm(link.difference(x))) for link in links]
        weights = [link.independent**0.5 / max(_FORCE_SD, rms) for link, rms in zip(links, left, strict=True)]

        def off(flat: np.ndarray, weights: Sequence[float] = tuple(weights)) -> np.ndarray:
            x = flat.reshape(deviation.shape)
            found = [(x / deviation).ravel(), (x[:, 0] - x[:, 3] - network) / NETWORK_RAD]
            for link, weight in zip(links, weights, strict=True):
                found.append(weight * link.difference(x))
                if link.straightest is not None:
                    one, other = link.ends
                    straight = link.straightest - (x[other] - x[one]) @ (1, 0, 0, -1)
                    found.append(np.array([(straight - STRAIGHT_KNEE_RAD) / STRAIGHT_KNEE_SD_RAD]))
            return np.concatenate(found)

        x = least_squares(off, x.ravel()).x.reshape(deviation.shape)
    return x[:, 0] - x[:, 3]


def _turn_sd(body: str, subject: Subject, alignment: Alignment | None) -> float:
    """Return the deviation of the turn of the sensor on a body in the sagittal plane, rad."""
    names = [frame.name for frame in subject.functions.imu_frames if frame.body == body]
    known = [
        own.sd_deg[2]
        for own in (alignment.sensors if alignment else ())
        if own.estimated and own.name in names
    ]
    return float(np.radians(known[0])) if known else TURN_RAD


def _gravity_sd(along: np.ndarray, step_s: float) -> float:
    """Return the deviation of the inclination by the mean of a force whose level part is (n,), rad.

    It is wrong by as much as the segment is faster at one end than at the other.
    """
    speed = np.cumsum(along - along.mean()) * step_s
    return max(float(2**0.5 * speed.std() / (len(along) * step_s * GRAVITY)), _LEAST_SD_RAD)


def _whole_strides(gait: Sequence[Phase], time_s: np.ndarray) -> np.ndarray:
    """Return which frames belong to gait, without strides that are not whole at the end of each phase."""
    found = np.zeros(len(time_s), bool)
    for phase in gait:
        strides = int(phase.duration_s / phase.stride_s) if phase.stride_s else 0
        until_s = phase.from_s + strides * (phase.stride_s or 0.0) if strides else phase.to_s
        found |= (time_s >= phase.from_s) & (time_s < until_s)
    return found


def _share(recording: Recording) -> np.ndarray:
    """Return how much the sensors count in each frame, from none where nothing was measured to one."""
    from scipy.ndimage import uniform_filter1d  # takes long to import

    frames = 2 * round(_FADE_S / (recording.time_s[1] - recording.time_s[0])) + 1
    around = uniform_filter1d(recording.usable.astype(float), frames, mode="nearest")
    return np.where(recording.usable, np.clip(2 * around - 1, 0.0, 1.0), 0.0)
