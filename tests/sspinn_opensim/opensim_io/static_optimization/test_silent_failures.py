"""Every silent failure of OpenSim's static optimization, planted: caught by name before the run, or mended.

The list is that of failures observed with OpenSim 4.6: in each case its tools return True and write complete
tables, or raise an error that names nothing.
"""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.static_optimization import trial_files
from sspinn_opensim.opensim_io.static_optimization.checks import check_inputs
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings, prepare
from sspinn_opensim.opensim_io.static_optimization.setup_file import read_setup
from sspinn_opensim.opensim_io.tables.external_loads import read_external_loads
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.opensim_io.trials.survey import survey

MODEL = osim_models.path("planar_gait.osim")
SHARED = Path(__file__).parents[4] / "../shared"
UNFILTERED = Settings(lowpass_hz=0.0)
WINDOW = (0.1, 1.1)
MOTION, LOADS, FORCES = "lunge.mot", "lunge_loads.xml", "lunge_forces.mot"


@pytest.fixture(scope="session")
def _prepared_lunge(lunge, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("prepared_lunge") / "results"
    folder.mkdir()
    brought = trial_files.import_trial(
        lunge / "model.osim", lunge / MOTION, lunge / LOADS, folder, settings=UNFILTERED
    )
    assert brought.notes == ()
    prepare(folder, window=WINDOW, settings=UNFILTERED)
    return folder


@pytest.fixture
def prepared_lunge(_prepared_lunge, tmp_path) -> Path:
    """Return a fresh results folder with the set-up."""
    return Path(shutil.copytree(_prepared_lunge, tmp_path / "results"))


def through(laboratory: Path, out: Path, window=WINDOW, **settings):
    """Take the laboratory's trial as far as the last check before OpenSim's optimizer."""
    out.mkdir()
    brought = trial_files.import_trial(
        laboratory / "model.osim",
        laboratory / MOTION,
        laboratory / LOADS,
        out,
        settings=dataclasses.replace(UNFILTERED, **settings),
        from_s=window[0],
        to_s=window[1],
    )
    prepare(
        out,
        external_loads=brought.external_loads,
        window=brought.window,
        settings=dataclasses.replace(UNFILTERED, **settings),
        seen=brought.seen,
    )
    return brought, check_inputs(read_setup(out / "static_optimization_setup.xml"), seen=brought.seen)


def edit(path: Path, pattern: str, replacement) -> None:
    text = path.read_text()
    changed = re.sub(pattern, replacement, text)
    assert changed != text, "the plant did not take"
    path.write_text(changed)


def rewrite(path: Path, change) -> None:
    """Write a table again after `change` has returned the fields to replace."""
    table = read_storage(path)
    write_storage(path, dataclasses.replace(table, **change(table)))


def columns(path: Path, word: str, factor: float = 1.0, offset=0.0) -> None:
    def change(table: Table) -> dict:
        chosen = np.array([word in name for name in table.names])
        assert chosen.any()
        return {"values": np.where(chosen, factor * table.values + np.asarray(offset), table.values)}

    rewrite(path, change)


def rows(path: Path, keep) -> None:
    rewrite(path, lambda t: {"time_s": t.time_s[keep], "values": t.values[keep]})


def without(path: Path, name: str) -> None:
    def change(table: Table) -> dict:
        kept = [k for k, other in enumerate(table.names) if other != name]
        return {"names": tuple(table.names[k] for k in kept), "values": table.values[:, kept]}

    rewrite(path, change)


def lines(path: Path, change) -> None:
    """Change the lines of a text file by hand, as a spreadsheet or a script would."""
    text = path.read_text().split("\n")
    changed = change(text[:])
    assert changed != text, "the plant did not take"
    path.write_text("\n".join(changed))


def at(number: int, change):
    return lambda text: [*text[:number], *change(text[number]), *text[number + 1 :]]


def test_the_trial_as_recorded_passes(trial, tmp_path):
    brought, inputs = through(trial, tmp_path / "out")
    assert brought.notes == () and inputs.warnings == ()
    residual = inputs.survey.tau[:, : len(inputs.survey.root_directions)]
    assert inputs.survey.tau_free[:, inputs.survey.column("pelvis_ty")].min() > 300
    assert np.abs(residual[:, :2]).max() < 1e-6  # tilt and tx: forces were made to fit exactly


def test_a_window_is_found_where_none_is_given(trial, tmp_path):
    brought, _ = through(trial, tmp_path / "out", window=(None, None))
    assert brought.window == pytest.approx((0.03, 1.16), abs=0.011)


# --- what the laboratory's files can hold ---


def _degrees_as_radians(r):
    edit(r / MOTION, "inDegrees=yes", "inDegrees=no")


def _no_unit(r):
    edit(r / MOTION, "inDegrees=yes\n", "")


def _radians_as_degrees(r):
    # Translations are metres either way.
    turning = [
        name for name in read_storage(r / MOTION).names if not name.startswith("pelvis_t") or "tilt" in name
    ]
    for name in turning:
        rewrite(
            r / MOTION,
            lambda t, name=name: {
                "values": t.values * np.where([n == name for n in t.names], np.pi / 180, 1.0)
            },
        )


def _feet_exchanged(r):
    edit(
        r / LOADS,
        r"<applied_to_body>foot_([rl])<",
        lambda m: f"<applied_to_body>foot_{'lr'['rl'.index(m[1])]}<",
    )


def _far_outside_its_range(r):
    # Flexion of the knee positive, as other models have it.
    columns(r / MOTION, "knee_angle", -1.0)


def _noise(r):
    random = np.random.default_rng(0)
    shape = read_storage(r / MOTION).values.shape
    columns(r / MOTION, "", 1.0, random.normal(0.0, 1.0, shape) * 0.5)


def _muscles_elsewhere(r, which=".*"):
    text = (r / "model.osim").read_text()
    name = re.search(r'<Millard2012EquilibriumMuscle name="(soleus_r)"', text)[1]
    muscle = re.search(
        rf'(?s)<Millard2012EquilibriumMuscle name="{name}".*?</Millard2012EquilibriumMuscle>', text
    )[0]
    moved = text.replace(muscle, "").replace(
        "</Model>", f'<ComponentSet name="componentset"><objects>{muscle}</objects></ComponentSet></Model>'
    )
    assert moved != text
    (r / "model.osim").write_text(moved)


def _all_muscles_elsewhere(r):
    edit(
        r / "model.osim",
        r"(?s)<ForceSet name=.*?</ForceSet>",
        lambda m: m[0].replace("ForceSet", "ComponentSet"),
    )


def _default_outside_range(r):
    edit(
        r / "model.osim",
        r'(?s)(<Coordinate name="knee_angle_r">.*?<default_value>)[^<]*',
        r"\g<1>3.0",
    )
    edit(r / "model.osim", r'(?s)(<Coordinate name="knee_angle_r">.*?<clamped>)\w+', r"\1true")


def _clock(r, seconds):
    rewrite(r / FORCES, lambda t: {"values": np.roll(t.values, round(seconds / 0.01), axis=0)})


def _prescribed(r, name, value):
    function = f"<prescribed_function><Constant><value>{value}</value></Constant></prescribed_function>"
    edit(
        r / "model.osim",
        rf'(?s)(<Coordinate name="{name}">)(.*?)(</Coordinate>)',
        lambda m: (
            m[1]
            + re.sub(r"<prescribed>.*?</prescribed>", "", m[2])
            + f"{function}<prescribed>true</prescribed>"
            + m[3]
        ),
    )


LABORATORY = {
    "coordinate prescribed otherwise": (
        lambda r: _prescribed(r, "lumbar_extension", 0.2),
        "'lumbar_extension' is prescribed in the model",
    ),
    "degrees said to be radians": (_degrees_as_radians, "turns implausibly far"),
    "unit not said": (_no_unit, "does not say whether it is in degrees"),
    "radians said to be degrees": (_radians_as_degrees, "look like radians"),
    "left foot missing in the data": (
        lambda r: columns(r / FORCES, "foot_l_ground_force_v", 0.0),
        "do not carry the body",
    ),
    "right foot missing in the data": (
        lambda r: columns(r / FORCES, "foot_r_ground_force_v", 0.0),
        "do not carry the body",
    ),
    "one foot missing in the loads": (
        lambda r: edit(r / LOADS, r'(?s)<ExternalForce name="ground_on_foot_l">.*?</ExternalForce>', ""),
        "one foot only",
    ),
    "force upside down": (lambda r: columns(r / FORCES, "force_vy", -1.0), "ground pulls on"),
    "fore-aft force turned": (lambda r: columns(r / FORCES, "force_vx", -1.0), "along x point the wrong way"),
    "feet exchanged": (_feet_exchanged, "acts nearer to 'foot_"),
    "forces in body weights": (
        lambda r: columns(r / FORCES, "force_v", 1 / 735.0),
        "do not fit the body weight",
    ),
    "points in millimetres": (lambda r: columns(r / FORCES, "force_px", 1000.0), "acts far from it"),
    "forces late by 0.05 s": (lambda r: _clock(r, 0.05), "(?s)different clocks.*0.050 s late"),
    "forces end early": (lambda r: rows(r / FORCES, slice(0, 60)), "does not cover the analysed window"),
    "forces start late": (lambda r: rows(r / FORCES, slice(60, None)), "does not cover the analysed window"),
    "forces have a gap": (
        lambda r: rows(r / FORCES, np.r_[0:40, 60:120]),
        "external forces have a gap",
    ),
    "not a number in the forces": (
        lambda r: edit(r / FORCES, r"\n0\.5\t\S+", "\n0.5\tnan"),
        "(?i)not a (finite )?number",
    ),
    "free coordinate missing": (lambda r: without(r / MOTION, "pelvis_tx"), "lacks coordinates.*pelvis_tx"),
    "joint without muscles missing": (
        lambda r: without(r / MOTION, "lumbar_extension"),
        "lacks coordinates.*lumbar_extension",
    ),
    "coordinate misspelt": (
        lambda r: edit(r / MOTION, "\tknee_angle_r", "\tknee_angle_right"),
        "(?s)lacks coordinates.*knee_angle_right",
    ),
    "coordinate locked": (
        lambda r: edit(
            r / "model.osim", r'(?s)(<Coordinate name="knee_angle_r">.*?)<locked>false', r"\1<locked>true"
        ),
        "'knee_angle_r' is locked",
    ),
    "coordinate far outside its range": (
        _far_outside_its_range,
        "'knee_angle_[rl]' is far outside the range",
    ),
    "default outside the range": (_default_outside_range, "muscle_survey' failed"),
    "not a number in the motion": (
        lambda r: edit(r / MOTION, r"\n0\.5\t\S+", "\n0.5\tnan"),
        "(?i)not a (finite )?number",
    ),
    "time runs back": (
        lambda r: lines(r / MOTION, lambda text: [*text[:40], text[41], text[40], *text[42:]]),
        "(?i)time",
    ),
    "frames missing": (lambda r: rows(r / MOTION, np.r_[0:40, 60:120]), "not evenly spaced"),
    "noise without a filter": (_noise, "too noisy"),
    "motion ends early": (lambda r: rows(r / MOTION, slice(0, 60)), "the motion does not cover"),
    "all muscles in the ComponentSet": (
        _all_muscles_elsewhere,
        "(?s)no muscle in its ForceSet.*move the muscles",
    ),
    "a muscle in the ComponentSet": (_muscles_elsewhere, "(?s)outside the ForceSet.*soleus_r.*move them"),
    "no motion": (lambda r: (r / MOTION).unlink(), "cannot read the file"),
    "no model": (lambda r: (r / "model.osim").unlink(), "(?i)cannot.*read|no such"),
    "no loads": (lambda r: (r / LOADS).unlink(), "it does not exist"),
    "no data of the loads": (lambda r: (r / FORCES).unlink(), "data file of the external loads is not there"),
    "wrong identifier": (
        lambda r: edit(r / LOADS, "foot_l_ground_force_v<", "left_force_v<"),
        "(?s)lack a column.*left_force_vx",
    ),
    "wrong body": (
        lambda r: edit(r / LOADS, ">foot_l<", ">fot_l<"),
        "(?s)body the model lacks.*did you mean 'foot_l'",
    ),
    "both forces from one plate": (
        lambda r: edit(r / LOADS, "foot_l_ground_force_v<", "foot_r_ground_force_v<"),
        "same columns act as two",
    ),
    "a force switched off": (
        lambda r: edit(
            r / LOADS, "(<ExternalForce [^>]*foot_l[^>]*>)", r"\1<appliesForce>false</appliesForce>"
        ),
        "external force is switched off",
    ),
}


@pytest.mark.parametrize("name", LABORATORY)
def test_a_fault_in_a_laboratorys_files_is_caught_before_the_run(trial, tmp_path, name):
    plant, message = LABORATORY[name]
    plant(trial)
    with pytest.raises(InputError, match=message):
        through(trial, tmp_path / "out")


# --- what is mended, so that OpenSim gets the numbers that were meant ---

HEADER_LINES = 6  # title, version, nRows, nColumns, inDegrees, endheader; labels follow


def _v3_header(text):
    head = ["inDegrees=yes", "DataType=double", "version=3", "OpenSimVersion=4.6", "endheader"]
    return [*head, *text[HEADER_LINES:]]


def _time_last(text):
    body = [line.split("\t") for line in text[HEADER_LINES:] if line]
    return [*text[:HEADER_LINES], *("\t".join([*cells[1:], cells[0]]) for cells in body), ""]


FORMATS = {
    "a frame repeated": at(40, lambda line: [line, line]),
    "a frame repeated with other values": at(
        40, lambda line: [line, line.rpartition("\t")[0] + "\t" + repr(float(line.rpartition("\t")[2]) + 1.0)]
    ),
    "version 3 header": _v3_header,
    "too many rows stated": lambda t: [line.replace("nRows=120", "nRows=500") for line in t],
    "too few rows stated": lambda t: [line.replace("nRows=120", "nRows=20") for line in t],
    "too many columns stated": lambda t: [line.replace("nColumns=11", "nColumns=12") for line in t],
    "too few columns stated": lambda t: [line.replace("nColumns=11", "nColumns=10") for line in t],
    "no rows stated": lambda t: [line for line in t if "nRows" not in line],
    "inDegrees=true": lambda t: [line.replace("inDegrees=yes", "inDegrees=true") for line in t],
    "inDegrees=YES": lambda t: [line.replace("inDegrees=yes", "inDegrees=YES") for line in t],
    "inDegrees= yes": lambda t: [line.replace("inDegrees=yes", "inDegrees = yes") for line in t],
    "no end of header": lambda t: [line for line in t if line != "endheader"],
    "EndHeader": lambda t: [line.replace("endheader", "EndHeader") for line in t],
    "blanks between cells": lambda t: [line.replace("\t", "  ") for line in t],
    "commas between cells": lambda t: [line.replace("\t", ",") for line in t],
    "semicolons between cells": lambda t: [line.replace("\t", ";") for line in t],
    "Windows line ends": lambda t: [line + "\r" for line in t],
    "byte order mark": lambda t: ["\ufeff" + t[0], *t[1:]],
    "blank line before labels": lambda t: [*t[:HEADER_LINES], "", *t[HEADER_LINES:]],
    "tabs at line ends": lambda t: [line + "\t" if "\t" in line else line for line in t],
    "blank lines at the end": lambda t: [*t, "", ""],
    "Time": lambda t: [line.replace("time\t", "Time\t") for line in t],
    "t": lambda t: [line.replace("time\t", "t\t") for line in t],
    "time not first": _time_last,
    "a row too short": at(40, lambda line: [line.rpartition("\t")[0]]),
    "a row too long": at(40, lambda line: [line + "\t1.0"]),
    "a word among numbers": at(40, lambda line: [line.rpartition("\t")[0] + "\tmissing"]),
    "an infinite cell": at(40, lambda line: [line.rpartition("\t")[0] + "\tinf"]),
    "an empty cell": at(40, lambda line: [re.sub(r"^(\S+)\t\S+", r"\1\t", line)]),
    "a label twice": at(HEADER_LINES, lambda line: [line.replace("ankle_angle_l", "ankle_angle_r")]),
    "a label with a blank": at(HEADER_LINES, lambda line: [line.replace("ankle_angle_l", "ankle angle_l")]),
    "decimal commas": lambda t: [
        line.replace(".", ",") if k > HEADER_LINES else line for k, line in enumerate(t)
    ],
    "no rows": lambda t: t[: HEADER_LINES + 1],
    "one row": lambda t: [*t[: HEADER_LINES + 2], ""],
    "a column of no coordinate": lambda t: [
        *t[:3],
        t[3].replace("11", "12"),
        *t[4:HEADER_LINES],
        t[HEADER_LINES] + "\tmarker_error",
        *(line + "\t0.01" for line in t[HEADER_LINES + 1 : -1]),
        "",
    ],
    "names of states": at(
        HEADER_LINES,
        lambda line: [
            "\t".join(w if w == "time" else f"/jointset/joint/{w}/value" for w in line.split("\t"))
        ],
    ),
}


@pytest.fixture(scope="module")
def seen(lunge):
    """Return what OpenSim sees in the trial as recorded; how a file is read does not depend on it."""
    table, loads = read_storage(lunge / MOTION), read_external_loads(lunge / LOADS)
    return survey(lunge / "model.osim", table, loads, lowpass_hz=0.0)


@pytest.mark.parametrize("name", FORMATS)
def test_a_malformed_motion_is_refused_or_means_the_same(trial, tmp_path, name, seen, monkeypatch):
    monkeypatch.setattr(trial_files, "survey", lambda *given, **settings: seen)
    before = read_storage(trial / MOTION)
    lines(trial / MOTION, FORMATS[name])
    out = tmp_path / "out"
    out.mkdir()
    try:
        trial_files.import_trial(
            trial / "model.osim", trial / MOTION, trial / LOADS, out, settings=UNFILTERED
        )
    except InputError as error:
        named = str(trial / MOTION) in str(error)
    else:
        named = False
    if named:
        return
    after = read_storage(out / "kinematics.mot")
    assert after.names == before.names and after.in_degrees
    np.testing.assert_array_equal(after.time_s, before.time_s)
    np.testing.assert_allclose(
        after.values, before.values, rtol=1e-12, atol=1e-12
    )  # degrees to radians and back


@pytest.mark.parametrize(
    "name", ["too few columns stated", "too few rows stated", "a row too long", "an empty cell"]
)
def test_malformed_forces_are_refused_or_mean_the_same(trial, tmp_path, name):
    before = read_storage(trial / FORCES)
    stated = {
        "too few columns stated": ("nColumns=19", "nColumns=18"),
        "too few rows stated": ("nRows=120", "nRows=20"),
    }
    if name in stated:
        lines(trial / FORCES, lambda t: [line.replace(*stated[name]) for line in t])
    else:
        lines(trial / FORCES, FORMATS[name])
    out = tmp_path / "out"
    out.mkdir()
    try:
        trial_files.import_trial(
            trial / "model.osim", trial / MOTION, trial / LOADS, out, settings=UNFILTERED
        )
    except InputError as error:
        named = str(trial / FORCES) in str(error)
    else:
        named = False
    if named:
        return
    np.testing.assert_array_equal(read_storage(out / "grf.mot").values, before.values)


def test_a_file_of_another_kind_is_refused(trial, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError):
        trial_files.import_trial(
            trial / "model.osim", trial / LOADS, trial / LOADS, tmp_path / "out", settings=UNFILTERED
        )


def test_uneven_frames_are_resampled_and_said(trial, tmp_path):
    def stretched(table):
        time_s = table.time_s + 0.003 * np.sin(150 * table.time_s)
        values = np.column_stack([np.interp(time_s, table.time_s, column) for column in table.values.T])
        return {"time_s": time_s, "values": values}

    rewrite(trial / MOTION, stretched)
    brought, _ = through(trial, tmp_path / "out", lowpass_hz=10.0)
    assert any("unevenly spaced" in note for note in brought.notes)
    assert np.ptp(np.diff(read_storage(tmp_path / "out" / "kinematics.mot").time_s)) < 1e-9


def test_a_unit_that_is_stated_overrules_the_header(trial, tmp_path):
    edit(trial / MOTION, "inDegrees=yes", "inDegrees=no")
    (tmp_path / "out").mkdir()
    brought = trial_files.import_trial(
        trial / "model.osim",
        trial / MOTION,
        trial / LOADS,
        tmp_path / "out",
        settings=UNFILTERED,
        unit="degrees",
    )
    assert any("read as degrees as asked for" in note for note in brought.notes)


# --- what a set-up can hold, also one that was edited in OpenSim's GUI ---


_OLD_FORCE = (
    '<PrescribedForce name="old"><socket_frame>/bodyset/foot_r</socket_frame><forceFunctions>'
    '<FunctionSet name="forceFunctions"><objects>'
    + 3 * "<Constant><value>100</value></Constant>"
    + "</objects></FunctionSet></forceFunctions></PrescribedForce>"
)


def _outside_forces(file):
    edit(file, r"(?s)(<ForceSet name=[^>]*>\s*<objects>)", lambda m: m[1] + _OLD_FORCE)


SETUP = {
    "contact acts besides the loads": (
        lambda r: edit(r / "subject_static_optimization.osim", "<appliesForce>false", "<appliesForce>true"),
        "contact forces act",
    ),
    "a prescribed force in the model": (
        lambda r: _outside_forces(r / "subject_static_optimization.osim"),
        "(?s)contact forces act.*old",
    ),
    "forces replaced": (
        lambda r: edit(
            r / "static_optimization_setup.xml", "<replace_force_set>false", "<replace_force_set>true"
        ),
        "no muscle is left",
    ),
    "motion from states": (
        lambda r: edit(
            r / "static_optimization_setup.xml",
            "<coordinates_file>",
            "<states_file>states.sto</states_file><coordinates_file>",
        ),
        "takes the motion from a file of states",
    ),
    "no actuators": (
        lambda r: edit(
            r / "static_optimization_setup.xml",
            "<force_set_files>.*</force_set_files>",
            "<force_set_files />",
        ),
        "no reserve or residual actuator",
    ),
    "no residuals": (
        lambda r: edit(
            r / "static_optimization_actuators.xml",
            r'(?s)<CoordinateActuator name="residual_.*?</CoordinateActuator>',
            "",
        ),
        "(?s)no reserve or residual.*residual_pelvis_tilt, residual_pelvis_tx, residual_pelvis_ty",
    ),
    "no reserves": (
        lambda r: edit(
            r / "static_optimization_actuators.xml",
            r'(?s)<CoordinateActuator name="reserve_.*?</CoordinateActuator>',
            "",
        ),
        "(?s)no reserve or residual.*reserve_hip_flexion_r",
    ),
    "bounded reserves": (
        lambda r: edit(r / "static_optimization_actuators.xml", "Inf<", "1<"),
        "actuators have bounds",
    ),
    "no external loads": (
        lambda r: edit(
            r / "static_optimization_setup.xml", "<external_loads_file>.*</external_loads_file>", ""
        ),
        "no <external_loads_file>",
    ),
    "no static optimization": (
        lambda r: edit(r / "static_optimization_setup.xml", "<on>true</on>", "<on>false</on>"),
        "does no static optimization",
    ),
    "time beyond the motion": (
        lambda r: edit(
            r / "static_optimization_setup.xml", "<final_time>.*</final_time>", "<final_time>3.0</final_time>"
        ),
        "does not cover the analysed window",
    ),
    "no margin for the filter": (
        lambda r: edit(
            r / "static_optimization_setup.xml",
            "<lowpass_cutoff_frequency_for_coordinates>.*<",
            "<lowpass_cutoff_frequency_for_coordinates>2.0<",
        ),
        "(?s)does not cover.*for the filter on either side",
    ),
    "actuators missing": (
        lambda r: (r / "static_optimization_actuators.xml").unlink(),
        "it does not exist",
    ),
    "model missing": (
        lambda r: (r / "subject_static_optimization.osim").unlink(),
        "model file cannot be read",
    ),
    "motion missing": (lambda r: (r / "kinematics.mot").unlink(), "cannot read the file"),
    "motion that OpenSim misreads": (
        lambda r: edit(r / "kinematics.mot", "nColumns=11", "nColumns=10"),
        "(?s)otherwise than it is meant|another number of columns",
    ),
    "forces that OpenSim misreads": (
        lambda r: edit(r / "grf.mot", "nRows=120", "nRows=20"),
        "(?s)otherwise than it is meant|another number of rows",
    ),
    "uneven frames": (
        lambda r: rows(r / "kinematics.mot", np.r_[0:50, 51:120]),
        "not evenly spaced",
    ),
    "a muscle switched off": (
        lambda r: edit(
            r / "subject_static_optimization.osim",
            r'(?s)(<Millard2012EquilibriumMuscle name="soleus_r">)',
            r"\1<appliesForce>false</appliesForce>",
        ),
        "(?s)muscles are switched off.*soleus_r",
    ),
}


@pytest.mark.parametrize("name", SETUP)
def test_a_fault_in_a_set_up_is_caught_before_the_run(prepared_lunge, name):
    plant, message = SETUP[name]
    plant(prepared_lunge)
    with pytest.raises(InputError, match=message):
        check_inputs(read_setup(prepared_lunge / "static_optimization_setup.xml"))


def test_a_model_with_forces_of_an_earlier_analysis_is_prepared_without_them(trial, tmp_path):
    _outside_forces(trial / "model.osim")
    through(trial, tmp_path / "out")
    prepared = (tmp_path / "out" / "subject_static_optimization.osim").read_text()
    assert re.search(r'(?s)<PrescribedForce name="old">.*?<appliesForce>false</appliesForce>', prepared)
    check_inputs(read_setup(tmp_path / "out" / "static_optimization_setup.xml"))


def test_a_prescribed_coordinate_gets_no_actuator_and_may_be_absent(trial, tmp_path):
    _prescribed(trial, "lumbar_extension", 0.05)
    without(trial / MOTION, "lumbar_extension")
    brought, inputs = through(trial, tmp_path / "out")
    assert any("supplies lumbar_extension" in note for note in brought.notes)
    assert not next(c for c in inputs.coordinates if c.name == "lumbar_extension").is_free
    assert "lumbar_extension" not in (tmp_path / "out" / "static_optimization_actuators.xml").read_text()
    written = read_storage(tmp_path / "out" / "kinematics.mot").column("lumbar_extension")
    np.testing.assert_allclose(written, np.rad2deg(0.05))


# --- coupled coordinates ---


@pytest.fixture(scope="module")
def coupled(tmp_path_factory):
    """A published walk of Rajagopal's model, brought in; the motion does not hold its betas."""
    source = SHARED / "data" / "opencap_s4_walking"
    if not source.is_dir():
        pytest.skip("needs ../shared/data/opencap_s4_walking")
    folder = tmp_path_factory.mktemp("coupled")
    brought = trial_files.import_trial(
        source / "subject4_optimized.osim",
        source / "walking1_ik.mot",
        source / "walking1_external_forces_fixed.xml",
        folder,
        settings=Settings(),
        from_s=0.5,
        to_s=0.7,
    )
    prepare(folder, window=brought.window)
    return folder, brought


def test_coupled_coordinates_are_supplied_in_radians(coupled):
    folder, brought = coupled
    assert any("supplies knee_angle_r_beta, knee_angle_l_beta" in note for note in brought.notes)
    table = read_storage(folder / "kinematics.mot")
    for side in "rl":
        # The coupler of this model is the identity: degrees beside radians of the same angle.
        knee, beta = (table.column(f"knee_angle_{side}{end}") for end in ("", "_beta"))
        np.testing.assert_allclose(beta, np.deg2rad(knee), atol=1e-9)


def test_a_coupled_coordinate_in_degrees_is_caught(coupled, tmp_path):
    folder = Path(shutil.copytree(coupled[0], tmp_path / "wrong"))
    rewrite(
        folder / "kinematics.mot",
        lambda t: {"values": t.values * np.where([n.endswith("_beta") for n in t.names], 180 / np.pi, 1.0)},
    )
    with pytest.raises(
        InputError, match=r"(?s)'knee_angle_r_beta' does not satisfy its coupler.*never in degrees"
    ):
        check_inputs(read_setup(folder / "static_optimization_setup.xml"))


def test_a_coupled_coordinate_in_degrees_is_mended_on_the_way_in(coupled, tmp_path):
    source = SHARED / "data" / "opencap_s4_walking"
    table = read_storage(coupled[0] / "kinematics.mot")
    wrong = table.values * np.where([n.endswith("_beta") for n in table.names], 180 / np.pi, 1.0)
    write_storage(tmp_path / "walk.mot", dataclasses.replace(table, values=wrong))
    (tmp_path / "out").mkdir()
    brought = trial_files.import_trial(
        source / "subject4_optimized.osim",
        tmp_path / "walk.mot",
        source / "walking1_external_forces_fixed.xml",
        tmp_path / "out",
        settings=Settings(),
    )
    assert any("'knee_angle_r_beta' did not satisfy its coupler" in note for note in brought.notes)
    mended = read_storage(tmp_path / "out" / "kinematics.mot")
    np.testing.assert_allclose(mended.values, table.values, atol=1e-9)


def test_of_an_estimate_it_is_said_that_forces_do_not_fit(trial, tmp_path):
    """A poor estimate is no fault of its files: its verdict will tell, so the optimizer may run."""
    columns(trial / FORCES, "force_vx", -1.0)
    out = tmp_path / "out"
    with pytest.raises(InputError):
        through(trial, out)
    inputs = check_inputs(read_setup(out / "static_optimization_setup.xml"), measured=False)
    assert any("along x point the wrong way" in warning for warning in inputs.warnings)
