"""Bones of a model: the shapes that its file hangs on the bodies, found, read and made small together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.osim.drawn import DrawnShape, read_drawn_shapes
from sspinn_opensim.viewer.meshes import Mesh, ball, brick, cylinder, read_mesh, thinned

#: Triangles of all bones together: what a browser draws without a graphics card 30 times a second.
MOST_TRIANGLES = 10_000
#: Edge of the first grid that points are joined in, and of the largest, m; each is a quarter wider.
_FINEST_M, _COARSEST_M = 0.002, 0.2
#: What reaches further from its body than this, m, is no bone of a person.
_FURTHEST_M = 5.0
#: Meshes of one model; more are not read.
_MOST_MESHES = 500
#: Points and triangles of all meshes as they are read; those of a whole skeleton are a tenth of it.
_MOST_POINTS = 4_000_000


@dataclass(frozen=True, eq=False)
class Bone:
    """What is drawn of one body, along the axes of the body."""

    body: str
    mesh: Mesh


@dataclass(frozen=True, eq=False)
class Bones:
    """The bones that were found.

    Attributes
    ----------
    bones : tuple of Bone
        One a body.
    notes : tuple of str
        What is not drawn, and why.
    """

    bones: tuple[Bone, ...] = ()
    notes: tuple[str, ...] = ()


def read_bones(model_file: Path, folders: Sequence[Path] = (), most_triangles: int = MOST_TRIANGLES) -> Bones:
    """Read the shapes of a model file.

    Meshes are looked for where OpenSim looks: by their own path, beside the model file, in ``Geometry``
    beside it; then in the `folders`, and in ``Geometry`` in each of them.

    Parameters
    ----------
    folders : sequence of Path
        Where else meshes may be.
    most_triangles : int
        Of all bones together.

    Raises
    ------
    InputError
        If the model file cannot be read. What is wrong with a mesh is a note.
    """
    shapes, notes = read_drawn_shapes(model_file)
    places, found, missing = _folders(model_file, folders), {}, []
    known, points = {}, 0
    problems = list(notes)
    for shape in shapes[:_MOST_MESHES]:
        try:
            mesh = _mesh(shape, places, known)
        except InputError as error:
            problems.append(error.what)
            continue
        if mesh is None:
            missing.append(shape.file)
            continue
        points += len(mesh.points) + len(mesh.triangles)
        if points > _MOST_POINTS:
            problems.append("The meshes of the model are too large together; not all are drawn.")
            break
        placed = _on_body(mesh, shape)
        if np.abs(placed.points).max() > _FURTHEST_M:
            problems.append(f"The mesh '{shape.file}' is larger than {_FURTHEST_M:g} m.")
            continue
        found.setdefault(shape.frame.body, []).append(placed)
    if missing:
        names = ", ".join(sorted(set(missing))[:5]) + (" ..." if len(set(missing)) > 5 else "")
        problems.append(f"{len(missing)} of {len(shapes)} shapes are not at hand: {names}")
    bones = {body: _joined(meshes) for body, meshes in found.items()}
    return Bones(
        tuple(Bone(body, mesh) for body, mesh in _small(bones, most_triangles).items()), tuple(problems)
    )


def _folders(model_file: Path, folders: Sequence[Path]) -> list[Path]:
    given = [Path(model_file).resolve().parent, *map(Path, folders)]
    return list(dict.fromkeys(place for folder in given for place in (folder, folder / "Geometry")))


def _mesh(shape: DrawnShape, places: Sequence[Path], known: dict[Path, Mesh | InputError]) -> Mesh | None:
    """Return the mesh of a shape; None where its file is not there."""
    measures = np.array(shape.measures)
    match shape.kind:
        case "Sphere":
            return ball(measures.repeat(3))
        case "Ellipsoid":
            return ball(measures)
        case "Brick":
            return brick(measures)
        case "Cylinder":
            return cylinder(*shape.measures)
    try:
        file = next((place / shape.file for place in places if (place / shape.file).is_file()), None)
    except (OSError, ValueError):  # a name that no file can have
        return None
    return _read_once(file, known) if file else None


def _read_once(file: Path, known: dict[Path, Mesh | InputError]) -> Mesh:
    """Return the mesh of a file, or raise why there is none, however many shapes name it."""
    if file not in known:
        try:
            known[file] = read_mesh(file)
        except InputError as error:
            known[file] = error
    if isinstance(mesh := known[file], InputError):
        raise mesh
    return mesh


def _on_body(mesh: Mesh, shape: DrawnShape) -> Mesh:
    scale, rotation = np.array(shape.scale), np.array(shape.frame.rotation)
    points = (mesh.points * scale) @ rotation.T + np.array(shape.frame.translation)
    # A mirrored bone is turned inside out.
    triangles = mesh.triangles if np.prod(scale) >= 0 else mesh.triangles[:, ::-1]
    return Mesh(points, triangles)


def _joined(meshes: Sequence[Mesh]) -> Mesh:
    before = np.cumsum([0, *(len(mesh.points) for mesh in meshes)])
    triangles = [mesh.triangles + start for mesh, start in zip(meshes, before, strict=False)]
    return Mesh(np.concatenate([mesh.points for mesh in meshes]), np.concatenate(triangles))


def _small(bones: dict[str, Mesh], most: int) -> dict[str, Mesh]:
    """Join points in ever wider grids, the same for all bones, until all of them have few triangles."""
    cell_m, small = _FINEST_M, bones
    while sum(len(mesh.triangles) for mesh in small.values()) > most and cell_m <= _COARSEST_M:
        small = {body: thinned(mesh, cell_m) for body, mesh in bones.items()}
        cell_m *= 1.25
    return {body: mesh for body, mesh in small.items() if len(mesh.triangles)}
