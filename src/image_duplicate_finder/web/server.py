"""The web app behind a production WSGI server, on this machine unless told otherwise.

The server is waitress with limits that strangers cannot use up. It receives requests and sends
answers in one thread without blocking, so connections cost a descriptor and little memory,
whatever their pace; only complete requests reach the threads that run the app. What is added
here: the header alone decides whether a body is read at all; clocks that trickling bytes do not
reset; those who entered have threads and connections of their own; and when strangers hold too
many connections, the oldest of the address that holds most goes.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import html
import http.client
import logging
import os
import secrets
import socket
import sys
import threading
import time
import webbrowser
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from werkzeug.wrappers import Request

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.own_files import write_private
from image_duplicate_finder.settings import DEFAULT_PORT
from image_duplicate_finder.web import create_app
from image_duplicate_finder.web.security import MOST_BODY_BYTES, Standing, standing
from image_duplicate_finder.web.state import Access, Entries, State

_OPEN_FILES = 1024
"""What all connections and their answers may need; some systems allow 256 until asked."""
_BROWSER_SECONDS = 120.0
"""How long a browser may take to start and read the file that leads it here."""
_START_SECONDS = 5.0
"""How long the command that starts a browser may take, where this program ends after it."""


class _PortTaken(UsageError):
    """Something else listens there."""


def run(
    library_folder: str | os.PathLike[str] | None = None,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    open_browser: bool = True,
    password: str | None = None,
) -> None:
    """Serve the library in ``library_folder`` until interrupted; prints an address to enter by.

    An address lets one browser in; when it was used, the next is printed. Where this app
    already serves the library on this port, prints one for that and returns.

    ``host`` other than this machine's own address needs a ``password``. Raises UsageError for
    that, and for an address or port that cannot be used.
    """

    access = access_for(host, port, password)
    with Library.open(library_folder) as library:
        try:
            sock = _bound(host, port)
        except _PortTaken:
            if not _enter_running(library.folder, host, access, open_browser):
                raise
            return
        _allow_open_files()
        logging.getLogger("waitress").setLevel(logging.ERROR)
        app = create_app(library, access)
        state: State = app.extensions["image_duplicate_finder"]
        entries = state.entries
        server = listen(app, sock, lambda sent: standing(sent, access, entries))
        way_in = _WayIn(entries, library.folder, host, access)
        try:
            _say(f"ImageDuplicateFinder is ready: {way_in.address}")
            print("Press Ctrl+C to end it.", file=sys.stderr, flush=True)
            if open_browser:
                way_in.open_browser()
            server.serve()
        except KeyboardInterrupt:
            pass
        finally:
            way_in.close()
            state.jobs.close()


class _WayIn:
    """The address that is printed, and the file that leads the browser here."""

    def __init__(self, entries: Entries, folder: Path, host: str, access: Access) -> None:
        self._entries, self._host, self._access = entries, host, access
        self._printed = access.token
        self._for_browser = ""
        self._file = folder / f"open-{access.port}.html"
        self._lock = threading.Lock()
        entries.on_use = self._used

    @property
    def address(self) -> str:
        """The address to print; it works once."""
        return entry_address(self._host, self._access, self._printed)

    def open_browser(self) -> None:
        """Open the person's browser, without the address in the list of processes.

        Everyone on the machine can read command lines; the file is private.
        """
        self._for_browser = self._entries.new_token()
        address = entry_address(self._host, self._access, self._for_browser)
        _open_privately(self._file, address)
        timer = threading.Timer(_BROWSER_SECONDS, self._end_browser_way)
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """Leave nothing behind."""
        self._end_browser_way()

    def _used(self, token: str) -> None:
        with self._lock:
            if token != self._printed:  # it came by the file
                self._end_browser_way()
                return
            self._printed = self._entries.new_token()
        _say(f"To enter from another browser: {self.address}")

    def _end_browser_way(self) -> None:
        self._entries.withdraw(self._for_browser)
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)


def _open_privately(file: Path, address: str) -> threading.Thread:
    """Open ``address`` in the browser by way of a private file that leads there."""
    link = html.escape(address)
    page = (
        '<!doctype html><meta charset="utf-8"><title>ImageDuplicateFinder</title>'
        f'<meta http-equiv="refresh" content="0; url={link}"><a href="{link}">Open the app</a>'
    )
    opening = threading.Thread(target=webbrowser.open, args=(file.as_uri(),), daemon=True)
    with contextlib.suppress(OSError):  # the printed address is left
        file.unlink(missing_ok=True)
        write_private(file, page.encode())
        opening.start()
    return opening


def _enter_running(folder: Path, host: str, access: Access, open_browser: bool) -> bool:
    """Enter the app that already serves this library on this port, if that is what runs there."""
    entries = Entries(folder, access.port, access.token, None)
    challenge = secrets.token_urlsafe(12)
    name = _own_name(host)
    try:
        connection = http.client.HTTPConnection(name, access.port, timeout=5)
        connection.request("GET", f"/proof/{challenge}")
        proof = connection.getresponse().read(200).decode("ascii", "replace")
        connection.close()
    except (OSError, http.client.HTTPException):
        return False
    if not secrets.compare_digest(proof.encode(), entries.proof(challenge).encode()):
        return False
    address = entry_address(host, access, entries.invitation())
    _say(f"ImageDuplicateFinder is already running; for two minutes: {address}")
    if open_browser:
        file = folder / f"open-{access.port}.html"
        opening = _open_privately(file, entry_address(host, access, entries.invitation()))
        if opening.ident is not None:
            opening.join(_START_SECONDS)
    return True


def _say(line: str) -> None:
    """Print a line; whoever read it may have gone."""
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)


def _allow_open_files() -> None:
    if os.name == "posix":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < _OPEN_FILES and (hard == resource.RLIM_INFINITY or hard > soft):
            most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def access_for(host: str, port: int, password: str | None) -> Access:
    """Who may come in when listening on ``host``. Raises UsageError without a needed password."""
    own = Access(port=port, password=password or None)
    if host in own.hosts or host.startswith("127."):
        return Access(port=port, password=password or None, hosts=own.hosts | {host})
    if not password:
        raise UsageError(
            f"Listening on {host} lets other machines in, so it needs a password: "
            f"idf serve --host {host} --password ..."
        )
    names = {host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
    everywhere = host in ("0.0.0.0", "::", "")
    return Access(port=port, password=password, hosts=own.hosts | names, any_address=everywhere)


def entry_address(host: str, access: Access, token: str) -> str:
    """The address that lets one browser in."""
    name = _own_name(host)
    if ":" in name:
        name = f"[{name}]"
    return f"http://{name}:{access.port}/enter/{token}"


def _own_name(host: str) -> str:
    """How this machine reaches an app that listens on ``host``."""
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host


def _bound(host: str, port: int) -> socket.socket:
    """A socket to listen on. Raises UsageError that says what to do."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, OverflowError) as error:
        raise UsageError(f"The address {host}:{port} cannot be used: {error}") from error
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # on Windows this option would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise _PortTaken(
                f"Port {port} is in use, perhaps by this program in another window. "
                f"Close that, or choose another port: idf serve --port {port + 1}"
            ) from error
        raise UsageError(f"The address {host}:{port} cannot be used: {error}") from error
    return listener


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
        """Answer without reading the body, and close: what follows it cannot be recognised."""
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
