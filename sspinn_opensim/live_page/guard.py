"""Guard of the live page: it answers this machine's own browsers, and those of others with a token."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from casadi_dynamics.errors import InputError

_TOKEN_BYTES = 24


@dataclass(frozen=True)
class Guard:
    """Says which requests are answered.

    A page of another site must not read ours by way of the browser: neither by a name of its own that
    leads to this machine (the Host header is not ours then), nor by asking across (Origin is not ours).

    Attributes
    ----------
    token : str
        First part of the path of every address; empty on this machine alone.
    names : frozenset of str
        Hosts that a browser may have asked for.
    any_address : bool
        Whether it may have asked for any address that is a number, which no name can be led to.
    """

    token: str
    names: frozenset[str]
    any_address: bool

    def inside(self, path: str, hosts: Sequence[str], origins: Sequence[str]) -> str | None:
        """Return the path below the token of a request that is to be answered; None: it is not.

        Parameters
        ----------
        path : str
            As it was asked for.
        hosts, origins : sequence of str
            Headers of these names.
        """
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return None
        if any(origin != f"http://{hosts[0]}" for origin in origins):
            return None
        if not path.startswith("/"):
            return None
        path = path.partition("?")[0]
        if not self.token:
            return path[1:]
        given, _, below = path[1:].partition("/")
        return below if hmac.compare_digest(given.encode(), self.token.encode()) else None

    def _is_ours(self, host: str) -> bool:
        name = host.lower()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        return name in self.names or (self.any_address and _address_of(name) is not None)


def guard_of(host: str) -> Guard:
    """Return the guard of a server that listens at a host: beyond this machine it asks for a token."""
    if is_this_machine(host):
        return Guard("", frozenset({"localhost", "127.0.0.1", "::1", host.lower()}), any_address=False)
    names = {"localhost", host.lower(), socket.gethostname().lower()}
    return Guard(secrets.token_urlsafe(_TOKEN_BYTES), frozenset(names), any_address=True)


def is_this_machine(host: str) -> bool:
    """Return whether nobody but this machine reaches a host.

    Raises
    ------
    InputError
        There is no such host.
    """
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError) as error:
        raise InputError(
            "There is no such host to show the page at.",
            where="--view-host",
            expected="an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them",
            found=f"'{host}': {error}",
        ) from error
    addresses = [_address_of(address.partition("%")[0]) for address in found]
    return all(address is not None and address.is_loopback for address in addresses)


def _address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
