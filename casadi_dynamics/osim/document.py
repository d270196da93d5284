"""The `<Model>` of an `.osim` file as XML."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import MOST_XML_BYTES, read_input
from casadi_dynamics.osim.included import inline
from casadi_dynamics.osim.plain_xml import refuse_document_type
from casadi_dynamics.osim.xml import Element

#: Files are read from the version in which sockets came, to the one that OpenSim 4.6 writes.
OLDEST_VERSION, NEWEST_VERSION = 40000, 40600

_DECLARED_ENCODING = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)[\"'][^>]*\?>")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
#: What libxml2 calls an & that begins no entity.
_BARE_AMPERSAND = ("ERR_NAME_REQUIRED", "ERR_ENTITYREF_SEMICOL_MISSING", "ERR_ENTITYREF_NO_NAME")


def read_document(path: Path) -> Element:
    """Return the `<Model>` element of a file of a version that is read directly.

    Raises
    ------
    InputError
        If the file is not an OpenSim model of such a version.
    """
    root = _root(path)
    version = _version(path, root)
    if not OLDEST_VERSION <= version <= NEWEST_VERSION:
        older = version < OLDEST_VERSION
        raise InputError(
            f"The model file is of {'an older' if older else 'a newer'} version.",
            where=f"{path}, line {root.sourceline}",
            expected=f"Version {OLDEST_VERSION} to {NEWEST_VERSION}",
            found=f"Version '{version}'",
            fix=f"open the model in OpenSim {'4' if older else '4.6'} and save it",
        )
    inline(root, path, _root, marked=True)
    parts = Element(path, root).children()
    if [child.tag for child in parts] != ["Model"]:
        raise InputError(
            "The file is not an OpenSim model.",
            where=f"{path}, line {root.sourceline}",
            expected="<OpenSimDocument> with one <Model> in it",
            found=f"<{root.tag}> with " + (", ".join(f"<{child.tag}>" for child in parts) or "nothing"),
            fix="name the .osim file of a model, not a set-up file",
        )
    model = parts[0]
    model.check_tags()
    _apply_defaults(model)
    return model


def _apply_defaults(model: Element) -> None:
    """Give every element the properties it lacks and the default object of its class has, as OpenSim does."""
    if not model.has("defaults"):
        return
    given: dict[str, Element] = {}
    for item in model.children("defaults"):
        first = given.setdefault(item.tag, item)
        if first is not item:
            raise item.error(
                f"There are two default objects of class {item.tag}.",
                expected="one in <defaults>",
                found=f"another in line {first.line}",
                fix="remove the one that is not meant",
            )
    model.node.remove(model.node.find("defaults"))
    for node in list(model.node.iter(*given)) if given else []:
        has = {child.tag for child in node}
        node.extend([deepcopy(p.node) for p in given[node.tag].children() if p.tag not in has])


def is_older(path: str | Path) -> bool:
    """Return whether OpenSim must upgrade a model file before it can be read here.

    Raises
    ------
    InputError
        If the file is not a document of OpenSim.
    """
    path = Path(path)
    return _version(path, _root(path)) < OLDEST_VERSION


def whole_document(path: Path) -> bytes | None:
    """Return a document of OpenSim with its parts from other files, or None where it has none of these."""
    path = Path(path)
    root = _root(path)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True) if inline(root, path, _root) else None


def _root(path: Path) -> Any:
    """Return the root element; whatever is not well-formed is refused."""
    data = read_input(path, "the model file", MOST_XML_BYTES)
    # `recover` because OpenSim writes `::` in some tags, which XML reserves for namespaces; that alone is
    # let pass below. Entities and comments stay nodes, so that no value can be cut in silence.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    try:
        root = etree.fromstring(_text(data).encode(), parser)
    except etree.XMLSyntaxError:
        root = None  # the parser's log says why
    faults = [f for f in parser.error_log if f.domain_name != "NAMESPACE" and f.level_name != "WARNING"]
    if faults or root is None:
        raise not_well_formed(path, faults[0] if faults else None)
    if b"<![CDATA[" in data:  # which XML would merge with the text around it, and OpenSim does not
        raise InputError(
            "The model file has a CDATA section.",
            where=str(path),
            expected="plain text in elements, as OpenSim writes it",
            found="<![CDATA[",
            fix="open the model in OpenSim and save it again",
        )
    refuse_document_type(root, path)
    return root


def not_well_formed(path: Path, fault: Any) -> InputError:
    """Return the error of a file that is no XML.

    Parameters
    ----------
    fault : lxml error or None
        The first entry of the parser's log; None of an empty file.
    """
    line = fault.line if fault else 1
    bare = fault is not None and fault.type_name in (*_BARE_AMPERSAND, "ERR_UNDECLARED_ENTITY")
    return InputError(
        "The model file is not well-formed XML.",
        where=f"{path}, line {line}",
        expected="&amp; for each & in a text" if bare else "",
        found=fault.message if fault else "an empty file",
        fix=f"write &amp; for & in line {line}"
        if bare
        else f"mend line {line}, or copy the file from its source again: it may be cut short",
    )


def _text(data: bytes) -> str:
    """Return the text of a file, without its XML declaration.

    Some published files declare UTF-8 and hold single bytes of another encoding, in credits mostly. OpenSim
    takes bytes as they are; Latin-1 keeps each of them one character, so that names stay what they are.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _DECLARATION.sub("", data.decode("utf-16", errors="replace"), count=1)
    data = data.removeprefix(b"\xef\xbb\xbf")
    declared = _DECLARED_ENCODING.match(data)
    for encoding in (declared[1].decode() if declared else "utf-8", "utf-8", "latin-1"):
        try:
            return _without_declaration(data.decode(encoding))
        except (UnicodeError, LookupError):
            continue
    raise AssertionError("Latin-1 decodes every byte")


def _without_declaration(text: str) -> str:
    """Drop the declaration but not its line breaks: messages name lines."""
    return _DECLARATION.sub(lambda match: "\n" * match[0].count("\n"), text, count=1)


def _version(path: Path, root: Any) -> int:
    version = root.get("Version", "")
    if root.tag != "OpenSimDocument" or not re.fullmatch("[0-9]{0,9}", version):
        raise InputError(
            "The file is not an OpenSim model.",
            where=f"{path}, line {root.sourceline}",
            expected='<OpenSimDocument Version="..."> with one <Model> in it',
            found=f"<{root.tag}> of version '{version[:40]}'",
            fix="name the .osim file of a model",
        )
    return int(version or 0)  # the first versions of OpenSim wrote none
