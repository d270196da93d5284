"""Prepared set-ups solved without OpenSim's optimizer, with the verdict and the tables of a run with it."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.path_fits import PathFit, Piece, dump_fits
from casadi_dynamics.osim import read_model
from sspinn_opensim.cli.command import main
from sspinn_opensim.muscles import FastOptimizer
from sspinn_opensim.muscles import fast_optimizer as fast
from sspinn_opensim.opensim_io.static_optimization.setup import Settings, prepare
from sspinn_opensim.opensim_io.static_optimization.setup_file import read_setup
from sspinn_opensim.opensim_io.tables.storage import read_storage

WINDOW = (8.0, 8.05)


@pytest.fixture(scope="module")
def prepared(walk_files, tmp_path_factory):
    folder = shutil.copytree(walk_files, tmp_path_factory.mktemp("prepared") / "results")
    prepare(folder, window=WINDOW, settings=Settings())
    return folder


@pytest.fixture
def trial(prepared, tmp_path):
    return read_setup(shutil.copytree(prepared, tmp_path / "copy") / "static_optimization_setup.xml")


@pytest.fixture
def said():
    return []


def test_the_tables_are_those_that_opensim_writes(trial, walk_files, tmp_path, solve_with_opensim, said):
    solution = FastOptimizer(Settings(), [trial.file.parent], said.append)(trial)
    ours = {kind: read_storage(table_file(trial.raw_folder, kind)) for kind in ("force", "activation")}
    folder = shutil.copytree(walk_files, tmp_path / "opensim")
    walk = solve_with_opensim(folder, WINDOW)
    loads = ("_Fx", "_Fy", "_Fz", "_px", "_py", "_pz", "_Tx", "_Ty", "_Tz")
    acting = tuple(name for name in walk.forces.names if not name.endswith(loads))
    assert ours["force"].names == acting and ours["activation"].names == walk.activations.names
    for name in walk.activations.names:
        # controls of reserves are small beside those of muscles, to whose sum OpenSim's criterion applies
        np.testing.assert_allclose(
            ours["activation"].column(name), walk.activations.column(name), atol=2e-4, err_msg=name
        )
    np.testing.assert_allclose(ours["force"].values[:, :18], solution.forces, atol=1e-6)
    assert said == []


def table_file(folder, kind):
    return folder / f"subject_StaticOptimization_{kind}.sto"


def test_trials_of_one_model_share_a_solver(trial, said, monkeypatch):
    made = []
    monkeypatch.setattr(fast, "MuscleSolver", lambda *args, **kw: made.append(1) or solver_class(*args, **kw))
    optimizer = FastOptimizer(Settings(), [trial.file.parent], said.append)
    first = optimizer(trial)
    again = optimizer(dataclasses.replace(trial, to_s=8.02))
    assert len(made) == 1 and len(again.time_s) < len(first.time_s)
    np.testing.assert_allclose(again.forces, first.forces[: len(again.time_s)], atol=1e-6)


solver_class = fast.MuscleSolver


@pytest.mark.parametrize("change", [{"replaces_forces": True}, {"states": "states.sto"}])
def test_set_ups_for_opensim_alone_are_refused(trial, said, change):
    with pytest.raises(InputError, match="by OpenSim only"):
        FastOptimizer(Settings(), [trial.file.parent], said.append)(dataclasses.replace(trial, **change))
    assert not (trial.file.parent / "static_optimization").exists()


WRAP = (
    '<PathWrapSet name="w"><objects><PathWrap name="p"><wrap_object>roll</wrap_object></PathWrap>'
    "</objects></PathWrapSet>"
)
SURFACE = (
    '<WrapObjectSet name="s"><objects><WrapCylinder name="roll"><radius>0.01</radius><length>0.1</length>'
    "</WrapCylinder></objects></WrapObjectSet>"
)


def wrapped(file):
    """Let `vasti_r` wrap around a roll on its femur."""
    text = file.read_text()
    end = text.index("</PathPointSet>", text.index('name="vasti_r"')) + len("</PathPointSet>")
    text = text[:end] + WRAP + text[end:]
    start = text.index('<Body name="femur_r">') + len('<Body name="femur_r">')
    file.write_text(text[:start] + SURFACE + text[start:])


@pytest.fixture
def with_a_wrap(trial, monkeypatch):
    """Return a set-up with a wrapped muscle, and the fits OpenSim is asked for in vain: counted, not made."""
    folder, asked = trial.file.parent, []
    for name in ("subject.osim", trial.model.name):
        wrapped(folder / name)
    # the length at knee angles about zero, a range that the walk leaves
    piece = Piece((-0.01,), (0.01,), ((0,), (1,)), (0.45, -0.01))
    fit = PathFit("vasti_r", ("knee_angle_r",), (piece,), 0.0, 0.0, 0.0, 0.0)
    monkeypatch.setattr(fast, "fit_wrapped_paths", lambda *a: asked.append(a) or (fit,))
    return trial, (fit,), asked


def test_wrapped_muscles_are_fitted_once_and_kept(with_a_wrap, said):
    trial, fits, asked = with_a_wrap
    folder = trial.file.parent
    FastOptimizer(Settings(), [folder], said.append)(trial)
    assert len(asked) == 1 and asked[0][0] == folder / "subject.osim"
    assert (folder / "subject.paths.json").read_text() == dump_fits(read_model(folder / "subject.osim"), fits)
    FastOptimizer(Settings(), [folder], said.append)(trial)
    assert len(asked) == 1
    assert [line.split()[0] for line in said] == ["fitting", "note:", "note:"]
    assert "vasti_r" in said[1] and "leave the range" in said[1]


def test_the_verb_takes_the_fast_way(walk_files, tmp_path, capsys):
    """The command checks the files, solves, judges and draws as with OpenSim's optimizer."""
    files = ["subject.osim", "kinematics.mot", "--external-loads", "external_loads.xml"]
    places = [str(walk_files / name) if "." in name else name for name in files]
    options = ["--from", "7.9", "--to", "8.1", "--lowpass", "0", "--out", str(tmp_path / "out"), "--fast"]
    assert main(["muscles", *places, *options]) == 0
    verdict = json.loads((tmp_path / "out" / "static_optimization.json").read_text())
    assert verdict["frames"] == 21 and verdict["failed_frames"] == 0 and "compiled" in verdict["method"]
    forces = read_storage(tmp_path / "out" / "muscle_forces.sto")
    raw = read_storage(table_file(tmp_path / "out" / "static_optimization", "force"))
    np.testing.assert_allclose(forces.values, raw.values[:, :18], atol=1e-6)
    assert (forces.values > 0).any() and "static optimization" in capsys.readouterr().out


def test_fits_of_another_model_are_passed_over(with_a_wrap, said, tmp_path):
    trial, fits, asked = with_a_wrap
    other = dataclasses.replace(read_model(trial.file.parent / "subject.osim"), gravity=(0.0, -1.62, 0.0))
    (tmp_path / "moon.paths.json").write_text(dump_fits(other, fits))
    FastOptimizer(Settings(), [trial.file.parent, tmp_path], said.append)(trial)
    assert len(asked) == 1
    assert "moon.paths.json" in said[0] and "another model" in said[0]


@pytest.mark.parametrize(
    "text", ["", '{"model": "abc", "fits": [{}]}', "[]", '{"model"', b"\xff\xfe\x00"], ids=repr
)
def test_a_damaged_file_of_fits_is_an_error_and_not_minutes_of_fitting(with_a_wrap, said, text):
    trial, _, asked = with_a_wrap
    stored = trial.file.parent / "subject.paths.json"
    stored.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match="(?s)cannot be read.*subject.paths.json.*delete"):
        FastOptimizer(Settings(), [trial.file.parent], said.append)(trial)
    assert not asked and not said


def test_a_damaged_file_is_named_where_another_one_serves(with_a_wrap, said):
    trial, fits, asked = with_a_wrap
    folder = trial.file.parent
    (folder / "damaged.paths.json").write_text("{")
    (folder / "subject.paths.json").write_text(dump_fits(read_model(folder / "subject.osim"), fits))
    FastOptimizer(Settings(), [folder], said.append)(trial)
    assert not asked and "damaged.paths.json" in said[0] and "cannot be read" in said[0]
