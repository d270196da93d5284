"""Hostile recordings: archives, HDF5, Parquet, MATLAB, C3D and text that lie, explode or lead elsewhere."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.hostile.planting import LAUGHS, NAMES, Owned, Plant, bomb_archive
from benchmarks.hostile.watch import Place


def _npz(path: Path, arrays: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in arrays.items():
            archive.writestr(f"{name}.npy", data)


def _npy_head(shape: str, kind: str = "<f8") -> bytes:
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


_ROWS = 60_000_000
_MVNX = '<?xml version="1.0"?>\n{}<mvnx version="4"><subject label="{}" frameRate="100">{}</subject></mvnx>'
_OUTSIDE = '<!DOCTYPE mvnx [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'


def _checked(name: str, write: Callable[[Path, Place], object]) -> Plant:
    def plant(here: Place) -> Sequence[str | Path]:
        write(here.own / name, here)
        return ["check", here.own / name]

    return plant


def _npz_time(path: Path, _: Place) -> None:
    bomb_archive(path, "time_s.npy", _npy_head(f"({_ROWS},)"), 8 * _ROWS)


def _npz_signal(path: Path, _: Place) -> None:
    bomb_archive(path, "a_acc.npy", _npy_head(f"({_ROWS}, 3)"), 24 * _ROWS)
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
    count = 8 * _ROWS
    inner = struct.pack("<II", 14, count + 48) + struct.pack("<IIII", 6, 8, 6, 0)
    inner += struct.pack("<IIII", 5, 8, _ROWS, 1) + struct.pack("<HH4s", 1, 1, b"x\0\0\0")
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
                _of_text(_MVNX.format(f"<!DOCTYPE m [{LAUGHS}]>", "&e11;", "")),
            ),
            ("MVNX with a file in it", "x.mvnx", _of_text(_MVNX.format(_OUTSIDE, "&x;", "&x;"))),
            ("MVNX of 300,000 levels", "x.mvnx", _of_text(_MVNX.format("", "", "<a>" * 300_000))),
            (
                "MVNX with hostile names",
                "x.mvnx",
                _of_text(_MVNX.format("", "&#27;[2J&#x202e;", "")),
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
