"""Dataclasses filled from tables of a TOML file, or changed by the command line, by their annotations.

The name of a field is the key, its annotation what a value may be, its default the value of a key left out.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import osim_models
from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.input_files import check_input, not_a_file
from sspinn_opensim.settings.bounds import Bounds, FoldersToo, OneOf
from sspinn_opensim.text import printable

#: Bytes; a study has a few thousand.
_LARGEST = 1_000_000
#: A key of more parts than any table has; of very many, reading it would take minutes.
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){20}""")
#: Entries of a list.
_LONGEST = 100_000


@dataclass(frozen=True)
class Location:
    """A table or key of a file, or an option of the command line, for messages.

    Parameters
    ----------
    path : Path or str
        The file; or what stands for it, such as ``--steps``.
    text : str
        Content of the file, searched for the line of a key.
    keys : tuple of str
        Names of the tables from the outermost in, then of the key.
    """

    path: Path | str
    text: str = ""
    keys: tuple[str, ...] = ()

    def __truediv__(self, key: str) -> Location:
        return dataclasses.replace(self, keys=(*self.keys, key))

    def __str__(self) -> str:
        line = self._line()
        parts = (str(self.path), f"line {line}" if line else "", ".".join(self.keys))
        return ", ".join(part for part in parts if part)

    def _line(self) -> int | None:
        """Line of the key or of its table; None where a simple search does not find it."""
        lines = self.text.splitlines()
        for depth in range(len(self.keys), 0, -1):
            table, key = ".".join(self.keys[: depth - 1]), re.escape(self.keys[depth - 1])
            header = re.compile(rf"\s*\[{re.escape('.'.join(self.keys[:depth]))}\]")
            current = ""
            for number, line in enumerate(lines, 1):
                if header.match(line):
                    return number
                if found := re.match(r"\s*\[([^\[\]]+)\]", line):
                    current = found[1].strip()
                elif current == table and re.match(rf"\s*\"?{key}\"?\s*[=.]", line):
                    return number
        return None

    def error(self, what: str, **parts: str) -> InputError:
        """Return an error that says this place."""
        return InputError(what, where=str(self), **parts)


def load(path: Path, what: str = "study file") -> tuple[str, dict[str, Any]]:
    """Return text and tables of a TOML file; `what` it is, for messages."""
    if why := not_a_file(path):
        beside = [file.name for file in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        fix = f"give the {what} (.toml) itself" if path.is_dir() else nearest(path.name, beside)
        if path.is_dir() and what == "study file":
            fix += "; of a vendor's folder, sspinn check FOLDER --study study.toml writes one"
        raise InputError(f"The {what} {why}.", where=path, fix=fix)
    check_input(path, f"the {what}", _LARGEST)
    try:
        text = path.read_text(encoding="utf-8-sig")
        if found := _LONG_KEY.search(text):
            line = text.count("\n", 0, found.start()) + 1
            raise InputError(f"The {what} has a key of too many parts.", where=f"{path}, line {line}")
        return text, tomllib.loads(text)
    except OSError as error:
        raise InputError(f"The {what} cannot be read: {error.strerror}.", where=path) from error
    except UnicodeDecodeError as error:
        raise InputError(f"The {what} is not UTF-8 text.", where=path, fix="save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"The {what} is not valid TOML: {error}.",
            where=path,
            fix="text needs quotes, a number a point (1.72), a table starts with [name], Windows paths need "
            "'single quotes' or \"/\"",
        ) from error
    except (
        ValueError,
        RecursionError,
    ) as error:  # too many digits, tables too deep
        raise InputError(f"The {what} cannot be read: {error}.", where=path) from error


def read_tables(path: str | Path, kind: type, what: str = "study file") -> Any:
    """Read a TOML file whose format is a dataclass.

    Parameters
    ----------
    path : str or Path
        The file; paths in it are relative to it.
    kind : type
        The dataclass.
    what : str
        What the file is, for messages.

    Raises
    ------
    InputError
        If the file is missing or not TOML, a key is unknown, missing or of the wrong kind, a value is out of
        bounds, or a file it names does not exist.
    """
    path = Path(path).absolute()
    text, table = load(path, what)
    return parse(kind, table, Location(path, text))


def replaced(settings: Any, changes: Mapping[str, Any], place: Location) -> Any:
    """Return a dataclass with some values replaced, each held to its annotation as if it stood in a file.

    Parameters
    ----------
    changes : mapping of str to object
        By name of the field.
    """
    hints = typing.get_type_hints(type(settings), include_extras=True)
    checked = {name: _convert(value, hints[name], place) for name, value in changes.items()}
    return dataclasses.replace(settings, **checked)


def parse(kind: Any, table: Any, place: Location, **given: Any) -> Any:
    """Build the dataclass `kind` from a TOML table; `given` fields do not come from the table."""
    if not isinstance(table, dict):
        raise place.error(
            "This must be a table.", expected=f"[{'.'.join(place.keys)}]", found=_describe(table)
        )
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name not in given}
    refuse_unknown(table, fields, place)
    hints = typing.get_type_hints(kind, include_extras=True)
    values = {key: _convert(table[key], hints[key], place / key) for key in fields if key in table}
    for key, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and key not in table:
            raise place.error(f"The key '{key}' is missing.", expected=_wanted(hints[key], key))
    return kind(**given, **values)


def refuse_unknown(table: Iterable[str], known: Iterable[str], place: Location) -> None:
    """Refuse a key, or a table, that is not one of those known: it is most likely misspelt."""
    known = tuple(known)
    for key in table:
        if key not in known:
            raise (place / key).error(
                f"Unknown key '{key}'.", expected="one of " + ", ".join(known), fix=nearest(key, known)
            )


def _convert(value: Any, hint: Any, place: Location) -> Any:
    """Check a TOML value against an annotation and return it in that type."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        parts = [part for part in typing.get_args(hint) if part is not type(None)]
        listed = isinstance(value, list | tuple)
        hint = next((part for part in parts if (typing.get_origin(part) is tuple) == listed), parts[0])
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _convert_bounded(value, arguments[0], arguments[1], place)
    if origin is Literal:
        return _choose(value, OneOf(arguments), place)
    if origin is dict:
        _require(isinstance(value, dict), value, "a table of names and numbers", place)
        return {key: _convert(entry, arguments[1], place / key) for key, entry in value.items()}
    if origin is tuple:
        return _convert_list(value, arguments, place)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return parse(hint, value, place)
    return _convert_scalar(value, hint, place)


def _convert_bounded(value: Any, base: Any, bounds: Bounds | OneOf | FoldersToo, place: Location) -> Any:
    if isinstance(bounds, FoldersToo):
        _require(isinstance(value, str | Path), value, str(bounds), place)
        return _resolve(str(value), place, folders=True)
    if isinstance(bounds, OneOf):
        return _choose(value, bounds, place)
    number = _convert(value, base, place)
    if not bounds.holds(number):
        raise place.error(
            "The value is out of bounds.", expected=str(bounds), found=f"{number:g}", fix=bounds.hint
        )
    return number


def _convert_list(value: Any, arguments: tuple[Any, ...], place: Location) -> tuple[Any, ...]:
    if dataclasses.is_dataclass(arguments[0]):
        _require(isinstance(value, dict), value, f"tables [{place.keys[-1]}.NAME]", place)
        for name in value:
            _refuse_unprintable(name, place)
        return tuple(parse(arguments[0], entry, place / name, name=name) for name, entry in value.items())
    _require(isinstance(value, list | tuple), value, "a list in [ ]", place)
    _require(len(value) <= _LONGEST, f"{len(value)} entries", f"at most {_LONGEST} entries", place)
    if arguments[-1] is Ellipsis:
        _require(len(value) > 0, value, "at least one entry", place)
        arguments = (arguments[0],) * len(value)
    _require(len(value) == len(arguments), value, f"{len(arguments)} entries", place)
    return tuple(_convert(entry, hint, place) for entry, hint in zip(value, arguments, strict=True))


def _convert_scalar(value: Any, hint: type, place: Location) -> Any:
    if hint is Path:
        _require(isinstance(value, str | Path), value, "a path in quotes", place)
        return _resolve(str(value), place)
    if hint is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        _require(number and abs(value) <= sys.float_info.max, value, "a number", place)
        return float(value)
    if hint is int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        _require(whole and abs(value) < 2**63, value, "a whole number", place)
        return value
    expected = {str: "text in quotes", bool: "true or false"}[hint]
    _require(isinstance(value, hint), value, expected, place)
    if hint is str:
        _refuse_unprintable(value, place)
    return value


def _refuse_unprintable(text: str, place: Location) -> None:
    """Refuse a text that is not one line of letters: it would steer a terminal, or pass for more lines."""
    if printable(text) != text or "\n" in text:
        raise place.error("A text holds a line break or letters that cannot be seen.", found=repr(text[:200]))


def _choose(value: Any, choices: OneOf, place: Location) -> str:
    if value not in choices:
        raise place.error(
            "The value is not one of the choices.",
            expected=str(choices),
            found=_describe(value),
            fix=nearest(value, choices) if isinstance(value, str) else "",
        )
    return value


def _resolve(text: str, place: Location, *, folders: bool = False) -> Path:
    if text.startswith("builtin:"):
        try:
            return osim_models.path(text.removeprefix("builtin:").removesuffix(".osim") + ".osim")
        except InputError as error:
            what = f"There is no built-in model '{text.removeprefix('builtin:')}'."
            raise place.error(what, expected=error.expected, fix=error.fix) from None
    # normpath, not resolve: a study reached through a link names files beside the link.
    folder = place.path.parent if isinstance(place.path, Path) else None
    try:
        named = Path(text).expanduser()
    except RuntimeError:  # of nobody on this machine
        raise place.error("The path begins with the home folder of an unknown user.", found=text) from None
    file = Path(os.path.normpath((folder or Path()) / named))
    if (why := not_a_file(file)) and not (folders and why == "is a folder"):
        beside = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
        near = nearest(file.name, beside) or ("paths are relative to the study file" if folder else "")
        missing = "exist" in why
        raise place.error(f"The file {why}.", found=str(file), fix=near if missing else "give a file")
    return file


def _require(holds: bool, value: Any, expected: str, place: Location) -> None:
    if not holds:
        raise place.error("The value is of the wrong kind.", expected=expected, found=_describe(value))


def _describe(value: Any) -> str:
    kinds = {bool: "true/false", str: "text", list: "a list", dict: "a table", int: "number", float: "number"}
    if isinstance(value, int) and abs(value) >= 2**63:
        return "a number of too many digits"
    return f"{repr(value)[:200]} ({kinds.get(type(value), type(value).__name__)})"


def _wanted(hint: Any, key: str) -> str:
    if dataclasses.is_dataclass(hint):
        return f"a table [{key}]"
    if typing.get_origin(hint) is tuple:
        return f"at least one table [{key}.NAME]"
    if typing.get_origin(hint) is Literal:
        return f"{key} = {OneOf(typing.get_args(hint))}"
    if typing.get_origin(hint) is Annotated:
        return f"{key} = {typing.get_args(hint)[1]}"
    return f"{key} = ..."
