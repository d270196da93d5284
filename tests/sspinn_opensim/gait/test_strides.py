"""Strides: what is one and what cuts it; of forces made here, of belts and of running on a treadmill."""

import json

import numpy as np
import pytest

from sspinn_opensim.gait import find_strides, measured, summary
from sspinn_opensim.recording.movement.phases import Phase

#: Events of made forces lie 2 ms inside of what was chosen; both ends of a span move alike.
TIME_S = 1e-3


def test_walking_gives_a_stride_from_each_strike_to_the_next(made):
    time_s, up = made.walk(steps=10)
    found = find_strides(time_s, up, made.body_weight_n)
    assert (len(found.of("r")), len(found.of("l"))) == (4, 5) and found.kinds == ("walking",)
    for stride in found.strides[1:]:  # before the first, the right foot was in the air
        assert stride.stride_s == pytest.approx(1.0, abs=TIME_S)
        # Stance of 0.62 s, less the rise and fall below the threshold, two of them 0.5 s apart.
        assert stride.double_support_s == pytest.approx(2 * (0.62 - 0.004 - 0.5), abs=4 * TIME_S)
        assert stride.flight_s == pytest.approx(0.0, abs=TIME_S)
    values = measured(found.strides)
    assert all(v.step_s == pytest.approx(0.5, abs=TIME_S) for v in values)
    told = summary(found, values)["walking"]
    assert told["cadence_steps_per_min"] == pytest.approx(120.0, rel=1e-3)
    assert told["both"]["stance_percent"] == pytest.approx(61.6, abs=0.2)
    assert told["both"]["step_length_m"] is None


def test_running_has_flight_and_no_double_support(made):
    time_s, up = made.walk(steps=12, step_s=0.36, stance_s=0.25)
    found = find_strides(time_s, up, made.body_weight_n)
    assert found.kinds == ("running",) and len(found.strides) == 11
    assert all(s.double_support_s == 0 for s in found.strides)
    assert found.strides[3].flight_s == pytest.approx(2 * (0.36 - 0.246), abs=4 * TIME_S)


def test_a_stop_a_turn_and_a_gap_cut_strides(made):
    time_s, up = made.walk(steps=20)
    whole = find_strides(time_s, up, made.body_weight_n)
    phases = [Phase("standing", 0.0, 0.9), Phase("walking", 0.9, 5.0), Phase("turning", 5.0, 6.5)]
    phases += [Phase("walking", 6.5, 9.6), Phase("standing", 9.6, 12.0)]
    found = find_strides(time_s, up, made.body_weight_n, phases)
    kept = {(s.side, round(s.from_s, 1)) for s in found.strides}
    all_ = {(s.side, round(s.from_s, 1)) for s in whole.strides}
    assert {s for s in all_ - kept if 4.0 < s[1] < 6.5}, "those in the turn"
    assert not {s for s in kept if s[1] + 1.0 > 5.3 and s[1] < 6.2}
    assert not {s for s in kept if s[1] + 1.0 > 9.9}
    assert (
        found.left_out["the person turns"] and found.left_out["the person stands or does not walk steadily"]
    )
    gap = find_strides(time_s, up, made.body_weight_n, gaps_s=[(4.4, 4.45)])
    assert len(gap.strides) == len(whole.strides) - 2 and gap.left_out["samples are missing in it"] == 2


def test_ends_of_the_data_and_a_missing_foot_cut_strides(made):
    time_s, up = made.walk(steps=10)
    inside = time_s > 1.2  # the first right stance has begun
    found = find_strides(time_s[inside], {s: f[inside] for s, f in up.items()}, made.body_weight_n)
    assert len(found.of("r")) == 3 and found.left_out["its strike or toe-off was not seen"] == 1
    lost = up["l"] * ((time_s < 3.4) | (time_s > 4.4))  # the left foot is not seen once
    found = find_strides(time_s, {"r": up["r"], "l": lost}, made.body_weight_n)
    assert found.left_out["the other foot does not strike once in it"] >= 1
    alone = find_strides(time_s, {"r": up["r"]}, made.body_weight_n)
    assert len(alone.strides) == 4 and np.isnan(alone.strides[0].double_support_s)


def test_standing_for_long_between_two_steps_is_no_stride(made):
    time_s = np.arange(2000) / made.rate_hz
    up = {
        "r": made.force_of(time_s, [(1.0, 1.6), (2.0, 6.0), (6.5, 7.1)]),
        "l": made.force_of(time_s, [(1.5, 5.9), (6.1, 6.7)]),
    }
    found = find_strides(time_s, up, made.body_weight_n)
    assert [round(s.from_s, 1) for s in found.of("r")] == [1.0]
    assert found.left_out["the foot stays down or up for too long"] == 2


def test_strides_of_running_as_their_authors_cut_them(shared):
    from sspinn_opensim.evaluation.curves import ground_force_of
    from sspinn_opensim.opensim_io.tables.storage import read_storage

    for name in ("subject01", "subject02", "subject03", "subject04"):
        folder = shared / "data/hamner2013_running" / name
        cycles = json.loads((folder / "gaitTimes.json").read_text())
        for speed in (2, 3, 4, 5):
            table = read_storage(folder / f"Run_{speed}_grf.mot")
            up = {s: f[:, 1] for s, f in ground_force_of(table, where=name).items()}
            found = find_strides(table.time_s, up, 72 * 9.81)
            assert found.kinds[0] == "running"  # one person steps off the belt at the end
            for cycle in cycles[f"run{speed}"].values():
                from_s, to_s = cycle["initialTime"], cycle["finalTime"]
                nearest = min(found.of("r"), key=lambda s, at=from_s: abs(s.from_s - at))
                # Theirs are set by eye at the first load, 1 to 20 ms before the threshold.
                assert nearest.from_s == pytest.approx(from_s, abs=0.025)
                if (name, speed, from_s) != ("subject02", 4, 0.1):  # ends 45 ms before the next one begins
                    assert nearest.stride_s == pytest.approx(to_s - from_s, abs=0.015)


#: Cadence and the stiff side's shorter stance, as published with the recordings.
@pytest.mark.parametrize(
    ("name", "cadence"),
    [
        ("Sub01_CSBaseline", 91.8),
        ("Sub01_CSStiffKnee", 96.8),
        ("Sub02_CSBaseline", 90.6),
        ("Sub03_CSBaseline", 88.3),
    ],
)
def test_strides_on_belts(shared, name, cadence):
    file = np.load(shared / "data/capsense_walk" / f"{name}.npz", allow_pickle=True)
    up = {s: file["grf"][:, list(file["grf_cols"]).index(f"{s}Fy")].astype(float) for s in "lr"}
    mass_kg = json.loads((shared / "data/capsense_walk/subjects.json").read_text())[name[:5] + "_CSBaseline"]
    found = find_strides(file["t_grf"].astype(float), up, mass_kg["mass"] * 9.81)
    told = summary(found, measured(found.strides))["walking"]
    # Theirs is that of the steady part; the first and last strides count here.
    assert told["cadence_steps_per_min"] == pytest.approx(cadence, rel=0.005)
    stance = [told[side]["stance_percent"] for side in ("right", "left")]
    if "Stiff" in name:
        assert stance[0] - stance[1] > 5 and told["symmetry_index_percent"]["stance_percent"] > 5
    else:
        assert abs(stance[0] - stance[1]) < 2.5
    assert told["both"]["double_support_percent"] == pytest.approx(sum(stance) - 100, abs=1.0)
