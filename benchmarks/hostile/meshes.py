"""Hostile meshes, and models that name them, before the report that draws them."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.hostile.planting import LAUGHS, SCRIPT, Plant, demo, xml_value
from benchmarks.hostile.watch import Place
from sspinn_opensim.files import sha256

_VTP = (
    '<VTKFile type="PolyData"><PolyData><Piece><Points><DataArray format="ascii">{}'
    "</DataArray></Points><Polys>"
    '<DataArray Name="connectivity" format="ascii">{}</DataArray>'
    '<DataArray Name="offsets" format="ascii">{}'
    "</DataArray></Polys></Piece></PolyData></VTKFile>"
)


def _stl(count: int) -> bytes:
    return bytes(80) + struct.pack("<I", count) + bytes(50 * min(count, 600_000))


_MESHES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a polygon of 2 million corners": (
        "x.vtp", lambda: _VTP.format("0 0 0 1 0 0 0 1 0", "0 1 2 " * 700_000, "2100000").encode()
    ),
    "polygons of all sizes": (
        "x.vtp",
        lambda: _VTP.format(
            "0 0 0 1 0 0 0 1 0",
            "0 1 2 " * 700_000,
            " ".join(str(k * (k + 1) // 2) for k in range(1, 2049)),
        ).encode(),
    ),
    "laughs in UTF-16": (
        "x.vtp",
        lambda: (
            f'<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE V [{LAUGHS}]>'
            + _VTP.format("&e11;", "", "")
        ).encode("utf-16"),
    ),
    "300,000 levels": ("x.vtp", lambda: b"<VTKFile>" + b"<a>" * 3_000_000),
    "600,000 facets": ("x.stl", lambda: _stl(600_000)),
    "4 billion facets": ("x.stl", lambda: _stl(2**32 - 1)),
    "a face of 3 million corners": (
        "x.obj", lambda: b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf" + b" 1 2 3" * 1_000_000 + b"\n"
    ),
    "a number of a million digits": ("x.obj", lambda: b"v " + b"9" * 1_000_000 + b" 0 0\nf 1 1 1\n"),
    "an index of a million digits": ("x.obj", lambda: b"v 0 0 0\nf " + b"9" * 4000 + b" 1 1\n"),
    "infinite points": ("x.obj", lambda: b"v inf 0 0\nv 1e308 1e308 1e308\nf 1 2 2\nf 2 2 1"),
    "distant points": ("x.obj", lambda: b"v 4.9 0 0\nv -4.9 4.9 0\nv 0 0 4.9\n" + b"f 1 2 3\n" * 900_000),
}  # fmt: skip
_CALLED = {
    "a path up": "../../beside/folder/x.stl",
    "a root": "/etc/passwd",
    "a device": "/dev/zero",
    "a pipe": "pipe.stl",
    "a script": SCRIPT,
}


def _drawn(results: Path, here: Place, mesh: str, count: int = 1) -> Sequence[str | Path]:
    """Copy a results folder whose model names a mesh; return the command that draws its bones."""
    out = here.own / "out"
    shutil.copytree(results, out)
    text = (out / "subject.osim").read_text()
    drawn = "".join(
        f'<Mesh name="m{k}"><socket_frame>..</socket_frame><mesh_file>{xml_value(mesh)}</mesh_file></Mesh>'
        for k in range(count)
    )
    assert "<attached_geometry>" in text
    (out / "subject.osim").write_text(text.replace("<attached_geometry>", f"<attached_geometry>{drawn}", 1))
    manifest = json.loads((out / "manifest.json").read_text())
    old = manifest["files"]["subject.osim"]["sha256"]
    text = json.dumps(manifest).replace(old, sha256(out / "subject.osim"))
    (out / "manifest.json").write_text(text)
    return ["evaluate", demo(here), "--steps", "6", "--out", out]


def mesh_cases(results: Path) -> Iterator[tuple[str, Plant]]:
    """Give meshes of a model's bones that are bombs."""
    for name, (file, made) in _MESHES.items():
        for count in (1, 400):

            def plant(here: Place, file=file, made=made, count=count) -> Sequence[str | Path]:
                words = _drawn(results, here, file, count)
                (here.own / "out" / file).write_bytes(made())
                return words

            yield f"{count} meshes of {name}", plant
    for name, mesh in _CALLED.items():

        def plant_name(here: Place, mesh=mesh) -> Sequence[str | Path]:
            words = _drawn(results, here, mesh)
            os.mkfifo(here.own / "out" / "pipe.stl")
            return words

        yield f"a mesh called {name}", plant_name
