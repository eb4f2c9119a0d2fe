"""waitress with limits that strangers cannot use up.

waitress receives requests and sends answers in one thread without blocking, so connections cost
a descriptor and little memory, whatever their pace; only complete requests reach the threads that
run the app. What is added here: the header alone decides whether a body is read at all; clocks
that trickling bytes do not reset; those who entered have threads and connections of their own; and
when strangers hold too many connections, the oldest of the address that holds most goes.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from werkzeug.wrappers import Request

from image_duplicate_finder.web.security import MOST_BODY_BYTES, Standing

_THREADS = 16
_THREADS_FOR_STRANGERS = 2

_HEADER_BYTES = 16 * 1024
_MOST_STRANGERS = 64
_MOST_CONNECTIONS = 256

_REQUEST_SECONDS = 10.0
"""How long a header may take, and a whole request of a stranger."""
_IDLE_SECONDS = 60.0
"""How long one who entered may pause between requests and within a body."""
_SEND_SECONDS = 20.0
"""How long an answer may wait for a client that does not read."""
_LINGER_SECONDS, _LINGER_BYTES = 1.0, 1024**2
"""A closed connection whose client still sends would lose the answer: so much is swallowed."""
_NO_WATERMARK = sys.maxsize
"""Answers wait on disk for slow clients, never in a thread."""

Gate = Callable[[Request], Standing]


def listen(app: Flask, sock: socket.socket, gate: Gate) -> Listener:
    """A server for ``app`` on a socket that is bound; ``gate`` judges requests by their header."""
    adjustments = Adjustments(
        sockets=[sock],
        ident=None,
        clear_untrusted_proxy_headers=True,
        max_request_header_size=_HEADER_BYTES,
        max_request_body_size=MOST_BODY_BYTES,
        outbuf_high_watermark=_NO_WATERMARK,
        recv_bytes=64 * 1024,
        backlog=128,
    )
    return Listener(app, sock, adjustments, gate)


class _Request(HTTPRequestParser):  # type: ignore[misc]
    """A request that arrives; its body is taken only as far as its header may claim."""

    entered = False
    body_rcv: Any

    def __init__(self, channel: _Channel, adjustments: Adjustments) -> None:
        super().__init__(adjustments)
        self._channel = channel
        self.began = time.monotonic()

    def received(self, data: bytes) -> int:
        if self._channel.requests:
            # One request at a time: answers to many small requests in one packet would pile up.
            self._channel.overrun = self._channel.overrun or bool(data.strip(b"\r\n"))
            return len(data)
        return int(super().received(data))

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("HTTP version not supported")
        if not self.request_uri.startswith("/"):
            raise ParsingError("The request target must be a path")
        # Two ways to say where a body ends let a proxy and us see different requests.
        if "TRANSFER_ENCODING" in self.headers or (
            self.chunked and "CONTENT_LENGTH" in self.headers
        ):
            raise ParsingError("Ambiguous length of the body")
        claim = self._channel.server.gate(Request(_environ(self, self._channel)))
        self.entered = self._channel.entered = claim.entered
        length = sys.maxsize if self.chunked and not claim.entered else self.content_length
        if self.body_rcv is not None and length > claim.body_bytes:
            self._leave_body()

    def _leave_body(self) -> None:
        """Answer without reading the body, and close: what follows cannot be told from it."""
        self.close()
        self.body_rcv = None
        self.chunked = self.expect_continue = False
        self.content_length = 0
        self.connection_close = True
        self.headers["CONNECTION"] = "close"


def _environ(request: _Request, channel: _Channel) -> dict[str, Any]:
    """As much of a WSGI environment as a header gives."""
    return {f"HTTP_{name}": value for name, value in request.headers.items()} | {
        "REQUEST_METHOD": request.command,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "REMOTE_ADDR": channel.addr[0],
        "SERVER_NAME": channel.server.server_name,
        "SERVER_PORT": str(channel.server.effective_port),
        "wsgi.url_scheme": request.url_scheme,
    }


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection."""

    entered = False
    """Whether its latest request came from someone who entered."""
    request: _Request | None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.parser_class = functools.partial(_Request, self)
        self.opened = self.quiet_since = time.monotonic()
        self.overrun = False
        """Whether something came with a request that is not looked at."""
        self.lingering_until: float | None = None
        self._swallowed = 0
        self._unsent = 0
        self._unsent_since = 0.0
        super().__init__(*arguments, **options)

    def service(self) -> None:
        super().service()
        self.quiet_since = time.monotonic()
        if self.overrun:
            self.close_when_flushed = True
            self.server.pull_trigger()

    def late(self, now: float) -> bool:
        """Whether its client had all the time that it may have."""
        if self.lingering_until is not None:
            return now > self.lingering_until
        if self.total_outbufs_len != self._unsent:
            self._unsent, self._unsent_since = self.total_outbufs_len, now
        if self._unsent:
            return now - self._unsent_since > _SEND_SECONDS
        if self.requests:  # the app's turn
            return False
        if self.request is None:
            return now - self.quiet_since > (_IDLE_SECONDS if self.entered else _REQUEST_SECONDS)
        if self.request.headers_finished and self.request.entered:
            return bool(time.time() - self.last_activity > _IDLE_SECONDS)
        return now - self.request.began > _REQUEST_SECONDS

    def readable(self) -> bool:
        return self.lingering_until is not None or bool(super().readable())

    def writable(self) -> bool:
        return self.lingering_until is None and bool(super().writable())

    def handle_write(self) -> None:
        if not self.close_when_flushed or self.will_close:
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if self.connected and not self.total_outbufs_len and not self.will_close:
            self.lingering_until = time.monotonic() + _LINGER_SECONDS
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)

    def handle_read(self) -> None:
        if self.lingering_until is None:
            super().handle_read()
            return
        try:
            got = len(self.socket.recv(self.adj.recv_bytes))
        except OSError:
            got = 0
        self._swallowed += got
        if not got or self._swallowed > _LINGER_BYTES:
            self.handle_close()


class _Dispatcher:
    """Threads for those who entered, and a few for strangers."""

    def __init__(self) -> None:
        self._inside, self._strangers = ThreadedTaskDispatcher(), ThreadedTaskDispatcher()
        self._inside.set_thread_count(_THREADS)
        self._strangers.set_thread_count(_THREADS_FOR_STRANGERS)

    def add_task(self, channel: _Channel) -> None:
        first: _Request = channel.requests[0]
        (self._inside if first.entered else self._strangers).add_task(channel)

    def shutdown(self) -> None:
        self._strangers.shutdown(timeout=1)
        self._inside.shutdown()


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """The server; :meth:`serve` runs until it is interrupted."""

    channel_class = _Channel

    def __init__(
        self, app: Flask, sock: socket.socket, adjustments: Adjustments, gate: Gate
    ) -> None:
        self.gate = gate
        super().__init__(
            app,
            _sock=sock,
            dispatcher=_Dispatcher(),
            adj=adjustments,
            sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
            bind_socket=False,
        )

    def readable(self) -> bool:
        return True  # :meth:`serve` makes room

    def serve(self) -> None:
        """Serve until an exception, Ctrl-C for example, ends it."""
        swept = 0.0
        try:
            while self._map:
                wasyncore.loop(timeout=1.0, use_poll=True, map=self._map, count=1)
                # Between two rounds: within one, a closed descriptor may already be another's.
                self._make_room()
                if (now := time.monotonic()) > swept + 1.0:
                    swept = now
                    for channel in list(self.active_channels.values()):
                        if channel.late(now):
                            channel.handle_close()
        finally:
            self.task_dispatcher.shutdown()
            wasyncore.close_all(self._map)

    def _make_room(self) -> None:
        if len(self.active_channels) <= _MOST_STRANGERS:
            return
        channels: list[_Channel] = list(self.active_channels.values())
        strangers = [channel for channel in channels if not channel.entered]
        held = Counter(channel.addr[0] for channel in strangers)
        while len(strangers) > _MOST_STRANGERS:
            address = max(held, key=held.__getitem__)
            held[address] -= 1
            oldest = min(
                (channel for channel in strangers if channel.addr[0] == address),
                key=lambda channel: channel.opened,
            )
            strangers.remove(oldest)
            oldest.handle_close()
        inside = [channel for channel in channels if channel.entered and not channel.requests]
        inside.sort(key=lambda channel: channel.quiet_since)
        for channel in inside[: max(0, len(channels) - _MOST_CONNECTIONS)]:
            channel.handle_close()
