"""Errors and the one warning that users of this project ever see."""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike
from typing import Any, Self


class InputError(Exception):
    """Something the user gave cannot be used; says what, where, and how to mend it.

    Parameters
    ----------
    what : str
        One sentence: what is wrong.
    where : str or Path, optional
        File with its line, column or element, or the argument.
    expected, found : str, optional
        What would have been right, and what was there.
    fix : str, optional
        What the user should do.

    Attributes
    ----------
    what, where, expected, found, fix : str
        The parts, so that a caller can add a place without parsing text.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | PathLike[str] = "",
        expected: str = "",
        found: str = "",
        fix: str = "",
    ) -> None:
        self.what, self.where = what, str(where)
        self.expected, self.found, self.fix = expected, found, fix
        parts = [("where", self.where), ("expected", expected), ("found", found), ("fix", fix)]
        lines = [what] + [f"  {label}: {text}" for label, text in parts if text]
        super().__init__("\n".join(lines))

    def at(self, where: str | PathLike[str]) -> Self:
        """Return the same error at another place."""
        parts = {"expected": self.expected, "found": self.found, "fix": self.fix}
        return type(self)(self.what, where=where, **parts)

    def __reduce__(self) -> tuple[Any, ...]:
        # As any object, not by a call of the class: its parts have names, and subclasses may have more.
        return _new, (type(self), *self.args), self.__dict__


class InputWarning(UserWarning):
    """Something the user gave is odd, and was taken all the same; shown to users as a note of one line."""


def _new(kind: type[Exception], *args: Any) -> Exception:
    return kind.__new__(kind, *args)


class OpenSimError(InputError):
    """An OpenSim job did not deliver: crash, a limit, an error inside OpenSim, or an output not whole."""


class OpenSimTimeoutError(OpenSimError):
    """An OpenSim job was stopped because its time was over."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint such as ``did you mean 'pelvis'?``, or an empty string when nothing is near.

    The same letters in another case, or with blanks for underscores, come first; a name of the other side of
    the body is never proposed.
    """
    import difflib

    plain = _plain(name)
    known = [other for other in known if not _opposite(name, other)]
    same = next((other for other in known if _plain(other) == plain), None)
    if same is None:
        lower = {other.lower(): other for other in reversed(known)}
        near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
        same = lower[near[0]] if near else None
    return "" if same is None else f"did you mean '{same}'?"


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _opposite(one: str, other: str) -> bool:
    """Whether two names are of the two sides, or differ in nothing but an r for an l at an end."""
    if {_side(one), _side(other)} == {"r", "l"}:
        return True
    a, b = _plain(one), _plain(other)
    ends = ((a[:1], b[:1], a[1:] == b[1:]), (a[-1:], b[-1:], a[:-1] == b[:-1]))
    return any(rest and {x, y} == {"r", "l"} for x, y, rest in ends)


def _side(name: str) -> str:
    """Return r or l where a name tells one side: `hip_r`, `RightFoot`, `LASI`; else nothing."""
    words = re.split("[^a-z]+", re.sub("(?<=[a-z0-9])(?=[A-Z])", " ", name).lower())
    told = {word[0] for word in words if word in ("r", "l") or word.startswith(("right", "left"))}
    if not told and re.match("[RL][A-Z]", name):
        told = {name[0].lower()}
    return told.pop() if len(told) == 1 else ""
