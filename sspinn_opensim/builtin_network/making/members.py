"""Members of the cohort that the shipped network learns from: bodies, ideal signals, and the truth.

Signals are those of ideal sensors at the usual places, along the axes of the segments. What real sensors add
is put on them window by window (`sensors`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import interp1d
from scipy.signal import bilinear, lfilter
from torch import Tensor

from casadi_dynamics.model import Model
from osim_models import GENERIC_HEIGHT_M, GENERIC_MASS_KG
from sspinn_opensim.builtin_network.making.gaits import Style
from sspinn_opensim.builtin_network.making.people import Motion, motion_of, sized, standing, with_soles
from sspinn_opensim.recording import Phase, Recording, Sensor
from sspinn_opensim.simulation.optimal_gait import OptimalGait
from sspinn_opensim.simulation.places import CARRIERS
from sspinn_opensim.simulation.virtual import body_signals
from sspinn_opensim.training.cohort import Member
from sspinn_opensim.training.motion import RawMotion
from sspinn_opensim.training.signals import make_signals
from sspinn_opensim.training.subject import Subject, make_subject

#: Bodies of the built-in model that carry a sensor, in the order in which the network sees them.
BODIES = ("pelvis", "femur_r", "tibia_r", "foot_r", "femur_l", "tibia_l", "foot_l")
#: Held, as no sensor is above the pelvis.
HELD = {"lumbar_extension": 0.0}
RATE_HZ, DURATION_S = 100.0, 10.0
#: How far the natural frequency of a sensor on soft tissue differs between people from that of `CARRIERS`
#: (standard deviation of the logarithm).
WOBBLE_SPREAD = 0.3
#: Draws of soft tissue for each member.
TISSUES = 4
#: People for each gait.
SIZES = 3
#: Share of the members whose speed is known.
SPEED_KNOWN = 0.6
#: Height in m and body mass index in kg/m^2 of our people: mean, deviation, lowest, highest.
HEIGHT_M, BMI = (1.72, 0.10, 1.50, 1.98), (23.5, 3.5, 17.0, 34.0)


@dataclass(frozen=True)
class Truth:
    """What nobody else knows of a person.

    Attributes
    ----------
    motion : RawMotion
        (frames, ...), as the decoder gives it.
    tissue : (tissues, frames, k, 2) Tensor
        Acceleration of sensors on soft tissue against their segments, along x and y, m/s^2.
    """

    motion: RawMotion
    tissue: Tensor


@dataclass(frozen=True)
class OwnMember:
    """A member with its truth."""

    member: Member
    truth: Truth


def make_members(
    generic: Model, gaits: Sequence[tuple[Style, OptimalGait]], standers: int, seed: int
) -> list[OwnMember]:
    """Return people of several sizes for each gait, and some who stand."""
    random = np.random.default_rng([seed, 2])
    found = []
    time_s = np.arange(round(RATE_HZ * DURATION_S)) / RATE_HZ
    for k, (style, gait) in enumerate(gait for gait in gaits for _ in range(SIZES)):
        length, mass = _size(random)
        body = with_soles(generic, style.sole_heel_m, style.sole_forefoot_m)
        motion = motion_of(gait, body, length, mass, time_s + random.uniform(0.0, style.cycle_s))
        speed = float(gait.speed_m_s * np.sqrt(length)) if random.random() < SPEED_KNOWN else None
        kind = "running" if style.running else "walking"
        person = sized(body, length, mass)
        found.append(_member(f"{kind}_{k}", person, motion, length, time_s, speed, kind, random))
    for k in range(standers):
        length, mass = _size(random)
        heel = float(random.choice([0.0, random.uniform(0.005, 0.035)]))
        person = sized(with_soles(generic, heel, max(heel - 0.008, 0.0)), length, mass)
        weight = -person.gravity[1] * person.total_mass
        motion = standing(person, _stance(random), weight, len(time_s))
        speed = float(random.uniform(0.6, 2.0)) if random.random() < SPEED_KNOWN else None
        found.append(_member(f"standing_{k}", person, motion, length, time_s, speed, "standing", random))
    return found


def _size(random: np.random.Generator) -> tuple[float, float]:
    """Return the factors of length and mass from the generic body to a person."""
    (mean, deviation, low, high), (bmi, spread, least, most) = HEIGHT_M, BMI
    height = float(np.clip(random.normal(mean, deviation), low, high))
    index = float(np.clip(random.normal(bmi, spread), least, most))
    return height / GENERIC_HEIGHT_M, index * height**2 / GENERIC_MASS_KG


def _stance(random: np.random.Generator) -> dict[str, float]:
    """Return a posture with flat feet: knees nearly straight, the trunk nearly upright, rad."""
    knee, shank, tilt = np.radians([random.uniform(-10, 0), random.normal(-4, 2.5), random.normal(-2, 4)])
    # The shank leans forward (negative about z), the foot is flat, the thigh follows from the knee.
    thigh = shank - knee
    posture = {"pelvis_tilt": tilt}
    for side in "rl":
        posture |= {f"hip_flexion_{side}": thigh - tilt, f"knee_angle_{side}": knee}
        posture[f"ankle_angle_{side}"] = -shank
    return posture


def _member(
    name: str,
    model: Model,
    motion: Motion,
    length: float,
    time_s: np.ndarray,
    speed_m_s: float | None,
    kind,
    random: np.random.Generator,
) -> OwnMember:
    sensors = tuple(Sensor(body, body, None) for body in BODIES)
    shape = (len(time_s), len(BODIES), 3)
    measured, unknown = np.ones(shape[1:], bool), np.zeros(shape[1:])

    def recorded(force: np.ndarray, rate: np.ndarray) -> Recording:
        return Recording(name, time_s, sensors, force, rate, measured, measured, unknown, unknown, speed_m_s)

    nothing = recorded(np.zeros(shape), np.zeros(shape))
    subject = make_subject(model, nothing, HELD, height_m=length * GENERIC_HEIGHT_M)
    places = np.tile(subject.sensor_position.reshape(1, -1, 3), (len(time_s), 1, 1))
    state = {"q": motion.q, "u": motion.u, "udot": motion.udot}
    force, rate = body_signals(subject.functions, BODIES, state, places)
    recording = recorded(force, rate)
    signals = make_signals(recording, subject, (Phase(kind, float(time_s[0]), float(time_s[-1])),))
    truth = Truth(_raw(subject, motion), torch.as_tensor(_tissue(force, time_s, random), dtype=torch.float32))
    return OwnMember(Member(name, subject, signals), truth)


def _raw(subject: Subject, motion: Motion) -> RawMotion:
    roles = subject.roles
    steps = list(roles.steps)
    picked = (
        motion.q[:, list(roles.posture)],
        motion.u[:, steps],
        motion.q[:, [roles.vertical]],
        motion.q[:, :0],
        motion.force,
        motion.tau[:, list(roles.actuated)],
    )
    return RawMotion(*(torch.as_tensor(np.array(x), dtype=torch.float32) for x in picked))


def _tissue(force: np.ndarray, time_s: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the acceleration of sensors on their tissue, (tissues, frames, k, 2).

    A sensor is a mass on a damped spring on the bone under it: its acceleration against the bone is the
    bone's specific force, less its mean, through ``-s^2 / (s^2 + 2 zeta w s + w^2)``, here by the bilinear
    transform at fine steps.
    """
    step_s, fine = time_s[1] - time_s[0], 4
    fine_s = np.arange((len(time_s) - 1) * fine + 1) * step_s / fine
    drive = interp1d(time_s - time_s[0], (force - force.mean(axis=0))[..., :2], axis=0)(fine_s)
    found = np.zeros((TISSUES, len(time_s), len(BODIES), 2))
    for t in range(TISSUES):
        for k, body in enumerate(BODIES):
            usual_hz = CARRIERS[body.partition("_")[0]][1]
            frequency = usual_hz * np.exp(WOBBLE_SPREAD * random.standard_normal())
            w, damping = 2 * np.pi * frequency, random.uniform(0.1, 0.6)
            b, a = bilinear([-1.0, 0.0, 0.0], [1.0, 2 * damping * w, w**2], fine / step_s)
            found[t, :, k] = lfilter(b, a, drive[:, k], axis=0)[::fine]
    return found
