"""Sensors turned to the axes of their segments, by standing, gait and what the study says."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from sspinn_opensim.alignment.choices import AlignmentChoice
from sspinn_opensim.alignment.combine import Evidence, combine
from sspinn_opensim.alignment.doubts import SURE, doubts_of
from sspinn_opensim.alignment.evidence import Observed, evidence_of, stated_axes
from sspinn_opensim.alignment.identify import SAGITTAL, fits, identify, on_one_segment
from sspinn_opensim.alignment.mistakes import find_mistakes
from sspinn_opensim.alignment.standing import Standing, find_standing
from sspinn_opensim.alignment.strides import Strides, find_strides, of_sensors
from sspinn_opensim.alignment.types import Alignment, SensorAlignment
from sspinn_opensim.alignment.usual import (
    QUIET_STANDING,
    UPRIGHT,
    Lean,
    Site,
    UsualGait,
    size_of,
    usual_gaits,
)
from sspinn_opensim.recording.findings import Finding, merged
from sspinn_opensim.recording.movement.phases import Phase, phases
from sspinn_opensim.recording.sensors.placement import site_of
from sspinn_opensim.recording.signals.rotations import (
    angles_from_rotation,
    rotate,
    rotation_from_angles,
    vectors_from_rotations,
)
from sspinn_opensim.recording.types import Recording

#: Standing in which up is further from where gait says than this, degrees, is no standing: someone sits, or
#: the sensors are not worn yet. Among eleven people it is 9 at most.
_OTHER_POSTURE_DEG = 30.0
#: Turns against stated axes are found anew with other weights until they stay within this, degrees, at most
#: so often.
_SAME_DEG, _MOST_ITERATIONS = 0.01, 30


def align(
    recording: Recording,
    choice: AlignmentChoice | None = None,
    *,
    standing_s: Sequence[tuple[float, float]] = (),
    gaits: Sequence[UsualGait] | None = None,
    postures: Mapping[str, Lean] | None = None,
) -> Alignment:
    """Return how the sensors of a recording sit on their segments.

    Sensors with all six channels take part. Those whose axes are known keep them; they help to tell
    where the others sit, and are compared with what their signals say. So are those whose axes are stated
    within a deviation, which is evidence beside that of their signals: of these the channels of the
    sagittal plane are enough, which tell of the turn in that plane.

    Parameters
    ----------
    recording : Recording
        Signals of sensors whose `Sensor.axes_known` is false are along the sensors' own axes.
    choice : AlignmentChoice, optional
        What the study says.
    standing_s : sequence of (float, float), optional
        Parts in which the person stands still, s; left out, they are found.
    gaits, postures : optional
        How people usually move and stand, instead of what comes with this project.
    """
    choice = choice or AlignmentChoice()
    if postures is None:
        postures = UPRIGHT if choice.posture == "upright" else QUIET_STANDING
    complete, sagittal = _channels(recording)
    nearly = np.array([sensor.stated_within_deg is not None for sensor in recording.sensors])
    # A copy of which nobody says where it sits would take the place of another sensor.
    copies = {f.sensor for f in recording.findings if f.kind == "duplicate" and f.is_serious}
    lost = np.array([s.name in copies and site_of(s) is None for s in recording.sensors])
    used = [int(k) for k in np.flatnonzero((complete | (sagittal & nearly)) & ~lost)]
    gaits, doing = usual_gaits() if gaits is None else gaits, phases(recording)
    observed, sitting, findings = _observe(recording, used, postures, standing_s, gaits, doing)
    evidence = evidence_of(observed, postures, choice)
    sensors = []
    for k, sensor in enumerate(recording.sensors):
        own = SensorAlignment(sensor.name, sensor.imu_frame or sensor.body, np.eye(3), site=site_of(sensor))
        if k in used:
            at = used.index(k)
            own = _solved(own, evidence[at], _facing(observed, at))
            if sitting and complete[k]:  # in the plane both legs exchanged look alike: see `find_mistakes`
                found, probability = sitting[at]
                own = replace(own, found=found, probability=probability)
        findings += doubts_of(own, sensor, choice, complete=bool(complete[k]))
        if sensor.stated_within_deg is not None and k in used:
            own = _refined(own, sensor.stated_within_deg, evidence[used.index(k)])
        if sensor.axes_known:
            own = replace(own, rotation=np.eye(3), sd_deg=(0.0, 0.0, 0.0), evidence=(), facing=1.0)
        sensors.append(own)
    strides = observed.strides if complete.all() else None
    findings = merged((*findings, *find_mistakes(_as_stated(recording), doing, gaits, strides)))
    return Alignment(tuple(sensors), findings, fingerprint(recording, choice, standing_s), recording.name)


def judged(alignment: Alignment, recording: Recording, choice: AlignmentChoice) -> Alignment:
    """Return an alignment of the same recording that was kept, with doubts by the bounds of a choice."""
    found = [f for f in alignment.findings if f.kind != "alignment"]
    channels, _ = _channels(recording)
    for own, sensor, complete in zip(alignment.sensors, recording.sensors, channels, strict=True):
        if not sensor.axes_known:
            doubts = doubts_of(own, sensor, choice, complete=bool(complete))
            found += [f for f in doubts if f.kind == "alignment"]
    return replace(alignment, findings=tuple(found))


def aligned(recording: Recording, alignment: Alignment) -> Recording:
    """Return a recording along the axes of the bodies: sensors whose axes were not known are turned."""
    acceleration, angular_rate = recording.acceleration.copy(), recording.angular_rate.copy()
    force_known, rate_known = recording.acceleration_available.copy(), recording.angular_rate_available.copy()
    variances = recording.acceleration_variance.copy(), recording.angular_rate_variance.copy()
    rotations = {own.name: own.rotation for own in alignment.sensors}
    sensors = list(recording.sensors)
    for k, sensor in enumerate(sensors):
        if sensor.axes_known:
            continue
        rotation = rotations[sensor.name]
        for signal, available in ((acceleration, force_known), (angular_rate, rate_known)):
            signal[:, k], available[k] = rotate(signal[:, k], available[k], rotation)
        for variance in variances:
            variance[k] = rotation**2 @ variance[k]
        whole = rotation @ sensor.rotation
        sensors[k] = replace(
            sensor, orientation=angles_from_rotation(whole), axes_known=True, stated_within_deg=None
        )
    return replace(
        recording,
        sensors=tuple(sensors),
        acceleration=acceleration,
        angular_rate=angular_rate,
        acceleration_available=force_known,
        angular_rate_available=rate_known,
        acceleration_variance=variances[0],
        angular_rate_variance=variances[1],
    )


def unaligned(recording: Recording, choice: AlignmentChoice, stated: Collection[str]) -> Recording:
    """Return a recording that says of each sensor whether it has to be aligned, by what a study chose.

    Parameters
    ----------
    stated : collection of str
        Sensors whose axes the study gives.
    """
    sensors = []
    _, sagittal = _channels(recording)
    for sensor, refinable in zip(recording.sensors, sagittal, strict=True):
        known, within = sensor.axes_known or sensor.stated_within_deg is not None, None
        if choice.method == "none":
            known = True
        elif choice.method == "signals":
            known = bool(sensor.imu_frame) or sensor.name in stated
        if known and refinable and not sensor.imu_frame and choice.stated_within_deg:
            known, within = False, choice.stated_within_deg
        sensors.append(replace(sensor, axes_known=known, stated_within_deg=within))
    return replace(recording, sensors=tuple(sensors))


def _channels(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Return of which sensors all six channels are known, and of which those of the sagittal plane."""
    force, rate = recording.acceleration_available, recording.angular_rate_available
    complete, sagittal = (force & rate).all(axis=1), force[:, :2].all(axis=1) & rate[:, 2]
    return np.asarray(complete), np.asarray(sagittal)


def _as_stated(recording: Recording) -> Recording:
    """Return a recording in which axes that are nearly known count as known."""
    sensors = (
        replace(s, axes_known=s.axes_known or s.stated_within_deg is not None) for s in recording.sensors
    )
    return replace(recording, sensors=tuple(sensors))


def fingerprint(
    recording: Recording, choice: AlignmentChoice, standing_s: Sequence[tuple[float, float]] = ()
) -> str:
    """Return a hash of all that an alignment is made from; what it is judged by does not count."""
    said = [(s.name, s.body, s.imu_frame, s.axes_known, s.stated_within_deg) for s in recording.sensors]
    digest = hashlib.sha256(repr((said, choice.posture, choice.use, list(standing_s))).encode())
    for array in (recording.time_s, recording.acceleration, recording.angular_rate):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _observe(
    recording: Recording,
    used: Sequence[int],
    postures: Mapping[str, Lean],
    standing_s: Sequence[tuple[float, float]],
    gaits: Sequence[UsualGait],
    doing: Sequence[Phase],
) -> tuple[Observed, list[tuple[Site, float]], list[Finding]]:
    """Return what was seen of the sensors, where each most probably sits, and what was missing."""
    planar = ~_channels(recording)[0][used]
    observed = Observed(tuple(site_of(recording.sensors[k]) for k in used), tuple(planar.tolist()))
    if not used:
        return observed, [], []
    acceleration, rate = of_sensors(recording.acceleration, used), of_sensors(recording.angular_rate, used)
    if planar.any():
        acceleration = np.where(planar[:, None], SAGITTAL["force"], 1.0) * acceleration
        rate = np.where(planar[:, None], SAGITTAL["rate"], 1.0) * rate
    sitting, findings = [], []
    strides = find_strides(recording.time_s, acceleration, rate, doing, recording.usable)
    if strides is None:
        missing = "There are no two strides of straight walking or running."
        findings.append(
            Finding("doubt", "no_gait", missing, advice="record some steps along a straight line")
        )
    else:
        found = fits(strides, gaits, planar=planar.tolist())
        said = zip(observed.sites, observed.planar, strict=True)
        free = [site is None and not plane for site, plane in said]
        sitting = identify(found, observed.sites, on_one_segment(strides, free))
        each = zip(observed.sites, observed.planar, sitting, strict=True)
        trusted = tuple(
            None if not plane and site != at and sure >= SURE else site for site, plane, (at, sure) in each
        )
        fit = min(found, key=lambda each: each.at(trusted)[0])
        phase = fit.at(trusted)[1]
        observed = replace(
            observed,
            trusted=trusted,
            strides=strides,
            fit=fit,
            phase=phase,
            size=_size(strides, fit.gait, trusted, planar),
        )
    parts = find_standing(recording.time_s, acceleration, doing, standing_s, recording.usable)
    upright = [part for part in parts if standing_s or _stands(part, observed, postures)]
    for from_s, to_s in standing_s:
        gait = (p for p in doing if p.kind in ("walking", "running"))
        moving_s = sum(max(min(p.to_s, to_s) - max(p.from_s, from_s), 0.0) for p in gait)
        if moving_s > (to_s - from_s) / 2:
            wrong = (
                f"The study says that someone stands from {from_s:g} to {to_s:g} s, who walks or runs then."
            )
            findings.append(
                Finding("serious", "no_standing", wrong, advice="correct standing_s of the study")
            )
    if upright:
        return replace(observed, standing=upright[0]), sitting, findings
    missing = "Nobody stands still" if not parts else "Nobody stands upright where nothing moves"
    findings.append(Finding("note", "no_standing", f"{missing}: inclinations come from gait alone."))
    return observed, sitting, findings


def _size(strides: Strides, gait: UsualGait, sites: Sequence[Site | None], planar: np.ndarray) -> float:
    """Return the size of the movement of sensors against the usual one, in the channels that there are.

    The size that fits best is no measure of it: where a person departs from the usual curves it is smaller.
    """
    own, usual = [], []
    for k, site in enumerate(sites):
        if site is not None and site[0] in gait.segments:
            for kind, axes in SAGITTAL.items():
                channels = axes if planar[k] else np.ones(3)
                own.append((kind, getattr(strides, kind)[k] * channels))
                usual.append((kind, gait.segments[site[0]].signal(kind, site[1]) * channels))
    return size_of(own) / size_of(usual) if usual else 1.0


def _stands(part: Standing, observed: Observed, postures: Mapping[str, Lean]) -> bool:
    """Say whether up in standing is about where it should be beside up in gait, for all sensors.

    The angle between the two does not depend on how a sensor is turned.
    """
    strides, fit = observed.strides, observed.fit
    if strides is None or fit is None:
        return True
    for k, site in enumerate(observed.sites):
        if site in fit.sites and site[0] in postures:
            gait = fit.gait.segments[site[0]].lean_at(observed.size)
            usual = postures[site[0]].up(site[1]) @ gait.up(site[1])
            cosines = np.clip([part.up[k] @ strides.up[k], usual], -1.0, 1.0)
            if np.ptp(np.degrees(np.arccos(cosines))) > _OTHER_POSTURE_DEG:
                return False
    return True


def _facing(observed: Observed, k: int) -> float:
    """Return the probability that a sensor faces the way that fits best, not backward."""
    site = observed.sites[k]
    if observed.fit is None or site is None or site not in observed.fit.sites:
        return 0.5
    return observed.fit.facing(observed.trusted, k, site, observed.phase)


def _refined(own: SensorAlignment, within_deg: float, evidence: Sequence[Evidence]) -> SensorAlignment:
    """Return the alignment of a sensor whose axes are stated, but not exactly.

    Turns against stated axes follow Student's distribution with three degrees of freedom: most sensors are
    off by little, some by far, and these must not be held where they were stated. Its mode is found by
    weights anew from turns (expectation and maximization): a turn v counts with the variance
    within^2 + v^2 / 4.
    """
    turn_deg = np.zeros(3)
    for _ in range(_MOST_ITERATIONS):
        before, sd_deg = turn_deg, np.hypot(within_deg, turn_deg / 2.0)
        own = _solved(own, (*stated_axes(sd_deg), *evidence), own.facing)
        turn_deg = np.degrees(vectors_from_rotations(own.rotation))
        if np.abs(turn_deg - before).max() < _SAME_DEG:
            break
    return own


def _solved(own: SensorAlignment, evidence: Sequence[Evidence], facing: float) -> SensorAlignment:
    """Return the alignment of a sensor with the rotation that its evidence gives, if there is enough."""
    sources = tuple(dict.fromkeys(item.source for item in evidence))
    about = np.isfinite([item.sd_deg for item in evidence]).reshape(-1, 3)
    if not about.any(axis=0).all():
        return replace(own, evidence=sources)
    combined = combine(evidence)
    # With the digits of the file, so that signals are the same whether it was just made or read again.
    angles = np.round(np.degrees(angles_from_rotation(combined.rotation)), 6)
    x, y, z = np.minimum(np.round(combined.sd_deg, 3), 180.0).tolist()
    rotation = rotation_from_angles(tuple(np.radians(angles)))
    return replace(own, rotation=rotation, sd_deg=(x, y, z), evidence=sources, facing=round(facing, 6))
