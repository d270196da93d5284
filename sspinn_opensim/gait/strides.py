"""Strides: from one strike of a foot to its next, where nothing cuts them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sspinn_opensim.gait.events import Contact, contacts, overlap_s
from sspinn_opensim.recording.movement.phases import GAIT, Phase

#: Time of a stride, s: sprinting to the slowest gait. A foot that stays down for longer has stopped.
STRIDE_S = (0.4, 2.4)
#: A phase is told from movement averaged over half a second, so its ends are known to half of that, s.
_END_OF_PHASE_S = 0.25


@dataclass(frozen=True)
class Stride:
    """One gait cycle of one foot.

    Attributes
    ----------
    side : str
        ``r`` or ``l``.
    kind : str
        ``walking`` or ``running``.
    from_s, toe_off_s, to_s : float
        Strike, toe-off and next strike of the foot, s.
    other_strike_s : float
        Strike of the other foot in between, s; NaN where its forces are not known.
    double_support_s, flight_s : float
        For how long both feet are down, and neither is, s.
    """

    side: str
    kind: str
    from_s: float
    toe_off_s: float
    to_s: float
    other_strike_s: float = np.nan
    double_support_s: float = np.nan
    flight_s: float = np.nan

    @property
    def stride_s(self) -> float:
        """Its time, s."""
        return self.to_s - self.from_s


@dataclass(frozen=True)
class Strides:
    """The strides of a motion.

    Attributes
    ----------
    strides : tuple of Stride
        Of both feet, by the time they begin.
    left_out : dict of str to int
        How many spans between two strikes are no stride, by the reason.
    """

    strides: tuple[Stride, ...]
    left_out: dict[str, int]

    def of(self, side: str, kind: str | None = None) -> list[Stride]:
        """Return the strides of one foot, of one kind of gait if it is given."""
        return [s for s in self.strides if s.side == side and kind in (None, s.kind)]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of gait that there are, the one with more strides first."""
        return tuple(kind for kind, _ in Counter(s.kind for s in self.strides).most_common())


def find_strides(
    time_s: np.ndarray,
    vertical_n: Mapping[str, np.ndarray],
    body_weight_n: float,
    phases: Sequence[Phase] | None = None,
    gaps_s: Sequence[tuple[float, float]] = (),
) -> Strides:
    """Return the strides of a motion.

    A span between two strikes of a foot is no stride if the person stops, turns or does something else than
    gait in it, if samples are missing in it, or if the other foot does not swing once in it.

    Parameters
    ----------
    time_s : (n,) array
        s.
    vertical_n : mapping of 'r' and 'l' to (n,) array
        Upward force of the ground on each foot, N; NaN where it is not known. With one foot alone nothing is
        known of double support.
    body_weight_n : float
        N.
    phases : sequence of Phase, optional
        What the person does. By default all is gait: running where both feet are in the air.
    gaps_s : sequence of (float, float), optional
        Spans in which samples are missing, s.
    """
    by_side = {side: contacts(time_s, force, body_weight_n) for side, force in vertical_n.items()}
    found: list[Stride] = []
    left_out: Counter[str] = Counter()
    for side, own in by_side.items():
        other = by_side.get("l" if side == "r" else "r")
        for contact, after in pairwise(own):
            if not (contact.begins and contact.ends and after.begins):
                left_out["its strike or toe-off was not seen"] += 1
                continue
            stride = _stride(side, contact, after, other)
            reason = _cut(stride, other, phases, gaps_s)
            if reason:
                left_out[reason] += 1
            else:
                found.append(_of_phase(stride, phases))
    return Strides(tuple(sorted(found, key=lambda s: (s.from_s, s.side))), dict(left_out))


def _stride(side: str, contact: Contact, after: Contact, other: Sequence[Contact] | None) -> Stride:
    from_s, to_s = contact.strike_s, after.strike_s
    if other is None:
        return Stride(side, "walking", from_s, contact.toe_off_s, to_s)
    near = _between(other, from_s, to_s)
    both = overlap_s([contact], near, from_s, to_s)
    down = sum(max(min(c.toe_off_s, to_s) - max(c.strike_s, from_s), 0.0) for c in near)
    flight = (to_s - from_s) - (contact.toe_off_s - from_s) - down + both
    strikes = [c.strike_s for c in near if c.begins and from_s <= c.strike_s < to_s]

    return Stride(
        side,
        "running" if both <= 0 else "walking",
        from_s,
        contact.toe_off_s,
        to_s,
        strikes[0] if len(strikes) == 1 else np.nan,
        both,
        max(flight, 0.0),
    )


def _between(contacts_: Sequence[Contact], from_s: float, to_s: float) -> Sequence[Contact]:
    """Return the contacts that touch a span."""
    first = bisect_right(contacts_, from_s, key=lambda c: c.toe_off_s)
    return contacts_[first : bisect_left(contacts_, to_s, key=lambda c: c.strike_s)]


def _cut(
    stride: Stride,
    other: Sequence[Contact] | None,
    phases: Sequence[Phase] | None,
    gaps_s: Sequence[tuple[float, float]],
) -> str:
    """Return why a span between two strikes is no stride; nothing if it is one."""
    if any(start < stride.to_s and end > stride.from_s for start, end in gaps_s):
        return "samples are missing in it"
    if phases is not None:
        kinds = {p.kind for p in phases if _touches(p, stride)} - set(GAIT)
        if "turning" in kinds:
            return "the person turns"
        if kinds or not any(_holds(p, stride) for p in phases):
            return "the person stands or does not walk steadily"
    if not STRIDE_S[0] <= stride.stride_s <= STRIDE_S[1]:
        return "the foot stays down or up for too long"
    if other is not None and np.isnan(stride.other_strike_s):
        return "the other foot does not strike once in it"
    return ""


def _touches(phase: Phase, stride: Stride) -> bool:
    return phase.from_s < stride.to_s - _END_OF_PHASE_S and phase.to_s > stride.from_s + _END_OF_PHASE_S


def _holds(phase: Phase, stride: Stride) -> bool:
    return phase.from_s <= (stride.from_s + stride.to_s) / 2 <= phase.to_s


def _of_phase(stride: Stride, phases: Sequence[Phase] | None) -> Stride:
    """Return a stride with the kind of its phase, which sees more than the forces of one stride."""
    if phases is None:
        return stride
    kind = next(phase.kind for phase in phases if _holds(phase, stride))
    return replace(stride, kind=kind)
