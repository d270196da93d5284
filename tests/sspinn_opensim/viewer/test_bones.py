"""Bones: meshes found, read strictly, placed on bodies, made small; whatever is wrong is a note."""

import struct

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim.viewer.bones import read_bones
from sspinn_opensim.viewer.meshes import Mesh, ball, brick, cylinder, read_mesh, thinned

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
SQUARE = [[0, 1, 2], [0, 2, 3]]


def _numbers(values):
    return " ".join(str(value) for value in np.ravel(values))


def vtp(corners="0 1 2 3", ends="4", kind="ascii", points=None):
    return (
        '<VTKFile type="PolyData"><PolyData><Piece><Points>'
        f'<DataArray format="{kind}">{points or _numbers(CORNERS)}</DataArray></Points>'
        f'<Polys><DataArray Name="connectivity" format="ascii">{corners}</DataArray>'
        f'<DataArray Name="offsets" format="ascii">{ends}</DataArray></Polys></Piece></PolyData></VTKFile>'
    ).encode()


def stl():
    facets = b"".join(struct.pack("<12fH", 0, 0, 1, *CORNERS[row].ravel(), 0) for row in SQUARE)
    return bytes(80) + struct.pack("<I", 2) + facets


def stl_text():
    facet = "facet normal 0 0 1 outer loop {} endloop endfacet "
    corners = (" ".join(f"vertex {_numbers(CORNERS[k])}" for k in row) for row in SQUARE)
    return ("solid a " + "".join(facet.format(text) for text in corners) + "endsolid a").encode()


OBJ = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvn 0 0 1\nf 1//1 2//1 3//1 -1//1\n"


@pytest.mark.parametrize(
    ("name", "data"), [("a.vtp", vtp()), ("a.stl", stl()), ("b.stl", stl_text()), ("a.OBJ", OBJ)]
)
def test_each_kind_of_file_is_a_square(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    mesh = read_mesh(tmp_path / name)
    a, b, c = (mesh.points[mesh.triangles[:, k]] for k in range(3))
    np.testing.assert_allclose(0.5 * np.cross(b - a, c - a).sum(axis=0), [0, 0, 1])
    assert len(mesh.triangles) == 2


BOMB = b'<!DOCTYPE a [<!ENTITY b "c">]><VTKFile type="PolyData"/>'


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.vtp", b""),
        ("a.vtp", BOMB),
        ("a.vtp", vtp()[:-20]),
        ("a.vtp", vtp(corners="0 1 2 4")),
        ("a.vtp", vtp(corners="0 1 2 -1")),
        ("a.vtp", vtp(corners="0 1 2.5 3")),
        ("a.vtp", vtp(ends="5")),
        ("a.vtp", vtp(ends="1e300")),
        ("a.vtp", vtp(kind="appended")),
        ("a.vtp", vtp(points="0 0 0 1 x 0 1 1 0 0 1 0")),
        ("a.vtp", vtp(points="0 0 0 1 0 nan 1 1 0 0 1 0")),
        ("a.vtp", vtp(points="0 0 0 1")),
        ("a.stl", stl()[:-1]),
        ("a.stl", b"solid nothing"),
        ("a.obj", b"v 0 0 0\nf 1 2 3\n"),
        ("a.obj", b"v 0 0 zero\n"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 -4\n"),
        ("a.txt", OBJ),
    ],
)
def test_what_is_no_mesh_is_one_error(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=f"The mesh '{name}'"):
        read_mesh(tmp_path / name)


def test_a_huge_file_is_not_read(tmp_path):
    with (tmp_path / "a.vtp").open("wb") as file:
        file.truncate(40_000_000)
    with pytest.raises(InputError, match="too large"):
        read_mesh(tmp_path / "a.vtp")


@pytest.mark.parametrize("mesh", [ball(np.array([0.1, 0.2, 0.3])), brick(np.ones(3)), cylinder(0.1, 0.4)])
def test_shapes_face_outwards(mesh):
    """All are convex about the origin."""
    a, b, c = (mesh.points[mesh.triangles[:, k]] for k in range(3))
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), a + b + c) > -1e-12).all()


def test_a_thinned_mesh_stays_where_it_was():
    whole = ball(np.array([0.05, 0.2, 0.05]))
    small = thinned(whole, 0.03)
    assert 0 < len(small.triangles) < 0.7 * len(whole.triangles)
    assert small.triangles.max() < len(small.points)
    np.testing.assert_allclose(small.points.min(axis=0), whole.points.min(axis=0), atol=0.03)
    np.testing.assert_allclose(small.points.max(axis=0), whole.points.max(axis=0), atol=0.03)
    assert len(thinned(Mesh(CORNERS, np.array(SQUARE)), 9.0).triangles) == 0


def _model(folder, meshes, shape=""):
    """Write the built-in model with meshes on its pelvis alone."""
    import re

    text = osim_models.path("planar_gait").read_text()
    text = re.sub(r"<attached_geometry>.*?</attached_geometry>", "", text, flags=re.DOTALL)
    drawn = "".join(
        f'<Mesh name="m{i}"><socket_frame>..</socket_frame><scale_factors>{scale}</scale_factors>'
        f"<mesh_file>{file}</mesh_file></Mesh>"
        for i, (file, scale) in enumerate(meshes)
    )
    drawn = f"<attached_geometry>{drawn}{shape}</attached_geometry>"
    text, times = re.subn(r'(<Body name="pelvis">)', rf"\1{drawn}", text)
    assert times == 1
    (folder / "model.osim").write_text(text)
    return folder / "model.osim"


def test_meshes_are_found_where_opensim_looks_and_where_the_user_says(tmp_path):
    beside, elsewhere = tmp_path / "model" / "Geometry", tmp_path / "elsewhere"
    beside.mkdir(parents=True)
    elsewhere.mkdir()
    (beside / "a.vtp").write_bytes(vtp())
    (elsewhere / "b.stl").write_bytes(stl())
    file = _model(tmp_path / "model", [("a.vtp", "2 1 1"), ("b.stl", "1 1 -1"), ("c.vtp", "1 1 1")])
    found = read_bones(file, [elsewhere])
    (bone,) = found.bones
    assert bone.body == "pelvis" and len(bone.mesh.triangles) == 4
    assert bone.mesh.points[:, 0].max() == 2.0
    assert found.notes == ("1 of 3 shapes are not at hand: c.vtp",)


def test_what_cannot_be_drawn_is_a_note(tmp_path):
    (tmp_path / "a.vtp").write_bytes(vtp())
    (tmp_path / "bad.vtp").write_bytes(BOMB)
    (tmp_path / "x.txt").write_text("secret")
    meshes = [("bad.vtp", "1 1 1"), ("x.txt", "1 1 1"), ("a.vtp", "900 1 1"), ("a.vtp", "1 one 1")]
    found = read_bones(_model(tmp_path, [*meshes, ("/dev/zero.vtp", "1 1 1"), ("a.vtp", "1 1 1")]))
    assert len(found.bones) == 1 and len(found.notes) == 5
    assert "secret" not in "".join(found.notes)


def test_bones_are_thinned_until_all_are_few(tmp_path):
    rows = [f"v {x} {y} 0\n" for x in np.linspace(0, 0.3, 60) for y in np.linspace(0, 0.3, 60)]
    faces = [f"f {60 * i + j + 1} {60 * i + j + 2} {60 * i + j + 62}\n" for i in range(59) for j in range(59)]
    (tmp_path / "fine.obj").write_text("".join(rows + faces))
    file = _model(tmp_path, [("fine.obj", "1 1 1")])
    assert len(read_bones(file).bones[0].mesh.triangles) == 59 * 59
    assert 0 < len(read_bones(file, most_triangles=500).bones[0].mesh.triangles) <= 500
