"""What `estimate` holds in memory."""

import shutil
import weakref
from pathlib import Path

from sspinn_opensim.verbs import estimate, prepared, train


def test_a_recording_is_let_go_before_its_estimate_is_corrected(study, scaled, tmp_path, monkeypatch):
    out = Path(shutil.copytree(scaled, tmp_path / "results"))
    train.train(study, out)
    made, held = [], []

    def prepare(*given):
        found = prepared.prepare(*given)
        made.append(weakref.ref(found.recording))
        return found

    def consistent(result, *_):
        held.extend(known() is not None for known in made)
        return result

    monkeypatch.setattr(estimate, "prepare", prepare)
    monkeypatch.setattr(estimate, "consistent", consistent)
    estimate.estimate(study, out)
    assert held == [False]
    estimate.estimate(study, out, prepared=prepared.prepare(study, out))
    assert held == [False, False], "what the caller holds is the caller's"
