"""The report: complete, self-contained, and safe against what a user writes into names."""

import dataclasses
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim.evaluation import evaluate, read_evaluation_data
from sspinn_opensim.report import sections
from sspinn_opensim.report.charts import BOTTOM, HEIGHT, TOP, Band, Line, line_chart
from sspinn_opensim.report.report import read_histories, write_report
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.gui_steps import gui_steps, opensim_files
from sspinn_opensim.study import TrainingChoice

VOID = {"meta", "line", "path", "input", "br", "link", "img"}


class _Reader(HTMLParser):
    """Checks that elements nest, and collects section names, text and anything loaded from elsewhere."""

    def __init__(self):
        super().__init__()
        self.open, self.sections, self.loaded, self.text = [], [], [], []
        self.charts = 0

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.sections += [attributes["id"]] if tag == "section" else []
        self.loaded += [value for key, value in attributes.items() if key in ("src", "data", "poster")]
        self.loaded += [v for k, v in attributes.items() if k == "href" and not v.startswith("#")]
        self.charts += tag == "figure"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _read(path):
    reader = _Reader()
    html = path.read_text(encoding="utf-8")
    reader.feed(html)
    reader.close()
    assert reader.open == []
    assert reader.loaded == []
    assert "http" not in html
    assert len(html) < 3_000_000
    return reader, html


def _write(study, results, recording, **parts):
    data = read_evaluation_data(study, results, recording)
    return write_report(results, study, data=data, metrics=evaluate(study, data), **parts)


def test_complete_report(study, results, recording, stick_figure):
    path = _write(
        study,
        results,
        recording,
        stick_figure=stick_figure,
        histories=read_histories(results),
        versions={"opensim": "4.6"},
        settings={"training": {"steps": 1500, "weights": {}}, "note": "<b>"},
    )
    assert path == results / "report.html"
    reader, html = _read(path)
    assert reader.sections == [
        "movement",
        "angles",
        "moments",
        "ground",
        "muscles",
        "training",
        "subject",
        "files",
        "reading",
        "settings",
    ]
    text = " ".join(" ".join(reader.text).split())
    for part in (
        "2.0 degrees",
        "seeds",
        "Knee angle, right",
        "subject.osim",
        "training.steps",
        "1500",
    ):
        assert part in text
    assert "Can be used, with care." in text and "look <here>" in text
    assert reader.charts == 8 + 8 + 4 + 2 + 3, "angles, moments, ground forces, muscles, loss terms"
    for role in ("estimate", "seed", "reference", "baseline"):
        assert f'class="line {role}"' in html


def test_the_band_of_the_estimate_is_drawn_and_explained(study, results, recording, model, gait):
    gait.write_band(results / "seeds" / "seed_0", model, recording.time_s)
    reader, html = _read(_write(study, results, recording))
    assert html.count('class="band"') == 8 + 8 + 4 + 3, "a chart each, and the legends"
    text = " ".join(" ".join(reader.text).split())
    assert "in 95 % band (%)" in text and "holds the reference in 95 %" in text
    without, html = _read(
        _write(dataclasses.replace(study, training=TrainingChoice(seeds=(1,))), results, recording)
    )
    assert 'class="band"' not in html and "95 % band" not in " ".join(without.text)


def test_names_are_escaped(study, results, recording, stick_figure):
    nasty = dataclasses.replace(study.recording, name="</title><script>alert(1)</script>")
    study = dataclasses.replace(study, recording=nasty)
    figure = dict(
        stick_figure, points=dict(stick_figure["points"], **{"</script>": stick_figure["points"]["pelvis"]})
    )
    _, html = _read(_write(study, results, recording, stick_figure=figure))
    assert "<script>alert" not in html
    assert "Test &lt;person&gt;" in html


def test_stick_figure_data_survive_the_page(study, results, recording, stick_figure):
    _, html = _read(_write(study, results, recording, stick_figure=stick_figure))
    data = json.loads(re.search(r'id="stick-figure-data">(.*?)</script>', html, re.DOTALL)[1])
    assert data["time_s"] == pytest.approx(stick_figure["time_s"], abs=1e-5)
    assert np.array(data["points"]["foot_l"]) == pytest.approx(stick_figure["points"]["foot_l"], abs=6e-4)
    assert data["cycle_s"] == pytest.approx(1.1) and data["centre"] == "pelvis"


def test_stick_figure_without_a_point_it_draws_is_refused(study, results, recording, stick_figure):
    figure = dict(stick_figure, segments=[["pelvis", "head"]])
    with pytest.raises(InputError, match="does not have"):
        _write(study, results, recording, stick_figure=figure)
    assert not (results / "report.html").exists()


def test_bare_report_without_reference_muscles_or_cycle(study, results, gait, model):
    """One seed, a recording of unknown cycle, and a folder that holds the estimate and nothing more."""
    long = gait.make_recording(cycle_known=False, seconds=20.0)
    gait.write_motion(results / "seeds" / "seed_0", model, long.time_s)
    for name in ("muscle_forces.sto", "static_optimization.json", "scaling.json"):
        (results / name).unlink()
    shutil.rmtree(results / "training")
    bare = dataclasses.replace(
        study, reference=None, training=dataclasses.replace(study.training, seeds=(0,))
    )
    reader, html = _read(_write(bare, results, long, histories=read_histories(results)))
    assert reader.sections == ["angles", "moments", "ground", "files", "reading"]
    assert "no reference" in html and "time (s)" in html and "gait cycle (%)" not in html
    assert 'class="line reference"' not in html and 'class="line seed"' not in html


def test_failed_static_optimization_is_said_plainly(study, results, recording):
    path = results / "static_optimization.json"
    verdict = json.loads(path.read_text()) | {
        "ok": False,
        "failed_frames": 3,
        "failures": ["3 frames failed"],
    }
    path.write_text(json.dumps(verdict))
    _, html = _read(_write(study, results, recording))
    assert "Not to be trusted." in html and "3 frames failed" in html and "solved 107 of 110" in html


def test_the_steps_and_files_of_the_report_are_those_of_the_folder(study, results, recording):
    """The muscle forces are repeated on the model whose own contact is off: the ground acts once."""
    files = ResultsFolder(results)
    shutil.copy(osim_models.path("planar_gait"), files.subject)
    shutil.copy(files.subject, files.static_optimization_model)
    files.static_optimization_setup.write_text(
        '<OpenSimDocument Version="40600"><AnalyzeTool name="subject"><model_file>'
        f"{files.static_optimization_model.name}</model_file><AnalysisSet><objects><StaticOptimization>"
        "<on>true</on></StaticOptimization></objects></AnalysisSet></AnalyzeTool></OpenSimDocument>"
    )
    reader, _ = _read(_write(study, results, recording))
    text = "".join(reader.text)
    steps = gui_steps(opensim_files(results))
    assert all(step in text for step in steps) and len(steps) == 3
    assert "subject_static_optimization.osim, which becomes the current model; Tools > Static Opt" in text
    for file in files.files():
        assert file is ResultsFolder.report or (file.name in text and file.says in text)


def test_damaged_history_is_one_error(results):
    (results / "training" / "seed_1" / "history.csv").write_text("step,total\n1,2\n3,x\n")
    with pytest.raises(InputError, match="history is damaged"):
        read_histories(results)


def _paths(svg):
    return [
        re.findall(r"[ML]([-\d.]+) ([-\d.]+)", d)
        for d in re.findall(r'<path class="line \w+" d="([^"]*)"', svg)
    ]


def test_chart_maps_values_to_the_axis():
    svg = line_chart(
        [Line(np.array([0.0, 50, 100]), np.array([0.0, 5, 10]), "estimate")], title="t", unit="", x_label="x"
    )
    (first, middle, last) = [(float(x), float(y)) for x, y in _paths(svg)[0]]
    assert middle[0] == pytest.approx((first[0] + last[0]) / 2, abs=0.1)
    assert middle[1] == pytest.approx((first[1] + last[1]) / 2, abs=0.1)
    assert first[1] > last[1], "up is up"


def test_chart_draws_the_band_below_the_lines_and_makes_room_for_it():
    x = np.arange(5.0)
    line, band = Line(x, 0 * x, "estimate"), Band(x, 0 * x - 40, 0 * x + 80)
    svg = line_chart([line], band=band, title="t", unit="", x_label="x")
    assert svg.index('class="band"') < svg.index('class="line estimate"')
    edge = re.search(r'class="band" d="([^"]*)Z"', svg)[1]
    heights = [float(y) for _, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", edge)]
    assert len(heights) == 10 and min(heights) >= TOP and max(heights) <= HEIGHT - BOTTOM
    middle = float(_paths(svg)[0][0][1])
    assert max(heights) - middle == pytest.approx((middle - min(heights)) / 2, abs=0.2)


def test_chart_breaks_at_gaps_and_leaves_out_what_a_logarithm_cannot_show():
    x = np.arange(5.0)
    gap = line_chart([Line(x, np.array([1, 2, np.nan, 4, 5.0]), "seed")], title="t", unit="", x_label="x")
    assert re.search(r'd="(M[^M"]*)(M[^M"]*)"', gap)
    log = line_chart(
        [Line(x, np.array([1, 10, 0, 1000, 100.0]), "seed")], title="t", unit="", x_label="x", log=True
    )
    assert len(_paths(log)[0]) == 4


@pytest.mark.parametrize(
    "values", [np.zeros(4), np.full(4, 1e-9), np.full(4, -3e5), np.array([1.0, 1, 1, np.nan])]
)
def test_chart_of_a_constant(values):
    svg = line_chart([Line(np.arange(4.0), values, "estimate")], title="t", unit="", x_label="x")
    assert "nan" not in svg and "inf" not in svg and _paths(svg)[0]


def test_chart_of_nothing_is_nothing():
    assert (
        line_chart([Line(np.arange(2.0), np.full(2, np.nan), "seed")], title="t", unit="", x_label="x") == ""
    )


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (
            "static optimization on compiled functions",
            "Static optimization on compiled functions solved 9 of 9",
        ),
        (None, "OpenSim static optimization solved 9 of 9 frames"),
    ],
)
def test_the_verdict_names_who_solved_it(method, said):
    text = sections.verdict_block({"ok": True, "frames": 9, "failed_frames": 0, "method": method})
    assert said in text
