"""The scripts that draw scenes: three.js, as it ships with this package, and the viewer on top of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "browser"
THREE, VIEWER = "three.min.js", "viewer.js"


@cache
def scripts() -> dict[str, str]:
    """Return name and text of the scripts, in the order in which a page runs them.

    None of them loads a module, and none holds what ends a script element: they may be inlined or served.
    """
    return {name: (FOLDER / name).read_text(encoding="utf-8") for name in (THREE, VIEWER)}
