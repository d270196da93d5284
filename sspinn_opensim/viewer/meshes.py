"""Meshes of bones: the three kinds of file that OpenSim draws, read strictly, and made small.

As in OpenSim a ``.vtp`` file holds its numbers as text; polygons of more than three corners become fans.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import parse_elements

#: Larger files, and meshes of more points or triangles, are no bones; they would take long to read.
MOST_BYTES, MOST_POINTS = 32_000_000, 400_000


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles between points.

    Attributes
    ----------
    points : (n, 3) float ndarray
        m.
    triangles : (m, 3) int ndarray
        Rows of `points`.
    """

    points: np.ndarray
    triangles: np.ndarray


def read_mesh(path: Path) -> Mesh:
    """Read a ``.vtp``, ``.stl`` or ``.obj`` file.

    Raises
    ------
    InputError
        If it cannot be read, is none of these, is damaged or too large.
    """
    kind = path.suffix.lower()
    if kind not in _READERS:
        raise _error(path, "is of a kind that is not drawn", f"'{kind}'", "a .vtp, .stl or .obj file")
    try:
        size = path.stat().st_size
        data = path.read_bytes() if path.is_file() and size <= MOST_BYTES else b""
    except (OSError, ValueError) as error:
        raise _error(path, "cannot be read", str(error)) from error
    if not data:
        raise _error(path, "is empty, no file, or too large", f"{size} bytes", f"at most {MOST_BYTES} bytes")
    try:
        points, triangles = _READERS[kind](data)
    except (ValueError, LookupError, ElementTree.ParseError) as error:
        raise _error(path, "is damaged, or of a form that is not read", str(error)[:200]) from error
    if len(points) > MOST_POINTS or len(triangles) > 2 * MOST_POINTS:
        raise _error(path, "is too large", f"{len(points)} points", f"at most {MOST_POINTS} points")
    inside = len(triangles) and triangles.min() >= 0 and triangles.max() < len(points)
    if not inside or not np.isfinite(points).all():
        raise _error(
            path, "is damaged", "no triangles, or such that have no points", "triangles between points"
        )
    return Mesh(points, triangles)


def thinned(mesh: Mesh, cell_m: float) -> Mesh:
    """Return a mesh of one point in each cell of a grid, the mean of those there.

    Triangles within one cell fall away. (Rossignac and Borrel 1993, Multi-resolution 3D approximations.)
    """
    cells = np.floor((mesh.points - mesh.points.min(axis=0)) / cell_m).astype(np.int64)
    _, place, count = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    place = place.reshape(-1)
    points = np.stack([np.bincount(place, column, len(count)) for column in mesh.points.T], axis=1)
    corners = place[mesh.triangles]
    a, b, c = corners.T
    corners = corners[(a != b) & (b != c) & (c != a)]
    # The same three points once; where a thin sheet folds onto itself both sides stay.
    first = np.argmin(corners, axis=1)[:, None]
    turned = np.take_along_axis(corners, (first + np.arange(3)) % 3, axis=1)
    corners = np.unique(turned, axis=0)
    used, corners = np.unique(corners, return_inverse=True)
    return Mesh((points / count[:, None])[used], corners.reshape(-1, 3))


def ball(radii: np.ndarray) -> Mesh:
    """Return an ellipsoid about the origin."""
    up, around = np.meshgrid(np.linspace(0, np.pi, 9), np.linspace(0, 2 * np.pi, 17), indexing="ij")
    points = np.stack([np.sin(up) * np.cos(around), np.cos(up), np.sin(up) * np.sin(around)], axis=-1)
    return Mesh(points.reshape(-1, 3) * radii, _sheet(9, 17))


def brick(half: np.ndarray) -> Mesh:
    """Return a box about the origin."""
    points = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half
    faces = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    # Corners of their own, so that each face is lit as one.
    corners = 4 * np.arange(6)[:, None]
    return Mesh(
        points[faces.reshape(-1)], np.vstack([corners + np.array(part) for part in ([0, 1, 2], [0, 2, 3])])
    )


def cylinder(radius: float, half_height: float) -> Mesh:
    """Return a cylinder about the y axis."""
    around = np.linspace(0, 2 * np.pi, 17)
    ring = np.stack([np.cos(around), np.zeros(17), np.sin(around)], axis=-1) * radius
    lift = np.array([0.0, half_height, 0.0])
    rows = [0 * ring + lift, ring + lift, ring + lift, ring - lift, ring - lift, 0 * ring - lift]
    return Mesh(np.concatenate(rows), _sheet(6, 17))


def _sheet(rows: int, columns: int) -> np.ndarray:
    """Return the triangles of a grid of points."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1, 1)
    return np.vstack([corner + np.array(part) for part in ([0, 1, columns], [1, columns + 1, columns])])


def _vtp(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    root = parse_elements(data)
    pieces = [piece for whole in root.findall("PolyData") for piece in whole.findall("Piece")]
    if root.get("type") != "PolyData" or not pieces:
        raise ValueError("no piece of PolyData")
    points, triangles, before = [], [], 0
    for piece in pieces:
        own = _numbers(_array(piece, "Points", None)).reshape(-1, 3)
        corners = _whole(_array(piece, "Polys", "connectivity"))
        ends = _whole(_array(piece, "Polys", "offsets"))
        triangles.append(_fans(corners, ends) + before)
        points.append(own)
        before += len(own)
    return np.concatenate(points), np.concatenate(triangles)


def _array(piece: ElementTree.Element, group: str, name: str | None) -> str:
    found = [a for a in piece.findall(f"{group}/DataArray") if name is None or a.get("Name") == name]
    if len(found) != 1 or found[0].get("format") != "ascii":
        raise ValueError(f"<{group}> has not one DataArray {name or ''} of format ascii")
    return found[0].text or ""


def _fans(corners: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the triangles of polygons, whose corners stand one after the other up to `ends`."""
    sizes = np.diff(ends, prepend=0)
    if len(ends) == 0 or ends[-1] != len(corners) or sizes.min() < 1:
        raise ValueError("polygons that do not fit their corners")
    in_each = np.maximum(sizes - 2, 0)  # lines and points among them are not drawn
    begin = np.repeat(ends - sizes, in_each)
    k = np.arange(len(begin)) - np.repeat(np.cumsum(in_each) - in_each, in_each) + 1
    return corners[np.stack([begin, begin + k, begin + k + 1], axis=1)]


def _stl(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    count = int.from_bytes(data[80:84], "little") if len(data) >= 84 else -1
    if len(data) == 84 + 50 * count:
        facets = np.frombuffer(data, _FACET, count, 84)
        corners = facets["corner"].reshape(-1, 3).astype(float)
    elif data.lstrip()[:5].lower() == b"solid":
        words = data.decode("ascii", errors="replace").lower().split("vertex")[1:]
        corners = _numbers(" ".join(" ".join(word.split()[:3]) for word in words)).reshape(-1, 3)
    else:
        raise ValueError("neither as many facets as it says, nor text that begins with 'solid'")
    points, place = np.unique(corners, axis=0, return_inverse=True)
    return points, place.reshape(-1, 3)


def _obj(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    points, corners, ends = [], [], []
    for line in data.decode("utf-8", errors="replace").splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            points.append([float(word) for word in words[:3]])
        elif kind == "f":
            numbers = [int(word.partition("/")[0]) for word in words]
            # counted from 1, or backwards from the last
            corners += [number - 1 if number > 0 else len(points) + number for number in numbers]
            ends.append(len(corners))
    return np.array(points, float).reshape(-1, 3), _fans(np.array(corners, int), np.array(ends, int))


_FACET = np.dtype([("normal", "<f4", 3), ("corner", "<f4", (3, 3)), ("attribute", "<u2")])
_READERS = {".vtp": _vtp, ".stl": _stl, ".obj": _obj}


def _numbers(text: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # numpy's for text that is no number
        try:
            return np.fromstring(text, sep=" ")
        except DeprecationWarning as error:
            raise ValueError("text among its numbers") from error


def _whole(text: str) -> np.ndarray:
    numbers = _numbers(text)
    if not (
        np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all() and (abs(numbers) < 2**40).all()
    ):
        raise ValueError("numbers of points that are none")
    return numbers.astype(np.int64)


def _error(path: Path, what: str, found: str, expected: str = "") -> InputError:
    return InputError(f"The mesh '{path.name}' {what}.", where=str(path), expected=expected, found=found)
