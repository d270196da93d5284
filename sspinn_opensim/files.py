"""Files written whole or not at all, read back with doubt, and hashed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import check_size, not_a_file
from casadi_dynamics.opensim_process.outputs import DRAFT

LOCK_FILE = ".lock"
#: A JSON file of a results folder is far smaller, bytes.
_LARGEST_JSON = 20_000_000
#: Folders in each other that are looked through; results have a few.
_DEEPEST = 50


@contextlib.contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """Give a new empty file beside `path`, which takes its place when the block ends without an error.

    Its name is hidden, unpredictable and its own, whoever else writes the same file; it ends as `path` does,
    since OpenSim goes by that. Nothing is left behind after an error; what a killed process leaves,
    `remove_drafts` knows by its name.

    Parameters
    ----------
    path : Path
        Destination; its folder must exist.
    """
    path = Path(path)
    draft = path.with_name(f"{DRAFT}{secrets.token_hex(8)}{path.suffix}")
    try:
        draft.open("xb").close()  # "x": no file or link that is there already is written to
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Give what `os.walk` gives, no more than `_DEEPEST` folders deep: it ends with an error far deeper.

    The folders that are not to be entered are taken out of the list, as with `os.walk`.
    """
    top = len(Path(folder).parts)
    for place, folders, names in os.walk(folder):
        if len(Path(place).parts) - top >= _DEEPEST:
            folders.clear()
        yield place, folders, names


def draft_folder(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a new empty folder inside another, as `draft_of` gives a file; a context that removes it."""
    return tempfile.TemporaryDirectory(prefix=DRAFT, dir=folder)


def drafts(folder: Path) -> list[Path]:
    """Return the drafts in a folder and in those below it, none of which is reached through a link."""
    found = []
    for place, folders, names in walk(folder):
        found += [Path(place, name) for name in (*folders, *names) if name.startswith(DRAFT)]
        # A folder inside that is locked is another command's.
        locked = [name for name in folders if Path(place, name, LOCK_FILE).exists()]
        folders[:] = [name for name in folders if not name.startswith(DRAFT) and name not in locked]
    return found


def remove_drafts(folder: Path) -> None:
    """Remove what killed processes left in a folder; nobody else may be writing to it."""
    for path in drafts(folder):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes | Iterable[str]) -> Path:
    """Write `content` to a temporary sibling of `path` and move it into place.

    Parameters
    ----------
    path : Path
        Destination; its folder must exist.
    content : str, bytes or iterable of str
        Text is encoded as UTF-8 with the line ends it has; pieces of it are written one after the other.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        The folder is missing, is not writable, or the disk is full; nothing is left behind.
    """
    path = Path(path)
    try:
        with draft_of(path) as draft:
            if isinstance(content, str | bytes):
                draft.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
            else:
                with draft.open("w", encoding="utf-8", newline="") as file:
                    file.writelines(content)
    except OSError as error:
        raise InputError(
            f"Cannot write {path.name}.",
            where=str(path),
            found=error.strerror or str(error),
            fix="name a folder that exists, can be written to and has free space",
        ) from error
    return path


def write_json(path: Path, content: object) -> Path:
    """Write plain values as JSON, as `write_atomically` does text."""
    return write_atomically(path, json.dumps(content, indent=1) + "\n")


def read_json(path: Path, shape: object, fix: str) -> Any:
    """Read a JSON file that this project wrote as if a stranger had.

    Parameters
    ----------
    shape : object
        What it must hold: ``{str: shape}`` an object of any keys, another dict one of these keys and others
        (``"key?"`` may be missing), ``[shape]`` a list, a tuple any of its members; else one of `str`,
        `bool`, `int`, `float` (finite), `None`, and `object` for anything.
    fix : str
        What to do where it is damaged.

    Raises
    ------
    InputError
        It is missing, too large or no JSON, nests too deeply, or has another shape.
    """
    if why := not_a_file(path):
        raise _damaged(path, f"it {why}", fix)
    try:
        check_size(path, f"the file {path.name}", _LARGEST_JSON, fix)
        text = path.read_text(encoding="utf-8")
        content = json.loads(text, parse_constant=_refuse_constant)
        if "\\ud" in text.lower():  # half a character, which no file can hold
            json.dumps(content, ensure_ascii=False).encode()
        check_shape(content, shape)
    except OSError as error:
        raise _damaged(path, error.strerror or str(error), fix) from error
    except RecursionError as error:
        raise _damaged(path, "values too deep in each other", fix) from error
    except ValueError as error:
        raise _damaged(path, str(error)[:200], fix) from error
    return content


def _damaged(path: Path, found: str, fix: str) -> InputError:
    return InputError(f"Cannot read {path.name}.", where=path, found=found, fix=fix)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"the number {name}")


def check_shape(value: object, shape: object, key: str = "") -> None:
    """Raise `ValueError` for a value of another shape; see `read_json`."""
    if isinstance(shape, tuple):
        if not any(_has_shape(value, one) for one in shape):
            raise _wrong(value, key)
    elif isinstance(shape, dict) and isinstance(value, dict):
        for name, inner in (dict.fromkeys(value, shape[str]) if str in shape else shape).items():
            plain = name.removesuffix("?") if str not in shape else name
            if plain in value:
                check_shape(value[plain], inner, f"{key}.{plain}")
            elif plain == name:
                raise ValueError(f"'{f'{key}.{name}'.lstrip('.')}' is missing")
    elif isinstance(shape, list) and isinstance(value, list):
        for place, item in enumerate(value):
            check_shape(item, shape[0], f"{key}[{place}]")
    elif not _is_scalar(value, shape):
        raise _wrong(value, key)


def _has_shape(value: object, shape: object) -> bool:
    try:
        check_shape(value, shape)
    except ValueError:
        return False
    return True


def _is_scalar(value: object, kind: object) -> bool:
    if kind is float:
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and abs(value) <= sys.float_info.max
        )
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    return value is None if kind is None else isinstance(kind, type) and isinstance(value, kind)


def _wrong(value: object, key: str) -> ValueError:
    return ValueError(f"'{key.lstrip('.') or 'the whole'}' is {repr(value)[:60]}")


def sha256(path: Path) -> str:
    """Return the SHA-256 of what a file holds, or the files in a folder by name, as hexadecimal digits."""
    if Path(path).is_dir():
        files = (file for file in sorted(Path(path).rglob("*")) if file.is_file())
        entries = [f"{file.relative_to(path).as_posix()} {sha256(file)}" for file in files]
        return hashlib.sha256("\n".join(entries).encode()).hexdigest()
    if Path(path).stat().st_size == 0:  # not opened: some files of the system have no size, and no end
        return hashlib.sha256().hexdigest()
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require(path: Path, fix: str) -> Path:
    """Return the path of a file of an earlier stage; one that is missing raises `InputError`."""
    if not path.is_file():
        raise InputError("A file of an earlier stage is missing.", where=path, fix=fix)
    return path
