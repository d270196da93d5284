"""Scales and offsets of sensors, by gravity and by the joints between neighbours.

Turned by its gyroscope into axes that stand still, the specific force of a sensor over whole strides is
gravity, of 9.81 m/s^2: who walks is as fast after a stride as before. Neighbours feel one force at the joint
between them (see `neighbours`), so its first harmonics over the stride agree, each turned by its own
gyroscope. A gyroscope whose readings are too large turns gravity too far, and the joint tells, whether it is
one or all of them; an accelerometer with a wrong scale or an offset shows in gravity, at rest and at joints.

For every such fault of each sensor, and of all of them together, the question is how much better than none it
explains what is seen. Ways to the joints and small lags are fitted along; how a sensor leans does not matter.
Motion is taken to be in the sagittal plane; gravity is in space where all six channels are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from casadi_dynamics.model import Model
from sspinn_opensim.alignment.scale_sums import Gait, Sums, find_gait, sums_of
from sspinn_opensim.recording.findings import Finding
from sspinn_opensim.recording.movement.phases import Phase
from sspinn_opensim.recording.types import Recording
from sspinn_opensim.recording.units import GRAVITY

Kind = Literal["rate", "force", "offset"]
#: Where deviations are smaller than these, so are faults that count: but not below this part of the squares.
_LEAST_SPREAD = 0.5
#: By what rates are mended at first, how often they are mended then, and by how much at once.
_RANGES, _TURNS, _MENDED_AT_ONCE = (1.0, 0.5, 2.0, 0.25, 4.0), 3, (0.7, 1.5)
#: Sizes of faults that are looked for: parts, parts, m/s^2.
_USUAL: Mapping[Kind, float] = {"rate": 0.5, "force": 0.5, "offset": 5.0}
#: An offset has two directions, and explains by chance so much more.
_SECOND_DIRECTION = 2.0
#: What a fault explains, in squares of standard deviations, from which it is told, and from which it may stop
#: a training. In 51 recordings of 20 people without one, scales of gyroscopes explain 4.0 at most, offsets
#: and scales of accelerometers 5.2 in walking and 10.9 in running, but for one that is off at rest, too.
_TOLD: Mapping[Kind, float] = {"rate": 8.0, "force": 14.0, "offset": 14.0}
_REFUSED = 20.0
#: What another sensor's fault may explain less to be named as well.
_RIVAL = 4.0
#: Smaller scales are none: without a fault those of gyroscopes are within 0.1, but for thighs, and those of
#: accelerometers of walkers within 0.023.
_SMALLEST: Mapping[Kind, float] = {"rate": 0.12, "force": 0.03, "offset": 0.0}
#: Accelerometers that are farther off are told by what they read on average, and it may be the gyroscope.
_LARGEST: Mapping[Kind, float] = {"rate": np.inf, "force": 0.75, "offset": 6.0}
#: Smaller faults stop no training.
_LARGE: Mapping[Kind, float] = {"rate": 0.12, "force": 0.08, "offset": 1.5}


@dataclass(frozen=True, eq=False)
class Fault:
    """Something wrong with the scale of sensors.

    Attributes
    ----------
    kind : {'rate', 'force', 'offset'}
        Scale of the gyroscope, scale or offset of the accelerometer.
    sensors : tuple of int
        That have it.
    size : (1,) or (2,) array
        What mends it: by which part readings are to grow; or what is to be added to them, forward and up,
        m/s^2.
    gain : float
        By how much the sum of squares falls with it, in squares of standard deviations.
    rivals : tuple of int
        Other sensors whose fault would explain nearly as much.
    """

    kind: Kind
    sensors: tuple[int, ...]
    size: np.ndarray
    gain: float
    rivals: tuple[int, ...] = ()

    @property
    def factor(self) -> float:
        """How many times too large readings are, by their scale."""
        return 1.0 / max(1.0 + float(self.size[0]), 0.1)


def odd_scales(recording: Recording, model: Model, doing: Sequence[Phase]) -> list[Finding]:
    """Return sensors whose gyroscope or accelerometer reads too much, too little, or with an offset.

    Parameters
    ----------
    recording : Recording
        Along the axes of the bodies.
    model : Model
        Carries the sensors.
    doing : sequence of Phase
        What the person does: only gait counts, and rest.
    """
    gait = find_gait(recording, model, doing)
    if gait is None:
        return []
    sums = sums_of(gait)
    found = []
    for fault in scale_faults(sums):
        factor = fault.factor
        if fault.kind == "rate":
            factor = _rate_factor(gait, fault.sensors)
        found.append(_finding(fault, factor, sums, recording.sensor_names))
    return found


def _rate_factor(gait: Gait, sensors: tuple[int, ...]) -> float:
    """Return how many times too large the angular rates of sensors are.

    What is seen is linear in small faults only, so it is asked again with the rates mended: by that power of
    two which leaves least, as ranges of sensors are, and from there on.
    """
    wrong = list(sensors)

    def with_rates(by: float) -> Sums:
        mended = np.ones(len(gait.recording.sensors))
        mended[wrong] = by
        return sums_of(gait, mended)

    by = min(_RANGES, key=lambda by: with_rates(by).cost)
    for _ in range(_TURNS):
        sums = with_rates(by)
        size = -sums.slope[wrong].sum() / sums.square[np.ix_(wrong, wrong)].sum()
        by *= float(np.clip(1.0 + size, *_MENDED_AT_ONCE))
    return 1.0 / by


def scale_faults(sums: Sums) -> list[Fault]:
    """Return the faults that explain most, each beside those before it, until none explains enough."""
    square, slope, cost = sums.square, sums.slope, sums.cost
    found: list[Fault] = []
    for _ in sums.sensors:
        told = {k for fault in found for k in fault.sensors}
        tried = []
        for kind, sensors, columns in _possible(sums):
            if told & set(sensors):
                continue
            known = columns.T @ square @ columns + np.eye(columns.shape[1]) / _USUAL[kind] ** 2
            size = -np.linalg.solve(known, columns.T @ slope)
            explains = float(size @ known @ size) - (len(size) - 1) * _SECOND_DIRECTION
            if _SMALLEST[kind] < np.abs(size).max() < _LARGEST[kind]:
                tried.append((explains, kind, sensors, size, known, columns))
        if not tried:
            break
        explains, kind, sensors, size, known, columns = max(tried, key=lambda each: each[0])
        spread = max((cost - explains) / sums.count, _LEAST_SPREAD)
        if explains < _TOLD[kind] * spread:
            break
        rivals = {k for other in tried if other[0] > explains - _RIVAL * spread for k in other[2][:1]}
        rivals = rivals - set(sensors) if len(sensors) == 1 else set()
        found.append(Fault(kind, sensors, size, explains / spread, tuple(sorted(rivals))))
        # The others are asked beside it.
        share = np.linalg.solve(known, columns.T @ np.column_stack([square, slope]))
        cost -= float(slope @ columns @ share[:, -1])
        slope = slope - square @ columns @ share[:, -1]
        square = square - square @ columns @ share[:, :-1]
    return found


def _possible(sums: Sums) -> Iterator[tuple[Kind, tuple[int, ...], np.ndarray]]:
    """Return possible faults: kind, who has it, and what it adds up (4 k, directions) of `Sums`."""
    one, count = np.eye(len(sums.slope)), len(sums.slope) // 4
    for k in sums.sensors:
        if k in sums.turning:
            yield "rate", (k,), one[:, [k]]
        yield "force", (k,), one[:, [count + k]]
        yield "offset", (k,), one[:, [2 * count + k, 3 * count + k]]
    if len(sums.sensors) > 1:
        yield "rate", sums.sensors, one[:, sums.sensors].sum(axis=1, keepdims=True)
        yield "force", sums.sensors, one[:, [count + k for k in sums.sensors]].sum(axis=1, keepdims=True)


def _finding(fault: Fault, factor: float, sums: Sums, names: Sequence[str]) -> Finding:
    """Return a fault in words, with how many times too large readings are."""
    alone = len(fault.sensors) == 1
    signal = "angular rates" if fault.kind == "rate" else "accelerations"
    if fault.kind == "rate":
        who = "Its gyroscope turns" if alone else "all gyroscopes turn"
        says = f"{who} about {factor:.2f} times as far as gravity and the joints between sensors say"
    else:
        gravity = float(np.median([sums.gravity[k] for k in fault.sensors]))
        who = "Its accelerometer reads" if alone else "all accelerometers read"
        how = f"about {factor:.2f} times"
        if fault.kind == "offset":
            forward, up = -fault.size
            how = f"{forward:+.1f} m/s^2 forward and {up:+.1f} up beside"
        says = (
            f"{who} {how} what gravity, rest and the joints between sensors say: over strides gravity is "
            f"{gravity:.2f} m/s^2 instead of {GRAVITY:.2f}"
        )
    if fault.rivals:
        others = " or ".join(f"'{names[k]}'" for k in fault.rivals)
        says += f"; that {others} is wrong explains it nearly as well"
    # Of a clock that runs too fast or too slowly all seem to turn otherwise than they do.
    first = "" if alone or fault.kind != "rate" else "sampling rate, the "
    sure = fault.gain > _REFUSED and not fault.rivals and np.abs(fault.size).max() > _LARGE[fault.kind]
    return Finding(
        "serious" if sure else "doubt",
        "scale",
        f"{says}.",
        sensor=names[fault.sensors[0]] if alone else "",
        advice=f"look at the {first}unit, the full-scale range and the calibration of the {signal}, and "
        "export them anew",
    )
