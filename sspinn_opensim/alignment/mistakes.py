"""Mistakes about axes and places of sensors, by likelihood: turned, mirrored, and worn elsewhere.

Every mistake says how the usual movement of a segment would look in the channels of a sensor. All sensors
share the phase of the stride and the size of the movement; for each of them the likelihood of every mistake
is held against that of none. What gyroscope and accelerometer say of each other (`mirrors`) is added. A
sensor whose axes are known may have as few as three channels, those of the sagittal plane.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sspinn_opensim.alignment.identify import PHASES, SIZES, TOGETHER, departures, fits
from sspinn_opensim.alignment.mirrors import SIGNS, Mirrors, find_mirrors
from sspinn_opensim.alignment.strides import HARMONICS, Strides, find_strides, of_sensors
from sspinn_opensim.alignment.types import words
from sspinn_opensim.alignment.usual import Site, UsualGait, sites_of
from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.movement.phases import Phase, slow_repeats
from sspinn_opensim.recording.sensors.placement import site_of
from sspinn_opensim.recording.types import AXES, Recording, Sensor
from sspinn_opensim.recording.units import GRAVITY
from sspinn_opensim.text import toml_table

#: A mistake is named if it is twenty times as likely as none: logarithm of that. Where the phase of the
#: stride is looked for, a mistake is so much rarer.
_NAMED, _RARE = np.log(20.0), np.log(20.0)
#: Gravity over a stride is within 3 %, and up within 4.4 degrees from stride to stride, for 60 sensors on
#: seven people who walk or run; axes that were not recorded take part of both away where it sits askew.
_GRAVITY_OFF, _DRIFT_OFF_DEG = 0.2, 15.0
#: How far up over strides is from that of the segment, rad.
_LEAN_SD = np.radians(15.0)
#: By what harmonics of the stride are turned at each phase, (p, h).
_TURNS = np.exp(1j * np.arange(1, HARMONICS + 1) * PHASES[:, None])


@dataclass(frozen=True, eq=False)
class Mistake:
    """How the channels of a sensor follow from those along the axes that they should have.

    Attributes
    ----------
    kind : str
        Of the finding; empty: no mistake.
    says : str
        What is wrong, in words.
    force, rate : (3, 3) array
        What was applied to specific force and angular rate.
    """

    kind: str
    says: str
    force: np.ndarray
    rate: np.ndarray

    @cached_property
    def inverted(self) -> int:
        """-1 if the specific force is turned and inverted, and 1 if it is turned at most."""
        return round(np.linalg.det(self.force))

    @cached_property
    def signs(self) -> int:
        """Which of `SIGNS` mends the gyroscope against the accelerometer, turned and inverted or not."""
        relative = self.inverted * np.diag(self.force @ self.rate.T)
        return SIGNS.index(tuple(round(sign) for sign in relative))


def _turned() -> Iterator[Mistake]:
    """Return all turns by quarters of a turn, but none."""
    for order in itertools.permutations(range(3)):
        for signs in SIGNS:
            turn = np.diag(np.array(signs, float))[list(order)]
            if np.linalg.det(turn) < 0 or np.array_equal(turn, np.eye(3)):
                continue
            kept = [axis for axis, cosine in zip(AXES, turn.diagonal(), strict=True) if cosine == 1.0]
            about = f" about the segment's {kept[0]}" if kept else ""
            says = f"turned by {np.degrees(np.arccos((np.trace(turn) - 1) / 2)):.0f} degrees{about}"
            yield Mistake("upside_down", says, turn, turn)


def _mirrored() -> Iterator[Mistake]:
    """Return wrong signs of one axis or of all, of one signal or of both: left-handed axes."""
    one = np.eye(3)
    for signs in SIGNS:
        if np.prod(signs) > 0:
            continue
        mirror = np.diag(np.array(signs, float))
        flipped = [axis for axis, sign in zip(AXES, signs, strict=True) if sign < 0]
        which = "all axes" if len(flipped) == 3 else flipped[0]
        yield Mistake("mirrored", f"{which} of its accelerometer with the wrong sign", mirror, one)
        yield Mistake("mirrored", f"{which} of its gyroscope with the wrong sign", one, mirror)
        yield Mistake("mirrored", f"left-handed axes: {which} with the wrong sign", mirror, mirror)


_NO_MISTAKE = Mistake("", "", np.eye(3), np.eye(3))
#: What may be wrong with stated axes; and with those of a sensor that is aligned by its signals, which undoes
#: every turn.
STATED = (_NO_MISTAKE, *_turned(), *_mirrored())
RAW = (_NO_MISTAKE, *_mirrored())


def find_mistakes(
    recording: Recording,
    doing: Sequence[Phase],
    gaits: Sequence[UsualGait],
    strides: Strides | None = None,
) -> list[Finding]:
    """Return the mistakes that the signals of a recording show.

    Without straight gait that is only whether gyroscopes and accelerometers fit each other, where a movement
    repeats.

    Parameters
    ----------
    recording : Recording
        Sensors whose `Sensor.axes_known` is false are along their own axes.
    doing : sequence of Phase
        What the person does.
    gaits : sequence of UsualGait
        How people move.
    strides : Strides, optional
        Those of all sensors, where they are at hand.
    """
    sites = [site_of(sensor) for sensor in recording.sensors]
    used = [k for k, site in enumerate(sites) if site in sites_of(gaits[0]) and _enough(recording, k)]
    if not used:
        return []
    force, rate = of_sensors(recording.acceleration, used), of_sensors(recording.angular_rate, used)
    signals = recording.time_s, force, rate
    if strides is None or len(used) < len(sites):
        strides = find_strides(*signals, doing, recording.usable)
    sensors = [recording.sensors[k] for k in used]
    if strides is None:
        # Nobody walks, it seems: a clock that is too slow makes a stride as long as no stride is.
        doing = [
            replace(phase, kind="walking", cadence_steps_per_min=120.0 / period_s)
            for phase, period_s in slow_repeats(recording, doing)
        ]
    mirrors = find_mirrors(*signals, doing, recording.usable)
    if mirrors is None:
        return []
    odd = _inconsistent(sensors, mirrors)
    if strides is None:
        return odd
    seen = _Seen(
        sensors,
        recording.acceleration_available[used].astype(float),
        recording.angular_rate_available[used].astype(float),
        strides,
        mirrors,
    )
    tried = ((gait, size) for gait in gaits for size in SIZES)
    costs = min((_costs(seen, *each) for each in tried), key=lambda each: each.total.min())
    mistaken = [finding for j, sensor in enumerate(seen.sensors) if (finding := costs.finding(j, sensor))]
    named = {finding.sensor for finding in mistaken if finding.kind == "mirrored"}
    return [*mistaken, *(finding for finding in odd if finding.sensor not in named)]


def _inconsistent(sensors: Sequence[Sensor], mirrors: Mirrors) -> list[Finding]:
    """Return sensors whose signals cannot be of one body: units, scales, clocks, or files mixed up."""
    return [
        Finding(
            "serious",
            "inconsistent",
            f"Turned upright by its gyroscope, its accelerometer reads {gravity:.3g} m/s^2 over a stride "
            f"instead of 9.81, and up drifts by {drift:.0f} degrees from stride to stride.",
            sensor=sensor.name,
            advice="look at the units and ranges of both, at the sampling rate, and whether they are of one "
            "sensor",
        )
        for sensor, gravity, drift in zip(sensors, mirrors.gravity, mirrors.drift_deg, strict=True)
        if abs(gravity / GRAVITY - 1.0) > _GRAVITY_OFF or drift > _DRIFT_OFF_DEG
    ]


def _enough(recording: Recording, k: int) -> bool:
    """Say whether a sensor has the channels that it takes."""
    sensor = recording.sensors[k]
    force, rate = recording.acceleration_available[k], recording.angular_rate_available[k]
    if sensor.imu_frame:  # which way it points is not said
        return False
    return bool(force[:2].all() and rate[2]) if sensor.axes_known else bool(force.all() and rate.all())


@dataclass(frozen=True, eq=False)
class _Seen:
    """k sensors: which channels they have (k, 3), and what strides tell of them."""

    sensors: list[Sensor]
    force: np.ndarray
    rate: np.ndarray
    strides: Strides
    mirrors: Mirrors


@dataclass(frozen=True, eq=False)
class _Costs:
    """Minus the logarithm of likelihoods, at p phases, in one kind of gait of one size.

    Attributes
    ----------
    mistakes, sites : tuple of k lists
        What may be wrong with each sensor where it is said to sit, and where else it may sit.
    cost, elsewhere : tuple of k arrays (m, p)
        Of each of these.
    likeliest : (p, k) array
        Of the likeliest of all for each sensor, rarer where it is a mistake.
    """

    mistakes: tuple[tuple[Mistake, ...], ...]
    sites: tuple[list[Site], ...]
    cost: tuple[np.ndarray, ...]
    elsewhere: tuple[np.ndarray, ...]
    likeliest: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """Of all sensors, at each phase."""
        return self.likeliest.sum(axis=1)

    def finding(self, j: int, sensor: Sensor) -> Finding | None:
        """Return what is wrong with a sensor, if anything is likely enough."""
        rest = self.total - self.likeliest[:, j]
        cost = (rest + self.cost[j]).min(axis=1)
        worst = int(cost.argmin())
        site = site_of(sensor)
        assert site is not None
        others = (rest + self.elsewhere[j]).min(axis=1)
        if others.min() < cost.min():
            # Where all six channels are known, `identify` says where a sensor sits.
            if not self.sites[j] or cost[0] - others.min() <= _NAMED:
                return None
            at = self.sites[j][int(others.argmin())]
            kind = "swapped_sides" if at[0] == site[0] else "swapped_segments"
            says = (
                f"It moves like a sensor on the {words(at)}, {_times(cost[0] - others.min())} as likely as "
                f"on the {words(site)}, where it is said to sit."
            )
            return Finding(
                "serious", kind, says, sensor=sensor.name, advice="look which sensor was worn where"
            )
        if cost[0] - cost[worst] <= _NAMED:
            return None
        mistake = self.mistakes[j][worst]
        says = f"Its signals fit {mistake.says}, {_times(cost[0] - cost[worst])} as likely as how they are."
        if mistake.kind == "upside_down":
            return Finding(
                "serious",
                mistake.kind,
                says,
                sensor=sensor.name,
                advice=f"look at axes and orientation_deg of {toml_table('sensors', sensor.name)}",
            )
        advice = "export accelerometer and gyroscope along the same right-handed axes"
        return Finding("serious", mistake.kind, says, sensor=sensor.name, advice=advice)


def _times(log_odds: float) -> str:
    return f"{np.exp(log_odds):.0f} times" if log_odds < np.log(1000.0) else "more than 1000 times"


def _costs(seen: _Seen, gait: UsualGait, size: float) -> _Costs:
    """Return the costs of all sensors in one kind of gait and size."""
    known = [sensor.axes_known for sensor in seen.sensors]
    raw = None if all(known) else _raw(seen, gait, size)
    everywhere, mistakes, sites, cost, elsewhere = sites_of(gait), [], [], [], []
    usual = {site: _usual(gait, size, site) for site in everywhere}
    likeliest = []
    for j, sensor in enumerate(seen.sensors):
        site = site_of(sensor)
        assert site is not None
        others = [at for at in everywhere if at != site]
        if sensor.axes_known:
            mistakes.append(STATED)
            own = _stated(seen, j, usual[site], STATED)
            rest = np.concatenate([_stated(seen, j, usual[at], STATED[:1]) for at in others])
        else:
            assert raw is not None
            mistakes.append(RAW)
            own = raw[:, :, j, everywhere.index(site)]
            rest = raw[0, :, j][:, [everywhere.index(at) for at in others]].T
        cost.append(own)
        elsewhere.append(rest)
        complete = seen.force[j].all() and seen.rate[j].all()
        sites.append([] if complete else others)
        likeliest.append(np.minimum(own[0], np.minimum(own.min(axis=0), rest.min(axis=0)) + _RARE))
    return _Costs(tuple(mistakes), tuple(sites), tuple(cost), tuple(elsewhere), np.stack(likeliest, axis=1))


@dataclass(frozen=True, eq=False)
class _Usual:
    """How a segment usually moves in one kind of gait of one size.

    Attributes
    ----------
    up : (3,) array
        In the axes of the segment.
    harmonics, variance : mapping of str to (h, 3) complex array and (h,) array
        Of ``force`` and ``rate``, and how these depart from one person to another.
    """

    up: np.ndarray
    harmonics: Mapping[str, np.ndarray]
    variance: Mapping[str, np.ndarray]


def _usual(gait: UsualGait, size: float, site: Site) -> _Usual:
    curves = gait.segments[site[0]]
    return _Usual(
        curves.lean_at(size).up(site[1]),
        {kind: size * curves.signal(kind, site[1]) for kind in ("force", "rate")},
        {kind: departures(curves, kind, size) for kind in ("force", "rate")},
    )


def _stated(seen: _Seen, j: int, at: _Usual, mistakes: Sequence[Mistake]) -> np.ndarray:
    """Return the cost (m, p) of mistakes with axes that the study states, for one sensor on one site."""
    strides = seen.strides
    force = np.stack([mistake.force for mistake in mistakes])
    rate = np.stack([mistake.rate for mistake in mistakes])
    off = (strides.up[j] - force @ at.up) * seen.force[j]
    cost = np.repeat(0.5 * (off**2).sum(axis=1)[:, None] / _LEAN_SD**2, len(PHASES), axis=1)
    for kind, applied, channels in (("force", force, seen.force[j]), ("rate", rate, seen.rate[j])):
        own, usual, variance = getattr(strides, kind)[j] * channels, at.harmonics[kind], at.variance[kind]
        pairs = (own.conj() / variance[:, None])[:, :, None] * usual[:, None]
        product = (_TURNS @ pairs.reshape(len(pairs), -1)).real  # (p, 9)
        square = 0.5 * (np.abs(usual) ** 2 / variance[:, None]).sum(axis=0)
        fixed = 0.5 * (np.abs(own) ** 2 / variance[:, None]).sum() + channels.sum() * np.log(variance).sum()
        cost += (fixed + applied**2 @ square @ channels)[:, None] / TOGETHER
        cost -= applied.reshape(len(applied), -1) @ product.T / TOGETHER
    return cost + _of_mirrors(seen, mistakes)[:, j, None]


def _raw(seen: _Seen, gait: UsualGait, size: float) -> np.ndarray:
    """Return the cost (m, p, k, sites) of `RAW` with axes that the alignment has yet to find."""
    # Each mistake as sensors of its own: what is usual is worked out once for all of them.
    signs = np.array([SIGNS[mistake.signs] for mistake in RAW], float)
    inverted = np.array([mistake.inverted for mistake in RAW])[:, None, None]
    up = inverted * seen.mirrors.up[[mistake.signs for mistake in RAW]]
    mended = replace(
        seen.strides,
        up=np.concatenate(up),
        force=np.concatenate(inverted[..., None] * seen.strides.force),
        rate=np.concatenate(signs[:, None, None] * seen.strides.rate),
        turning=np.concatenate(signs[:, None] * seen.strides.turning),
    )
    cost = fits(mended, (gait,), (size,))[0].cost
    cost = cost.reshape(len(cost), len(RAW), len(seen.sensors), -1).swapaxes(0, 1)
    return cost + _of_mirrors(seen, RAW)[:, None, :, None]


def _of_mirrors(seen: _Seen, mistakes: Sequence[Mistake]) -> np.ndarray:
    """Return the cost (m, k) that `Mirrors` adds."""
    return np.stack([seen.mirrors.cost[mistake.signs] for mistake in mistakes])
