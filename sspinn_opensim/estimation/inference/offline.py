"""The estimate of a whole recording."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from sspinn_opensim.estimation.inference.applied import applied
from sspinn_opensim.estimation.inference.frame import Frames
from sspinn_opensim.estimation.inference.ground import GroundForces
from sspinn_opensim.estimation.inference.path import in_ground
from sspinn_opensim.estimation.inference.strands import Strands
from sspinn_opensim.recording.signals.runs import true_runs
from sspinn_opensim.training.estimator import PersonNetwork
from sspinn_opensim.training.lead_in import LEAD_IN_S, lead_in_frames
from sspinn_opensim.training.processes import shared_cores
from sspinn_opensim.training.signals import Signals
from sspinn_opensim.training.subject import Subject

log = logging.getLogger(__name__)

#: Frames that the network takes at once, and those that are made of its outputs at once: what lies between
#: inputs and estimate does not grow with the recording.
_PIECE, _FRAMES = 131072, 8192


@dataclass(frozen=True)
class Estimate:
    """Motion and forces over time, in SI units and radians, in ground.

    Attributes
    ----------
    time_s : (n,) ndarray
    coordinates : tuple of str
        Every coordinate of the model.
    q : (n, c) ndarray
        Their values.
    actuated : tuple of str
        Coordinates with a joint moment.
    moments : (n, a) ndarray
        N m (N for translations).
    ground : GroundForces
        (n, feet, 3).
    heading_rad : (n,) ndarray
        Of the walking frame, about the vertical, positive as OpenSim's y turns (to the left), from zero at
        the first frame; zero throughout where the model keeps its heading.
    """

    time_s: np.ndarray
    coordinates: tuple[str, ...]
    q: np.ndarray
    actuated: tuple[str, ...]
    moments: np.ndarray
    ground: GroundForces
    heading_rad: np.ndarray

    def part(self, chosen: slice | np.ndarray) -> Estimate:
        """Return some of the frames."""
        names = ("time_s", "q", "moments", "heading_rad")
        some = {name: getattr(self, name)[chosen] for name in names}
        return replace(self, ground=self.ground.part(chosen), **some)


def estimate(
    estimator: PersonNetwork,
    subject: Subject,
    signals: Signals,
    time_s: np.ndarray,
    posture: np.ndarray | None = None,
) -> Estimate:
    """Run a trained network over a recording, from its first frame.

    Parameters
    ----------
    posture : (n, p) ndarray, optional
        Angles instead of the network's, rad, in the order of `Roles.posture`.

    Returns
    -------
    Estimate
        The network settles on the lead-in of the recording, and of each piece after a long gap. But for that
        every frame depends on it and the frames before alone, so it equals the streaming estimate.
    """
    count, estimator = len(time_s), applied(estimator)
    frames, whole = Frames(subject, estimator, signals), {}
    network, state, leads = Strands(estimator.network), (), _led_in(signals)
    with shared_cores(devices=1), torch.inference_mode():
        for start, end in _parts(sorted(leads), count):
            if start in leads:
                state = estimator.network.settle(_lead_in(signals, start, leads[start])[None])
            part = slice(start, end)
            acceleration, rates = signals.acceleration[part].double(), signals.angular_rate[part].double()
            outputs, state = network(signals.inputs(acceleration, rates), state)
            if posture is not None:
                outputs = estimator.decoder.with_posture(outputs, torch.from_numpy(posture[part]))
            for first in range(start, end, _FRAMES):
                some = slice(first, min(first + _FRAMES, end))
                own = slice(some.start - start, some.stop - start)
                for name, values in frames.following(outputs[own].numpy(), rates[own].numpy()).items():
                    whole.setdefault(name, np.empty((count, values.shape[1])))[some] = values
            if count > _PIECE:
                log.info(f"estimated {end} of {count} frames")
    feet = tuple(dict.fromkeys(subject.feet))
    on_feet = (whole[name].reshape(count, len(feet), 3) for name in ("force", "point", "torque"))
    names = subject.model.coordinate_names
    return Estimate(
        time_s=time_s,
        coordinates=names,
        q=whole["q"],
        actuated=tuple(names[i] for i in subject.roles.actuated),
        moments=whole["moments"],
        ground=GroundForces(feet, *on_feet),
        heading_rad=whole["heading"][:, 0],
    )


def _led_in(signals: Signals) -> dict[int, int]:
    """Return at which frames a network settles anew, with the frames of the piece that begins there."""
    longest_gap = round(LEAD_IN_S / signals.step_s)
    found, last = {}, None
    for first, end in true_runs(signals.usable.numpy()):
        if last is None or first - last >= longest_gap:
            found[first] = end - first
        last = end
    # What comes before the first piece is estimated too.
    return found if 0 in found else {0: len(signals.usable)} | found


def _lead_in(signals: Signals, first: int, length: int) -> Tensor:
    """Return the network's view of what leads in to a piece of so many frames."""
    # The frames after those that are mirrored do not count.
    length = min(length, lead_in_frames(signals.step_s) + 1)
    piece = slice(first, first + length)
    return signals.leading_in(
        0, length, signals.acceleration[piece].double(), signals.angular_rate[piece].double()
    )


def _parts(starts: Sequence[int], frames: int) -> Iterator[tuple[int, int]]:
    """Give parts that the network takes at once: none reaches over a start, none is longer than a piece."""
    for first, last in itertools.pairwise([*starts, frames]):
        size = -(-(last - first) // -(-(last - first) // _PIECE))  # all of about one length
        for start in range(first, last, size):
            yield start, min(start + size, last)


def at_times(estimate: Estimate, subject: Subject, time_s: np.ndarray) -> Estimate:
    """Return an estimate at other times, such as those of the recording before it was resampled.

    Coordinates and moments are cubic splines, whose derivatives belong to them; forces on the feet are
    monotone between samples (PCHIP), so that a foot in the air carries nothing. Times after the last frame
    are left out.

    Parameters
    ----------
    time_s : (n,) array
        From the time of the first frame on, s.
    """
    from scipy.interpolate import CubicSpline, PchipInterpolator  # takes long to import, and few need it

    known = estimate.time_s
    if len(known) == len(time_s) and np.allclose(known, time_s, rtol=0, atol=1e-9):
        return estimate
    time_s = time_s[time_s <= known[-1] + 1e-9]
    ground = {
        name: PchipInterpolator(known, getattr(estimate.ground, name), axis=0)(time_s)
        for name in ("force", "point", "torque")
    }
    return replace(
        estimate,
        time_s=time_s,
        q=subject.completed(CubicSpline(known, estimate.q, axis=0)(time_s)),
        moments=CubicSpline(known, estimate.moments, axis=0)(time_s),
        ground=replace(estimate.ground, **ground),
        heading_rad=CubicSpline(known, estimate.heading_rad)(time_s),
    )


def straightened(estimate: Estimate, subject: Subject) -> Estimate:
    """Return an estimate as seen by someone who goes along and turns along: x is ahead at all times.

    Strides into different directions can be compared there. The way is that along the person's own axes;
    points on the floor are left out, as no floor turns along.
    """
    root = subject.heading
    if root is None:
        return estimate
    back = -estimate.heading_rad
    q, level = root.turned(estimate.q, back), [root.steps[0], root.steps[2]]
    way = np.zeros((len(q), 3))
    way[1:, [0, 2]] = np.diff(estimate.q[:, level], axis=0)
    between = np.concatenate([back[:1], 0.5 * (back[1:] + back[:-1])])
    q[:, level] = np.cumsum(in_ground(way, between), axis=0)[:, [0, 2]]
    ground = estimate.ground
    told = {name: in_ground(getattr(ground, name), back) for name in ("force", "torque")}
    nowhere = np.full_like(ground.point, np.nan)
    return replace(estimate, q=subject.completed(q), ground=replace(ground, point=nowhere, **told))
