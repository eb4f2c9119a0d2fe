"""What one running web app holds, how a page reaches it, and how a browser gets in.

Browsers get in by addresses that work once, cookies that last, and passwords tried slowly. One
that came in is trusted until it is signed out, also after a restart: its cookie is signed with a
secret that lies in the library, in a file of its own that only its owner can read. Replacing the
secret signs out every browser.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
import os
import secrets
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from flask import Flask, current_app

from image_duplicate_finder.library import Library
from image_duplicate_finder.own_files import write_private
from image_duplicate_finder.web.jobs import Jobs

_KEY = "image_duplicate_finder"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in.

    ``token`` lets one browser in, once; ``password``, if there is one, is what people type on
    other machines. ``hosts`` are the names that the app may be called by, lower
    case; ``any_address`` also allows every IP address, for an app that listens on all of them.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    password: str | None = None
    hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "::1"})
    any_address: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """The library that is shown, its running work, and who may see it."""

    library: Library
    jobs: Jobs
    access: Access
    entries: Entries


def install(app: Flask, state: State) -> None:
    """Make ``state`` what :func:`state` returns for this app."""
    app.extensions[_KEY] = state


def state() -> State:
    """The state of the app that serves the present request."""
    return cast(State, current_app.extensions[_KEY])


def library() -> Library:
    """The library of the app that serves the present request."""
    return state().library


SECRET_NAME = "entry-secret"

TRUSTED_SECONDS = 365 * 24 * 3600
_INVITATION_SECONDS = 120
_TRIES = 5
_SECONDS_PER_TRY = 12.0
_REMEMBERED_ADDRESSES = 4096


class Entries:
    """Who may come in and who has; its methods may be called from any thread.

    ``token`` is the first one-time token. ``password`` is what cookies that were earned with a
    password depend on: a new password ends them.
    """

    def __init__(self, folder: Path, port: int, token: str, password: str | None) -> None:
        self._secret = _Secret(folder / SECRET_NAME)
        self._port = port
        self._password = hashlib.sha256((password or "").encode()).hexdigest()
        self._unused = {token}
        self._invited: set[str] = set()
        self._lock = threading.Lock()
        self.tries = Tries()
        self.on_use: Callable[[str], None] | None = None
        """Called with each token that was used."""

    def new_token(self) -> str:
        """A token that lets one browser in, once."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._unused.add(token)
        return token

    def invitation(self) -> str:
        """A token that the app on this port takes once, within two minutes, from any process
        that can read the library."""
        claim = f"{int(time.time()):x}.{secrets.token_urlsafe(12)}"
        return f"{claim}.{self._sign('invitation', claim)}"

    def withdraw(self, token: str) -> None:
        """Make an unused token useless."""
        with self._lock:
            self._unused.discard(token)

    def use(self, token: str) -> bool:
        """Whether ``token`` lets in; it does so once."""
        with self._lock:
            if token in self._unused:
                self._unused.remove(token)
            elif token not in self._invited and self._signed(
                "invitation", token, _INVITATION_SECONDS
            ):
                self._invited.add(token)
            else:
                return False
        if self.on_use is not None:
            self.on_use(token)
        return True

    def cookie(self, *, by_password: bool = False) -> str:
        """What a browser that came in keeps; each browser gets its own."""
        claim = f"{int(time.time()):x}.{secrets.token_urlsafe(12)}"
        return f"{claim}.{self._sign(self._purpose(by_password), claim)}"

    def trusts(self, cookie: str) -> bool:
        """Whether a browser that shows this cookie came in before and was not signed out."""
        return any(
            self._signed(self._purpose(by_password), cookie, TRUSTED_SECONDS)
            for by_password in (False, True)
        )

    def sign_out_all(self) -> None:
        """Make every cookie useless."""
        self._secret.replace()

    def proof(self, challenge: str) -> str:
        """What only an app over the same library can answer to ``challenge``."""
        return self._sign("proof", challenge)

    def _purpose(self, by_password: bool) -> str:
        return f"cookie by password {self._password}" if by_password else "cookie"

    def _sign(self, purpose: str, claim: str) -> str:
        signed = f"{purpose}\n{self._port}\n{claim}".encode()
        return hmac.new(self._secret.read(), signed, hashlib.sha256).hexdigest()

    def _signed(self, purpose: str, given: str, seconds: float) -> bool:
        claim, _dot, signature = given.rpartition(".")
        if not claim or not hmac.compare_digest(
            signature.encode("utf-8", "replace"), self._sign(purpose, claim).encode()
        ):
            return False
        return 0 <= time.time() + 60 - int(claim.split(".")[0], 16) <= seconds + 60


class _Secret:
    """32 random bytes in a file, read anew each time: signing out holds in every process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()  # Windows replaces no file that is open
        if len(self.read()) != 32 or self._was_open_to_others():
            self.replace()

    def read(self) -> bytes:
        with self._lock:
            with contextlib.suppress(FileNotFoundError):
                return self._path.read_bytes()
            self.replace()
            return self._path.read_bytes()

    def replace(self) -> None:
        """Put new bytes in the file's place, private from the start."""
        new = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
        with self._lock:
            write_private(new, secrets.token_bytes(32))
            os.replace(new, self._path)

    def _was_open_to_others(self) -> bool:
        """Whether others could read it. A file system without permissions shows them always."""
        if os.name != "posix" or not self._path.stat().st_mode & 0o077:
            return False
        self._path.chmod(0o600)
        return not stat.S_IMODE(self._path.stat().st_mode) & 0o077


class Tries:
    """How often an address may try a password: a few times at once, then now and then.

    Nobody waits in a thread: a try too many is refused at once, unread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> float:
        """Use up one try. 0.0 if there was one, else the seconds until there is."""
        key, now = _neighbourhood(address), time.monotonic()
        with self._lock:
            spent, since = self._spent.pop(key, (0.0, now))
            spent = max(0.0, spent - (now - since) / _SECONDS_PER_TRY)
            missing = spent + 1 - _TRIES
            self._spent[key] = (spent if missing > 0 else spent + 1, now)
            if len(self._spent) > _REMEMBERED_ADDRESSES:
                self._spent.popitem(last=False)
        return max(0.0, missing * _SECONDS_PER_TRY)

    def forgive(self, address: str) -> None:
        """Forget the tries of an address that then knew the password."""
        with self._lock:
            self._spent.pop(_neighbourhood(address), None)


def _neighbourhood(address: str) -> str:
    """The address, or the part of an IPv6 one that a single household has to itself."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
