"""Mean curves over the gait cycle, and typical strides, of curves that are known."""

from itertools import pairwise

import numpy as np
import pytest

from sspinn_opensim.gait import Stride, Strides, mean_cycles, most_typical
from sspinn_opensim.gait.cycles import PERCENT, over_cycle

TIME_S = np.arange(3000) / 100.0


def strides_at(edges, side="r"):
    return [Stride(side, "walking", float(a), float(a + 0.6 * (b - a)), float(b)) for a, b in pairwise(edges)]


def made_of(*groups):
    return Strides(tuple(s for group in groups for s in group), {})


def test_a_curve_of_the_phase_is_its_own_mean_whatever_strides_last():
    edges = 1.0 + np.cumsum([0.0, 1.0, 1.2, 0.9, 1.1, 1.05])
    phase = np.interp(TIME_S, edges, np.arange(6.0), left=0, right=5)
    curve = np.sin(2 * np.pi * phase)
    (cycle,) = mean_cycles(
        TIME_S, {"angle": curve, "way": phase}, made_of(strides_at(edges)), from_zero=["way"]
    )
    assert (cycle.side, cycle.kind, cycle.strides) == ("r", "walking", 5)
    # Linear between samples 1 % apart: (2 pi / 100)^2 / 8.
    np.testing.assert_allclose(cycle.mean["angle"], np.sin(2 * np.pi * PERCENT / 100), atol=1e-3)
    np.testing.assert_allclose(cycle.sd["angle"], 0.0, atol=1e-3)
    np.testing.assert_allclose(cycle.mean["way"], PERCENT / 100, atol=1e-9)


def test_deviation_is_that_of_a_sample_and_sides_are_apart():
    right, left = strides_at(np.arange(1.0, 6.0)), strides_at(np.arange(1.5, 5.0), "l")
    level = np.floor(TIME_S)
    cycles = {c.side: c for c in mean_cycles(TIME_S, {"x": level}, made_of(right, left))}
    assert cycles["r"].strides == 4 and cycles["l"].strides == 3
    assert cycles["r"].mean["x"][50] == pytest.approx(2.5)
    assert cycles["r"].sd["x"][50] == pytest.approx(np.std([1, 2, 3, 4], ddof=1))


def test_strides_that_the_curves_do_not_cover_are_left_out():
    strides = made_of(strides_at(np.arange(1.0, 6.0)))
    part = (TIME_S >= 2.0) & (TIME_S <= 4.0)
    (cycle,) = mean_cycles(TIME_S[part], {"x": TIME_S[part]}, strides)
    assert cycle.strides == 2
    assert mean_cycles(TIME_S[:50], {"x": TIME_S[:50]}, strides) == []
    assert over_cycle(TIME_S, TIME_S, strides.strides[:1])[0, [0, -1]] == pytest.approx([1.0, 2.0])


def test_typical_strides_follow_one_another_and_avoid_the_odd_ones():
    edges = np.arange(1.0, 12.0)
    size = np.ones(len(TIME_S))
    size[(TIME_S > 2.0) & (TIME_S < 3.0)] = 3.0  # an odd stride
    size[(TIME_S > 7.0) & (TIME_S < 8.0)] = 0.2
    rng = np.random.default_rng(0)
    jitter = np.interp(TIME_S, edges, 1 + 0.05 * rng.normal(size=len(edges)))
    curve = size * jitter * np.sin(2 * np.pi * TIME_S)
    strides = made_of(strides_at(edges))
    chosen = most_typical(TIME_S, [curve], strides, 3)
    assert [b.from_s - a.to_s for a, b in pairwise(chosen)] == [0.0, 0.0]
    assert not {2.0, 7.0} & {s.from_s for s in chosen} and len(chosen) == 3
    assert most_typical(TIME_S, [curve], strides, 3, within_s=(1.0, 2.5))[0].from_s == 1.0
    apart = made_of(strides_at(edges)[::2])
    assert len(most_typical(TIME_S, [curve], apart, 3)) == 1
    assert most_typical(TIME_S, [curve], Strides((), {}), 3) == ()
