"""The report: complete, self-contained, and safe against what a user writes into names."""

import base64
import dataclasses
import hashlib
import json
import re
import shutil
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim.estimation.consistency.correction import Correction, Moved, Residual
from sspinn_opensim.estimation.verdict.fit import Fit, SensorFit
from sspinn_opensim.estimation.verdict.judgement import FitVerdict, write_fit
from sspinn_opensim.evaluation import evaluate, read_evaluation_data
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.report.page import Page, Section
from sspinn_opensim.report.report import write_report
from sspinn_opensim.report.sections import read_histories
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.gui_steps import gui_steps, opensim_files
from sspinn_opensim.study import TrainingChoice
from sspinn_opensim.viewer.bones import Bones

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
    # three.js names a namespace of XML; the page's policy lets nothing load
    assert "://" not in re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert len(html) < 3_000_000
    return reader, html


def _write(study, results, recording, **parts):
    data = read_evaluation_data(study, results, recording)
    return write_report(study, results, data, evaluate(study, data), **parts)


def test_complete_report(study, results, recording, movement):
    path = _write(
        study,
        results,
        recording,
        movement=movement,
        versions={"opensim": "4.6"},
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
        "4.6",
    ):
        assert part in text
    assert "Can be used, with care." in text and "look <here>" in text
    assert reader.charts == 8 + 8 + 4 + 2 + 6 + 3, (
        "angles, moments, ground forces, muscles, groups, loss terms"
    )
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


def test_a_training_unlike_good_ones_is_told_at_the_top_and_by_sensor(study, results, recording):
    sensor = SensorFit("shank <r>", "tibia_r", 9.0, None, 1.5, None, 2.0, 0.03, -0.05)
    fit = Fit(True, 3, 5.0, {}, (sensor,), {}, {}, 1.0)
    for failures, said in (
        (("sensor 'shank <r>' is off",), "not to be trusted"),
        ((), "Like good recordings."),
    ):
        write_fit({0: fit}, FitVerdict(failures), results / "fit.json")
        reader, html = _read(_write(study, results, recording))
        text = " ".join(" ".join(reader.text).split())
        assert "fit" in reader.sections and said in text and "shank <r>" in text and "<r>" not in html
        assert ("Do not trust this estimate" in text) is bool(failures)
        assert ("as the estimate that these forces follow from is not" in text) is bool(failures)
        assert ("Can be used" in text) is not bool(failures), "one page, one verdict"
        assert ("What to do" in text) is bool(failures)
        cells = [cell.strip() for cell in reader.text if cell.strip()]
        row = cells[cells.index("shank <r>") :][:8]
        assert row == ["shank <r>", "9.00", "150", "\u2013", "\u2013", "2.0", "30", "\u221250"]


def test_curves_that_moved_are_called_as_in_the_other_sections(study, results, recording):
    columns = {
        "hip_flexion_r": "Hip flexion, right",
        "hip_flexion_r_moment": "Hip flexion, right: moment",
        "calcn_l_ground_force_vy": "Calcn, left: ground force, vertical",
        "calcn_l_ground_force_px": "Calcn, left: point of the ground force, fore-aft",
    }
    held = Residual("N", 1900.0, 3.0, 60.0, 629.0, 0.4, 8.0)
    moved = {column: Moved("N", 1.0, 2.0, 0.1, 0.2) for column in columns}
    account = Correction(6.0, {"pelvis_ty": held}, moved)
    (results / "consistency.json").write_text(json.dumps(account.to_json()))
    cells = [cell.strip() for cell in _read(_write(study, results, recording))[0].text]
    assert all(words in cells for words in columns.values())
    said = str(account)
    assert (
        "629.0 % before" in said and "of the peak ground force" in said and "body weight times height" in said
    )


NASTY = "</title></svg><script>alert(1)</script>"


def test_what_comes_from_files_is_text(study, results, recording, model, movement):
    """Names of trial, person, muscles, muscle groups, bodies and forces, a verdict, and a setting."""
    study = dataclasses.replace(
        study,
        recording=dataclasses.replace(study.recording, name=NASTY),
        person=dataclasses.replace(study.person, name=NASTY),
        name=NASTY,
    )
    scene = dataclasses.replace(
        movement.scene,
        name=NASTY,
        bodies=tuple(NASTY if body == "torso" else body for body in movement.scene.bodies),
        links=tuple(link for link in movement.scene.links if "torso" not in (link.start.body, link.end.body)),
        forces=(NASTY,),
        bones=Bones(notes=(NASTY,)),
    )
    moved = dataclasses.replace(movement, scene=scene)
    muscle = NASTY.replace(" ", "")
    for name in ("muscle_forces.sto", "muscle_activations.sto"):
        write_storage(results / name, Table((f"{muscle}_r",), recording.time_s, recording.time_s[:, None]))
    verdict = {"ok": False, "failures": [NASTY], "method": NASTY, "frames": 3, "failed_frames": 1}
    (results / "static_optimization.json").write_text(json.dumps(verdict))
    scaling = {"height_m": 1.7, "mass_kg": 70.0, "factors": {NASTY: [1, 1, 1]}}
    (results / "scaling.json").write_text(json.dumps(scaling))
    reader, html = _read(_write(study, results, recording, movement=moved, versions={NASTY: NASTY}))
    assert "<script>alert" not in html and "</svg><script" not in html
    assert html.count("<script") == 2, "the data of the movement and the page's own script"
    assert sum(NASTY in text for text in reader.text) > 10, "it is shown as it is written"


def test_the_browser_is_told_to_run_no_script_but_the_pages_own(study, results, recording, movement):
    _, html = _read(_write(study, results, recording, movement=movement))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    (own,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in unescape(policy)
    assert "default-src 'none'" in unescape(policy) and "unsafe-eval" not in policy
    _, still = _read(_write(study, results, recording))
    assert "script-src 'none'" in unescape(still) and "<script" not in still


def test_the_movement_survives_the_page(study, results, recording, movement):
    _, html = _read(_write(study, results, recording, movement=movement))
    data = json.loads(re.search(r'id="movement-data">(.*?)</script>', html, re.DOTALL)[1])
    assert data["time_s"] == pytest.approx(movement.time_s, abs=1e-5)
    frames = np.frombuffer(base64.b64decode(data["frames"]), "<f4").reshape(len(movement.time_s), -1)
    np.testing.assert_array_equal(frames, movement.frames)
    assert data["scene"] == movement.scene.to_json() and data["cycle_s"] == pytest.approx(1.1)


def test_without_webgl_and_on_paper_there_are_postures(study, results, recording, movement):
    _, html = _read(_write(study, results, recording, movement=movement))
    still = movement.still()
    assert html.count('class="rod ') == len(still["rods"]) == 5 * len(movement.scene.links)
    ends, size = np.array([rod[:4] for rod in still["rods"]]), (still["width"], still["height"])
    assert ends.min() >= 0 and (ends.reshape(-1, 2) <= size).all()


def test_forces_sideways_are_shown_where_they_act(study, results, recording):
    """Of an estimate in space; the reference holds none sideways."""
    _, html = _read(_write(study, results, recording))
    assert "foot, fore-aft" in html and "sideways" not in html
    for grf in results.glob("**/grf.mot"):
        table = read_storage(grf)
        for side in "rl":
            up, right = (table.names.index(f"foot_{side}_ground_force_v{axis}") for axis in "yz")
            table.values[:, right] = 0.1 * table.values[:, up]
        write_storage(grf, table)
    _, html = _read(_write(study, results, recording))
    shown = [f for f in html.split("<figure>")[1:] if "foot, sideways" in f]
    assert len(shown) == 2 and all('class="line estimate"' in f for f in shown)
    assert "nan" not in "".join(shown) and "sideways to the person's right" in unescape(html)


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
    reader, html = _read(_write(bare, results, long))
    assert reader.sections == ["angles", "moments", "ground", "files", "reading", "settings"]
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
    verdict = {"ok": True, "frames": 9, "failed_frames": 0, "method": method}
    html = Page("t", [Section("v", "V", "verdict.html", {"verdict": verdict, "notes": ()})]).html()
    assert said in " ".join(html.split())
