"""Hostile models, tables, loads and set-ups of OpenSim."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import osim_models
from benchmarks.hostile.planting import LAUGHS, NAMES, Plant, model, motion, xml_value
from benchmarks.hostile.watch import Place

_TEXT = Path(osim_models.path("planar_gait.osim")).read_text()
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_BODY = _TEXT[_TEXT.index("<OpenSimDocument") :]


def _parts(here: Place) -> str:
    """Two parts name two parts each, thirty levels deep."""
    for level in range(30):
        inner = f'<objects><Body file="p{level + 1}.xml"/><Body file="p{level + 1}.xml"/></objects>'
        (here.own / f"p{level}.xml").write_text(
            f'<OpenSimDocument Version="40500"><Body name="b">{inner}</Body></OpenSimDocument>'
        )
    (here.own / "p30.xml").write_text('<OpenSimDocument Version="40500"><Body name="b"/></OpenSimDocument>')
    return _BODY.replace("<BodySet", '<Body file="p0.xml"/><BodySet', 1)


def _chain(here: Place) -> str:
    for level in range(3000):
        (here.own / f"p{level}.xml").write_text(
            f'<OpenSimDocument Version="40500"><Body name="b"><a><Body file="p{level + 1}.xml"/></a></Body>'
            "</OpenSimDocument>"
        )
    (here.own / "p3000.xml").write_text('<OpenSimDocument Version="40500"><Body/></OpenSimDocument>')
    return _BODY.replace("<BodySet", '<Body file="p0.xml"/><BodySet', 1)


def _pipe(here: Place) -> str:
    os.mkfifo(here.own / "p.xml")
    return _BODY.replace("<BodySet", '<Body file="p.xml"/><BodySet', 1)


def model_bombs() -> Iterator[tuple[str, Plant]]:
    """Give models, set-ups and tables of OpenSim."""
    texts: dict[str, Callable[[Place], str]] = {
        "a billion laughs": lambda _: (
            f"{_HEAD}<!DOCTYPE O [{LAUGHS}]>{_BODY.replace('>planar', '>&e11;planar', 1)}"
        ),
        "a file as an entity": lambda h: (
            f'{_HEAD}<!DOCTYPE O [<!ENTITY x SYSTEM "{h.secret}">]>'
            + _BODY.replace("<credits>", "<credits>&x;", 1)
        ),
        "an address as a type": lambda _: f'{_HEAD}<!DOCTYPE O SYSTEM "http://127.0.0.1:9/x.dtd">{_BODY}',
        "an XInclude": lambda h: _BODY.replace(
            "<BodySet",
            f'<x xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{h.secret}"/></x><BodySet',
            1,
        ),
        "300,000 levels": lambda _: _BODY.replace("<BodySet", "<a>" * 300_000 + "<BodySet", 1),
        "2 to the 30 parts": _parts,
        "3000 parts in each other": _chain,
        "a pipe as a part": _pipe,
        "a part that is beside": lambda h: _BODY.replace("<BodySet", f'<Body file="{h.secret}"/><BodySet', 1),
        "a device as a part": lambda _: _BODY.replace("<BodySet", '<Body file="/dev/zero"/><BodySet', 1),
        **{
            f"a body called {kind}": lambda _, name=name: _BODY.replace('"pelvis"', f'"{xml_value(name)}"')
            for kind, name in NAMES.items()
        },
        **{
            f"a muscle called {kind}": lambda _, name=name: _BODY.replace(
                'Muscle name="', f'Muscle name="{xml_value(name)}', 1
            )
            for kind, name in NAMES.items()
        },
        **{
            f"a model called {kind}": lambda _, name=name: _BODY.replace(
                '<Model name="', f'<Model name="{xml_value(name)}', 1
            )
            for kind, name in NAMES.items()
        },
    }
    for name, made in texts.items():
        for verb in ("convert", "scale", "muscles"):

            def plant(here: Place, made=made, verb=verb) -> Sequence[str | Path]:
                path = here.own / "model.osim"
                path.write_text(made(here), encoding="utf-8", errors="surrogatepass")
                more = [motion(here), "--no-external-loads", "--from", "0.1", "--to", "0.15"]
                more = more if verb == "muscles" else ["--mass", "70"] if verb == "scale" else []
                return [verb, path, *more, "--out", here.own / "out"]

            yield f"{verb} a model with {name}", plant


def table_bombs() -> Iterator[tuple[str, Plant]]:
    """Give tables of OpenSim that state or hold too much."""
    tables: dict[str, bytes] = {
        "rows it does not have": b"Coordinates\nversion=1\nnRows=999999999999\nnColumns=2\n"
        b"inDegrees=yes\nendheader\n",
        "columns it does not have": b"Coordinates\nversion=1\nnRows=1\nnColumns=999999999\n"
        b"endheader\ntime\ta\n0\t1\n",
        "a head without end": b"Coordinates\n" + b"x=1\n" * 300_000,
        "a line of 50 MB": b"Coordinates\nversion=1\nendheader\ntime\t" + b"a" * 50_000_000 + b"\n0\t1\n",
        "a million columns": b"Coordinates\nversion=1\nendheader\ntime\t"
        + b"\t".join(b"c%d" % k for k in range(1_000_000))
        + b"\n0"
        + b"\t1" * 1_000_000
        + b"\n",
        "hostile names": (
            "Coordinates\nversion=1\nnRows=3\nnColumns=6\ninDegrees=yes\nendheader\ntime\t"
            + "\t".join(name.replace("\n", "").replace("\r", "") for name in NAMES.values())
            + "\n"
            + "".join(f"{k}\t1\t2\t3\t4\t5\n" for k in range(3))
        ).encode("utf-8", "surrogatepass"),
    }
    for name, data in tables.items():
        for verb in ("muscles", "simulate-imu", "compare"):

            def plant_table(here: Place, data=data, verb=verb) -> Sequence[str | Path]:
                path = here.own / "motion.mot"
                path.write_bytes(data)
                if verb == "compare":
                    (here.own / "b.mot").write_bytes(data)
                    return ["compare", path, here.own / "b.mot", "--out", here.own / "out"]
                more = ["--no-external-loads"] if verb == "muscles" else []
                return [verb, model(here), path, *more, "--out", here.own / "out"]

            yield f"{verb} a table with {name}", plant_table


def load_cases() -> Iterator[tuple[str, Plant]]:
    """Give external loads that name other files."""
    loads = (
        '<OpenSimDocument Version="40500"><ExternalLoads name="x"><objects/><datafile>{}</datafile>'
        "</ExternalLoads></OpenSimDocument>"
    )
    for name, made in {
        "a pipe": lambda h: (os.mkfifo(h.own / "p.mot"), loads.format("p.mot"))[1],
        "a device": lambda _: loads.format("/dev/zero"),
        "a file beside": lambda h: loads.format(h.secret),
        "a billion laughs": lambda _: f"<!DOCTYPE O [{LAUGHS}]>" + loads.format("&e11;"),
        "a file as an entity": lambda h: (
            f'<!DOCTYPE O [<!ENTITY x SYSTEM "{h.secret}">]>' + loads.format("&x;")
        ),
        "an address as a type": lambda _: (
            '<!DOCTYPE O SYSTEM "http://127.0.0.1:9/x.dtd">' + loads.format("x")
        ),
    }.items():

        def plant_loads(here: Place, made=made) -> Sequence[str | Path]:
            path = here.own / "loads.xml"
            path.write_text(made(here))
            return ["muscles", model(here), motion(here), "--external-loads", path, "--out", here.own / "out"]

        yield f"external loads with {name}", plant_loads


def set_up_cases() -> Iterator[tuple[str, Plant]]:
    """Give set-ups of scaling that name other files, to read and to write."""
    setup = (
        '<OpenSimDocument Version="40500"><ScaleTool name="x"><mass>70</mass><height>1700</height>'
        "<GenericModelMaker>"
        "<model_file>model.osim</model_file><marker_set_file>{0}</marker_set_file></GenericModelMaker><ModelScaler>"
        "<apply>true</apply><scaling_order> manualScale</scaling_order><marker_file>{0}</marker_file>"
        "<output_model_file>{1}</output_model_file><output_scale_file>{1}</output_scale_file></ModelScaler>"
        "<MarkerPlacer><apply>true</apply><marker_file>{0}</marker_file><coordinate_file>{0}</coordinate_file>"
        "<output_model_file>{1}</output_model_file><output_motion_file>{1}</output_motion_file>"
        "<output_marker_file>{1}</output_marker_file></MarkerPlacer></ScaleTool></OpenSimDocument>"
    )
    for name, made in {
        "outputs beside": lambda h: setup.format("Unassigned", h.beside / "owned.osim"),
        "an output over a file": lambda h: setup.format("Unassigned", h.secret),
        "a marker file that is a device": lambda _: setup.format("/dev/zero", "x"),
        "a marker file that is a pipe": lambda h: (os.mkfifo(h.own / "p"), setup.format("p", "x"))[1],
        "a billion laughs": lambda _: f"<!DOCTYPE O [{LAUGHS}]>" + setup.format("&e11;", "x"),
        "a file as an entity": lambda h: (
            f'<!DOCTYPE O [<!ENTITY x SYSTEM "{h.secret}">]>' + setup.format("&x;", "x")
        ),
    }.items():

        def plant_setup(here: Place, made=made) -> Sequence[str | Path]:
            path = here.own / "setup.xml"
            path.write_text(made(here))
            model(here)
            return ["scale", path, "--out", here.own / "out"]

        yield f"set-up of scaling with {name}", plant_setup
