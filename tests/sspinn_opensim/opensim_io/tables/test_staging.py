"""A set of files gets its names only after OpenSim has read every one of them."""

import dataclasses
import importlib
import warnings
from pathlib import Path

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError, OpenSimError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.osim import read_model
from sspinn_opensim.opensim_io.tables import staging
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tables.motion_files import ground_forces_table, kinematics_table, moments_table
from sspinn_opensim.opensim_io.tables.staging import check_files, written_together
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.opensim_io.worker.tables import inspect_files

FEET = ("foot_r", "foot_l")

#: A job: a motion as OpenSim's tools take it, in rad and m.
TAKES_A_MOTION = """
import numpy as np
from sspinn_opensim.opensim_io.worker.tables import _labels, _rows

def job(opensim, model, motion, output):
    loaded = opensim.Model(model)
    loaded.initSystem()
    storage = opensim.Storage(motion)
    if storage.isInDegrees():
        loaded.getSimbodyEngine().convertDegreesToRadians(storage)
    np.savez(output, motion=_rows(storage))
    return {"labels": _labels(storage)}
"""


def random_table(rows=40, in_degrees=True) -> Table:
    values = np.random.default_rng(3).normal(size=(rows, 3)) * [1e-7, 1.0, 1e6]
    return Table(("hip_flexion_r", "a/b|value", "é"), np.arange(rows) / 60, values, in_degrees, "a title")


def write_set(folder):
    time_s = np.arange(20) / 100
    model = read_model(osim_models.path("planar_gait.osim"))
    names, motions = model.coordinate_names, [c.motion for c in model.coordinates]
    q = np.random.default_rng(0).normal(size=(20, len(names)))
    write_storage(folder / "kinematics.mot", kinematics_table(names, motions, time_s, q))
    write_storage(folder / "moments.sto", moments_table(names, motions, time_s, 100 * q))
    wrench = np.random.default_rng(1).normal(size=(3, 20, 2, 3))
    write_storage(folder / "grf.mot", ground_forces_table(FEET, time_s, *wrench))
    write_external_loads(folder / "external_loads.xml", FEET)


def test_a_set_is_checked_in_one_process_and_moved(tmp_path, monkeypatch):
    jobs = []
    monkeypatch.setattr(staging, "run_job", lambda job, *a, **k: (jobs.append(job), run_job(job, *a, **k))[1])
    out = tmp_path / "new" / "results"
    with written_together(out) as folder:
        write_set(folder)
        (folder / "seeds").mkdir()
        write_storage(folder / "seeds" / "a.sto", random_table())
        assert [path.name for path in out.iterdir()] == [folder.name]
    assert jobs == [inspect_files]
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert found == {"kinematics.mot", "moments.sto", "grf.mot", "external_loads.xml", "seeds/a.sto"}
    assert {path.name for path in out.iterdir()} == {name.split("/")[0] for name in found}


def test_what_was_read_is_remembered_by_its_content(tmp_path, monkeypatch):
    jobs = []
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(staging, "run_job", lambda job, *a, **k: (jobs.append(job), run_job(job, *a, **k))[1])
    table = random_table()
    first = write_storage(tmp_path / "a.sto", table)
    check_files([first])
    check_files([first])
    assert len(jobs) == 1
    write_storage(first, dataclasses.replace(table, values=2 * table.values))
    check_files([first])
    assert len(jobs) == 2, "another content under the same name is another question"


def test_large_tables_are_read_one_after_the_other(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(staging, "_MOST_BYTES", 1.0)
    monkeypatch.setattr(
        staging, "run_job", lambda job, given, **k: (read.append(given), run_job(job, given, **k))[1]
    )
    with written_together(tmp_path / "results") as folder:
        write_set(folder)
    assert [len(given["tables"]) for given in read] == [1, 1, 1]
    assert [len(given["setups"]) for given in read] == [1, 0, 0]
    damaged = tmp_path / "results" / "moments.sto"
    damaged.write_text(damaged.read_text().replace("nRows=20", "nRows=10"))
    with pytest.warns(match="10 rows"), pytest.raises(InputError, match="as it was meant"):
        check_files([tmp_path / "results" / "grf.mot", damaged])


def misread(folder):
    """Rows that OpenSim's Storage cuts off, as its header tells it to."""
    path = write_storage(folder / "kinematics.mot", random_table())
    path.write_text(path.read_text().replace("nRows=40", "nRows=30"))


def misread_unit(folder):
    path = write_storage(folder / "kinematics.mot", random_table())
    path.write_text(path.read_text().replace("inDegrees=yes", "inDegrees=true"))


def no_data(folder):
    write_external_loads(folder / "external_loads.xml", FEET, "missing.mot")


def absolute(folder):
    write_set(folder)
    write_external_loads(folder / "external_loads.xml", FEET, str(folder / "grf.mot"))


def wrong_columns(folder):
    write_set(folder)
    write_external_loads(folder / "external_loads.xml", FEET, "grf.mot")
    text = (folder / "external_loads.xml").read_text()
    (folder / "external_loads.xml").write_text(text.replace("ExternalLoads", "ExternalLodes"))


@pytest.fixture
def careless_reader(monkeypatch):
    """Let our reader see nothing unusual, so that OpenSim's own readings decide."""
    read = staging.read_storage
    monkeypatch.setattr(staging, "read_storage", lambda path: dataclasses.replace(read(path), notes=()))


@pytest.mark.filterwarnings("ignore::sspinn_opensim.opensim_io.tables.storage.StorageWarning")
@pytest.mark.usefixtures("careless_reader")
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (misread, "(?s)does not read the file as it was meant.*Storage"),
        (misread_unit, "(?s)does not read the file as it was meant.*inDegrees="),
        (no_data, "(?s)cannot be used.*<datafile> names a file that is not there: missing.mot"),
        (absolute, "absolute path"),
        (wrong_columns, "(?s)cannot load the set-up.*ExternalLodes"),
    ],
)
def test_nothing_is_replaced_when_opensim_reads_a_file_otherwise(tmp_path, spoil, message):
    (tmp_path / "kinematics.mot").write_text("of before")
    with pytest.raises(OpenSimError, match=message), written_together(tmp_path) as folder:
        spoil(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["kinematics.mot"]
    assert (tmp_path / "kinematics.mot").read_text() == "of before"


def test_a_number_that_opensim_reads_otherwise_is_found_in_any_row(tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "_ROWS_AT_ONCE", 5)
    path, table = tmp_path / "a.sto", random_table(rows=14)
    write_storage(path, table)
    table.values[13, 1] *= 1 + 1e-13
    monkeypatch.setattr(staging, "read_storage", lambda path: table)
    with pytest.raises(OpenSimError, match=r"(?s)as it was meant.*'a/b\|value' in row 14"):
        check_files([path])


@pytest.mark.filterwarnings("ignore::sspinn_opensim.opensim_io.tables.storage.StorageWarning")
def test_what_our_reader_notes_is_not_given_to_opensim(tmp_path, monkeypatch):
    """It may read some of these for ever."""
    monkeypatch.setattr(staging, "run_job", None)
    path = write_storage(tmp_path / "a.sto", random_table())
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))
    with pytest.raises(OpenSimError, match=r"(?s)as it was meant.*on which OpenSim hangs"):
        check_files([path])


def test_nothing_is_left_after_an_error_or_without_space(tmp_path, monkeypatch):
    unknown = dataclasses.replace(random_table(), values=np.full((40, 3), np.nan))
    tables = {"a.sto": random_table(), "b.sto": unknown}
    with pytest.raises(InputError, match="not a finite number"), written_together(tmp_path) as folder:
        [write_storage(folder / name, table) for name, table in tables.items()]
    assert not list(tmp_path.iterdir())

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(staging, "check_files", lambda files: monkeypatch.setattr(Path, "replace", full_disk))
    with pytest.raises(InputError, match="No space left on device"), written_together(tmp_path) as folder:
        (folder / "a.txt").write_text("a")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="cannot write the results"),
        written_together(tmp_path / "file" / "x"),
    ):
        pass


@pytest.mark.parametrize("suffix", [".sto", ".mot"])
@pytest.mark.parametrize("in_degrees", [True, False])
def test_both_readers_of_opensim_read_every_number_of_what_is_written(tmp_path, suffix, in_degrees):
    """Also the smallest and largest numbers, to the last digits."""
    extreme = np.array([[5e-324, -1.7976931348623157e308, 0.1], [1 / 3, -0.0, 1e22]])
    table = random_table(in_degrees=in_degrees)
    values = np.vstack([extreme, table.values[2:]])
    check_files([write_storage(tmp_path / f"x{suffix}", dataclasses.replace(table, values=values))])


@pytest.mark.parametrize("name", ["Rajagopal2016", "gait2354_subject01", "leg6dof9musc"])
def test_opensim_takes_our_degrees_back_to_the_same_coordinates(shared, tmp_path, monkeypatch, name):
    """Rotational coordinates are in degrees, translational and coupled ones as they are: OpenSim agrees."""
    model = read_model(shared / "models" / f"{name}.osim")
    motions = {c.name: c.motion for c in model.coordinates}
    q = np.random.default_rng(0).uniform(-0.5, 0.5, (5, len(motions)))
    table = kinematics_table(list(motions), list(motions.values()), np.arange(5) / 100, q)
    motion, output = write_storage(tmp_path / "kinematics.mot", table), tmp_path / "readings.npz"
    arguments = {"model": shared / "models" / f"{name}.osim", "motion": motion, "output": output}
    job_file = tmp_path / f"takes_motion_of_{name}.py"
    job_file.write_text(TAKES_A_MOTION)
    monkeypatch.syspath_prepend(tmp_path)
    answer = run_job(importlib.import_module(job_file.stem).job, arguments, timeout_s=120, outputs=[output])
    assert answer.values["labels"] == list(motions)
    with np.load(output) as readings:
        np.testing.assert_allclose(readings["motion"][:, 1:], q, rtol=1e-14, atol=1e-15)
    if name == "Rajagopal2016":
        assert motions["knee_angle_r_beta"] == "coupled"
        np.testing.assert_array_equal(
            table.column("knee_angle_r_beta"), q[:, list(motions).index("knee_angle_r_beta")]
        )


def test_of_a_long_table_opensim_reads_an_excerpt(tmp_path, monkeypatch):
    """Rows of the start, the end and in between, as they stand; loads that name the table come along."""
    monkeypatch.setattr(staging, "_LONG_BYTES", 20_000)
    monkeypatch.setattr(staging, "_EXCERPT_ROWS", 5)
    seen = []
    monkeypatch.setattr(
        staging, "_check_group", lambda tables, setups: seen.append((read_them(tables), set(tables), setups))
    )
    rng = np.random.default_rng(0)
    names = [f"foot_{kind}{axis}" for kind in ("v", "p", "t") for axis in "xyz"]
    long = Table(tuple(names), np.arange(1000) / 100, rng.normal(size=(1000, 9)), header="long")
    write_storage(tmp_path / "grf.mot", long)
    write_storage(tmp_path / "short.sto", Table(("a",), np.arange(3.0), np.zeros((3, 1))))
    write_external_loads(tmp_path / "loads.xml", ("foot_r",), "grf.mot")
    staging.check_files(sorted(tmp_path.iterdir()))
    ((found, paths, setups),) = seen
    rows, expected = found["grf.mot"], np.isin(np.arange(1000), [0, 4, 995, 999])
    assert len(rows.time_s) == 40 and np.isin(long.time_s[expected], rows.time_s).all()
    np.testing.assert_array_equal(rows.values, long.values[np.isin(long.time_s, rows.time_s)])
    assert len(found["short.sto"].time_s) == 3
    (loads,) = setups.values()
    assert str(loads.path.parent / "grf.mot") in paths and loads.path.parent != tmp_path


def read_them(tables):
    """Return what our reader finds in the files of tables, which is what is said of them."""
    found = {}
    for path, table in tables.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # between the stretches time jumps
            read = read_storage(Path(path))
        np.testing.assert_array_equal(read.values, table.values)
        np.testing.assert_array_equal(read.time_s, table.time_s)
        assert not [note for note in read.notes if "header" in note]
        found[Path(path).name] = read
    return found
