"""XML of strangers as elements: nothing is loaded from elsewhere, no text stands for something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lxml import etree

from casadi_dynamics.errors import InputError


def parse_plain(data: bytes, path: Path) -> Any:
    """Return the root element of a document without a document type.

    Parameters
    ----------
    data : bytes
        The document.
    path : Path
        Where it is from, for messages.

    Raises
    ------
    SyntaxError
        It is not well-formed.
    InputError
        It has a document type, which could define entities: texts that grow, or other files.
    """
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    refuse_document_type(root, path)
    return root


def refuse_document_type(root: Any, path: Path) -> None:
    """Refuse a document with a document type; see `parse_plain`."""
    doctype = root.getroottree().docinfo.doctype
    if doctype:
        raise InputError(
            "The file has a document type.",
            where=f"{path}, line 1",
            expected="plain elements, as OpenSim writes them",
            found=doctype[:80],
            fix="remove <!DOCTYPE ...> and the entities it defines",
        )
