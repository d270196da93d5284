"""Write a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from casadi_dynamics.errors import InputError


def write_atomically(path: Path, content: str | bytes) -> Path:
    """Write `content` to a temporary sibling of `path` and move it into place.

    Parameters
    ----------
    path : Path
        Destination; its folder must exist.
    content : str or bytes
        Text is encoded as UTF-8 with the line ends it has.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        The folder is missing, is not writable, or the disk is full; nothing is left behind.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    sibling = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            sibling.write_bytes(data)
            os.replace(sibling, path)
        finally:
            sibling.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot write {path.name}",
            where=str(path),
            found=error.strerror or str(error),
            fix="name a folder that exists, can be written to and has free space",
        ) from error
    return path
