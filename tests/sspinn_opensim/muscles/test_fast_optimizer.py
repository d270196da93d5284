"""Prepared set-ups solved without OpenSim's optimizer, with the verdict and the tables of a run with it."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.cli.command import main
from sspinn_opensim.muscles import FastOptimizer
from sspinn_opensim.muscles import fast_optimizer as fast
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings, prepare
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


def test_the_tables_are_those_that_opensim_writes(trial, walk_files, tmp_path, solve_with_opensim):
    solution = FastOptimizer(Settings())(trial)
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


def table_file(folder, kind):
    return folder / f"subject_StaticOptimization_{kind}.sto"


def test_trials_of_one_model_share_a_solver(trial, monkeypatch):
    made = []
    monkeypatch.setattr(fast, "MuscleSolver", lambda *args, **kw: made.append(1) or solver_class(*args, **kw))
    optimizer = FastOptimizer(Settings())
    first = optimizer(trial)
    again = optimizer(dataclasses.replace(trial, to_s=8.02))
    assert len(made) == 1 and len(again.time_s) < len(first.time_s)
    np.testing.assert_allclose(again.forces, first.forces[: len(again.time_s)], atol=1e-6)


solver_class = fast.MuscleSolver


@pytest.mark.parametrize("change", [{"replaces_forces": True}, {"states": "states.sto"}])
def test_set_ups_for_opensim_alone_are_refused(trial, change):
    with pytest.raises(InputError, match="by OpenSim only"):
        FastOptimizer(Settings())(dataclasses.replace(trial, **change))
    assert not (trial.file.parent / "static_optimization").exists()


def test_the_verb_takes_the_fast_way(walk_files, tmp_path, capsys):
    """The command checks the files, solves, judges and draws as with OpenSim's optimizer."""
    files = ["subject.osim", "kinematics.mot", "--external-loads", "external_loads.xml"]
    places = [str(walk_files / name) if "." in name else name for name in files]
    options = ["--from", "7.9", "--to", "8.1", "--lowpass", "0", "--out", str(tmp_path / "out"), "--fast"]
    assert main(["muscles", *places, *options]) == 0
    verdict = json.loads((tmp_path / "out" / "static_optimization.json").read_text())
    assert verdict["frames"] == 21 and verdict["failed_frames"] == 0 and "compiled" in verdict["method"]
    # What this optimizer does not tell is no number that could be compared.
    assert verdict["max_constraint_violation"] is None
    frames = read_storage(tmp_path / "out" / "static_optimization_frames.sto")
    assert "objective" in frames.names and "constraint_violation" not in frames.names
    forces = read_storage(tmp_path / "out" / "muscle_forces.sto")
    raw = read_storage(table_file(tmp_path / "out" / "static_optimization", "force"))
    np.testing.assert_allclose(forces.values, raw.values[:, :18], atol=1e-6)
    assert (forces.values > 0).any() and "static optimization" in capsys.readouterr().out


WRAP = (
    '<PathWrapSet name="w"><objects><PathWrap name="p"><wrap_object>roll</wrap_object></PathWrap>'
    '<PathWrap name="q"><wrap_object>ball</wrap_object></PathWrap></objects></PathWrapSet>'
)
SURFACES = (
    '<WrapObjectSet name="s"><objects><WrapCylinder name="roll"><radius>0.03</radius><length>0.5</length>'
    '<translation>-0.02 -0.25 0.05</translation></WrapCylinder><WrapSphere name="ball">'
    "<radius>0.02</radius><translation>-0.01 -0.36 0.04</translation></WrapSphere></objects></WrapObjectSet>"
)


def wrapped(file):
    """Let `hamstrings_r` wrap around a roll and a ball on the femur."""
    text = file.read_text()
    end = text.index("</PathPointSet>", text.index('name="hamstrings_r"')) + len("</PathPointSet>")
    text = text[:end] + WRAP + text[end:]
    start = text.index('<Body name="femur_r">') + len('<Body name="femur_r">')
    file.write_text(text[:start] + SURFACES + text[start:])


def test_a_wrapped_muscle_is_opensims(prepared, tmp_path, solve_with_opensim):
    """No fit, no OpenSim: its force is that of OpenSim's own path around two surfaces."""
    folder = shutil.copytree(prepared, tmp_path / "fast")
    free = FastOptimizer(Settings())(read_setup(folder / "static_optimization_setup.xml"))
    for name in ("subject.osim", "subject_static_optimization.osim"):
        wrapped(folder / name)
    ours = FastOptimizer(Settings())(read_setup(folder / "static_optimization_setup.xml"))
    theirs = solve_with_opensim(shutil.copytree(folder, tmp_path / "opensim"), WINDOW)
    i = ours.muscles.index("hamstrings_r")
    assert np.abs(ours.forces - free.forces)[:, i].max() > 5
    for k, name in enumerate(ours.muscles):
        np.testing.assert_allclose(
            ours.activations[:, k], theirs.activations.column(name), atol=2e-4, err_msg=name
        )
