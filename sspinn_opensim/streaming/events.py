"""Events of a stream: what the user should know, when, and about whom."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that the user should know.

    Attributes
    ----------
    time_s : float
        On the clock of the samples.
    kind : str
        ``missing``, ``began``, ``withdrawn``, ``standing``, ``not_standing``, ``tilted``, ``late``,
        ``muscles_thinned``, ``muscles_short``, ``adapting``, ``adapted``, ``not_adapted``, ``aligning``,
        ``aligned`` or ``not_aligned``.
    text : str
        One sentence.
    sensors : tuple of str
        Whom it is about.
    """

    time_s: float
    kind: str
    text: str
    sensors: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text
