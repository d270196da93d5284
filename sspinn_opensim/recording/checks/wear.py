"""Wear of sensors in gait: those that lie still, shake without turning, or slip."""

from __future__ import annotations

import numpy as np

from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.movement.phases import GAIT, Phase
from sspinn_opensim.recording.signals.magnitude import rms_magnitudes
from sspinn_opensim.recording.types import AXES, Recording

#: A sensor that in gait turns (rad/s) and shakes (m/s^2) by less than this, root mean square, is not worn.
#: The stillest that were measured, trunks on a slow treadmill, turn by 0.5 rad/s and shake by 1.6 m/s^2.
_LIES_RATE, _LIES_FORCE = 0.05, 0.8
#: A sensor that shakes in gait turns by more than this, rad/s, root mean square: those on trunks and pelvises
#: by 0.3 and more, a pelvis that tilts in the sagittal plane alone by 0.13.
_LEAST_TURNING = 0.04
#: Gait is looked at in pieces of so many strides.
_STRIDES_OF_PIECE = 2
#: By how much a sensor leans otherwise in one part of a kind of gait than in the other, degrees: by 8.3 at
#: most in eight recordings of six people, of up to 106 s. It is doubted, or refused.
_SLIP_DOUBTED_DEG, _SLIP_REFUSED_DEG = 12.0, 20.0


def check_worn(recording: Recording, found: tuple[Phase, ...]) -> list[Finding]:
    """Return sensors that lie still while others walk or run, and those that shake without turning."""
    pieces = [
        piece
        for phase in found
        if phase.kind in GAIT
        for piece in _pieces(recording, phase) or [slice(*_samples(recording, phase))]
    ]
    if not pieces:
        return []
    turning, shaken = np.empty((2, len(pieces), len(recording.sensors)))
    for k, piece in enumerate(pieces):
        turning[k] = rms_magnitudes(recording.angular_rate[piece])
        shaken[k] = np.linalg.norm(recording.acceleration[piece].std(axis=0), axis=1)
    measured = recording.angular_rate_available.any(axis=1) & recording.acceleration_available.any(axis=1)
    lies = measured & (turning < _LIES_RATE) & (shaken < _LIES_FORCE)
    lies &= ~lies[:, measured].all(axis=1, keepdims=True)
    findings = []
    for k in np.flatnonzero(measured).tolist():
        name, still = recording.sensors[k].name, np.flatnonzero(lies[:, k])
        rate = float(np.sqrt((turning[:, k] ** 2).mean()))
        if len(still) >= min(len(pieces), 2):
            lies_s = sum(pieces[n].stop - pieces[n].start for n in still) / recording.sampling_rate_hz
            says = f"it lies still for {lies_s:.0f} s while others move in gait."
            advice = "leave it out if it was not worn, or use the part before it fell off"
            findings.append(Finding("serious", "frozen", says, sensor=name, advice=advice))
        elif rate < _LEAST_TURNING:
            says = f"it shakes in gait, but turns by {rate:.2g} rad/s (root mean square), as no segment does."
            advice = "look at the unit of its angular rates: they may have been taken as deg/s"
            findings.append(Finding("serious", "angular_rate_unit", says, sensor=name, advice=advice))
    return findings


def check_slips(recording: Recording, found: tuple[Phase, ...]) -> list[Finding]:
    """Return sensors that feel gravity along other axes in one part of the gait than in the other.

    Which axes are known does not matter: over whole strides the mean specific force is gravity. Where most
    sensors do so the person may walk otherwise, uphill or bent, and none is refused.
    """
    worst: dict[int, tuple[float, float]] = {}
    for kind in GAIT:
        pieces = [piece for phase in found if phase.kind == kind for piece in _pieces(recording, phase)]
        force = np.array([recording.acceleration[piece].mean(axis=0) for piece in pieces])
        for k in range(2, len(pieces) - 1):
            before, after = (_directions(part.mean(axis=0)) for part in (force[:k], force[k:]))
            turned = np.degrees(np.arccos(np.clip((before * after).sum(axis=1), -1.0, 1.0)))
            for sensor, angle_deg in enumerate(turned.tolist()):
                known = worst.get(sensor, (0.0, 0.0))
                worst[sensor] = max(known, (angle_deg, float(recording.time_s[pieces[k].start])))
    if not worst:
        return []
    alone = np.median([angle_deg for angle_deg, _ in worst.values()]) < _SLIP_DOUBTED_DEG
    return [
        Finding(
            "serious" if alone and angle_deg > _SLIP_REFUSED_DEG else "doubt",
            "slipped",
            f"from about {at_s:.0f} s on it leans by {angle_deg:.0f} degrees otherwise than before.",
            sensor=recording.sensors[sensor].name,
            advice="use the part before or after it slipped or was put on anew (from_s and to_s under "
            "[recording])",
        )
        for sensor, (angle_deg, at_s) in worst.items()
        if angle_deg > _SLIP_DOUBTED_DEG
        and np.count_nonzero(recording.acceleration_available[sensor]) >= len(AXES) - 1
    ]


def _pieces(recording: Recording, phase: Phase) -> list[slice]:
    """Return pieces of a few whole strides of a phase of gait."""
    if phase.stride_s is None:
        return []
    length = max(round(_STRIDES_OF_PIECE * phase.stride_s * recording.sampling_rate_hz), 1)
    first, last = _samples(recording, phase)
    return [slice(start, start + length) for start in range(first, last - length + 1, length)]


def _samples(recording: Recording, phase: Phase) -> tuple[int, int]:
    first, last = np.searchsorted(recording.time_s, (phase.from_s, phase.to_s)).tolist()
    return first, last + 1


def _directions(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
