"""Hostile files: pipes, links, bombs and programs where a file is read, and texts that would steer or run.

``python -m benchmarks.hostile`` plants many more, before whole commands; here are the kinds.
"""

import json
import os
import pickle
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import check_unpacked, read_input
from casadi_dynamics.osim import read_model
from sspinn_opensim.cli import main
from sspinn_opensim.lock import owned, owner_of
from sspinn_opensim.opensim_io.documents import read_root
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.recording import RecordingChoice
from sspinn_opensim.recording.formats.apdm import read_apdm
from sspinn_opensim.recording.formats.csv_table import read_csv
from sspinn_opensim.recording.formats.npz_archive import read_npz
from sspinn_opensim.recording.formats.xsens_mapping import read_mapping
from sspinn_opensim.results import stages
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.results.gui_steps import readme
from sspinn_opensim.results.manifest import compare_with_manifest, read_manifest
from sspinn_opensim.results.record import recorded
from sspinn_opensim.study import examples_folder, read_study
from sspinn_opensim.text import csv_table
from sspinn_opensim.training.checkpoint_file import FORMAT, read_outline, read_whole
from sspinn_opensim.verbs.open import open as open_folder
from sspinn_opensim.viewer.bones import read_bones
from sspinn_opensim.viewer.meshes import read_mesh

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes, devices and links of Unix")

LAUGHS = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "ha"}">' for i in range(12))
#: What clears a screen, writes to a clipboard, makes a link, and turns the direction of a text.
ESCAPES = "\x1b[2J\x1b]52;c;ZXZpbA==\x07\x1b]8;;http://evil.example\x07x\x1b]8;;\x07\u202egnp."
THINGS = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "link that leads nowhere": lambda path: path.symlink_to("nothing"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "a tebibyte": lambda path: (path.touch(), os.truncate(path, 2**40)),
}


class Owned:
    """What runs a program when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.fixture
def model(tmp_path):
    """Return a function: a change of the text of the built-in model to the path of the changed file."""

    def changed(change) -> Path:
        text = osim_models.path("planar_gait.osim").read_text()
        path = tmp_path / "model.osim"
        path.write_text(change(text[text.index("<OpenSimDocument") :]), encoding="utf-8")
        return path

    return changed


def recording(file):
    return RecordingChoice(file=file, format="npz")


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize(
    "read", [lambda path: read_input(path, "the file"), read_model, read_storage, lambda p: read_root(p, "")]
)
def test_what_is_no_file_or_too_large_is_refused_before_it_is_read(thing, read, tmp_path):
    THINGS[thing](tmp_path / "file.osim")
    with pytest.raises(InputError):
        read(tmp_path / "file.osim")


def test_texts_that_stand_for_others_are_refused_in_every_kind_of_xml(model, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a secret")
    types = (f"<!DOCTYPE m [{LAUGHS}]>", f'<!DOCTYPE m [<!ENTITY e11 SYSTEM "{secret}">]>')
    for doctype in types:
        path = tmp_path / "file.xml"
        path.write_text(f"{doctype}<OpenSimDocument><ExternalLoads>&e11;</ExternalLoads></OpenSimDocument>")
        mesh = tmp_path / "file.vtp"
        # Where the bytes of the words do not show.
        mesh.write_bytes(
            f'<?xml version="1.0" encoding="UTF-16"?>{doctype}<VTKFile>&e11;</VTKFile>'.encode("utf-16")
        )
        own = model(
            lambda text, doctype=doctype: doctype + text.replace("<Model ", "<Model>&e11;</Model><Model ", 1)
        )
        for read, file in (
            (lambda p: read_root(p, ""), path),
            (read_mapping, path),
            (read_mesh, mesh),
            (read_model, own),
        ):
            with pytest.raises(InputError) as caught:
                read(file)
            assert "document type" in str(caught.value) or "amplification" in str(caught.value)
            assert "a secret" not in str(caught.value)


def test_parts_that_name_parts_end(model, tmp_path):
    for level in range(40):  # 2 to the 40th, if all were put in place
        inner = "" if level == 39 else f'<Body file="p{level + 1}.xml"/>' * 2
        (tmp_path / f"p{level}.xml").write_text(
            f'<OpenSimDocument Version="40500"><Body name="b"><x>{inner}</x></Body></OpenSimDocument>'
        )
    for first in (0, 25):  # too deep; too many
        path = model(lambda text, n=first: text.replace("<BodySet", f'<Body file="p{n}.xml"/><BodySet', 1))
        with pytest.raises(InputError, match="too many parts"):
            read_model(path)


def npy(shape: str) -> bytes:
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


def test_archives_that_grow_or_run_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("casadi_dynamics.input_files._FREE_BYTES", 1_000_000)
    bomb = tmp_path / "bomb.npz"
    packed = zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED)
    with packed as archive, archive.open("time_s.npy", "w") as member:
        member.write(npy("(1000000,)"))
        for _ in range(8):
            member.write(bytes(1_000_000))
    with pytest.raises(InputError, match="far more than a recording of its size"):
        read_npz(recording(bomb))
    mark = tmp_path / "owned"
    for arrays in ({"time_s": Owned(mark)}, {"segments": Owned(mark), "time_s": 1.0, "acc": 1.0}):
        np.savez(tmp_path / "objects.npz", **{k: np.array([v], object) for k, v in arrays.items()})
        with pytest.raises(InputError):
            read_npz(recording(tmp_path / "objects.npz"))
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(Owned(mark)))
    with pytest.raises(InputError):
        read_npz(recording(tmp_path / "plain.npz"))
    assert not mark.exists()
    check_unpacked(bomb, 900_000)  # a small file may hold zeros


def test_hdf5_takes_nothing_from_other_files_and_grows_little(tmp_path):
    h5py = pytest.importorskip("h5py")
    pipe = str(tmp_path / "pipe.h5")
    os.mkfifo(pipe)
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(5000))
    plants = (
        lambda own: own.__setitem__("Accelerometer", h5py.ExternalLink("pipe.h5", "/x")),
        lambda own: own.create_dataset("Accelerometer", (9, 3), "u1", external=[(str(secret), 0, 27)]),
        lambda own: own.create_dataset("Accelerometer", (9, 3), "u1", external=[(pipe, 0, 27)]),
        lambda own: own.create_dataset("Accelerometer", (10**12, 3), "f8", chunks=(10**4, 3)),
    )  # fmt: skip
    for plant in plants:
        with h5py.File(tmp_path / "file.h5", "w") as file:
            own = file.create_group("Sensors/1")
            own["Time"], own["Gyroscope"] = np.arange(9), np.zeros((9, 3))
            plant(own)
        with pytest.raises(InputError, match=r"in another file|far more than"):
            read_apdm(recording(tmp_path / "file.h5"))


def test_meshes_of_one_file_are_read_once_and_of_any_corners_soon(model, tmp_path):
    ends = " ".join(str(k * (k + 1) // 2) for k in range(1, 1501))  # polygons of every size up to 1500
    corners = "0 1 2 " * (1500 * 1501 // 6)
    polys = "".join(
        f'<DataArray Name="{name}" format="ascii">{numbers}</DataArray>'
        for name, numbers in (("connectivity", corners), ("offsets", ends))
    )
    (tmp_path / "x.vtp").write_text(
        '<VTKFile type="PolyData"><PolyData><Piece><Points><DataArray format="ascii">0 0 0 1 0 0 0 1 0'
        f"</DataArray></Points><Polys>{polys}</Polys></Piece></PolyData></VTKFile>"
    )
    with pytest.raises(InputError, match="too large"):
        read_mesh(tmp_path / "x.vtp")
    (tmp_path / "large.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n" + "f 1 2 3\n" * 100_000)
    for file, said in (
        ("x.vtp", "too large"),
        ("large.obj", "too large together"),
        ("../secret.stl", "not at hand"),
    ):
        shapes = "".join(
            f'<Mesh name="m{k}"><socket_frame>..</socket_frame><mesh_file>{file}</mesh_file></Mesh>'
            for k in range(200)
        )
        path = model(
            lambda text, own=shapes: text.replace("<attached_geometry>", f"<attached_geometry>{own}", 1)
        )
        assert any(said in note for note in read_bones(path).notes)


def test_a_checkpoint_neither_runs_nor_grows(tmp_path):
    torch = pytest.importorskip("torch")
    from sspinn_opensim.training.checkpoint import read_body

    def content(network: object, model: object = "m") -> dict:
        training = {"settings": {"steps": 1, "batch": 1}}
        identity = {"training": training, "network": {}, "body": {"model": model}}
        state = {"step": 1, "finished": True, "network": {"w": network}, "people": {}}
        return {"format": FORMAT, "versions": {}, "identity": identity, "state": state}

    path, mark = tmp_path / "checkpoint.pt", tmp_path / "owned"
    torch.save(content(torch.zeros(3)), path)
    assert read_body(path) == {"model": "m"}
    deep: object = 1
    shared: object = [1]
    for _ in range(60):
        deep, shared = [deep], [shared, shared]
    repeated = torch.zeros(1).as_strided((10**6, 10**6), (0, 0))
    for bad in (content(repeated), content(0, deep), content(Owned(mark))):
        torch.save(bad, path)
        with pytest.raises(InputError, match="The checkpoint cannot be read"):
            read_body(path)
    torch.save(content(torch.zeros(3)), path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("checkpoint/data/99", bytes(50_000_000))
    with pytest.raises(InputError, match="unpacks to more than it is"):
        read_body(path)
    path.write_bytes(pickle.dumps(Owned(mark)))
    with pytest.raises(InputError):
        read_body(path)
    assert not mark.exists()


def test_a_checkpoint_of_arrays_of_bytes_takes_no_memory(tmp_path):
    """Thirty bytes each would become 2 GB: what PyTorch would make of them is not asked."""
    path = tmp_path / "checkpoint.pt"
    with zipfile.ZipFile(path, "w") as archive:
        code = b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R"
        archive.writestr("archive/data.pkl", b"\x80\x02(" + 50 * code + b"t.")
    with pytest.raises(InputError, match="arrays of bytes"):
        read_whole(path)


def test_a_checkpoint_is_looked_at_without_pytorch_and_names_nothing_to_call(tmp_path):
    """A key of millions of tuples in each other would end Python; deep values and foreign names likewise."""
    path = tmp_path / "checkpoint.pt"
    plain = b"X\x06\x00\x00\x00formatK\x04"
    for values, said in (
        (b"}(" + plain + b")\x85\x85K\x01u.", "a key that is neither text nor number"),
        (b"}" + b"cposix\nsystem\n)RK\x01s.", "posix.system"),
        (b"}(" + plain + b"X\x01\x00\x00\x00a" + b"]" * 40 + b"a" * 39 + b"u.", "deeper in each other"),
        (b"\x96\xff\xff\xff\x00\x00\x00\x00\x00.", "KeyError: 150"),  # an array of bytes without its name
        (b"}" + plain + b"s.", "'versions' is missing"),
        (
            b"ctorch._utils\n_rebuild_tensor_v2\n((K\x00K\x00K\x00K\x00K\x02tQK\x00K\x03\x85tR.",
            "repeats its numbers",  # three, of two
        ),
        (b"](" + plain + b"u.", "AttributeError"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02" + values)
        with pytest.raises(InputError, match="The checkpoint cannot be read") as caught:
            read_outline(path)
        assert said in str(caught.value)


def test_what_became_endless_in_a_results_folder_is_refused_before_it_is_read(tmp_path):
    folder = ResultsFolder(tmp_path)
    with recorded(tmp_path, "scale"):
        folder.subject.write_text("a model")
    for path in (folder.subject, folder.readme):
        os.truncate(path, 2**40)
    study = {"settings": {}}
    with pytest.raises(InputError, match="does not belong to this study"):
        stages.check(tmp_path, "estimate", read_manifest(tmp_path), study, {})
    folder.subject.write_text("a model")
    with recorded(tmp_path, "scale"):  # the other one is written anew, and was not read for that
        pass
    assert folder.readme.stat().st_size < 100_000
    folder.readme.unlink()
    for name in ("README.txt", "report.html"):
        (tmp_path / name).symlink_to(name)
    with recorded(tmp_path, "scale"):
        pass
    assert not folder.readme.is_symlink() and folder.readme.is_file()


@pytest.mark.parametrize("cell", [",", "1", "a,"])
def test_a_table_of_one_endless_line_is_refused(cell, tmp_path):
    path = tmp_path / "imu.csv"
    path.write_text("time,a_acc_x\n" + cell * 600_000 + "\n")
    with pytest.raises(InputError, match="far too long"):
        read_csv(RecordingChoice(file=path, format="csv"))
    path.write_text(f"Coordinates\nversion=1\nendheader\ntime\t{cell * 600_000}\n0\t1\n")
    with pytest.raises(InputError, match="far too long"):
        read_storage(path)


def test_a_results_folder_leads_nowhere_and_holds_nobody_up(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    shutil.copy(osim_models.path("planar_gait.osim"), folder / "subject.osim")
    for name in ("a", "b", "c"):
        (folder / name).symlink_to(".")  # 3 to the 40th ways, before the system gives up
    (folder / "root").symlink_to("/")
    os.mkfifo(folder / ".lock")
    assert owner_of(folder) == ""
    assert open_folder(folder).inside == ()
    os.mkfifo(ResultsFolder(folder).manifest)
    with pytest.raises(InputError, match="Cannot read"):
        open_folder(folder)
    ResultsFolder(folder).manifest.unlink()
    deepest = folder / "/".join("d" * 1200)  # deeper than Python walks, or removes
    subprocess.run(["mkdir", "-p", str(deepest)], check=True)
    assert open_folder(folder).inside == ()
    subprocess.run(["rm", "-rf", str(folder / "d")], check=True)
    entry = {"path": "../../../../../../../../dev/zero", "sha256": "0" * 64, "bytes": 7}
    ResultsFolder(folder).manifest.write_text(json.dumps({"files": {}, "inputs": {"study": entry}}))
    found = compare_with_manifest(folder)
    assert found is not None and len(found.inputs_missing) == 1
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="leads nowhere"), owned(tmp_path / "out", "sspinn run"):
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.fixture
def study(tmp_path):
    """Return a function: a change of the text of the demo's study to the path of the changed study."""
    shutil.copytree(examples_folder() / "demo", tmp_path / "demo")

    def changed(change) -> Path:
        path = tmp_path / "study.toml"
        path.write_text(change((examples_folder() / "demo.toml").read_text()), encoding="utf-8")
        return path

    return changed


@pytest.mark.parametrize("text", [ESCAPES, "walk\nsspinn: all is well", "a\x9b31m", "\u2066a"])
def test_a_name_is_one_line_of_letters(text, study, capsys):
    word = json.dumps(text)
    for old, new in (
        ('name = "walk"', f"name = {word}"),
        ("[sensors.foot_l]", f"[sensors.{word}]"),
        ('"foot_l_imu"', word),
        ('[person]\nname = "demo"', f"[person]\nname = {word}"),
    ):
        path = study(lambda own, old=old, new=new: own.replace(old, new, 1))
        with pytest.raises(InputError, match="letters that cannot be seen"):
            read_study(path)
        assert main(["check", str(path)]) == 2
        said = "".join(capsys.readouterr())
        assert not any(letter in said for letter in "\x1b\x07\x9b\u202e\u2066")


def test_a_study_of_endless_keys_or_patterns_is_refused_at_once(study):
    for bomb in ("a." * 400_000 + "a = 1", f"[{'a.' * 400_000}a]", '"a" . ' * 100_000 + "a = 1"):
        with pytest.raises(InputError, match="too many parts"):
            read_study(study(lambda text, own=bomb: f"{own}\n{text}"))
    with pytest.raises(InputError, match="too large"):
        read_study(study(lambda text: text + "#" * 1_000_001))
    pattern = 'acceleration_pattern = "{sensor}_{axis}{sensor}"'
    path = study(lambda text: text.replace("[recording.csv]", f"[recording.csv]\n{pattern}", 1))
    assert main(["check", str(path)]) == 2


def test_no_name_in_a_table_is_a_formula(tmp_path):
    rows = [
        ["=cmd|' /C calc'!A0", "@SUM(1)", "+x", "-x"],
        ["-1.5", "+2e-3", "-", "nan"],
        [-1.5, None, "a=b", "-inf"],
    ]
    assert csv_table(rows) == "'=cmd|' /C calc'!A0,'@SUM(1),'+x,'-x\n-1.5,+2e-3,-,nan\n-1.5,,a=b,-inf\n"


def test_the_readme_of_a_folder_steers_no_terminal(tmp_path):
    (tmp_path / f"{ESCAPES.replace('/', '|')}.sto").write_text("x\nendheader\ntime\ta\n0\t1\n")
    assert not any(letter in readme(ESCAPES, tmp_path) for letter in "\x1b\x07\u202e")
