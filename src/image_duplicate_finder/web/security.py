"""Who may come in, from where, and what a page may load.

The dangers of a program that listens on a port of a personal machine: another website in the
same browser sends requests to it (cross-site request forgery), a name that an attacker controls
points at 127.0.0.1 (DNS rebinding), another user of the machine connects, a picture that is
really a script runs. So: only known hosts are served, requests from other sites are refused,
nobody gets in without the token of this start or the password, and pages load nothing but the
app's own files.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import threading
import time
from urllib.parse import urlsplit

from flask import Flask, Request, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from image_duplicate_finder.web.state import Access, state

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_ENDPOINTS = frozenset({"static", "enter", "login", "log_in"})
"""What needs no token: it shows nothing of the library."""

_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": with that, browsers send forms with "Origin: null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

_FAILED_LOGIN_SECONDS = 1.0


def install(app: Flask) -> None:
    """Guard every route of ``app``; must come before any other request handler."""
    app.before_request(_check_host)
    app.before_request(_check_site)
    app.before_request(_check_entry)
    app.after_request(_add_headers)
    app.add_url_rule("/enter/<token>", "enter", _enter)
    app.add_url_rule("/login", "login", _login, methods=["GET"])
    app.add_url_rule("/login", "log_in", _log_in, methods=["POST"])


def cookie_name(access: Access) -> str:
    """Browsers share cookies between ports, so the port is a part of the name."""
    return f"idf_entry_{access.port}"


def host_allowed(host: str, access: Access) -> bool:
    """Whether ``host``, a Host header, names this app.

    An IP address in the header cannot come from DNS rebinding, which needs a name.
    """
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if (80 if port is None else port) != access.port:
        return False
    if name.lower() in access.hosts:
        return True
    return access.any_address and _is_address(name)


def same_site(sent: Request) -> bool:
    """Whether a request comes from a page of this app or from a person.

    Modern browsers say so in Sec-Fetch-Site; for others a request that changes something must
    name this app as its Origin.
    """
    safe = sent.method in _SAFE_METHODS
    site = sent.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site == "same-origin" or (site == "none" and safe):
            return True
        # A link from elsewhere may open a page; it may not load one into something else.
        return (
            safe
            and sent.headers.get("Sec-Fetch-Mode") == "navigate"
            and sent.headers.get("Sec-Fetch-Dest") == "document"
        )
    origin = sent.headers.get("Origin")
    if origin is None:
        return safe
    return origin.lower() == f"{sent.scheme}://{sent.host}".lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_host() -> None:
    if not host_allowed(request.headers.get("Host", ""), state().access):
        abort(421)


def _check_site() -> None:
    if not same_site(request):
        abort(403)


def _check_entry() -> BaseResponse | None:
    access = state().access
    if request.endpoint in _OPEN_ENDPOINTS or _has_entry(access):
        return None
    if access.password is None or request.method != "GET":
        abort(401)
    return redirect(url_for("login"))


def _has_entry(access: Access) -> bool:
    given = request.cookies.get(cookie_name(access), "")
    return hmac.compare_digest(given.encode(), _entry(access).encode())


def _entry(access: Access) -> str:
    """What the cookie holds: not the token itself, so that one does not give away the other."""
    return hashlib.sha256(b"entry:" + access.token.encode()).hexdigest()


def _admit(response: Response, access: Access) -> Response:
    response.set_cookie(
        cookie_name(access), _entry(access), httponly=True, samesite="Strict", path="/"
    )
    return response


def _enter(token: str) -> Response:
    """Exchange the token in the address for a cookie.

    The answer is a page that moves on by itself, not a redirect: after a click in another
    site (a terminal in the browser, say) a redirect would be sent without the strict cookie.
    """
    access = state().access
    if not hmac.compare_digest(token.encode(), access.token.encode()):
        abort(401)
    return _admit(Response(render_template("entered.html")), access)


def _login() -> str:
    if state().access.password is None:
        abort(401)
    return render_template("login.html", failed=False)


_login_turn = threading.Lock()


def _log_in() -> BaseResponse:
    access = state().access
    if access.password is None:
        abort(401)
    given = request.form.get("password", "")
    with _login_turn:  # one try at a time, and each failure costs a second
        if not hmac.compare_digest(given.encode(), access.password.encode()):
            time.sleep(_FAILED_LOGIN_SECONDS)
            return Response(render_template("login.html", failed=True), status=401)
    return _admit(Response(render_template("entered.html")), access)


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint == "static" and "v" in request.args:
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    elif request.endpoint == "static":  # a module that another module imports
        response.headers["Cache-Control"] = "private, no-cache"
    else:
        response.headers.setdefault("Cache-Control", "no-store")
    return response
