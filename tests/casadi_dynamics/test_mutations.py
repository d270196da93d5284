"""Broken files are read or refused with one error; `benchmarks/mutations.py` does the same for thousands."""

from random import Random

import pytest

from benchmarks.mutations import MUTATIONS, mutate, outcome, run


def test_mutated_models_are_read_or_refused(repository):
    counts, faults = run([repository / "osim_models" / "planar_gait.osim"], count=200, seed=1)
    assert not faults, "\n".join(faults)
    assert counts["read"] > 20 and counts["refused"] > 20


def test_mutated_public_models_are_read_or_refused(public_models):
    names = ("arm26", "double_pendulum", "bouncing_block", "WalkerModel", "leg6dof9musc")
    counts, faults = run([public_models / f"{name}.osim" for name in names], count=100, seed=2)
    assert not faults, "\n".join(faults)
    assert counts["read"] > 10 and counts["refused"] > 10


@pytest.mark.parametrize("kind", MUTATIONS)
def test_every_mutation_changes_a_file_and_is_survived(repository, tmp_path, kind):
    original = (repository / "osim_models" / "planar_gait.osim").read_bytes()
    changed = [MUTATIONS[kind](original, Random(f"{kind} {i}")) for i in range(4)]
    assert any(data != original for data in changed)
    for data in changed:
        (tmp_path / "mutated.osim").write_bytes(data)
        assert outcome(tmp_path / "mutated.osim") in ("read", "refused")


def test_a_mutation_can_be_made_again():
    data = b'<OpenSimDocument Version="40000"><Model name="m"><a>1</a></Model></OpenSimDocument>'
    assert mutate(data, Random(7)) == mutate(data, Random(7))
