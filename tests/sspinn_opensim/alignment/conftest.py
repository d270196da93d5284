"""A person of seven segments who stands and walks by the usual curves, with sensors turned in any way."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sspinn_opensim.alignment.usual import QUIET_STANDING, usual_gaits
from sspinn_opensim.recording import Recording, Sensor

RATE_HZ, STRIDE_S, GRAVITY = 100.0, 1.1, 9.81
BODIES = ("pelvis", "femur_r", "femur_l", "tibia_r", "tibia_l", "calcn_r", "calcn_l")
SITES = (
    ("pelvis", ""),
    ("thigh", "right"),
    ("thigh", "left"),
    ("shank", "right"),
    ("shank", "left"),
    ("foot", "right"),
    ("foot", "left"),
)
#: Departures of this person from the usual curves, as a part of them, that all tests share.
UNUSUAL = 0.15


def walker(standing_s=2.0, strides=8, seed=0, gait=0, size=1.0):
    """Return force and rate (n, k, 3) along the axes of the segments.

    The segments turn by the integral of the usual rates about their usual inclination. The gyroscopes feel
    what this rotation says, the accelerometers gravity in it and accelerations whose mean over a stride is
    zero.
    """
    rng = np.random.default_rng(seed)
    n_stand, n_walk = round(standing_s * RATE_HZ), round(strides * STRIDE_S * RATE_HZ)
    phase = 2 * np.pi * np.arange(n_walk) / (STRIDE_S * RATE_HZ)
    curves = usual_gaits()[gait].segments
    force, rate = np.zeros((2, n_stand + n_walk, len(SITES), 3))
    for k, (segment, side) in enumerate(SITES):
        own = curves[segment]
        turns = np.exp(1j * np.arange(1, len(own.rate) + 1)[:, None] * phase)
        signals = {}
        for kind in ("rate", "force"):
            harmonics = size * own.signal(kind, side)
            scale = np.sqrt((np.abs(harmonics) ** 2).mean(axis=1, keepdims=True))
            noise = rng.standard_normal((2, *harmonics.shape)) * UNUSUAL * scale
            harmonics = harmonics + noise[0] + 1j * noise[1]
            if kind == "rate":  # to angles
                harmonics = harmonics / (2j * np.pi / STRIDE_S * np.arange(1, len(harmonics) + 1)[:, None])
            signals[kind] = np.einsum("hi,ht->ti", harmonics, turns).real
        up = own.lean_at(size).up(side)
        upright = Rotation.align_vectors([[0, 1, 0], [0, 0, 1]], [up, [0, 0, 1]], [1e6, 1])[0]
        attitude = upright * Rotation.from_rotvec(signals["rate"])
        turning = (attitude[:-1].inv() * attitude[1:]).as_rotvec() * RATE_HZ
        moved = attitude.apply(GRAVITY * up + signals["force"])
        moved = moved - moved.mean(axis=0) + [0, GRAVITY, 0]
        stands = QUIET_STANDING[segment].up(side)
        sway = 0.02 * rng.standard_normal((2, n_stand, 3))
        force[:n_stand, k], rate[:n_stand, k] = GRAVITY * stands + sway[0], 0.3 * sway[1]
        force[n_stand:, k], rate[n_stand:, k] = attitude.inv().apply(moved), np.vstack([turning, turning[:1]])
    return force, rate


def recording_of(force, rate, turns=None, bodies=BODIES, names=None, axes_known=False):
    """Return a recording of sensors that are turned by rotations (k, 3, 3): v_segment = turn v_sensor."""
    n, k = force.shape[:2]
    if turns is not None:
        force, rate = np.einsum("kji,nkj->nki", turns, force), np.einsum("kji,nkj->nki", turns, rate)
    names = names or [f"sensor_{letter}" for letter in "abcdefghi"[:k]]
    return Recording(
        name="walk",
        time_s=np.arange(n) / RATE_HZ,
        sensors=tuple(
            Sensor(name, body, axes_known=axes_known) for name, body in zip(names, bodies, strict=True)
        ),
        acceleration=force,
        angular_rate=rate,
        acceleration_available=np.ones((k, 3), bool),
        angular_rate_available=np.ones((k, 3), bool),
        acceleration_variance=np.zeros((k, 3)),
        angular_rate_variance=np.zeros((k, 3)),
    )


def in_plane(recording):
    """Return a recording with the channels of the sagittal plane alone."""
    channels = {"acceleration": np.array([1, 1, 0]), "angular_rate": np.array([0, 0, 1])}
    fields = {name: getattr(recording, name) * axes for name, axes in channels.items()}
    k = len(recording.sensors)
    fields |= {f"{name}_available": np.tile(axes > 0, (k, 1)) for name, axes in channels.items()}
    return replace(recording, **fields)


def any_turns(count=7, seed=1):
    """Return rotations (count, 3, 3), all as likely."""
    return Rotation.random(count, np.random.default_rng(seed)).as_matrix()


def degrees_between(a, b):
    """Return the angle between two rotations, degrees."""
    return float(np.degrees(Rotation.from_matrix(a @ b.T).magnitude()))


@pytest.fixture(scope="session")
def signals():
    """Return force and rate of a person who stands for two seconds and walks eight strides."""
    return walker()


@pytest.fixture
def recording(signals):
    """Return that person with sensors that are turned in any way."""
    return recording_of(*signals, any_turns())


@pytest.fixture
def without():
    """Return a function that leaves sensors of a recording out."""

    def kept(recording, indices):
        chosen = list(indices)
        pairs = ("acceleration", "angular_rate")
        fields = {name: getattr(recording, name)[:, chosen] for name in pairs}
        for kind in ("available", "variance"):
            fields |= {f"{name}_{kind}": getattr(recording, f"{name}_{kind}")[chosen] for name in pairs}
        return replace(recording, sensors=tuple(recording.sensors[k] for k in chosen), **fields)

    return kept
