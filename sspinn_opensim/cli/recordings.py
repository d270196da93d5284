"""Options of ``sspinn check``: a vendor's files, and what a study of them needs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from casadi_dynamics.errors import InputError
from sspinn_opensim.cli.options import Option, flag, number, path
from sspinn_opensim.settings.bounds import HEIGHT, MASS, SPEED

if TYPE_CHECKING:
    from sspinn_opensim.study.draft import NewStudy


def place(text: str) -> tuple[str, str]:
    """Return sensor and segment of ``SENSOR=SEGMENT``."""
    sensor, found, segment = text.partition("=")
    if not (found and sensor.strip() and segment.strip()):
        raise argparse.ArgumentTypeError(f"expected SENSOR=SEGMENT such as 00B42DA3=pelvis, found '{text}'")
    return sensor.strip(), segment.strip()


def key_and_value(text: str) -> tuple[str, str]:
    """Return key and value of ``KEY=VALUE``."""
    key, found, value = text.partition("=")
    if not (found and key.strip()):
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE such as trial=walk-001, found '{text}'")
    return key.strip(), value.strip()


class Pairs(argparse.Action):
    """Collects ``NAME=VALUE`` in a mapping; no name twice."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Add to what was typed before."""
        places = dict(getattr(namespace, self.dest) or {})
        for sensor, segment in values or ():
            if sensor in places:
                parser.error(f"{option_string}: '{sensor}' is given twice")
            places[sensor] = segment
        setattr(namespace, self.dest, places)


CHECK = (
    path("path", "PATH", "file or folder as a vendor's software wrote it, or a study file (.toml)"),
    path("--out", "FOLDER", "write a page with plots"),
    Option("--json", "print one JSON object", action="store_true", dest="as_json"),
    Option(
        "--where",
        "segment or body that carries each sensor of the file; the others are left out",
        nargs="+",
        type=place,
        action=Pairs,
        metavar="SENSOR=SEGMENT",
    ),
    number(
        "--rate",
        float,
        "HZ",
        "rate of the recording, where its files do not say it",
        dest="recorded_rate_hz",
    ),
    Option(
        "--option",
        "keys of the format's own table in a study, such as trial=walk-001",
        nargs="+",
        type=key_and_value,
        action=Pairs,
        metavar="KEY=VALUE",
        dest="options",
    ),
    path("--study", "TOML", "write a study of these files; needs --model, --height and --mass"),
    Option("--model", "model (.osim), or builtin:planar_gait", metavar="MODEL"),
    number("--height", float, "M", "height of the person, m", dest="height_m"),
    number("--mass", float, "KG", "mass of the person, kg", dest="mass_kg"),
    number("--speed", float, "M/S", "mean forward speed, m/s", dest="speed_m_s"),
    number("--generic-height", float, "M", "height of a person the model fits, m", dest="generic_height_m"),
    flag("--scaled", "the model is the person's already"),
    flag("--force", "replace a study that is there already"),
)


def new_study(options: argparse.Namespace) -> NewStudy | None:
    """Return what a study is written from; None if none was asked for."""
    from sspinn_opensim.study.draft import NewStudy

    given = {"--model": options.model, "--height": options.height_m, "--mass": options.mass_kg}
    if options.study is None:
        given |= {"--speed": options.speed_m_s, "--generic-height": options.generic_height_m}
        given |= {"--scaled": options.scaled or None, "--force": options.force or None}
        unused = [name for name, value in given.items() if value is not None]
        if unused:
            raise InputError(f"{', '.join(unused)}: for what?", fix="--study TOML writes a study")
        return None
    missing = [name for name, value in given.items() if value is None]
    if missing:
        raise InputError("A study needs more than this.", where="--study", expected=", ".join(missing))
    given |= {"--speed": options.speed_m_s, "--generic-height": options.generic_height_m}
    every = ("--height", HEIGHT), ("--mass", MASS), ("--speed", SPEED), ("--generic-height", HEIGHT)
    for name, bounds in every:
        if given[name] is not None and not bounds.holds(given[name]):
            raise InputError(
                "The value is out of bounds.",
                where=name,
                expected=str(bounds),
                found=f"{given[name]:g}",
                fix=bounds.hint,
            )
    return NewStudy(
        Path(options.study),
        options.model,
        options.height_m,
        options.mass_kg,
        options.speed_m_s,
        options.generic_height_m,
        options.scaled,
        options.force,
    )
