"""Options of the command line: what a row of the table of verbs is made of."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sspinn_opensim.study.sensor_sets import ALL, PRESETS


class Option:
    """An argument or an option of a verb.

    Parameters
    ----------
    flags : sequence of str
        Name of the argument, or the option as it is typed.
    settings
        As for `argparse.ArgumentParser.add_argument`.
    """

    def __init__(self, flags: Sequence[str], **settings: Any) -> None:
        self.flags, self.settings = tuple(flags), settings

    @property
    def name(self) -> str:
        """Name of its value among the parsed ones."""
        return self.settings.get("dest") or self.flags[0].lstrip("-").replace("-", "_")

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Let a parser know it."""
        parser.add_argument(*self.flags, **self.settings)


def path(flag: str, unit: str, purpose: str, **settings: Any) -> Option:
    """Return an option that takes a path."""
    return Option((flag,), type=Path, metavar=unit, help=purpose, **settings)


def number(flag: str, kind: Callable[[str], float], unit: str, purpose: str, **settings: Any) -> Option:
    """Return an option that takes a number of a kind, `int` or `float`."""
    return Option((flag,), type=kind, metavar=unit, help=purpose, **settings)


def word(flag: str, unit: str, purpose: str, **settings: Any) -> Option:
    """Return an option that takes text."""
    return Option((flag,), metavar=unit, help=purpose, **settings)


def choice(flag: str, choices: Sequence[str], purpose: str, **settings: Any) -> Option:
    """Return an option that takes one of a few words."""
    return Option((flag,), choices=choices, help=purpose, **settings)


def flag(flag: str, purpose: str) -> Option:
    """Return an option that is there or not."""
    return Option((flag,), action="store_true", help=purpose)


def names(text: str) -> tuple[str, ...]:
    """Return names given with commas between."""
    return tuple(text.split(","))


def seeds(text: str) -> tuple[int, ...]:
    """Return whole numbers given with commas between."""
    try:
        return tuple(map(int, names(text)))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers such as 0,1,2, found '{text}'") from None


def sensors(text: str) -> str | tuple[str, ...]:
    """Return a known set as it is, anything else as names of sensors."""
    return text if text == ALL or text in PRESETS else names(text)


OUT = path("--out", "FOLDER", "folder of the results", required=True)
