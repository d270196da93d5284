"""Addresses of the network as they are typed: HOST:PORT."""

from __future__ import annotations

from casadi_dynamics.errors import InputError


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of a text such as ``127.0.0.1:5005`` or ``[::1]:5005``.

    Raises
    ------
    InputError
        It is none.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host.strip("[]") or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise InputError("This is no address.", expected="HOST:PORT, such as 127.0.0.1:5005", found=text)
    return host.strip("[]"), int(port)
