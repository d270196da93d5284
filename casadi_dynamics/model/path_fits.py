"""Wrapped muscle paths as polynomials of the coordinates they span: numbers, their errors, their file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.model.types import Model


class OtherModelError(InputError):
    """Stored fits are whole, but those of another model."""


@dataclass(frozen=True)
class Piece:
    """A sum of products of Chebyshev polynomials in a box of coordinates.

    Attributes
    ----------
    lower, upper : tuple of k floats
        The box, rad or m; each coordinate is scaled from it to -1..1.
    exponents : tuple of tuples of k int
        Degree of the polynomial of each coordinate, per term.
    coefficients : tuple of float
        m, one per term.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    exponents: tuple[tuple[int, ...], ...]
    coefficients: tuple[float, ...]


@dataclass(frozen=True)
class PathFit:
    """The length of a muscle as a function of coordinates; its moment arms are the slopes, with a minus.

    Attributes
    ----------
    muscle : str
    coordinates : tuple of k str
    pieces : tuple of Piece
        Boxes that fill the range together; more than one where OpenSim's path jumps or bends sharply.
    length_error, moment_arm_error : float
        Largest difference from OpenSim at postures that the fit has not seen, m and m per rad (m per m).
    usual_length_error, usual_moment_arm_error : float
        What 99 of 100 of those postures do not exceed.
    beyond : float
        Share of those postures where the accuracy asked for is missed, as where OpenSim's path jumps.
    unanswered : float
        Share of the postures at which OpenSim itself finds no path.
    """

    muscle: str
    coordinates: tuple[str, ...]
    pieces: tuple[Piece, ...]
    length_error: float
    moment_arm_error: float
    usual_length_error: float
    usual_moment_arm_error: float
    beyond: float = 0.0
    unanswered: float = 0.0


def fits_file(model_file: str | Path) -> Path:
    """Return where the fits of a model file are stored: `subject.osim` has `subject.paths.json` beside it."""
    return Path(model_file).with_suffix(".paths.json")


def dump_fits(model: Model, fits: tuple[PathFit, ...]) -> str:
    """Return the text of a file of fits, which names the model by the hash of its content."""
    return json.dumps({"model": model.content_hash, "fits": [asdict(fit) for fit in fits]}) + "\n"


def read_fits(path: str | Path, model: Model) -> tuple[PathFit, ...]:
    """Read stored fits.

    Raises
    ------
    InputError
        If the file cannot be read or is not a file of fits; a `OtherModelError` if it is.
    """
    path = Path(path)
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        owner, fits = stored["model"], tuple(_fit(entry) for entry in stored["fits"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "The stored muscle paths cannot be read.",
            where=str(path),
            expected="a file that `sspinn convert --paths` wrote",
            found=f"{type(error).__name__}: {error}",
            fix="delete it, or convert the model again",
        ) from None
    if owner != model.content_hash:
        raise OtherModelError(
            "The stored muscle paths belong to another model.",
            where=str(path),
            expected=f"those of the model with hash {model.content_hash[:12]}",
            found=str(owner)[:12],
            fix="convert the model again",
        )
    return fits


def _fit(entry: dict) -> PathFit:
    pieces = tuple(
        Piece(
            tuple(map(float, p["lower"])),
            tuple(map(float, p["upper"])),
            tuple(tuple(map(int, e)) for e in p["exponents"]),
            tuple(map(float, p["coefficients"])),
        )
        for p in entry["pieces"]
    )
    return PathFit(**{**entry, "coordinates": tuple(entry["coordinates"]), "pieces": pieces})
