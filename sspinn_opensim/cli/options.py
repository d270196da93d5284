"""Options of the command line: what a row of the table of verbs is made of."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import not_a_file
from sspinn_opensim.settings.bounds import LARGEST, Bounds
from sspinn_opensim.streaming.addresses import address_of
from sspinn_opensim.study.sensor_sets import ALL, PRESETS

#: Options with this in front of their name replace what the study says.
OF_STUDY = "study."
ANY = Bounds(-LARGEST, LARGEST)
COUNT, NONE_OR_MORE, PROCESSES = Bounds(1, LARGEST), Bounds(0, LARGEST), Bounds(1, 1024)
#: As it is written in English: no 1_000, no nan.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE | re.ASCII)
#: What is expected of a text that is no number of a kind.
_KINDS: dict[Callable[[str], float], str] = {int: "a whole number", float: "a number such as 1.75"}


class Option:
    """An argument or an option of a verb.

    Parameters
    ----------
    typed : str
        Name of the argument, or the option as it is typed.
    **settings
        As for `argparse.ArgumentParser.add_argument`.
    """

    def __init__(self, typed: str, purpose: str, **settings: Any) -> None:
        self.typed, self.settings = typed, {"help": purpose, **settings}

    @property
    def name(self) -> str:
        """Name of its value among the parsed ones."""
        return self.settings.get("dest") or self.typed.lstrip("-").replace("-", "_")


def path(typed: str, unit: str, purpose: str, **settings: Any) -> Option:
    """Return an option that takes a path."""
    return Option(typed, purpose, type=_named, metavar=unit, **settings)


def number(
    typed: str, kind: Callable[[str], float], unit: str, purpose: str, bounds: Bounds = ANY, **settings: Any
) -> Option:
    """Return an option that takes a number of a kind, `int` or `float`, inside some bounds."""

    def parsed(text: str) -> float:
        try:
            value = kind(text) if _NUMBER.fullmatch(text.strip()) else None
        except ValueError:  # 1.5 where a whole number is asked for
            value = None
        expected = str(bounds) if value is not None else _KINDS[kind]
        if value is None or not bounds.holds(value):
            raise argparse.ArgumentTypeError(f"expected {expected}, found '{text[:80]}'")
        return value

    return Option(typed, purpose, type=parsed, metavar=unit, **settings)


def _named(text: str) -> Path:
    if not text.strip() or any(ord(letter) < 32 for letter in text):
        raise argparse.ArgumentTypeError(f"{text!r} names no file or folder")
    try:
        found = Path(text).expanduser()  # no shell does it in --out=~/results
    except RuntimeError:
        raise argparse.ArgumentTypeError(f"{text!r} begins with the home of an unknown user") from None
    if found.exists() and not found.is_dir() and (why := not_a_file(found)):
        raise argparse.ArgumentTypeError(f"{text!r} {why}")  # whoever reads it would wait for ever
    return found


def _folder(text: str) -> Path:
    found = _named(text)
    if found.exists() and not found.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a file: name a folder, or one that is not there yet")
    return found


def folder(typed: str, purpose: str, **settings: Any) -> Option:
    """Return an option that takes a folder that is there or will be made."""
    return Option(typed, purpose, type=_folder, metavar="FOLDER", **settings)


def flag(typed: str, purpose: str) -> Option:
    """Return an option that is there or not."""
    return Option(typed, purpose, action="store_true")


def address(typed: str, purpose: str, **settings: Any) -> Option:
    """Return an option that takes an address of the network, kept as it is typed."""

    def named(text: str) -> str:
        try:
            address_of(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(f"expected {error.expected}, found '{text[:80]}'") from None
        return text

    return Option(typed, purpose, type=named, metavar="HOST:PORT", **settings)


def names(text: str) -> tuple[str, ...]:
    """Return names given with commas between."""
    return tuple(text.split(","))


def seeds(text: str) -> tuple[int, ...]:
    """Return whole numbers given with commas between."""
    words = names(text)
    if not all(re.fullmatch("[0-9]{1,19}", word) for word in words):
        raise argparse.ArgumentTypeError(f"expected whole numbers such as 0,1,2, found '{text[:80]}'")
    return tuple(map(int, words))


def sensors(text: str) -> str | tuple[str, ...]:
    """Return a known set as it is, anything else as names of sensors."""
    return text if text == ALL or text in PRESETS else names(text)


OUT = folder("--out", "folder of the results", required=True)
