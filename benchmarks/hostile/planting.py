"""What hostile cases plant: things that are no files, names, programs, bombs; and what they plant them in."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import osim_models
from benchmarks.hostile.watch import Place
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


def replaced(path: Path, thing: Callable, here: Place, *, keep: bool) -> None:
    """Put a thing in place of a file or folder; what is kept it may go on from."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif not keep:
        path.unlink(missing_ok=True)
    thing(path, here)


class _Zeros(io.RawIOBase):
    """So many zero bytes, as a file."""

    def __init__(self, count: int, head: bytes = b"") -> None:
        self._head, self._left = head, count

    def readable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer) -> int:
        """Fill a buffer: from the head, then with zeros."""
        if self._head:
            count = min(len(buffer), len(self._head))
            buffer[:count], self._head = self._head[:count], self._head[count:]
            return count
        count = min(len(buffer), self._left)
        buffer[:count] = bytes(count)
        self._left -= count
        return count


def bomb_archive(path: Path, name: str, head: bytes, size: int, mode: Literal["w", "a"] = "w") -> Path:
    """Write an archive of a member of zeros behind a head, or add the member to one."""
    packed = zipfile.ZipFile(path, mode, zipfile.ZIP_DEFLATED, compresslevel=1)
    with packed as archive, archive.open(name, "w", force_zip64=True) as member:
        shutil.copyfileobj(_Zeros(size, head), member, 1 << 20)
    return path


LAUGHS = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "ha"}">' for i in range(12))


def xml_value(name: str) -> str:
    """Return a text as a value of an attribute; what XML cannot hold is left out."""
    kept = "".join(c for c in name if c in "\t\n\r" or ord(c) >= 32)
    for letter, code in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\n", "&#10;")):
        kept = kept.replace(letter, code)
    return kept
