"""The report in a browser without a window: the body is drawn, nothing loads, nothing complains."""

import numpy as np
import pytest

from sspinn_opensim.evaluation import evaluate, read_evaluation_data
from sspinn_opensim.report.report import write_report


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
