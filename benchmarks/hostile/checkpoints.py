"""Hostile checkpoints: tensors that share, grow or are none, and pickles that run a program."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.hostile.planting import ESCAPES, SCRIPT, Owned, Plant, bomb_archive, demo
from benchmarks.hostile.watch import Place
from sspinn_opensim.training.checkpoint_file import FORMAT


def _changed(change: Callable[[dict], object]) -> Callable[[Path, Place], object]:
    def write(path: Path, _: Place) -> None:
        import torch

        content = torch.load(path, weights_only=True)
        torch.save(change(content) or content, path)

    return write


def _strided(content: dict) -> None:
    import torch

    name = next(iter(content["state"]["network"]))
    content["state"]["network"][name] = torch.zeros(1).as_strided((10**6, 10**6), (0, 0))


def _many(content: dict) -> None:
    import torch

    for k in range(2000):
        content["state"]["network"][f"x{k}"] = torch.zeros(1).as_strided((10**8,), (0,))


def _deep(content: dict) -> None:
    value: object = 1
    for _ in range(200):
        value = [value]
    content["identity"]["body"]["model"] = value
    content["identity"]["network"]["x"] = value


def _widened(content: dict) -> None:
    value: object = [1]
    for _ in range(60):
        value = [value, value]
    content["identity"]["body"]["model"] = value


def _long_text(content: dict) -> None:
    content["identity"]["body"]["model"] = "x" * 50_000_000


def _called(content: dict) -> None:
    for section in (content["identity"]["body"], content["identity"]["network"]):
        section["fixed"] = {ESCAPES: SCRIPT}
    content["versions"][ESCAPES] = ESCAPES


def _stored(path: Path, _: Place) -> None:
    import torch

    torch.save({"format": FORMAT, "state": Owned()}, path)


def _old_pickle(path: Path, _: Place) -> None:
    path.write_bytes(pickle.dumps(Owned()))


def _archive(path: Path, _: Place) -> None:
    bomb_archive(path, "archive/data/99", b"", 3_000_000_000, "a")


def _pickle_bomb(path: Path, _: Place) -> None:
    bomb_archive(path, "archive/data.pkl", b"\x80\x02", 1_500_000_000)


def _grown(path: Path, _: Place) -> None:
    """Write lists of lists by memo: small in the file, 2 to the 60th in memory if copied."""
    code = (
        b"\x80\x02]q\x00"
        + b"".join(
            b"]q" + bytes([k + 1]) + b"(" + b"h" + bytes([k]) + b"h" + bytes([k]) + b"e" for k in range(60)
        )
        + b"."
    )
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("archive/data.pkl", code)
        made.writestr("archive/version", "3\n")


def _bytearrays(path: Path, _: Place) -> None:
    code = b"\x80\x02(" + b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R" * 50 + b"t."
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("archive/data.pkl", code)
        made.writestr("archive/version", "3\n")


def checkpoint_bombs(results: Path) -> Iterator[tuple[str, Plant]]:
    """Give checkpoints that grow or run programs."""
    file = "training/seed_0/checkpoint.pt"

    kinds = {
        "a number repeated 10^12 times": _changed(_strided),
        "2000 numbers repeated 10^8 times": _changed(_many),
        "200 lists in each other": _changed(_deep),
        "2^60 lists": _changed(_widened),
        "50 MB of text": _changed(_long_text),
        "hostile names": _changed(_called),
        "a program": _stored,
        "a program, unpacked": _old_pickle,
        "3 GB of zeros": _archive,
        "1.5 GB of pickle": _pickle_bomb,
        "lists that grow": _grown,
        "arrays of bytes": _bytearrays,
    }
    for name, write in kinds.items():
        for verb in ("export", "estimate", "adapt", "stream", "locate-sensors"):

            def plant(here: Place, write=write, verb=verb) -> Sequence[str | Path]:
                out = here.own / "out"
                shutil.copytree(results, out)
                write(out / file, here)
                if verb == "export":
                    return ["export", out, "--out", here.own / "x.onnx"]
                manifest = json.loads((out / "manifest.json").read_text())
                from sspinn_opensim.files import sha256

                new = sha256(out / file)
                old = manifest["files"][file]["sha256"]
                text = json.dumps(manifest).replace(old, new)
                (out / "manifest.json").write_text(text)
                study = demo(here)
                if verb == "adapt":
                    return ["adapt", study, "--from", out, "--steps", "1", "--out", here.own / "adapted"]
                if verb == "locate-sensors":
                    return [verb, study, "--network", out, "--out", here.own / "located"]
                more = ["--udp", "0"] if verb == "stream" else ["--steps", "6"]
                return [verb, study, *more, "--out", out]

            yield f"{verb} with a checkpoint of {name}", plant
