"""OpenSim's XML documents: read, searched, and put into bytes."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import MOST_XML_BYTES, read_input
from casadi_dynamics.osim import NEWEST_VERSION, inline, parse_plain

OPENSIM_DOCUMENT_VERSION = str(NEWEST_VERSION)


def read_document(path: Path, kind: str) -> etree._Element:
    """Return the one object of type `kind` in an OpenSim document.

    Raises
    ------
    InputError
        The file cannot be read or holds something else.
    """
    root = read_root(path, f"cannot read the {kind} file")
    found = root.find(kind)
    if found is None:
        raise InputError("another kind of file", where=str(path), expected=f"<{kind}>", found=f"<{root.tag}>")
    return found


def read_root(path: Path, complaint: str) -> etree._Element:
    """Return the root of an XML file, with the objects in it that stand in files of their own.

    Parameters
    ----------
    path : Path
        The file.
    complaint : str
        What an error says of a file that is no whole XML.

    Raises
    ------
    InputError
        The file, or one that it names as a part of itself, cannot be read.
    """

    def parse(file: Path) -> etree._Element:
        try:
            return parse_plain(read_input(file, "the file", MOST_XML_BYTES), file)
        except etree.XMLSyntaxError as error:
            raise InputError(complaint, where=str(file), found=str(error)) from error

    root = parse(path)
    inline(root, path, parse)
    return root


def to_xml(document: etree._Element) -> bytes:
    """Return an indented XML file."""
    etree.indent(document, "\t")
    return etree.tostring(document, encoding="UTF-8", xml_declaration=True) + b"\n"


def child_text(element: etree._Element, tag: str) -> str:
    """Return the stripped text of a child, empty where there is none."""
    return (element.findtext(tag) or "").strip()
