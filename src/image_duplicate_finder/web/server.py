"""The web app behind a production WSGI server, on this machine unless told otherwise."""

from __future__ import annotations

import contextlib
import errno
import html
import http.client
import logging
import os
import secrets
import socket
import sys
import threading
import webbrowser
from pathlib import Path

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.own_files import write_private
from image_duplicate_finder.settings import DEFAULT_PORT
from image_duplicate_finder.web import create_app
from image_duplicate_finder.web.entry import Entries
from image_duplicate_finder.web.security import standing
from image_duplicate_finder.web.state import Access, State

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
    from image_duplicate_finder.web.listener import listen

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
