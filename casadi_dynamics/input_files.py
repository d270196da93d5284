"""Files of strangers before they are read: files, not pipes or devices, and of a size that can be read."""

from __future__ import annotations

import stat
from pathlib import Path
from xml.etree import ElementTree

from casadi_dynamics.errors import InputError

#: Larger than the largest models and set-ups, many times, and than a recording of an hour in any layout.
MOST_XML_BYTES, MOST_TABLE_BYTES = 200_000_000, 4_000_000_000
#: A packed file may hold so many times its own size, beyond the first bytes: signals with noise do not come
#: near it, and what grows more was made to fill a memory. None may hold more than the last.
_MOST_RATIO, _FREE_BYTES, _MOST_UNPACKED_BYTES = 100, 100_000_000, 4_000_000_000

#: A line of a table: thousands of columns, with long names.
_LONGEST_LINE_BYTES = 300_000


def not_a_file(path: Path) -> str:
    """Return why a path cannot be read as a file: it is not there, a folder, a pipe; empty where it can."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "does not exist"
    except (OSError, ValueError) as error:  # a name too long, a part of it that is a file, a zero in it
        return f"cannot be found: {getattr(error, 'strerror', None) or error}"
    if stat.S_ISREG(mode):
        return ""
    return "is a folder" if stat.S_ISDIR(mode) else "is a pipe or a device; give a file"


def check_input(path: Path, what: str, most_bytes: int = MOST_TABLE_BYTES) -> Path:
    """Return the path of a file that can be read as a whole.

    Parameters
    ----------
    what : str
        What it is, for messages: "the recording".

    Raises
    ------
    InputError
        It is not there, no file, or larger than `most_bytes`.
    """
    if why := not_a_file(path):
        raise InputError(f"{what.capitalize()} cannot be read: it {why}.", where=path)
    check_size(path, what, most_bytes)
    return path


def check_size(path: Path, what: str, most_bytes: int, fix: str = "") -> None:
    """Refuse a file that is larger than `most_bytes`."""
    if (size := path.stat().st_size) > most_bytes:
        raise InputError(
            f"{what.capitalize()} is too large.",
            where=path,
            expected=f"at most {most_bytes / 1e6:g} MB",
            found=f"{size / 1e6:.0f} MB",
            fix=fix,
        )


def read_input(path: Path, what: str, most_bytes: int = MOST_TABLE_BYTES) -> bytes:
    """Return all that a file holds; parameters and errors are those of `check_input`."""
    try:
        return check_input(path, what, most_bytes).read_bytes()
    except OSError as error:
        raise InputError(
            f"{what.capitalize()} cannot be read.", where=path, found=error.strerror or str(error)
        ) from error


def refuse_long_lines(data: bytes, path: Path | str) -> None:
    """Refuse a table of text with a line that is far longer than those of any table: cells without end.

    A line is allowed `_LONGEST_LINE_BYTES`, and refused from twice as many on.
    """
    for start in range(0, len(data) - _LONGEST_LINE_BYTES + 1, _LONGEST_LINE_BYTES):
        end = start + _LONGEST_LINE_BYTES
        if data.find(b"\n", start, end) < 0 and data.find(b"\r", start, end) < 0:
            raise InputError(
                "The table has a line that is far too long.",
                where=path,
                expected=f"lines of at most {_LONGEST_LINE_BYTES // 1000} kB",
                found=f"no line ends between bytes {start} and {end}",
            )


def check_unpacked(path: Path, unpacked_bytes: int) -> None:
    """Refuse a packed file that holds far more than its size allows, by what it states of itself."""
    size = path.stat().st_size
    most = min(_FREE_BYTES + _MOST_RATIO * size, _MOST_UNPACKED_BYTES)
    if unpacked_bytes > most:
        raise InputError(
            "The file holds far more than a recording of its size can.",
            where=path,
            expected=f"at most {most / 1e6:.0f} MB",
            found=f"{unpacked_bytes / 1e6:.0f} MB in a file of {size / 1e6:.3g} MB",
        )


def parse_elements(data: bytes) -> ElementTree.Element:
    """Return the root element of an XML document without a document type.

    Raises
    ------
    SyntaxError, ValueError, LookupError
        It is not well-formed, or not in a known encoding; it has a document type, which could define texts
        that grow.
    """
    return ElementTree.fromstring(data, ElementTree.XMLParser(target=_WithoutType()))


class _WithoutType(ElementTree.TreeBuilder):
    """Builds elements, and none of a document that defines its own texts."""

    def doctype(self, name: str, *_: str | None) -> None:
        """Refuse it."""
        raise ValueError(f"it has a document type, <!DOCTYPE {name[:40]} ...>, which is not read")
