"""The account of a correction: a long motion is looked at in pieces."""

import tracemalloc

import numpy as np
import pytest

from sspinn_opensim.estimation.consistency import correction
from sspinn_opensim.estimation.consistency.correction import root_residuals
from sspinn_opensim.estimation.inference.ground import GroundForces
from sspinn_opensim.estimation.inference.offline import Estimate

RATE_HZ = 100.0
#: Of the largest residual: what a spline and a filter still know after five seconds is rounding.
TOLERANCE = 1e-9


def swaying(subject, seconds):
    """Return a motion of all coordinates under forces on both feet that do not carry it."""
    time_s, names = np.arange(round(seconds * RATE_HZ)) / RATE_HZ, subject.model.coordinate_names
    turns = 2 * np.pi * time_s[:, None] * np.linspace(0.3, 1.7, len(names))
    actuated = tuple(names[i] for i in subject.roles.actuated)
    force = np.zeros((len(time_s), 2, 3))
    force[..., 1] = 0.5 * subject.body_weight * (1 + np.sin(turns[:, :2]))
    ground = GroundForces(("foot_r", "foot_l"), force, 0 * force, 0 * force)
    moments = np.zeros((len(time_s), len(actuated)))
    return Estimate(time_s, names, 0.1 * np.sin(turns), actuated, moments, ground, 0 * time_s)


@pytest.mark.parametrize("lowpass_hz", [0.0, 6.0])
def test_pieces_have_the_residuals_of_the_whole(walker, monkeypatch, lowpass_hz):
    estimate = swaying(walker.subject, 30.0)
    whole = root_residuals(estimate, walker.subject, lowpass_hz)
    monkeypatch.setattr(correction, "_PIECE", 700)
    parts = root_residuals(estimate, walker.subject, lowpass_hz)
    assert parts.shape == whole.shape
    assert np.abs(parts - whole).max() < TOLERANCE * np.abs(whole).max()


def test_memory_of_the_account_does_not_grow_with_the_motion(walker, monkeypatch):
    monkeypatch.setattr(correction, "_PIECE", 500)
    taken = []
    for seconds in (60.0, 120.0):
        estimate = swaying(walker.subject, seconds)
        root_residuals(estimate, walker.subject, 6.0)  # compiles
        tracemalloc.start()
        found = root_residuals(estimate, walker.subject, 6.0)
        taken.append(tracemalloc.get_traced_memory()[1] - 2 * found.nbytes)  # the answer, and its parts
        tracemalloc.stop()
    assert taken[1] < 1.2 * taken[0]
