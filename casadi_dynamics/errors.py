"""Errors and the one warning that users of this project ever see."""

from __future__ import annotations

import re
from os import PathLike
from typing import Self


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

    def __reduce__(self):
        # As any object, not by a call of the class: its parts have names, and subclasses may have more.
        return _new, (type(self), *self.args), self.__dict__


class InputWarning(UserWarning):
    """Something the user gave is odd, and was taken all the same; shown to users as a note of one line."""


def _new(kind: type[Exception], *args) -> Exception:
    return kind.__new__(kind, *args)


class OpenSimError(InputError):
    """An OpenSim job did not deliver: crash, a limit, an error inside OpenSim, or an output not whole."""


def nearest(name: str, known) -> str:
    """Return a hint such as ``did you mean 'pelvis'?``, or an empty string when nothing is near.

    The same letters in another case or with other blanks come first; a name of the other side never does.
    """
    import difflib

    known, side = list(map(str, known)), _sides(name)
    match = [other for other in known if _letters(other) == _letters(name)]
    if not match:
        known = [other for other in known if not (side and _sides(other)) or _sides(other) == side]
        match = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{match[0]}'?" if match else ""


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _sides(name: str) -> set[str]:
    """Return the first letters of the words of a name that tell a side."""
    words = re.findall("[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return {word[0] for word in words if word in ("r", "l", "right", "left")}
