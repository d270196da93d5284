"""The server of the live page: a few files from memory, and one stream of events for each reader.

By the standard library alone. A browser only ever asks (GET) and is told by server-sent events, so there is
no message from it that could be wrong. Nothing is read from a disk when it asks: what is not in the table of
files is not there.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Thread
from typing import Any

from sspinn_opensim.live_page.board import Board
from sspinn_opensim.live_page.guard import Guard
from sspinn_opensim.streaming.addresses import bound_for_page

#: Connections and readers at once; more are turned away.
_CONNECTIONS, _READERS = 32, 8
#: A request must be complete after so long, and whoever takes nothing for so long is cut off, s.
_REQUEST_S, _SEND_S = 5.0, 5.0
#: Bytes that the system keeps for a reader who is behind.
_KEPT_BYTES = 256 * 1024
_POLL_S = 0.2
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}
_EVENTS = "events"


@dataclass(frozen=True)
class PageFile:
    """A file of the page: its type for the browser, and its bytes."""

    media_type: str
    content: bytes


class PageServer(ThreadingHTTPServer):
    """Answers in threads of its own; `start` and `stop` it.

    Parameters
    ----------
    files : mapping of str to PageFile
        By path below the token; the empty one is the page.
    board : Board
        What readers are told.
    port : int
        0: any that is free.

    Raises
    ------
    InputError
        The address cannot be listened at.
    """

    daemon_threads, block_on_close, request_queue_size = True, False, 16

    def __init__(
        self, files: Mapping[str, PageFile], board: Board, guard: Guard, host: str, port: int
    ) -> None:
        self.files, self.board, self.guard = files, board, guard
        self.streams = BoundedSemaphore(_READERS)
        self._due: dict[socket.socket, float] = {}
        opened = bound_for_page(host, port)
        super().__init__((host, port), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.server_address = opened, opened.getsockname()
        self.server_activate()
        self._thread = Thread(target=self.serve_forever, args=(_POLL_S,), name="live page", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End, and close what is open."""
        self.shutdown()
        self.server_close()
        for connection in list(self._due):
            _cut(connection)
        self._thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, unless there are too many."""
        if len(self._due) >= _CONNECTIONS:
            self.shutdown_request(request)
            return
        self._due[request] = time.monotonic() + _REQUEST_S
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self._due.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut off whoever takes too long to ask."""
        now = time.monotonic()
        for connection, due in list(self._due.items()):
            if now > due:
                _cut(connection)

    def answered(self, connection: socket.socket) -> None:
        """Take note that a request was complete."""
        if connection in self._due:
            self._due[connection] = float("inf")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that broke; our own mistakes are shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One request, then the connection ends."""

    server: PageServer
    protocol_version, timeout = "HTTP/1.1", _REQUEST_S

    def do_GET(self) -> None:
        """Answer."""
        self.close_connection = True
        self.server.answered(self.connection)
        hosts, origins = (self.headers.get_all(name, []) for name in ("Host", "Origin"))
        below = self.server.guard.inside(self.path, hosts, origins)
        if below is None:
            self.send_error(403)
        elif below == _EVENTS:
            self._stream()
        elif below in self.server.files:
            file = self.server.files[below]
            self._answer(200, file.media_type, file.content)
        else:
            self.send_error(404)

    def _stream(self) -> None:
        if not self.server.streams.acquire(blocking=False):
            self.send_error(503)
            return
        try:
            self.connection.settimeout(_SEND_S)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KEPT_BYTES)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.end_headers()
            for news in self.server.board.follow():
                self.wfile.write(news)
        finally:
            self.server.streams.release()

    def _answer(self, status: int, media_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with a number and nothing of what was asked."""
        del message, explain
        self.close_connection = True
        self._answer(code, "text/plain; charset=utf-8", b"%d\n" % code)

    def end_headers(self) -> None:
        """Add what every answer says to the browser."""
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self) -> str:
        """Return a name without versions."""
        return "sspinn"

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: addresses hold the token."""


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended by itself
        return
