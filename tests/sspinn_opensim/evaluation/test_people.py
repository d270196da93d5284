"""Many people summed up: every person once, groups apart, seeds as repetitions."""

import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.evaluation import PersonTrial, summarize_people
from sspinn_opensim.evaluation.metrics import NUMBERS, QUANTITIES, mean_key


def scores(rmsd: float, bias: float = 0.0, coverage=None, joint="knee_angle_r") -> dict:
    """Scores of an estimate that knows one joint's angle."""
    numbers = dict.fromkeys(NUMBERS) | {"rmsd": rmsd, "bias": bias, "spread": 0.0, "coverage": coverage}
    means = {mean_key(quantity, number): None for quantity in QUANTITIES for number in NUMBERS}
    means |= {mean_key("angle", number): value for number, value in numbers.items()}
    groups = {group: {} for group, _, _ in QUANTITIES.values()}
    return means | groups | {"angles": {joint: numbers}, "angle_bias_deg": abs(bias)}


def trial(
    person, name, *rmsds, group="seen", baseline=9.0, lag=None, joint="knee_angle_r", **about
) -> PersonTrial:
    seeds = {f"seed_{k}": scores(rmsd, bias=rmsd, joint=joint) for k, rmsd in enumerate(rmsds)}
    lagged = lag and {"lag_s": 0.015, "seeds": {name: scores(lag, joint=joint) for name in seeds}}
    entry = {
        "seeds": seeds,
        "median": next(iter(seeds.values())),
        "baseline": scores(baseline, joint=joint),
        "constant_posture": scores(20.0, joint=joint),
        "declared_lag": lagged or None,
    }
    return PersonTrial(person, name, group, entry, **about)


def test_every_person_counts_once_and_seeds_are_repetitions():
    """Anna's two trials are one mean; the median is over seeds of the means, not over trials."""
    trials = [
        trial("Anna", "a", 2.0, 4.0, 9.0),
        trial("Anna", "b", 4.0, 4.0, 9.0),
        trial("Bea", "a", 9.0, 6.0, 3.0),
    ]
    block = summarize_people(trials)["groups"]["seen"]["all"]
    assert block["means"]["angle_rmsd_deg"]["median"] == pytest.approx(6.0)
    assert block["means"]["angle_rmsd_deg"]["range"] == pytest.approx([5.0, 6.0])
    assert (block["people"], block["trials"], block["seeds"]) == (2, 3, 3)
    assert block["angles"]["knee_angle_r"]["rmsd"]["median"] == pytest.approx(6.0)
    assert block["angles"]["knee_angle_r"]["bias"]["median"] == pytest.approx(6.0)
    assert block["means"]["angle_rmsd_deg"]["baseline"] == pytest.approx(9.0)
    assert block["means"]["moment_rmsd_bwbh"] is None


def test_groups_stay_apart_in_their_order():
    trials = [
        trial("A", "a", 1.0, group="seen"),
        trial("B", "a", 5.0, group="unseen"),
        trial("B", "a", 3.0, group="unseen, adapted"),
    ]
    groups = summarize_people(trials)["groups"]
    assert list(groups) == ["seen", "unseen", "unseen, adapted"]
    assert [g["all"]["means"]["angle_rmsd_deg"]["median"] for g in groups.values()] == [1.0, 5.0, 3.0]


def test_by_activity_speed_and_person():
    trials = [
        trial("A", "slow", 1.0, speed_m_s=0.99, activity="walking"),
        trial("A", "fast", 3.0, speed_m_s=1.5, activity="walking"),
        trial("B", "run", 9.0, speed_m_s=10.2 / 3, activity="running"),
        trial("B", "unknown", 5.0),
    ]
    group = summarize_people(trials)["groups"]["seen"]

    def medians(part):
        return {name: block["means"]["angle_rmsd_deg"]["median"] for name, block in group[part].items()}

    assert medians("activities") == {"walking": 2.0, "running": 9.0}
    assert medians("people") == {"A": 2.0, "B": 7.0}
    assert list(medians("speeds").items()) == [
        ("0.5 to 1 m/s", 1.0),
        ("1.5 to 2 m/s", 3.0),
        ("3 to 3.5 m/s", 9.0),
    ]
    assert list(summarize_people(trials, speed_step_m_s=2.0)["groups"]["seen"]["speeds"]) == [
        "0 to 2 m/s",
        "2 to 4 m/s",
    ]


def test_a_lag_is_summed_up_where_every_trial_declares_it():
    both = [trial("A", "a", 5.0, lag=2.0), trial("B", "a", 7.0, lag=4.0)]
    mean = summarize_people(both)["groups"]["seen"]["all"]["means"]["angle_rmsd_deg"]
    assert (mean["median"], mean["declared_lag"]["median"]) == (6.0, 3.0)
    one = [both[0], trial("B", "a", 7.0)]
    assert "declared_lag" not in summarize_people(one)["groups"]["seen"]["all"]["means"]["angle_rmsd_deg"]


def test_a_joint_that_only_some_people_have_is_a_mean_over_them():
    trials = [trial("A", "a", 2.0), trial("B", "a", 8.0, joint="hip_flexion_l")]
    joints = summarize_people(trials)["groups"]["seen"]["all"]["angles"]
    assert {name: numbers["rmsd"]["median"] for name, numbers in joints.items()} == {
        "knee_angle_r": 2.0,
        "hip_flexion_l": 8.0,
    }


@pytest.mark.parametrize(
    ("trials", "what"),
    [
        ([], "no evaluated trial"),
        ([trial("A", "a", 1.0), trial("A", "a", 2.0)], "twice"),
        ([trial("A", "a", 1.0), trial("B", "a", 1.0, 2.0)], "different seeds"),
    ],
)
def test_what_cannot_be_summed_up_is_refused(trials, what):
    with pytest.raises(InputError, match=what):
        summarize_people(trials)
