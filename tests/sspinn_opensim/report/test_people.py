"""Scores of many people as a page, Markdown and JSON."""

import json

import pytest

from sspinn_opensim.evaluation import PersonTrial, evaluate, read_evaluation_data, summarize_people
from sspinn_opensim.report.people import people_markdown, people_page, write_people


def test_real_metrics_become_a_page_a_table_and_json(study, results, recording, model, gait, tmp_path):
    gait.write_band(results / "seeds" / "seed_0", model, recording.time_s)
    metrics = evaluate(study, read_evaluation_data(study, results, recording))
    trials = []
    for group, people in (("seen", ("Anna", "<Bea>")), ("unseen", ("Cora|",))):
        for person in people:
            trials += [
                PersonTrial(person, name, group, scores, 1.3, "walking")
                for name, scores in metrics["trials"].items()
            ]
    summary = summarize_people(trials)
    block = summary["groups"]["seen"]["all"]
    assert block["means"]["angle_rmsd_deg"]["median"] == pytest.approx(2.0)
    assert block["means"]["angle_rmsd_deg"]["range"] == pytest.approx([1.0, 3.0])
    page = write_people(summary, tmp_path, "Walking <study>")
    assert json.loads((tmp_path / "people.json").read_text()) == summary
    html = page.read_text(encoding="utf-8")
    assert html == people_page(summary, "Walking <study>") and "<Bea>" not in html and "&lt;Bea&gt;" in html
    assert "://" not in html and "Walking &lt;study&gt;" in html
    text = people_markdown(summary)
    assert (tmp_path / "people.md").read_text(encoding="utf-8").endswith(text)
    assert "| seen | 2 | 2 | 2.0 (1.0 to 3.0) |" in text and "Cora\\|" in text
    assert "in 95 % band" in text and "## unseen: Joint moments (BWBH%)" in text
    for block in text.split("## ")[1:]:
        rows = [row.replace("\\|", "").count("|") for row in block.splitlines() if row.startswith("|")]
        assert len(set(rows)) == 1 and len(rows) >= 3
