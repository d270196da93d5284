"""Addresses of the network as they are typed: HOST:PORT."""

from __future__ import annotations

import socket

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


def bound(host: str, port: int, kind: socket.SocketKind, what: str, fix: str) -> socket.socket:
    """Return a socket that has an address of this machine; where a name has several, one of IPv4.

    Parameters
    ----------
    host, port : str, int
        Port 0: any that is free.
    kind : SocketKind
        ``SOCK_DGRAM`` for UDP, ``SOCK_STREAM`` for a page.
    what, fix : str
        What cannot be done where the address cannot be had, and what to do then.

    Raises
    ------
    InputError
        It is taken, or none of this machine's.
    """
    opened = None
    try:
        found = socket.getaddrinfo(host, port, type=kind)
        family, *_, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        opened = socket.socket(family, kind)
        if kind == socket.SOCK_STREAM:  # or the port of a page that was just closed is taken for a minute
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        if opened is not None:
            opened.close()
        raise InputError(what, where=f"{host}:{port}", found=str(error), fix=fix) from error
    return opened


def bound_for_samples(host: str, port: int) -> socket.socket:
    """Return the socket that samples arrive at; raise as `bound`."""
    fix = "choose another port, or end the program that has it"
    return bound(host, port, socket.SOCK_DGRAM, "The port cannot be listened at.", fix)


def bound_for_page(host: str, port: int) -> socket.socket:
    """Return the socket that a page is asked for at; raise as `bound`."""
    fix = "choose another --view-port, or 0 for any that is free; --view-host is an address of this machine"
    return bound(host, port, socket.SOCK_STREAM, "The page cannot be shown at this address.", fix)
