"""The web app behind a production WSGI server, on this machine unless told otherwise."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
import threading
import webbrowser

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.web import create_app
from image_duplicate_finder.web.state import Access, State

DEFAULT_PORT = 5501

_THREADS = 24
"""Each open progress page holds one thread while it listens (see events.py)."""


def run(
    library_folder: str | os.PathLike[str] | None = None,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    open_browser: bool = True,
    password: str | None = None,
) -> None:
    """Serve the library in ``library_folder`` until interrupted; prints the address.

    ``host`` other than this machine's own address needs a ``password``. Raises UsageError for
    that, and for an address or port that cannot be used.
    """
    from waitress.server import create_server

    access = access_for(host, port, password)
    listener = _listen(host, port)
    logging.getLogger("waitress").setLevel(logging.ERROR)
    with Library.open(library_folder) as library:
        app = create_app(library, access)
        server = create_server(
            app,
            sockets=[listener],
            threads=_THREADS,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
        address = entry_address(host, access)
        try:
            print(f"ImageDuplicateFinder is ready: {address}", flush=True)
            print("Press Ctrl+C to end it.", file=sys.stderr, flush=True)
            if open_browser:
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
            server.run()
        except KeyboardInterrupt:
            pass
        finally:
            server.close()
            state: State = app.extensions["image_duplicate_finder"]
            state.jobs.close()


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


def entry_address(host: str, access: Access) -> str:
    """The address that opens the app; it holds the token of this start."""
    name = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    if ":" in name:
        name = f"[{name}]"
    return f"http://{name}:{access.port}/enter/{access.token}"


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises UsageError that says what to do."""
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
        listener.listen(64)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"Port {port} is in use, perhaps by this program in another window. "
                f"Close that, or choose another port: idf serve --port {port + 1}"
            ) from error
        raise UsageError(f"The address {host}:{port} cannot be used: {error}") from error
    return listener
