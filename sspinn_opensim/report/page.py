"""Self-contained HTML pages: a title, some facts, sections by templates. Whatever is put in is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sspinn_opensim.anatomy import readable
from sspinn_opensim.text import fixed, signed
from sspinn_opensim.viewer import scripts

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Table:
    """Rows of texts under headings.

    Attributes
    ----------
    columns : sequence of str
        Headings.
    rows : sequence of sequences of str
        Cells.
    bold_last : bool
        Whether the last row sums up the others.
    wrap : int or None
        The column whose text may break over lines.
    left : int
        So many columns, from the first, are texts, set to the left; the others are numbers, set to the right.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    bold_last: bool = False
    wrap: int | None = None
    left: int = 1


@dataclass(frozen=True)
class Section:
    """A titled part of a page.

    Attributes
    ----------
    key, title : str
        Anchor, and heading.
    template : str
        File that lays it out.
    content : mapping
        What the template shows.
    """

    key: str
    title: str
    template: str
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """A page before it becomes HTML.

    Attributes
    ----------
    title : str
        Of the document and its heading.
    sections : sequence of Section
        From top to bottom.
    facts, hints : sequence of str
        A line under the title; paragraphs under that.
    alerts : sequence of str
        What makes the page not to be trusted, above the hints.
    summary : mapping or None
        What the template ``summary.html`` shows above the alerts.
    links : bool
        Whether links to the sections stand at the top.
    origin : str
        Says in the footer where the numbers come from.
    figure : mapping or None
        JSON values of the moving body.
    """

    title: str
    sections: Sequence[Section]
    facts: Sequence[str] = ()
    hints: Sequence[str] = ()
    alerts: Sequence[str] = ()
    summary: Mapping[str, Any] | None = None
    links: bool = False
    origin: str = "Estimates from inertial sensors"
    figure: Mapping[str, Any] | None = field(default=None, repr=False)

    def html(self) -> str:
        """Return the page; it loads nothing from elsewhere, and runs no script but its own."""
        own = (_TEMPLATES / "movement.js").read_text(encoding="utf-8")
        script = "\n".join((*scripts().values(), own)) if self.figure else ""
        return (
            environment()
            .get_template("page.html")
            .render(
                page=self,
                style=(_TEMPLATES / "page.css").read_text(encoding="utf-8"),
                script=script,
                script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            )
        )


@cache
def environment() -> Environment:
    """Return the templates, which escape all that is put into them."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    made.filters |= {"fixed": fixed, "signed": signed, "readable": readable}
    return made
