"""What `estimate` holds in memory, and says before it works."""

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


def test_what_takes_long_before_the_network_is_said(study, scaled, caplog, monkeypatch):
    with caplog.at_level("INFO", "sspinn_opensim"):
        made = prepared.prepare(study, scaled)
        monkeypatch.setattr(prepared, "_LONG_S", 1.0)
        prepared.prepare(study, scaled)
        prepared.prepare(study, scaled, made.recording)
    said = [record.message.partition(" ")[0] for record in caplog.records]
    assert said == ["reading", "reading", "checking", "checking"]
