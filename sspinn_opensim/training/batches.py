"""Windows of a step: they follow from seed, step and rank alone, so a resumed training draws the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sspinn_opensim.training.cohort import Cohort, Member
from sspinn_opensim.training.coverage import scored_frames, too_short, window_starts, with_ends
from sspinn_opensim.training.lead_in import lead_in_frames
from sspinn_opensim.training.settings import TrainingSettings
from sspinn_opensim.training.signals import Windows, draw_windows


@dataclass(frozen=True)
class MemberBatch:
    """The windows of one member in a step."""

    member: int
    windows: Windows


class WindowSource:
    """Draws the batch of any step: windows of a few members, their number split evenly.

    No window touches a frame that the method does not cover; the first and the last one of a piece are drawn
    more often than others. At the start of a piece windows begin with its lead-in, and in recordings of short
    pieces windows are shorter.

    Raises
    ------
    InputError
        If nothing of a member's recording is covered for long enough.
    """

    def __init__(self, cohort: Cohort, settings: TrainingSettings) -> None:
        self._cohort, self._settings = cohort, settings
        step_s = cohort.members[0].signals.step_s
        unscored, most, least = settings.window_frames(step_s)
        scored = [_scored(member, most, least, len(cohort.members)) for member in cohort.members]
        self.frames = unscored + min(scored)
        lead_in = lead_in_frames(step_s, settings.unscored_s)
        starts = (window_starts(one.signals.covered.numpy(), self.frames, lead_in) for one in cohort.members)
        self._starts = [torch.as_tensor(with_ends(one, min(scored))) for one in starts]

    def draw(self, step: int, rank: int = 0) -> tuple[MemberBatch, ...]:
        """Return the batch of a step; the members are the same on all ranks, the windows differ."""
        members, settings = self._cohort.members, self._settings
        chosen = _chosen(len(members), min(settings.members, settings.batch), settings.seed, step)
        generator = _generator(settings.seed, step, rank + 1)
        counts = [len(part) for part in np.array_split(np.arange(settings.batch), len(chosen))]
        return tuple(
            MemberBatch(
                index,
                draw_windows(members[index].signals, self.frames, count, generator, self._starts[index]),
            )
            for index, count in zip(chosen, counts, strict=True)
        )


def _scored(member: Member, most: int, least: int, members: int) -> int:
    """Return how many frames of a member's windows can be scored."""
    signals = member.signals
    found = scored_frames(signals.covered.numpy(), most, least)
    if not found:
        step_s = signals.step_s
        raise too_short(
            f"recording of '{member.name}'" if members > 1 else "recording",
            len(signals.covered) * step_s,
            float(signals.covered.sum()) * step_s,
            (least + 1) * step_s,
        )
    return found


def _chosen(people: int, at_most: int, seed: int, step: int) -> list[int]:
    if people <= at_most:
        return list(range(people))
    return torch.randperm(people, generator=_generator(seed, step, 0))[:at_most].tolist()


def _generator(*key: int) -> torch.Generator:
    """Return a generator whose numbers depend on every part of the key."""
    state = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(state)
