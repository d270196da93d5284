"""Objects of a document that stand in files of their own, such as `<BodySet file="bodies.xml"/>`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from casadi_dynamics.errors import InputError

#: Attribute that names the file of a part (XInclude 1.1, 4.7.5, "Base URI Fixup").
BASE = "{http://www.w3.org/XML/1998/namespace}base"
#: From this version on OpenSim writes sockets; older files are converted when OpenSim reads them.
_SOCKETS = 40000
#: Parts that name others twice each would soon be more than any memory holds.
_MOST_PARTS, _DEEPEST = 1000, 20


def inline(root: Any, path: Path, parse: Callable[[Path], Any], *, marked: bool = False) -> bool:
    """Put every object that a document keeps in another file in its place, as OpenSim does.

    Parameters
    ----------
    root : lxml element
        Root of the document, which is changed.
    path : Path
        Its file. Names of files are relative to the file that they stand in.
    parse : callable
        From a path to the root of the document there; whatever cannot be read it refuses.
    marked : bool
        Whether every part bears the path of its file as `BASE`, for messages that name its lines.

    Returns
    -------
    bool
        Whether there was such an object.

    Raises
    ------
    InputError
        If a file is not there, holds another object, names itself, or holds a part of a model in a version
        that OpenSim would convert otherwise than the model.
    """
    return _inline(root, Path(path), parse, (Path(path).resolve(),), marked, itertools.count(1))


def _inline(
    root: Any,
    path: Path,
    parse: Callable[[Path], Any],
    within: tuple[Path, ...],
    marked: bool,
    count: Iterator[int],
) -> bool:
    references = [node for node in root.xpath("//*[@file]") if node.get("file").strip()]
    for node in references:
        name = node.get("file").strip()
        place = path.parent / name.replace("\\", "/")
        where = f"{path}, line {node.sourceline}, <{node.tag} file=...>"
        if not place.is_file():
            beside = path.parent / place.name
            raise InputError(
                "A file that holds a part of this one is not there.",
                where=where,
                expected=str(place),
                found=name,
                fix=f'a file of this name lies beside it: write file="{place.name}"'
                if beside.is_file()
                else "put the file there: names are relative to the file that they stand in",
            )
        if place.resolve() in within:
            raise InputError("A file names itself as a part of itself.", where=where, found=name)
        if next(count) > _MOST_PARTS or len(within) > _DEEPEST:
            raise InputError(
                "The file has too many parts in files of their own.",
                where=where,
                expected=f"at most {_MOST_PARTS}, and {_DEEPEST} in each other",
            )
        own = parse(place)
        held = own if own.tag == node.tag else own.find(node.tag)
        if held is None:
            found = ", ".join(f"<{x.tag}>" for x in own if isinstance(x.tag, str)) or f"<{own.tag}>"
            raise InputError(
                "A file holds another object than the one it is named for.",
                where=where,
                expected=f"<{node.tag}> in {place}",
                found=found,
            )
        _check_version(root, own, node, place)
        _inline(own, place, parse, (*within, place.resolve()), marked, count)
        if marked:
            held.set(BASE, str(place))
        held.tail = node.tail
        node.getparent().replace(node, held)
    return bool(references)


def _check_version(root: Any, own: Any, node: Any, place: Path) -> None:
    """Refuse a part of a model that OpenSim would convert from another version than the model."""
    versions = [document.get("Version", "") for document in (root, own)]
    numbers = [int(version) if version.isdigit() else 0 for version in versions]
    if root.find("Model") is not None and numbers[0] != numbers[1] and min(numbers) < _SOCKETS:
        raise InputError(
            "A part of the model is of another version than the model.",
            where=f"{place}, <{node.tag}>",
            expected=f"Version {versions[0]}, or both {_SOCKETS} or later",
            found=f"Version '{versions[1]}'",
        )
