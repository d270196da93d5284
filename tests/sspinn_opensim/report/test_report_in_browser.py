"""The report in a browser without a window: the body is drawn, nothing loads, nothing complains."""

import dataclasses
import json
from html import escape

import numpy as np
import pytest

from sspinn_opensim.estimation.verdict.fit import Fit, SensorFit
from sspinn_opensim.estimation.verdict.judgement import FitVerdict, write_fit
from sspinn_opensim.evaluation import evaluate, read_evaluation_data
from sspinn_opensim.report.report import write_report
from sspinn_opensim.viewer.bones import Bones

#: What would run if it were not taken for text: anywhere, and as a name that a model may have.
HOSTILE = (
    "</title></svg></style></script><svg/onload=window.owned=1><img src=x onerror=window.owned=1>"
    "<script>window.owned=1</script>{{7*7}}$\\frac{$"
)
NAME = "<script>window.owned=1<b>\"'&lt;{{7}}"
#: What clears a terminal, makes a link in it, and turns the direction of a text.
ESCAPES = "\x1b[2J\x1b]8;;http://evil.example\x07\u202e"


@pytest.mark.parametrize("dark", [False, True])
def test_the_body_moves(study, results, recording, movement, chromium, tmp_path, dark):
    from matplotlib.image import imread

    data = read_evaluation_data(study, results, recording)
    page = write_report(study, results, data, evaluate(study, data), movement=movement)
    with chromium(1200, 1800, dark=dark) as browser:
        browser.open(page.as_uri())
        browser.until("document.querySelector('#stage.live canvas') !== null")
        first = browser.value("+document.getElementById('frame').value")
        browser.until(f"+document.getElementById('frame').value != {first}")
        browser.value("document.getElementById('play').click()")
        for control in ("button[data-view=side]", "#fit", "#follow", "input[data-part=forces]"):
            browser.value(f"document.querySelector('{control}').click()")
        box = browser.value(
            "Object.values(document.getElementById('viewer').getBoundingClientRect().toJSON())"
        )
        still = browser.value("getComputedStyle(document.querySelector('.still')).display")
        # two more pictures are painted before the screenshot
        browser.value(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"
        )
        picture = imread(browser.screenshot(tmp_path / "report.png"))[:, :, :3]
        assert browser.errors == []
        assert {address for address in browser.requests if address[:5] != "data:"} == {page.as_uri()}
    assert still == "none"
    x, y, width, height = (round(value) for value in box[:4])
    seen = picture[y : y + height, x : x + width]
    paper = np.array([26, 34, 43] if dark else [246, 248, 250]) / 255
    drawn = np.abs(seen - paper).max(axis=2) > 0.1
    # rods of a person in a third of the height: some percent of the picture
    assert 0.005 < drawn.mean() < 0.5
    np.testing.assert_allclose(seen[2, 2], paper, atol=0.01)


def _called_hostile(folder, name):
    """Give another name to what is called `name` in every file of a folder."""
    for file in folder.rglob("*.*"):
        text, new = file.read_text(encoding="utf-8"), f"{NAME}{name}"
        written = {".osim": escape(new), ".json": json.dumps(new)[1:-1]}.get(file.suffix, new)
        if file.suffix == ".csv":
            written = written.replace('"', '""').join('""')
        file.write_text(text.replace(name, written), encoding="utf-8")


def test_hostile_names_are_shown_and_run_nothing(study, results, recording, movement, chromium):
    """Names of study, person, recording, sensors, coordinates, muscles and loss terms; notes and verdicts."""
    for folder in (results, study.reference.kinematics.parent):
        for name in ("hip_flexion_r", "soleus_r", "root_force"):
            _called_hostile(folder, name)
    said = HOSTILE + ESCAPES
    sensor = SensorFit(said, "tibia_r", 9.0, None, 1.5, None, 2.0, 0.03, -0.05)
    write_fit({0: Fit(True, 3, 5.0, {}, (sensor,), {}, {}, 1.0)}, FitVerdict((said,)), results / "fit.json")
    verdict = {"ok": False, "failures": [said], "warnings": [said], "method": said, "frames": 3}
    (results / "static_optimization.json").write_text(json.dumps(verdict | {"failed_frames": 1}))
    scaling = {"height_m": 1.7, "mass_kg": 70.0, "factors": {said: [1, 1, 1]}}
    (results / "scaling.json").write_text(json.dumps(scaling))
    study = dataclasses.replace(
        study,
        recording=dataclasses.replace(study.recording, name=HOSTILE),
        person=dataclasses.replace(study.person, name=HOSTILE),
        name=HOSTILE,
    )
    scene = dataclasses.replace(movement.scene, name=HOSTILE, bones=Bones(notes=(said,)))
    data = read_evaluation_data(study, results, recording)
    page = write_report(
        study,
        results,
        data,
        evaluate(study, data) | {"notes": {"train": [said]}},
        movement=dataclasses.replace(movement, scene=scene),
        versions={said: said},
    )
    with chromium(1200, 1800) as browser:
        browser.open(page.as_uri())
        browser.until("document.querySelector('#stage.live canvas') !== null")
        shown = browser.value("document.body.textContent")
        assert shown.count(HOSTILE) > 10
        for name in ("hip", "soleus", "root"):
            assert f"{NAME}{name}" in shown, name
        assert browser.value("window.owned") is None
        assert browser.value("document.querySelectorAll('img[src=x], svg[onload]').length") == 0
        assert browser.value("document.querySelectorAll('script').length") == 2
        assert browser.errors == []
        assert {address for address in browser.requests if address[:5] != "data:"} == {page.as_uri()}
