"""OpenSim's XML documents: read, searched, and put into bytes."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from casadi_dynamics.errors import InputError

OPENSIM_DOCUMENT_VERSION = "40600"


def read_document(path: Path, kind: str) -> etree._Element:
    """Return the one object of type `kind` in an OpenSim document.

    Raises
    ------
    InputError
        The file cannot be read or holds something else.
    """
    try:
        root = etree.parse(str(path)).getroot()
    except (OSError, etree.XMLSyntaxError) as error:
        raise InputError(f"cannot read the {kind} file", where=str(path), found=str(error)) from error
    found = root.find(kind)
    if found is None:
        raise InputError("another kind of file", where=str(path), expected=f"<{kind}>", found=f"<{root.tag}>")
    return found


def to_xml(document: etree._Element) -> bytes:
    """Return an indented XML file."""
    etree.indent(document, "\t")
    return etree.tostring(document, encoding="UTF-8", xml_declaration=True) + b"\n"


def child_text(element: etree._Element, tag: str) -> str:
    """Return the stripped text of a child, empty where there is none."""
    return (element.findtext(tag) or "").strip()
