"""Mistakes with a known right verdict: each is refused or told before anything works, none is silent."""

from collections import Counter

import pytest

from benchmarks.silent_mistakes import HARMLESS, MISTAKES, run, wrong
from sspinn_opensim.results.record import _plain
from sspinn_opensim.results.stages import STAGES, _counts, _leaves
from sspinn_opensim.study import read_study

#: What no result depends on but the evaluation, which is always made anew; and names.
_WITHOUT_EFFECT = ("path", "name", "person.name", "person.id", "recording.name", "training.devices")


def test_every_mistake_gets_its_verdict():
    found = run(len(MISTAKES) + len(HARMLESS), seed=7)
    assert not {name: (found[name], off) for name, off in wrong(found).items() if off}
    assert sum(found.values(), Counter())["silent"] == 0


@pytest.mark.parametrize("name", ["demo.toml", "kuopio2024_walk.toml"])
def test_every_setting_that_matters_is_held_against_the_results(name, shared, repository):
    study = _plain(read_study(repository / "examples" / name))
    passed_over = {
        key for key, _ in _leaves(study) if not any(_counts(stage, key) for stage in STAGES.values())
    }
    assert {key for key in passed_over if not key.startswith("reference")} <= set(_WITHOUT_EFFECT)
