"""Hostile results folders: things for files, links, depths, and JSON that lies."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.hostile.planting import NAMES, Plant, demo, replaced, things
from benchmarks.hostile.watch import Place


def _words(results: Path) -> dict[str, Callable[[Place], list]]:
    """Return the command lines that read a results folder, by verb."""
    return {
        "open": lambda here: ["open", here.own / "out"],
        "evaluate": lambda here: ["evaluate", demo(here), "--steps", "6", "--out", here.own / "out"],
        "compare": lambda here: ["compare", here.own / "out", results, "--out", here.own / "compared"],
        "export": lambda here: ["export", here.own / "out", "--out", here.own / "x.onnx"],
    }


def folder_cases(results: Path) -> Iterator[tuple[str, Plant]]:
    """Give every thing in place of files of a results folder, before the verbs that read them."""
    names = [
        *("manifest.json", "scaling.json", "subject.osim", "kinematics.mot", "moments.sto", "grf.mot"),
        *("external_loads.xml", "training", "training/seed_0", "training/seed_0/checkpoint.pt", ".lock"),
        *("training/seed_0/history.csv", "fit.json", "spatiotemporal.json", "strides.csv", "gait_cycles.csv"),
        *("static_optimization.json", "muscle_forces.sto", "muscle_groups", "report.html", "README.txt"),
        *("seeds/seed_0/kinematics.mot", "consistency.json", ".draft_0123456789abcdef"),
    ]
    words = _words(results)
    for verb, line in words.items():
        for name in names:
            for thing, put in things().items():

                def plant(here: Place, line=line, name=name, put=put, thing=thing) -> Sequence[str | Path]:
                    shutil.copytree(results, here.own / "out")
                    replaced(here.own / "out" / name, put, here, keep=thing == "endless")
                    return line(here)

                yield f"{verb} a folder with {name}: {thing}", plant


def link_cases(results: Path) -> Iterator[tuple[str, Plant]]:
    """Give results folders with links, depths, and inputs that lie elsewhere."""
    words = _words(results)

    def linked(link: str, target: Callable[[Place], Path], verb: str) -> Plant:
        def plant(here: Place) -> Sequence[str | Path]:
            shutil.copytree(results, here.own / "out")
            (here.own / "out" / link).symlink_to(target(here))
            return words[verb](here)

        return plant

    for verb in words:
        yield f"{verb} a folder with a loop", linked("people", lambda here: here.own / "out", verb)
        yield f"{verb} a folder with the root in it", linked("other", lambda _: Path("/"), verb)
        yield f"{verb} a folder with a draft that is a link", linked(".draft_x", lambda h: h.beside, verb)

    def two_loops(here: Place) -> Sequence[str | Path]:
        folder = here.own / "out"
        shutil.copytree(results, folder)
        for name in ("a", "b", "c"):
            (folder / name).symlink_to(".")
        return ["open", folder]

    def deep(here: Place) -> Sequence[str | Path]:
        folder = here.own / "out"
        shutil.copytree(results, folder)
        os.chdir(folder)
        for _ in range(1500):
            Path("d").mkdir()
            os.chdir("d")
        os.chdir("/")
        return ["open", folder]

    yield "open a folder with two loops", two_loops
    yield "open a folder 1500 deep", deep


def other_files_of_folders(results: Path) -> Iterator[tuple[str, Plant]]:
    """Give results folders whose files are other files, or whose manifest names other files."""
    words = _words(results)

    def hard_links(here: Place) -> Sequence[str | Path]:
        shutil.copytree(results, here.own / "out")
        for file in [*(here.own / "out").rglob("*")]:
            if file.is_file():
                own = here.beside / f"{len(list(here.beside.iterdir()))}_{file.name}"
                shutil.copy(file, own)
                file.unlink()
                file.hardlink_to(own)
        return words["evaluate"](here)

    def input_beside(path: str, size: int) -> Plant:
        def plant(here: Place) -> Sequence[str | Path]:
            shutil.copytree(results, here.own / "out")
            manifest = json.loads((here.own / "out/manifest.json").read_text())
            manifest["inputs"]["study"] = {"path": path, "sha256": "0" * 64, "bytes": size}
            manifest["files"]["../../beside/secret.txt"] = {"sha256": "0" * 64, "bytes": 1, "verb": "train"}
            (here.own / "out/manifest.json").write_text(json.dumps(manifest))
            return words["open"](here)

        return plant

    yield "evaluate a folder of hard links", hard_links
    for path in ("../../../../../../../../dev/zero", "/dev/zero", "/proc/kmsg", "../../beside/secret.txt"):
        yield f"open a manifest that names {path}", input_beside(path, 0)


def json_cases(results: Path) -> Iterator[tuple[str, Plant]]:
    """Give JSON files of a results folder that are bombs, or full of hostile texts."""

    def everywhere(value: object, name: str) -> object:
        if isinstance(value, dict):
            return {key: everywhere(item, name) for key, item in value.items()}
        if isinstance(value, list):
            return [everywhere(item, name) for item in value]
        return f"{name}{value}" if isinstance(value, str) and len(value) < 60 and "/" not in value else value

    def bombs(path: Path) -> dict[str, Callable[[], object]]:
        return {
            "200 MB of lists": lambda: path.write_bytes(b"[" + b"[],[{}]," * 25_000_000 + b"1]"),
            "200 MB of a text": lambda: path.write_bytes(b'"' + b"x" * 200_000_000 + b'"'),
            "100,000 lists in each other": lambda: path.write_bytes(b"[" * 100_000),
            "keys that collide": lambda: path.write_text(
                json.dumps({f"{k * (2**61 - 1)}": k for k in range(200_000)})
            ),
            **{
                f"texts of {kind}": lambda name=name: path.write_text(
                    json.dumps(everywhere(json.loads(path.read_text()), name))
                )
                for kind, name in NAMES.items()
            },
        }

    files = ("manifest.json", "scaling.json", "static_optimization.json", "fit.json", "consistency.json",
             "spatiotemporal.json")  # fmt: skip
    kinds = list(bombs(Path()))
    for name in files:
        for kind in kinds:
            for verb in ("open", "evaluate"):

                def plant(here: Place, name=name, kind=kind, verb=verb) -> Sequence[str | Path]:
                    shutil.copytree(results, here.own / "out")
                    bombs(here.own / "out" / name)[kind]()
                    if verb == "open":
                        return ["open", here.own / "out"]
                    return ["evaluate", demo(here), "--steps", "6", "--out", here.own / "out"]

                yield f"{verb} a folder with {kind} in {name}", plant
