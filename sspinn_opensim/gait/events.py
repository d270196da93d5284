"""Foot strikes and toe-offs of one foot, from its vertical ground force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sspinn_opensim.recording.signals.runs import true_runs

#: Load of a foot that stands, as a part of body weight: 20 to 40 N for 40 to 80 kg. Force plates and belts in
#: use drift and ring by up to 20 N, and estimates leave as much on a foot in the air. After a strike the load
#: passes it within 5 to 15 ms, before a toe-off as late.
THRESHOLD_BW = 0.05
#: A foot stays down, and stays up, this long at least, s: stance of sprinters lasts 0.09 s, swing 0.25 s.
SHORTEST_STANCE_S, SHORTEST_SWING_S = 0.08, 0.12


@dataclass(frozen=True)
class Contact:
    """A foot on the ground.

    Attributes
    ----------
    strike_s, toe_off_s : float
        When it begins and ends, s.
    begins, ends : bool
        Whether the strike, and the toe-off, was seen: not where data begin or end with the foot down.
    """

    strike_s: float
    toe_off_s: float
    begins: bool = True
    ends: bool = True


def contacts(time_s: np.ndarray, vertical_n: np.ndarray, body_weight_n: float) -> list[Contact]:
    """Return when a foot is on the ground.

    Parameters
    ----------
    time_s : (n,) array
        Rising, s.
    vertical_n : (n,) array
        Upward force of the ground on the foot, N. NaN where it is not known: a contact ends there unseen.
    body_weight_n : float
        N; the threshold is a part of it.

    Returns
    -------
    list of Contact
        In order. Times lie between samples, where the force crosses the threshold by linear interpolation.
    """
    threshold = THRESHOLD_BW * body_weight_n
    known = np.isfinite(vertical_n)
    loaded = known & (np.where(known, vertical_n, 0.0) > threshold)
    found = [_contact(time_s, vertical_n, threshold, *run) for run in true_runs(loaded)]
    joined: list[Contact] = []
    for contact in found:
        before = joined[-1] if joined else None
        # Too short a swing is none, if the foot was seen to lift and to come down again.
        if (
            before
            and before.ends
            and contact.begins
            and contact.strike_s - before.toe_off_s < SHORTEST_SWING_S
        ):
            joined[-1] = Contact(before.strike_s, contact.toe_off_s, before.begins, contact.ends)
        else:
            joined.append(contact)
    return [c for c in joined if not (c.begins and c.ends) or c.toe_off_s - c.strike_s >= SHORTEST_STANCE_S]


def _contact(time_s: np.ndarray, force: np.ndarray, threshold: float, first: int, last: int) -> Contact:
    """Return the contact of the samples from `first` to before `last`."""
    begins = first > 0 and bool(np.isfinite(force[first - 1]))
    ends = last < len(force) and bool(np.isfinite(force[last]))
    strike_s = _crossing(time_s, force, threshold, first - 1) if begins else float(time_s[first])
    toe_off_s = _crossing(time_s, force, threshold, last - 1) if ends else float(time_s[last - 1])
    return Contact(strike_s, toe_off_s, begins, ends)


def _crossing(time_s: np.ndarray, force: np.ndarray, threshold: float, i: int) -> float:
    """Return when the force crosses the threshold between samples i and i + 1."""
    share = (threshold - force[i]) / (force[i + 1] - force[i])
    return float(time_s[i] + share * (time_s[i + 1] - time_s[i]))


def overlap_s(contacts: Sequence[Contact], others: Sequence[Contact], from_s: float, to_s: float) -> float:
    """Return for how long, within a span, both of two feet are down, s."""
    total = 0.0
    for own in contacts:
        for other in others:
            start = max(own.strike_s, other.strike_s, from_s)
            total += max(min(own.toe_off_s, other.toe_off_s, to_s) - start, 0.0)
    return total
