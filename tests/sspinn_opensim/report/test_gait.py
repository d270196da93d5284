"""The gait section: both sides with their deviation, values, errors of strides, what is not covered."""

import dataclasses
import json
import re

import numpy as np
import pytest

from sspinn_opensim.evaluation import evaluate, read_evaluation_data
from sspinn_opensim.gait import find_strides, mean_cycles, measured, summary
from sspinn_opensim.gait.files import write_cycles
from sspinn_opensim.opensim_io.tables.storage import read_storage, write_storage
from sspinn_opensim.report.report import write_report
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import OutputChoice


@pytest.fixture
def page(study, results, recording, gait):
    """Return a function: spans that are not covered to the report's text, of a folder with gait in it."""

    def write(uncovered=(), phases=(), sideways=0.0):
        time_s = recording.time_s
        forces = gait.ground_forces(time_s)
        for force in forces.values():
            force[:, 2] = sideways * force[:, 1]
        weight_n = gait.person.mass_kg * gait.gravity
        strides = find_strides(time_s, {side: force[:, 1] for side, force in forces.items()}, weight_n)
        curves = {name: np.degrees(angle) for name, angle in gait.joint_angles(time_s).items()}
        curves |= {f"{name}_moment": moment for name, moment in gait.moments(time_s).items()}
        for side, force in forces.items():
            curves |= {f"foot_{side}_ground_force_v{axis}": force[:, i] for i, axis in enumerate("xyz")}
        files = ResultsFolder(results)
        write_cycles(files.gait_cycles, mean_cycles(time_s, curves, strides))
        told = summary(strides, measured(strides.strides))
        told |= {"phases": list(phases), "uncovered": list(uncovered)}
        files.spatiotemporal.write_text(json.dumps(told))
        chosen = dataclasses.replace(study, output=OutputChoice(1.0, 6.5))
        data = read_evaluation_data(chosen, results, dataclasses.replace(recording, cycle_s=None))
        return write_report(chosen, results, data, evaluate(chosen, data)).read_text(encoding="utf-8")

    return write


def section(html):
    found = re.search(r'<section id="gait">.*?</section>', html, re.S)
    return found[0] if found else ""


def test_both_sides_stand_in_one_chart_with_their_deviations(page):
    html = section(page())
    assert html.count("<figure>") == 4 + 4 + 2, "hip, knee, ankle and trunk; their moments; two forces"
    both = [f for f in html.split("<figure>")[1:] if "Knee angle" in f]
    assert all('class="line left"' in f and 'class="line estimate"' in f for f in both)
    assert all('class="band"' in f and 'class="band left"' in f for f in both)
    assert "strides of walking, 109.1 steps a minute over all of them" in html
    assert "symmetry index" in html and "stance (%)" in html and "step width" not in html
    assert "Errors of single strides" in html and "Knee angle, left: angle (deg)" in html


def test_forces_sideways_are_shown_of_an_estimate_in_space(page):
    html = section(page(sideways=0.1))
    assert html.count("<figure>") == 4 + 4 + 3 and "Foot, sideways" in html


def test_what_is_not_covered_stands_at_the_top(page):
    spans = [{"from_s": 1.0 * k, "to_s": 1.0 * k + 0.5, "reason": "the person <turns>"} for k in range(8)]
    html = page(spans)
    head = html[: html.index("<main>")]
    assert "0.0 to 0.5 s (the person &lt;turns&gt;)" in head and "and 2 more" in head


def test_a_long_course_is_cut(page):
    phases = [
        {"kind": "walking", "from_s": k, "to_s": k + 1, "cadence_steps_per_min": 100.0} for k in range(500)
    ]
    assert "and 440 more" in section(page(phases=phases))


def test_a_folder_without_gait_has_no_section(study, results, recording):
    data = read_evaluation_data(study, results, recording)
    assert section(write_report(study, results, data, evaluate(study, data)).read_text()) == ""


def test_muscle_forces_of_whole_strides_stand_over_the_gait_cycle(study, results, recording, gait):
    files = ResultsFolder(results)
    forces = read_storage(files.muscle_forces)
    up = {side: force[:, 1] for side, force in gait.ground_forces(recording.time_s).items()}
    strides = find_strides(recording.time_s, up, gait.person.mass_kg * gait.gravity)
    curves = dict(zip(forces.names, forces.values.T, strict=True))
    write_cycles(files.muscle_cycles, mean_cycles(forces.time_s, curves, strides))
    data = read_evaluation_data(study, results, recording)
    html = write_report(study, results, data, evaluate(study, data)).read_text()
    muscles = re.search(r'<section id="muscles">.*?</section>', html, re.S)[0]
    assert muscles.count('class="band') == 3 and "gait cycle (%)" in muscles
    assert "Analysed: 0.00 to 6.59 s" in muscles


def test_muscle_forces_of_another_part_than_the_charts_show_are_drawn(study, results, recording):
    files = ResultsFolder(results)
    forces = read_storage(files.muscle_forces)
    part = forces.time_s < 1.0
    early = dataclasses.replace(forces, time_s=forces.time_s[part], values=forces.values[part])
    write_storage(files.muscle_forces, early)
    data = read_evaluation_data(study, results, dataclasses.replace(recording, cycle_s=None))
    html = write_report(study, results, data, evaluate(study, data)).read_text()
    muscles = re.search(r'<section id="muscles">.*?</section>', html, re.S)[0]
    assert 'class="line estimate" d="M' in muscles and "Analysed: 0.00 to 0.99 s" in muscles
